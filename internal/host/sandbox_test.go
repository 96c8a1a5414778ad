package host_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// probe has a driver try something and answers what came of it.
func probe(what, path string) (vpc, error) {
	found := "ok"
	switch what {
	case "read":
		if _, err := os.ReadFile(path); err != nil {
			found = err.Error()
		}
	case "write":
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			found = err.Error()
		}
	case "memory":
		kept := make([][]byte, 0, 64)
		for range 64 {
			kept = append(kept, bytes.Repeat([]byte{1}, 8<<20))
		}
		found = strconv.Itoa(len(kept))
	case "files":
		var kept []*os.File
		for range 200 {
			f, err := os.Open(os.DevNull)
			if err != nil {
				found = err.Error()
				break
			}
			kept = append(kept, f)
		}
		for _, f := range kept {
			_ = f.Close()
		}
	case "descriptors":
		for fd := range 256 {
			if to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
				found += " " + to
			}
		}
	}
	return vpc{ID: what, CloudState: found, State: resource.StateAvailable}, nil
}

// tries has the driver of a host try something.
func tries(t *testing.T, h *host.Host, what, path string) (string, error) {
	t.Helper()
	x := host.Target{Connection: "c-" + what + path, Revision: "1", Cloud: "toy", Config: func(context.Context) (driver.Config, error) {
		return driver.Config{Region: "r", Zone: path}, nil
	}}
	item, err := h.Session(x).Get(t.Context(), "vpc", what)
	return item.CloudState, err
}

func confined(t *testing.T, data string, change func(*host.Sandbox)) *host.Host {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, NOT TESTED: only Linux confines drivers")
	}
	return newHost(t, func(c *host.Config) {
		c.WorkDir, c.SocketDir = filepath.Join(data, "work"), filepath.Join(data, "run")
		require.NoError(t, os.MkdirAll(c.SocketDir, 0o700))
		c.Sandbox.Mode = host.SandboxRequire
		if change != nil {
			change(&c.Sandbox)
		}
	})
}

func TestADriverCannotReadTheServersFiles(t *testing.T) {
	data := t.TempDir()
	for _, name := range []string{"token", "master.key", "mcic.db", "readable.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(data, name), []byte("secret"), 0o600))
	}
	other := filepath.Join(data, "work", "other", "cloud.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(other), 0o700))
	require.NoError(t, os.WriteFile(other, []byte("secret"), 0o600))
	held, err := os.Open(filepath.Join(data, "token")) // as the server holds files open
	require.NoError(t, err)
	t.Cleanup(func() { _ = held.Close() })
	h := confined(t, data, func(s *host.Sandbox) { s.Readable = []string{filepath.Join(data, "readable.pem")} })
	for _, path := range []string{
		filepath.Join(data, "token"), filepath.Join(data, "master.key"), filepath.Join(data, "mcic.db"), other,
		fmt.Sprintf("/proc/%d/environ", os.Getpid()), fmt.Sprintf("/proc/%d/mem", os.Getpid()), "/etc/shadow",
	} {
		got, err := tries(t, h, "read", path)
		require.NoError(t, err)
		assert.Contains(t, got, "permission denied", path)
	}
	for _, path := range []string{filepath.Join(data, "token"), filepath.Join(data, "new"), "/tmp/mcic-new", other} {
		got, err := tries(t, h, "write", path)
		require.NoError(t, err)
		assert.Contains(t, got, "permission denied", path)
	}
	for what, path := range map[string]string{"read": filepath.Join(data, "readable.pem"), "write": "own-file"} {
		got, err := tries(t, h, what, path)
		require.NoError(t, err)
		assert.Equal(t, "ok", got, path)
	}
	got, err := tries(t, h, "descriptors", "")
	require.NoError(t, err)
	assert.NotContains(t, got, data+"/token", "it inherits no file of the server's")
	assert.Contains(t, got, "pipe:", "its own are seen")
	h.Close()
}

// A driver that is confined still ends with the server, and is started again.
func TestAConfinedDriverLivesAndEndsLikeAnyOther(t *testing.T) {
	h := confined(t, t.TempDir(), func(s *host.Sandbox) { s.Mode = host.SandboxAuto })
	s := h.Session(target("toy", "r"))
	before := pid(t, s)
	require.NoError(t, syscall.Kill(before, syscall.SIGKILL))
	gone(t, before)
	var after int
	require.Eventually(t, func() bool {
		item, err := s.Get(t.Context(), "vpc", "x")
		after, _ = strconv.Atoi(item.Name)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	h.Close()
	gone(t, after)
}

func TestADriverHasLimits(t *testing.T) {
	h := confined(t, t.TempDir(), func(s *host.Sandbox) {
		s.OpenFiles = 64
		if !raceDetector {
			s.Memory = 256 << 20
		}
	})
	got, err := tries(t, h, "files", "")
	require.NoError(t, err)
	assert.Contains(t, got, "too many open files")
	if raceDetector {
		return
	}
	_, err = tries(t, h, "memory", "")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "it ends for want of memory: %v", err)
	_, err = tries(t, h, "files", "")
	assert.NoError(t, err, "and is started again")
}
