// Package transport is the way from a driver to its cloud's HTTP API, as far as it
// is the same for every cloud: the connection's proxy and certificate authorities,
// a count and a log of the calls, no answers that are not of the API, and errors
// that say what to do.
//
// It tries nothing again and slows nothing down: the server does that, once for all
// drivers.
package transport

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	settingProxy = "proxy"
	settingCA    = "caCertificate"
)

// Settings are the connection settings that New reads; a driver lists them among
// its own.
func Settings() []driver.Field {
	return []driver.Field{
		{Name: settingProxy, Title: "Proxy", Type: driver.TypeString, Doc: "URL of the HTTP proxy to reach the cloud through, such as http://proxy.example.com:3128. Default: none; the variables of the environment do not count."},
		{Name: settingCA, Title: "CA certificate", Type: driver.TypeLines, Doc: "Certificates in PEM format that the cloud's certificate is also accepted from, beside those that the machine trusts. Default: none."},
	}
}

// korean are the texts of Settings in Korean.
//
//go:embed ko.json
var korean []byte

// Korean are the texts of Settings in Korean, for driver.ReadTexts.
func Korean() []byte { return korean }

// Config is what New needs.
type Config struct {
	Settings driver.Values // of the connection
	Logger   *slog.Logger  // gets a line for each call, at debug

	// API reports whether an answer is one of the cloud's API. Login pages and what
	// proxies answer by themselves are not; they never reach the SDK.
	API func(*http.Response) bool

	// Operation names a call for the log, without secrets; "" and nil leave it out.
	// The method and the path are in the log in any case, the query never is.
	Operation func(*http.Request) string
}

// Transport is an http.RoundTripper for one session. It is safe for concurrent use.
type Transport struct {
	config Config
	base   *http.Transport
	calls  atomic.Int64
	skew   atomic.Int64 // nanoseconds
}

// Timeouts of parts of a call; the whole of it is bounded by the context. They are
// those of Go's own transport, and a limit for silence after the request was sent.
const (
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 10 * time.Second
	headerTimeout    = 2 * time.Minute
	idleTimeout      = 90 * time.Second
	idleConnections  = 64 // to one host, so that calls in parallel need no new ones
)

// New reads the connection's settings. Its errors name the setting that is wrong.
func New(c Config) (*Transport, error) {
	t := &Transport{config: c, base: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   handshakeTimeout,
		ResponseHeaderTimeout: headerTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idleConnections,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}}
	if c.Settings[settingProxy] != "" {
		u, err := parseURL(c.Settings, settingProxy)
		switch {
		case err != nil:
			return nil, err
		case u.User != nil:
			return nil, resource.Invalid(resource.Problem{Field: "settings." + settingProxy, Message: "names a user; settings are shown to everyone, so that only proxies without a password can be used"})
		}
		t.base.Proxy = http.ProxyURL(u)
	}
	if pem := c.Settings[settingCA]; pem != "" {
		pool, err := x509.SystemCertPool()
		if err != nil { // a machine without any
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(pem)) {
			return nil, resource.Invalid(resource.Problem{Field: "settings." + settingCA, Message: "holds no certificate in PEM format (-----BEGIN CERTIFICATE-----)"})
		}
		t.base.TLSClientConfig.RootCAs = pool
	}
	return t, nil
}

// CheckURL says what is wrong with a setting that is to be a URL; "" is allowed.
func CheckURL(settings driver.Values, name string) error {
	if settings[name] == "" {
		return nil
	}
	_, err := parseURL(settings, name)
	return err
}

func parseURL(settings driver.Values, name string) (*url.URL, error) {
	const example = "https://cloud.example.com"
	u, err := url.Parse(settings[name])
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, resource.Invalid(resource.Problem{Field: "settings." + name, Message: "is not a URL such as " + example, Rule: resource.RuleFormat, Limit: example})
	}
	return u, nil
}

