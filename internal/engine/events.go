package engine

import (
	"math/rand/v2"
	"sync"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Event says that a resource, an operation or a driver on its way to work has changed,
// and what it is now.
type Event struct {
	ID        int // place in the order of events of this run of this server; others know nothing of it
	Resource  *resource.Resource
	Operation *resource.Operation
	Driver    *resource.DriverProgress
}

// recentEvents is how many events a subscriber can have missed.
const recentEvents = 2048

// subscriberBuffer is how far a subscriber may lag behind.
const subscriberBuffer = 512

// events hands changes to those who watch, without ever waiting for them.
type events struct {
	mu          sync.Mutex
	next        int     // id of the next event; starts anywhere, so that no other run, nor another server, has the same ids
	recent      []Event // the last ones, oldest first
	subscribers map[chan Event]struct{}
	ends        map[string][]chan struct{} // closed when the operation of that id ends

	changed func(connection, kind string) // told of each change of a resource, before all others
	missed  func()                        // told that changes were missed
}

// maxFirstEvent bounds where ids begin, so that they stay numbers that JavaScript holds.
const maxFirstEvent = 1 << 52

func newEvents() *events {
	return &events{
		next:        1 + int(rand.Int64N(maxFirstEvent)), //nolint:gosec // it is no secret
		subscribers: map[chan Event]struct{}{}, ends: map[string][]chan struct{}{},
		changed: func(string, string) {}, missed: func() {},
	}
}

func (b *events) publish(e Event) {
	if e.Resource != nil {
		b.changed(e.Resource.Connection, e.Resource.Kind)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ID = b.next
	b.next++
	b.recent = append(b.recent, e)
	if len(b.recent) > 2*recentEvents {
		b.recent = append([]Event(nil), b.recent[recentEvents:]...)
	}
	for s := range b.subscribers {
		select {
		case s <- e:
		default: // too slow: it is told by the end of the channel and starts again
			delete(b.subscribers, s)
			close(s)
		}
	}
	if e.Operation != nil && e.Operation.State.Ended() {
		for _, end := range b.ends[e.Operation.ID] {
			close(end)
		}
		delete(b.ends, e.Operation.ID)
	}
}

// subscribe returns the events after the one of that id, 0 for new ones only.
// complete is false when some in between are lost: the subscriber should read anew
// what it shows. The channel ends when the subscriber is too slow.
func (b *events) subscribe(after int) (stream <-chan Event, complete bool, stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	missed, complete := b.since(after)
	s := make(chan Event, subscriberBuffer+len(missed))
	for _, e := range missed {
		s <- e
	}
	b.subscribers[s] = struct{}{}
	return s, complete, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscribers, s)
	}
}

func (b *events) since(after int) (missed []Event, complete bool) {
	first := b.next - len(b.recent)
	switch {
	case after == 0:
		return nil, true
	case after < first-1 || after >= b.next:
		return nil, false
	}
	return b.recent[after+1-first:], true
}

// lost has everybody who watches start again, because some events did not arrive.
func (b *events) lost() {
	b.missed()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recent = nil
	b.next++ // nobody has seen everything before this
	for s := range b.subscribers {
		delete(b.subscribers, s)
		close(s)
	}
}

// ended returns a channel that is closed when this server ends the operation.
func (b *events) ended(id string) (end <-chan struct{}, stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan struct{})
	b.ends[id] = append(b.ends[id], c)
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		list := b.ends[id]
		for i := range list {
			if list[i] == c {
				b.ends[id] = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		if len(b.ends[id]) == 0 {
			delete(b.ends, id)
		}
	}
}
