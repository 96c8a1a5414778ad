package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

func TestServersRecordTheUseOfTheSameTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		at := time.Now()
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			for i := range 50 {
				id := fmt.Sprint("token-", i)
				if err := q.InsertToken(ctx, &store.APIToken{ID: id, User: "kim", Name: id, Hash: id}); err != nil {
					return err
				}
			}
			return nil
		}))
		var group errgroup.Group
		for i := range 4 {
			group.Go(func() error {
				for round := range 5 {
					used := map[string]time.Time{}
					for n := range 50 {
						used[fmt.Sprint("token-", n)] = at.Add(time.Duration(round*4+i) * time.Second)
					}
					if err := s.UsedTokens(t.Context(), used); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		tokens, err := s.Read().Tokens(t.Context(), "kim")
		require.NoError(t, err)
		require.Len(t, tokens, 50)
		for _, token := range tokens {
			assert.Equal(t, store.MicrosOf(at.Add(19*time.Second)), token.UsedAt, "the last use counts")
		}
	})
}
