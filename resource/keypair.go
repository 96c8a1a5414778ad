package resource

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"

	"golang.org/x/crypto/ssh"
)

// KeyPair is the kind of SSH keys.
//
// The server makes the key itself and clouds only import the public half, so
// that a key can be made the same way on every cloud and a crash between the
// cloud's answer and our record cannot lose the private half.
var KeyPair = define[KeyPairSpec, KeyPairStatus](Kind{
	Name:    "keypair",
	Title:   "Key pair",
	Doc:     "An SSH key that a VM is created with.",
	Secrets: []Secret{{Name: "privateKey", Doc: "The private key in OpenSSH's PEM format. Only when the server made the key."}},
})

// rsaBits is as strong as AES with 128 bits (NIST SP 800-57, table 2). With more, making
// a key takes longer than clients should wait: up to a second of a processor for 4096 bits.
// https://doi.org/10.6028/NIST.SP.800-57pt1r5
const rsaBits = 3072

// KeyPairSpec is what a key pair is asked to be.
type KeyPairSpec struct {
	Algorithm string `json:"algorithm,omitempty" doc:"Algorithm of the key that the server makes: rsa (3072 bits; every cloud and Windows take it) or ed25519 (shorter; not for Windows on AWS, not on NCP). Default: rsa." completed:"server" enum:"rsa,ed25519"`
	PublicKey string `json:"publicKey,omitempty" doc:"Public key to import, as one line of an authorized_keys file. Without it the server makes a key and answers the private key once." completed:"server" maxLength:"4096" file:"true"`
}

// KeyPairStatus is what the cloud reports of a key pair.
type KeyPairStatus struct {
	Fingerprint string `json:"fingerprint,omitempty" doc:"Fingerprint of the public key, in the cloud's own way of computing it."`
}

// Kept implements keepable: a machine needs the public key and nothing else.
func (s KeyPairSpec) Kept() (KeyPairSpec, KeyPairStatus, error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.PublicKey))
	if err != nil {
		return KeyPairSpec{}, KeyPairStatus{}, Errorf(CodeInvalid, "%.64q is not an SSH public key: %w", s.PublicKey, err)
	}
	return KeyPairSpec{PublicKey: s.PublicKey}, KeyPairStatus{Fingerprint: ssh.FingerprintSHA256(public)}, nil
}

// Problems implements the rules beyond the schema.
func (s *KeyPairSpec) Problems(at string) []Problem {
	if s.PublicKey == "" {
		return nil
	}
	if s.Algorithm != "" {
		return []Problem{{Field: join(at, "algorithm"), Message: "only for a key that the server makes; leave it out when publicKey is given", Rule: RuleExclusive, Limit: "publicKey"}}
	}
	_, _, options, _, err := ssh.ParseAuthorizedKey([]byte(s.PublicKey))
	if err != nil || len(options) > 0 || strings.ContainsAny(strings.TrimSpace(s.PublicKey), "\r\n") {
		return []Problem{{Field: join(at, "publicKey"), Message: "not an SSH public key; give one line such as: ssh-ed25519 AAAA… comment", Rule: RuleFormat, Limit: "ssh-ed25519 AAAA… comment"}}
	}
	return nil
}

// Complete makes the key if none was given.
func (s *KeyPairSpec) Complete() (map[string]string, error) {
	if s.PublicKey != "" {
		return nil, nil
	}
	var (
		private any
		public  ssh.PublicKey
	)
	if s.Algorithm == "ed25519" {
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, Errorf(CodeInternal, "make an ed25519 key: %w", err)
		}
		private = key
		if public, err = ssh.NewPublicKey(pub); err != nil {
			return nil, Errorf(CodeInternal, "encode the public key: %w", err)
		}
	} else {
		s.Algorithm = "rsa"
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, Errorf(CodeInternal, "make an RSA key: %w", err)
		}
		private = key
		if public, err = ssh.NewPublicKey(key.Public()); err != nil {
			return nil, Errorf(CodeInternal, "encode the public key: %w", err)
		}
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, Errorf(CodeInternal, "encode the private key: %w", err)
	}
	s.PublicKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	return map[string]string{"privateKey": string(pem.EncodeToMemory(block))}, nil
}
