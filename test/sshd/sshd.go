// Package sshd runs a real OpenSSH server of a test's own, on the loopback address.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// EnvRequire makes a test fail rather than be skipped when there is no sshd.
const EnvRequire = "MCIC_REQUIRE_SSHD"

// Server is a running one. It lets in who runs the test, with the keys that it is
// told.
type Server struct {
	Address string // 127.0.0.1:…
	User    string
	Dir     string // its configuration, keys and log

	t        testing.TB
	program  string
	listener net.Listener
	group    sync.WaitGroup

	mu        sync.Mutex
	processes map[int]*exec.Cmd // one for each connection, by pid
}

// config is of a server that does nothing but what is tested. A user who is not root
// cannot use PAM, and has no other one's rights to check files with.
const config = `
HostKey %[1]s/host_key
AuthorizedKeysFile %[1]s/authorized_keys
AuthenticationMethods publickey
PermitRootLogin prohibit-password
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PrintMotd no
PrintLastLog no
PidFile none
LogLevel VERBOSE
`

// Start runs one until the test ends, with a host key of a type that ssh-keygen knows.
// Without OpenSSH the test is skipped.
func Start(t testing.TB, keyType string) *Server {
	t.Helper()
	program, err := find()
	if err != nil {
		if os.Getenv(EnvRequire) != "" {
			t.Fatalf("%v (%s is set)", err, EnvRequire)
		}
		t.Skipf("SKIPPED, nothing was tested: %v", err)
	}
	me, err := user.Current()
	require.NoError(t, err)
	s := &Server{User: me.Username, Dir: t.TempDir(), t: t, program: program, processes: map[int]*exec.Cmd{}}
	require.NoError(t, os.WriteFile(s.file("sshd_config"), fmt.Appendf(nil, config, s.Dir), 0o600))
	require.NoError(t, os.WriteFile(s.file("authorized_keys"), nil, 0o600))
	s.NewHostKey(keyType)
	s.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.Address = s.listener.Addr().String()
	s.group.Go(s.accept)
	t.Cleanup(func() {
		_ = s.listener.Close()
		s.Break()
		s.group.Wait()
		if log, err := os.ReadFile(s.file("log")); err == nil && t.Failed() {
			t.Logf("sshd's log:\n%s", log)
		}
	})
	return s
}

// find finds the program. Some installations leave its folder out of the PATH, and as
// root it wants a folder that only its service makes.
func find() (string, error) {
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			return "", errors.New("there is no sshd; install Debian's package openssh-server")
		}
	}
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return "", err
		}
	}
	return program, nil
}

func (s *Server) file(name string) string { return filepath.Join(s.Dir, name) }

// accept hands each connection to a process of its own, as inetd does: so the kernel
// chooses the port.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if err := s.serve(conn.(*net.TCPConn)); err != nil {
			s.t.Errorf("start sshd: %v", err)
		}
	}
}

func (s *Server) serve(conn *net.TCPConn) error {
	file, err := conn.File()
	if err != nil {
		return err
	}
	defer func() { _, _ = file.Close(), conn.Close() }() // the process has its own
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), s.program, "-i", "-f", s.file("sshd_config"), "-E", s.file("log"))
	cmd.Stdin, cmd.Stdout = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes[cmd.Process.Pid] = cmd
	s.group.Go(func() {
		_ = cmd.Wait() // however it ends
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.processes, cmd.Process.Pid)
	})
	return nil
}

// Break breaks all connections, as the end of the machine does.
func (s *Server) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid := range s.processes {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended
	}
}

// Sessions is how many connections are open.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.processes)
}

// Authorize lets in who has the private key of a line of an authorized_keys file.
func (s *Server) Authorize(lines ...string) {
	s.t.Helper()
	content := strings.Join(slices.Concat(lines, []string{""}), "\n")
	require.NoError(s.t, os.WriteFile(s.file("authorized_keys"), []byte(content), 0o600))
}

// NewHostKey gives the server another host key, as a new machine at its address has.
func (s *Server) NewHostKey(keyType string) {
	s.t.Helper()
	_ = os.Remove(s.file("host_key")) // the first has none before it
	s.Key("host_key", keyType)
}

// Key makes a key pair in the server's folder, and answers the private and the public
// half.
func (s *Server) Key(name, keyType string, more ...string) (private, public string) {
	s.t.Helper()
	args := append([]string{"-q", "-t", keyType, "-N", "", "-C", "", "-f", s.file(name)}, more...)
	out, err := exec.CommandContext(s.t.Context(), "ssh-keygen", args...).CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	key, err := os.ReadFile(s.file(name))
	require.NoError(s.t, err)
	line, err := os.ReadFile(s.file(name + ".pub"))
	require.NoError(s.t, err)
	return string(key), strings.TrimSpace(string(line))
}
