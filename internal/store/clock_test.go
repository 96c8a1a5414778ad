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
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What a clock has written that was ahead by a year keeps nothing from being looked at.
func TestTimesThatLieAheadHoldUpNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		at := time.Now()
		now, year := store.MicrosOf(at), store.MicrosOf(at.AddDate(1, 0, 0))
		const second = store.Micros(1e6)
		starting := vm(0)
		starting.State, starting.CloudID, starting.SyncedAt = resource.StateStarting, "i-0", year
		insert(t, s, starting)
		gone := vm(1)
		gone.DeletedAt = year
		insert(t, s, gone)
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			if err := q.InsertConnection(ctx, &store.Connection{Name: starting.Connection, Cloud: "mock", SyncedAt: year}); err != nil {
				return err
			}
			if err := q.InsertOperation(ctx, &store.Operation{ID: "ahead", UID: "a", State: api.OperationRunning, CreatedAt: year, AskedAt: year, AcceptedAt: year}); err != nil {
				return err
			}
			return q.InsertOperation(ctx, &store.Operation{ID: "right", UID: "b", State: api.OperationQueued, CreatedAt: now + second})
		}))

		passing, err := s.Read().Passing(t.Context(), []resource.State{resource.StateStarting}, now-second, now)
		require.NoError(t, err)
		assert.Len(t, passing, 1)
		leaving, err := s.Read().Leaving(t.Context(), gone.Connection, at, time.Minute)
		require.NoError(t, err)
		assert.Empty(t, leaving)
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			due, err := q.ClaimSync(ctx, now-second, now)
			assert.Len(t, due, 1)
			if err != nil {
				return err
			}
			due, err = q.ClaimSync(ctx, now-second, now)
			assert.Empty(t, due, "it has had its turn")
			if err != nil {
				return err
			}
			return q.PutBack(ctx, now, 20*second)
		}))
		ahead, err := s.Read().Operation(t.Context(), "ahead")
		require.NoError(t, err)
		assert.Equal(t, []store.Micros{now, now, now}, []store.Micros{ahead.CreatedAt, ahead.AskedAt, ahead.AcceptedAt})
		right, err := s.Read().Operation(t.Context(), "right")
		require.NoError(t, err)
		assert.Equal(t, now+second, right.CreatedAt, "clocks differ a little")
		assert.Zero(t, right.AcceptedAt)
	})
}

// Work is timed by the clock of the database, whatever a server's own says.
func TestServersGoByTheClockOfTheirDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		assert.WithinDuration(t, time.Now(), s.Now(), time.Second)
		s.Shift(time.Hour)
		assert.WithinDuration(t, time.Now().Add(time.Hour), s.Now(), time.Second)
		assert.InDelta(t, -time.Hour, s.Ahead(), float64(time.Second))
		op := s.NewOperation(t.Context(), store.Creation{}, vm(0))
		assert.WithinDuration(t, time.Now().Add(time.Hour), op.CreatedAt.Time(), time.Second)
		if s.Shared() {
			require.NoError(t, s.ReadClock(t.Context()))
			assert.WithinDuration(t, time.Now(), s.Now(), time.Second)
			assert.InDelta(t, 0, s.Ahead(), float64(time.Second))
		}
	})
}
