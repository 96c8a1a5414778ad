package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func vm(i int) *store.Resource {
	return &store.Resource{
		UID: fmt.Sprintf("uid-%04d", i), Connection: "c", Kind: "vm", Name: fmt.Sprintf("vm-%04d", i), State: resource.StateRunning,
		Labels:    map[string]string{"env": []string{"prod", "test"}[i%2]},
		Effective: json.RawMessage(fmt.Sprintf(`{"image":"img","rootDiskSizeGiB":%d}`, i)), Status: json.RawMessage(`{"zone":"z"}`), Native: json.RawMessage("null"),
		CreatedAt: store.Micros(1_000_000 + i%3),
	}
}

func insert(t *testing.T, s *store.Store, rows ...*store.Resource) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		for _, r := range rows {
			if err := q.InsertResource(ctx, r, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestRowsSurviveReopening(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		row := vm(1)
		row.Error = resource.Errorf(resource.CodeQuota, "no more")
		row.Error.Cloud = &resource.CloudError{Code: "Limit", RequestID: "r-1"}
		insert(t, s, row)
		require.NoError(t, s.Close())

		found, err := open().Read().Resource(t.Context(), "c", "vm", row.Name)
		require.NoError(t, err)
		assert.Equal(t, row.Labels, found.Labels)
		assert.JSONEq(t, string(row.Effective), string(found.Effective))
		assert.Equal(t, row.Error.Cloud, found.Error.Cloud)
		assert.Equal(t, row.CreatedAt, found.CreatedAt)
		assert.Nil(t, found.Envelope().Native)
	})
}

func TestNamesAreUniqueUntilDeleted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		first, second := vm(1), vm(2)
		second.Name = first.Name
		insert(t, s, first)
		try := func() error {
			return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, second, nil) })
		}
		assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(try()))

		first.DeletedAt = store.MicrosOf(time.Now())
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, first, "") }))
		require.NoError(t, try())
		found, err := s.Read().Resource(t.Context(), "c", "vm", first.Name)
		require.NoError(t, err)
		assert.Equal(t, second.UID, found.UID)
	})
}

func TestAFailedTransactionLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		err := s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			if err := q.InsertResource(ctx, vm(1), []store.Ref{{From: "uid-0001", Field: "spec.subnet", To: "x"}}); err != nil {
				return err
			}
			return resource.Errorf(resource.CodeDependency, "no")
		})
		require.Equal(t, resource.CodeDependency, resource.CodeOf(err))
		_, err = s.Read().Resource(t.Context(), "c", "vm", "vm-0001")
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
		refs, err := s.Read().Refs(t.Context(), "uid-0001")
		require.NoError(t, err)
		assert.Empty(t, refs)
	})
}

func TestReferencesAreFoundFromBothSides(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		insert(t, s, vm(1), vm(2), vm(3))
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			return q.ReplaceRefs(ctx, "uid-0001", []store.Ref{{From: "uid-0001", Field: "spec.a", To: "uid-0002"}, {From: "uid-0001", Field: "spec.b", To: "uid-0003"}})
		}))
		users, err := s.Read().Users(t.Context(), "uid-0002")
		require.NoError(t, err)
		require.Len(t, users, 1)
		assert.Equal(t, "vm-0001", users[0].Name)
		uses, err := s.Read().Uses(t.Context(), "uid-0001")
		require.NoError(t, err)
		assert.Len(t, uses, 2)
	})
}

func TestOneOperationAtATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		insert(t, s, vm(1))
		op := func(id string) *store.Operation {
			return &store.Operation{ID: id, Verb: "stop", Kind: "vm", Connection: "c", Name: "vm-0001", UID: "uid-0001", Params: json.RawMessage("null"), State: api.OperationQueued}
		}
		add := func(o *store.Operation) error {
			return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertOperation(ctx, o) })
		}
		first := op("op-1")
		require.NoError(t, add(first))
		assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(add(op("op-2"))))
		first.State, first.EndedAt = api.OperationSucceeded, 1
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateOperation(ctx, first) }))
		require.NoError(t, add(op("op-3")))
	})
}

func TestLeasesGoToOneServer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		const n = 50
		for i := range n {
			row := vm(i)
			row.Operation = fmt.Sprintf("op-%d", i)
			insert(t, s, row)
		}
		idle := vm(n)
		insert(t, s, idle) // no operation: nothing to take

		var (
			mu    sync.Mutex
			taken = map[string]string{}
			group sync.WaitGroup
		)
		for _, owner := range []string{"one", "two", "three"} {
			group.Go(func() {
				for {
					var rows []store.Resource
					err := s.Update(t.Context(), func(ctx context.Context, q *store.Queries) (err error) {
						rows, err = q.TakeLeases(ctx, owner, 1000, 2000, 7)
						return err
					})
					if !assert.NoError(t, err) || len(rows) == 0 {
						return
					}
					mu.Lock()
					for _, r := range rows {
						assert.Empty(t, taken[r.UID], "taken twice")
						assert.Equal(t, "c", r.Connection)
						taken[r.UID] = owner
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		assert.Len(t, taken, n)

		row, err := s.Read().ResourceByUID(t.Context(), "uid-0000")
		require.NoError(t, err)
		assert.Equal(t, taken[row.UID], row.LeaseOwner)
		write := func(owner string) error {
			return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, row, owner) })
		}
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(write("another")), "a server that lost its lease must not write")
		require.NoError(t, write(row.LeaseOwner))
	})
}

