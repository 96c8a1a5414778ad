package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// WithTLS sets how TLS is spoken, unless WithHTTPClient says that: for a CA or a
// certificate of your own; see TLSConfig.
func WithTLS(config *tls.Config) Option { return func(c *Client) { c.tls = config } }

// WithInsecureHTTP allows to send the token by HTTP to another machine, where nobody can
// read along.
func WithInsecureHTTP() Option { return func(c *Client) { c.plain = true } }

// TLSConfig trusts servers with certificates that the CA has signed, in PEM, instead of
// those that the system trusts, and shows a certificate. What is empty stays as usual.
func TLSConfig(ca []byte, certificate tls.Certificate) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, resource.Errorf(resource.CodeInvalid, "there is no certificate in PEM in what is given as CA")
		}
	}
	if len(certificate.Certificate) > 0 {
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

// OnThisMachine reports whether a server's address is one of this machine alone.
func OnThisMachine(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// answerToHTTP is what Go's HTTP server says to who speaks HTTP where TLS is spoken.
const answerToHTTP = "Client sent an HTTP request to an HTTPS server"

// adviceOf says what to do where a server was not reached.
func adviceOf(err error) string {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case verification:
		return "if its certificate is of an authority of your own, trust that (--ca, client.WithTLS)"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "if it speaks HTTP, write its address with http://"
	case strings.Contains(err.Error(), "certificate required"), strings.Contains(err.Error(), "client conn could not be established"): // they have no other mark
		return "if it lets in only clients with a certificate, show one (--client-cert, client.WithTLS)"
	default:
		return "is the server running? Start it with: mcic server"
	}
}
