package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Query narrows, orders and pages a list.
type Query struct {
	Filters []Filter
	Search  string // words that all must be in a resource's names, ids, labels or addresses, ignoring case
	Sort    string // field, with a leading hyphen for descending; "" is the list's own order
	Limit   int    // rows of a page
	Token   string // of the page before, "" for the first
	Sees    *Sees  // which rows may be seen; nil: all
}

// Filter keeps the rows whose field compares with the value.
type Filter struct {
	Field string
	Op    FilterOp
	Value string
}

// FilterOp is how a filter compares.
type FilterOp string

// The comparisons.
const (
	FilterEqual    FilterOp = "="
	FilterNotEqual FilterOp = "!="
	FilterContains FilterOp = "~" // contains the text, ignoring case
)

// ParseFilter reads field=value, field!=value or field~text.
func ParseFilter(text string) (Filter, error) {
	i := strings.IndexAny(text, "=!~")
	if i > 0 {
		for _, op := range []FilterOp{FilterEqual, FilterNotEqual, FilterContains} {
			if value, ok := strings.CutPrefix(text[i:], string(op)); ok {
				return Filter{text[:i], op, value}, nil
			}
		}
	}
	return Filter{}, invalidParam("filter", "%.64q is not field=value, field!=value or field~text", text)
}

func invalidParam(name, format string, args ...any) error {
	return resource.Invalid(resource.Problem{Field: name, Message: fmt.Sprintf(format, args...)})
}

// table says how a list's fields are found in SQL.
type table struct {
	key     string            // unique column that ends every order
	order   string            // own order
	columns map[string]string // field to column
	times   string            // fields, in spaces, that are times: they sort, but do not filter
	objects map[string]string // fields whose members are reached as field.member to their SQL
	looked  map[string]string // field to the SQL that looks it up elsewhere: they filter, but do not sort
}

func resourceTable() table {
	return table{
		key: "uid", order: "name", times: " createdAt updatedAt syncedAt ",
		objects: map[string]string{"labels": "labels", "spec": "coalesce(asked, spec)", "effective": "spec", "status": "status"},
		columns: map[string]string{
			"name": "name", "state": "state", "cloudState": "cloud_state", "cloudId": "cloud_id", "connection": "connection",
			"kind": "kind", "uid": "uid", "createdAt": "created_at", "updatedAt": "updated_at", "syncedAt": "synced_at",
			"createdBy": "created_by", "updatedBy": "updated_by",
		},
		looked: map[string]string{
			"facadeName": named,
			"cloud":      "(SELECT cloud FROM connections AS c WHERE c.name = resources.connection)",
			"region":     "(SELECT region FROM connections AS c WHERE c.name = resources.connection)",
		},
	}
}

func operationTable() table {
	return table{
		key: "id", order: "-id", times: " createdAt endedAt ",
		columns: map[string]string{
			"id": "id", "verb": "verb", "kind": "kind", "connection": "connection", "name": "name", "uid": "uid",
			"state": "state", "parent": "parent", "createdAt": "created_at", "endedAt": "ended_at",
		},
	}
}

// ListResources reads a page of the resources that are not deleted. Without a
// connection they are those of all.
func (q *Queries) ListResources(ctx context.Context, connection, kind string, query Query) (rows []Resource, next string, err error) {
	sel, err := q.ofKind(ctx, q.db.NewSelect().Model(&rows), connection, kind, query)
	if err != nil {
		return nil, "", err
	}
	return page(ctx, sel, &rows, resourceTable(), query, func(r *Resource) map[string]any {
		return map[string]any{
			"uid": r.UID, "name": r.Name, "state": r.State, "cloud_state": r.CloudState, "cloud_id": r.CloudID, "connection": r.Connection,
			"kind": r.Kind, "created_at": r.CreatedAt, "updated_at": r.UpdatedAt, "synced_at": r.SyncedAt,
			"created_by": r.CreatedBy, "updated_by": r.UpdatedBy,
		}
	})
}