func TestALeaseOfAClockThatWasWrongIsNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		const now, until = 1000, 2000
		for i, leased := range []store.Micros{now - 1, until, until + 999, until + 1001, 1 << 40} {
			row := vm(i)
			row.Operation, row.LeaseOwner, row.LeaseUntil = "op", "before", leased
			insert(t, s, row)
		}
		var taken []string
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			rows, err := q.TakeLeases(ctx, "one", now, until, 10)
			for _, r := range rows {
				taken = append(taken, r.UID)
			}
			return err
		}))
		assert.ElementsMatch(t, []string{"uid-0000", "uid-0003", "uid-0004"}, taken)
	})
}

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	insert(t, s, vm(0))
	many := func() error {
		return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			for i := range 1000 {
				if err := q.InsertResource(ctx, vm(1+i), nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	count := func() int {
		rows, _, err := s.Read().ListResources(t.Context(), "c", "vm", store.Query{Limit: 2000})
		require.NoError(t, err)
		return len(rows)
	}
	require.NoError(t, s.Fill(t.Context(), true))
	err = many()
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "full")
	assert.Equal(t, 1, count(), "all or nothing, and what was there can be read")
	require.NoError(t, s.Fill(t.Context(), false))
	require.NoError(t, many())
	assert.Equal(t, 1001, count())
}

func TestListsPageFilterAndSort(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		const n = 25
		for i := range n {
			insert(t, s, vm(i))
		}
		other := vm(n)
		other.Connection = "other"
		insert(t, s, other)
		gone := vm(n + 1)
		gone.DeletedAt = 1
		insert(t, s, gone)

		all := func(connection string, q store.Query) []string {
			t.Helper()
			var names []string
			for {
				rows, next, err := s.Read().ListResources(t.Context(), connection, "vm", q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(rows), q.Limit)
				for _, r := range rows {
					names = append(names, r.Name)
				}
				if next == "" {
					return names
				}
				q.Token = next
			}
		}
		filter := func(text string) []store.Filter {
			f, err := store.ParseFilter(text)
			require.NoError(t, err)
			return []store.Filter{f}
		}
		for _, size := range []int{1, 2, 7, n, 100} {
			assert.Len(t, all("c", store.Query{Limit: size}), n, "page size %d", size)
			byTime := all("c", store.Query{Limit: size, Sort: "-createdAt"})
			assert.Len(t, byTime, n, "equal values must neither repeat nor vanish at page size %d", size)
			assert.Equal(t, "vm-0023", byTime[0])
		}
		assert.Len(t, all("", store.Query{Limit: 10}), n+1)
		assert.Equal(t, "vm-0024", all("c", store.Query{Limit: 3, Sort: "-name"})[0])
		assert.Len(t, all("c", store.Query{Limit: 10, Filters: filter("labels.env=prod")}), 13)
		assert.Len(t, all("c", store.Query{Limit: 10, Filters: filter("labels.env!=prod")}), 12)
		assert.Equal(t, []string{"vm-0007"}, all("c", store.Query{Limit: 10, Filters: filter("spec.rootDiskSizeGiB=7")}))
		assert.Equal(t, []string{"vm-0011"}, all("c", store.Query{Limit: 10, Filters: filter("name~VM-0011")}))
		assert.Empty(t, all("c", store.Query{Limit: 10, Filters: filter("name~%")}), "wildcards are plain text")
		assert.Empty(t, all("c", store.Query{Limit: 10, Filters: filter("state=failed")}))

		for _, bad := range []store.Query{
			{Limit: 1, Sort: "nonsense"},
			{Limit: 1, Filters: filter("nonsense=1")},
			{Limit: 1, Filters: filter("createdAt=1")},
			{Limit: 1, Filters: filter(`labels.it's "x"=y`)},
			{Limit: 1, Filters: filter(`labels.env"x=y`)}, // a path of SQLite's own
			{Limit: 1, Filters: filter(`labels.env\=y`)},
			{Limit: 1, Token: "%%%"},
			{Limit: 1, Token: "eyJvIjoibmFtZSIsInYiOjEsImsiOiJ4In0"},                    // a number where a name belongs
			{Limit: 1, Sort: "createdAt", Token: "eyJvIjoibmFtZSIsInYiOjEsImsiOiJ4In0"}, // of another order
		} {
			_, _, err := s.Read().ListResources(t.Context(), "c", "vm", bad)
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%+v", bad)
		}
		_, err := store.ParseFilter("nothing")
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	})
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, s.SetSchemaVersion(t.Context(), 9999))
	require.NoError(t, s.Close())
	_, err = store.OpenSQLite(t.Context(), dir)
	require.ErrorContains(t, err, "9999")
}

func TestTwoServersCannotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	_, err = store.OpenSQLite(t.Context(), dir)
	require.ErrorContains(t, err, "another server uses the data folder")
	require.NoError(t, s.Close())
	s, err = store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestADamagedDatabaseIsAClearError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, store.SQLiteFile), []byte("this is not a database, whatever its name says, and long enough"), 0o600))
	_, err := store.OpenSQLite(t.Context(), dir)
	require.ErrorContains(t, err, "database")
}

func TestTheDatabaseURLIsNotShownInErrors(t *testing.T) {
	_, err := store.OpenPostgres(t.Context(), "postgres://user:hunter2secret@[bad")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2secret")
}
