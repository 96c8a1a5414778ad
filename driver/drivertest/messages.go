package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// messageChecks are those of the messages that a kind holds, as far as the driver offers
// them.
func (s *suite) messageChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	if !hasData(offer, "send", "receive", "deletemessages") {
		return nil
	}
	var checks []check
	add := func(verb, name string, run func(*try, holder)) {
		checks = append(checks, check{kind.Name, verb, name, false, func(t *try) { run(t, t.holder()) }})
	}
	add("send", "works", checkMessages)
	add("send", "partial", checkPartialSend)
	add("send", "delay", checkDelay)
	add("receive", "empty", checkEmptyReceive)
	add("receive", "visibility", checkVisibility)
	add("deletemessages", "works", checkDeleteMessages)
	if hasData(offer, "setvisibility") {
		add("setvisibility", "works", checkSetVisibility)
	}
	return append(checks, check{kind.Name, "send", "order", false, checkOrder}, check{kind.Name, "receive", "dead-letter", false, checkDeadLetter})
}

// aMoment is the shortest time that queues know, and a little more.
const aMoment = 1200 * time.Millisecond

// sendAll sends messages, all of which must be taken.
func (h holder) sendAll(messages ...resource.NewMessage) []string {
	var sent resource.SentMessages
	h.ask("send", resource.NewMessages{Messages: messages}, &sent)
	var ids []string
	for i, m := range sent.Messages {
		if m.Error != nil || m.ID == "" {
			h.t.Errorf("of the message %d became %s", i, compact(m))
		}
		ids = append(ids, m.ID)
	}
	if len(ids) != len(messages) {
		h.t.Fatalf("of %d messages %d are answered", len(messages), len(ids))
	}
	return ids
}

func (h holder) receive(most, visibility int) []resource.Message {
	var received resource.Messages
	h.ask("receive", resource.MessageQuery{Max: most, VisibilitySeconds: &visibility}, &received)
	return received.Messages
}

// collect receives until there are so many different ones.
func (h holder) collect(n, visibility int) []resource.Message {
	var all []resource.Message
	err := h.t.until(func() (bool, error) {
		for _, m := range h.receive(10, visibility) {
			if !slices.ContainsFunc(all, func(before resource.Message) bool { return before.ID == m.ID }) { // it may come twice
				all = append(all, m)
			}
		}
		if len(all) < n {
			return false, fmt.Errorf("%d of %d messages came", len(all), n)
		}
		return true, nil
	})
	if err != nil {
		h.t.Fatalf("receive: %v", err)
	}
	return all
}

// sent sends a message and receives it, for a while.
func (h holder) sent(body string) resource.Message {
	h.sendAll(resource.NewMessage{Body: body})
	return h.collect(1, 30)[0]
}

// none waits a moment and wants no message then.
func (h holder) none(why string) {
	h.t.wait(aMoment)
	if again := h.receive(10, 0); len(again) > 0 {
		h.t.Errorf("%s: got %s; want none", why, compact(again))
	}
}

// checkMessages: what is sent is received, as it is.
func checkMessages(t *try, h holder) {
	sent := []resource.NewMessage{
		{Body: "hello", Attributes: map[string]string{"colour": "blue", "size_2": "여름"}},
		{Body: "여름\n\t<&\"'>\\ 😀"},
		{Body: strings.Repeat("x", 10000)},
	}
	ids := h.sendAll(sent...)
	received := h.collect(len(sent), 30)
	for i, id := range ids {
		n := slices.IndexFunc(received, func(m resource.Message) bool { return m.ID == id })
		if n < 0 || received[n].Body != sent[i].Body || compact(received[n].Attributes) != compact(sent[i].Attributes) || received[n].Receipt == "" {
			t.Errorf("the message %d (%s) does not come as it is: %.512s", i, id, compact(received))
		}
	}
}

// checkPartialSend: a bad message costs only itself.
func checkPartialSend(t *try, h holder) {
	most, _ := mustShow(t, h.item).at("spec", "maxMessageBytes").(float64)
	if most == 0 {
		t.Skipf("the cloud does not tell how long a message can be")
	}
	var sent resource.SentMessages
	h.ask("send", resource.NewMessages{Messages: []resource.NewMessage{{Body: "one"}, {Body: strings.Repeat("x", int(most)+1)}, {Body: "three"}}}, &sent)
	if len(sent.Messages) != 3 || sent.Messages[0].ID == "" || sent.Messages[2].ID == "" || resource.CodeOf(errorOf(sent.Messages[1].Error)) != resource.CodeInvalid || sent.Messages[0].Error != nil || sent.Messages[2].Error != nil {
		t.Errorf("of a message that is too long between two others became %s; want it invalid, and the others sent", compact(sent))
	}
	h.collect(2, 30)
}

