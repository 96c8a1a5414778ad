package terminal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/sshd"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

// world is an engine with a VM whose SSH server is a real one, which lets in who has
// the private key of the VM's key pair.
type world struct {
	*enginetest.Env
	t    *testing.T
	sshd *sshd.Server
}

func newWorld(t *testing.T, hostKey string) *world {
	t.Helper()
	s := sshd.Start(t, hostKey)
	w := &world{Env: enginetest.New(t, enginetest.Options{}, "ssh", s.User+"@"+s.Address), t: t, sshd: s}
	w.Network()
	pair := w.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	w.sshd.Authorize(read[resource.KeyPairSpec](t, pair.Effective).PublicKey)
	w.vm("vm1", "k")
	return w
}

func (w *world) vm(name, pair string) {
	w.t.Helper()
	w.MustCreate("mock", "vm", name, strings.TrimSuffix(w.VMSpec(), "}")+fmt.Sprintf(`,"keypair":%q}`, pair))
}

func (w *world) login(name string) *terminal.Login {
	w.t.Helper()
	l, err := w.terminals(terminal.Config{}).Login(w.t.Context(), "mock", "vm", name)
	require.NoError(w.t, err)
	return l
}

func (w *world) terminals(c terminal.Config) *terminal.Terminals {
	c.Store, c.Sealer, c.Connect = w.Store, w.Sealer, time.Minute // of a machine that is busy
	if c.Most == 0 {
		c.Most = 10
	}
	return terminal.New(c)
}

// run runs a command on vm1 and answers how it ended, and what it wrote.
func (w *world) run(r api.TerminalRequest, input string) (ended api.TerminalEnded, out, errs string) {
	w.t.Helper()
	var o, e bytes.Buffer
	ended = w.terminals(terminal.Config{}).Run(auth.As(w.t.Context(), "kim"), w.login("vm1"), r, terminal.Streams{In: strings.NewReader(input), Out: &o, Errors: &e})
	return ended, o.String(), e.String()
}

// trail is what the audit trail has about logins, the oldest first.
func (w *world) trail() []api.AuditEntry {
	w.t.Helper()
	all, _, err := w.Trail.List(w.t.Context(), store.Query{Sort: "id", Limit: 1000, Filters: []store.Filter{{Field: "verb", Op: store.FilterContains, Value: "log"}}})
	require.NoError(w.t, err)
	return all
}

func TestCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	ended, out, errs := w.run(api.TerminalRequest{Command: "cat; echo wrong >&2; exit 7"}, "some\ninput")
	require.Equal(t, api.TerminalEnded{Reason: api.EndExit, ExitCode: 7}, ended, "%v", ended.Error)
	assert.Equal(t, "some\ninput", out)
	assert.Equal(t, "wrong\n", errs)

	ended, out, _ = w.run(api.TerminalRequest{}, "echo a shell\nexit 3\n")
	assert.Equal(t, api.TerminalEnded{Reason: api.EndExit, ExitCode: 3}, ended)
	assert.Equal(t, "a shell\n", out)

	ended, out, _ = w.run(api.TerminalRequest{Command: "head -c 3000000 /dev/zero"}, "")
	assert.Equal(t, api.TerminalEnded{Reason: api.EndExit}, ended)
	assert.Len(t, out, 3_000_000)

	ended, _, _ = w.run(api.TerminalRequest{Command: "kill -9 $$"}, "")
	assert.Equal(t, api.TerminalEnded{Reason: api.EndExit, ExitCode: 128 + 9}, ended)

	trail := w.trail()
	require.Len(t, trail, 8)
	for i, entry := range trail {
		assert.Equal(t, "kim", entry.Who)
		assert.Equal(t, []string{"login", "logout"}[i%2], entry.Verb)
		assert.Equal(t, w.login("vm1").Resource.UID, entry.UID)
		assert.Equal(t, "ok", entry.Outcome)
		assert.Contains(t, entry.Detail, w.sshd.User+"@"+w.sshd.Address+", with the key pair's key")
		assert.NotContains(t, entry.Detail, "shell")
		assert.NotContains(t, entry.Detail, "/dev/zero")
	}
	assert.Regexp(t, `; after \d+s: exit$`, trail[1].Detail)
}

func TestKeysThatAreGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	var lines []string
	keys := map[string]string{}
	for name, args := range map[string][]string{
		"rsa": {"rsa", "-b", "2048"}, "old rsa": {"rsa", "-b", "2048", "-m", "PEM"}, "ecdsa": {"ecdsa", "-b", "384"}, "ed25519": {"ed25519"},
		"locked": {"ed25519", "-N", "open sesame"},
	} {
		private, public := w.sshd.Key(strings.ReplaceAll(name, " ", "-"), args[0], args[1:]...)
		keys[name], lines = private, append(lines, public)
	}
	stranger, _ := w.sshd.Key("stranger", "ed25519")
	w.sshd.Authorize(lines...)
	for name, key := range keys {
		r := api.TerminalRequest{Command: "echo in", Key: strings.TrimSpace(key)}
		if name == "locked" {
			ended, _, _ := w.run(r, "")
			require.NotNil(t, ended.Error)
			require.Len(t, ended.Error.Fields, 1, "%v", ended.Error)
			assert.Equal(t, "passphrase", ended.Error.Fields[0].Field)
			r.Passphrase = "wrong"
			ended, _, _ = w.run(r, "")
			assert.Equal(t, resource.CodeInvalid, ended.Error.Code)
			r.Passphrase = "open sesame"
		}
		ended, out, _ := w.run(r, "")
		assert.Equal(t, api.TerminalEnded{Reason: api.EndExit}, ended, "%s: %v", name, ended.Error)
		assert.Equal(t, "in\n", out, name)
	}
	for name, r := range map[string]api.TerminalRequest{
		"a stranger's key":    {Key: stranger},
		"the key pair's key":  {},
		"another user's name": {User: "nobody-of-that-name", Key: keys["ed25519"]},
	} {
		ended, _, _ := w.run(r, "")
		require.NotNil(t, ended.Error, name)
		assert.Equal(t, api.EndRefused, ended.Reason, "%s: %v", name, ended.Error)
		assert.Equal(t, resource.CodeUnauthenticated, ended.Error.Code, name)
		last := w.trail()[len(w.trail())-1]
		assert.Equal(t, "login", last.Verb)
		assert.Equal(t, string(resource.CodeUnauthenticated), last.Outcome)
	}
	for field, r := range map[string]api.TerminalRequest{
		"key":        {Key: "not a key"},
		"password":   {Key: stranger, Password: "x"},
		"passphrase": {Passphrase: "x"},
	} {
		ended, _, _ := w.run(r, "")
		require.NotNil(t, ended.Error, field)
		require.Len(t, ended.Error.Fields, 1, "%v", ended.Error)
		assert.Equal(t, field, ended.Error.Fields[0].Field)
		assert.NotContains(t, ended.Error.Message, "PRIVATE")
	}

	_, public := w.sshd.Key("imported", "ed25519")
	w.MustCreate("mock", "keypair", "imported", fmt.Sprintf(`{"publicKey":%q}`, public))
	w.vm("vm2", "imported")
	ended := w.terminals(terminal.Config{}).Run(t.Context(), w.login("vm2"), api.TerminalRequest{}, terminal.Streams{})
	require.NotNil(t, ended.Error)
	assert.Contains(t, ended.Error.Message, "does not have the private key of the key pair imported")
}

