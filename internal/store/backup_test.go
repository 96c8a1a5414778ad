package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func openDir(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

// count is how many of vm(0), vm(1), … there are, without a gap.
func count(t *testing.T, s *store.Store) int {
	t.Helper()
	rows, err := s.Read().ResourcesIn(t.Context(), "c", "vm")
	require.NoError(t, err)
	for i := range rows {
		_, err := s.Read().ResourceByUID(t.Context(), vm(i).UID)
		require.NoError(t, err, "%d of %d", i, len(rows))
	}
	return len(rows)
}

func TestABackupIsTheDatabaseOfOneMoment(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	var (
		written atomic.Int64
		group   sync.WaitGroup
	)
	ctx, stop := context.WithCancel(t.Context())
	group.Go(func() { // two rows in each transaction: a copy has both or none
		for i := 0; ctx.Err() == nil; i += 2 {
			err := s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				if err := q.InsertResource(ctx, vm(i), nil); err != nil {
					return err
				}
				return q.InsertResource(ctx, vm(i+1), nil)
			})
			if !assert.NoError(t, err, "the backup disturbs the server") {
				return
			}
			written.Add(2)
		}
	})
	defer group.Wait()
	defer stop()
	for range 5 {
		before := written.Load()
		copied := t.TempDir()
		file := filepath.Join(copied, store.SQLiteFile)
		require.NoError(t, store.BackupSQLite(t.Context(), dir, file))
		require.NoError(t, store.CheckSQLite(t.Context(), file))
		have := count(t, openDir(t, copied))
		assert.Zero(t, have%2)
		assert.GreaterOrEqual(t, have, int(before))
		require.Error(t, store.BackupSQLite(t.Context(), dir, file), "a file that is there is left as it is")
	}
}

func TestABackupHasWhatAKilledServerWrote(t *testing.T) {
	dir, killed, copied := t.TempDir(), t.TempDir(), t.TempDir()
	s := openDir(t, dir)
	insert(t, s, vm(0), vm(1))
	for _, suffix := range []string{"", "-wal"} { // what kill -9 leaves: the rows are in the log only
		raw, err := os.ReadFile(filepath.Join(dir, store.SQLiteFile+suffix))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(killed, store.SQLiteFile+suffix), raw, 0o600))
	}
	require.NoError(t, store.BackupSQLite(t.Context(), killed, filepath.Join(copied, store.SQLiteFile)))
	assert.Equal(t, 2, count(t, openDir(t, copied)))
}

func TestOnlyADatabaseIsBackedUp(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "copy")
	require.ErrorIs(t, store.BackupSQLite(t.Context(), dir, file), os.ErrNotExist)
	assert.NoFileExists(t, filepath.Join(dir, store.SQLiteFile), "looking for it made one")
	require.NoError(t, os.WriteFile(filepath.Join(dir, store.SQLiteFile), []byte("this is not a database, whatever its name says, and long enough"), 0o600))
	require.ErrorContains(t, store.BackupSQLite(t.Context(), dir, file), "not a database")
	require.ErrorContains(t, store.CheckSQLite(t.Context(), filepath.Join(dir, store.SQLiteFile)), "not a database")
}

func TestACopyOfANewerOrAnotherProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, store.SQLiteFile)
	s := openDir(t, dir)
	require.NoError(t, s.SetSchemaVersion(t.Context(), 99999))
	require.NoError(t, s.Close())
	require.ErrorContains(t, store.CheckSQLite(t.Context(), file), "this program knows up to")
	require.NoError(t, os.WriteFile(file, nil, 0o600)) // an empty file is an empty database
	require.ErrorContains(t, store.CheckSQLite(t.Context(), file), "schema")
}

func TestAFolderWithADatabaseIsNotRestoredInto(t *testing.T) {
	dir := t.TempDir()
	guard, err := store.LockForRestore(dir)
	require.NoError(t, err)
	_, err = store.OpenSQLite(t.Context(), dir)
	require.ErrorContains(t, err, "another server", "no server starts while it is restored")
	require.NoError(t, guard.Close())

	s := openDir(t, dir)
	_, err = store.LockForRestore(dir)
	require.ErrorContains(t, err, "another server")
	require.NoError(t, s.Close())
	_, err = store.LockForRestore(dir)
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))

	rest := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(rest, store.SQLiteFile+"-wal"), nil, 0o600))
	_, err = store.LockForRestore(rest)
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
}
