package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/guard"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// process is one running driver.
type process struct {
	client driver.Client
	end    func() // of the connection
	runner *run
	logger *slog.Logger

	secrets *redactor // of all credentials that it was given

	connectTimeout time.Duration

	description atomic.Pointer[driver.Description] // once it has said what it is

	calls    atomic.Int64 // running now
	killed   atomic.Bool  // by the host
	lastUsed atomic.Int64 // unix nanoseconds

	mu       sync.Mutex
	sessions map[string]*openSession // by connection
	work     workload
}

type openSession struct {
	driver.Session
	revision string
}

// untouched refuses a driver that others than the server's user could have put there.
func untouched(cloud, path string) error {
	if err := guard.Program(path); err != nil {
		return fmt.Errorf("the driver %s is not started, as it gets credentials: %w", cloud, err)
	}
	return nil
}

// startProcess starts a driver and waits for its handshake. Whatever fails, no
// process is left behind.
func (h *Host) startProcess(cloud string, c command) (*process, error) {
	if c.check != nil {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	work := filepath.Join(h.config.WorkDir, cloud)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, fmt.Errorf("make the driver's working folder: %w", err)
	}
	logger := h.config.Logger.With("driver", cloud)
	p := &process{logger: logger, secrets: newRedactor(), connectTimeout: h.config.ConnectTimeout, sessions: map[string]*openSession{}, work: workload{running: map[string]int{}, lost: map[string]bool{}}}
	lines := &logWriter{logger: logger, clean: p.secrets.text}
	err := p.start(h, c, work, lines)
	if errors.Is(err, driver.ErrVersion) {
		return nil, resource.Errorf(resource.CodeUnsupported, "the driver %s (%s) speaks another version of the driver protocol than this server, which speaks %s; install a version of the driver that does, or upgrade the server: %w", cloud, c.path, h.protocols(), err)
	}
	if err != nil {
		return nil, resource.Errorf(resource.CodeUnavailable, "start the driver %s (%s): %w", cloud, c.path, err)
	}
	p.used()
	logger.Info("driver started", "pid", p.runner.id(), "path", c.path)
	go p.watch()
	return p, nil
}

// protocols lists the versions of the driver protocol for people.
func (h *Host) protocols() string {
	var words []string
	for _, v := range h.Protocols() {
		words = append(words, strconv.Itoa(v))
	}
	return strings.Join(words, " and ")
}

// start starts the process and waits for its handshake.
func (p *process) start(h *Host, c command, work string, lines io.Writer) error {
	// The folder of the socket is private to this user, which guards the
	// connection as well as keys in the environment of the same user would.
	sockets, err := os.MkdirTemp(h.config.SocketDir, "mcic-driver-")
	if err != nil {
		return fmt.Errorf("make the folder of the socket: %w", err)
	}
	r, err := h.newRun(c, work, sockets)
	if err != nil {
		return errors.Join(err, os.RemoveAll(sockets))
	}
	p.runner = r
	meeting := driver.Prepare(r.cmd, sockets, lines, h.config.Protocols)
	if err := r.start(); err != nil {
		p.kill()
		return err
	}
	ctx, cancel := context.WithTimeoutCause(r.running, h.config.StartTimeout, fmt.Errorf("timeout after %s", h.config.StartTimeout))
	defer cancel()
	options := append(filter{p.secrets}.options(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(driver.MaxMessage), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if p.client, p.end, err = meeting.Meet(ctx, options...); err != nil {
		p.kill()
	}
	return err
}

// watch notes an end that the host did not cause.
func (p *process) watch() {
	<-p.runner.done
	if !p.killed.Load() {
		p.logger.Warn("driver ended by itself; the next call starts it anew", "pid", p.runner.id(), "state", p.runner.cmd.ProcessState.String())
	}
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.runner.done:
		return false
	default:
		return true
	}
}

func (p *process) used() { p.lastUsed.Store(time.Now().UnixNano()) }

// idleSince answers the end of the last call, unless one is running.
func (p *process) idleSince() (time.Time, bool) {
	return time.Unix(0, p.lastUsed.Load()), p.calls.Load() == 0
}

// session opens the session of a connection, or answers the open one.
func (p *process) session(ctx context.Context, t Target) (*openSession, error) {
	p.mu.Lock()
	open := p.sessions[t.Connection]
	p.mu.Unlock()
	if open != nil && open.revision == t.Revision {
		return open, nil
	}
	s, err := p.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.sessions[t.Connection]; other != nil {
		if other.revision == t.Revision { // another call was faster
			go func() { _ = s.Close() }()
			return other, nil
		}
		go func() { _ = other.Close() }()
	}
	opened := &openSession{s, t.Revision}
	p.sessions[t.Connection] = opened
	return opened, nil
}

// connect opens a session.
func (p *process) connect(ctx context.Context, t Target) (driver.Session, error) {
	config, err := t.Config(ctx)
	if err != nil {
		return nil, err
	}
	p.hide(ctx, config.Credential)
	s, err := p.client.Connect(driver.WithTimeout(ctx, p.connectTimeout), config)
	if err != nil || t.Opened == nil {
		return s, err
	}
	if place, err := s.Place(ctx); err == nil { // it came with the session; otherwise it is asked when it matters
		t.Opened(ctx, place)
	}
	return s, nil
}

// describe answers what the driver says that it is. It is asked once, and mostly before it
// knows a credential, whose values would be taken out of the answer.
func (p *process) describe(ctx context.Context) (*driver.Description, error) {
	if d := p.description.Load(); d != nil {
		return d, nil
	}
	d, err := p.client.Describe(ctx)
	if err == nil {
		p.description.Store(d)
	}
	return d, err
}

// hide has the values of a credential go no further than to the process: those that are
// secret, or if the driver does not say which these are, all.
func (p *process) hide(ctx context.Context, credential driver.Values) {
	var values []string
	if d, err := p.describe(driver.WithTimeout(ctx, p.connectTimeout)); err == nil {
		values = d.Secrets(credential)
	} else {
		values = slices.Collect(maps.Values(credential))
	}
	p.secrets.add(values)
}

// forget drops a session that the driver does not know, or all of a connection.
func (p *process) forget(connection string, which *openSession) *openSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := p.sessions[connection]
	if open == nil || (which != nil && open != which) {
		return nil
	}
	delete(p.sessions, connection)
	return open
}

