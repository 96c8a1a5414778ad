// Package host runs drivers: it finds them, starts each as a process of its own
// when it is first needed, watches it, and carries calls to it. A driver that
// crashes, hangs or answers nonsense costs the calls that it was working on and
// nothing else.
package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Prefix begins the name of every driver's executable; the cloud's name follows.
const Prefix = "mcic-driver-"

// Config says how drivers are found and run.
type Config struct {
	Override  []string            // folders with drivers that are used before installed packages; the first that has one wins
	Dirs      []string            // folders with drivers that are used after them; the first that has one wins
	BuiltIn   map[string][]string // command lines of drivers that come with the server, by cloud
	WorkDir   string              // each driver works in a folder of its own below this
	SocketDir string              // where sockets lie; "" for the system's temporary folder
	LogLevel  slog.Level          // of the drivers
	Logger    *slog.Logger

	IdleTimeout    time.Duration // a driver unused for so long is stopped
	StartTimeout   time.Duration // for a driver's handshake
	CallTimeout    time.Duration // for one call
	ListTimeout    time.Duration // for one complete list
	ConnectTimeout time.Duration // for opening a session, by itself or as part of a call
	MostListed     int           // objects that a list can have
	ApartFor       time.Duration // how long a process must go on that was given to connections for which another one ended
	Grace          time.Duration // how much later than its timeout a driver may answer before it counts as hung

	Sandbox Sandbox // what drivers may reach and use

	Protocols driver.Versions // of the driver protocol that are spoken; nil for all that package driver has

	Observe func(cloud, verb string, code resource.Code, took time.Duration) // after each call
}

// withDefaults fills what was left out.
func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.IdleTimeout, 30*time.Minute)
	set(&c.StartTimeout, 15*time.Second)
	set(&c.CallTimeout, time.Minute)
	set(&c.ListTimeout, 5*time.Minute)
	set(&c.ConnectTimeout, 30*time.Second)
	set(&c.Grace, 3*time.Second)
	set(&c.ApartFor, apartFor)
	if c.MostListed == 0 {
		c.MostListed = 2_000_000
	}
	if c.Protocols == nil {
		c.Protocols = driver.Spoken()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(string, string, resource.Code, time.Duration) {}
	}
	return c
}

// stableAfter is how long a driver must have run for its crash to count as the
// first one.
const stableAfter = 10 * time.Second

// Host runs drivers. It is safe for concurrent use.
type Host struct {
	config  Config
	starter *starter
	stop    context.CancelFunc
	ended   chan struct{}

	confines       bool  // whether drivers are confined
	sandboxMissing error // why they cannot be, if they should

	mu       sync.Mutex
	slots    map[string]*slot    // by cloud and group
	apart    map[string]string   // groups, by connection
	groups   int                 // that there have been
	packages map[string]Package  // installed, by cloud
	limits   map[string]*limiter // by connection
	senders  map[string]sender   // by connection
	retiring map[*process]bool   // replaced, with calls that still run
	closed   bool
}

// slot is the place of one cloud's driver.
type slot struct {
	cloud string
	group string        // of connections that it is for, "" for all that are in none
	lock  chan struct{} // held while starting and stopping; taken with a context

	process     *process
	stamp       string // of the executable that the process was started from
	startedAt   time.Time
	endedAt     time.Time // by itself
	failures    int       // crashes and failed starts in a row
	reason      error     // of the last failed start
	retryAt     time.Time
	description *driver.Description
	described   string // stamp of the executable that the description is of
}

// New returns a host. Close ends it with all its processes.
func New(c Config) *Host {
	ctx, stop := context.WithCancel(context.Background())
	h := &Host{config: c.withDefaults(), starter: newStarter(), stop: stop, ended: make(chan struct{}), slots: map[string]*slot{}, apart: map[string]string{}, packages: map[string]Package{}, limits: map[string]*limiter{}, senders: map[string]sender{}, retiring: map[*process]bool{}}
	if h.config.Sandbox.Mode != SandboxOff {
		if h.sandboxMissing = sandboxSupported(); h.sandboxMissing != nil {
			h.config.Logger.Warn("drivers are NOT kept from reading the server's files, as this system cannot do that", "reason", h.sandboxMissing)
		}
		h.confines = h.sandboxMissing == nil
	}
	go h.stopIdle(ctx)
	return h
}

