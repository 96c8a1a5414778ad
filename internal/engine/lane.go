package engine

import (
	"sync"

	"k8s.io/client-go/util/workqueue"
)

// lane is the work of one connection. Each has its own workers, so that a slow
// cloud keeps nothing from the others.
type lane struct {
	connection string
	queue      workqueue.TypedDelayingInterface[string] // uids
	order      *order
}

func newLane(connection string) *lane {
	o := &order{soon: map[string]bool{}}
	return &lane{
		connection: connection, order: o,
		queue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{
			Queue: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Queue: o}),
		}),
	}
}

// addSoon has a worker look at a resource before those that have no news: what the
// cloud has finished must not wait behind all that it is still to be asked for.
func (l *lane) addSoon(uid string) {
	l.order.hurry(uid)
	l.queue.Add(uid)
}

// order is the order in which a lane's resources are worked on: those that are
// hurried first, and first come, first served.
type order struct {
	mu          sync.Mutex
	soon        map[string]bool
	first, rest []string
}

func (o *order) hurry(uid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.soon[uid] = true
}

// Touch implements workqueue.Queue: the item is there already, and moves up if it is
// hurried now.
func (o *order) Touch(uid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.soon[uid] {
		return
	}
	delete(o.soon, uid)
	for i := range o.rest {
		if o.rest[i] == uid {
			o.rest = append(o.rest[:i:i], o.rest[i+1:]...)
			o.first = append(o.first, uid)
			return
		}
	}
}

// Push implements workqueue.Queue.
func (o *order) Push(uid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.soon[uid] {
		delete(o.soon, uid)
		o.first = append(o.first, uid)
		return
	}
	o.rest = append(o.rest, uid)
}

// Len implements workqueue.Queue.
func (o *order) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.first) + len(o.rest)
}

// Pop implements workqueue.Queue.
func (o *order) Pop() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	from := &o.first
	if len(*from) == 0 {
		from = &o.rest
	}
	uid := (*from)[0]
	(*from)[0] = "" // the text may go
	*from = (*from)[1:]
	return uid
}
