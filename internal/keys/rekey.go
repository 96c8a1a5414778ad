package keys

import (
	"context"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// resealBatch is how many values are sealed anew in one transaction.
const resealBatch = 100

// Resealed says what a change of the key has done.
type Resealed struct {
	Values int
	Lost   []string // what no key opens
}

// Change makes another key the current one. All servers hear of it through the database,
// where each of the two keys opens the other. It can be repeated.
func (k *Keeper) Change(ctx context.Context, next *secret.Key) error {
	err := k.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		rows, err := q.MasterKeys(ctx)
		if err != nil {
			return err
		}
		ring, err := ringOf(rows, k.sealer.Ring())
		switch {
		case err != nil:
			return err
		case len(rows) == 1 && ring.Current.ID() == next.ID():
			return resource.Errorf(resource.CodeInvalid, "the master key is %s already; give another one", next.ID())
		case len(rows) > 1 && ring.Current.ID() == next.ID():
			return nil
		case len(rows) > 1:
			return resource.Errorf(resource.CodeConflict, "the master key is being changed to %s; end that first, with: mcic server rekey --finish", ring.Current.ID())
		}
		row, err := handOver(ring.Current, next, &rows[0])
		if err != nil {
			return err
		}
		if err := q.UpdateMasterKey(ctx, &rows[0]); err != nil {
			return err
		}
		return q.InsertMasterKey(ctx, row)
	})
	if err != nil {
		return err
	}
	return k.look(ctx)
}

// handOver makes the row of the next key, and that of the one before so that each opens
// the other.
func handOver(now, next *secret.Key, row *store.MasterKey) (*store.MasterKey, error) {
	row.Current = false
	var err error
	if row.Handed, err = next.Seal(now.Text(), handedIdentity(now.ID())); err != nil {
		return nil, err
	}
	made := &store.MasterKey{ID: next.ID(), Current: true, CreatedAt: store.MicrosOf(time.Now())}
	if made.Handed, err = now.Seal(next.Text(), handedIdentity(next.ID())); err != nil {
		return nil, err
	}
	made.Canary, err = newCanary(next)
	return made, err
}

// Reseal seals everything anew that is not sealed with the current key. It can be
// repeated, and what a server changes meanwhile is left as that has it.
func (k *Keeper) Reseal(ctx context.Context) (done Resealed, err error) {
	var after store.Sealed
	for {
		values, err := k.store.Read().SealedOtherwise(ctx, k.sealer.Ring().Current.ID(), after, resealBatch)
		if err != nil || len(values) == 0 {
			return done, err
		}
		after = values[len(values)-1]
		err = k.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
			for i := range values {
				v := &values[i]
				open, err := k.sealer.Unseal(ctx, v.Value, v.Identity())
				if err != nil {
					done.Lost = append(done.Lost, v.Identity())
					continue
				}
				again, err := k.sealer.Seal(open, v.Identity())
				if err != nil {
					return err
				}
				if err := q.Reseal(ctx, v, again); err != nil {
					return err
				}
				done.Values++
			}
			return nil
		})
		if err != nil {
			return done, err
		}
	}
}

// Changing answers the keys before and after a change that has not ended.
func (k *Keeper) Changing() (before, after *secret.Key) {
	ring := k.sealer.Ring()
	if ring.Other == nil {
		return nil, nil
	}
	return ring.Other, ring.Current
}

// Given answers the key that the source gave.
func (k *Keeper) Given() *secret.Key { return k.given }

// Finish has the database forget the key before, with which it then cannot be opened any
// more. It waits until servers that run have heard of the change, and seals anew what they
// have sealed with that key meanwhile.
func (k *Keeper) Finish(ctx context.Context) (Resealed, error) {
	if before, after := k.Changing(); before != nil && after.ID() != k.given.ID() {
		return Resealed{}, resource.Errorf(resource.CodeConflict, "the server's master key is still the one before, %s; give all servers the new one, %s, and then again: mcic server rekey --finish", k.given.ID(), after.ID())
	}
	if err := k.heard(ctx); err != nil {
		return Resealed{}, err
	}
	done, err := k.Reseal(ctx)
	if err != nil {
		return done, err
	}
	err = k.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		rows, err := q.MasterKeys(ctx) // locked: nothing more is sealed with the one that goes
		if err != nil {
			return err
		}
		for i := range rows {
			row := &rows[i]
			if row.Current {
				row.Handed = nil
				err = q.UpdateMasterKey(ctx, row)
			} else if err = k.unused(ctx, q, row.ID, done.Lost); err == nil {
				err = q.DeleteMasterKey(ctx, row.ID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	return done, k.look(ctx)
}

// heard waits until servers that live have had the time to hear of the current key, if there
// are any.
func (k *Keeper) heard(ctx context.Context) error {
	rows, err := k.store.Read().MasterKeys(ctx)
	if err != nil || len(rows) < 2 {
		return err
	}
	if alone, err := k.store.Alone(ctx); err != nil || alone {
		return err
	}
	select {
	case <-time.After(3 * k.every): // not counted from the change on: clocks differ
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unused refuses to let a key go that something is sealed with, but what is lost anyway.
func (k *Keeper) unused(ctx context.Context, q *store.Queries, id string, lost []string) error {
	left, err := q.SealedWith(ctx, id, len(lost)+1)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(left, func(s store.Sealed) bool { return !slices.Contains(lost, s.Identity()) }) {
		return resource.Errorf(resource.CodeConflict, "a server has just sealed something with the key %s; try again: mcic server rekey --finish", id)
	}
	return nil
}