// mustShow is an object's JSON for looking into.
func mustShow(t *try, item driver.Item) shown {
	s, err := asShown(item)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

// checkDelay: what is sent for later comes later.
func checkDelay(t *try, h holder) {
	later := 2
	h.sendAll(resource.NewMessage{Body: "later", DelaySeconds: &later})
	if early := h.receive(1, 0); len(early) > 0 {
		t.Errorf("a message that is to be received in 2 seconds comes at once")
	}
	h.eventually(1)
}

// eventually waits for messages for longer than a queue may keep them back.
func (h holder) eventually(visibility int) resource.Message {
	for end := time.Now().Add(2*aMoment + h.t.target.Settle); time.Now().Before(end); h.t.wait(soonest) {
		if messages := h.receive(1, visibility); len(messages) > 0 {
			return messages[0]
		}
	}
	h.t.Fatalf("the message does not come")
	return resource.Message{}
}

// checkEmptyReceive: nothing is no error, and is waited for no longer than was asked.
func checkEmptyReceive(t *try, h holder) {
	for _, seconds := range []int{0, 1} {
		var received resource.Messages
		began := time.Now()
		err := t.session().data(t.ctx, t.kind, h.id, "receive", resource.MessageQuery{WaitSeconds: seconds}, &received)
		if err != nil || len(received.Messages) > 0 || received.Messages == nil {
			t.Errorf("received %s, %s; want an empty list", compact(received), said(err))
		}
		if took := time.Since(began); took > time.Duration(seconds)*time.Second+t.target.Timeout/2 {
			t.Errorf("asked to wait %d seconds, it takes %s", seconds, took)
		}
	}
}

// checkVisibility: whoever has a message has it alone, and for no longer than they said.
func checkVisibility(t *try, h holder) {
	h.sendAll(resource.NewMessage{Body: "hello"})
	first := h.eventually(30)
	h.none("somebody has it for 30 seconds")
	h.ask("deletemessages", resource.Receipts{Receipts: []resource.Receipt{first.Receipt}}, new(any))
	h.sendAll(resource.NewMessage{Body: "again"})
	first = h.eventually(1)
	t.wait(aMoment)
	again := h.eventually(30)
	if again.ID != first.ID || again.Receives == 1 {
		t.Errorf("it comes again as %s; want the same message, and not for the first time", compact(again))
	}
}

// checkDeleteMessages: what is deleted does not come again, and deleting it again is no
// error.
func checkDeleteMessages(t *try, h holder) {
	h.sendAll(resource.NewMessage{Body: "one"}, resource.NewMessage{Body: "two"})
	received := h.collect(2, 1)
	receipts := resource.Receipts{Receipts: []resource.Receipt{received[0].Receipt, received[1].Receipt}}
	for _, time := range []string{"first", "second"} {
		var handled resource.HandledMessages
		h.ask("deletemessages", receipts, &handled)
		if len(handled.Messages) != 2 || len(handled.Failures()) > 0 {
			t.Errorf("deleted for the %s time: %s", time, compact(handled))
		}
	}
	h.none("they are deleted")
}

// checkSetVisibility: what is given back comes at once; a receipt that is none fails alone.
func checkSetVisibility(t *try, h holder) {
	m := h.sent("hello")
	var handled resource.HandledMessages
	h.ask("setvisibility", resource.VisibilityChanges{Receipts: []resource.Receipt{"mcic-no-such-receipt", m.Receipt}}, &handled)
	if len(handled.Messages) != 2 || handled.Messages[1].Error != nil ||
		!slices.Contains([]resource.Code{resource.CodeNotFound, resource.CodeInvalid}, resource.CodeOf(errorOf(handled.Messages[0].Error))) {
		t.Errorf("of a receipt that is none and one that is good became %s", compact(handled))
	}
	again := h.collect(1, 1)[0]
	h.ask("setvisibility", resource.VisibilityChanges{Receipts: []resource.Receipt{again.Receipt}, VisibilitySeconds: 30}, &handled)
	h.none("its receiver keeps it for 30 seconds")
}

// another is a queue with another specification, if the cloud has such.
func (t *try) another(change map[string]any) holder {
	r := t.ask(t.root, t.kind, change)
	item, err := t.makeSettled(t.session(), t.kind, r)
	t.disposeOf(t.kind, item.ID)
	if resource.CodeOf(err) == resource.CodeUnsupported {
		t.Skipf("the cloud does not have it: %v", said(err))
	} else if err != nil {
		t.Fatalf("create one with %s: %v", compact(change), said(err))
	}
	return holder{t, item, item.ID}
}

// checkOrder: in a FIFO queue messages of a group come in their order, one that is sent
// twice comes once, and a group waits for its first message.
func checkOrder(t *try) {
	h := t.another(map[string]any{"fifo": true})
	message := func(group, body string) resource.NewMessage {
		return resource.NewMessage{Body: body, Group: group, DedupID: group + body}
	}
	h.sendAll(message("a", "1"), message("b", "1"), message("a", "2"), message("a", "3"))
	h.sendAll(message("a", "1"))
	var order []string
	for end := time.Now().Add(aMoment + t.target.Settle); len(order) < 3 && time.Now().Before(end); {
		messages := h.receive(1, 30)
		for _, m := range messages {
			if m.Group == "a" {
				order = append(order, m.Body)
				if early := h.receive(10, 30); slices.ContainsFunc(early, func(m resource.Message) bool { return m.Group == "a" }) {
					t.Errorf("another message of a group comes while somebody has its first one")
				}
			}
			h.ask("deletemessages", resource.Receipts{Receipts: []resource.Receipt{m.Receipt}}, new(any))
		}
	}
	if !slices.Equal(order, []string{"1", "2", "3"}) {
		t.Errorf("messages of a group come as %q; want 1, 2, 3, each once", order)
	}
	if late := h.receive(1, 0); slices.ContainsFunc(late, func(m resource.Message) bool { return m.Group == "a" }) {
		t.Errorf("what was sent twice comes twice")
	}
}

// checkDeadLetter: what nobody gets done goes where it is to go.
func checkDeadLetter(t *try) {
	grave := t.another(nil)
	h := t.another(map[string]any{"deadLetter": map[string]any{"queue": grave.id, "receives": 1}})
	h.sendAll(resource.NewMessage{Body: "hello"})
	h.collect(1, 0)
	err := t.until(func() (bool, error) {
		h.receive(1, 0)
		if found := grave.receive(1, 1); len(found) == 0 || found[0].Body != "hello" {
			return false, errors.New("it does not come")
		}
		return true, nil
	})
	if err != nil {
		t.Errorf("a message that was received once too often: %v", err)
	}
}
