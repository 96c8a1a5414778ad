// Package client speaks to an mc-infra-connector server through its API /v1.
//
// It is generic: a resource is named by kind, connection and name, and a kind that
// is added to the model needs nothing here. Every error is a *resource.Error, found
// with errors.AsType or resource.AsError. Nothing is printed.
//
//	c, err := client.New("http://127.0.0.1:1024", token)
//	op, err := c.Create(ctx, "vpc", "my-aws", resource.CreateRequest[any]{
//		Name: "net",
//		Spec: resource.VPCSpec{CIDR: "10.0.0.0/16"},
//	})
//	op, err = c.WaitOperation(ctx, op.ID, nil)
//	for r, err := range c.List(ctx, "vpc", "my-aws", client.ListOptions{}) { … }
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// defaultTimeout is long because some answers wait for a cloud, as a connection's
// check or a catalog does.
const defaultTimeout = 2 * time.Minute

// maxAnswer keeps a wrong or hostile server from filling the memory.
const maxAnswer = 256 << 20

// Client speaks to one server. It is safe for concurrent use.
type Client struct {
	base    string
	token   string
	tokens  func(context.Context) (string, error) // or what answers it at each moment
	agent   string
	http    *http.Client
	timeout time.Duration
	pause   func(ctx context.Context, attempt int) error
	tls     *tls.Config
	plain   bool // whether the token may be sent by HTTP to other machines
}

// Option changes how a client works.
type Option func(*Client)

// WithHTTPClient replaces the HTTP client, for a proxy of your own or a test. It should
// have no timeout of its own: that would end event streams.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithUserAgent sets the name that the server logs.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// WithTokens has the token asked for with every request, for one that is renewed.
func WithTokens(tokens func(context.Context) (string, error)) Option {
	return func(c *Client) { c.tokens = tokens }
}

// WithTimeout sets how long one request may take; event streams have no limit.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithPause replaces the wait before an attempt is repeated. It returns an error only
// when the context has ended.
func WithPause(pause func(ctx context.Context, attempt int) error) Option {
	return func(c *Client) { c.pause = pause }
}