// Close stops all drivers.
func (h *Host) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	slots := slices.Collect(maps.Values(h.slots))
	retiring := slices.Collect(maps.Keys(h.retiring))
	h.mu.Unlock()
	h.stop()
	for _, p := range retiring {
		p.kill()
	}
	<-h.ended
	for _, s := range slots {
		s.lock <- struct{}{}
		if s.process != nil {
			s.process.kill()
			s.process = nil
		}
		<-s.lock
	}
	h.starter.stop()
}

// command is how a driver is started.
type command struct {
	path  string
	args  []string
	stamp string       // changes with the executable
	check func() error // asked before each start; nil for what was not installed
}

// cloudName is what can follow the prefix.
var cloudName = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)

// find returns the drivers that can be started, by cloud.
func (h *Host) find() map[string]command {
	found := map[string]command{}
	for cloud, line := range h.config.BuiltIn {
		found[cloud] = command{path: line[0], args: line[1:], stamp: stamp(line[0])}
	}
	findIn(h.config.Dirs, found)
	h.mu.Lock()
	for cloud, p := range h.packages {
		found[cloud] = p.command()
	}
	h.mu.Unlock()
	maps.Copy(found, h.overrides())
	return found
}

// overrides returns the drivers that are used whatever is installed.
func (h *Host) overrides() map[string]command {
	found := map[string]command{}
	findIn(h.config.Override, found)
	return found
}

// findIn adds the drivers of folders.
func findIn(dirs []string, found map[string]command) {
	for _, dir := range slices.Backward(dirs) {
		paths, _ := filepath.Glob(filepath.Join(dir, Prefix+"*")) // the pattern is well-formed
		for _, path := range paths {
			cloud := strings.TrimPrefix(filepath.Base(path), Prefix)
			if s := stamp(path); s != "" && cloudName.MatchString(cloud) {
				found[cloud] = command{path: path, stamp: s, check: func() error { return untouched(cloud, path) }}
			}
		}
	}
}

// stamp identifies a version of an executable file; "" if it is none.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return ""
	}
	return fmt.Sprint(path, info.Size(), info.ModTime().UnixNano())
}

// Protocols answers the versions of the driver protocol that are spoken, the oldest first.
func (h *Host) Protocols() []int { return slices.Sorted(maps.Keys(h.config.Protocols)) }

// Clouds returns the clouds that a driver is there for.
func (h *Host) Clouds() []string { return slices.Sorted(maps.Keys(h.find())) }

// Describe answers what a cloud's driver is and offers, starting it if it is new.
func (h *Host) Describe(ctx context.Context, cloud string) (*driver.Description, error) {
	c, s, err := h.slot(cloud)
	if err != nil {
		return nil, err
	}
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	defer s.release()
	if s.description != nil && s.described == c.stamp {
		return s.description, nil
	}
	p, err := h.running(s, c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.StartTimeout)
	defer cancel()
	d, err := describe(ctx, p, cloud, c)
	if err != nil {
		return nil, err
	}
	s.description, s.described = d, s.stamp
	return d, nil
}

func describe(ctx context.Context, p *process, cloud string, c command) (*driver.Description, error) {
	d, err := p.describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the driver %s: %w", cloud, err)
	}
	if d.Name != cloud {
		return nil, resource.Errorf(resource.CodeInternal, "the driver in %s calls itself %q; rename it to %s%s", c.path, d.Name, Prefix, d.Name)
	}
	return d, nil
}

// Target is a connection as the host needs it.
type Target struct {
	Connection string                                       // its name
	Revision   string                                       // changes with anything in Config
	Cloud      string                                       //
	Config     func(context.Context) (driver.Config, error) // asked only when a session must be opened

	// Opened is told, each time a session is opened, what that has found out; nil for
	// nobody.
	Opened func(ctx context.Context, place driver.Place)
}

// Check opens a session of its own, as a test of the connection's configuration.
func (h *Host) Check(ctx context.Context, t Target) error {
	return h.once(ctx, t, "connect", h.config.ConnectTimeout, func(context.Context, driver.Session) error { return nil })
}

// LookUp answers a catalog from a session of its own, for a connection that nobody has
// recorded yet. Nothing of it is kept.
func (h *Host) LookUp(ctx context.Context, t Target, catalog string, q driver.Query) iter.Seq2[json.RawMessage, error] {
	return stream(func(each func(json.RawMessage) bool) error {
		return h.once(ctx, t, "catalog", h.config.ListTimeout, func(ctx context.Context, open driver.Session) error {
			return drain(open.Catalog(ctx, catalog, q), each)
		})
	})
}

