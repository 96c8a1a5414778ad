package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// exitNoSession is the exit code of ssh, ours and everybody's, when there was no
// session, or it did not end by itself.
const exitNoSession = 255

// Terminal is the one that a person sits at.
type Terminal interface {
	// Size is how much it shows now.
	Size() (api.TerminalSize, error)
	// Resized is told of each change of that, until ctx ends.
	Resized(ctx context.Context) <-chan struct{}
	// Raw has it hand on every key, until restore is called.
	Raw() (restore func() error, err error)
}

// osTerminal is the one that the process was started in.
type osTerminal struct{ in, out int }

// ownTerminal returns it if stdin and stdout are one.
func ownTerminal() Terminal {
	if !isTerminal(os.Stdin) || !isTerminal(os.Stdout) {
		return nil
	}
	return osTerminal{int(os.Stdin.Fd()), int(os.Stdout.Fd())}
}

func (t osTerminal) Size() (api.TerminalSize, error) {
	columns, rows, err := term.GetSize(t.out)
	return api.TerminalSize{Columns: columns, Rows: rows}, err
}

func (t osTerminal) Resized(ctx context.Context) <-chan struct{} {
	signals, resized := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGWINCH)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case resized <- struct{}{}:
			}
		}
	}()
	return resized
}

func (t osTerminal) Raw() (restore func() error, err error) {
	before, err := term.MakeRaw(t.in)
	if err != nil {
		return nil, err
	}
	return func() error { return term.Restore(t.in, before) }, nil
}

// sshFlags are those of an SSH session.
type sshFlags struct {
	user, address, identity string
	port                    int
	password, tty           bool
}

// sshCommand logs in to a resource.
func (a *app) sshCommand(k *resource.Kind) *cobra.Command {
	var (
		connection string
		o          sshFlags
	)
	cmd := &cobra.Command{
		Use:   "ssh NAME [-- COMMAND…]",
		Short: "Log in to a " + word(k) + " by SSH, or run a command there",
		Long: `Logs in by SSH through the server, which has the private key of the ` + word(k) + `'s key pair
if it made it: neither a key nor a way to the ` + word(k) + ` is needed here.

A command that is given after -- is run instead of a shell, and mcic ends with its
exit code; with 255 if there was no session, or it did not end by itself. Input and
output can be redirected.

In a terminal, Enter ~ . ends a session that hangs. The host key of the first login
is recorded; when another one is seen, nobody is logged in (see: mcic ` + k.Name + ` hostkeys).`,
		Example: fmt.Sprintf("  mcic %[1]s ssh my-%[1]s -c %[2]s\n  mcic %[1]s ssh my-%[1]s -c %[2]s --user ubuntu -- uptime", k.Name, sampleConnection),
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash == 1 {
				args = args[:1]
			}
			return oneName(cmd, args)
		},
		ValidArgsFunction: a.completeNames(k.Name, 1),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.user, "user", "", "`NAME` to log in with (default: the one in its status)")
	f.IntVar(&o.port, "port", 0, "`PORT` of the SSH server (default: the one in its status, else 22)")
	f.StringVar(&o.address, "address", "", "which of its addresses: public or private (default: public if it has one)")
	f.StringVar(&o.identity, "identity", "", "`FILE` with a private key for this session (default: the key pair's, which the server has)")
	f.BoolVar(&o.password, "password", false, "ask for a password, and log in with that")
	f.BoolVarP(&o.tty, "tty", "t", false, "give the command a terminal")
	a.addConnection(cmd, &connection)
	must(cmd.RegisterFlagCompletionFunc("address", cobra.FixedCompletions([]string{"public", "private"}, cobra.ShellCompDirectiveNoFileComp)))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, connection, err := a.openIn(cmd.Context(), connection)
		if err != nil {
			return err
		}
		request, err := a.terminalRequest(cmd.Context(), o, strings.Join(args[1:], " "))
		if err != nil {
			return err
		}
		return a.runTerminal(cmd.Context(), c, k, connection, args[0], request)
	}
	return cmd
}

// terminalRequest makes the request of the flags, with a secret that is asked for.
func (a *app) terminalRequest(ctx context.Context, o sshFlags, command string) (api.TerminalRequest, error) {
	r := api.TerminalRequest{User: o.user, Address: o.address, Port: o.port, Command: command, Type: a.env.Getenv("TERM")}
	secret := func(prompt string) (string, error) {
		if a.env.ReadSecret == nil {
			return "", usageError("%s cannot be asked for: standard input is no terminal", strings.ToLower(prompt))
		}
		return a.env.ReadSecret(ctx, prompt+": ")
	}
	var err error
	switch {
	case o.password && o.identity != "":
		return r, usageError("give either --identity or --password")
	case o.password:
		if r.Password, err = secret("Password"); err == nil && r.Password == "" {
			err = usageError("no password was given")
		}
	case o.identity != "":
		var key []byte
		if key, err = os.ReadFile(o.identity); err != nil {
			return r, usageError("--identity: %w", err)
		}
		r.Key = string(key)
		if locked(key) {
			r.Passphrase, err = secret("Passphrase of " + o.identity)
		}
	}
	if a.env.Terminal != nil && (command == "" || o.tty) {
		size, sizeErr := a.env.Terminal.Size()
		if sizeErr != nil {
			return r, fmt.Errorf("find out the size of the terminal: %w", sizeErr)
		}
		r.Terminal = &size
	} else if o.tty {
		return r, usageError("--tty: standard input and output are no terminal")
	}
	return r, err
}

