package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/guard"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// openFolder makes the data folder, or sees that it is this user's alone.
func (o *serverOptions) openFolder(logger *slog.Logger) error {
	guard.Only()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	closed, err := guard.Folder(o.data, store.SQLiteFiles()...)
	if len(closed) > 0 {
		logger.Warn("others could read what is in the data folder, and cannot any more", "was", closed)
	}
	return err
}

// What is in a data folder in which a server was before. The first two may also have been
// put there for the first start on a database that servers share.
const (
	ofSQLite = masterKeyFile + "*,lock"
	ofServer = "installed/*,work/*"
)

// openStore opens the database. It takes none for new where there has been one: a volume
// that was not mounted or a wrong address must not look like a fresh start.
func (o *serverOptions) openStore(ctx context.Context, logger *slog.Logger) (*store.Store, error) {
	saved, err := store.Saved(o.data)
	if err != nil {
		return nil, err
	}
	if len(saved) > 0 && o.databaseURL == "" {
		return nil, resource.Errorf(resource.CodeConflict, "%s has what a server had recorded when its database was taken away: %s", saved[0], store.PutBack(saved[0]))
	}
	if err := o.knowDatabase(ctx); err != nil {
		return nil, err
	}
	if o.databaseURL == "" {
		return store.OpenSQLite(ctx, o.data)
	}
	db, err := store.OpenPostgres(ctx, o.databaseURL)
	if err != nil {
		return nil, err
	}
	amcheck, checksums, err := db.Checks(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	logger.Info("PostgreSQL's files are looked at for damage, as far as it lets see", "amcheck", amcheck, "checksums", checksums)
	return db, nil
}

func (o *serverOptions) knowDatabase(ctx context.Context) error {
	begun, err := store.Begun(ctx, o.data, o.databaseURL)
	if begun || o.newDatabase || err != nil {
		return err
	}
	where, way, patterns := filepath.Join(o.data, store.SQLiteFile), "mcic server restore FILE --data "+o.data, ofSQLite+","+ofServer
	if o.databaseURL != "" {
		where, way, patterns = "the database at --database-url", "pg_restore", ofServer
	}
	for pattern := range strings.SplitSeq(patterns, ",") {
		found, err := filepath.Glob(filepath.Join(o.data, pattern))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return resource.Errorf(resource.CodeNotFound, "%s is empty or not there, but a server has used the data folder before, which has left %s. If the database should be there, see whether its disk is mounted and its name is right, or restore the last backup with %s. To begin with a new one, start the server once with --new-database; credentials and connections are then to be registered anew, and resources adopted", where, found[0], way)
		}
	}
	return nil
}