// once opens a session for one use and closes it.
func (h *Host) once(ctx context.Context, t Target, verb string, timeout time.Duration, use func(context.Context, driver.Session) error) error {
	p, release, err := h.process(ctx, t)
	if err != nil {
		return err
	}
	defer release()
	return h.call(ctx, p, t, verb, timeout, func(ctx context.Context) error {
		s, err := p.connect(ctx, t)
		if err != nil {
			return err
		}
		if err := use(ctx, s); err != nil {
			_ = s.Close() // the first failure says more
			return err
		}
		return s.Close()
	})
}

// Forget closes the session of a connection that is gone or has changed.
func (h *Host) Forget(cloud, connection string) {
	h.Reopen(cloud, connection)
	h.mu.Lock()
	delete(h.limits, connection)
	delete(h.apart, connection)
	h.endSender(connection)
	h.mu.Unlock()
}

// Reopen closes the session of a connection, so that the next call opens a new one.
func (h *Host) Reopen(cloud, connection string) {
	h.mu.Lock()
	s := h.slots[cloud+h.apart[connection]]
	h.mu.Unlock()
	if s == nil {
		return
	}
	s.lock <- struct{}{}
	defer s.release()
	if s.process == nil {
		return
	}
	if open := s.process.forget(connection, nil); open != nil {
		go func() { _ = open.Close() }() // nobody waits for a driver that hangs; one that is gone has no session
	}
}

// Session returns a connection's session. It costs nothing until it is used, and
// stays usable when the driver is started anew.
func (h *Host) Session(t Target) driver.Session { return &session{h, t} }

// limiter is the one that all sessions of a connection share.
func (h *Host) limiter(t Target) *limiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.limits[t.Connection]
	if l == nil {
		l = newLimiter(h.config.Logger.With("connection", t.Connection))
		h.limits[t.Connection] = l
	}
	return l
}

// Limits answers how many calls per second the connections may make that their
// clouds have throttled.
func (h *Host) Limits() map[string]float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	limits := map[string]float64{}
	for connection, l := range h.limits {
		if rate := l.limit(); rate > 0 {
			limits[connection] = rate
		}
	}
	return limits
}

// stream makes a sequence of a function that calls each for every item.
func stream[T any](run func(each func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := run(func(item T) bool {
			stopped = !yield(item, nil)
			return !stopped
		})
		if err != nil && !stopped {
			var zero T
			yield(zero, err)
		}
	}
}

func drain[T any](items iter.Seq2[T, error], each func(T) bool) error {
	for item, err := range items {
		if err != nil {
			return err
		}
		if !each(item) {
			return nil
		}
	}
	return nil
}

// errHung is why a call was given up although its caller still waits.
var errHung = errors.New("the driver hangs")

// call runs one call under its timeout. The driver is told the timeout and gets a
// little longer; one that has not answered then does not keep to its contract and
// is ended, so that the next call finds a fresh one.
func (h *Host) call(ctx context.Context, p *process, t Target, verb string, timeout time.Duration, do func(context.Context) error) (err error) {
	started := time.Now()
	defer func() { h.config.Observe(t.Cloud, verb, resource.CodeOf(err), time.Since(started)) }()
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	callCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	hung := time.AfterFunc(timeout+h.config.Grace, func() { cancel(errHung) })
	defer hung.Stop()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) { // nobody waits any more
			cancel(context.Canceled)
		}
	})()
	err = do(driver.WithTimeout(callCtx, timeout))
	if errors.Is(err, driver.ErrGone) {
		p.lose(t.Connection)
		p.bury()
	}
	if err == nil || !errors.Is(context.Cause(callCtx), errHung) {
		return err
	}
	p.hang(t.Connection)
	p.logger.Error("the driver hangs and is ended", "connection", t.Connection, "verb", verb, "after", time.Since(started))
	p.kill()
	return resource.Errorf(resource.CodeUnavailable, "the driver %s did not answer %s within %s and was ended; the next call starts it anew", t.Cloud, verb, timeout.Round(time.Millisecond))
}

