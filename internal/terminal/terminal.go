// Package terminal logs in to resources by SSH and runs a shell or a command there,
// for people in a browser, for the command line and for scripts.
//
// It connects only to addresses that a resource's record has. The host key that is
// seen first is recorded, for all servers, and no other is accepted from then on.
// Who logged in to what, when, and for how long is in the audit trail; what they
// read and wrote is nowhere.
package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what terminals need. Times may be left out.
type Config struct {
	Store   *store.Store
	Sealer  *secret.Sealer
	Logger  *slog.Logger
	Most    int           // sessions at once on this server; 0 for none
	Idle    time.Duration // ends a session in which nothing was written or read for so long; default: 15 m
	Longest time.Duration // ends every session; default: 8 h
	Connect time.Duration // for connecting and logging in; default: 15 s
	Alive   time.Duration // how often the SSH server is asked whether it is still there; default: 30 s
}

// Terminals are the sessions of one server. It is safe for concurrent use.
type Terminals struct {
	Config

	mu     sync.Mutex
	open   int
	closed bool
	group  sync.WaitGroup
}

// New returns a server's terminals.
func New(c Config) *Terminals {
	c.Idle, c.Longest = cmp.Or(c.Idle, 15*time.Minute), cmp.Or(c.Longest, 8*time.Hour)
	c.Connect, c.Alive = cmp.Or(c.Connect, 15*time.Second), cmp.Or(c.Alive, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Terminals{Config: c}
}

// Streams are what a session reads and writes. What is not there is nil.
type Streams struct {
	In     io.Reader
	Out    io.Writer
	Errors io.Writer // of a command without a terminal
	Resize <-chan api.TerminalSize
	Ready  func(api.TerminalReady) error // called once, before anything is written
}

// End is an error that says why a session ended. As the cause of a context it ends
// one.
type End struct {
	Reason api.EndReason
	Err    *resource.Error
}

// Error implements error.
func (e *End) Error() string { return e.Err.Error() }

// Unwrap returns the error with its code.
func (e *End) Unwrap() error { return e.Err }

// Endf returns one.
func Endf(reason api.EndReason, code resource.Code, format string, args ...any) *End {
	return &End{reason, resource.Errorf(code, format, args...)}
}

// because is the end that an error leads to, with a reason for those that know none.
func because(err error, reason api.EndReason) *End {
	if end, ok := errors.AsType[*End](err); ok {
		return end
	}
	return &End{reason, resource.AsError(err)}
}

func (e *End) ended() api.TerminalEnded {
	return api.TerminalEnded{Reason: e.Reason, Error: e.Err}
}

// Close refuses further sessions and waits until those that are open have ended, or
// ctx has. Their own contexts end them.
func (t *Terminals) Close(ctx context.Context) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.group.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// Open is how many sessions there are.
func (t *Terminals) Open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

func (t *Terminals) enter() *End {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return stopping()
	case t.Most <= 0:
		return Endf(api.EndFailed, resource.CodeUnsupported, "this server opens no terminals: --terminals is 0")
	case t.open >= t.Most:
		return Endf(api.EndFailed, resource.CodeQuota, "%d terminals are open on this server, and it opens no more at once (--terminals); close one, or try again later", t.open)
	}
	t.open++
	t.group.Add(1)
	return nil
}

func (t *Terminals) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	t.group.Done()
}

func stopping() *End {
	return Endf(api.EndStopping, resource.CodeUnavailable, "the server is stopping; connect again in a moment")
}

// interruption is why a context has ended. Where nobody said so, it is the server that
// stops.
func interruption(ctx context.Context) *End {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return stopping()
	}
	return because(context.Cause(ctx), api.EndStopping)
}

