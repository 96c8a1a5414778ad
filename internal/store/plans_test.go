package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// An index of some rows is taken only where a statement has the index's condition in it.
func TestWhatIsLookedForHasAnIndex(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	noted(t, s, 0, 3)
	require.NoError(t, s.SealAudit(t.Context()))
	ctx := t.Context()
	for name, test := range map[string]struct {
		table string
		run   func(q *store.Queries) error
	}{
		"parts": {"operations", func(q *store.Queries) error {
			_, err := q.Parts(ctx, "many")
			return err
		}},
		"a part that is the last": {"operations", func(q *store.Queries) error {
			if err := q.InsertOperation(ctx, &store.Operation{ID: "many", Total: 1}); err != nil {
				return err
			}
			_, err := q.CountPart(ctx, &store.Operation{Parent: "many", State: api.OperationSucceeded})
			return err
		}},
		"followers": {"operations", func(q *store.Queries) error {
			_, err := q.Followers(ctx, "first")
			return err
		}},
		"the verification of the audit trail": {"audit", func(q *store.Queries) error {
			_, err := q.SealedAfter(ctx, 1, 3)
			return err
		}},
		"old entries of the audit trail": {"audit", func(q *store.Queries) error {
			return q.ForgetAudit(ctx, store.MicrosOf(time.Now().Add(time.Hour)))
		}},
	} {
		scans, err := s.Scans(ctx, test.table, test.run)
		require.NoError(t, err, name)
		assert.Empty(t, scans, name)
	}
}
