package registry_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestRegistrationsAreReplacedAndForgotten(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	r := registry.Registration{Type: "region", Name: "seoul", Cloud: "mock", Value: json.RawMessage(`{"a":"1"}`)}
	require.NoError(t, e.Register(t.Context(), r))
	require.NoError(t, e.Register(t.Context(), r), "the same once more")
	r.Value = json.RawMessage(`{"a":"2"}`)
	require.NoError(t, e.Register(t.Context(), r))
	got, err := e.Registration(t.Context(), "region", "seoul")
	require.NoError(t, err)
	assert.JSONEq(t, `{"a":"2"}`, string(got.Value))

	all, err := e.Registrations(t.Context(), "region", "mock")
	require.NoError(t, err)
	assert.Len(t, all, 1)
	others, err := e.Registrations(t.Context(), "region", "aws")
	require.NoError(t, err)
	assert.Empty(t, others)

	require.NoError(t, e.Unregister(t.Context(), "region", "seoul"))
	require.NoError(t, e.Unregister(t.Context(), "region", "seoul"), "what is gone is gone")
	_, err = e.Registration(t.Context(), "region", "seoul")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestAPutCredentialReachesTheConnectionsThatUseIt(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	d, err := e.Driver(t.Context(), "mock")
	require.NoError(t, err)
	put := func(values map[string]string) {
		t.Helper()
		_, err := e.PutCredential(t.Context(), d, api.CredentialRequest{Name: "c", Cloud: "mock", Values: values})
		require.NoError(t, err)
	}
	put(map[string]string{"account": "a", "password": "wrong"})
	connection := api.ConnectionRequest{Name: "m", Cloud: "mock", Credential: "c", Region: "mock-seoul"}
	before, err := e.PutConnection(t.Context(), connection)
	require.NoError(t, err)
	require.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(e.CheckConnection(t.Context(), "m")))

	put(map[string]string{"account": "a", "password": "wrong"})
	same, err := e.PutConnection(t.Context(), connection)
	require.NoError(t, err)
	assert.Equal(t, before.UpdatedAt, same.UpdatedAt, "the same once more changes nothing")

	put(map[string]string{"account": "a", "password": "right"})
	assert.NoError(t, e.CheckConnection(t.Context(), "m"))

	_, err = e.PutCredential(t.Context(), d, api.CredentialRequest{Name: "c", Cloud: "mock", Values: map[string]string{"nope": "1"}})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
}

func TestACredentialFromBeforeTheDriverIsReadByIt(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	before := &driver.Description{About: driver.About{Name: "mock", Credential: []driver.Field{{Name: "mockname"}, {Name: "forgotten"}}}}
	_, err := e.PutCredential(t.Context(), before, api.CredentialRequest{Name: "c", Cloud: "mock", Values: map[string]string{"mockname": "them", "forgotten": "1"}})
	require.NoError(t, err)
	_, err = e.PutConnection(t.Context(), api.ConnectionRequest{Name: "m", Cloud: "mock", Credential: "c", Region: "mock-seoul"})
	require.NoError(t, err)
	s, _, err := e.Session(t.Context(), "m")
	require.NoError(t, err)
	answer, err := s.Extend(t.Context(), "echo", json.RawMessage(`{"text":"who"}`))
	require.NoError(t, err)
	assert.Contains(t, string(answer), `"account":"them"`)
}

func TestAConnectionInUseKeepsItsRegion(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	move := api.ConnectionRequest{Name: "mock", Cloud: "mock", Region: "mock-tokyo"}
	moved, err := e.PutConnection(t.Context(), move)
	require.NoError(t, err)
	require.Equal(t, "mock-tokyo", moved.Region)

	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	move.Region = "mock-seoul"
	_, err = e.PutConnection(t.Context(), move)
	require.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	move.Region, move.Zone = "mock-tokyo", "mock-tokyo-a"
	moved, err = e.PutConnection(t.Context(), move)
	require.NoError(t, err)
	assert.Equal(t, "mock-tokyo-a", moved.Zone)
}
