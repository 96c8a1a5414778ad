package engine

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
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

// tell publishes an event to those who watch here, and has the other servers do the
// same.
func (e *Engine) tell(event Event) {
	e.events.publish(event)
	if !e.store.Shared() {
		return
	}
	n := notice{From: e.id, Driver: event.Driver}
	switch {
	case event.Resource != nil:
		n.Resource = event.Resource.UID
	case event.Operation != nil:
		n.Operation = event.Operation.ID
	}
	select {
	case e.notices <- n:
	default:
	}
}

// TellDriver tells those who watch, on all servers, how far a driver is on its way to work.
func (e *Engine) TellDriver(p api.DriverProgress) {
	if p.Error != nil { // in short: who asked gets the whole of it
		message := p.Error.Message
		if len(message) > mostOfMessage {
			message = strings.ToValidUTF8(message[:mostOfMessage], "") + "…"
		}
		p.Error = &resource.Error{Code: p.Error.Code, Message: message, Retryable: p.Error.Retryable}
	}
	e.tell(Event{Driver: &p})
}

// tellPeers sends notices, as many in one message as fit.
func (e *Engine) tellPeers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-e.notices:
			batch := e.gather(first)
			raw, err := json.Marshal(batch)
			if err == nil {
				err = e.store.Notify(ctx, string(raw))
			}
			if err != nil && ctx.Err() == nil {
				e.logger.Warn("the other servers could not be told of changes; they find out by themselves", "error", err)
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

func (e *Engine) gather(first notice) []notice {
	batch := []notice{first}
	for size := first.size(); size <= e.store.MaxNotice()-driverNoticeSize; {
		select {
		case n := <-e.notices:
			batch = append(batch, n)
			size += n.size()
		default:
			return batch
		}
	}
	return batch
}

// hear passes on what another server has changed, and wakes a worker if it concerns
// what this server works on.
func (e *Engine) hear(ctx context.Context, text string) {
	var batch []notice
	if err := json.Unmarshal([]byte(text), &batch); err != nil {
		e.logger.Warn("a notice from another server is not understood; is it of another version?", "error", err)
		return
	}
	q := e.store.Read()
	for _, n := range batch {
		if n.From == e.id {
			continue
		}
		if n.Driver != nil {
			e.events.publish(Event{Driver: n.Driver})
			continue
		}
		uid := n.Resource
		if n.Operation != "" {
			op, err := q.Operation(ctx, n.Operation)
			if err != nil {
				continue // it is gone already, or the database is
			}
			e.events.publish(Event{Operation: op.Resource()})
			if uid = op.UID; uid == "" || op.State.Ended() {
				continue
			}
		}
		row, err := q.ResourceByUID(ctx, uid)
		if err != nil {
			continue
		}
		if n.Resource != "" {
			e.events.publish(Event{Resource: row.Envelope()})
		}
		if row.LeaseOwner == e.id && row.Operation != "" {
			e.enqueue(row.Connection, row.UID)
		}
	}
}
