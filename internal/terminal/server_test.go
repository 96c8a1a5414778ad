package terminal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
)

const password = "correct horse"

// serve serves SSH as OpenSSH without PAM does not: by password. It answers each command
// with its words, and no request of the connection itself if it is deaf.
func serve(t *testing.T, config *ssh.ServerConfig, deaf bool) (port int) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	config.AddHostKey(signer)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return // refused
				}
				if !deaf {
					go ssh.DiscardRequests(requests)
				}
				for c := range channels {
					answer(c, deaf)
				}
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func answer(c ssh.NewChannel, deaf bool) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	for r := range requests {
		_ = r.Reply(r.Type == "exec", nil)
		if r.Type != "exec" || deaf {
			continue
		}
		var command struct{ Text string }
		_ = ssh.Unmarshal(r.Payload, &command)
		_, _ = channel.Write([]byte("ran " + command.Text))
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{5}))
		_ = channel.Close()
	}
}

// at is a VM whose SSH server listens on a port of the loopback address.
func at(t *testing.T, e *enginetest.Env, name string, port int) *terminal.Login {
	t.Helper()
	e.MustCreate("mock", "vm", name, e.VMSpec())
	l, err := terminal.New(terminal.Config{Store: e.Store}).Login(t.Context(), "mock", "vm", name)
	require.NoError(t, err)
	l.Public, l.Port, l.User = "127.0.0.1", port, "ubuntu"
	return l
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	right := func(given string) error {
		if given != password {
			return errors.New("wrong")
		}
		return nil
	}
	terminals := terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 1, Connect: time.Minute})
	for name, config := range map[string]*ssh.ServerConfig{
		"password": {PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) { return nil, right(string(given)) }},
		"question": {KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			return nil, errors.Join(err, right(strings.Join(answers, "")))
		}},
	} {
		l := at(t, e, name, serve(t, config, false))
		var out bytes.Buffer
		ended := terminals.Run(t.Context(), l, api.TerminalRequest{Password: password, Command: "it"}, terminal.Streams{Out: &out})
		assert.Equal(t, api.TerminalEnded{Reason: api.EndExit, ExitCode: 5}, ended, "%s: %v", name, ended.Error)
		assert.Equal(t, "ran it", out.String())
		ended = terminals.Run(t.Context(), l, api.TerminalRequest{Password: "wrong one", Command: "it"}, terminal.Streams{})
		assert.Equal(t, api.EndRefused, ended.Reason, "%s: %v", name, ended.Error)
		assert.NotContains(t, ended.Error.Message, "wrong one")
	}
}

func TestAnSSHServerThatIsSilentIsLost(t *testing.T) {
	t.Parallel()
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	l := at(t, e, "deaf", serve(t, &ssh.ServerConfig{NoClientAuth: true}, true))
	terminals := terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 1, Connect: time.Minute, Alive: 500 * time.Millisecond})
	ended := terminals.Run(t.Context(), l, api.TerminalRequest{Password: password, Command: "it"}, terminal.Streams{})
	assert.Equal(t, api.EndLost, ended.Reason, "%v", ended.Error)
	assert.Contains(t, ended.Error.Message, "does not answer any more")

	mute, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	require.NoError(t, err)
	defer func() { _ = mute.Close() }()
	l.Port = mute.Addr().(*net.TCPAddr).Port
	terminals = terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 1, Connect: time.Second})
	ended = terminals.Run(t.Context(), l, api.TerminalRequest{Password: password}, terminal.Streams{})
	assert.Equal(t, api.EndUnreachable, ended.Reason, "%v", ended.Error)
	assert.Contains(t, ended.Error.Message, "no answer within 1s")
}