// process returns the running process of a driver that serves a connection, started if need
// be. The caller releases it after its call.
func (h *Host) process(ctx context.Context, t Target) (*process, func(), error) {
	for {
		group := h.groupOf(t.Connection)
		c, s, err := h.slotIn(t.Cloud, group)
		if err != nil {
			return nil, nil, err
		}
		if err := s.take(ctx); err != nil {
			return nil, nil, err
		}
		h.reap(s)
		if h.groupOf(t.Connection) != group { // it has another one from now on
			s.release()
			continue
		}
		p, err := h.running(s, c)
		if err != nil {
			s.release()
			return nil, nil, err
		}
		end := p.begin(t.Connection)
		s.release()
		return p, end, nil
	}
}

// reap buries the slot's process if it has ended. The slot is held.
func (h *Host) reap(s *slot) {
	p := s.process
	if p == nil || p.alive() {
		return
	}
	p.kill()
	s.process, s.reason, s.endedAt = nil, nil, time.Now()
	if !h.tellApart(s, p) {
		s.failed(time.Since(s.startedAt) >= stableAfter)
	}
}

// running returns the slot's process, started if need be. The slot is held.
func (h *Host) running(s *slot, c command) (*process, error) {
	h.reap(s)
	if p := s.process; p != nil {
		if s.stamp == c.stamp {
			return p, nil
		}
		return h.renew(s, c), nil
	}
	if wait := time.Until(s.retryAt); wait > 0 {
		return nil, resource.Errorf(resource.CodeUnavailable, "the driver %s failed %d times in a row; it is started again in %s; %w", s.cloud, s.failures, wait.Round(100*time.Millisecond), cmp.Or(s.reason, errCrashed))
	}
	p, err := h.startProcess(s.cloud, c)
	if err != nil {
		s.reason = err
		s.failed(false)
		return nil, err
	}
	s.process, s.stamp, s.startedAt = p, c.stamp, time.Now()
	return p, nil
}

// errCrashed is why a driver is not started that ended by itself.
var errCrashed = errors.New("it ended by itself; the server's log has its last words")

// failed notes a crash or a failed start. The first is followed by a new start at
// once, later ones wait longer and longer.
func (s *slot) failed(stable bool) {
	if stable {
		s.failures = 0
	}
	s.failures++
	if s.failures > 1 {
		s.retryAt = time.Now().Add(min(250*time.Millisecond<<min(s.failures-2, 10), 30*time.Second))
	}
}

// slot returns how a cloud's driver is started and its place.
func (h *Host) slot(cloud string) (command, *slot, error) { return h.slotIn(cloud, "") }

// slotIn is slot for a process of a cloud's driver that serves a group of connections.
func (h *Host) slotIn(cloud, group string) (command, *slot, error) {
	found := h.find()
	c, ok := found[cloud]
	if !ok {
		return command{}, nil, resource.Errorf(resource.CodeNotFound, "there is no driver for the cloud %.64q; there are drivers for: %s. Install one with: mcic driver install CLOUD, or put %s<cloud> into %s", cloud, strings.Join(slices.Sorted(maps.Keys(found)), ", "), Prefix, strings.Join(slices.Concat(h.config.Override, h.config.Dirs), " or "))
	}
	s, err := h.placeOf(cloud, group)
	return c, s, err
}

// place returns the slot of a cloud.
func (h *Host) place(cloud string) (*slot, error) { return h.placeOf(cloud, "") }

func (h *Host) placeOf(cloud, group string) (*slot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, resource.Errorf(resource.CodeUnavailable, "the server is stopping")
	}
	s := h.slots[cloud+group]
	if s == nil {
		s = &slot{cloud: cloud, group: group, lock: make(chan struct{}, 1)}
		h.slots[cloud+group] = s
	}
	return s, nil
}

func (s *slot) take(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return resource.Errorf(resource.CodeUnavailable, "the driver %s is still starting: %w", s.cloud, ctx.Err())
	}
}

func (s *slot) release() { <-s.lock }

// stopIdle stops drivers that nobody has used for a while.
func (h *Host) stopIdle(ctx context.Context) {
	defer close(h.ended)
	tick := time.NewTicker(max(h.config.IdleTimeout/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.Lock()
		slots := slices.Collect(maps.Values(h.slots))
		h.mu.Unlock()
		for _, s := range slots {
			select {
			case s.lock <- struct{}{}:
			default: // starting: not idle
				continue
			}
			if p := s.process; p != nil {
				if since, idle := p.idleSince(); idle && time.Since(since) >= h.config.IdleTimeout {
					p.logger.Info("driver stopped, it was idle", "pid", p.runner.id())
					p.kill()
					s.process = nil
				}
			}
			h.bringBack(s)
			s.release()
		}
	}
}
