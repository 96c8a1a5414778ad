package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Repository is a row: a place that drivers are installed from.
type Repository struct {
	bun.BaseModel `bun:"table:repositories,alias:repositories"`

	Name      string `bun:",pk"`
	URL       string `bun:"url"`
	Priority  int
	Keys      []api.TrustedKey `bun:"type:jsonb"`
	Insecure  bool
	PlainHTTP bool `bun:"plain_http"`
	Username  string
	Sealed    []byte // the password
	CreatedAt Micros
}

// Resource converts to what users see, but for its keys' fingerprints.
func (r *Repository) Resource() api.Repository {
	return api.Repository{
		Name: r.Name, URL: r.URL, Priority: r.Priority, Keys: r.Keys, Insecure: r.Insecure, PlainHTTP: r.PlainHTTP, Username: r.Username,
		CreatedAt: r.CreatedAt.pointer(),
	}
}

// Identity is what its password is sealed for.
func (r *Repository) Identity() string { return "repository/" + r.Name }

// Driver is a row: the version of a driver that every server runs.
type Driver struct {
	bun.BaseModel `bun:"table:drivers,alias:drivers"`

	Name           string `bun:",pk"`
	Version        string
	Repository     string
	Digest         string
	Key            string
	Previous       string
	PreviousDigest string
	InstalledAt    Micros
}

// Resource converts to what users see.
func (d *Driver) Resource() *resource.DriverInstallation {
	return &resource.DriverInstallation{
		Version: d.Version, Repository: d.Repository, Digest: d.Digest, Key: d.Key, Previous: d.Previous, InstalledAt: d.InstalledAt.pointer(),
	}
}

// Repositories reads all, by name.
func (q *Queries) Repositories(ctx context.Context) (rows []Repository, err error) {
	err = q.db.NewSelect().Model(&rows).Order("name").Scan(ctx)
	return rows, failure(err, "list the repositories")
}

// Repository reads one.
func (q *Queries) Repository(ctx context.Context, name string) (*Repository, error) {
	row := &Repository{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name),
		"there is no repository %s; list them with: mcic repository list", name)
}

// InsertRepository records one.
func (q *Queries) InsertRepository(ctx context.Context, row *Repository) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	return q.insert(ctx, row, "the repository %s exists already; choose another name or delete it first", row.Name)
}

// UpdateRepository changes one.
func (q *Queries) UpdateRepository(ctx context.Context, row *Repository) error {
	if err := q.sealedNow(ctx, row.Sealed); err != nil {
		return err
	}
	_, err := q.db.NewUpdate().Model(row).WherePK().Exec(ctx)
	return failure(err, "change the repository %s", row.Name)
}

// DeleteRepository removes one.
func (q *Queries) DeleteRepository(ctx context.Context, name string) error {
	_, err := q.db.NewDelete().Model((*Repository)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "delete the repository %s", name)
}

// Drivers reads which drivers are wanted, by name.
func (q *Queries) Drivers(ctx context.Context) (rows []Driver, err error) {
	err = q.db.NewSelect().Model(&rows).Order("name").Scan(ctx)
	return rows, failure(err, "list the installed drivers")
}

// Driver reads one.
func (q *Queries) Driver(ctx context.Context, name string) (*Driver, error) {
	row := &Driver{}
	return row, q.one(ctx, q.db.NewSelect().Model(row).Where("name = ?", name),
		"the driver %s is not installed from a repository; see: mcic driver list", name)
}

// PutDriver records which version of a driver is wanted.
func (q *Queries) PutDriver(ctx context.Context, row *Driver) error {
	_, err := q.db.NewInsert().Model(row).On("CONFLICT (name) DO UPDATE").
		Set("version = EXCLUDED.version").Set("repository = EXCLUDED.repository").Set("digest = EXCLUDED.digest").Set("key = EXCLUDED.key").
		Set("previous = EXCLUDED.previous").Set("previous_digest = EXCLUDED.previous_digest").Set("installed_at = EXCLUDED.installed_at").
		Exec(ctx)
	return failure(err, "record the driver %s", row.Name)
}

// DeleteDriver records that a driver is wanted no more.
func (q *Queries) DeleteDriver(ctx context.Context, name string) error {
	_, err := q.db.NewDelete().Model((*Driver)(nil)).Where("name = ?", name).Exec(ctx)
	return failure(err, "remove the driver %s", name)
}
