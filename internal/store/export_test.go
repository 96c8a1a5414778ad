package store

import "context"

// SetSchemaVersion pretends that a later version has migrated the database.
func (s *Store) SetSchemaVersion(ctx context.Context, version int64) error {
	_, err := s.write.ExecContext(ctx, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)", version)
	return err
}

// ForgetSearch leaves the rows as a version wrote them that knew no search.
func (s *Store) ForgetSearch(ctx context.Context) error {
	_, err := s.write.ExecContext(ctx, "UPDATE resources SET search = ''")
	return err
}
