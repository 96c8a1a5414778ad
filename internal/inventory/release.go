package inventory

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Release forgets a resource that is not used here, with its parts. It changes nothing on
// the cloud.
func (inv *Inventory) Release(ctx context.Context, connection, kind, name string) (*api.Operation, error) {
	return inv.ReleaseTogether(ctx, connection, []Named{{kind, name}})
}

// ReleaseTogether forgets several resources of a connection with their parts, all or none,
// which nothing but themselves uses. It answers the operation of the last one.
func (inv *Inventory) ReleaseTogether(ctx context.Context, connection string, items []Named) (*api.Operation, error) {
	for _, item := range items {
		if _, err := resource.KindNamed(item.Kind); err != nil {
			return nil, err
		}
		if err := inv.registry.OnlyKept(ctx, connection, item.Kind, "nothing of it would stay, so that it cannot be released: delete it"); err != nil {
			return nil, err
		}
	}
	var left []leftThere
	op, err := inv.recordEnded(ctx, store.Release{}, func(ctx context.Context, q *store.Queries) ([]*store.Resource, error) {
		left = nil
		rows, err := withParts(ctx, q, connection, items)
		if err != nil {
			return nil, err
		}
		if err := q.OnlyUseEachOther(ctx, rows); err != nil {
			return nil, err
		}
		for _, row := range rows {
			l, err := leaveThere(ctx, q, row)
			if err != nil {
				return nil, err
			}
			left = append(left, l)
			if err := q.Entomb(ctx, row, store.MicrosOf(inv.store.Now())); err != nil {
				return nil, err
			}
		}
		return rows, nil
	})
	if err == nil {
		inv.looks.leave(connection, left)
	}
	return op, err
}

// withParts reads resources that no operation is changing, each after its parts.
func withParts(ctx context.Context, q *store.Queries, connection string, items []Named) ([]*store.Resource, error) {
	var rows []*store.Resource
	seen := map[string]bool{}
	add := func(row *store.Resource) error {
		if seen[row.UID] {
			return nil
		}
		seen[row.UID], rows = true, append(rows, row)
		return row.Unchanging()
	}
	for _, item := range items {
		row, err := q.Resource(ctx, connection, item.Kind, item.Name)
		if err != nil {
			return nil, err
		}
		parts, err := ownedBy(ctx, q, connection, item.Kind, item.Name)
		if err != nil {
			return nil, err
		}
		for i := range parts {
			if err := add(&parts[i]); err != nil {
				return nil, err
			}
		}
		if err := add(row); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// recordEnded writes the rows of resources, by means of write, with the record that it
// was done. It answers the operation of the last one, which has the request's key.
func (inv *Inventory) recordEnded(ctx context.Context, change store.Change, write func(context.Context, *store.Queries) ([]*store.Resource, error)) (*api.Operation, error) {
	var (
		rows []*store.Resource
		ops  []*store.Operation
	)
	err := inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if rows, err = write(ctx, q); err != nil {
			return err
		}
		ops = nil
		for i, row := range rows {
			op := inv.EndedOperation(ctx, row, change, nil)
			if i == len(rows)-1 {
				op = store.Keyed(ctx, op)
			}
			if err := q.Note(ctx, op.Entry(row), nil); err != nil {
				return err
			}
			if err := q.InsertOperation(ctx, op); err != nil {
				return err
			}
			ops = append(ops, op)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var last *api.Operation
	for i, row := range rows {
		inv.events.Changed(row, ops[i])
		last = ops[i].Resource()
		inv.config.OnOperation(last)
	}
	return last, nil
}

// EndedOperation makes an operation on a resource that has ended at once: it failed, or there
// was nothing to ask the cloud for.
func (inv *Inventory) EndedOperation(ctx context.Context, row *store.Resource, change store.Change, failure *resource.Error) *store.Operation {
	op := inv.store.NewOperation(ctx, change, row)
	op.State, op.Error, op.EndedAt = api.OperationSucceeded, failure, op.CreatedAt
	if failure != nil {
		op.State = api.OperationFailed
	}
	return op
}

// Label changes labels that the cloud has no tags for.
func (inv *Inventory) Label(ctx context.Context, connection, kind, name string, change store.Action) (*api.Operation, error) {
	labels, err := change.Labels()
	if err != nil {
		return nil, err
	}
	return inv.recordEnded(ctx, change, func(ctx context.Context, q *store.Queries) ([]*store.Resource, error) {
		row, err := q.Resource(ctx, connection, kind, name)
		if err != nil {
			return nil, err
		}
		if err := row.Unchanging(); err != nil {
			return nil, err
		}
		row.Labels = labels.Apply(row.Labels)
		row.UpdatedAt, row.UpdatedBy = store.MicrosOf(inv.store.Now()), auth.Who(ctx)
		return []*store.Resource{row}, q.UpdateResource(ctx, row, row.LeaseOwner)
	})
}
