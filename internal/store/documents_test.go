package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sameDocument sees that what is sent of a resource is what its row says, alone and in a list.
func sameDocument(t *testing.T, s *store.Store, uid string) {
	t.Helper()
	row, err := s.Read().ResourceByUID(t.Context(), uid)
	require.NoError(t, err)
	recorded, err := json.Marshal(row.Envelope())
	require.NoError(t, err)
	one, err := s.Read().Document(t.Context(), row.Connection, row.Kind, row.Name)
	require.NoError(t, err)
	assert.True(t, store.SameJSON(recorded, one.Append(nil)), "recorded %s\nsent %s", recorded, one.Append(nil))
	listed, _, err := s.Read().ListDocuments(t.Context(), row.Connection, row.Kind, store.Query{Limit: 10, Filters: []store.Filter{{Field: "uid", Op: store.FilterEqual, Value: uid}}})
	require.NoError(t, err)
	assert.Equal(t, []store.Document{one}, listed)
}

func vpcRow(i int) *store.Resource {
	return &store.Resource{
		UID: fmt.Sprint("uid-", i), Connection: "c", Kind: "vpc", Name: fmt.Sprintf("v%d", i), CloudID: fmt.Sprint("id-", i), State: resource.StateAvailable,
		Labels: map[string]string{"b": "<é&\u2028>", "a": ""}, Effective: []byte(`{ "cidr": "10.0.0.0/16", "n": 1.50 }`), Status: []byte(`{}`), Native: []byte(`null`),
		CreatedAt: store.MicrosOf(time.Now()),
	}
}

// Each change of each column that is shown is in the document that is kept, which is not
// made anew of the row then.
func TestADocumentIsWhatIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		ctx := auth.As(t.Context(), "ann")
		row := vpcRow(1)
		change := func(run func(ctx context.Context, q *store.Queries) error) {
			t.Helper()
			require.NoError(t, s.Update(ctx, run))
			kept, err := s.Kept(t.Context(), row.UID)
			require.NoError(t, err)
			assert.Equal(t, row.Operation != "", kept == "", "it is kept once no operation changes it any more")
			sameDocument(t, s, row.UID)
		}
		change(func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, row, nil) })
		for _, set := range []func(){
			func() { row.FacadeName = "its/name" },
			func() { row.CloudID = "other" },
			func() { row.State, row.CloudState = resource.StateUpdating, "MODIFYING" },
			func() { row.Labels = nil },
			func() { row.Asked = []byte(`{"cidr":"10.0.0.0/8"}`) },
			func() { row.Effective = []byte(`{"cidr":"10.0.0.0/9"}`) },
			func() { row.Status = []byte(`{"a":[1,2]}`) },
			func() { row.Native = []byte(`{"x":"\u0026"}`) },
			func() { row.Error = resource.Errorf(resource.CodeQuota, "a \"quote\"") },
			func() { row.Operation, row.Uncertain = "op", true },
			func() { row.UpdatedAt, row.UpdatedBy = row.UpdatedAt+5, "bob" },
			func() { row.SyncedAt = store.MicrosOf(time.Now()) },
			func() { row.Operation, row.Error = "", nil },
		} {
			set()
			change(func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, row, "") })
		}
		change(func(ctx context.Context, q *store.Queries) error {
			return q.MarkSynced(ctx, []string{row.UID}, store.MicrosOf(time.Now().Add(time.Hour)))
		})
		_, err := s.Read().Document(t.Context(), "c", "vpc", "none")
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	})
}

// What an earlier version has recorded is answered at once, and gets documents bit by bit.
func TestDocumentsOfWhatWasRecordedBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		const count = 501 // more than are filled at once
		for i := range count {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, vpcRow(i), nil) }))
		}
		require.NoError(t, s.ForgetDocuments(t.Context()))
		sameDocument(t, s, "uid-7")
		for _, want := range []bool{true, false} {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				more, err := q.FillDocuments(ctx)
				assert.Equal(t, want, more)
				return err
			}))
		}
		for i := range count {
			kept, err := s.Kept(t.Context(), fmt.Sprint("uid-", i))
			require.NoError(t, err)
			require.NotEmpty(t, kept)
		}
		sameDocument(t, s, "uid-7")
		require.NoError(t, s.Again(t.Context(), 32))
		sameDocument(t, s, "uid-7")
	})
}

// A server of an earlier version that runs beside this one leaves no document that is wrong.
func TestADocumentDoesNotOutliveAChangeByAnEarlierVersion(t *testing.T) {
	s, err := store.OpenPostgres(t.Context(), storetest.Postgres(t))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, vpcRow(1), nil) }))
	for statement, forgets := range map[string]bool{
		"UPDATE resources SET lease_owner = 'other', lease_until = 5, synced_at = 7, state = state": false,
		"UPDATE resources SET state = 'failed'":                                                     true,
		`UPDATE resources SET status = '{"a":1}'`:                                                   true,
		`UPDATE resources SET labels = NULL, asked = '{"cidr":1}'`:                                  true,
	} {
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			_, err := q.FillDocuments(ctx)
			return err
		}))
		require.NoError(t, s.Exec(t.Context(), statement))
		kept, err := s.Kept(t.Context(), "uid-1")
		require.NoError(t, err)
		assert.Equal(t, forgets, kept == "", statement)
		sameDocument(t, s, "uid-1")
	}
}

// Pages of documents are those of the rows, whatever they are sorted by.
func TestPagesOfDocuments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		for i := range 7 {
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, vpcRow(i), nil) }))
		}
		for _, sort := range []string{"", "-name", "state", "-createdAt", "connection"} {
			query := store.Query{Limit: 3, Sort: sort}
			for pages := 1; ; pages++ {
				rows, next, err := s.Read().ListResources(t.Context(), "c", "vpc", query)
				require.NoError(t, err)
				docs, after, err := s.Read().ListDocuments(t.Context(), "c", "vpc", query)
				require.NoError(t, err)
				assert.Equal(t, next, after)
				require.Len(t, docs, len(rows))
				for i := range rows {
					recorded, err := json.Marshal(rows[i].Envelope())
					require.NoError(t, err)
					assert.True(t, store.SameJSON(recorded, docs[i].Append(nil)))
				}
				if query.Token = next; next == "" {
					assert.Equal(t, 3, pages)
					break
				}
			}
		}
	})
}