// ofKind narrows a selection to the resources of a kind that are not deleted and fit the
// query's search. Without a connection they are those of all.
func (q *Queries) ofKind(ctx context.Context, sel *bun.SelectQuery, connection, kind string, query Query) (*bun.SelectQuery, error) {
	sel, few, err := q.search(ctx, sel, connection, kind, query)
	if err != nil {
		return nil, err
	}
	if few != nil { // SQLite then reads those few and nothing else
		sel = sel.ModelTableExpr(indexedByUID).Where("uid IN (SELECT uid FROM search_ids WHERE id IN (?))", bun.List(few))
	} else if sel, err = q.throughLabels(ctx, sel, connection, kind, query); err != nil {
		return nil, err
	}
	sel = query.Sees.narrow(sel.Where("kind = ?", kind).Where("deleted_at = 0"))
	if connection != "" {
		sel = sel.Where("connection = ?", connection)
	}
	return sel, nil
}

// indexedByUID has SQLite look up rows that are named, and read nothing else.
const indexedByUID = "resources AS resources INDEXED BY sqlite_autoindex_resources_1"

// Group is how many resources have the same value of a field.
type Group struct {
	Value string
	Count int
}

// MaxGroups is how many groups are answered at most.
const MaxGroups = 1000

// CountResources counts what ListResources would list on all its pages, of all
// connections. With a field it also counts each of the field's values, the most
// frequent first; what has none counts for "".
func (q *Queries) CountResources(ctx context.Context, kind, field string, query Query) (total int, groups []Group, err error) {
	if by := query.Sees.byLabel(query); by != nil && (field == "" || field == "state") {
		return q.countLabelled(ctx, kind, field, query, *by)
	}
	sel, err := q.ofKind(ctx, q.db.NewSelect().Model((*Resource)(nil)), "", kind, query)
	if err != nil {
		return 0, nil, err
	}
	return q.count(ctx, sel, field, query)
}

// count counts what of a selection fits the filters.
func (q *Queries) count(ctx context.Context, sel *bun.SelectQuery, field string, query Query) (total int, groups []Group, err error) {
	if sel, err = resourceTable().filter(sel, query.Filters); err != nil {
		return 0, nil, err
	}
	if field == "" {
		n, err := sel.Count(ctx)
		return int(n), nil, failure(err, "count")
	}
	expr, args, err := resourceTable().expr("groupBy", field)
	if err != nil {
		return 0, nil, err
	}
	var rows []struct {
		Group
		Total int
	}
	err = sel.ColumnExpr("coalesce("+expr+", '') AS value", args...).ColumnExpr("count(*) AS count").
		ColumnExpr("CAST(sum(count(*)) OVER () AS bigint) AS total").
		GroupExpr("1").OrderExpr("2 DESC, 1").Limit(MaxGroups).Scan(ctx, &rows)
	if err != nil {
		return 0, nil, failure(err, "count")
	}
	for _, r := range rows {
		total, groups = r.Total, append(groups, r.Group)
	}
	return total, groups, nil
}

// ListOperations reads a page of the operations, the newest first.
func (q *Queries) ListOperations(ctx context.Context, query Query) (rows []Operation, next string, err error) {
	return page(ctx, query.Sees.narrowOperations(q, q.db.NewSelect().Model(&rows)), &rows, operationTable(), query, func(o *Operation) map[string]any {
		return map[string]any{
			"id": o.ID, "verb": o.Verb, "kind": o.Kind, "connection": o.Connection, "name": o.Name, "uid": o.UID,
			"state": o.State, "parent": o.Parent, "created_at": o.CreatedAt, "ended_at": o.EndedAt,
		}
	})
}

// filter narrows a selection to the rows that fit all of the filters.
func (t table) filter(sel *bun.SelectQuery, filters []Filter) (*bun.SelectQuery, error) {
	for _, f := range filters {
		expr, args, err := t.expr("filter", f.Field)
		if err != nil {
			return nil, err
		}
		switch f.Op {
		case FilterEqual:
			sel = sel.Where(expr+" = ?", append(args, f.Value)...)
		case FilterNotEqual:
			sel = sel.Where("coalesce("+expr+", '') <> ?", append(args, f.Value)...)
		case FilterContains:
			sel = sel.Where("lower("+expr+") LIKE ? ESCAPE '!'", append(args, containing(strings.ToLower(f.Value)))...)
		}
	}
	return sel, nil
}

// order is in which order a list is.
type order struct{ text, column string }

