package store_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

func TestTheFirstHostKeyIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		const tries = 8
		kept := make([]*store.HostKey, tries)
		var group sync.WaitGroup
		for i := range tries { // as several servers do that see an SSH server for the first time
			group.Go(func() {
				assert.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) (err error) {
					kept[i], err = q.PinHostKey(ctx, &store.HostKey{UID: "vm", Port: 22, Key: "key " + strconv.Itoa(i), SeenBy: "kim", SeenAt: store.Micros(i + 1)})
					return err
				}))
			})
		}
		group.Wait()
		for _, k := range kept {
			require.NotNil(t, k)
			assert.Equal(t, kept[0], k)
		}
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			_, err := q.PinHostKey(ctx, &store.HostKey{UID: "vm", Port: 2222, Key: "another", SeenBy: "kim", SeenAt: 1})
			return err
		}))
		all, err := s.Read().HostKeys(t.Context(), "vm")
		require.NoError(t, err)
		require.Len(t, all, 2, "one for each port")
		assert.Equal(t, *kept[0], all[0])
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			n, err := q.DeleteHostKeys(ctx, "vm")
			assert.Equal(t, int64(2), n)
			return err
		}))
		none, err := s.Read().HostKeys(t.Context(), "vm")
		require.NoError(t, err)
		assert.Empty(t, none)
	})
}
