package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
)

// settler looks at the cloud for all resources that wait to settle: one list for
// each connection and kind and tick serves them all. It keeps nothing that is not
// in the rows; what it has seen goes to the workers.
type settler struct {
	engine *Engine

	mu      sync.Mutex
	watches map[watchKey]*watch
	seen    map[string]inventory.Sight // by uid, until a worker takes it
}

type watchKey struct{ connection, kind string }

// watch is what waits for one list.
type watch struct {
	pending map[string]waiting // by uid
	sooner  chan struct{}      // something new waits
}

type waiting struct {
	cloudID string
	delete  bool
}

func newSettler(e *Engine) *settler {
	return &settler{engine: e, watches: map[watchKey]*watch{}, seen: map[string]inventory.Sight{}}
}

// add has a resource looked at, soon at first and then less and less often.
func (s *settler) add(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := watchKey{j.Row.Connection, j.Row.Kind}
	w := s.watches[key]
	if w == nil {
		ctx := s.engine.run
		if ctx.Err() != nil {
			return
		}
		w = &watch{pending: map[string]waiting{}, sooner: make(chan struct{}, 1)}
		s.watches[key] = w
		s.engine.group.Go(func() { s.watch(ctx, key, w) })
	}
	if _, known := w.pending[j.Row.UID]; !known {
		select {
		case w.sooner <- struct{}{}:
		default:
		}
	}
	w.pending[j.Row.UID] = waiting{cloudID: j.Row.CloudID, delete: j.op.Deletes()}
}

// forget ends the wait for a resource.
func (s *settler) forget(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		delete(w.pending, uid)
	}
	delete(s.seen, uid)
}

// take returns what was seen of a resource since it was last taken.
func (s *settler) take(uid string) (inventory.Sight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, ok := s.seen[uid]
	delete(s.seen, uid)
	return seen, ok
}

// watch looks at one kind of one connection until nothing waits for it.
func (s *settler) watch(ctx context.Context, key watchKey, w *watch) {
	interval := s.engine.config.PollFirst
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.sooner:
			if interval > s.engine.config.PollFirst {
				interval = s.engine.config.PollFirst
				timer.Reset(interval)
			}
			continue
		case <-timer.C:
		}
		s.mu.Lock()
		if len(w.pending) == 0 {
			delete(s.watches, key)
			s.mu.Unlock()
			return
		}
		pending := make(map[string]waiting, len(w.pending))
		for uid, one := range w.pending {
			if _, told := s.seen[uid]; !told { // else its worker is still to come
				pending[uid] = one
			}
		}
		s.mu.Unlock()

		if len(pending) > 0 {
			s.lookAt(ctx, key, w, pending)
		}
		interval = min(interval*3/2, s.engine.config.PollMax)
		timer.Reset(interval)
	}
}

// mostIDs is how many ids a list is asked for at the most; more are looked for among all.
// AWS takes no more values of a filter.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
const mostIDs = 200

// lookAt looks at the resources that wait and wakes their workers. A single one is
// asked for by its id, more are found in one list.
func (s *settler) lookAt(ctx context.Context, key watchKey, w *watch, pending map[string]waiting) {
	session, connection, err := s.engine.registry.Session(ctx, key.connection)
	if err != nil {
		s.report(key, w, pending, func(waiting) inventory.Sight { return inventory.Sight{Err: err} })
		return
	}
	if len(pending) == 1 {
		s.report(key, w, pending, func(one waiting) inventory.Sight { return inventory.Look(ctx, session, key.kind, one.cloudID) })
		return
	}
	found := map[string]*driver.Item{}
	wanted := map[string]bool{}
	for _, one := range pending {
		wanted[one.cloudID] = true
	}
	filter := driver.Filter{}
	if len(wanted) <= mostIDs {
		filter.IDs = slices.Sorted(maps.Keys(wanted))
	}
	for item, err := range session.List(ctx, key.kind, filter) {
		if err != nil {
			s.report(key, w, pending, func(waiting) inventory.Sight { return inventory.Sight{Err: err} })
			return
		}
		if wanted[item.ID] {
			found[item.ID] = &item
		}
	}
	var unlisted []string // a list may lag; gone is only what the cloud says is gone
	for _, one := range pending {
		if one.delete && found[one.cloudID] == nil {
			unlisted = append(unlisted, one.cloudID)
		}
	}
	gone := map[string]inventory.Sight{}
	for i, became := range getAll(ctx, session, key.kind, unlisted, s.engine.most(ctx, connection.Cloud, key.kind, driver.VerbGet)) {
		gone[unlisted[i]] = inventory.SightOf(became.Item, became.Err)
	}
	s.report(key, w, pending, func(one waiting) inventory.Sight {
		if item := found[one.cloudID]; item != nil || !one.delete {
			return inventory.Sight{Item: item}
		}
		return gone[one.cloudID]
	})
}

// report keeps what was seen and wakes the workers. Looking happens without the
// lock: it asks the cloud.
func (s *settler) report(key watchKey, w *watch, pending map[string]waiting, look func(waiting) inventory.Sight) {
	for uid, one := range pending {
		seen := look(one)
		s.mu.Lock()
		_, waits := w.pending[uid]
		if waits {
			s.seen[uid] = seen
		}
		s.mu.Unlock()
		if waits {
			s.engine.lane(key.connection).addSoon(uid)
		}
	}
}
