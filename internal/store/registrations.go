package store

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"
)

// Registration is a row: something that a client has named, such as a region, and
// that connections are made from.
type Registration struct {
	bun.BaseModel `bun:"table:registrations"`

	Type      string          `bun:",pk"`
	Name      string          `bun:",pk"`
	Cloud     string          //
	Value     json.RawMessage `bun:"type:jsonb"`
	CreatedAt Micros
}

// Registration reads one.
func (q *Queries) Registration(ctx context.Context, typ, name string) (*Registration, error) {
	row := &Registration{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("type = ?", typ).Where("name = ?", name),
		"there is no %s %s", typ, name)
}

// Registrations reads those of a type, by name; with a cloud only that cloud's.
func (q *Queries) Registrations(ctx context.Context, typ, cloud string) (rows []Registration, err error) {
	sel := q.db.NewSelect().Model(&rows).Where("type = ?", typ).Order("name")
	if cloud != "" {
		sel = sel.Where("cloud = ?", cloud)
	}
	return rows, failure(sel.Scan(ctx), "list the registered %ss", typ)
}

// PutRegistration records one, in place of one of the same name.
func (q *Queries) PutRegistration(ctx context.Context, row *Registration) error {
	_, err := q.db.NewInsert().Model(row).On("CONFLICT (type, name) DO UPDATE").
		Set("cloud = EXCLUDED.cloud").Set("value = EXCLUDED.value").Exec(ctx)
	return failure(err, "record the %s %s", row.Type, row.Name)
}

// DeleteRegistration removes one.
func (q *Queries) DeleteRegistration(ctx context.Context, typ, name string) error {
	_, err := q.db.NewDelete().Model((*Registration)(nil)).Where("type = ?", typ).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the %s %s", typ, name)
}

// UpdateCredential writes the values of one anew.
func (q *Queries) UpdateCredential(ctx context.Context, row *Credential) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	_, err := q.db.NewUpdate().Model(row).Column("fields", "sealed", "expires_at").WherePK().Exec(ctx)
	return failure(err, "record the credential %s", row.Name)
}

// UpdateConnection writes all that can change.
func (q *Queries) UpdateConnection(ctx context.Context, row *Connection) error {
	_, err := q.db.NewUpdate().Model(row).Column("cloud", "credential", "region", "zone", "settings", "account", "lacks", "scopes", "updated_at").WherePK().Exec(ctx)
	return failure(err, "record the connection %s", row.Name)
}

// SetPatience records how long changes may take in a connection.
func (q *Queries) SetPatience(ctx context.Context, row *Connection) error {
	_, err := q.db.NewUpdate().Model(row).Column("patience").WherePK().Exec(ctx)
	return failure(err, "record the patience of the connection %s", row.Name)
}

// RenewSessions has the connections that use a credential open new sessions, and answers their
// names and clouds.
func (q *Queries) RenewSessions(ctx context.Context, credential string, now Micros) (rows []Connection, err error) {
	_, err = q.db.NewUpdate().Model(&rows).Set("updated_at = ?", now).Where("credential = ?", credential).Returning("name, cloud").Exec(ctx)
	return rows, failure(err, "note that the credential %s changed", credential)
}

// TouchConnections has the connections that use a credential open new sessions, and
// find out anew what account it opens and what they lack.
func (q *Queries) TouchConnections(ctx context.Context, credential string, now Micros) error {
	_, err := q.db.NewUpdate().Model((*Connection)(nil)).Set("updated_at = ?", now).Set("account = ''").Set("lacks = NULL").Set("scopes = NULL").Where("credential = ?", credential).Exec(ctx)
	return failure(err, "note that the credential %s changed", credential)
}
