package registry_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

func TestConnectionsAndCredentials(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	ctx := t.Context()
	credential, err := e.CreateCredential(ctx, []byte(`{"name":"key","cloud":"mock","values":{"account":"a","password":"top-secret-1"}}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"account", "password"}, credential.Fields)
	row, err := e.Store.Read().Credential(ctx, "key")
	require.NoError(t, err)
	assert.NotContains(t, string(row.Sealed), "top-secret-1")

	for name, body := range map[string]string{
		"unknown cloud":       `{"name":"x","cloud":"moon","credential":"key","region":"mock-seoul"}`,
		"unknown credential":  `{"name":"x","cloud":"mock","credential":"none","region":"mock-seoul"}`,
		"unknown setting":     `{"name":"x","cloud":"mock","region":"mock-seoul","settings":{"speed":"1"}}`,
		"setting of no sense": `{"name":"x","cloud":"mock","region":"mock-seoul","settings":{"latency":"fast"}}`,
		"unknown region":      `{"name":"x","cloud":"mock","region":"atlantis"}`,
		"unknown field":       `{"name":"x","cloud":"mock","region":"mock-seoul","color":"red"}`,
	} {
		_, err := e.CreateConnection(ctx, []byte(body), true)
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%s: %v", name, err)
	}
	_, err = e.CreateCredential(ctx, []byte(`{"name":"bad","cloud":"mock","values":{"password":"wrong"}}`))
	require.NoError(t, err)
	_, err = e.CreateConnection(ctx, []byte(`{"name":"x","cloud":"mock","credential":"bad","region":"mock-seoul"}`), true)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))

	_, err = e.CreateConnection(ctx, []byte(`{"name":"c","cloud":"mock","credential":"key","region":"mock-seoul"}`), true)
	require.NoError(t, err)
	_, err = e.CreateConnection(ctx, []byte(`{"name":"c","cloud":"mock","credential":"key","region":"mock-seoul"}`), true)
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(e.DeleteCredential(ctx, "key")))
	require.NoError(t, e.CheckConnection(ctx, "c"))
	require.NoError(t, e.DeleteConnection(ctx, "c"))
	require.NoError(t, e.DeleteCredential(ctx, "key"))
	_, err = e.Credential(ctx, "key")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}
