package mock

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// storedMessage is a message that a queue has.
type storedMessage struct {
	ID         string            `json:"id"` // in the order in which they were sent
	Body       string            `json:"body"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Group      string            `json:"group,omitempty"`
	DedupID    string            `json:"dedupId,omitempty"`
	SentAt     time.Time         `json:"sentAt"`
	VisibleAt  time.Time         `json:"visibleAt"`
	Receives   int               `json:"receives,omitempty"`
	Nonce      string            `json:"nonce,omitempty"` // of the receipt that is good, "" if nobody has it
	Done       bool              `json:"done,omitempty"`  // deleted, and kept to know it again
}

type messageFolder = folder[storedMessage]

// dedupFor is for how long a message is known again.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
const dedupFor = 5 * time.Minute

// lookAgain is how often a call that waits for a message looks for one.
const lookAgain = 20 * time.Millisecond

// receipt is deliberately no text that could stand in a path: on other clouds it is none
// either.
func (m storedMessage) receipt() resource.Receipt {
	return resource.Receipt(m.ID + "/" + m.Nonce + "+=")
}

// queue is a queue that a call is about, with what it holds.
func (c queues) queue(ctx context.Context, do, id string) (*messageFolder, resource.QueueSpec, error) {
	return heldBy(ctx, c.table, c.s.cloud.messages, do, id)
}

// Send implements resource.Sender.
func (c queues) Send(ctx context.Context, id string, r resource.NewMessages) (resource.SentMessages, error) {
	f, spec, err := c.queue(ctx, toWrite, id)
	if err != nil {
		return resource.SentMessages{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	sent := resource.SentMessages{Messages: make([]resource.SentMessage, len(r.Messages))}
	for i, m := range r.Messages {
		one := &sent.Messages[i]
		if one.ID, err = c.send(f, spec, fmt.Sprintf("messages[%d]", i), m); err != nil {
			one.Error = resource.AsError(err)
		}
	}
	return sent, nil
}

// send keeps one message. The folder is held.
func (c queues) send(f *messageFolder, spec resource.QueueSpec, at string, m resource.NewMessage) (string, error) {
	size := len(m.Body)
	for name, value := range m.Attributes {
		size += len(name) + len(value)
	}
	switch {
	case size > spec.MaxMessageBytes:
		return "", refuseField(at+".body", "InvalidMessageContents", "it has %d bytes with its attributes, more than %d; send less", size, spec.MaxMessageBytes)
	case spec.FIFO != (m.Group != ""):
		return "", refuseField(at+".group", "InvalidParameterValue", "messages of a FIFO queue have a group, and others have none")
	case !spec.FIFO && m.DedupID != "":
		return "", refuseField(at+".dedupId", "InvalidParameterValue", "only FIFO queues know a message again; leave it out")
	case spec.FIFO && m.DelaySeconds != nil && *m.DelaySeconds != spec.DelaySeconds:
		return "", refuseField(at+".delaySeconds", "InvalidParameterValue", "messages of a FIFO queue are late as the queue says; leave it out")
	}
	now := c.s.cloud.time()
	for _, before := range f.things {
		if m.DedupID != "" && before.DedupID == m.DedupID && now.Sub(before.SentAt) < dedupFor {
			return before.ID, nil
		}
	}
	delay := spec.DelaySeconds
	if m.DelaySeconds != nil {
		delay = *m.DelaySeconds
	}
	kept := storedMessage{
		ID: fmt.Sprintf("msg-%016x-%s", now.UnixNano(), rand.Text()[:6]), Body: m.Body, Attributes: m.Attributes, Group: m.Group, DedupID: m.DedupID,
		SentAt: now, VisibleAt: now.Add(time.Duration(delay) * time.Second),
	}
	for last := range f.things { // of the same moment
		if kept.ID <= last && strings.HasPrefix(last, kept.ID[:20]) {
			kept.ID = last + "1"
		}
	}
	return kept.ID, f.put(kept.ID, kept)
}

// Receive implements resource.Receiver.
func (c queues) Receive(ctx context.Context, id string, q resource.MessageQuery) (resource.Messages, error) {
	received := resource.Messages{Messages: []resource.Message{}}
	f, spec, err := c.queue(ctx, toWrite, id)
	if err != nil {
		return received, err
	}
	if spec.DeadLetter.Queue != "" {
		if _, err := c.specNow(spec.DeadLetter.Queue); err != nil {
			spec.DeadLetter.Queue = "" // it is gone; then they stay
		}
	}
	visibility := spec.VisibilitySeconds
	if q.VisibilitySeconds != nil {
		visibility = *q.VisibilitySeconds
	}
	end := time.NewTimer(time.Duration(q.WaitSeconds) * time.Second)
	defer end.Stop()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		all, err := c.take(f, spec, cmp.Or(q.Max, 1), time.Duration(visibility)*time.Second)
		if received.Messages = append(received.Messages, all...); err != nil || len(all) > 0 {
			return received, err
		}
		select {
		case <-tick.C:
		case <-end.C:
			return received, nil
		case <-ctx.Done():
			return received, unanswered(ctx.Err())
		}
	}
}

// take gives messages away that can be received now.
func (c queues) take(f *messageFolder, spec resource.QueueSpec, most int, visibility time.Duration) ([]resource.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, busy := c.s.cloud.time(), map[string]bool{}
	for _, m := range f.things { // who has one of a group has all of it
		busy[m.Group] = busy[m.Group] || m.Group != "" && !m.Done && m.Nonce != "" && now.Before(m.VisibleAt)
	}
	var taken []resource.Message
	for _, id := range slices.Sorted(maps.Keys(f.things)) {
		m := f.things[id]
		switch {
		case m.Done && now.Sub(m.SentAt) >= dedupFor, !m.Done && now.Sub(m.SentAt) >= time.Duration(spec.RetentionSeconds)*time.Second:
			if err := f.remove(id); err != nil {
				return taken, err
			}
			continue
		case m.Done, busy[m.Group]:
			continue
		case now.Before(m.VisibleAt):
			busy[m.Group] = m.Group != "" // those after it wait for it
			continue
		case len(taken) == most:
			return taken, nil
		}
		if dead := spec.DeadLetter; dead.Queue != "" && m.Receives >= dead.Receives {
			if err := c.bury(f, dead.Queue, m); err != nil {
				return taken, err
			}
			continue
		}
		m.Receives++
		m.Nonce, m.VisibleAt = rand.Text(), now.Add(visibility)
		if err := f.put(id, m); err != nil {
			return taken, err
		}
		sent := m.SentAt
		taken = append(taken, resource.Message{
			ID: m.ID, Receipt: m.receipt(), Body: m.Body, Attributes: m.Attributes, Group: m.Group, DedupID: m.DedupID, SentAt: &sent, Receives: m.Receives,
		})
	}
	return taken, nil
}

// bury moves a message to where those go that nobody gets done.
func (c queues) bury(f *messageFolder, to string, m storedMessage) error {
	grave, err := c.s.cloud.messages.of(to)
	if err != nil {
		return err
	}
	m.Receives, m.Nonce, m.VisibleAt = 0, "", c.s.cloud.time()
	grave.mu.Lock()
	defer grave.mu.Unlock()
	if err := grave.put(m.ID, m); err != nil {
		return err
	}
	return f.remove(m.ID)
}

// DeleteMessages implements resource.Receiver.
func (c queues) DeleteMessages(ctx context.Context, id string, r resource.Receipts) (resource.HandledMessages, error) {
	return c.handle(ctx, id, r.Receipts, func(f *messageFolder, m storedMessage, there bool) error {
		switch {
		case !there || m.Done:
			return nil
		case m.DedupID != "":
			m.Done, m.Body, m.Attributes = true, "", nil
			return f.put(m.ID, m)
		}
		return f.remove(m.ID)
	})
}

// SetVisibility implements resource.VisibilitySetter.
func (c queues) SetVisibility(ctx context.Context, id string, v resource.VisibilityChanges) (resource.HandledMessages, error) {
	return c.handle(ctx, id, v.Receipts, func(f *messageFolder, m storedMessage, there bool) error {
		if !there || m.Done {
			return staleReceipt()
		}
		m.VisibleAt = c.s.cloud.time().Add(time.Duration(v.VisibilitySeconds) * time.Second)
		if v.VisibilitySeconds == 0 {
			m.Nonce = ""
		}
		return f.put(m.ID, m)
	})
}

// handle does something with messages that were received.
func (c queues) handle(ctx context.Context, id string, receipts []resource.Receipt, do func(f *messageFolder, m storedMessage, there bool) error) (resource.HandledMessages, error) {
	f, _, err := c.queue(ctx, toWrite, id)
	if err != nil {
		return resource.HandledMessages{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	handled := resource.HandledMessages{Messages: make([]resource.HandledMessage, len(receipts))}
	for i, receipt := range receipts {
		name, _, isReceipt := strings.Cut(string(receipt), "/")
		m, there := f.things[name]
		switch {
		case !isReceipt:
			err = refuseField(fmt.Sprintf("receipts[%d]", i), "ReceiptHandleIsInvalid", "this is no receipt; give the one that came with the message")
		case there && !m.Done && m.receipt() != receipt:
			err = staleReceipt()
		default:
			err = do(f, m, there)
		}
		if err != nil {
			handled.Messages[i].Error = resource.AsError(err)
		}
	}
	return handled, nil
}

func staleReceipt() error {
	return refuse(resource.CodeNotFound, "ReceiptHandleIsInvalid", "the receipt is not good any more: the message was received again, given back or deleted")
}
