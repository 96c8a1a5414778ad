// Package storetest gives tests a database of each sort that the server runs on.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// RequirePostgres is the environment variable that makes a missing PostgreSQL a
// failure instead of a skip.
const RequirePostgres = "MCIC_REQUIRE_POSTGRES"

// Each runs a test on SQLite and on PostgreSQL. open opens the same database every
// time; the test's end closes what it opened.
func Each(t *testing.T, test func(t *testing.T, open func() *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func() *store.Store {
			return opened(t, func() (*store.Store, error) { return store.OpenSQLite(t.Context(), dir) })
		})
	})
	t.Run("postgres", func(t *testing.T) {
		databaseURL := Postgres(t)
		test(t, func() *store.Store {
			return opened(t, func() (*store.Store, error) { return store.OpenPostgres(t.Context(), databaseURL) })
		})
	})
}

func opened(t *testing.T, open func() (*store.Store, error)) *store.Store {
	t.Helper()
	s, err := open()
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

// Postgres starts a PostgreSQL of the test's own, reachable through a unix socket
// only, and returns the URL of an empty database. Without PostgreSQL's programs the
// test is skipped, or fails where they are required.
func Postgres(t *testing.T) string {
	t.Helper()
	bin, err := postgresPrograms()
	if err != nil {
		if os.Getenv(RequirePostgres) != "" {
			t.Fatalf("PostgreSQL is required here: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: %v; install Debian's package postgresql", err)
	}
	dir, err := os.MkdirTemp("", "mcic-pg-") //nolint:usetesting // short: the path of a socket is limited
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := unprivileged(t, dir)

	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-U", "mcic", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, as
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)

	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200") //nolint:noctx // it is stopped by signal
	server.Dir, server.SysProcAttr = dir, as
	var log strings.Builder
	server.Stderr = &log
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT) // at once, with its children
		_ = server.Wait()
	})

	databaseURL := (&url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {dir}, "user": {"mcic"}}.Encode()}).String()
	require.Eventually(t, func() bool { return ping(t.Context(), databaseURL) == nil }, 30*time.Second, 20*time.Millisecond, "PostgreSQL did not come up")
	return databaseURL
}

func ping(ctx context.Context, databaseURL string) error {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

// postgresPrograms finds the folder of PostgreSQL's server programs.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "postgres")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb is neither on the PATH nor in /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged lets PostgreSQL, which refuses to run as root, run as its own user.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return ownGroup()
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, int(uid), int(gid)), fmt.Sprintf("give %s to %s", dir, u.Username))
	attr := ownGroup()
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr
}

// ownGroup keeps a terminal's Ctrl-C away from the server; the test stops it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
