package inventory

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Snapshot is what is recorded of a kind in a connection, read once for many readers,
// who must not change it. As long as nothing changes it is the same one.
type Snapshot struct {
	Items  []*resource.Resource // by name
	byName map[string]*resource.Resource
	called map[partName]*resource.Resource // those whose name does not say it
	readAt time.Time
}

// Named returns the resource of that name, or nil.
func (s *Snapshot) Named(name string) *resource.Resource { return s.byName[name] }

// partName is how clients of CB-Spider's API call a resource.
type partName struct{ owner, name string }

// Called returns the resource that clients of CB-Spider's API call by a name, among the
// parts of an owner where its kind has one, or nil.
func (s *Snapshot) Called(owner, name string) *resource.Resource {
	if r := s.called[partName{owner, name}]; r != nil || owner != "" {
		return r
	}
	if r := s.byName[name]; r != nil && r.FacadeName == "" {
		return r
	}
	return nil
}

// snapshots keeps the snapshots that are read again and again. Every change of a
// resource is published, and drops that of its kind.
type snapshots struct {
	flights singleflight.Group

	mu   sync.Mutex
	kept map[key]*Snapshot

	changes map[key]int // how often something changed, so that no older reading is kept
	lost    int         // how often changes were missed
}

func newSnapshots() *snapshots {
	return &snapshots{kept: map[key]*Snapshot{}, changes: map[key]int{}}
}

// keepSnapshots is how long a snapshot is kept at most. Changes by other servers may
// be missed.
const keepSnapshots = time.Second

func (s *snapshots) drop(connection, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := key{connection, kind}
	s.changes[key]++
	delete(s.kept, key)
}

// dropAll forgets everything: changes were missed.
func (s *snapshots) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost++
	clear(s.kept)
}

// get returns what is kept, and otherwise a mark of what is known to have changed.
func (s *snapshots) get(key key, shared bool) (*Snapshot, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.kept[key]; kept != nil && (!shared || time.Since(kept.readAt) < keepSnapshots) {
		return kept, ""
	}
	return nil, s.markOf(key)
}

func (s *snapshots) markOf(key key) string {
	return fmt.Sprint(key.connection, "/", key.kind, "/", s.changes[key], "/", s.lost)
}

// keep keeps a snapshot unless something has changed since it was begun. It lets go
// of what is old: what is still wanted is soon read again.
func (s *snapshots) keep(key key, mark string, snapshot *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.markOf(key) != mark {
		return
	}
	for other, kept := range s.kept {
		if time.Since(kept.readAt) > time.Minute {
			delete(s.kept, other)
		}
	}
	s.kept[key] = snapshot
}

// Snapshot answers all that is recorded of a kind in a connection. Readers share it.
func (inv *Inventory) Snapshot(ctx context.Context, connection, kind string) (*Snapshot, error) {
	key := key{connection, kind}
	kept, mark := inv.snapshots.get(key, inv.store.Shared())
	if kept != nil {
		return kept, nil
	}
	read, err, _ := inv.snapshots.flights.Do(mark, func() (any, error) {
		rows, err := inv.store.Read().ResourcesIn(context.WithoutCancel(ctx), connection, kind) // it is read for others, too
		if err != nil {
			return nil, err
		}
		s := &Snapshot{Items: make([]*resource.Resource, len(rows)), byName: make(map[string]*resource.Resource, len(rows)), called: map[partName]*resource.Resource{}, readAt: time.Now()}
		for i := range rows {
			s.Items[i] = rows[i].Envelope()
			s.byName[rows[i].Name] = s.Items[i]
			if rows[i].FacadeName != "" || rows[i].Owner != "" {
				s.called[partName{rows[i].Owner, cmp.Or(rows[i].FacadeName, rows[i].Name)}] = s.Items[i]
			}
		}
		inv.snapshots.keep(key, mark, s)
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return read.(*Snapshot), nil //nolint:forcetypeassert // made above
}
