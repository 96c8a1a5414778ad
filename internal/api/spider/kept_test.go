package spider_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// Clients see no difference between key pairs of the cloud and those that the server keeps.
func TestKeyPairsThatTheServerKeeps(t *testing.T) {
	a := registered(t, enginetest.Options{Keyless: true})
	a.network() // with the key pair k
	type iid struct{ NameId, SystemId string }
	var all struct {
		AllList struct{ MappedList, OnlySpiderList, OnlyCSPList []iid }
	}
	var key struct {
		IId         iid
		Fingerprint string
	}
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/keypair/k", in("{}")).body), &key))
	assert.Contains(t, key.Fingerprint, "SHA256:")
	assert.NotEmpty(t, key.IId.SystemId)
	for _, path := range []string{"/keypair", "/allkeypairinfo"} {
		assert.Contains(t, a.ok(http.MethodGet, path, in("{}")).body, key.IId.SystemId, path)
	}
	require.NoError(t, json.Unmarshal([]byte(a.ok(http.MethodGet, "/allkeypair", in("{}")).body), &all))
	assert.Equal(t, []iid{key.IId}, all.AllList.MappedList)
	assert.Empty(t, all.AllList.OnlySpiderList)
	assert.Empty(t, all.AllList.OnlyCSPList)

	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	assert.Contains(t, a.ok(http.MethodGet, "/vm/vm1", in("{}")).body, `"KeyPairIId":{"NameId":"k","SystemId":"`+key.IId.SystemId+`"}`)
	used := a.call(http.MethodDelete, "/keypair/k", in("{}"))
	assert.Equal(t, http.StatusConflict, used.status)
	assert.Contains(t, used.message(t), "vm1")
	a.ok(http.MethodDelete, "/vm/vm1", in("{}"))

	for method, path := range map[string]string{http.MethodDelete: "/regkeypair/k", http.MethodPost: "/regkeypair"} {
		refused := a.call(method, path, in(`{"Name":"k2","CSPId":"`+key.IId.SystemId+`"}`))
		assert.Contains(t, refused.message(t), "the server itself keeps every keypair", path)
	}
	assert.Equal(t, `{"Result":"true"}`, a.ok(http.MethodDelete, "/keypair/k", in("{}")).body)
	assert.Equal(t, http.StatusNotFound, a.call(http.MethodGet, "/keypair/k", in("{}")).status)
}
