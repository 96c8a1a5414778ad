package store

import (
	"context"

	"github.com/uptrace/bun"
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

func byUID(rows []Resource) map[string]*Resource {
	found := make(map[string]*Resource, len(rows))
	for i := range rows {
		found[rows[i].UID] = &rows[i]
	}
	return found
}
