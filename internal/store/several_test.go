package store_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

// Parts are needed for as long as what counts them: another try reads them, and its error is
// that of the first that failed.
func TestPartsAreForgottenWithTheWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		forget := func(before store.Micros) (left []string) {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.ForgetEnded(ctx, before) }))
			rows, _, err := s.Read().ListOperations(t.Context(), store.Query{Limit: 10, Sort: "id"})
			require.NoError(t, err)
			return store.Convert(rows, func(o *store.Operation) string { return o.ID })
		}
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			for _, op := range []store.Operation{
				{ID: "alone", EndedAt: 1},
				{ID: "part", EndedAt: 1, Parent: "whole"},
				{ID: "runs", Total: 2},
				{ID: "runs-part", EndedAt: 1, Parent: "runs"},
				{ID: "whole", EndedAt: 3, Total: 1},
			} {
				op.Params, op.State = json.RawMessage("null"), api.OperationSucceeded
				if err := q.InsertOperation(ctx, &op); err != nil {
					return err
				}
			}
			return nil
		}))
		assert.Equal(t, []string{"part", "runs", "runs-part", "whole"}, forget(2))
		assert.Equal(t, []string{"runs", "runs-part"}, forget(4))
	})
}
