// Package store keeps credentials, connections, resources and operations in SQL:
// SQLite in the data folder by default, PostgreSQL when several servers share the
// work. Both run the same statements.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/m-cmp/mc-infra-connector/resource"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the database. It is safe for concurrent use.
type Store struct {
	read, write *bun.DB
	batches     *batches // of changes, on SQLite
	postgres    bool
	config      *pgx.ConnConfig // of PostgreSQL
	guard       io.Closer       // of the SQLite folder
	dir         string          // of SQLite
	files       files           // of SQLite
	health      health
	clock       atomic.Pointer[clock] // of PostgreSQL
}

// SQLiteFile is the name of the database file in the data folder.
const SQLiteFile = "mcic.db"

// SQLiteFiles are the names of all files that belong to it.
func SQLiteFiles() []string {
	return []string{SQLiteFile, SQLiteFile + "-wal", SQLiteFile + "-shm", SQLiteFile + "-journal", lockName}
}

// lockName is the name of the file that keeps a second server away.
const lockName = "lock"

// OpenSQLite opens the database in a data folder, creating it at the first start.
func OpenSQLite(ctx context.Context, dir string) (*Store, error) {
	guard, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s, err := openSQLite(ctx, dir)
	if err != nil {
		return nil, errors.Join(err, guard.Close())
	}
	s.guard = guard
	return s, nil
}

// lockFolder keeps a second server away from the same folder. The lock goes with
// the process.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator chooses the data folder
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another server uses the data folder %s; stop it, choose another folder with --data, or share a PostgreSQL database with --database-url", dir), f.Close())
	}
	return f, nil
}

func openSQLite(ctx context.Context, dir string) (*Store, error) {
	if err := checkAtStart(ctx, dir); err != nil {
		return nil, err
	}
	write, err := writer(dir)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, goose.DialectSQLite3, write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	s, err := withReaders(dir, write)
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil { // there is a log from now on
		return nil, errors.Join(err, s.Close())
	}
	s.files = filesIn(dir)
	return s, nil
}

func dsn(dir, more string) string {
	return "file:" + (&url.URL{Path: filepath.Join(dir, SQLiteFile)}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)" + more
}