// New returns a client of the server at an address such as http://127.0.0.1:1024.
// An empty token sends none. A token, or the password of a login, is sent by HTTP to this
// machine only, unless WithInsecureHTTP allows more.
func New(server, token string, opts ...Option) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, resource.Errorf(resource.CodeInvalid, "the server's address %q is not a URL such as http://127.0.0.1:1024 or https://mcic.example.com", server)
	}
	if strings.ContainsAny(token, "\r\n\x00") {
		return nil, resource.Errorf(resource.CodeInvalid, "the token has more than one line; give the token alone")
	}
	c := &Client{
		base:    strings.TrimRight(u.String(), "/") + "/v1",
		token:   token,
		agent:   "mcic-client",
		timeout: defaultTimeout,
		pause:   backoff,
	}
	for _, opt := range opts {
		opt(c)
	}
	if c.http == nil {
		c.http = ownHTTP(cmp.Or(c.tls, &tls.Config{MinVersion: tls.VersionTLS12}))
	}
	if token != "" || c.tokens != nil {
		if err := c.private("token"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// private refuses to send what lets in to where others can read along.
func (c *Client) private(what string) error {
	if server := c.Server(); strings.HasPrefix(server, "http:") && !c.plain && !OnThisMachine(server) {
		return resource.Errorf(resource.CodeInvalid, "who can read along on the way to %s would have the %s: it is not sent there by HTTP; "+
			"use https://, or allow it where nobody can (--insecure-http, client.WithInsecureHTTP)", server, what)
	}
	return nil
}

// ownHTTP is the HTTP client unless another one is given.
func ownHTTP(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			TLSClientConfig:       config,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
		},
		// The API never redirects; what does is not the server, and must not get the token.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Server is the server's address.
func (c *Client) Server() string { return strings.TrimSuffix(c.base, "/v1") }

// call is one request to the API.
type call struct {
	method string
	path   string // below /v1, escaped
	spider bool   // the path is below /spider instead
	query  url.Values
	body   any           // sent as JSON unless nil
	wait   time.Duration // how long the server may hold the answer back on purpose
	header http.Header   // beyond what every request has
	once   bool          // the server does it once, however often it is sent
}

// keyHeader holds what the server knows a request by that is sent again.
const keyHeader = "Idempotency-Key"

// lostRequests is how often a request is sent again whose answer was lost.
const lostRequests = 5

// do makes the call and decodes the answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, r call, out any) error {
	if r.once {
		r.header = http.Header{keyHeader: {uuid.NewString()}}
	}
	err := c.attempt(ctx, r, out)
	again := r.once && !unreached(err)
	for lost := 1; again && isLost(err) && lost <= lostRequests; lost++ {
		if c.pause(ctx, lost) != nil {
			return err
		}
		err = c.attempt(ctx, r, out)
	}
	if e, ok := errors.AsType[*noAnswer](err); ok {
		return e.error
	}
	return err
}

// noAnswer is the error of a request of which it is not known what became of it.
type noAnswer struct{ error }

// Unwrap returns the cause.
func (e *noAnswer) Unwrap() error { return e.error }

// isLost reports whether there was no answer, for another reason than that nobody waits
// any more.
func isLost(err error) bool {
	_, ok := errors.AsType[*noAnswer](err)
	return ok && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// unreached reports whether a request reached nobody.
func unreached(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// attempt makes the call once.
func (c *Client) attempt(ctx context.Context, r call, out any) error {
	limited, cancel := context.WithTimeout(ctx, c.timeout+r.wait)
	defer cancel()
	resp, err := c.send(limited, r)
	if e, ok := errors.AsType[*resource.Error](err); ok { // it was not sent
		return e
	}
	if err != nil {
		return &noAnswer{c.networkError(ctx, limited, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &noAnswer{c.networkError(ctx, limited, err)}
	}
	if len(body) > maxAnswer {
		return resource.Errorf(resource.CodeInternal, "the server at %s answered more than %d MiB", c.Server(), maxAnswer>>20)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return c.problem(resp, body)
	}
	if out == nil || len(body) == 0 && resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return resource.Errorf(resource.CodeInternal, "the server at %s answered what is no answer of this API; is it the address of an mcic server? (%w)", c.Server(), err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		raw, err := json.Marshal(r.body)
		if err != nil {
			return nil, resource.Errorf(resource.CodeInvalid, "encode the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	target := c.base + r.path
	if r.spider {
		target = c.Server() + "/spider" + r.path
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "make the request: %w", err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := c.authorize(ctx, req.Header); err != nil {
		return nil, err
	}
	maps.Copy(req.Header, r.header)
	return c.http.Do(req)
}

// authorize says who asks.
func (c *Client) authorize(ctx context.Context, header http.Header) error {
	token := c.token
	if c.tokens != nil {
		var err error
		if token, err = c.tokens(ctx); err != nil {
			return err
		}
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// networkError says why there is no answer. limited is the context of the request,
// ctx that of the caller.
func (c *Client) networkError(ctx, limited context.Context, err error) error {
	if e, ok := errors.AsType[*resource.Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return resource.Errorf(resource.CodeUnavailable, "no answer of the server at %s yet: %w", c.Server(), context.Cause(ctx))
	}
	if limited.Err() != nil {
		return resource.Errorf(resource.CodeUnavailable, "the server at %s did not answer in time; try again, and look into the server's log if it stays so: %w", c.Server(), limited.Err())
	}
	if e, ok := errors.AsType[*url.Error](err); ok { // its text repeats the address
		err = e.Err
	}
	return resource.Errorf(resource.CodeUnavailable, "cannot reach the server at %s: %w; %s", c.Server(), err, adviceOf(err))
}

// problem reads an RFC 9457 problem document.
func (c *Client) problem(resp *http.Response, body []byte) error {
	var doc struct {
		Title     string               `json:"title"`
		Message   string               `json:"message"` // of CB-Spider's API
		Detail    string               `json:"detail"`
		Code      resource.Code        `json:"code"`
		Retryable bool                 `json:"retryable"`
		Fields    []resource.Problem   `json:"fields"`
		Cloud     *resource.CloudError `json:"cloud"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Code == "" { // a proxy, or no mcic server at all
		if bytes.Contains(body, []byte(answerToHTTP)) {
			return resource.Errorf(resource.CodeInvalid, "the server at %s speaks TLS; write its address with https://", c.Server())
		}
		err := resource.Errorf(codeOfStatus(resp.StatusCode), "the server at %s answered %s, and not as an mcic server does; check the address and what lies between", c.Server(), resp.Status)
		if text := cmp.Or(doc.Detail, doc.Message); text != "" {
			err.Message = text
		}
		return err
	}
	message := doc.Detail
	if message == "" {
		message = doc.Title
	}
	if message == "" {
		message = fmt.Sprintf("the server answered %s without saying why", resp.Status)
	}
	return &resource.Error{Code: doc.Code, Message: message, Retryable: doc.Retryable, Fields: doc.Fields, Cloud: doc.Cloud}
}

func codeOfStatus(status int) resource.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType:
		return resource.CodeInvalid
	case http.StatusUnauthorized:
		return resource.CodeUnauthenticated
	case http.StatusForbidden:
		return resource.CodeDenied
	case http.StatusNotFound:
		return resource.CodeNotFound
	case http.StatusConflict:
		return resource.CodeConflict
	case http.StatusTooManyRequests:
		return resource.CodeThrottled
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return resource.CodeUnsupported
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return resource.CodeUnavailable
	default:
		return resource.CodeInternal
	}
}

// backoff waits longer with each attempt, up to ten seconds, and never as long as
// others that failed at the same moment.
func backoff(ctx context.Context, attempt int) error {
	delay := min(250*time.Millisecond<<min(attempt, 6), 10*time.Second)
	timer := time.NewTimer(delay/2 + rand.N(delay/2+1)) //nolint:gosec // spreads load, guards nothing
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// path joins segments into an escaped path. A segment that would change the path's
// shape is an error rather than a request for something else.
func path(segments ...string) (string, error) {
	var b strings.Builder
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", resource.Errorf(resource.CodeInvalid, "%q is not a name", s)
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String(), nil
}

func kindPath(kind, connection string, more ...string) (string, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return "", err
	}
	if connection == "" && len(more) == 0 {
		return path(k.Plural())
	}
	if connection == "" {
		return "", resource.Errorf(resource.CodeInvalid, "name the connection that the %s is in", kind)
	}
	return path(append([]string{"connections", connection, k.Plural()}, more...)...)
}
