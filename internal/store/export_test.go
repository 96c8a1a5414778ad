package store

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
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

// Again takes the migrations from a version on back, and makes them again.
func (s *Store) Again(ctx context.Context, version int64) error {
	d := goose.DialectSQLite3
	if s.postgres {
		d = goose.DialectPostgres
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, s.write.DB, files, goose.WithGoMigrations(searchIndex(d)))
	if err != nil {
		return err
	}
	if _, err := p.DownTo(ctx, version-1); err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}