func writer(dir string) (*sql.DB, error) {
	write, err := sql.Open("sqlite", dsn(dir, "&_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	write.SetMaxOpenConns(1) // SQLite has one writer; waiting here is fair and never fails
	return write, nil
}

func withReaders(dir string, write *sql.DB) (*Store, error) {
	read, err := sql.Open("sqlite", dsn(dir, "&mode=rw&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), write.Close())
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	s := &Store{read: bun.NewDB(read, sqlitedialect.New()), write: bun.NewDB(write, sqlitedialect.New()), dir: dir}
	s.batches = &batches{db: s.write}
	return s, nil
}

// OpenPostgres opens the database at a postgres:// URL.
func OpenPostgres(ctx context.Context, databaseURL string) (*Store, error) {
	s, err := connect(databaseURL)
	if err != nil {
		return nil, err
	}
	err = migrate(ctx, goose.DialectPostgres, s.write.DB)
	if err == nil {
		err = s.ReadClock(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func connect(databaseURL string) (*Store, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("the database URL is not valid; write it like postgres://user:password@host:5432/database") // its error would show the password
	}
	name := config.RuntimeParams["application_name"] // which tells the connections of a server from those of others
	config.RuntimeParams["application_name"] = cmp.Or(name, "mcic") + " " + uuid.NewString()[:8]
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(5 * time.Minute)
	b := bun.NewDB(db, pgdialect.New())
	return &Store{read: b, write: b, postgres: true, config: config}, nil
}

// migrate brings the schema up to date, under a lock where several servers could
// do it at once, and refuses a database that a newer version has changed.
func migrate(ctx context.Context, d goose.Dialect, db *sql.DB) error {
	changes, err := schemaChanges(d)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithGoMigrations(changes...)}
	if d == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(d, db, nil, options...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the database's schema up to date: %w", err)
	}
	have, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	sources := provider.ListSources()
	if newest := sources[len(sources)-1].Version; have > newest {
		return fmt.Errorf("the database has schema version %d, this program knows up to %d; start the newer version of mcic that wrote it, or restore a backup", have, newest)
	}
	return nil
}

// Shared reports whether other servers may use the same database.
func (s *Store) Shared() bool { return s.postgres }

// Version is another one whenever something that is recorded has changed. What is read after
// it is at least as new, so that what was made of it holds for as long as the version is
// the same. It is "" while a change becomes visible, when nothing that is read can be said
// to hold. On SQLite it is what this process has committed: what another one changes, the
// master key, is in no answer. On PostgreSQL it is what transactions there have been to see.
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
func (s *Store) Version(ctx context.Context) (version string, err error) {
	if !s.postgres {
		commits := s.batches.commits.Load()
		if commits%2 != 0 {
			return "", nil
		}
		return strconv.FormatInt(commits, 10), nil
	}
	err = s.read.QueryRowContext(ctx, "SELECT pg_current_snapshot()::text").Scan(&version)
	return version, failure(err, "read the version of the database")
}

// Ping reports whether the database answers, is whole and can be written to.
func (s *Store) Ping(ctx context.Context) error {
	if ended, full := s.health.state(); ended != nil || full != nil {
		return cmp.Or(ended, full)
	}
	var version int64
	if err := s.read.NewRaw("SELECT max(version_id) FROM goose_db_version").Scan(ctx, &version); err != nil {
		s.note(err)
		return resource.Errorf(resource.CodeUnavailable, "the database does not answer: %w", err)
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	if s.postgres {
		return s.read.Close()
	}
	err := errors.Join(s.read.Close(), s.write.Close())
	if s.guard != nil {
		err = errors.Join(err, s.guard.Close())
	}
	return err
}

// Queries reads and writes rows, either directly or inside one transaction.
type Queries struct {
	db       bun.IDB
	postgres bool
	lock     bool // rows that are read are locked until the transaction ends
}

// Read returns queries outside of a transaction.
func (s *Store) Read() *Queries { return &Queries{db: s.read, postgres: s.postgres} }

// Update runs change in one transaction, once. When it returns without an error the change
// is on the disk.
func (s *Store) Update(ctx context.Context, change func(context.Context, *Queries) error) error {
	if ended := s.health.over(); ended != nil {
		return ended
	}
	var err error
	if s.postgres {
		err = s.write.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			return change(ctx, &Queries{db: tx, postgres: true, lock: true})
		})
	} else {
		err = s.batches.do(ctx, change)
	}
	if err == nil {
		return nil
	}
	s.note(err)
	return failure(err, "change the database")
}

// failure gives an error of the database its code.
func failure(err error, doing string, args ...any) error {
	if _, ok := errors.AsType[*resource.Error](err); ok || err == nil {
		return err
	}
	doing = fmt.Sprintf(doing, args...)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return resource.Errorf(resource.CodeUnavailable, "%s: %w", doing, err)
	}
	if isUnique(err) {
		return resource.Errorf(resource.CodeAlreadyExists, "%s: it exists already: %w", doing, err)
	}
	if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
		if _, ok := errors.AsType[*sqlite.Error](err); !ok {
			return resource.Errorf(resource.CodeUnavailable, "%s: %w", doing, err) // no answer from the database
		}
	}
	if isBusy(err) {
		return resource.Errorf(resource.CodeUnavailable, "%s: %w", doing, err)
	}
	return resource.Errorf(resource.CodeInternal, "%s: %w", doing, err)
}

// isUnique reports whether a unique index refused the change.
func isUnique(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// isBusy reports whether the database could do the same later: locked, out of
// space, shutting down, damaged, or a transaction that lost against another.
func isBusy(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "40") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57")
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return true
		}
	}
	return false
}
