package repository

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// PrivateKey signs packages: ECDSA on P-256 with SHA-256.
type PrivateKey struct{ key *ecdsa.PrivateKey }

// PublicKey is what a publisher's signatures are verified with.
type PublicKey struct {
	key *ecdsa.PublicKey
	der []byte
}

// NewKey makes a key.
func NewKey() (*PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return &PrivateKey{key}, nil
}

// ParsePrivateKey reads a key in PEM, as [PrivateKey.PEM] or openssl write it.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	const help = "is not a private key in PEM; make one with: mcic driver keygen"
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, resource.Errorf(resource.CodeInvalid, "this %s", help)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "this %s", help)
		}
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, resource.Errorf(resource.CodeInvalid, "the key is not one of ECDSA on P-256; make one with: mcic driver keygen")
	}
	return &PrivateKey{key}, nil
}

// PEM is the key in PEM (PKCS #8). It is secret.
func (k *PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Public is the half that others verify with.
func (k *PrivateKey) Public() *PublicKey {
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		panic(err) // only for kinds of keys that there are none of here
	}
	return &PublicKey{&k.key.PublicKey, der}
}

// ParsePublicKey reads a key in PEM.
func ParsePublicKey(text string) (*PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, resource.Errorf(resource.CodeInvalid, "it is not one public key in PEM (-----BEGIN PUBLIC KEY-----)")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "it is not a public key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, resource.Errorf(resource.CodeInvalid, "it is not a key of ECDSA on P-256, which mcic driver keygen makes")
	}
	return &PublicKey{key, block.Bytes}, nil
}

// PEM is the key in PEM.
func (k *PublicKey) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der}))
}

// Fingerprint names the key for people: SHA256: and the beginning of its hash.
func (k *PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k.der)
	return "SHA256:" + hex.EncodeToString(sum[:16])
}

// hint names the key in a bundle, as cosign does.
func (k *PublicKey) hint() string {
	sum := sha256.Sum256(k.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// fingerprints lists keys for people.
func fingerprints(keys []*PublicKey) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Fingerprint()
	}
	return strings.Join(names, ", ")
}
