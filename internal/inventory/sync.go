package inventory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// syncLoop notices what changed on the clouds without this server: states, tags,
// deletions. Each connection is looked at by one server at a time.
func (inv *Inventory) syncLoop(ctx context.Context) {
	tick := time.NewTicker(max(inv.config.SyncEvery/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var due []store.Connection
		err := inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
			now := inv.store.Now()
			due, err = q.ClaimSync(ctx, store.MicrosOf(now.Add(-inv.config.SyncEvery)), store.MicrosOf(now))
			return err
		})
		if err != nil && ctx.Err() == nil {
			inv.logger.Error("cannot look for connections to sync; tried again soon", "error", err)
		}
		for _, c := range due {
			inv.group.Go(func() { inv.sync(ctx, c.Name) }) // a slow cloud delays no other
		}
	}
}

// syncPassingLoop looks more often at what is in a passing state, such as starting,
// without an operation of ours that looks: somebody else changes it.
func (inv *Inventory) syncPassingLoop(ctx context.Context) {
	states := slices.DeleteFunc(resource.States(), resource.State.Settled)
	tick := time.NewTicker(inv.config.SyncPassing)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := inv.store.Now()
		passing, err := inv.store.Read().Passing(ctx, states, store.MicrosOf(now.Add(-inv.config.SyncPassing)), store.MicrosOf(now))
		if err != nil && ctx.Err() == nil {
			inv.logger.Error("cannot look for what is in a passing state; tried again soon", "error", err)
		}
		for _, p := range passing {
			inv.group.Go(func() {
				if err := inv.Refresh(ctx, p.Connection, p.Kind, inv.config.SyncPassing/2); err != nil && ctx.Err() == nil {
					inv.logger.Warn("what is in a passing state cannot be looked at; tried again soon", "connection", p.Connection, "kind", p.Kind, "error", err)
				}
			})
		}
	}
}

// sync looks at all that is recorded of a connection. A service that is down only keeps
// its own kinds from being seen.
func (inv *Inventory) sync(ctx context.Context, connection string) {
	for _, k := range resource.Kinds() {
		err := inv.Refresh(ctx, connection, k.Name, inv.config.SyncEvery/10)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // nothing is concluded from an error
			inv.logger.Warn("what is recorded of a connection cannot be looked at; tried again later", "connection", connection, "kind", k.Name, "error", err)
		}
		if resource.CodeOf(err) == resource.CodeUnauthenticated { // clouds lock out whoever tries often
			return
		}
	}
}

func (inv *Inventory) syncKind(ctx context.Context, connection string, k *resource.Kind) error {
	all, err := inv.store.Read().ResourcesIn(ctx, connection, k.Name)
	if err != nil {
		return err
	}
	rows, known := map[string]*store.Resource{}, map[string]bool{} // by cloud id
	for i := range all {
		known[all[i].CloudID] = true
		if all[i].CloudID != "" && all[i].Operation == "" { // an operation looks for itself
			rows[all[i].CloudID] = &all[i]
		}
	}
	if len(rows) == 0 {
		return nil
	}
	session, _, err := inv.registry.Session(ctx, connection)
	if err != nil {
		return err
	}
	var unchanged []string
	seen := func(row *store.Resource, item *driver.Item) error {
		same, err := inv.recordSight(ctx, k, row, item)
		switch {
		case errors.Is(err, errOvertaken): // by what knows it better
			return nil
		case errors.Is(err, store.ErrTaken): // one that is wrong keeps nobody from seeing the others
			inv.logger.Error("the driver answers for a resource what is recorded as another one", "kind", row.Kind, "name", row.Name, "connection", row.Connection, "cloudId", row.CloudID)
			return nil
		case same:
			unchanged = append(unchanged, row.UID)
		}
		return err
	}
	for item, err := range inv.list(ctx, session, connection, k, func(id string) bool { return known[id] }) {
		if err != nil {
			return err
		}
		if row := rows[item.ID]; row != nil {
			delete(rows, item.ID)
			if err := seen(row, &item); err != nil {
				return err
			}
		}
	}
	for _, row := range rows { // a list may lag; gone is only what the cloud says is gone
		s := Look(ctx, session, k.Name, row.CloudID)
		if s.Err != nil {
			return s.Err
		}
		if err := seen(row, s.Item); err != nil {
			return err
		}
	}
	return inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		return q.MarkSynced(ctx, unchanged, store.MicrosOf(inv.store.Now()))
	})
}

// recordSight records what the cloud shows of a resource; item is nil if it is gone
// there. It answers errOvertaken, and has done nothing, if the record has changed meanwhile.
func (inv *Inventory) recordSight(ctx context.Context, k *resource.Kind, row *store.Resource, item *driver.Item) (same bool, err error) {
	item = Own(row, item)
	now := *row
	record := inv.Record(k, &now)
	if item != nil {
		if err := record.Observe(ctx, item); err != nil {
			return false, err
		}
		if row.State == resource.StateDeleted { // it is back
			now.Error = nil
		}
	} else {
		now.State, now.CloudState = resource.StateDeleted, ""
		now.Error = resource.Errorf(resource.CodeNotFound, "it is not on the cloud any more; it was deleted elsewhere")
	}
	if sameShown(row, &now) {
		return true, nil
	}
	now.UpdatedAt = store.MicrosOf(inv.store.Now())
	err = inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		recorded, err := q.ResourceByUID(ctx, row.UID)
		if err != nil {
			return err
		}
		if recorded.UpdatedAt != row.UpdatedAt || recorded.Operation != "" {
			return errOvertaken
		}
		if err := q.UpdateResource(ctx, &now, recorded.LeaseOwner); err != nil || item == nil {
			return err
		}
		return record.WriteRefs(ctx, q)
	})
	if err != nil {
		return false, err
	}
	inv.events.Changed(&now, nil)
	return false, nil
}

// errOvertaken says that a resource's record has changed while it was looked at.
var errOvertaken = resource.Errorf(resource.CodeConflict, "overtaken by another change")

// sameShown reports whether users would see no difference.
func sameShown(a, b *store.Resource) bool {
	return a.State == b.State && a.CloudState == b.CloudState && maps.Equal(a.Labels, b.Labels) &&
		store.SameJSON(a.Effective, b.Effective) && store.SameJSON(a.Status, b.Status) && store.SameJSON(a.Native, b.Native)
}