func TestTheHostKeyThatWasSeenFirstIsTheOnlyOne(t *testing.T) {
	for _, keyType := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(keyType, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, keyType)
			var readies []api.TerminalReady
			login := func() api.TerminalEnded {
				return w.terminals(terminal.Config{}).Run(auth.As(t.Context(), "kim"), w.login("vm1"), api.TerminalRequest{Command: "true"}, terminal.Streams{
					Ready: func(r api.TerminalReady) error {
						readies = append(readies, r)
						return nil
					},
				})
			}
			for range 2 {
				ended := login()
				require.Equal(t, api.EndExit, ended.Reason, "%v", ended.Error)
			}
			require.Len(t, readies, 2)
			assert.True(t, readies[0].New)
			assert.False(t, readies[1].New)
			assert.Equal(t, readies[0].HostKey, readies[1].HostKey)
			assert.Equal(t, w.sshd.Address, readies[0].Address)
			known, err := w.terminals(terminal.Config{}).HostKeys(t.Context(), "mock", "vm", "vm1")
			require.NoError(t, err)
			require.Len(t, known, 1)
			_, port, _ := strings.Cut(w.sshd.Address, ":")
			assert.Equal(t, port, strconv.Itoa(known[0].Port))
			assert.Equal(t, "kim", known[0].By)
			assert.Regexp(t, "^SHA256:", known[0].Fingerprint)

			for _, other := range []string{keyType, map[string]string{"ed25519": "rsa", "rsa": "ecdsa", "ecdsa": "ed25519"}[keyType]} {
				w.sshd.NewHostKey(other)
				ended := login()
				require.Equal(t, api.EndHostKey, ended.Reason, "%v", ended.Error)
				assert.Contains(t, ended.Error.Message, known[0].Fingerprint)
				assert.Contains(t, ended.Error.Message, "mcic vm hostkeys vm1 -c mock --forget")
			}
			require.NoError(t, w.terminals(terminal.Config{}).ForgetHostKeys(auth.As(t.Context(), "lee"), "mock", "vm", "vm1"))
			require.NoError(t, w.terminals(terminal.Config{}).ForgetHostKeys(auth.As(t.Context(), "lee"), "mock", "vm", "vm1"), "there is none any more")
			assert.Equal(t, api.EndExit, login().Reason)
			assert.True(t, readies[2].New)
			forgotten, _, err := w.Trail.List(t.Context(), store.Query{Limit: 10, Filters: []store.Filter{{Field: "verb", Op: store.FilterEqual, Value: "forgethostkey"}}})
			require.NoError(t, err)
			require.Len(t, forgotten, 1)
			assert.Equal(t, "lee", forgotten[0].Who)

			uid := w.login("vm1").Resource.UID
			op, err := w.Delete(t.Context(), "mock", "vm", "vm1")
			require.NoError(t, err)
			w.Succeeds(op)
			left, err := w.Store.Read().HostKeys(t.Context(), uid)
			require.NoError(t, err)
			assert.Empty(t, left, "it goes with the VM")
		})
	}
}

// screen collects what a terminal shows.
type screen struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.String(), text) }, 30*time.Second, 5*time.Millisecond, "the screen does not show %q: %s", text, s)
}

// open opens a shell on vm1 in a terminal of 80 times 24.
func (w *world) open(ctx context.Context, terminals *terminal.Terminals) (input io.Writer, shown *screen, resize chan api.TerminalSize, ended chan api.TerminalEnded) {
	w.t.Helper()
	in, input := io.Pipe()
	shown, resize, ended = &screen{}, make(chan api.TerminalSize), make(chan api.TerminalEnded, 1)
	l := w.login("vm1")
	go func() {
		ended <- terminals.Run(ctx, l, api.TerminalRequest{Terminal: &api.TerminalSize{Columns: 80, Rows: 24}}, terminal.Streams{In: in, Out: shown, Resize: resize})
	}()
	return input, shown, resize, ended
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(30 * time.Second):
		require.Fail(t, "nothing came")
		panic("unreachable")
	}
}

func TestATerminalHasASize(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	input, shown, resize, ended := w.open(t.Context(), w.terminals(terminal.Config{}))
	_, err := io.WriteString(input, "stty size; echo $TERM\n")
	require.NoError(t, err)
	shown.shows(t, "24 80")
	shown.shows(t, "xterm-256color")
	select {
	case resize <- api.TerminalSize{Columns: 132, Rows: 50}:
	case e := <-ended:
		require.Fail(t, "it ended", "%v", e)
	}
	_, err = io.WriteString(input, "stty size\nexit 4\n")
	require.NoError(t, err)
	shown.shows(t, "50 132")
	assert.Equal(t, api.TerminalEnded{Reason: api.EndExit, ExitCode: 4}, receive(t, ended))
}

func TestWhatEndsATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	ended := func(ctx context.Context, c terminal.Config, then func()) api.TerminalEnded {
		t.Helper()
		input, shown, _, ended := w.open(ctx, w.terminals(c))
		_, err := io.WriteString(input, "echo $((20+3))\n")
		require.NoError(t, err)
		shown.shows(t, "23")
		then()
		return receive(t, ended)
	}
	assert.Equal(t, api.EndIdle, ended(t.Context(), terminal.Config{Idle: 2 * time.Second}, func() {}).Reason)
	assert.Equal(t, api.EndLongest, ended(t.Context(), terminal.Config{Longest: 5 * time.Second}, func() {}).Reason)
	assert.Equal(t, api.EndLost, ended(t.Context(), terminal.Config{}, w.sshd.Break).Reason)
	ctx, cancel := context.WithCancel(t.Context())
	assert.Equal(t, api.EndStopping, ended(ctx, terminal.Config{}, cancel).Reason)
	ctx, end := context.WithCancelCause(t.Context())
	assert.Equal(t, api.EndGone, ended(ctx, terminal.Config{}, func() {
		end(terminal.Endf(api.EndGone, resource.CodeUnavailable, "gone"))
	}).Reason)
	require.Eventually(t, func() bool { return w.sshd.Sessions() == 0 }, 30*time.Second, 5*time.Millisecond, "nothing of them is left")
	trail := w.trail()
	require.Len(t, trail, 10)
	assert.Contains(t, trail[9].Detail, ": gone")
}

func TestActivityKeepsATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	var out bytes.Buffer
	const idle = 3 * time.Second
	began := time.Now()
	ended := w.terminals(terminal.Config{Idle: idle}).Run(t.Context(), w.login("vm1"),
		api.TerminalRequest{Command: "for i in 1 2 3 4 5 6 7 8; do sleep 0.5; echo $i; done"}, terminal.Streams{Out: &out})
	assert.Equal(t, api.EndExit, ended.Reason, "%v", ended.Error)
	assert.Greater(t, time.Since(began), idle)
	assert.Equal(t, "1\n2\n3\n4\n5\n6\n7\n8\n", out.String())
}

func TestTerminalsAreLimitedAndClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "ed25519")
	terminals := w.terminals(terminal.Config{Most: 1})
	ctx, cancel := context.WithCancel(t.Context())
	input, shown, _, ended := w.open(ctx, terminals)
	_, err := io.WriteString(input, "echo $((20+3))\n")
	require.NoError(t, err)
	shown.shows(t, "23")
	assert.Equal(t, 1, terminals.Open())
	second := terminals.Run(t.Context(), w.login("vm1"), api.TerminalRequest{}, terminal.Streams{})
	require.NotNil(t, second.Error)
	assert.Equal(t, resource.CodeQuota, second.Error.Code)

	short, stop := context.WithCancel(t.Context())
	stop()
	terminals.Close(short)
	assert.Equal(t, 1, terminals.Open(), "closing waits no longer than it may")
	cancel()
	terminals.Close(t.Context())
	assert.Zero(t, terminals.Open())
	assert.Equal(t, api.EndStopping, receive(t, ended).Reason)
	assert.Equal(t, api.EndStopping, terminals.Run(t.Context(), w.login("vm1"), api.TerminalRequest{}, terminal.Streams{}).Reason)
	none := terminal.New(terminal.Config{Store: w.Store, Sealer: w.Sealer})
	assert.Equal(t, resource.CodeUnsupported, none.Run(t.Context(), w.login("vm1"), api.TerminalRequest{}, terminal.Streams{}).Error.Code)
}

func read[T any](t *testing.T, raw []byte) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}
