// Package storetest gives tests a database of each sort that the server runs on.
package storetest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	pgtest "github.com/m-cmp/mc-infra-connector/test/postgres"
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

// Postgres starts a PostgreSQL as PostgresServer does and returns the URL of an empty
// database.
func Postgres(t *testing.T) string {
	t.Helper()
	return PostgresServer(t).URL
}

// PostgresServer starts a PostgreSQL of the test's own, reachable through a unix socket
// only. Without PostgreSQL's programs the test is skipped, or fails where they are
// required.
func PostgresServer(t *testing.T) *pgtest.Server {
	t.Helper()
	if _, err := pgtest.Programs(); err != nil {
		if os.Getenv(RequirePostgres) != "" {
			t.Fatalf("PostgreSQL is required here: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED ON POSTGRESQL: %v", err)
	}
	server, err := pgtest.New(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close(false) })
	return server
}
