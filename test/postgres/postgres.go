// Package postgres runs a PostgreSQL of a test's own, which can be made to fail.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL, reachable through a unix socket only.
type Server struct {
	URL string // of an empty database
	Dir string // its data and its log

	bin     string
	as      *syscall.SysProcAttr
	process *exec.Cmd // nil while it is down
}

// New makes and starts one. Its folder is a short one, because the path of a
// socket is limited, and the user's that PostgreSQL runs as.
func New(ctx context.Context) (_ *Server, err error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mcic-pg-")
	if err != nil {
		return nil, err
	}
	d := &Server{bin: bin, Dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if d.as, err = unprivileged(dir); err != nil {
		return nil, err
	}
	initdb := d.program(ctx, "initdb", "-U", "mcic", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a database: %w\n%s", err, out)
	}
	d.URL = (&url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: url.Values{"host": {dir}, "user": {"mcic"}}.Encode()}).String()
	return d, d.Start(ctx)
}

func (d *Server) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, name), append([]string{"-D", filepath.Join(d.Dir, "data")}, args...)...)
	cmd.Dir, cmd.SysProcAttr = d.Dir, d.as
	return cmd
}

// Start starts it and waits until it answers.
func (d *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(d.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	d.process = d.program(context.WithoutCancel(ctx), "postgres", "-k", d.Dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	d.process.Stdout, d.process.Stderr = log, log
	if err := d.process.Start(); err != nil {
		d.process = nil
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.query(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not come up: %w; see %s", err, filepath.Join(d.Dir, "log"))
		}
	}
}

// Crash ends it at once, without a checkpoint, as a crash does; its connections and
// open transactions are lost.
func (d *Server) Crash() {
	if d.process == nil {
		return
	}
	_ = d.process.Process.Signal(syscall.SIGQUIT) // it ends its children, too
	_ = d.process.Wait()                          // not with 0
	d.process = nil
}

// Cut breaks all connections to it.
func (d *Server) Cut(ctx context.Context) error {
	return d.query(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
}

func (d *Server) query(ctx context.Context, text string) error {
	conn, err := pgx.Connect(ctx, d.URL)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, text)
	return errors.Join(err, conn.Close(ctx))
}

// Close ends it. Its folder goes unless it is to be looked at.
func (d *Server) Close(keep bool) error {
	d.Crash()
	if keep {
		return nil
	}
	return os.RemoveAll(d.Dir)
}

// Programs finds the folder of PostgreSQL's server programs.
func Programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "postgres")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb is neither on the PATH nor in /usr/lib/postgresql; install Debian's package postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged lets PostgreSQL, which refuses to run as root, run as its own user,
// in a process group of its own.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return as, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user for PostgreSQL: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, os.Chown(dir, int(uid), int(gid))
}
