package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func putRegion(ctx context.Context, q *store.Queries, name string) error {
	return q.PutRegistration(ctx, &store.Registration{Type: "region", Name: name, Cloud: "mock", Value: []byte(`{}`)})
}

// patience is how long something that happens by itself is waited for.
const patience = 30 * time.Second

// held is a change that holds the writer, so that others gather, until it is let go.
func held(t *testing.T, s *store.Store, group *sync.WaitGroup) (letGo func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		assert.NoError(t, s.Update(t.Context(), func(context.Context, *store.Queries) error {
			close(begun)
			<-end
			return nil
		}))
	})
	<-begun
	return sync.OnceFunc(func() { close(end) })
}

func TestChangesAtTheSameTimeShareATransaction(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, store.SQLiteFile)+"?mode=ro")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Close()) })
	committed := func() (n int) {
		require.NoError(t, other.QueryRowContext(t.Context(), "SELECT count(*) FROM registrations").Scan(&n))
		return n
	}

	var (
		group   sync.WaitGroup
		beside  atomic.Int64 // most rows of others that a change saw before they were committed
		refused = errors.New("not this one")
	)
	letGo := held(t, s, &group)
	const changes = 40
	for i := range changes {
		group.Go(func() {
			err := s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				if err := putRegion(ctx, q, fmt.Sprint("r", i)); err != nil {
					return err
				}
				if i%10 == 0 {
					return refused
				}
				seen, err := q.Registrations(ctx, "region", "")
				assert.NoError(t, err)
				beside.Store(max(beside.Load(), int64(len(seen)-1-committed()))) // one after the other
				return nil
			})
			if i%10 == 0 {
				assert.ErrorIs(t, err, refused)
				return
			}
			assert.NoError(t, err)
			assert.Positive(t, committed(), "it is on the disk when its caller hears of it")
		})
	}
	require.Eventually(t, func() bool { return s.Waiting() == changes }, patience, time.Millisecond)
	letGo()
	group.Wait()
	assert.EqualValues(t, changes-changes/10-1, beside.Load(), "one transaction held them all")
	assert.Equal(t, changes-changes/10, committed(), "those that failed are undone, and the others are not")
}

func TestAChangeIsUndoneByItself(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var group sync.WaitGroup
	letGo := held(t, s, &group)
	group.Go(func() {
		assert.PanicsWithValue(t, "a defect", func() {
			_ = s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				assert.NoError(t, putRegion(ctx, q, "panics"))
				panic("a defect")
			})
		}, "it is the caller's")
	})
	group.Go(func() {
		ctx, leave := context.WithCancel(t.Context())
		assert.NoError(t, s.Update(ctx, func(ctx context.Context, q *store.Queries) error {
			leave()
			return putRegion(ctx, q, "begun")
		}), "what has begun is not ended by a caller who leaves: it shares the transaction")
	})
	group.Go(func() {
		assert.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return putRegion(ctx, q, "well") }))
	})

	gone, leave := context.WithCancel(t.Context())
	leave()
	err = s.Update(gone, func(ctx context.Context, q *store.Queries) error { return putRegion(ctx, q, "gone") })
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	require.ErrorIs(t, err, context.Canceled)
	letGo()
	group.Wait()
	rows, err := s.Read().Registrations(t.Context(), "region", "")
	require.NoError(t, err)
	var names []string
	for _, row := range rows {
		names = append(names, row.Name)
	}
	assert.Equal(t, []string{"begun", "well"}, names)
}
