package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// MasterKey is a row: a key that values in this database are sealed with.
type MasterKey struct {
	bun.BaseModel `bun:"table:master_keys,alias:master_keys"`

	ID        string `bun:"id,pk"`
	Canary    []byte // a known text, sealed with it
	Current   bool   // what is sealed now is sealed with it
	Handed    []byte // this key, sealed with the other one while there are two
	CreatedAt Micros
}

// MasterKeys reads all, the current one first.
func (q *Queries) MasterKeys(ctx context.Context) (rows []MasterKey, err error) {
	sel := q.db.NewSelect().Model(&rows).Order("current DESC")
	if q.lock {
		sel = sel.For("UPDATE")
	}
	return rows, failure(sel.Scan(ctx), "read which master key the database has")
}

// InsertMasterKey records one. Of two servers that do so at the same time one is refused.
func (q *Queries) InsertMasterKey(ctx context.Context, row *MasterKey) error {
	return q.insert(ctx, row, "the database has a master key already")
}

// UpdateMasterKey writes one anew.
func (q *Queries) UpdateMasterKey(ctx context.Context, row *MasterKey) error {
	_, err := q.db.NewUpdate().Model(row).Column("current", "handed").WherePK().Exec(ctx)
	return failure(err, "record the master key %s", row.ID)
}

// DeleteMasterKey removes one.
func (q *Queries) DeleteMasterKey(ctx context.Context, id string) error {
	_, err := q.db.NewDelete().Model((*MasterKey)(nil)).Where("id = ?", id).Exec(ctx)
	return failure(err, "forget the master key %s", id)
}

// sealedNow refuses values that were sealed with a key which the database does not have
// any more: a server that has not heard of a change must not write what nobody can open.
// On PostgreSQL a key that is used cannot be removed before the transaction has ended.
func (q *Queries) sealedNow(ctx context.Context, values ...[]byte) error {
	values = slices.DeleteFunc(values, func(v []byte) bool { return len(v) == 0 || string(v) == Wiped })
	if len(values) == 0 {
		return nil
	}
	var ids []string
	sel := q.db.NewSelect().Model((*MasterKey)(nil)).Column("id").Order("current DESC") // locked in the order of MasterKeys
	if q.lock {
		sel = sel.For("SHARE")
	}
	if err := sel.Scan(ctx, &ids); err != nil {
		return failure(err, "read which master key the database has")
	}
	if len(ids) > 0 && slices.ContainsFunc(values, func(v []byte) bool { return !slices.Contains(ids, secret.KeyID(v)) }) {
		return resource.Errorf(resource.CodeUnavailable, "the master key has changed meanwhile; try again")
	}
	return nil
}

// Sealed is a sealed value, wherever it lies.
type Sealed struct {
	Place string // the table
	Key   string // of the row
	Name  string // the rest of the key, of a resource's
	Value []byte
}

// place is a column with sealed values, and how its rows are found.
type place struct {
	table, column string
	key           []string // one or two columns
	identity      func(*Sealed) string
}

// places are all columns with sealed values.
func places() []place {
	return []place{
		{"credentials", "sealed", []string{"name"}, func(s *Sealed) string { return (&Credential{Name: s.Key}).Identity() }},
		{"operations", "hidden", []string{"id"}, func(s *Sealed) string { return (&Operation{ID: s.Key}).Identity() }},
		{"people_logins", "sealed", []string{"hash"}, func(s *Sealed) string { return (&UserLogin{Hash: s.Key}).Identity() }},
		{"people_users", "totp", []string{"name"}, func(s *Sealed) string { return (&User{Name: s.Key}).Identity() }},
		{"repositories", "sealed", []string{"name"}, func(s *Sealed) string { return (&Repository{Name: s.Key}).Identity() }},
		{"secrets", "sealed", []string{"uid", "name"}, func(s *Sealed) string { return (&Secret{UID: s.Key, Name: s.Name}).Identity() }},
	}
}

func (s *Sealed) at() place {
	all := places()
	return all[slices.IndexFunc(all, func(p place) bool { return p.table == s.Place })]
}

// Identity is what it is sealed for.
func (s *Sealed) Identity() string { return s.at().identity(s) }

