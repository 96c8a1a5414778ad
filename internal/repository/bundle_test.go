package repository

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
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

func TestSignaturesOfOtherBytesAndAlgorithms(t *testing.T) {
	key, err := NewKey()
	require.NoError(t, err)
	data := []byte("what is signed")
	raw, err := signBundle(data, key)
	require.NoError(t, err)
	with := func(signature []byte) error {
		var b bundle
		require.NoError(t, json.Unmarshal(raw, &b))
		b.MessageSignature.Signature = signature
		changed, err := json.Marshal(b)
		require.NoError(t, err)
		_, err = verifyBundle(changed, data, []*PublicKey{key.Public()})
		return err
	}
	sum := sha256.Sum256(data)
	signature, err := ecdsa.SignASN1(rand.Reader, key.key, sum[:])
	require.NoError(t, err)
	require.NoError(t, with(signature))
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		require.ErrorIs(t, with(changed), errNotIt, "byte %d", i)
		require.ErrorIs(t, with(signature[:i]), errNotIt, "the first %d bytes", i)
	}
	require.ErrorIs(t, with(append(signature, 0)), errNotIt)
	longer := sha512.Sum512(data)
	signature, err = ecdsa.SignASN1(rand.Reader, key.key, longer[:])
	require.NoError(t, err)
	require.ErrorIs(t, with(signature), errNotIt, "with SHA-512")
}

func TestKeysOfOtherKindsAreRefused(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"P-384": curve, "Ed25519": edwards, "RSA": old} {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		require.NoError(t, err)
		_, err = ParsePublicKey(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		require.ErrorContains(t, err, "not a key of ECDSA on P-256", name)
		der, err = x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		_, err = ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		require.ErrorContains(t, err, "not one of ECDSA on P-256", name)
	}
}