// paged narrows a selection to one page of what fits the filters, and a row more if there is another page.
// Pages are found by the last row's place in the order, so that rows that come and go in between neither
// repeat nor hide others.
func (t table) paged(sel *bun.SelectQuery, query Query) (*bun.SelectQuery, order, error) {
	sel, err := t.filter(sel, query.Filters)
	if err != nil {
		return nil, order{}, err
	}
	by := order{text: cmp.Or(query.Sort, t.order)}
	field, desc := strings.CutPrefix(by.text, "-")
	var ok bool
	if by.column, ok = t.columns[field]; !ok {
		return nil, by, invalidParam("sort", "%.64q is not a field to sort by; those are: %s, each with a leading - for descending", field, strings.Join(slices.Sorted(maps.Keys(t.columns)), ", "))
	}
	direction, compare := "ASC", ">"
	if desc {
		direction, compare = "DESC", "<"
	}
	if query.Token != "" {
		last, err := parsePageToken(query.Token, by.text, strings.Contains(t.times, " "+field+" "))
		if err != nil {
			return nil, by, err
		}
		sel = sel.Where("(?, ?) "+compare+" (?, ?)", bun.Ident(by.column), bun.Ident(t.key), last.Value, last.Key)
	}
	return sel.OrderExpr("? "+direction+", ? "+direction, bun.Ident(by.column), bun.Ident(t.key)).Limit(int64(query.Limit) + 1), by, nil
}

// page reads one page of what of a selection fits the filters.
func page[R any](ctx context.Context, sel *bun.SelectQuery, rows *[]R, t table, query Query, values func(*R) map[string]any) ([]R, string, error) {
	sel, by, err := t.paged(sel, query)
	if err != nil {
		return nil, "", err
	}
	if err := sel.Scan(ctx); err != nil {
		return nil, "", failure(err, "list")
	}
	if len(*rows) <= query.Limit {
		return *rows, "", nil
	}
	*rows = (*rows)[:query.Limit]
	last := values(&(*rows)[query.Limit-1])
	return *rows, pageToken{Order: by.text, Value: last[by.column], Key: last[t.key]}.String(), nil
}

// memberName is what a label's key, or a field of spec and status, can be called.
// SQLite takes some others for a path of its own.
var memberName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// expr returns the SQL of a field that the parameter param names.
func (t table) expr(param, field string) (expr string, args []any, err error) {
	if sql, ok := t.looked[field]; ok {
		return sql, nil, nil
	}
	if column, ok := t.columns[field]; ok && !strings.Contains(t.times, " "+field+" ") {
		return "?", []any{bun.Ident(column)}, nil
	}
	object, member, ok := strings.Cut(field, ".")
	if sql := t.objects[object]; ok && memberName.MatchString(member) && sql != "" {
		return "CAST(" + sql + " ->> ? AS text)", []any{member}, nil
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(t.columns)), maps.Keys(t.looked))
	for object := range t.objects {
		names = append(names, object+".…")
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(t.times, " "+name+" ") })
	slices.Sort(names)
	return "", nil, invalidParam(param, "%.64q is not a field that it knows; those are: %s", field, strings.Join(names, ", "))
}

func likeEscaper() *strings.Replacer { return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_") }

// pageToken is where a page ended.
type pageToken struct {
	Order string `json:"o"`
	Value any    `json:"v"`
	Key   any    `json:"k"`
}

func (t pageToken) String() string {
	raw, _ := json.Marshal(t) // strings and numbers always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parsePageToken reads what a client sent back; it may have been tampered with.
func parsePageToken(text, order string, number bool) (pageToken, error) {
	var t pageToken
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber() // times do not fit a float
		err = dec.Decode(&t)
	}
	if err != nil || t.Order != order {
		return t, invalidParam("pageToken", "is not one that this list answered with the same sort; start again without it")
	}
	damaged := invalidParam("pageToken", "is damaged; start again without it")
	if key, ok := t.Key.(string); !ok || strings.ContainsRune(key, 0) {
		return t, damaged
	}
	switch v := t.Value.(type) {
	case json.Number:
		if t.Value, err = v.Int64(); err != nil || !number {
			return t, damaged
		}
	case string:
		if number || strings.ContainsRune(v, 0) {
			return t, damaged
		}
	default:
		return t, damaged
	}
	return t, nil
}
