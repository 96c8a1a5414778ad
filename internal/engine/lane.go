package engine

import (
	"sync"
	"time"
)

// lane is the work of one connection. Each has its own workers, so that a slow
// cloud keeps nothing from the others. A resource waits in it once, and one worker at a
// time works on it: first those with news, and then first come, first served.
type lane struct {
	connection string

	mu          sync.Mutex
	some        *sync.Cond // there is something to work on, or the end
	first, rest []string   // uids in their order; one that does not wait any more is passed over
	waiting     map[string]bool
	working     map[string]func() // by uid: nil, or how it is added again
	later       map[string]*delayed
	closed      bool
}

// delayed is a resource that waits for its time.
type delayed struct {
	at    time.Time
	timer *time.Timer
}

func newLane(connection string) *lane {
	l := &lane{connection: connection, waiting: map[string]bool{}, working: map[string]func(){}, later: map[string]*delayed{}}
	l.some = sync.NewCond(&l.mu)
	return l
}

// add has a worker look at a resource. Asking twice is asking once.
func (l *lane) add(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(uid, false)
}

// addSoon has a worker look at a resource before those that have no news: what the
// cloud has finished must not wait behind all that it is still to be asked for.
func (l *lane) addSoon(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(uid, true)
}

// put adds a resource; the caller holds the lock.
func (l *lane) put(uid string, soon bool) {
	again, working := l.working[uid]
	switch {
	case l.closed || l.waiting[uid] && !soon:
	case working && (again == nil || soon):
		l.working[uid] = func() { l.put(uid, soon) }
	case working:
	case soon:
		l.first = append(l.first, uid)
		l.waiting[uid] = true
	default:
		l.rest = append(l.rest, uid)
		l.waiting[uid] = true
	}
	l.some.Signal()
}

// addAfter adds a resource in a while, or sooner if that was asked for before.
func (l *lane) addAfter(uid string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now().Add(d)
	if before := l.later[uid]; before != nil {
		if before.at.Before(at) {
			return
		}
		before.timer.Stop()
	}
	mine := &delayed{at: at}
	mine.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.later[uid] == mine {
			delete(l.later, uid)
			l.put(uid, false)
		}
	})
	l.later[uid] = mine
}

// get waits for a resource to work on, and hands it out until it is done. Without ok this
// is the end.
func (l *lane) get() (uid string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.waiting) == 0 && !l.closed {
			l.some.Wait()
		}
		if l.closed {
			return "", false
		}
		from := &l.first
		if len(*from) == 0 {
			from = &l.rest
		}
		uid = (*from)[0]
		(*from)[0] = "" // the text may go
		*from = (*from)[1:]
		if l.begin(uid) {
			return uid, true
		}
	}
}

// take hands out a resource if it waits.
func (l *lane) take(uid string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begin(uid)
}

// begin hands out a resource if it waits; the caller holds the lock.
func (l *lane) begin(uid string) bool {
	if !l.waiting[uid] {
		return false
	}
	delete(l.waiting, uid)
	l.working[uid] = nil
	return true
}

// done ends the work on a resource. If it was added meanwhile, it waits again.
func (l *lane) done(uid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.working[uid]
	delete(l.working, uid)
	if again != nil {
		again()
	}
}

// len is how many resources wait.
func (l *lane) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// shutDown ends the lane: nothing more is handed out.
func (l *lane) shutDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, d := range l.later {
		d.timer.Stop()
	}
	l.some.Broadcast()
}
