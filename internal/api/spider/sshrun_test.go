package spider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/sshd"
)

func TestSSHRun(t *testing.T) {
	s := sshd.Start(t, "ed25519")
	a := start(t, enginetest.Options{}, "ssh", s.User+"@"+s.Address)
	a.Network()
	pair := a.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	var key resource.KeyPairSpec
	require.NoError(t, json.Unmarshal(pair.Effective, &key))
	private, public := s.Key("own", "rsa", "-b", "2048")
	stranger, _ := s.Key("stranger", "ecdsa")
	s.Authorize(key.PublicKey, public)
	spec := strings.TrimSuffix(a.VMSpec(), "}") + `,"keypair":"k"}`
	a.MustCreate("mock", "vm", "vm1", spec)

	run := func(more map[string]any) response {
		t.Helper()
		body := map[string]any{"UserName": s.User, "PrivateKey": strings.Split(private, "\n"), "ServerPort": s.Address, "Command": "echo in"}
		for field, value := range more {
			body[field] = value
		}
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		return a.call(http.MethodPost, "/sshrun", string(raw))
	}
	got := run(nil)
	require.Equal(t, http.StatusOK, got.status, got.body)
	assert.Equal(t, "\"in\\n\"", got.body, "a JSON text, as CB-Spider answers it")
	assert.Equal(t, "\"in\\n\"", run(map[string]any{"PrivateKey": private}).body, "also a key in one text")
	assert.Equal(t, "\"in\\n\"", run(map[string]any{"PrivateKey": []string{}}).body, "without a key that of the VM's key pair is used")
	assert.Equal(t, "\"two\\nlines\\n\"", run(map[string]any{"Command": "echo two\necho lines"}).body)

	failed := run(map[string]any{"Command": "echo why >&2; exit 3"})
	assert.Equal(t, http.StatusInternalServerError, failed.status)
	assert.Equal(t, "Process exited with status 3: why", failed.message(t))
	refused := run(map[string]any{"PrivateKey": strings.Split(stranger, "\n")})
	assert.Equal(t, http.StatusForbidden, refused.status, refused.body)
	assert.Contains(t, refused.message(t), "refuses "+s.User)
	for field, value := range map[string]string{"Command": "", "ServerPort": "somewhere:22", "UserName": "a b", "PrivateKey": "no key"} {
		wrong := run(map[string]any{field: value})
		assert.Equal(t, http.StatusBadRequest, wrong.status, "%s: %s", field, wrong.body)
		assert.Contains(t, wrong.message(t), field)
	}
	_, port, _ := strings.Cut(s.Address, ":")
	elsewhere := run(map[string]any{"ServerPort": "127.0.0.2:" + port})
	assert.Equal(t, http.StatusNotFound, elsewhere.status, "it is no VM's, whoever answers there")
	assert.Contains(t, elsewhere.message(t), "does not exist")
	much := run(map[string]any{"Command": "head -c 20000000 /dev/zero"})
	assert.Equal(t, http.StatusBadRequest, much.status, much.body[:min(200, len(much.body))])

	var vm struct{ SSHAccessPoint, VMUserId string }
	require.NoError(t, json.Unmarshal([]byte(a.call(http.MethodGet, "/vm/vm1?ConnectionName=mock", "").body), &vm))
	assert.Equal(t, s.Address, vm.SSHAccessPoint)
	assert.Equal(t, s.User, vm.VMUserId)

	a.MustCreate("mock", "vm", "vm2", spec)
	both := run(nil)
	assert.Equal(t, http.StatusConflict, both.status)
	assert.Contains(t, both.message(t), "mock/vm1, mock/vm2")

	op, err := a.Delete(t.Context(), "mock", "vm", "vm2")
	require.NoError(t, err)
	a.Succeeds(op)
	s.NewHostKey("ed25519")
	changed := run(nil)
	assert.Equal(t, http.StatusConflict, changed.status)
	assert.Contains(t, changed.message(t), "not the one that was seen before")

	entries, _, err := a.Trail.List(t.Context(), store.Query{Limit: 100, Filters: []store.Filter{{Field: "verb", Op: store.FilterEqual, Value: "login"}}})
	require.NoError(t, err)
	assert.NotEmpty(t, entries)
	for _, entry := range entries {
		assert.Equal(t, "spider", entry.Who)
		assert.NotContains(t, fmt.Sprint(entry), "echo")
	}
}