// runTerminal runs a session, in the person's terminal if it has one.
func (a *app) runTerminal(ctx context.Context, c *client.Client, k *resource.Kind, connection, name string, r api.TerminalRequest) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	streams := client.TerminalStreams{In: a.env.Stdin, Out: a.env.Stdout, Errors: a.env.Stderr}
	restore := func() error { return nil }
	defer func() { _ = restore() }() // whatever happens
	var rawErr error
	streams.Ready = func(ready api.TerminalReady) {
		if ready.New {
			fmt.Fprintf(a.env.Stderr, "The host key of %s is recorded now, at the first login: %s\n", ready.Address, ready.HostKey.Fingerprint)
		}
		if r.Terminal == nil {
			return
		}
		back, err := a.env.Terminal.Raw()
		if err != nil {
			rawErr = fmt.Errorf("prepare the terminal: %w", err)
			end(rawErr)
			return
		}
		restore = back
	}
	if r.Terminal != nil {
		streams.In = &escapable{Reader: a.env.Stdin, start: true, end: func() { end(errEscaped) }}
		streams.Resize = a.sizes(ctx)
	}
	ended, err := c.Terminal(ctx, k.Name, connection, name, r, streams)
	if back := restore(); back != nil {
		err = errors.Join(err, fmt.Errorf("restore the terminal: %w", back))
	}
	restore = func() error { return nil }
	switch {
	case errors.Is(err, errEscaped):
		fmt.Fprintln(a.env.Stderr, "\nThe session was ended.")
		return &exitError{exitNoSession, errSilent}
	case err != nil && ctx.Err() != nil && rawErr == nil: // Ctrl-C
		return err
	case err != nil:
		return &exitError{exitNoSession, err}
	case ended.Reason != api.EndExit:
		return &fieldError{&exitError{exitNoSession, ended.Error}, sshFlag}
	case ended.ExitCode != 0:
		return &exitError{ended.ExitCode, errSilent}
	}
	return nil
}

// sizes are those that the person's terminal has from now on.
func (a *app) sizes(ctx context.Context) <-chan api.TerminalSize {
	sizes := make(chan api.TerminalSize)
	resized := a.env.Terminal.Resized(ctx)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-resized:
			}
			size, err := a.env.Terminal.Size()
			if err != nil {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case sizes <- size:
			}
		}
	}()
	return sizes
}

// errSilent is the error of a command that has said itself what was wrong, and
// errEscaped that a person ended a session that does not react.
var (
	errSilent  = errors.New("the command failed")
	errEscaped = errors.New("escaped")
)

// sshFlag is the flag of a field of the request.
func sshFlag(field string) string {
	switch field {
	case "key":
		return "--identity"
	case "user", "port", "address", "password":
		return "--" + field
	}
	return ""
}

// locked reports whether a private key needs a passphrase.
func locked(key []byte) bool {
	_, err := ssh.ParseRawPrivateKey(key)
	_, is := errors.AsType[*ssh.PassphraseMissingError](err)
	return is
}

// escapable is the input of a terminal. ~. at the start of a line ends it, ~~ is a
// tilde, as with ssh.
type escapable struct {
	io.Reader
	end   func()
	start bool // of a line
	tilde bool // was read there, and is held back
}

func (e *escapable) Read(p []byte) (int, error) {
	if len(p) < 2 { // what was held back may come with a byte
		return 0, io.ErrShortBuffer
	}
	raw := make([]byte, len(p)-1)
	n, err := e.Reader.Read(raw)
	out := p[:0]
	for _, b := range raw[:n] {
		switch {
		case e.tilde && b == '.':
			e.end()
			return 0, io.EOF
		case e.tilde && b != '~':
			out = append(out, '~')
		case e.start && !e.tilde && b == '~':
			e.tilde = true
			continue
		}
		out = append(out, b)
		e.start, e.tilde = b == '\r' || b == '\n', false
	}
	return len(out), err
}

// hostKeysCommand shows or forgets by what a resource's SSH server is known.
func (a *app) hostKeysCommand(k *resource.Kind) *cobra.Command {
	var (
		connection string
		forget     bool
		out        format
	)
	cmd := &cobra.Command{
		Use: "hostkeys NAME", Args: oneName, ValidArgsFunction: a.completeNames(k.Name, 1),
		Short: "Show the host keys of a " + word(k) + "'s SSH server, or forget them",
		Long: "Shows the host keys that were recorded at the first login by SSH. No others are accepted.\n\n" +
			"--forget has the next login record the one that it sees. Do this only if you know that\nthe machine was set up anew.",
		Example: fmt.Sprintf("  mcic %[1]s hostkeys my-%[1]s -c %[2]s\n  mcic %[1]s hostkeys my-%[1]s -c %[2]s --forget", k.Name, sampleConnection),
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&forget, "forget", false, "forget them")
	a.addConnection(cmd, &connection)
	addOutput(cmd, &out)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, connection, err := a.openIn(cmd.Context(), connection)
		if err != nil {
			return err
		}
		if forget {
			return c.ForgetHostKeys(cmd.Context(), k.Name, connection, args[0])
		}
		keys, err := c.HostKeys(cmd.Context(), k.Name, connection, args[0])
		if err != nil {
			return err
		}
		return printItems(a, out, keys, "nobody has logged in yet", func(h api.HostKey) string { return h.Fingerprint }, []column[api.HostKey]{
			{"PORT", func(h api.HostKey) string { return fmt.Sprint(h.Port) }},
			{"TYPE", func(h api.HostKey) string { return strings.Fields(h.Key)[0] }},
			{"FINGERPRINT", func(h api.HostKey) string { return h.Fingerprint }},
			{"BY", func(h api.HostKey) string { return h.By }},
			{"SINCE", func(h api.HostKey) string { return h.SeenAt.Local().Format(time.DateTime) }},
		})
	}
	return cmd
}
