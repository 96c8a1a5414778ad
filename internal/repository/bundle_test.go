package repository

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testBundle(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "bundle", name))
	require.NoError(t, err)
	return raw
}

// TestBundlesOfOtherTools verifies what sigstore-go 1.3.0 has signed: the message as earlier
// versions of mcic did, and a statement as cosign does.
func TestBundlesOfOtherTools(t *testing.T) {
	key, err := ParsePublicKey(string(testBundle(t, "key.pub")))
	require.NoError(t, err)
	other, err := NewKey()
	require.NoError(t, err)
	signed := testBundle(t, "signed.json")
	changed := bytes.Replace(signed, []byte("2"), []byte("3"), 1)
	for _, name := range []string{"message.json", "statement.json"} {
		raw := testBundle(t, name)
		by, err := verifyBundle(raw, signed, []*PublicKey{other.Public(), key})
		require.NoError(t, err, name)
		assert.Equal(t, key, by)
		_, err = verifyBundle(raw, changed, []*PublicKey{key})
		require.ErrorIs(t, err, errNotIt, name)
		_, err = verifyBundle(raw, signed, []*PublicKey{other.Public()})
		require.ErrorIs(t, err, errOtherKey, name)
		_, err = verifyBundle(bytes.ReplaceAll(raw, []byte(key.hint()), []byte(other.Public().hint())), signed, []*PublicKey{other.Public()})
		require.ErrorIs(t, err, errNotIt, "%s: the hint says who signed, and proves nothing", name)
	}
	_, err = verifyBundle(testBundle(t, "attestation.json"), signed, []*PublicKey{key})
	require.ErrorContains(t, err, "states something else")
}

func TestBundlesThatSayNothing(t *testing.T) {
	key, err := NewKey()
	require.NoError(t, err)
	data := []byte("what is signed")
	raw, err := signBundle(data, key)
	require.NoError(t, err)
	by, err := verifyBundle(raw, data, []*PublicKey{key.Public()})
	require.NoError(t, err)
	assert.Equal(t, key.Public(), by)
	var whole map[string]any
	require.NoError(t, json.Unmarshal(raw, &whole))
	with := func(change func(map[string]any)) []byte {
		var b map[string]any
		require.NoError(t, json.Unmarshal(raw, &b))
		change(b)
		changed, err := json.Marshal(b)
		require.NoError(t, err)
		return changed
	}
	for name, broken := range map[string][]byte{
		"nothing":          nil,
		"no JSON":          []byte("{"),
		"another type":     with(func(b map[string]any) { b["mediaType"] = "application/json" }),
		"no signature":     with(func(b map[string]any) { delete(b, "messageSignature") }),
		"an empty one":     with(func(b map[string]any) { b["messageSignature"] = map[string]any{} }),
		"no key":           with(func(b map[string]any) { delete(b, "verificationMaterial") }),
		"no base64":        with(func(b map[string]any) { b["messageSignature"] = map[string]any{"signature": "%"} }),
		"two of two kinds": with(func(b map[string]any) { b["dsseEnvelope"] = map[string]any{} }),
		"an envelope without signatures": with(func(b map[string]any) {
			delete(b, "messageSignature")
			b["dsseEnvelope"] = map[string]any{"payloadType": statementType, "payload": "e30="}
		}),
	} {
		_, err := verifyBundle(broken, data, []*PublicKey{key.Public()})
		assert.Error(t, err, name)
	}
}
