package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
)

// What is done to several rows by one statement.

// ResourcesNamed reads those of a kind in a connection that have one of some names.
func (q *Queries) ResourcesNamed(ctx context.Context, connection, kind string, names []string) (rows []Resource, err error) {
	err = q.db.NewSelect().Model(&rows).
		Where("connection = ?", connection).Where("kind = ?", kind).Where("name IN (?)", bun.List(names)).Where("deleted_at = 0").Scan(ctx)
	return rows, failure(err, "read the %ss of %s", kind, connection)
}

// ResourcesByUID reads several, also deleted ones, by uid. In a transaction they are locked,
// by whoever locks several in the same order.
func (q *Queries) ResourcesByUID(ctx context.Context, uids []string) (map[string]*Resource, error) {
	var rows []Resource
	sel := q.db.NewSelect().Model(&rows).Where("uid IN (?)", bun.List(uids)).Order("uid")
	if q.lock {
		sel = sel.For("UPDATE")
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, failure(err, "read the resources")
	}
	return byUID(rows), nil
}

// Used answers which of some resources others use.
func (q *Queries) Used(ctx context.Context, uids []string) (map[string]bool, error) {
	var some []string
	err := q.db.NewSelect().Model((*Ref)(nil)).Distinct().Column("to_uid").Where("to_uid IN (?)", bun.List(uids)).
		Where("from_uid IN (?)", q.db.NewSelect().Model((*Resource)(nil)).Column("uid").Where("deleted_at = 0")).Scan(ctx, &some)
	used := make(map[string]bool, len(some))
	for _, uid := range some {
		used[uid] = true
	}
	return used, failure(err, "read what is used")
}

// CancelParts records that those parts of an operation are to be cancelled for which that is
// possible: that the cloud has not accepted, and with CancelDelete all creations. It answers
// their uids and connections. One that ends at the same time has ended, or is cancelled.
func (q *Queries) CancelParts(ctx context.Context, parent string, want Cancel) (rows []Operation, err error) {
	sel := q.db.NewSelect().Model(&rows).Column("id", "uid", "connection").Where("parent = ?", parent).Where("ended_at = 0").Order("id")
	if want == CancelDelete {
		sel = sel.Where("verb = ?", api.VerbCreate)
	} else {
		sel = sel.Where("state = ?", api.OperationQueued)
	}
	if q.lock {
		sel = sel.For("UPDATE")
	}
	if err := sel.Scan(ctx); err != nil || len(rows) == 0 {
		return nil, failure(err, "read the parts of %s", parent)
	}
	ids := Convert(rows, func(o *Operation) string { return o.ID })
	_, err = q.db.NewUpdate().Model((*Operation)(nil)).Set("cancel = ?", want).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return rows, failure(err, "record that parts of %s are to be cancelled", parent)
}

func byUID(rows []Resource) map[string]*Resource {
	found := make(map[string]*Resource, len(rows))
	for i := range rows {
		found[rows[i].UID] = &rows[i]
	}
	return found
}