// Client answers a client that follows no redirects: credentials and signatures are
// for one host.
func (t *Transport) Client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Calls is the number of calls so far.
func (t *Transport) Calls() int64 { return t.calls.Load() }

// Skew is how much this machine's clock is ahead of the cloud's, as its last answer
// showed it; the time that the answer took is in it.
func (t *Transport) Skew() time.Duration { return time.Duration(t.skew.Load()) }

// CloseIdleConnections implements what http.Client looks for.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// Close does the same at the end of a session that embeds the transport; it never fails.
func (t *Transport) Close() error {
	t.CloseIdleConnections()
	return nil
}

type rawKey struct{}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := sendable(r); err != nil {
		return nil, err
	}
	t.calls.Add(1)
	began := time.Now()
	r, err := ownBody(r)
	if err != nil {
		return nil, err
	}
	response, err := t.base.RoundTrip(r)
	t.log(r, response, err, time.Since(began))
	if err != nil {
		return nil, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		t.skew.Store(int64(time.Since(date)))
	}
	if !IsRaw(r.Context()) && !t.config.API(response) {
		_ = response.Body.Close() // nothing of it is needed
		return nil, foreign(r, response)
	}
	return response, nil
}

// sendable refuses what cannot be sent, whatever the network is like: it is wrong, and
// trying again does not help.
func sendable(r *http.Request) error {
	if (r.URL.Scheme != "https" && r.URL.Scheme != "http") || r.URL.Host == "" {
		return resource.Errorf(resource.CodeInvalid, "nothing was sent: the call's address %.200q is no URL with a host; check the connection's region and endpoint", r.URL.Redacted())
	}
	for name, values := range r.Header {
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsFunc(v, notInHeaders) }) {
			return resource.Errorf(resource.CodeInvalid, "nothing was sent: the header %s of the call would hold a line break or another character that none can have; check the credential and the settings for what was pasted along", name)
		}
	}
	return nil
}

// notInHeaders reports characters that no value of a header has: RFC 9110, section 5.5.
func notInHeaders(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// maxOwnBody is the longest body that is copied; calls of an API are shorter.
const maxOwnBody = 1 << 20

// ownBody gives a request a body that nobody else closes. The AWS SDK closes its body as
// soon as it has the beginning of the answer. A fast cloud answers before net/http has
// looked for the end of the body; that look then fails, and the connection is ended in
// the middle of the answer.
func ownBody(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.ContentLength <= 0 || r.ContentLength > maxOwnBody {
		return r, nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, err
	}
	own := r.WithContext(r.Context())
	own.Body = io.NopCloser(bytes.NewReader(body))
	return own, nil
}

func (t *Transport) log(r *http.Request, response *http.Response, err error, took time.Duration) {
	if !t.config.Logger.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	attributes := []slog.Attr{slog.String("method", r.Method), slog.String("host", r.URL.Host), slog.String("path", r.URL.Path), slog.Duration("took", took)}
	if t.config.Operation != nil {
		attributes = append(attributes, slog.String("operation", t.config.Operation(r)))
	}
	if err != nil {
		attributes = append(attributes, slog.Any("error", err))
	} else {
		attributes = append(attributes, slog.Int("status", response.StatusCode))
	}
	t.config.Logger.LogAttrs(r.Context(), slog.LevelDebug, "called the cloud", attributes...)
}

// foreign is the error for an answer that is not of the API. That something between
// the driver and the API answers says nothing about what was asked for, so that it is
// never not_found or denied.
func foreign(r *http.Request, response *http.Response) error {
	code := resource.CodeUnavailable
	if response.StatusCode == http.StatusTooManyRequests {
		code = resource.CodeThrottled
	}
	return resource.Errorf(code, "%s answers HTTP status %d with %q instead of what the cloud's API answers; check the connection's endpoint and the network between", r.URL.Host, response.StatusCode, cmp.Or(MediaType(response), "no content type"))
}

// MediaType is the type of an answer's body, such as application/json; "" without one.
func MediaType(response *http.Response) string {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")) // "" says enough
	return media
}
