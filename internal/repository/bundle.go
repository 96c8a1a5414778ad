package repository

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// bundle is a signature in the JSON of sigstore, which cosign and other tools write and
// verify. No certificates, transparency logs and time stamps are asked for, so that signing
// and verifying need no network; what a bundle has of them is passed over.
// https://docs.sigstore.dev/about/bundle/
type bundle struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	} `json:"verificationMaterial"`
	MessageSignature *messageSignature `json:"messageSignature,omitempty"`
	Envelope         *envelope         `json:"dsseEnvelope,omitempty"`
}

// messageSignature signs what it is about itself.
type messageSignature struct {
	Digest struct {
		Algorithm string `json:"algorithm"`
		Digest    []byte `json:"digest"` // of what is signed, for people and tools
	} `json:"messageDigest"`
	Signature []byte `json:"signature"`
}

// envelope signs a statement, as cosign does to images.
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
type envelope struct {
	Payload     []byte `json:"payload"`
	PayloadType string `json:"payloadType"`
	Signatures  []struct {
		Sig []byte `json:"sig"`
	} `json:"signatures"`
}

// statement says of what by its hash something is said.
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
type statement struct {
	Subject []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	PredicateType string `json:"predicateType"`
}

// The words of these formats.
const (
	bundleTypes   = "application/vnd.dev.sigstore.bundle" // the beginning of all
	bundleHash    = "SHA2_256"
	statementType = "application/vnd.in-toto+json"
	signedByThis  = "https://sigstore.dev/cosign/sign/v1" // the statement that says no more than that something is signed
)

var (
	errOtherKey = errors.New("it is by a key that is not trusted here")
	errNotIt    = errors.New("it signs something else, or is broken")
)

// signBundle signs what is given and answers a bundle.
func signBundle(data []byte, key *PrivateKey) ([]byte, error) {
	sum := sha256.Sum256(data)
	signed, err := ecdsa.SignASN1(rand.Reader, key.key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b := bundle{MediaType: SignatureType, MessageSignature: &messageSignature{Signature: signed}}
	b.VerificationMaterial.PublicKey.Hint = key.Public().hint()
	b.MessageSignature.Digest.Algorithm, b.MessageSignature.Digest.Digest = bundleHash, sum[:]
	return json.Marshal(b)
}

// verifyBundle answers which of the keys a bundle signs the data with.
func verifyBundle(raw, data []byte, keys []*PublicKey) (*PublicKey, error) {
	var b bundle
	if err := json.Unmarshal(raw, &b); err != nil || !strings.HasPrefix(b.MediaType, bundleTypes) {
		return nil, errors.New("it is no bundle of sigstore")
	}
	i := slices.IndexFunc(keys, func(k *PublicKey) bool { return k.hint() == b.VerificationMaterial.PublicKey.Hint })
	if i < 0 {
		return nil, errOtherKey
	}
	switch {
	case b.MessageSignature != nil && b.Envelope == nil:
		if !keys[i].signs(data, b.MessageSignature.Signature) {
			return nil, errNotIt
		}
	case b.Envelope != nil && b.MessageSignature == nil:
		if err := b.Envelope.verify(data, keys[i]); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("it has no signature of a kind that is known here")
	}
	return keys[i], nil
}

// verify looks at the statement only once its signature is the key's.
func (e *envelope) verify(data []byte, key *PublicKey) error {
	said := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
	if len(e.Signatures) != 1 || !key.signs(said, e.Signatures[0].Sig) {
		return errNotIt
	}
	var s statement
	if err := json.Unmarshal(e.Payload, &s); err != nil || e.PayloadType != statementType || s.PredicateType != signedByThis {
		return errors.New("it states something else than that the package is signed")
	}
	sum := sha256.Sum256(data)
	for _, subject := range s.Subject {
		if subject.Digest["sha256"] == hex.EncodeToString(sum[:]) {
			return nil
		}
	}
	return errNotIt
}

// signs reports whether a signature is the key's of what is given.
func (k *PublicKey) signs(data, signature []byte) bool {
	sum := sha256.Sum256(data)
	return ecdsa.VerifyASN1(k.key, sum[:], signature)
}
