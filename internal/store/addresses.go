package store

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// address is a row: a resource has an address.
type address struct {
	bun.BaseModel `bun:"table:addresses"`

	Address string `bun:",pk"`
	UID     string `bun:"uid,pk"`
}

// addressesOf answers what a resource is reached by, each once, as it is looked for. A
// deleted one has none.
func addressesOf(r *Resource) []string {
	k, err := resource.KindNamed(r.Kind)
	if err != nil || r.DeletedAt != 0 { // a kind of a newer version
		return nil
	}
	var list []string
	for _, a := range k.Addresses(r.Status) {
		list = append(list, canonical(a))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// canonical is how an IP address or a host name is kept and looked for.
func canonical(address string) string {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(address, "."))
}

// placeAddresses makes a resource found by the addresses that it has now.
func (q *Queries) placeAddresses(ctx context.Context, row *Resource, now []string) error {
	if _, err := q.db.NewDelete().Model((*address)(nil)).Where("uid = ?", row.UID).Exec(ctx); err != nil {
		return failure(err, "forget the addresses of the %s %s", row.Kind, row.Name)
	}
	if len(now) == 0 {
		return nil
	}
	rows := make([]address, len(now))
	for i, a := range now {
		rows[i] = address{Address: a, UID: row.UID}
	}
	_, err := q.db.NewInsert().Model(&rows).Exec(ctx)
	return failure(err, "record the addresses of the %s %s", row.Kind, row.Name)
}

// ResourcesAt reads the resources that have an IP address or host name and are not
// deleted, in a connection or, without one, in all.
func (q *Queries) ResourcesAt(ctx context.Context, connection, at string) (rows []Resource, err error) {
	sel := q.db.NewSelect().Model(&rows).
		Where("uid IN (?)", q.db.NewSelect().Model((*address)(nil)).Column("uid").Where("address = ?", canonical(at))).
		Where("deleted_at = 0").Order("kind", "connection", "name")
	if connection != "" {
		sel = sel.Where("connection = ?", connection)
	}
	return rows, failure(sel.Scan(ctx), "look for what has the address %.64q", at)
}

// FillAddresses records the addresses of resources that a version has written that kept
// none. It answers whether there may be more.
func (q *Queries) FillAddresses(ctx context.Context) (more bool, err error) {
	var rows []Resource
	err = q.db.NewSelect().Model(&rows).Where("addresses = '?'").Where("deleted_at = 0").Limit(fillBatch).Scan(ctx)
	if err != nil {
		return false, failure(err, "look for resources that are not found by their addresses")
	}
	for i := range rows {
		row, now := &rows[i], addressesOf(&rows[i])
		result, err := q.db.NewUpdate().Model((*Resource)(nil)).Set("addresses = ?", strings.Join(now, " ")).
			Where("uid = ?", row.UID).Where("updated_at = ?", row.UpdatedAt).Exec(ctx)
		if err != nil {
			return false, failure(err, "have the %s %s found by its addresses", row.Kind, row.Name)
		}
		if n, err := result.RowsAffected(); err == nil && n > 0 {
			if err := q.placeAddresses(ctx, row, now); err != nil {
				return false, err
			}
		}
	}
	return len(rows) == fillBatch, nil
}
