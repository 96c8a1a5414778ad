package once_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestTwoServersDoARequestWithAKeyOnce(t *testing.T) {
	databaseURL := storetest.Postgres(t)
	server := func() *enginetest.Env {
		db, err := store.OpenPostgres(t.Context(), databaseURL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return enginetest.Start(t, enginetest.Options{Store: db})
	}
	servers := []*enginetest.Env{server(), server()}
	servers[0].Connect("mock")
	create := func(ctx context.Context, e *enginetest.Env) (*api.Operation, error) {
		return e.Once.Operation(ctx, func() (*api.Operation, error) {
			return e.Create(ctx, "mock", "vpc", []byte(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`))
		})
	}
	ctx := store.WithKey(t.Context(), store.Key{Text: "k", Request: "r"})
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		ids   = map[string]bool{}
	)
	for i := range 8 {
		group.Go(func() {
			op, err := create(ctx, servers[i%2])
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(t, err) {
				ids[op.ID] = true
			}
		})
	}
	group.Wait()
	assert.Len(t, ids, 1)
	_, err := create(store.WithKey(t.Context(), store.Key{Text: "k", Request: "other"}), servers[1])
	require.ErrorIs(t, err, store.ErrOtherRequest)

	first, err := create(ctx, servers[1])
	require.NoError(t, err)
	servers[0].Succeeds(first)
	require.NoError(t, servers[0].Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		return q.ForgetEnded(ctx, store.MicrosOf(time.Now()))
	}))
	_, err = create(ctx, servers[1])
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "the key goes with its operation")
}
