package resource

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Certificate is the kind of certificates that load balancers show.
var Certificate = define[CertificateSpec, CertificateStatus](Kind{
	Name:  "certificate",
	Title: "Certificate",
	Doc:   "A TLS certificate with its private key, for the HTTPS listeners of ALBs.",
	Actions: []Action{
		changes(actionWith(Action{Name: "replace", Doc: "Replaces the certificate, its chain and its key by others, such as before it expires. What uses it shows the new one.", From: []State{StateAvailable}}, CertificateReplacer.Replace),
			func(s *CertificateSpec, to CertificateSpec) { s.Certificate, s.Chain = to.Certificate, to.Chain }),
	},
})

// CertificateReplacer is implemented by collections whose certificates can be replaced while
// they are used.
type CertificateReplacer interface {
	Replace(ctx context.Context, id string, by CertificateSpec) error
}

// CertificateSpec is what a certificate is asked to be, and the parameter of replace. How large
// its fields may be is what AWS takes.
// https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html
type CertificateSpec struct {
	Certificate string `json:"certificate" doc:"The certificate alone, in PEM. It must be valid now." minLength:"1" maxLength:"32768" file:"true"`
	Chain       string `json:"chain,omitempty" doc:"Those that vouch for it, in PEM: first the one that has signed it, then the one that has signed that, and so on; the root may be left out. Default: none, as for one that is signed by itself." maxLength:"131072" file:"true"`
	PrivateKey  string `json:"privateKey,omitempty" doc:"Its private key, in PEM and not encrypted, of at most 5120 bytes. Required; it is handed to the cloud and never shown." maxLength:"5120" file:"true" writeOnly:"true"`
}

// CertificateStatus is what the cloud reports of a certificate.
type CertificateStatus struct {
	Domains     []string   `json:"domains,omitempty" doc:"Host names and addresses that it is for." nullable:"false"`
	NotAfter    *time.Time `json:"notAfter,omitempty" doc:"When it expires."`
	Fingerprint string     `json:"fingerprint,omitempty" doc:"SHA-256 of the certificate in DER, in hexadecimal digits."`
}

// CertificateStatusOf reads a status out of a certificate in PEM.
func CertificateStatusOf(text string) (CertificateStatus, error) {
	certificates, err := parseCertificates(text)
	if err != nil {
		return CertificateStatus{}, Errorf(CodeInvalid, "read the certificate: %w", err)
	}
	of := certificates[0]
	status := CertificateStatus{Domains: of.DNSNames, NotAfter: &of.NotAfter}
	for _, address := range of.IPAddresses {
		status.Domains = append(status.Domains, address.String())
	}
	if len(status.Domains) == 0 && of.Subject.CommonName != "" {
		status.Domains = []string{of.Subject.CommonName}
	}
	sum := sha256.Sum256(of.Raw)
	status.Fingerprint = hex.EncodeToString(sum[:])
	return status, nil
}

const (
	pemCertificate = "-----BEGIN CERTIFICATE-----"
	pemKey         = "-----BEGIN PRIVATE KEY-----"
)

// Problems implements the rules beyond the schema, and writes what is in PEM in the one form
// that can be compared.
func (s *CertificateSpec) Problems(at string) []Problem {
	certificates, err := parseCertificates(s.Certificate)
	if err != nil || len(certificates) > 1 {
		if err == nil {
			err = fmt.Errorf("holds %d certificates; put those that vouch for it into chain", len(certificates))
		}
		return []Problem{{Field: join(at, "certificate"), Message: err.Error(), Rule: RuleFormat, Limit: pemCertificate}}
	}
	leaf := certificates[0]
	problems := validProblems(join(at, "certificate"), leaf)
	if s.Chain != "" {
		chain, err := parseCertificates(s.Chain)
		if err != nil {
			problems = append(problems, Problem{Field: join(at, "chain"), Message: err.Error(), Rule: RuleFormat, Limit: pemCertificate})
		}
		problems = append(problems, chainProblems(join(at, "chain"), leaf, chain)...)
		s.Chain = formatCertificates(chain)
	}
	s.Certificate = formatCertificates(certificates)
	return append(problems, privateKeyProblems(join(at, "privateKey"), s.PrivateKey, leaf)...)
}

