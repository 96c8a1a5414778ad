package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// How the database is looked after.
const (
	lookEvery  = time.Second      // at SQLite's files, and at the room on their disk
	checkEvery = 30 * time.Minute // at the structure of all that is in them
	checkShare = 10               // of so many parts of the time one, while that is looked at
	startCheck = time.Second / 2  // of a start; a large database is looked at soon after
	fewBytes   = 1 << 20          // of a disk that counts as full
	leastSize  = 512              // of a database with anything in it: the smallest page
)

// health is what is known of the database beside that it answers.
type health struct {
	mu    sync.Mutex
	ended error // why nothing is changed any more
	full  error // why nothing can be written just now
}

func (h *health) state() (ended, full error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended, h.full
}

// over is why nothing can be changed any more, or nil.
func (h *health) over() error {
	ended, _ := h.state()
	return ended
}

// end has nothing be changed from now on.
func (h *health) end(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = why
}

func (h *health) setFull(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.full = why
}

// note has the health know what a change has met.
func (s *Store) note(err error) {
	switch {
	case isDamage(err) && s.postgres:
		s.health.end(damagedPostgres(err.Error()))
	case isDamage(err):
		s.health.end(damagedIn(s.dir, err.Error()))
	case isFull(err):
		s.health.setFull(resource.Errorf(resource.CodeUnavailable, "the disk of the database is full; make room: %w", err))
	}
}

// isDamage reports whether the database has found that its file is not what it has written.
func isDamage(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "XX001" || e.Code == "XX002"
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// isFull reports whether there was no room for a change.
func isFull(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "53100"
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_WRITE || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE)
}

// damaged is the error of a file that is not what was written, with the way out.
func damagedIn(dir, finding string) error {
	return resource.Errorf(resource.CodeUnavailable, "the database %s is %w, and nothing is changed in it any more (%s). Stop the server, move mcic.db, mcic.db-wal and mcic.db-shm away, and restore the last backup: mcic server restore FILE --data %s", filepath.Join(dir, SQLiteFile), errDamaged, finding, dir)
}

var errDamaged = errors.New("damaged")

// check looks at the structure of the database, of all tables or of one. It does so on a
// connection of its own: others know pages from before.
func check(ctx context.Context, dir, table string) (err error) {
	path := filepath.Join(dir, SQLiteFile)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("check the database: %w", err)
	case info.Size() > 0 && info.Size() < leastSize: // which SQLite takes for a new one
		return damagedIn(dir, fmt.Sprintf("it has %d bytes", info.Size()))
	}
	db, err := openFile(path, "mode=rw&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	argument := "1"
	if table != "" {
		argument = quotedName(table)
	}
	var finding string
	switch err := db.QueryRowContext(ctx, "PRAGMA quick_check("+argument+")").Scan(&finding); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isDamage(err):
		return damagedIn(dir, err.Error())
	case err != nil:
		return failure(err, "check the database")
	case finding != "ok":
		return damagedIn(dir, strings.TrimSpace(finding))
	}
	return nil
}

func quotedName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// checkAtStart refuses a database that is damaged, as far as a start has time to see.
func checkAtStart(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, startCheck)
	defer cancel()
	err := check(ctx, dir, "")
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// checkAll looks at one table after the other, so that no look keeps the log of changes
// from being taken over for long, and rests in between so that it takes one of so many parts
// of the time.
func (s *Store) checkAll(ctx context.Context, parts int) error {
	tables, look := s.sqliteTables, s.checkSQLite
	if s.postgres {
		tables, look = s.postgresTables, s.checkPostgres
	}
	names, err := tables(ctx)
	if err != nil {
		return err
	}
	for _, table := range names {
		began := time.Now()
		if err := look(ctx, table); err != nil {
			return err
		}
		select {
		case <-time.After(time.Since(began) * time.Duration(parts-1)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Store) sqliteTables(ctx context.Context) (tables []string, err error) {
	err = s.read.NewRaw("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0").Scan(ctx, &tables)
	return tables, failure(err, "list the tables")
}

func (s *Store) checkSQLite(ctx context.Context, table string) error { return check(ctx, s.dir, table) }

// files are SQLite's files as they were when the database was opened. They are looked at by
// name alone: to open and close one would take SQLite's locks away.
type files struct {
	dir  string
	were map[string]os.FileInfo // by name
}

func filesIn(dir string) files {
	f := files{dir, map[string]os.FileInfo{}}
	for _, name := range []string{SQLiteFile, SQLiteFile + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			f.were[name] = info
		}
	}
	return f
}

// lost answers the first file that is not the one any more that is open, or "".
func (f files) lost() string {
	for _, name := range []string{SQLiteFile, SQLiteFile + "-wal"} {
		was := f.were[name]
		if was == nil {
			continue
		}
		is, err := os.Stat(filepath.Join(f.dir, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(was, is) {
			return name
		}
	}
	return ""
}

// Watch looks after the database until the context ends. It ends before that if the files
// of SQLite were taken away under it, with what was saved of them: then the server must not
// go on.
func (s *Store) Watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	checks, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); s.watchStructure(checks) }()
	defer func() { end(); <-ended }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.lookAtFiles(ctx); err != nil {
			return err
		}
		s.lookAtRoom(ctx)
	}
}

