package inventory

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// looks has those who want to know at the same time how the resources of a connection
// and kind are on the cloud share one look at it.
type looks struct {
	flights singleflight.Group

	mu        sync.Mutex
	last      map[key]time.Time // when the last look that saw everything began
	strangers map[key]strangers // what the last list showed
}

func newLooks() *looks {
	return &looks{last: map[key]time.Time{}, strangers: map[key]strangers{}}
}

func (l *looks) lastOf(key key) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[key]
}

func (l *looks) done(key key, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[key] = began
}

// forget drops what is known of a connection that is gone: another may take its name.
func (l *looks) forget(connection string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := func(key key) bool { return key.connection == connection }
	maps.DeleteFunc(l.last, func(key key, _ time.Time) bool { return of(key) })
	maps.DeleteFunc(l.strangers, func(key key, _ strangers) bool { return of(key) })
}

// Refresh has the records of a kind in a connection say what the cloud shows, no
// longer ago than maxAge; with 0 the cloud is asked after the call. It answers an
// error, and nothing is changed that was not seen, if the cloud cannot be asked.
//
// Those who call at the same time share one look at the cloud: one list, and a get
// for each resource that the list does not have. The end of one caller's context
// ends only its own wait. The cloud is not asked where nothing is recorded, and
// resources that an operation is changing are left to it.
func (inv *Inventory) Refresh(ctx context.Context, connection, kind string, maxAge time.Duration) error {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return err
	}
	key := key{connection, kind}
	wanted := time.Now().Add(-maxAge)
	if !inv.looks.lastOf(key).Before(wanted) {
		return nil
	}
	if _, err := inv.store.Read().Connection(ctx, connection); err != nil {
		return err
	}
	for inv.looks.lastOf(key).Before(wanted) {
		flight := inv.looks.flights.DoChan(connection+"/"+kind, func() (any, error) {
			began := time.Now()
			if err := inv.syncKind(context.WithoutCancel(ctx), connection, k); err != nil { // it is the look of others, too
				return nil, err
			}
			inv.looks.done(key, began)
			return nil, nil
		})
		select {
		case end := <-flight: // which may have begun too early for this caller
			if end.Err != nil {
				return end.Err
			}
		case <-ctx.Done():
			return resource.Errorf(resource.CodeUnavailable, "the cloud of the connection %s did not answer in time: %w", connection, ctx.Err())
		}
	}
	return nil
}

// manyLooks is how many connections are asked at once for one list.
const manyLooks = 32

// Freshen has the records of a kind say what the clouds show now: those of one
// connection or, with "", of all in which something of the kind is recorded. It asks
// them at the same time, no longer than Config.FreshFor, and answers which could not
// be asked.
func (inv *Inventory) Freshen(ctx context.Context, connection, kind string) ([]api.Stale, error) {
	connections := []string{connection}
	if connection == "" {
		var err error
		if connections, err = inv.store.Read().ConnectionsWith(ctx, kind); err != nil {
			return nil, err
		}
	} else if _, err := inv.store.Read().Connection(ctx, connection); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, inv.config.FreshFor)
	defer cancel()
	failures := make([]error, len(connections))
	var group errgroup.Group
	group.SetLimit(manyLooks)
	for i, name := range connections {
		group.Go(func() error {
			failures[i] = inv.Refresh(ctx, name, kind, 0)
			return nil
		})
	}
	_ = group.Wait() // each failure is kept by itself
	var stale []api.Stale
	for i, err := range failures {
		if err != nil {
			stale = append(stale, api.Stale{Connection: connections[i], Error: resource.AsError(err)})
		}
	}
	return stale, nil
}