// parseCertificates reads one certificate or several in PEM, and nothing else.
func parseCertificates(text string) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("is not PEM; give the lines from " + pemCertificate + " to the last")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a %.32q, and not only what begins with %s", printable(block.Type), pemCertificate)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("is not a certificate: " + printable(err.Error()))
		}
		found, rest = append(found, certificate), bytes.TrimSpace(rest)
	}
	if len(found) == 0 {
		return nil, errors.New("is empty; give the lines from " + pemCertificate + " to the last")
	}
	return found, nil
}

func formatCertificates(certificates []*x509.Certificate) string {
	var text strings.Builder
	for _, c := range certificates {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return text.String()
}

// validProblems says whether a certificate is not valid now. Clouds refuse such ones.
// https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html
func validProblems(field string, c *x509.Certificate) []Problem {
	switch now := time.Now(); {
	case now.After(c.NotAfter):
		return []Problem{{Field: field, Message: fmt.Sprintf("has expired on %s; give one that is valid", c.NotAfter.UTC().Format(time.RFC3339))}}
	case now.Before(c.NotBefore):
		return []Problem{{Field: field, Message: fmt.Sprintf("is not valid before %s; give one that is valid now", c.NotBefore.UTC().Format(time.RFC3339))}}
	}
	return nil
}

// chainProblems checks that each certificate of a chain has signed the one before.
func chainProblems(field string, signed *x509.Certificate, chain []*x509.Certificate) []Problem {
	for i, by := range chain {
		if problems := validProblems(field, by); len(problems) > 0 {
			problems[0].Message = fmt.Sprintf("the certificate %d, of %q, %s", i+1, printable(by.Subject.CommonName), problems[0].Message)
			return problems
		}
		if err := signed.CheckSignatureFrom(by); err != nil {
			return []Problem{{Field: field, Message: fmt.Sprintf("the certificate %d, of %q, has not signed the one of %q; begin with the one that has signed the certificate, and go on in this way", i+1, printable(by.Subject.CommonName), printable(signed.Subject.CommonName))}}
		}
		signed = by
	}
	return nil
}

// privateKeyProblems checks that a private key in PEM is that of a certificate. It tells nothing
// of the key.
func privateKeyProblems(field, text string, of *x509.Certificate) []Problem {
	wrong := func(message string) []Problem {
		return []Problem{{Field: field, Message: message, Rule: RuleFormat, Limit: pemKey}}
	}
	if text == "" {
		return []Problem{{Field: field, Message: "is required: the key that the certificate was made with", Rule: RuleRequired}}
	}
	block := privateBlock([]byte(text))
	switch {
	case block == nil:
		return wrong("is not a private key in PEM; give the lines from " + pemKey + " to the last")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return wrong("is encrypted; decrypt it first, such as with: openssl pkey -in FILE")
	}
	key, ok := parsePrivateKey(block.Bytes)
	if !ok {
		return wrong("is of no kind that certificates have; give an RSA or elliptic curve key")
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(of.PublicKey) {
		return []Problem{{Field: field, Message: "does not fit the certificate: it is the key of another one"}}
	}
	return nil
}

// privateBlock is the first block of a text in PEM that holds a key: parameters of its curve
// may come before.
func privateBlock(text []byte) *pem.Block {
	for {
		block, rest := pem.Decode(text)
		if block == nil || strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block
		}
		text = rest
	}
}

func parsePrivateKey(der []byte) (crypto.Signer, bool) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, ok := key.(crypto.Signer)
		return signer, ok
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, true
	}
	key, err := x509.ParseECPrivateKey(der)
	return key, err == nil
}
