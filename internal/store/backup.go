package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// BackupSQLite writes a copy of the database in a data folder to a new file. The
// copy is the database of one moment, also while a server goes on writing.
func BackupSQLite(ctx context.Context, dir, file string) (err error) {
	if _, err := os.Stat(filepath.Join(dir, SQLiteFile)); err != nil {
		return fmt.Errorf("find the database: %w", err)
	}
	db, err := openFile(filepath.Join(dir, SQLiteFile), "mode=rw&_pragma=busy_timeout(10000)") // not ro: after a crash of the server its log is to be read too
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", file); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return nil
}

// CheckSQLite refuses a file that is not whole, or that a newer version has written.
func CheckSQLite(ctx context.Context, file string) (err error) {
	db, err := openFile(file, "mode=ro&immutable=1") // leaves nothing beside the file
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var finding string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&finding); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	if finding != "ok" {
		return fmt.Errorf("the database is damaged: %s", finding)
	}
	var have int64
	if err := db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&have); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	newest, err := newestSchema()
	if err != nil {
		return err
	}
	if have > newest {
		return fmt.Errorf("the database has schema version %d, this program knows up to %d; use the version of mcic that wrote it, or a newer one", have, newest)
	}
	return nil
}

// OpenBeside opens the database of servers that may run meanwhile: that at a URL, or
// without one the one in a data folder. Its schema is left as it is.
func OpenBeside(ctx context.Context, dir, databaseURL string) (*Store, error) {
	newest, err := newestSchema()
	if err != nil {
		return nil, err
	}
	var s *Store
	if databaseURL != "" {
		s, err = connect(databaseURL)
	} else {
		s, err = openSQLiteBeside(dir)
	}
	if err != nil {
		return nil, err
	}
	var have int64
	if err := s.read.NewRaw("SELECT max(version_id) FROM goose_db_version").Scan(ctx, &have); err != nil {
		return nil, errors.Join(failure(err, "read the schema's version"), s.Close())
	}
	if have != newest {
		return nil, errors.Join(resource.Errorf(resource.CodeConflict, "the database has schema version %d, this program has %d; start the server of this version first", have, newest), s.Close())
	}
	return s, nil
}

func openSQLiteBeside(dir string) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, SQLiteFile)); err != nil {
		return nil, resource.Errorf(resource.CodeNotFound, "there is no database in %s; name the server's data folder with --data, or its PostgreSQL with --database-url: %w", dir, err)
	}
	write, err := writer(dir)
	if err != nil {
		return nil, err
	}
	return withReaders(dir, write)
}

// LockForRestore takes the lock of a data folder, unless a server runs there or it
// holds a database.
func LockForRestore(dir string) (io.Closer, error) {
	guard, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} { // SQLite would mix what is left of another database into this one
		path := filepath.Join(dir, SQLiteFile+suffix)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(resource.Errorf(resource.CodeConflict,
				"%s is there already, and is not overwritten; restore into another folder with: mcic server restore FILE --data FOLDER, or move it away", path), err, guard.Close())
		}
	}
	return guard, nil
}

func openFile(path, options string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// newestSchema is the schema version that this program brings a database to.
func newestSchema() (int64, error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	newest := int64(0)
	for _, f := range files {
		version, err := goose.NumericComponent(f)
		if err != nil {
			return 0, fmt.Errorf("read the migrations: %w", err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}
