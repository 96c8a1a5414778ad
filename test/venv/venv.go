// Package venv sets up pinned programs from the Python package index, for tests.
package venv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const installTimeout = 5 * time.Minute

// Python answers the interpreter of a virtual environment with what requirements pin. It is
// made once, in build/NAME-venv, whoever comes first.
func Python(ctx context.Context, name string, requirements []byte) (string, error) {
	home, unlock, err := Shared(name + "-venv")
	if err != nil {
		return "", err
	}
	defer unlock()
	dir := filepath.Join(home, fmt.Sprintf("%x", sha256.Sum256(requirements))[:16])
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	if err := os.RemoveAll(dir); err != nil { // what a crash left
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	if err := run(ctx, nil, "python3", "-m", "venv", dir); err != nil {
		return "", err
	}
	if err := run(ctx, requirements, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", "/dev/stdin"); err != nil {
		return "", err
	}
	return python, os.WriteFile(done, nil, 0o644)
}

// Shared answers a folder in build/, which is the caller's alone until it is unlocked.
func Shared(name string) (dir string, unlock func(), err error) {
	root, err := moduleRoot()
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(root, "build", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	unlock, err = lock(filepath.Join(dir, "lock"))
	return dir, unlock, err
}

func run(ctx context.Context, stdin []byte, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, Tail(out))
	}
	return nil
}

// moduleRoot is the folder with go.mod; tests run in their package's folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = parent
	}
}

// lock waits until no other process holds the file's lock.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing ends the lock
}

// Tail is the end of a long text.
func Tail(text []byte) []byte {
	const most = 4000
	return text[max(0, len(text)-most):]
}
