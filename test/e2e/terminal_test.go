package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/sshd"
)

// withSSH is a server with the VM web, behind which is a real SSH server.
func withSSH(t *testing.T) (*world, *sshd.Server) {
	t.Helper()
	s := sshd.Start(t, "ed25519")
	w := newWorld(t)
	w.do("connection create mock --cloud mock --region mock-seoul --setting ssh=%s@%s", s.User, s.Address)
	images := read[[]resource.Image](w, "image list -c mock --filter os=ubuntu --filter architecture=x86_64 --limit 1")
	specs := read[[]resource.Spec](w, "spec list -c mock --filter architectures~x86_64 --limit 1")
	w.do("vpc create net -c mock --cidr 10.0.0.0/16 --wait")
	w.do("subnet create sub -c mock --vpc net --cidr 10.0.1.0/24 --wait")
	w.do("keypair create key -c mock --algorithm ed25519 --private-key-out key.pem --wait")
	s.Authorize(read[resource.Envelope[resource.KeyPairSpec, resource.KeyPairStatus]](w, "keypair get key -c mock").Effective.PublicKey)
	w.do("vm create web -c mock --image %s --spec %s --subnet sub --keypair key --wait", images[0].ID, specs[0].Name)
	return w, s
}

// program is mcic with arguments, to be started.
func (w *world) program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "mcic"), args...)
	cmd.Env = []string{"MCIC_SERVER=" + w.Address, "MCIC_DATA=" + w.data, "HOME=" + w.home, "TERM=vt100"}
	return cmd
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	return exit.ExitCode()
}

// TestSSH logs in with the real programs and OpenSSH's server.
func TestSSH(t *testing.T) {
	w, s := withSSH(t)

	out, errs, code := w.run("vm", "ssh", "web", "-c", "mock", "--", "echo out; echo err >&2; exit 7")
	require.Equal(t, 7, code, errs)
	assert.Equal(t, "out\n", out)
	assert.Contains(t, errs, "is recorded now, at the first login: SHA256:")
	assert.True(t, strings.HasSuffix(errs, "\nerr\n"), "nothing is said but what the command says: %s", errs)

	piped := w.program(t.Context(), "vm", "ssh", "web", "-c", "mock", "--", "wc -c")
	piped.Stdin = io.LimitReader(neverEnding{}, 5_000_000)
	counted, err := piped.Output()
	require.NoError(t, err)
	assert.Equal(t, "5000000\n", string(counted))

	own, public := s.Key("own", "rsa", "-b", "2048")
	require.NotEmpty(t, own)
	_, errs, code = w.run("vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"), "--", "true")
	assert.Equal(t, 255, code)
	assert.Contains(t, errs, "refuses "+s.User)
	s.Authorize(public)
	_, errs, code = w.run("vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"), "--", "true")
	assert.Zero(t, code, errs)

	fingerprint := read[[]api.HostKey](w, "vm hostkeys web -c mock")[0].Fingerprint
	s.NewHostKey("ed25519")
	_, errs, code = w.run("vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"), "--", "true")
	assert.Equal(t, 255, code)
	assert.Contains(t, errs, fingerprint)
	assert.Contains(t, errs, "mcic vm hostkeys web -c mock --forget")
	w.do("vm hostkeys web -c mock --forget")
	_, errs, code = w.run("vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"), "--", "true")
	assert.Zero(t, code, errs)

	verbs := map[string]int{}
	for _, entry := range read[[]api.AuditEntry](w, "audit list") {
		verbs[entry.Verb+" "+entry.Outcome]++
	}
	assert.Equal(t, 4, verbs["login ok"])
	assert.Equal(t, 4, verbs["logout ok"])
	assert.Equal(t, 1, verbs["login unauthenticated"])
	assert.Equal(t, 1, verbs["login conflict"])
	assert.Equal(t, 1, verbs["forgethostkey ok"])
	noSecretOnDisk(t, w.data, "PRIVATE KEY")

	terminal := w.inTerminal(t, "vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"))
	terminal.types("stty size; echo $TERM\r")
	terminal.shows("30 90")
	terminal.shows("vt100")
	require.NoError(t, pty.Setsize(terminal.pty, &pty.Winsize{Rows: 41, Cols: 123}))
	terminal.types("until test \"$(stty size)\" = '41 123'; do sleep 0.1; done; echo resized $((3*7))\r")
	terminal.shows("resized 21")
	terminal.types("exec env PS1=\"sh$((3*11))> \" sh\r") // which reads no more than a line
	terminal.shows("sh33> ")
	terminal.types("stty -isig -icanon; echo ready $((2*5)); head -c 1 | od -An -tx1; stty isig icanon\r")
	terminal.shows("ready 10")
	terminal.types("\x03") // is for the remote side
	terminal.shows(" 03\r\n")
	terminal.types("exit 9\r")
	assert.Equal(t, 9, terminal.ends())

	hanging := w.inTerminal(t, "vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"))
	hanging.types("echo $((20+3)); trap '' INT TERM; exec sleep 1000\r")
	hanging.shows("23")
	hanging.types("\r~.")
	assert.Equal(t, 255, hanging.ends())

	stopped := w.inTerminal(t, "vm", "ssh", "web", "-c", "mock", "--identity", filepath.Join(s.Dir, "own"))
	stopped.types("echo $((20+4))\r")
	stopped.shows("24")
	require.NoError(t, w.Stop())
	assert.Equal(t, 255, stopped.ends())
	stopped.shows("the server is stopping")
	w.start()
	last := read[[]api.AuditEntry](w, "audit list --limit 1")[0]
	assert.Equal(t, "logout", last.Verb)
	assert.Contains(t, last.Detail, "stopping")
}

// noise without an end.
type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// seat is a terminal in which a person runs mcic.
type seat struct {
	t   *testing.T
	cmd *exec.Cmd
	pty *os.File

	mu    sync.Mutex
	shown bytes.Buffer
	done  chan struct{}
}

// inTerminal starts mcic in a terminal of 90 times 30.
func (w *world) inTerminal(t *testing.T, args ...string) *seat {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &seat{t: t, cmd: w.program(ctx, args...), done: make(chan struct{})}
	var err error
	s.pty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 30, Cols: 90})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.pty.Close() })
	go func() {
		defer close(s.done)
		_, _ = io.Copy(s, s.pty) // ends with the program
	}()
	return s
}

func (s *seat) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(p)
}

func (s *seat) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

func (s *seat) types(keys string) {
	s.t.Helper()
	_, err := fmt.Fprint(s.pty, keys)
	require.NoError(s.t, err)
}

func (s *seat) shows(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.String(), text) }, time.Minute, 10*time.Millisecond, "the terminal does not show %q: %s", text, s)
}

// ends waits for the end of mcic, and answers its exit code.
func (s *seat) ends() int {
	s.t.Helper()
	<-s.done
	return exitCode(s.t, s.cmd.Wait())
}
