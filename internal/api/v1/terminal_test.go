package v1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/sshd"
)

// startWithSSH serves the API with the VM vm1, whose SSH server is a real one.
func startWithSSH(t *testing.T) *routes {
	t.Helper()
	s := sshd.Start(t, "ed25519")
	a := start(t, enginetest.Options{}, "ssh", s.User+"@"+s.Address)
	a.Network()
	pair := a.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	var key resource.KeyPairSpec
	require.NoError(t, json.Unmarshal(pair.Effective, &key))
	s.Authorize(key.PublicKey)
	a.MustCreate("mock", "vm", "vm1", strings.TrimSuffix(a.VMSpec(), "}")+`,"keypair":"k"}`)
	return a
}

const terminalPath = "/v1/connections/mock/vms/vm1/terminal"

// socket opens a WebSocket with headers that the client does not send by itself.
func (a *routes) socket(h http.Header, c *http.Client, protocols ...string) (*websocket.Conn, int) {
	a.t.Helper()
	conn, resp, err := websocket.Dial(within(a.t), a.url+terminalPath, &websocket.DialOptions{HTTPClient: c, HTTPHeader: h, Subprotocols: protocols}) //nolint:bodyclose // closed by Dial
	if err != nil {
		require.NotNil(a.t, resp, "%v", err)
		return nil, resp.StatusCode
	}
	a.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn, resp.StatusCode
}

// ending reads until the server says how it ended.
func (a *routes) ending(conn *websocket.Conn) *api.TerminalEnded {
	a.t.Helper()
	for {
		kind, raw, err := conn.Read(within(a.t))
		require.NoError(a.t, err)
		var said api.TerminalOutput
		if kind == websocket.MessageText {
			require.NoError(a.t, json.Unmarshal(raw, &said))
		}
		if said.Ended != nil {
			return said.Ended
		}
	}
}

func TestTerminalThroughTheClient(t *testing.T) {
	a := startWithSSH(t)
	c, err := client.New(a.url, token)
	require.NoError(t, err)
	var out, errs strings.Builder
	var ready api.TerminalReady
	ended, err := c.Terminal(t.Context(), "vm", "mock", "vm1", api.TerminalRequest{Command: "cat; echo wrong >&2; exit 5"}, client.TerminalStreams{
		In: strings.NewReader(strings.Repeat("input ", 50_000)), Out: &out, Errors: &errs, Ready: func(r api.TerminalReady) { ready = r },
	})
	require.NoError(t, err)
	assert.Equal(t, &api.TerminalEnded{Reason: api.EndExit, ExitCode: 5}, ended)
	assert.Equal(t, strings.Repeat("input ", 50_000), out.String())
	assert.Equal(t, "wrong\n", errs.String())
	assert.True(t, ready.New)

	resize := make(chan api.TerminalSize)
	in, input := io.Pipe()
	shown, show := io.Pipe()
	done := make(chan *api.TerminalEnded, 1)
	go func() {
		ended, err := c.Terminal(t.Context(), "vm", "mock", "vm1", api.TerminalRequest{Terminal: &api.TerminalSize{Columns: 80, Rows: 24}},
			client.TerminalStreams{In: in, Out: show, Resize: resize})
		assert.NoError(t, err)
		_ = show.Close()
		done <- ended
	}()
	_, err = io.WriteString(input, "until test \"$(stty size)\" = '33 101'; do sleep 0.05; done; echo resized $((3*7)); exit 6\n")
	require.NoError(t, err)
	resize <- api.TerminalSize{Columns: 101, Rows: 33}
	screen, err := io.ReadAll(shown)
	require.NoError(t, err)
	assert.Contains(t, string(screen), "resized 21")
	assert.Equal(t, 6, (<-done).ExitCode)

	_, err = c.Terminal(t.Context(), "vm", "mock", "none", api.TerminalRequest{}, client.TerminalStreams{})
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	_, err = c.Terminal(t.Context(), "vpc", "mock", "v", api.TerminalRequest{}, client.TerminalStreams{})
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "there is nothing to log in to")
	stranger, err := client.New(a.url, "another-token-than-that")
	require.NoError(t, err)
	_, err = stranger.Terminal(t.Context(), "vm", "mock", "vm1", api.TerminalRequest{}, client.TerminalStreams{})
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))

	keys, err := c.HostKeys(t.Context(), "vm", "mock", "vm1")
	require.NoError(t, err)
	assert.Equal(t, []api.HostKey{ready.HostKey}, keys)
	require.NoError(t, c.ForgetHostKeys(t.Context(), "vm", "mock", "vm1"))
	assert.Equal(t, http.StatusOK, a.get("/v1/connections/mock/vms/vm1/hostkeys").status)
	keys, err = c.HostKeys(t.Context(), "vm", "mock", "vm1")
	require.NoError(t, err)
	assert.Empty(t, keys)
}

