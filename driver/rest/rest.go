// Package rest is the way to a cloud that has no SDK: JSON over HTTP, as far as it is the
// same for every such cloud. It signs, sends and reads a call, gives what the cloud refuses
// its code by the cloud's table of errors, and reads lists page by page.
//
// It tries nothing again and slows nothing down: the server does that, once for all drivers.
// What may be tried again its errors say.
package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// API is what differs from cloud to cloud.
type API struct {
	Title string // of the cloud, in errors
	Base  string // URL that paths are below

	// Sign adds what shows who calls: a header, a signature of the request as it is sent. The
	// token is the last that Login has answered, if there is one.
	Sign func(r *http.Request, body []byte, token string) error
	// Login is for clouds whose calls need a token, which it gets by calls that are not signed.
	// It is called again when the token has run out or is refused.
	Login func(ctx context.Context, unsigned *Client) (Token, error)

	// Fault reads what the cloud says when it refuses a call; the table of errors says what that
	// means. Where it finds nothing, the HTTP status counts.
	Fault    func(status int, header http.Header, body []byte) resource.CloudError
	Meanings driver.Meanings

	// Speaks reports whether an answer is one of the cloud's API. Default: JSON, or a success that says nothing.
	Speaks func(*http.Response) bool
	// OnceHeader is the header for the token of a call that must not be done twice, such as
	// Idempotency-Key; "" if the cloud has none.
	OnceHeader string
	// MaxAnswer is how long an answer can be, in bytes. Default: 64 MiB.
	MaxAnswer int64
}

// Token shows a cloud for some time who calls.
type Token struct {
	Value string
	Until time.Time // zero: for as long as the cloud takes it
}

// Call is one call.
type Call struct {
	Method string // default: GET
	Path   string // below the base, such as /servers; its parts are escaped
	Query  url.Values
	Header http.Header
	Body   any    // sent as JSON, url.Values as a form; nil: none
	Once   string // token of a call that must not be done twice
}

// Client makes calls. It is safe for concurrent use.
type Client struct {
	api   API
	base  string
	way   *transport.Transport
	login *login // nil: calls are not signed
}

const (
	program          = "mc-infra-connector" // what the cloud's logs show as the caller
	defaultMaxAnswer = 64 << 20
)

// New makes the client of a connection. Nothing is sent.
func New(api API, c driver.Config) (*Client, error) {
	speaks := api.Speaks
	if speaks == nil {
		speaks = speaksJSON
	}
	way, err := transport.New(transport.Config{Settings: c.Settings, Logger: c.Logger, API: speaks})
	if err != nil {
		return nil, err
	}
	return &Client{api: api, base: api.Base, way: way, login: &login{}}, nil
}

// At is the same client for another host or path of the cloud.
func (c *Client) At(base string) *Client {
	other := *c
	other.base = base
	return &other
}

// ClockAdvice says that this machine's clock is off, if it is: logins fail with it.
func (c *Client) ClockAdvice() string { return c.way.ClockAdvice() }

// Close lets go of the idle connections to the cloud.
func (c *Client) Close() error {
	c.way.CloseIdleConnections()
	return nil
}

// Do makes a call and reads its answer into out, unless that is nil or the answer is empty.
// Its errors have a code.
func (c *Client) Do(ctx context.Context, call Call, out any) error {
	response, err := c.ask(ctx, call)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := c.read(call, response)
	if err != nil {
		return err
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusMultipleChoices {
		return c.refused(call, response, answer)
	}
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return resource.Errorf(resource.CodeUnavailable, "%s got an answer that is not what the cloud's API answers; check the connection's endpoint: %w", c.doing(call), err)
	}
	return nil
}

// Native passes a native call on, signed, and its answer back, whatever its status. The path
// is below the base.
func (c *Client) Native(ctx context.Context, r driver.NativeRequest) (driver.NativeResponse, error) {
	if err := transport.CheckPath(r.Path); err != nil {
		return driver.NativeResponse{}, err
	}
	call := Call{Method: r.Method, Path: r.Path, Query: r.Query, Header: http.Header{}}
	for name, value := range r.Headers {
		call.Header.Set(name, value)
	}
	if r.Body != "" {
		call.Body = json.RawMessage(r.Body)
	}
	response, err := c.ask(transport.Raw(ctx), call)
	if err != nil {
		return driver.NativeResponse{}, err
	}
	defer response.Body.Close()
	return transport.ReadNative(response)
}

// ask sends a call. One whose token is refused was not done, and is sent again with another.
func (c *Client) ask(ctx context.Context, call Call) (*http.Response, error) {
	body, media, err := encoded(call.Body)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "write the request %s: %w", c.doing(call), err)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, call, body, media, token)
	if err != nil || token == "" || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	_ = response.Body.Close() // nothing of it is needed
	if token, err = c.renewed(ctx, token); err != nil {
		return nil, err
	}
	return c.send(ctx, call, body, media, token)
}

