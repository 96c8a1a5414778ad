// Package keys finds the master key, compares it with what the database is sealed with,
// and changes it while servers run.
package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Source is where a master key comes from: one of a file, a text and a command.
type Source struct {
	File    string
	Text    string   // from the environment
	Command string   // a line for the shell, which prints the key
	Env     []string // of the command
}

// commandPatience is how long a command may take that prints a key.
const commandPatience = 30 * time.Second

// maxSaid is how much is shown of what a command that fails says.
const maxSaid = 500

// Read reads the key. Where nothing is, the error is secret.ErrNoKey.
func (s Source) Read(ctx context.Context) (*secret.Key, error) {
	switch {
	case s.Command != "":
		return s.run(ctx)
	case s.Text != "":
		key, err := secret.ParseKey([]byte(s.Text))
		if err != nil {
			return nil, fmt.Errorf("read the master key in the environment: %w", err)
		}
		return key, nil
	default:
		return secret.ReadKey(s.File)
	}
}

// Make makes a key where there is none yet. Of two that do so at the same time both get
// that of the first one.
func (s Source) Make(ctx context.Context) (key *secret.Key, made bool, err error) {
	key, err = s.Read(ctx)
	if !errors.Is(err, secret.ErrNoKey) || s.File == "" {
		return key, false, err
	}
	if key, err = secret.NewKey(); err != nil {
		return nil, false, err
	}
	err = secret.WriteNew(s.File, key.Text())
	if errors.Is(err, fs.ErrExist) { // another one was first, or it is an empty file or a link to none
		key, err = s.Read(ctx)
		return key, false, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("write the master key: %w", err)
	}
	return key, true, nil
}

// String says where the key comes from, without any of it.
func (s Source) String() string {
	switch {
	case s.Command != "":
		return "what --master-key-command prints"
	case s.Text != "":
		return "the environment"
	default:
		return s.File
	}
}

// run has the command print the key. At the end of the patience all that it has started
// ends with it. Errors do not show the command: there may be a token in it.
func (s Source) run(ctx context.Context) (*secret.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", s.Command) //nolint:gosec // the operator gives it
	cmd.Env = s.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for what has left the group and holds the output open
	printed, said := &limited{most: secret.MaxKey}, &limited{most: maxSaid}
	cmd.Stdout, cmd.Stderr = printed, said
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, resource.Errorf(resource.CodeUnavailable, "the command that prints the master key did not end in time, which is %s; try it by hand", commandPatience)
	case err != nil:
		return nil, resource.Errorf(resource.CodeUnavailable, "the command that prints the master key failed: %w%s; try it by hand", err, said.quoted())
	}
	key, err := secret.ParseKey(printed.Bytes())
	switch {
	case errors.Is(err, secret.ErrNoKey):
		return nil, fmt.Errorf("%w: the command printed nothing%s; try it by hand", secret.ErrNoKey, said.quoted())
	case err != nil:
		return nil, fmt.Errorf("read what the command for the master key printed: %w; try it by hand", err)
	}
	return key, nil
}

// limited keeps the beginning of what is written to it.
type limited struct {
	bytes.Buffer
	most int
}

// Write takes all and keeps what there is room for.
func (l *limited) Write(p []byte) (int, error) {
	_, err := l.Buffer.Write(p[:min(len(p), l.most-l.Len())])
	return len(p), err
}

// ReadFrom is that of io.Writer alone: the one of bytes.Buffer has no limit.
func (l *limited) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l}, r)
}

func (l *limited) quoted() string {
	text := strings.TrimSpace(l.String())
	if text == "" {
		return ""
	}
	return fmt.Sprintf(", and said %q", text)
}
