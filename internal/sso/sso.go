// Package sso speaks with a provider of single sign-on, by OpenID Connect: who somebody is, and
// in which groups, the provider says. What that allows is decided in package people.
package sso

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what is known of a provider beforehand.
type Config struct {
	Issuer      string            // its address, as tokens have it
	Title       string            // its name for people; default: the host of the address
	Client      string            // what it calls this server
	Secret      string            // of the client; "" for a public one
	CommandLine string            // what it calls the command line; "" if that does not log in by it
	Audiences   []string          // for whom tokens are that are let in, beside Client
	Scopes      []string          // what is asked for, beside openid
	UserClaim   string            // what has the name of a user; default: preferred_username
	GroupsClaim string            // what has the groups of a user; default: groups
	Groups      map[string]string // the provider's groups to those here; without these and GroupPrefix they have the same names
	GroupPrefix string            // the provider's groups that begin so are those here that are called like the rest
	Required    string            // the provider's group that whoever is let in is in; "" for none
	CA          []byte            // certificates in PEM that it is trusted by, beside the system's
}

// Provider is a provider of single sign-on. Nothing is asked of it before that is needed, and
// what it says of itself is asked for again, so that it may come and go. It is safe for
// concurrent use.
type Provider struct {
	Config

	http     *http.Client
	document fetched[*Document]
	keys     fetched[[]jose.JSONWebKey]

	mu       sync.Mutex
	verified map[[32]byte]*bearer // by the hash of the token
}

// How long the provider may take, and how much clocks may differ.
const (
	timeout   = 10 * time.Second
	clockSkew = 30 * time.Second
)

// New returns the provider. It asks nothing of it.
func New(c Config) (*Provider, error) {
	issuer, err := url.Parse(c.Issuer)
	if err != nil || issuer.Host == "" || issuer.Scheme != "https" && issuer.Scheme != "http" || issuer.RawQuery != "" || issuer.Fragment != "" {
		return nil, resource.Errorf(resource.CodeInvalid, "the issuer %.200q is not a URL such as https://sso.example.com/realms/main", c.Issuer)
	}
	if c.Title == "" {
		c.Title = issuer.Hostname()
	}
	if c.UserClaim == "" {
		c.UserClaim = "preferred_username"
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	client, err := Client(c.CA)
	if err != nil {
		return nil, err
	}
	p := &Provider{Config: c, http: client, verified: map[[32]byte]*bearer{}}
	p.document = fetched[*Document]{lasts: time.Hour, read: func(ctx context.Context) (*Document, error) { return Discover(ctx, p.http, p.Issuer) }}
	p.keys = fetched[[]jose.JSONWebKey]{lasts: 5 * time.Minute, read: p.readKeys}
	return p, nil
}

// Client is what a provider is asked with: it trusts certificates beside the system's.
func Client(ca []byte) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(ca) {
			return nil, resource.Errorf(resource.CodeInvalid, "what the provider is to be trusted by (--sso-ca) has no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
		}
		config.RootCAs = pool
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: timeout / 2}).DialContext, TLSClientConfig: config,
			ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
		},
		// What a secret is sent to does not send it elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// OnThisMachine reports whether nobody can read along on the way to an address.
func OnThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Document is what a provider says of itself.
type Document struct {
	*oidc.Provider `json:"-"`

	Keys        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"`
	Revocation  string   `json:"revocation_endpoint"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
}

// Discover asks a provider what it says of itself.
// https://openid.net/specs/openid-connect-discovery-1_0.html
func Discover(ctx context.Context, client *http.Client, issuer string) (*Document, error) {
	made, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	d := &Document{Provider: made}
	if err == nil {
		err = made.Claims(d)
	}
	if err != nil {
		return nil, unreached(issuer, err)
	}
	return d, nil
}

// OAuth is a client of the provider.
func (d *Document) OAuth(id, secret string, scopes ...string) *oauth2.Config {
	endpoint := d.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if secret != "" && (len(d.AuthMethods) == 0 || slices.Contains(d.AuthMethods, "client_secret_basic")) { // which is the default
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: id, ClientSecret: secret, Endpoint: endpoint, Scopes: append([]string{oidc.ScopeOpenID}, scopes...)}
}

// unreached says that a provider has not answered what a provider answers.
func unreached(issuer string, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok { // its text repeats the address
		err = e.Err
	}
	return resource.Errorf(resource.CodeUnavailable, "the provider of single sign-on at %s cannot be used at the moment: %w; try again, and if it stays so, have whoever runs this server look at the provider, and at the address and the CA that the server has of it (--sso-issuer, --sso-ca)", issuer, err)
}

// Failure says why a provider has given no tokens. Only what it refuses for good is
// unauthenticated.
func Failure(issuer string, err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok:
		return unreached(issuer, err)
	case refused.ErrorCode == "invalid_grant" || refused.ErrorCode == "access_denied" || refused.ErrorCode == "expired_token":
		return resource.Errorf(resource.CodeUnauthenticated, "the provider of single sign-on at %s refuses: %s; log in again", issuer, reason(refused.ErrorCode, refused.ErrorDescription))
	case refused.ErrorCode == "":
		return unreached(issuer, fmt.Errorf("it answers %s", refused.Response.Status))
	}
	return resource.Errorf(resource.CodeUnavailable, "the provider of single sign-on at %s refuses the client: %s; whoever runs this server finds the settings of the client at the provider, and with --sso-client, --sso-secret-file and --sso-cli-client here", issuer, reason(refused.ErrorCode, refused.ErrorDescription))
}

// reason is what a provider says, in a length that can be shown.
func reason(code, description string) string {
	if description != "" {
		code += ", " + description
	}
	code = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, code)
	if runes := []rune(code); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return code
}

// asking is a context for what is asked of the provider, which goes on if who waits for it leaves:
// others wait for it too.
func (p *Provider) asking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(oidc.ClientContext(context.WithoutCancel(ctx), p.http), timeout)
}

// discovered answers what the provider says of itself.
func (p *Provider) discovered(ctx context.Context) (*Document, error) {
	return p.document.get(ctx, func(*Document) bool { return true })
}
