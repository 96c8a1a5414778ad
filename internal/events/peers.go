package events

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// notice tells other servers that a resource or an operation has changed. They read
// the rows themselves.
type notice struct {
	From      string `json:"f"` // the server that changed it
	Resource  string `json:"r,omitempty"`
	Operation string `json:"o,omitempty"`

	Driver *api.DriverProgress `json:"d,omitempty"` // there is no row of it
}

// noticeBuffer is how many changes may wait to be told. More are not told: the
// others find out from the rows, only later.
const noticeBuffer = 1024

// Tell publishes an event to those who watch here, and has the other servers do the
// same.
func (b *Bus) Tell(event Event) {
	b.publish(event)
	if !b.store.Shared() {
		return
	}
	n := notice{From: b.id, Driver: event.Driver}
	switch {
	case event.Resource != nil:
		n.Resource = event.Resource.UID
	case event.Operation != nil:
		n.Operation = event.Operation.ID
	}
	select {
	case b.notices <- n:
	default:
	}
}

// Changed tells of a resource and, if there is one, of an operation on it.
func (b *Bus) Changed(row *store.Resource, op *store.Operation) {
	b.Tell(Event{Resource: row.Envelope()})
	if op != nil {
		b.Tell(Event{Operation: op.Resource()})
	}
}

// TellDriver tells those who watch, on all servers, how far a driver is on its way to work.
func (b *Bus) TellDriver(p api.DriverProgress) {
	if p.Error != nil { // in short: who asked gets the whole of it
		message := p.Error.Message
		if len(message) > mostOfMessage {
			message = strings.ToValidUTF8(message[:mostOfMessage], "") + "…"
		}
		p.Error = &resource.Error{Code: p.Error.Code, Message: message, Retryable: p.Error.Retryable}
	}
	b.Tell(Event{Driver: &p})
}

// Run tells the other servers what changes here, and hears what they change, until ctx ends.
// heard is given each resource of which something came.
func (b *Bus) Run(ctx context.Context, heard func(*store.Resource)) {
	var group sync.WaitGroup
	group.Go(func() { b.tellPeers(ctx) })
	group.Go(func() { b.store.Listen(ctx, func(text string) { b.hear(ctx, text, heard) }, b.lost) })
	group.Wait()
}

// tellPeers sends notices, as many in one message as fit.
func (b *Bus) tellPeers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-b.notices:
			batch := b.gather(first)
			raw, err := json.Marshal(batch)
			if err == nil {
				err = b.store.Notify(ctx, string(raw))
			}
			if err != nil && ctx.Err() == nil {
				b.logger.Warn("the other servers could not be told of changes; they find out by themselves", "error", err)
			}
		}
	}
}

// noticeSize is more than one notice takes: three UUIDs and what is around them. One of
// a driver has more, above all a message, of which JSON may write a byte as six.
const (
	noticeSize       = 160
	driverNoticeSize = 2400
	mostOfMessage    = 300 // bytes
)

func (n notice) size() int {
	if n.Driver != nil {
		return driverNoticeSize
	}
	return noticeSize
}

func (b *Bus) gather(first notice) []notice {
	batch := []notice{first}
	for size := first.size(); size <= b.store.MaxNotice()-driverNoticeSize; {
		select {
		case n := <-b.notices:
			batch = append(batch, n)
			size += n.size()
		default:
			return batch
		}
	}
	return batch
}

// hear passes on what another server has changed.
func (b *Bus) hear(ctx context.Context, text string, heard func(*store.Resource)) {
	var batch []notice
	if err := json.Unmarshal([]byte(text), &batch); err != nil {
		b.logger.Warn("a notice from another server is not understood; is it of another version?", "error", err)
		return
	}
	q := b.store.Read()
	for _, n := range batch {
		if n.From == b.id {
			continue
		}
		if n.Driver != nil {
			b.publish(Event{Driver: n.Driver})
			continue
		}
		uid := n.Resource
		if n.Operation != "" {
			op, err := q.Operation(ctx, n.Operation)
			if err != nil {
				continue // it is gone already, or the database is
			}
			b.publish(Event{Operation: op.Resource()})
			if uid = op.UID; uid == "" || op.State.Ended() {
				continue
			}
		}
		row, err := q.ResourceByUID(ctx, uid)
		if err != nil {
			continue
		}
		if n.Resource != "" {
			b.publish(Event{Resource: row.Envelope()})
		}
		heard(row)
	}
}
