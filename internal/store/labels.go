package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// Who sees resources by their labels has them found in resource_labels, which triggers keep: a row
// for each label of what is not deleted. Its columns are called like those of resources that they
// are of.

// labelled is the selection of the resources that have a label, in some connections.
func (q *Queries) labelled(kind string, l LabelTest, p Part) *bun.SelectQuery {
	return inConnections(q.db.NewSelect().TableExpr("resource_labels AS resources").Where("kind = ?", kind).Where("key = ?", l.Key).Where("value = ?", l.Value), p)
}

// byLabel answers the part that somebody sees, if it is one by one label and what is asked for can
// be told from resource_labels.
func (s *Sees) byLabel(query Query) *Part {
	parts := s.merged()
	if parts == nil || len(parts.Any) != 1 || len(parts.Any[0].Labels) != 1 || query.Search != "" {
		return nil
	}
	if slices.ContainsFunc(query.Filters, func(f Filter) bool { return !slices.Contains([]string{"name", "state", "connection", "uid"}, f.Field) }) {
		return nil
	}
	return &parts.Any[0]
}

// throughLabels leads a list to what somebody sees by labels: to the rows of the page, where they
// are in the order of resource_labels, or to all if these are few. Of more, the first of a page are
// found sooner in the order that is asked for.
func (q *Queries) throughLabels(ctx context.Context, sel *bun.SelectQuery, connection, kind string, query Query) (*bun.SelectQuery, error) {
	if by := query.Sees.byLabel(query); by != nil && !by.Labels[0].Not && query.Limit > 0 && strings.TrimPrefix(cmp.Or(query.Sort, "name"), "-") == "name" {
		of := q.labelled(kind, by.Labels[0], *by).Column("uid")
		if connection != "" {
			of = of.Where("connection = ?", connection)
		}
		of, _, err := resourceTable().paged(of, query)
		if err != nil {
			return nil, err
		}
		return q.named(sel, of), nil
	}
	var all *bun.SelectQuery
	found := 0
	for _, p := range query.Sees.merged().parts() {
		i := slices.IndexFunc(p.Labels, func(l LabelTest) bool { return !l.Not })
		if i < 0 {
			return sel, nil
		}
		of := q.labelled(kind, p.Labels[i], p).Column("uid")
		n, err := q.db.NewSelect().TableExpr("(?) AS few", of.Clone().Limit(fewFound+1-int64(found))).Count(ctx)
		if found += int(n); err != nil || found > fewFound {
			return sel, failure(err, "look for what may be seen")
		}
		if all == nil {
			all = of
		} else {
			all = all.UnionAll(of)
		}
	}
	if all == nil {
		return sel, nil
	}
	return q.named(sel, all), nil
}

// named narrows a selection to rows by their uids.
func (q *Queries) named(sel, uids *bun.SelectQuery) *bun.SelectQuery {
	if !q.postgres {
		sel = sel.ModelTableExpr(indexedByUID)
	}
	return sel.Where("uid IN (SELECT uid FROM (?) AS named)", uids)
}

func (s *Sees) parts() []Part {
	if s == nil {
		return nil
	}
	return s.Any
}

// countLabelled counts what somebody sees by one label. What must not have it is the rest of those
// that have it.
func (q *Queries) countLabelled(ctx context.Context, kind, field string, query Query, by Part) (total int, groups []Group, err error) {
	total, groups, err = q.count(ctx, q.labelled(kind, by.Labels[0], by), field, query)
	if err != nil || !by.Labels[0].Not {
		return total, groups, err
	}
	with := map[string]int{}
	for _, g := range groups {
		with[g.Value] = g.Count
	}
	all := inConnections(q.db.NewSelect().Model((*Resource)(nil)).Where("kind = ?", kind).Where("deleted_at = 0"), by)
	whole, groups, err := q.count(ctx, all, field, query)
	for i := range groups {
		groups[i].Count -= with[groups[i].Value]
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool { return g.Count == 0 })
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Value, b.Value)) })
	return whole - total, groups, err
}