func TestWhoMayOpenATerminal(t *testing.T) {
	a := startWithSSH(t)
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	for what, test := range map[string]struct {
		header http.Header
		status int
	}{
		"nobody":                  {http.Header{}, http.StatusUnauthorized},
		"the token":               {bearer, http.StatusSwitchingProtocols},
		"a page of this server":   {with(bearer, "Origin", a.url), http.StatusSwitchingProtocols},
		"a page of another site":  {with(bearer, "Origin", "http://evil.example.com"), http.StatusForbidden},
		"a page without a site":   {with(bearer, "Origin", "null"), http.StatusForbidden},
		"a password of a browser": {http.Header{"Authorization": {"Basic " + "eDp0aGUtdG9rZW4tb2YtdGhlc2UtdGVzdHM="}}, http.StatusUnauthorized},
	} {
		_, status := a.socket(test.header, a.client, api.TerminalProtocol)
		assert.Equal(t, test.status, status, what)
	}
	p := isProblem(t, http.StatusUpgradeRequired, a.send(a.request(http.MethodGet, terminalPath, nil)))
	assert.Contains(t, p.Detail, "mcic vm ssh vm1")
	isProblem(t, http.StatusNotFound, a.send(a.request(http.MethodGet, "/v1/connections/mock/vpcs/v/terminal", nil)))

	conn, _ := a.socket(bearer, a.client)
	_, _, err := conn.Read(within(t))
	assert.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err), "it does not speak the protocol")
}

func TestATerminalEndsWithTheLogin(t *testing.T) {
	a := startWithSSH(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	session := func(method, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, a.url+"/v1/session", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set(auth.SessionHeader, "1")
		r.Header.Set("Content-Type", jsonType)
		resp, err := browser.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Less(t, resp.StatusCode, 300)
	}
	session(http.MethodPost, fmt.Sprintf(`{"token":%q}`, token))
	_, status := a.socket(http.Header{"Origin": {"http://evil.example.com"}}, browser, api.TerminalProtocol)
	require.Equal(t, http.StatusForbidden, status)
	conn, status := a.socket(http.Header{"Origin": {a.url}}, browser, api.TerminalProtocol)
	require.Equal(t, http.StatusSwitchingProtocols, status)
	require.NoError(t, wsjson.Write(t.Context(), conn, api.TerminalRequest{}))
	kind, raw, err := conn.Read(within(t))
	require.NoError(t, err)
	require.Equal(t, websocket.MessageText, kind)
	require.Contains(t, string(raw), `"ready"`)
	session(http.MethodDelete, "")
	assert.Equal(t, api.EndLogout, a.ending(conn).Reason)
}

func TestWhatNoTerminalSays(t *testing.T) {
	a := startWithSSH(t)
	open := func() *websocket.Conn {
		conn, _ := a.socket(http.Header{"Authorization": {"Bearer " + token}}, a.client, api.TerminalProtocol)
		return conn
	}
	text := func(s string) func(context.Context, *websocket.Conn) error {
		return func(ctx context.Context, c *websocket.Conn) error {
			return c.Write(ctx, websocket.MessageText, []byte(s))
		}
	}
	for what, say := range map[string]func(context.Context, *websocket.Conn) error{
		"no JSON":          text("hello"),
		"an unknown field": text(`{"root":true}`),
		"a bad port":       text(`{"port":99999}`),
		"a bad address":    text(`{"address":"evil.example.com"}`),
		"a bad size":       text(`{"terminal":{"columns":0,"rows":24}}`),
		"bytes": func(ctx context.Context, c *websocket.Conn) error {
			return c.Write(ctx, websocket.MessageBinary, []byte{0})
		},
	} {
		conn := open()
		require.NoError(t, say(t.Context(), conn))
		ended := a.ending(conn)
		require.NotNil(t, ended.Error, what)
		assert.Equal(t, resource.CodeInvalid, ended.Error.Code, what)
	}
	for what, say := range map[string]func(context.Context, *websocket.Conn) error{
		"no JSON later": text("hello"),
		"a bad stream": func(ctx context.Context, c *websocket.Conn) error {
			return c.Write(ctx, websocket.MessageBinary, []byte{9, 1})
		},
		"an empty message": func(ctx context.Context, c *websocket.Conn) error { return c.Write(ctx, websocket.MessageBinary, nil) },
	} {
		conn := open()
		require.NoError(t, text(`{}`)(t.Context(), conn))
		require.NoError(t, say(t.Context(), conn))
		ended := a.ending(conn)
		require.NotNil(t, ended.Error, what)
		assert.Equal(t, resource.CodeInvalid, ended.Error.Code, what)
	}
}
