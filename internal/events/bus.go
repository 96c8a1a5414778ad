// Package events tells those who watch, on this server and on the others that share its
// database, what has changed.
package events

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Event says that a resource, an operation or a driver on its way to work has changed,
// and what it is now.
type Event struct {
	ID        int // place in the order of events of this run of this server; others know nothing of it
	Resource  *resource.Resource
	Operation *api.Operation
	Driver    *api.DriverProgress

	*text
}

// Batch is what all subscribers at the same place in the order of events get next. It is
// shared, and never changed.
type Batch struct {
	Events []Event
	Last   int  // id after which to go on
	Lost   bool // events before those are not kept any more: the subscriber should read anew what it shows

	text
}

// text is what is sent of something, encoded once for all who get it.
type text struct {
	once sync.Once
	raw  []byte
}

// Text is what encode answered to the first who asked.
func (t *text) Text(encode func() []byte) []byte {
	t.once.Do(func() { t.raw = encode() })
	return t.raw
}

const (
	recentEvents = 4096 // how many events a subscriber can have missed, at least
	batchEvents  = 128  // how many come together, at most
)

// Bus is the order of what changed, from which each subscriber is given what comes
// after its place. Who publishes never waits for them. It is safe for concurrent use.
type Bus struct {
	store   *store.Store
	logger  *slog.Logger
	id      string      // of this run of this server
	notices chan notice // for the other servers

	mu          sync.Mutex
	next        int     // id of the next event; starts anywhere, so that no other run, nor another server, has the same ids
	recent      []Event // the last ones, oldest first
	published   time.Time
	subscribers map[*Subscription]struct{}
	delivering  bool                       // whether they are given their turns
	news        chan struct{}              // holds something when a round may have somebody to give to
	ends        map[string][]chan struct{} // closed when the operation of that id ends

	changed []func(connection, kind string)
	missed  []func()
}

// maxFirstEvent bounds where ids begin, so that they stay numbers that JavaScript holds.
const maxFirstEvent = 1 << 52

// New returns the bus of a server, which tells the others that share its store.
func New(s *store.Store, logger *slog.Logger) *Bus {
	return &Bus{
		store: s, logger: logger, id: uuid.NewString(), notices: make(chan notice, noticeBuffer),
		next:        2 + int(rand.Int64N(maxFirstEvent)), //nolint:gosec // it is no secret
		subscribers: map[*Subscription]struct{}{}, news: make(chan struct{}, 1), ends: map[string][]chan struct{}{},
	}
}

// Watch has changed told of each change of a resource, before all subscribers, and missed
// that changes were missed. It is for those who keep what they have read, before the bus is
// used.
func (b *Bus) Watch(changed func(connection, kind string), missed func()) {
	b.changed, b.missed = append(b.changed, changed), append(b.missed, missed)
}

// Missed says that another server may have changed something that was not told yet.
func (b *Bus) Missed() {
	for _, missed := range b.missed {
		missed()
	}
}

func (b *Bus) publish(e Event) {
	if e.Resource != nil {
		for _, changed := range b.changed {
			changed(e.Resource.Connection, e.Resource.Kind)
		}
	}
	e.text = &text{}
	b.mu.Lock()
	defer b.mu.Unlock()
	e.ID = b.next
	b.next++
	b.recent = append(b.recent, e)
	if len(b.recent) > recentEvents+recentEvents/4 {
		b.recent = slices.Clone(b.recent[len(b.recent)-recentEvents:])
	}
	b.published = time.Now()
	signal(b.news)
	if e.Operation != nil && e.Operation.State.Ended() {
		for _, end := range b.ends[e.Operation.ID] {
			close(end)
		}
		delete(b.ends, e.Operation.ID)
	}
}

// lost has everybody who watches start again, because some events did not arrive.
func (b *Bus) lost() {
	b.Missed()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recent = nil
	b.next++ // nobody has seen everything before this
	signal(b.news)
}

// signal leaves word in a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Subscription is a subscriber's place in the order of events.
type Subscription struct {
	bus   *Bus
	after int  // id of the last event that it got
	asks  bool // whether it waits for the next
	turn  chan *Batch
	idle  chan struct{} // holds something once it is done with what it got
}

