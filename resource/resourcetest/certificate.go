// Package resourcetest makes what specifications need in tests.
package resourcetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// Certified is a certificate with its key, which can sign others.
type Certified struct {
	Certificate, PrivateKey string // in PEM

	made *x509.Certificate
	key  crypto.Signer
}

// Certificate makes one for a host, valid from an hour ago and for as long as is said, which is
// signed by another one or, without that, by itself. It panics if there is no chance left.
func Certificate(host string, valid time.Duration, by *Certified) *Certified {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	c := &Certified{key: key, made: template}
	if by == nil {
		by = c
	}
	raw := must(x509.CreateCertificate(rand.Reader, template, by.made, key.Public(), by.key))
	c.made = must(x509.ParseCertificate(raw))
	c.Certificate = encoded("CERTIFICATE", raw)
	c.PrivateKey = encoded("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
	return c
}

func encoded(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}

func must[V any](value V, err error) V {
	if err != nil {
		panic("make a certificate for a test: " + err.Error())
	}
	return value
}