// checked has damage end all changes. Other failures show elsewhere too.
func (s *Store) checked(err error) {
	if isDamage(err) || errors.Is(err, errDamaged) {
		s.health.end(err)
	}
}

func (s *Store) watchStructure(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for parts := 1; ; parts = checkShare { // what the start had no time for comes first
		s.checked(s.checkAll(ctx, parts))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtFiles answers an error if the files are not the ones any more and all that was
// recorded is safe. If it cannot be made safe this process has the only copy, and goes on.
func (s *Store) lookAtFiles(ctx context.Context) error {
	name := s.files.lost()
	if name == "" {
		return nil
	}
	s.files.were = nil // it is noticed once
	const gone = "%s was removed or replaced while the server ran, and nothing is changed any more"
	path := filepath.Join(s.dir, name)
	s.health.end(resource.Errorf(resource.CodeUnavailable, gone, path))
	saved, err := s.save(ctx, name)
	switch {
	case err != nil:
		s.health.end(resource.Errorf(resource.CodeUnavailable, gone+". What is recorded could not be saved, so that this process has the only copy: do not end it before the files are copied that it has open, from /proc/%d/fd: %w", path, os.Getpid(), err))
		return nil
	case saved == "":
		return resource.Errorf(resource.CodeUnavailable, gone+". All that was recorded is in %s now: start the server again", path, SQLiteFile)
	}
	return resource.Errorf(resource.CodeUnavailable, gone+". All that was recorded is in %s: find out who did that; %s", path, saved, PutBack(saved))
}

// PutBack says what to do with a file that was saved.
func PutBack(saved string) string {
	path := filepath.Join(filepath.Dir(saved), SQLiteFile)
	return fmt.Sprintf("to go on with it, remove %s, %[1]s-wal and %[1]s-shm, and: mv %s %[1]s. If it is not wanted any more, move it elsewhere", path, saved)
}

// save makes what is recorded safe, through the connection that has the files still open:
// in the database file if only the log is gone, else in a file beside it.
func (s *Store) save(ctx context.Context, lost string) (beside string, err error) {
	if lost != SQLiteFile {
		var busy, frames, moved int
		if err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(FULL)").Scan(&busy, &frames, &moved); err != nil || busy != 0 || moved < frames {
			return "", errors.Join(fmt.Errorf("%d of %d pages of the log were taken over", moved, frames), err)
		}
		return "", nil
	}
	beside = filepath.Join(s.dir, savedPrefix+time.Now().UTC().Format("20060102T150405Z"))
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO ?", beside); err != nil {
		return "", err
	}
	return beside, CheckSQLite(ctx, beside)
}

// savedPrefix begins the names of files with what was recorded when a database was lost.
const savedPrefix = SQLiteFile + ".saved-"

// lookAtRoom finds out whether the disk is full, or not any more.
func (s *Store) lookAtRoom(ctx context.Context) {
	_, full := s.health.state()
	if free, err := s.room(); err == nil && free < fewBytes {
		s.health.setFull(resource.Errorf(resource.CodeUnavailable, "the disk of %s is full (%d KiB are left); make room", s.dir, free>>10))
		return
	}
	if full == nil {
		return
	}
	// A row is written as it is: the transaction needs the room that any other does.
	if err := s.Update(ctx, func(ctx context.Context, q *Queries) error {
		_, err := q.db.NewRaw("UPDATE goose_db_version SET is_applied = is_applied WHERE version_id = 0").Exec(ctx)
		return err
	}); err == nil {
		s.health.setFull(nil)
	}
}

// room is how many bytes can be written to the disk with SQLite's files.
func (s *Store) room() (uint64, error) {
	if s.postgres {
		return 0, errors.ErrUnsupported
	}
	var disk syscall.Statfs_t
	err := syscall.Statfs(s.dir, &disk)
	return disk.Bavail * uint64(disk.Bsize), err //nolint:gosec // Bsize is positive, and of another type on macOS
}

// Begun reports whether a database is there that a server has begun to use: in a data
// folder, or at a URL.
func Begun(ctx context.Context, dir, databaseURL string) (begun bool, err error) {
	if databaseURL == "" {
		info, err := os.Stat(filepath.Join(dir, SQLiteFile))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil && info.Size() > 0, err
	}
	s, err := connect(databaseURL)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.read.NewRaw("SELECT to_regclass('goose_db_version') IS NOT NULL").Scan(ctx, &begun)
	return begun, failure(err, "look for the database")
}

// Saved answers the files in a data folder that were saved when a database was lost.
func Saved(dir string) ([]string, error) { return filepath.Glob(filepath.Join(dir, savedPrefix+"*")) }