// sealedBy is what says which key sealed a value: as much of it as secret.Prefix has.
const sealedBy = "substr(value, 1, 5)"

// allSealed selects the sealed values of places. What is too short to be one, such as
// Wiped, is none.
func allSealed(places []place) string {
	selects := make([]string, len(places))
	for i, p := range places {
		key := append(slices.Clone(p.key), "''")
		selects[i] = fmt.Sprintf("SELECT '%s' AS place, %s AS key, %s AS name, %s AS value FROM %[1]s WHERE length(%[4]s) > %d", p.table, key[0], key[1], p.column, len(Wiped))
	}
	return "(" + strings.Join(selects, " UNION ALL ") + ") AS all_sealed"
}

// SealedOtherwise reads values that are not sealed with a key, in the order of their
// places, from behind one on.
func (q *Queries) SealedOtherwise(ctx context.Context, key string, after Sealed, limit int) (rows []Sealed, err error) {
	err = q.db.NewSelect().TableExpr(allSealed(places())).Where(sealedBy+" <> ?", secret.Prefix(key)).
		Where("(place, key, name) > (?, ?, ?)", after.Place, after.Key, after.Name).
		Order("place", "key", "name").Limit(int64(limit)).Scan(ctx, &rows)
	return rows, failure(err, "read what is sealed with another master key")
}

// SealedWith reads some of the values that are sealed with a key.
func (q *Queries) SealedWith(ctx context.Context, key string, limit int) (rows []Sealed, err error) {
	err = q.db.NewSelect().TableExpr(allSealed(places())).Where(sealedBy+" = ?", secret.Prefix(key)).Limit(int64(limit)).Scan(ctx, &rows)
	return rows, failure(err, "read what is sealed with the master key %s", key)
}

// CountSealed counts the sealed values by the id of their key.
func (q *Queries) CountSealed(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Prefix []byte
		Count  int
	}
	err := q.db.NewSelect().TableExpr(allSealed(places())).ColumnExpr(sealedBy+" AS prefix").ColumnExpr("count(*) AS count").Group("prefix").Scan(ctx, &rows)
	counts := map[string]int{}
	for _, r := range rows {
		counts[secret.KeyID(r.Prefix)] += r.Count
	}
	return counts, failure(err, "count what is sealed")
}

// Reseal puts another value in the place of a sealed one, unless that has changed or gone.
func (q *Queries) Reseal(ctx context.Context, s *Sealed, value []byte) error {
	if err := q.sealedNow(ctx, value); err != nil {
		return err
	}
	p := s.at()
	update := q.db.NewUpdate().Table(p.table).Set("? = ?", bun.Ident(p.column), value).Where("? = ?", bun.Ident(p.column), s.Value)
	for i, part := range []string{s.Key, s.Name}[:len(p.key)] {
		update = update.Where("? = ?", bun.Ident(p.key[i]), part)
	}
	_, err := update.Exec(ctx)
	return failure(err, "seal %s anew", s.Identity())
}

// SealedInSQLite answers the ids of the master keys that a file has, and how many values
// are sealed in it. One of an older version names no keys, and lacks some places.
func SealedInSQLite(ctx context.Context, file string) (keys []string, sealed int, err error) {
	raw, err := openFile(file, "mode=ro&immutable=1")
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	var failed error
	missing := func(table, column string) (none bool) {
		err := raw.QueryRowContext(ctx, "SELECT count(*) = 0 FROM pragma_table_info(?) WHERE name = ?", table, column).Scan(&none)
		failed = errors.Join(failed, err)
		return none
	}
	have := slices.DeleteFunc(places(), func(p place) bool { return missing(p.table, p.column) })
	old := missing("master_keys", "id")
	db := bun.NewDB(raw, sqlitedialect.New())
	if failed == nil && len(have) > 0 {
		failed = db.NewSelect().TableExpr(allSealed(have)).ColumnExpr("count(*)").Scan(ctx, &sealed)
	}
	if failed == nil && !old {
		failed = db.NewSelect().Model((*MasterKey)(nil)).Column("id").Order("current DESC").Scan(ctx, &keys)
	}
	if failed != nil {
		return nil, 0, fmt.Errorf("see what is sealed: %w", failed)
	}
	return keys, sealed, nil
}