func (c *Client) send(ctx context.Context, call Call, body []byte, media, token string) (*http.Response, error) {
	r, err := c.request(ctx, call, body, media)
	if err != nil {
		return nil, err
	}
	if c.login != nil && c.api.Sign != nil {
		if err := c.api.Sign(r, body, token); err != nil {
			return nil, fmt.Errorf("sign %s: %w", c.doing(call), err)
		}
	}
	response, err := c.way.Client().Do(r)
	if of, ok := errors.AsType[*url.Error](err); ok {
		err = of.Err // the URL may have a signature in it
	}
	if err != nil {
		return nil, transport.Failure(c.doing(call), err)
	}
	return response, nil
}

func (c *Client) request(ctx context.Context, call Call, body []byte, media string) (*http.Request, error) {
	address := strings.TrimSuffix(c.base, "/") + "/" + strings.TrimPrefix(call.Path, "/")
	if len(call.Query) > 0 {
		address += "?" + call.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(call.Method, http.MethodGet), address, bytes.NewReader(body))
	if err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "%s was not sent: its address is no URL; check the connection's region and endpoint", c.doing(call))
	}
	r.Header.Set("Accept", "application/json")
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	for name, values := range call.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	r.Header.Set("User-Agent", program)
	if call.Once != "" && c.api.OnceHeader != "" {
		r.Header.Set(c.api.OnceHeader, call.Once)
	}
	return r, nil
}

// read answers the body of an answer. One that ends too early says nothing.
func (c *Client) read(call Call, response *http.Response) ([]byte, error) {
	most := cmp.Or(c.api.MaxAnswer, defaultMaxAnswer)
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, resource.Errorf(resource.CodeUnavailable, "%s lost the connection in the middle of the answer: %w", c.doing(call), err)
	case err != nil:
		return nil, transport.Failure(c.doing(call), err)
	case int64(len(body)) > most:
		e := resource.Errorf(resource.CodeUnavailable, "%s got an answer of more than %d bytes; ask for less at once", c.doing(call), most)
		e.Retryable = false
		return nil, e
	}
	return body, nil
}

// refused is the error that the cloud answered.
func (c *Client) refused(call Call, response *http.Response, body []byte) error {
	if response.StatusCode < http.StatusBadRequest { // to somewhere else, where the credential does not go
		return resource.Errorf(resource.CodeUnavailable, "%s is answered with HTTP status %d instead of what the cloud's API answers; check the connection's endpoint", c.doing(call), response.StatusCode)
	}
	var fault resource.CloudError
	if c.api.Fault != nil {
		fault = c.api.Fault(response.StatusCode, response.Header, body)
	}
	fault.Message = cmp.Or(fault.Message, http.StatusText(response.StatusCode), response.Status)
	return c.api.Meanings.Refuse(driver.Refusal{Doing: c.doing(call), Status: response.StatusCode, Cloud: fault})
}

// doing names a call for people. The query is left out: it may have a signature in it.
func (c *Client) doing(call Call) string {
	return c.api.Title + ": " + cmp.Or(call.Method, http.MethodGet) + " " + call.Path
}

// encoded writes a body.
func encoded(body any) (raw []byte, media string, err error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case json.RawMessage: // as it is
		return body, "application/json", nil
	case url.Values:
		return []byte(body.Encode()), "application/x-www-form-urlencoded", nil
	default:
		raw, err := json.Marshal(body)
		return raw, "application/json", err
	}
}

// speaksJSON reports whether an answer is JSON, or a success that says nothing. A refusal
// without JSON may be of something between the driver and the cloud.
func speaksJSON(r *http.Response) bool {
	return strings.HasSuffix(transport.MediaType(r), "json") || r.StatusCode < http.StatusMultipleChoices && (r.ContentLength == 0 || r.StatusCode == http.StatusNoContent)
}

// login is the token of all calls of a connection.
type login struct {
	mu sync.Mutex
	is Token
}

// soon is how long before its end a token is renewed: a call may take that long.
const soon = time.Minute

// token answers the token for a call, "" if the cloud has none.
func (c *Client) token(ctx context.Context) (string, error) {
	if c.login == nil || c.api.Login == nil {
		return "", nil
	}
	c.login.mu.Lock()
	defer c.login.mu.Unlock()
	if has := c.login.is; has.Value != "" && (has.Until.IsZero() || time.Until(has.Until) > soon) {
		return has.Value, nil
	}
	unsigned := *c
	unsigned.base, unsigned.login = c.api.Base, nil
	got, err := c.api.Login(ctx, &unsigned)
	if err != nil {
		return "", err
	}
	c.login.is = got
	return got.Value, nil
}

// renewed answers another token than one that was refused; another call may have got it.
func (c *Client) renewed(ctx context.Context, refused string) (string, error) {
	c.login.mu.Lock()
	if c.login.is.Value == refused {
		c.login.is = Token{}
	}
	c.login.mu.Unlock()
	return c.token(ctx)
}