// Subscribe begins after the event of that id, 0 for new ones only. complete is false
// when some in between are lost: the subscriber should read anew what it shows.
func (b *Bus) Subscribe(after int) (s *Subscription, complete bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complete = after == 0 || after >= b.forgotten() && after < b.next
	if after == 0 || !complete {
		after = b.next - 1
	}
	s = &Subscription{bus: b, after: after, turn: make(chan *Batch, 1), idle: make(chan struct{}, 1)}
	b.subscribers[s] = struct{}{}
	if !b.delivering {
		b.delivering = true
		go b.deliver()
	}
	return s, complete
}

// forgotten is the id of the last event that is not kept any more.
func (b *Bus) forgotten() int { return b.next - len(b.recent) - 1 }

// After is the id after which the next events are.
func (s *Subscription) After() int {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.after
}

// Next waits for what comes next, or until the context ends, which answers nil. The
// subscriber is done with a batch when it asks for the next one.
func (s *Subscription) Next(ctx context.Context) *Batch {
	s.bus.mu.Lock()
	select {
	case batch := <-s.turn: // it came just as the wait before ended
		s.bus.mu.Unlock()
		return batch
	default:
	}
	s.asks = true
	signal(s.idle)
	if s.after < s.bus.next-1 {
		signal(s.bus.news)
	}
	s.bus.mu.Unlock()
	select {
	case batch := <-s.turn:
		return batch
	case <-ctx.Done():
		return nil
	}
}

// Stop ends the subscription.
func (s *Subscription) Stop() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.subscribers, s)
	s.asks = false
	signal(s.idle)
	signal(s.bus.news)
}

// How subscribers are kept from slowing down what they watch: they get their turns one
// after the other, and while events come, the turns take only a part of the time. Many
// then get several events in one turn, and few notice nothing.
const (
	turnTime  = 2 * time.Millisecond // for which the next one waits at most; a slow subscriber goes on beside others
	rounds    = time.Millisecond     // of turns, after which it is rested
	restShare = 15                   // times as long as the turns took
	quiet     = 50 * time.Millisecond
)

// deliver gives the subscribers their turns, until there are none.
func (b *Bus) deliver() {
	timer := time.NewTimer(turnTime)
	defer timer.Stop()
	var spent time.Duration
	for {
		b.mu.Lock()
		if len(b.subscribers) == 0 {
			b.delivering = false
			b.mu.Unlock()
			return
		}
		last := b.next - 1
		var ready []*Subscription
		for s := range b.subscribers {
			if s.asks && s.after < last {
				ready = append(ready, s)
			}
		}
		b.mu.Unlock()
		if len(ready) == 0 {
			<-b.news
			continue
		}
		batches := map[int]*Batch{} // of this round, by the id after which they begin
		for _, s := range ready {
			if !b.give(s, last, batches) {
				continue
			}
			began := time.Now()
			timer.Reset(turnTime)
			select {
			case <-s.idle:
				spent += time.Since(began)
			case <-timer.C: // such turns are few in a second, and wait more than they work
			}
			if spent >= rounds {
				b.rest(restShare * spent)
				spent = 0
			}
		}
	}
}

// rest waits, but not once no more events come.
func (b *Bus) rest(d time.Duration) {
	for until := time.Now().Add(d); ; {
		b.mu.Lock()
		since := time.Since(b.published)
		b.mu.Unlock()
		left := min(time.Until(until), quiet-since)
		if left <= 0 {
			return
		}
		<-time.After(left)
	}
}

// give has a subscriber take its turn, if it still asks for it.
func (b *Bus) give(s *Subscription, last int, batches map[int]*Batch) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !s.asks {
		return false
	}
	batch := batches[s.after]
	if batch == nil {
		batch = b.batch(s.after, last)
		batches[s.after] = batch
	}
	select {
	case <-s.idle: // of the time before
	default:
	}
	s.asks, s.after = false, batch.Last
	s.turn <- batch // it is empty while the subscriber asks
	return true
}

func (b *Bus) batch(after, last int) *Batch {
	forgotten := b.forgotten()
	if after < forgotten {
		return &Batch{Last: b.next - 1, Lost: true}
	}
	last = min(last, after+batchEvents)
	return &Batch{Events: slices.Clone(b.recent[after-forgotten : last-forgotten]), Last: last}
}

// Ended returns a channel that is closed when this server ends the operation.
func (b *Bus) Ended(id string) (end <-chan struct{}, stop func()) {
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