// Run logs in to a resource, runs what is asked for, and says how it ended. The end of
// ctx ends it too, for the reason that its cause gives.
func (t *Terminals) Run(ctx context.Context, l *Login, r api.TerminalRequest, s Streams) api.TerminalEnded {
	if end := t.enter(); end != nil {
		return end.ended()
	}
	defer t.leave()
	to, err := hostOf(l, r)
	if err != nil {
		return because(err, api.EndFailed).ended()
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	longest := time.AfterFunc(t.Longest, func() {
		end(Endf(api.EndLongest, resource.CodeUnavailable, "no session lasts longer than %s here (--terminal-longest); connect again", t.Longest))
	})
	defer longest.Stop()

	began := time.Now()
	client, ready, err := t.login(ctx, l, to, r)
	if err != nil && ctx.Err() != nil { // whatever failed by that
		err = interruption(ctx)
	}
	if noted := t.loggedIn(context.WithoutCancel(ctx), l, to.how, err); noted != nil && err == nil { // what is not on record does not happen
		_ = client.Close()
		err = noted
	}
	if err != nil {
		return because(err, api.EndFailed).ended()
	}
	defer func() { _ = client.Close() }() // it is over
	t.Logger.Info("login", "kind", l.Resource.Kind, "connection", l.Resource.Connection, "name", l.Resource.Name, "how", to.how)
	ended := t.run(ctx, end, client, *ready, r, s)

	how := fmt.Sprintf("%s; after %s: %s", to.how, time.Since(began).Round(time.Second), ended.Reason)
	t.Logger.Info("logout", "kind", l.Resource.Kind, "connection", l.Resource.Connection, "name", l.Resource.Name, "how", how)
	if err := t.loggedOut(context.WithoutCancel(ctx), l, how); err != nil {
		t.Logger.Warn("the end of a login is not in the audit trail", "name", l.Resource.Name, "how", how, "error", err)
	}
	return ended
}

// run runs a shell or a command on a connection.
func (t *Terminals) run(ctx context.Context, end context.CancelCauseFunc, client *ssh.Client, ready api.TerminalReady, r api.TerminalRequest, s Streams) api.TerminalEnded {
	session, err := client.NewSession()
	if err != nil {
		return Endf(api.EndFailed, resource.CodeUnavailable, "logged in, but the SSH server opens no session: %w", err).ended()
	}
	if r.Terminal != nil {
		if err := session.RequestPty(cmp.Or(r.Type, "xterm-256color"), r.Terminal.Rows, r.Terminal.Columns, ssh.TerminalModes{}); err != nil {
			return Endf(api.EndFailed, resource.CodeUnavailable, "logged in, but the SSH server makes no terminal: %w", err).ended()
		}
	}
	idle := time.AfterFunc(t.Idle, func() {
		end(Endf(api.EndIdle, resource.CodeUnavailable, "nothing was written or read for %s (--terminal-idle); connect again", t.Idle))
	})
	defer idle.Stop()
	active := func() {
		if idle.Stop() { // one that has run has ended the session
			idle.Reset(t.Idle)
		}
	}
	if s.Out != nil {
		session.Stdout = watched{s.Out, active}
	}
	if s.Errors != nil {
		session.Stderr = watched{s.Errors, active}
	}
	input, err := session.StdinPipe()
	if err != nil {
		return Endf(api.EndFailed, resource.CodeInternal, "open the input: %w", err).ended()
	}
	if s.Ready != nil {
		if err := s.Ready(ready); err != nil {
			return Endf(api.EndGone, resource.CodeUnavailable, "the client went away: %w", err).ended()
		}
	}
	if r.Command == "" {
		err = session.Shell()
	} else {
		err = session.Start(r.Command)
	}
	if err != nil {
		return Endf(api.EndFailed, resource.CodeUnavailable, "logged in, but the SSH server starts nothing: %w", err).ended()
	}
	go func() {
		if s.In != nil {
			_, _ = io.Copy(watched{input, active}, s.In) // what is run has ended if this fails
		}
		_ = input.Close()
	}()
	go t.keepAlive(ctx, end, client)
	done := make(chan error, 1)
	go func() { done <- session.Wait() }()
	for {
		select {
		case err := <-done:
			return exit(err)
		case <-ctx.Done():
			return interruption(ctx).ended()
		case size := <-s.Resize:
			_ = session.WindowChange(size.Rows, size.Columns) // it has ended if this fails
		}
	}
}

// exit says how what was run ended by itself.
func exit(err error) api.TerminalEnded {
	if err == nil {
		return api.TerminalEnded{Reason: api.EndExit}
	}
	if e, ok := errors.AsType[*ssh.ExitError](err); ok {
		return api.TerminalEnded{Reason: api.EndExit, ExitCode: e.ExitStatus()}
	}
	if _, silent := errors.AsType[*ssh.ExitMissingError](err); silent {
		return Endf(api.EndLost, resource.CodeUnavailable, "the connection to the SSH server broke; connect again").ended()
	}
	return Endf(api.EndLost, resource.CodeUnavailable, "the connection to the SSH server broke: %w; connect again", err).ended()
}

// keepAlive keeps networks between from forgetting the connection, and ends a session
// whose SSH server has gone without a word. https://github.com/openssh/openssh-portable/blob/master/PROTOCOL
func (t *Terminals) keepAlive(ctx context.Context, end context.CancelCauseFunc, client *ssh.Client) {
	lost := func() {
		end(Endf(api.EndLost, resource.CodeUnavailable, "the SSH server does not answer any more; connect again"))
	}
	tick := time.NewTicker(t.Alive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		late := time.AfterFunc(t.Alive, lost)
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil) // any answer is one
		late.Stop()
		if err != nil {
			return // the session has ended by that, too
		}
	}
}

// watched tells of each write.
type watched struct {
	io.Writer
	active func()
}

func (w watched) Write(p []byte) (int, error) {
	w.active()
	return w.Writer.Write(p)
}

// dial connects to an SSH server until ctx ends.
func dial(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if !stop() && err == nil { // it was closed just now
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}
