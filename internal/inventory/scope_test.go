package inventory_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What belongs to the account is managed in one of its connections.
func TestObjectsOfTheAccountAreManagedInOneConnection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "accountWide", "keypair")
		e.Connect("other", "accountWide", "keypair")
		e.Connect("regional")
		for _, connection := range []string{"other", "regional"} { // each opens a session
			require.NoError(t, e.CheckConnection(t.Context(), connection))
		}
		made := e.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)

		found, err := e.Compare(t.Context(), "other", "keypair")
		require.NoError(t, err)
		require.Len(t, found.Items, 1)
		assert.Equal(t, api.InventoryItem{
			Kind: "keypair", Where: api.InOther, Connection: "mock", Name: "k", CloudID: made.CloudID, CloudName: "k", State: resource.StateAvailable,
		}, found.Items[0])
		assert.Empty(t, e.Places("regional", "keypair"), "which sees only its region's")

		_, err = e.Adopt(t.Context(), "other", "keypair", []byte(`{"cloudId":"`+made.CloudID+`"}`))
		assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		assert.ErrorContains(t, err, "is managed already, in the connection mock as the keypair k")
		all, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		assert.Empty(t, all.Items)

		op, err := e.Ask("other", "keypair", "k", `{"algorithm":"ed25519"}`)
		require.NoError(t, err)
		ended := e.Ends(op)
		require.Equal(t, api.OperationFailed, ended.State)
		assert.Equal(t, resource.CodeAlreadyExists, ended.Error.Code)
		assert.Contains(t, ended.Error.Message, "is managed in the connection mock")

		_, err = e.Release(t.Context(), "mock", "keypair", "k")
		require.NoError(t, err)
		adopted, err := e.Adopt(t.Context(), "other", "keypair", []byte(`{"cloudId":"`+made.CloudID+`"}`))
		require.NoError(t, err, "nobody manages it any more")
		assert.Equal(t, map[api.Where]int{api.InOther: 1}, e.Places("mock", "keypair"))
		op, err = e.Delete(t.Context(), "other", "keypair", adopted.Name)
		require.NoError(t, err)
		assert.Equal(t, api.OperationSucceeded, e.Ends(op).State)
		assert.Empty(t, e.Places("mock", "keypair"))
	})
}

// What two connections came to manage before anybody knew that they see the same is deleted
// by neither.
func TestObjectThatTwoConnectionsManageIsNotDeleted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "accountWide", "keypair")
	e.Connect("other", "accountWide", "keypair")
	made := e.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	require.Equal(t, map[api.Where]int{api.InOther: 1}, e.Places("other", "keypair")) // a session is open
	known, err := e.Store.Read().Connection(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"bucket": "account default", "keypair": "account default"}, known.Scopes)

	unknown := *known
	unknown.Scopes = nil
	place := func(row store.Connection) {
		require.NoError(t, e.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.SetPlace(ctx, &row) }))
	}
	place(unknown)
	_, err = e.Adopt(t.Context(), "other", "keypair", []byte(`{"cloudId":"`+made.CloudID+`"}`))
	require.NoError(t, err)
	place(*known)

	op, err := e.Delete(t.Context(), "other", "keypair", "k")
	require.NoError(t, err)
	ended := e.Ends(op)
	require.Equal(t, api.OperationFailed, ended.State)
	assert.Equal(t, resource.CodeConflict, ended.Error.Code)
	assert.Contains(t, ended.Error.Message, "is managed in the connection mock, too, as k; release it here")
	kept, err := e.Get(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, kept.State)
	_, err = e.Release(t.Context(), "other", "keypair", "k")
	require.NoError(t, err)
	op, err = e.Delete(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	assert.Equal(t, api.OperationSucceeded, e.Ends(op).State)
}
