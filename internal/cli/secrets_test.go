package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestSecretGoesToItsFile(t *testing.T) {
	f := newFake(t)
	f.secrets = map[string]string{"privateKey": "-----KEY-----\nabc\n"}
	s := newShell(t, f)
	out := s.ok("keypair create k --private-key-out " + s.path("key"))
	assert.NotContains(t, out+s.err.String(), "KEY")
	raw, err := os.ReadFile(s.path("key"))
	require.NoError(t, err)
	assert.Equal(t, "-----KEY-----\nabc\n", string(raw))
	info, err := os.Stat(s.path("key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	before := len(f.seen())
	assert.Equal(t, 2, s.run("keypair create k2 --private-key-out "+s.path("key")))
	assert.Contains(t, s.err.String(), "exists and is not overwritten")
	assert.Equal(t, 2, s.run("keypair create k2 --private-key-out "+s.path("none/key")))
	assert.Len(t, f.seen(), before, "nothing is asked for when the secret has no place")
	raw, err = os.ReadFile(s.path("key"))
	require.NoError(t, err)
	assert.Equal(t, "-----KEY-----\nabc\n", string(raw))
}

func TestNoFileIsLeftWithoutASecret(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	s.ok("keypair create k --private-key-out " + s.path("key"))
	assert.Contains(t, s.err.String(), "Warning: the answer has no privateKey")
	assert.NoFileExists(t, s.path("key"))
	f.status, f.problem = 409, map[string]any{"code": "already_exists", "detail": "the name is taken"}
	assert.Equal(t, 4, s.run("keypair create k --private-key-out "+s.path("key")))
	assert.Contains(t, s.err.String(), "see what there is: mcic keypair list")
	assert.NoFileExists(t, s.path("key"))
}

func TestSecretIsShownOnce(t *testing.T) {
	f := newFake(t)
	f.secrets = map[string]string{"privateKey": "-----KEY-----\n\x1b[2Jabc\n"}
	s := newShell(t, f)
	for _, tc := range []struct{ line, inOut, inErr, notOut string }{
		{"keypair create k", "-----KEY-----\n\\x1b[2Jabc\n", "keep the privateKey that follows: it is not shown again", "\x1b"},
		{"keypair create k -o name", "op", "-----KEY-----", "KEY"},
		{"keypair create k --wait -o name", "k\n", "-----KEY-----", "KEY"},
		{"keypair create k -o json", `"privateKey": "-----KEY-----\n\u001b[2Jabc\n"`, "", "\x1b"},
		{"keypair create k --wait -o json", `"privateKey": "-----KEY-----\n\u001b[2Jabc\n"`, "", "\x1b"},
		{"keypair create k --wait -o yaml", "privateKey: ", "", "\x1b"},
		{"keypair create k --wait", "-----KEY-----", "Warning: keep", "secrets"},
	} {
		out := s.ok(tc.line)
		assert.Contains(t, out, tc.inOut, tc.line)
		assert.Contains(t, s.err.String(), tc.inErr, tc.line)
		assert.NotContains(t, out, tc.notOut, tc.line)
		assert.Equal(t, 1, strings.Count(out+s.err.String(), "-----KEY-----"), tc.line)
	}
	// A secret must not be lost when what follows fails.
	f.states, f.opError = []api.OperationState{api.OperationFailed}, resource.Errorf(resource.CodeQuota, "too many")
	assert.Equal(t, 6, s.run("keypair create k --wait -o json"))
	assert.Contains(t, s.out.String(), "-----KEY-----")
}
