package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
)

// SetSchemaVersion pretends that a later version has migrated the database.
func (s *Store) SetSchemaVersion(ctx context.Context, version int64) error {
	_, err := s.write.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)", version)
	return err
}

// Fill lets the database become no larger than it is, as a full disk does, or again
// as large as it likes.
func (s *Store) Fill(ctx context.Context, full bool) error {
	pages := 1 << 30
	if full {
		if err := s.write.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
	}
	_, err := s.write.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}

// ForgetSearch leaves the rows as a version wrote them that knew no search.
func (s *Store) ForgetSearch(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, "UPDATE resources SET search = ''")
	return err
}

// Waiting is how many changes wait for the writer of SQLite.
func (s *Store) Waiting() int {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	return len(s.batches.waiting)
}

// ForgetAddresses leaves the rows as a version wrote them that kept no addresses.
func (s *Store) ForgetAddresses(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, "DELETE FROM addresses"); err != nil {
		return err
	}
	_, err := s.write.ExecContext(ctx, "UPDATE resources SET addresses = '?'")
	return err
}

// ForgetDocuments leaves the rows as a version wrote them that kept no documents.
func (s *Store) ForgetDocuments(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, "UPDATE resources SET document = ''")
	return err
}

// Kept answers the document that is kept of a resource.
func (s *Store) Kept(ctx context.Context, uid string) (text string, err error) {
	err = s.read.NewSelect().Table("resources").Column("document").Where("uid = ?", uid).Scan(ctx, &text)
	return text, err
}

// Again takes the migrations from a version on back, and makes them again.
func (s *Store) Again(ctx context.Context, version int64) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, version-1); err != nil {
		return err
	}
	return s.Migrate(ctx)
}

// Migrate makes all migrations that are to be made.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// Before takes all migrations after a version back.
func (s *Store) Before(ctx context.Context, version int64) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	_, err = p.DownTo(ctx, version)
	return err
}

func (s *Store) migrations() (*goose.Provider, error) {
	d := goose.DialectSQLite3
	if s.postgres {
		d = goose.DialectPostgres
	}
	changes, err := schemaChanges(d)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(d, s.write.DB, nil, goose.WithGoMigrations(changes...))
}

// Bytes answers the columns for bytes of the whole schema, as table.column, with what is
// in them. The tables of the search index are SQLite's.
func (s *Store) Bytes(ctx context.Context) (map[string][][]byte, error) {
	list := "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'resources\\_search\\_%' ESCAPE '\\' AND lower(c.type) IN ('bytea', 'blob')"
	if s.postgres {
		list = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() AND data_type = 'bytea'"
	}
	var names []string
	if err := s.read.NewRaw(list).Scan(ctx, &names); err != nil {
		return nil, err
	}
	all := map[string][][]byte{}
	for _, name := range names {
		table, column, _ := strings.Cut(name, ".")
		var values [][]byte
		if err := s.read.NewSelect().Table(table).Column(column).Where("? IS NOT NULL", bun.Ident(column)).Scan(ctx, &values); err != nil {
			return nil, err
		}
		all[name] = values
	}
	return all, nil
}

// Commit has a commit begin, or end.
func (s *Store) Commit() { s.batches.commits.Add(1) }

// Blocked is how many wait for a lock of another transaction.
func (s *Store) Blocked(ctx context.Context) (n int, err error) {
	err = s.read.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(ctx, &n)
	return n, err
}

// CheckNow has the structure of the database looked at, as it is now and then.
func (s *Store) CheckNow(ctx context.Context) error {
	err := s.checkAll(ctx, 1)
	s.checked(err)
	return err
}

// Exec runs a statement as somebody would who can write to the database.
func (s *Store) Exec(ctx context.Context, statement string) error {
	return s.Update(ctx, func(ctx context.Context, q *Queries) error {
		_, err := q.db.ExecContext(ctx, statement)
		return err
	})
}

// heard keeps the statements that are run.
type heard []string

func (h *heard) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (h *heard) AfterQuery(_ context.Context, event *bun.QueryEvent) { *h = append(*h, event.Query) }

// Scans answers what the statements that run makes do to go through a whole table, by its name,
// on SQLite. What run makes is undone.
func (s *Store) Scans(ctx context.Context, table string, run func(*Queries) error) ([]string, error) {
	plan, err := s.Plan(ctx, run)
	return slices.DeleteFunc(plan, func(step string) bool { return !strings.HasPrefix(step, "SCAN "+table) }), err
}

// Plan answers how the statements that run makes are carried out, on SQLite. What run makes is
// undone.
func (s *Store) Plan(ctx context.Context, run func(*Queries) error) (steps []string, err error) {
	statements := &heard{}
	tx, err := s.write.WithQueryHook(statements).BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := run(&Queries{db: tx}); err != nil {
		return nil, err
	}
	for _, statement := range *statements {
		var plan []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := tx.NewRaw("EXPLAIN QUERY PLAN "+statement).Scan(ctx, &plan); err != nil {
			return nil, err
		}
		for _, step := range plan {
			steps = append(steps, step.Detail)
		}
	}
	return steps, nil
}

// SealedAfter reads as the verification of the audit trail does.
func (q *Queries) SealedAfter(ctx context.Context, seq, last int64) ([]Audit, error) {
	return q.sealedAfter(ctx, seq, last)
}

// Shift has the database's clock seem to be ahead of this server's, until it is read again.
func (s *Store) Shift(by time.Duration) {
	now := time.Now()
	s.clock.Store(&clock{now, now.Add(by)})
}
