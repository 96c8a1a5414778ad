package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

// An operation from before it was recorded who began it is nobody's own.
func TestAnOperationThatNobodyIsKnownToHaveBegun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			if err := q.InsertOperation(ctx, &store.Operation{ID: "old", UID: "a", Kind: "vm", Connection: "c", State: api.OperationFailed}); err != nil {
				return err
			}
			return q.InsertOperation(ctx, &store.Operation{ID: "hers", UID: "b", Kind: "vm", Connection: "c", State: api.OperationFailed, Asked: auth.Asker{By: "anna"}})
		}))
		labelled := []store.Part{{Kind: "vm", Labels: []store.LabelTest{{Key: "team", Value: "a"}}}}
		for who, want := range map[string][]bool{"": {false, false}, "anna": {false, true}} {
			for i, id := range []string{"old", "hers"} {
				seen, err := s.Read().SeesOperation(t.Context(), &store.Sees{Any: labelled, Who: who}, id)
				require.NoError(t, err)
				assert.Equal(t, want[i], seen, "%s by %q", id, who)
			}
		}
	})
}
