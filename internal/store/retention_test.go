package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

// A clock that is a year ahead, and is set back, removes nothing; nor does a server that was off
// for long, until a week later.
func TestAClockThatJumpsRemovesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		start := time.Now()
		keep := store.Keep{Ended: 48 * time.Hour, Audit: 24 * time.Hour}
		noted(t, s, 0, 3)
		require.NoError(t, s.EndLogin(t.Context(), "out", start.Add(time.Hour)))
		gone := vm(0)
		gone.DeletedAt = store.MicrosOf(start)
		insert(t, s, gone)
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			return q.InsertOperation(ctx, &store.Operation{ID: "old", UID: "a", State: api.OperationSucceeded, CreatedAt: store.MicrosOf(start), EndedAt: store.MicrosOf(start)})
		}))
		forget := func(now time.Time) time.Duration {
			t.Helper()
			held, err := s.Forget(t.Context(), keep, now)
			require.NoError(t, err)
			return held
		}
		there := func() bool {
			t.Helper()
			_, noOperation := s.Read().Operation(t.Context(), "old")
			_, noTombstone := s.Read().ResourceByUID(t.Context(), gone.UID)
			ended, err := s.LoginEnded(t.Context(), "out")
			require.NoError(t, err)
			entries := proof(t, s)
			assert.True(t, entries.Holds, entries.Broken)
			whole := noOperation == nil && noTombstone == nil && ended && entries.First == 1
			assert.Equal(t, whole, noOperation == nil || noTombstone == nil || ended || entries.First == 1, "all or nothing goes")
			return whole
		}
		assert.Zero(t, forget(start))
		assert.Positive(t, forget(start.AddDate(1, 0, 0)))
		assert.Positive(t, forget(start.AddDate(1, 0, 0).Add(time.Hour)))
		assert.True(t, there(), "the clock was a year ahead")
		for now := start.Add(12 * time.Hour); now.Before(start.AddDate(0, 0, 7)); now = now.Add(12 * time.Hour) {
			assert.Positive(t, forget(now))
		}
		assert.True(t, there(), "a week is not over")
		assert.Zero(t, forget(start.AddDate(0, 0, 7).Add(12*time.Hour)))
		assert.False(t, there(), "it is old by a clock that has gone on for a week")
	})
}
