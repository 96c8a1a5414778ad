package mock

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type keyPairs struct {
	table[resource.KeyPairSpec, resource.KeyPairStatus]
}

func openKeyPairs(s *session) keyPairs {
	collection := keyPairs{table[resource.KeyPairSpec, resource.KeyPairStatus]{
		s: s, kind: resource.KeyPair, prefix: "key", ready: resource.StateAvailable, show: showKeyPair,
	}}
	collection.prepare = collection.plan
	return collection
}

// withoutKeyPairs takes its key pairs from a cloud.
func (c *cloud) withoutKeyPairs() *cloud {
	c.keyless = true
	return c
}

// kinds are those that the cloud has.
func (c *cloud) kinds() []*resource.Kind {
	return slices.DeleteFunc(resource.Kinds(), func(k *resource.Kind) bool { return c.keyless && k == resource.KeyPair.Kind })
}

// plan completes and checks a draft.
func (c keyPairs) plan(d *draft[resource.KeyPairSpec, resource.KeyPairStatus]) error {
	fingerprint, ok := fingerprintOf(d.spec.PublicKey)
	if !ok {
		return refuseField("spec.publicKey", "InvalidKey.Format", "this is not an SSH public key; give one line such as: ssh-ed25519 AAAA… comment")
	}
	d.status.Fingerprint = fingerprint
	d.claims = []claim{{"keypairs of " + c.key().Account + " in " + c.key().Region, d.name}}
	return nil
}

// fingerprintOf is the fingerprint of a public key as OpenSSH writes it, and
// whether the text is a public key at all.
func fingerprintOf(publicKey string) (fingerprint string, ok bool) {
	fields := strings.Fields(publicKey)
	if len(fields) < 2 {
		return "", false
	}
	raw, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(raw) < 4 {
		return "", false
	}
	// The key begins with the name of its algorithm, preceded by its length.
	name, size := raw[4:], uint64(binary.BigEndian.Uint32(raw))
	if uint64(len(name)) <= size || string(name[:size]) != fields[0] {
		return "", false
	}
	sum := sha256.Sum256(raw)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), true
}

// nativeKeyPair is a key pair in the cloud's own words.
type nativeKeyPair struct {
	KeyPairID   string `json:"keyPairId"`
	KeyName     string `json:"keyName"`
	KeyType     string `json:"keyType"`
	Fingerprint string `json:"keyFingerprint"`
}

func showKeyPair(v *sight[resource.KeyPairSpec, resource.KeyPairStatus]) any {
	algorithm, _, _ := strings.Cut(v.spec.PublicKey, " ")
	return nativeKeyPair{KeyPairID: v.ID, KeyName: v.Name, KeyType: strings.TrimPrefix(algorithm, "ssh-"), Fingerprint: v.status.Fingerprint}
}
