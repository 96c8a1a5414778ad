package registry_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sees reports whether a connection can be used, and answers its account.
func sees(t *testing.T, e *enginetest.Env, connection string) (account string, err error) {
	t.Helper()
	session, _, err := e.Session(t.Context(), connection)
	require.NoError(t, err)
	for _, err := range session.List(t.Context(), "vpc", driver.Filter{}) {
		if err != nil {
			return "", err
		}
	}
	c, err := e.Connection(t.Context(), connection)
	require.NoError(t, err)
	return c.Account, nil
}

func TestACredentialIsReplacedInPlace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.Start(t, enginetest.Options{Store: open()})
		ctx := t.Context()
		_, err := e.CreateCredential(ctx, []byte(`{"name":"key","cloud":"mock","values":{"account":"a","password":"old"}}`))
		require.NoError(t, err)
		for _, name := range []string{"one", "two"} {
			_, err = e.CreateConnection(ctx, []byte(`{"name":"`+name+`","cloud":"mock","credential":"key","region":"mock-seoul"}`), true)
			require.NoError(t, err)
		}
		account, err := sees(t, e, "one")
		require.NoError(t, err)
		require.Equal(t, "a", account)
		before, err := e.Store.Read().Credential(ctx, "key")
		require.NoError(t, err)

		for body, code := range map[string]resource.Code{
			`{"values":{"password":"wrong"}}`: resource.CodeUnauthenticated, // the cloud refuses it
			`{"values":{"account":"b"}}`:      resource.CodeConflict,        // it is another account
			`{"values":{"color":"red"}}`:      resource.CodeInvalid,
			`{"color":"red"}`:                 resource.CodeInvalid,
		} {
			_, err := e.UpdateCredential(ctx, "key", []byte(body), true)
			assert.Equal(t, code, resource.CodeOf(err), "%s: %v", body, err)
		}
		same, err := e.Store.Read().Credential(ctx, "key")
		require.NoError(t, err)
		assert.Equal(t, before.Sealed, same.Sealed, "what does not work replaces nothing")
		_, err = e.UpdateCredential(ctx, "none", []byte(`{}`), true)
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))

		ends := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		changed, err := e.UpdateCredential(ctx, "key", []byte(`{"values":{"password":"new"},"expiresAt":"2030-01-02T03:04:05Z"}`), true)
		require.NoError(t, err)
		assert.Equal(t, []string{"account", "password"}, changed.Fields, "what was not given stays")
		assert.Equal(t, ends, *changed.ExpiresAt)
		for _, name := range []string{"one", "two"} {
			account, err := sees(t, e, name)
			require.NoError(t, err)
			assert.Equal(t, "a", account)
		}
		kept, err := e.UpdateCredential(ctx, "key", []byte(`{"values":{"password":"newer"}}`), true)
		require.NoError(t, err)
		assert.Equal(t, ends, *kept.ExpiresAt)

		never, err := e.UpdateCredential(ctx, "key", []byte(`{"expiresAt":"0001-01-01T00:00:00Z"}`), true)
		require.NoError(t, err)
		assert.Nil(t, never.ExpiresAt)

		// Unchecked, connections open new sessions at once: what was open is not used any more.
		_, err = e.UpdateCredential(ctx, "key", []byte(`{"values":{"password":"wrong"}}`), false)
		require.NoError(t, err)
		_, err = sees(t, e, "one")
		assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	})
}

func TestAConnectionIsChangedInPlace(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	ctx := t.Context()
	for name, values := range map[string]string{
		"key": `{"account":"a","password":"x"}`, "same": `{"account":"a","password":"y"}`, "other": `{"account":"b","password":"z"}`, "bad": `{"account":"a","password":"wrong"}`,
	} {
		_, err := e.CreateCredential(ctx, []byte(`{"name":"`+name+`","cloud":"mock","values":`+values+`}`))
		require.NoError(t, err)
	}
	_, err := e.CreateConnection(ctx, []byte(`{"name":"c","cloud":"mock","credential":"key","region":"mock-seoul","settings":{"latency":"10ms"}}`), true)
	require.NoError(t, err)
	_, err = sees(t, e, "c")
	require.NoError(t, err)
	for body, code := range map[string]resource.Code{
		`{"credential":"none"}`:           resource.CodeInvalid,
		`{"credential":"other"}`:          resource.CodeConflict,
		`{"credential":"bad"}`:            resource.CodeUnauthenticated,
		`{"settings":{"speed":"1"}}`:      resource.CodeInvalid,
		`{"settings":{"latency":"fast"}}`: resource.CodeInvalid,
		`{"zone":"atlantis-1"}`:           resource.CodeInvalid,
		`{"region":"mock-tokyo"}`:         resource.CodeInvalid, // what is recorded is in the other one
		`{"patience":{"clusters":"10m"}}`: resource.CodeInvalid,
	} {
		_, err := e.UpdateConnection(ctx, "c", []byte(body), true)
		assert.Equal(t, code, resource.CodeOf(err), "%s: %v", body, err)
	}
	c, err := e.Connection(ctx, "c")
	require.NoError(t, err)
	assert.Equal(t, "key", c.Credential, "what does not work replaces nothing")

	c, err = e.UpdateConnection(ctx, "c", []byte(`{"credential":"same","settings":{},"zone":"mock-seoul-b","patience":{"cluster":"2h"}}`), true)
	require.NoError(t, err)
	assert.Equal(t, "same", c.Credential)
	assert.Equal(t, "mock-seoul-b", c.Zone)
	assert.Empty(t, c.Settings)
	assert.Equal(t, resource.Patience{"cluster": "2h"}, c.Patience)
	account, err := sees(t, e, "c")
	require.NoError(t, err)
	assert.Equal(t, "a", account)
	again, err := e.UpdateConnection(ctx, "c", []byte(`{"zone":""}`), true)
	require.NoError(t, err)
	assert.Empty(t, again.Zone)
	assert.Equal(t, "same", again.Credential)
	raw, err := json.Marshal(again)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), `"zone"`)
}
