package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	pgtest "github.com/m-cmp/mc-infra-connector/test/postgres"
)

// fileOf finds the file of a table or index, with everything in it.
func fileOf(t *testing.T, server *pgtest.Server, relation string) (path string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT pg_relation_filepath($1)", relation).Scan(&path))
	_, err = conn.Exec(t.Context(), "CHECKPOINT")
	require.NoError(t, err)
	return filepath.Join(server.Dir, "data", path)
}

// A PostgreSQL whose files are spoiled while it is down is noticed, as far as it can be seen.
func TestDamageOfPostgresIsNoticed(t *testing.T) {
	const page = 8192
	noise := rand.New(rand.NewPCG(1, 2)) // the same every time
	garbled := func(content []byte) []byte {
		for i := range page {
			content[page+i] = byte(noise.Uint32()) // any byte
		}
		return content
	}
	// The first two keys of a leaf change places, which nothing but amcheck sees.
	swapped := func(content []byte) []byte {
		leaf := content[page : 2*page]
		second, third := leaf[28:32], leaf[32:36] // of the line pointers; the first may be the high key
		for i := range second {
			second[i], third[i] = third[i], second[i]
		}
		return content
	}
	for name, damage := range map[string]struct {
		relation string
		spoil    func([]byte) []byte
		amcheck  bool
		finding  string
	}{
		"a table's page":               {"resources", garbled, false, "invalid page"},
		"a table that is cut":          {"resources", func(c []byte) []byte { return c[:2*page] }, false, "could not read block"},
		"the page of a primary key":    {"resources_pkey", garbled, false, "invalid page"},
		"the order of another index":   {"operations_uid", swapped, true, "item order invariant violated"},
		"the page of another index":    {"operations_uid", garbled, true, "invalid page"},
		"a table's page, with amcheck": {"operations", garbled, true, "invalid page"},
	} {
		t.Run(name, func(t *testing.T) {
			server := storetest.PostgresServer(t)
			s, err := store.OpenPostgres(t.Context(), server.URL)
			require.NoError(t, err)
			if damage.amcheck {
				require.NoError(t, s.Exec(t.Context(), "CREATE EXTENSION amcheck"))
			}
			amcheck, checksums, err := s.Checks(t.Context())
			require.NoError(t, err)
			assert.Equal(t, damage.amcheck, amcheck)
			assert.Equal(t, "off", checksums)
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				for i := range 400 {
					if err := q.InsertResource(ctx, vm(i), nil); err != nil {
						return err
					}
					op := &store.Operation{ID: fmt.Sprintf("op-%04d", i), UID: fmt.Sprintf("uid-%04d", i), EndedAt: 1}
					if err := q.InsertOperation(ctx, op); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, s.CheckNow(t.Context()))
			path := fileOf(t, server, damage.relation)
			require.NoError(t, s.Close())
			server.Crash()
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Greater(t, len(content), 2*page)
			require.NoError(t, os.WriteFile(path, damage.spoil(content), 0o600))
			require.NoError(t, server.Start(t.Context()))

			s, err = store.OpenPostgres(t.Context(), server.URL)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			require.NoError(t, s.Ping(t.Context()))
			require.ErrorContains(t, s.CheckNow(t.Context()), damage.finding)
			require.ErrorContains(t, s.Ping(t.Context()), "REINDEX")
			assert.ErrorContains(t, put(t, s, "after"), "is damaged")
		})
	}
}
