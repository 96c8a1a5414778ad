package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

func TestWhoIsBesideIsSeen(t *testing.T) {
	dir := t.TempDir()
	databaseURL := storetest.Postgres(t)
	for name, open := range map[string]struct {
		server func() (*store.Store, error)
		beside func() (*store.Store, error)
	}{
		"sqlite": {
			func() (*store.Store, error) { return store.OpenSQLite(t.Context(), dir) },
			func() (*store.Store, error) { return store.OpenBeside(t.Context(), dir, "") },
		},
		"postgres": {
			func() (*store.Store, error) { return store.OpenPostgres(t.Context(), databaseURL) },
			func() (*store.Store, error) { return store.OpenBeside(t.Context(), "", databaseURL) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := open.server()
			require.NoError(t, err)
			beside, err := open.beside()
			require.NoError(t, err)
			defer func() { assert.NoError(t, beside.Close()) }()
			alone, err := beside.Alone(t.Context())
			require.NoError(t, err)
			assert.False(t, alone)
			require.NoError(t, server.Close())
			require.Eventually(t, func() bool {
				alone, err := beside.Alone(t.Context())
				return err == nil && alone
			}, patience, 10*time.Millisecond)
			server, err = open.server()
			require.NoError(t, err, "nobody was kept away")
			require.NoError(t, server.Close())
		})
	}
}
