package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Alone reports whether nobody else uses the database just now, for a program that has opened
// it beside servers. A server that starts afterwards reads what there is then.
func (s *Store) Alone(ctx context.Context) (alone bool, err error) {
	if !s.postgres {
		return unlocked(s.dir)
	}
	err = s.read.NewRaw(`SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
		AND application_name IS DISTINCT FROM current_setting('application_name'))`).Scan(ctx, &alone)
	return alone, failure(err, "look who uses the database")
}

// unlocked reports whether no server uses a data folder.
func unlocked(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0) //nolint:gosec // the data folder is the operator's
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether a server uses the data folder: %w", err)
	}
	defer func() { _ = f.Close() }() // the lock goes with it
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil, nil
}