// kill ends the process. Drivers keep nothing that needs a farewell, so that a
// driver that hangs is ended as fast as any other.
func (p *process) kill() {
	p.killed.Store(true)
	p.runner.kill()
	if p.end != nil {
		p.end()
	}
}

// bury waits for the end of a process whose connection is lost, so that the next
// call does not find it half dead.
func (p *process) bury() {
	select {
	case <-p.runner.done:
	case <-time.After(time.Second): // it lives, but nobody can talk to it
	}
	p.kill()
}

// run is an executable that is started with nothing of ours but the environment that it
// is given, in a process group of its own, and with a pipe as its standard input that
// ends when this process does.
type run struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	sockets  string // folder, which goes with it
	starter  *starter
	sandbox  Sandbox
	confined *confinement    // nil for everything
	running  context.Context //nolint:containedctx // ends with the process
	ended    context.CancelCauseFunc
	done     <-chan struct{} // closed when the process has ended
}

// outputDelay is how long what a driver has started, and left behind, can keep its end from
// being noticed.
const outputDelay = time.Second

func (h *Host) newRun(c command, work, sockets string) (*run, error) {
	confined, err := h.confine(c, work, sockets)
	if err != nil {
		return nil, err
	}
	r := &run{
		cmd:     exec.Command(c.path, c.args...), //nolint:gosec,noctx // which executables are drivers is the host's business; their life is not a call's
		sockets: sockets, starter: h.starter, sandbox: h.config.Sandbox, confined: confined,
	}
	r.running, r.ended = context.WithCancelCause(context.Background())
	r.done = r.running.Done()
	r.cmd.Dir, r.cmd.Env = work, []string{"TMPDIR=" + work, driver.EnvExitWithStdin + "=1", driver.EnvLogLevel + "=" + h.config.LogLevel.String()}
	r.cmd.SysProcAttr, r.cmd.WaitDelay = ownGroup(), outputDelay
	r.stdin, err = r.cmd.StdinPipe()
	return r, err
}

func (r *run) start() error {
	err := r.starter.start(r.cmd, r.confined, r.done)
	if err != nil {
		r.end(err)
		return err
	}
	go func() {
		_ = r.cmd.Wait() // how it ended is in its state
		r.end(errors.New("it has ended"))
	}()
	return r.sandbox.limit(r.cmd.Process)
}

func (r *run) end(why error) {
	_ = os.RemoveAll(r.sockets) // of the temporary folder
	r.ended(why)
}

// kill ends the process and waits until it has.
func (r *run) kill() {
	if r.cmd.Process != nil {
		_ = killGroup(r.cmd.Process) // it may have ended
	}
	<-r.done
}

func (r *run) id() string {
	if r.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(r.cmd.Process.Pid)
}
