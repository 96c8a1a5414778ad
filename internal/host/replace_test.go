package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// pack makes a package whose program plays a role.
func pack(t *testing.T, mode, version string) host.Package {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "mcic-driver-toy")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec "+self+" "+mode+"\n"), 0o700))
	return host.Package{Path: path, Version: version, Digest: "sha256:" + mode, Check: func() error { return nil }}
}

func version(t *testing.T, h *host.Host) string {
	t.Helper()
	d, err := h.Describe(t.Context(), "toy")
	require.NoError(t, err)
	return d.Version
}

func TestAnUpgradeFailsNoCall(t *testing.T) {
	for _, state := range []string{"", "-state"} {
		t.Run("toy"+state, func(t *testing.T) {
			h := newHost(t, nil)
			s := h.Session(target("toy", "r"))
			_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@1.0.1"+state, "1.0.1"))
			require.NoError(t, err)

			var calls, failed atomic.Int64
			stop := make(chan struct{})
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						calls.Add(1)
						if _, err := s.Get(t.Context(), "vpc", "x"); err != nil {
							failed.Add(1)
							t.Error(err)
						}
					}
				})
			}
			pids := map[int]bool{}
			for i, v := range []string{"1.1.0", "1.2.0", "1.1.0", "1.3.0"} {
				before := calls.Load()
				_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@"+v+state, v))
				require.NoError(t, err)
				assert.Equal(t, v, version(t, h))
				require.Eventually(t, func() bool { return calls.Load() > before+50 }, 10*time.Second, time.Millisecond)
				pids[pid(t, s)] = true
				assert.Len(t, pids, i+1)
			}
			close(stop)
			group.Wait()
			assert.Zero(t, failed.Load(), "of %d calls", calls.Load())
			delete(pids, pid(t, s))
			for old := range pids {
				gone(t, old)
			}
		})
	}
}

func TestRunningCallsEndInTheOldProcess(t *testing.T) {
	work := t.TempDir()
	h := newHost(t, func(c *host.Config) { c.WorkDir = work })
	s := h.Session(target("toy", "r"))
	before := pid(t, s)
	old := make(chan string, 1)
	go func() {
		item, err := s.Get(t.Context(), "vpc", "pause")
		if err != nil {
			item.Name = err.Error()
		}
		old <- item.Name
	}()
	require.Eventually(t, func() bool { return h.Calls("toy") == 1 }, 5*time.Second, time.Millisecond)
	_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@2.0.0", "2.0.0"))
	require.NoError(t, err)
	assert.NotEqual(t, before, pid(t, s), "new calls do not wait for it")
	require.NoError(t, syscall.Kill(before, 0), "it has a call to end")
	require.NoError(t, os.WriteFile(filepath.Join(work, "toy", "go on"), nil, 0o600))
	assert.Equal(t, strconv.Itoa(before), <-old)
	gone(t, before)
}

func TestADriverWithStateIsNeverThereTwice(t *testing.T) {
	work := t.TempDir()
	h := newHost(t, func(c *host.Config) { c.WorkDir = work })
	_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@1.0.0-state", "1.0.0"))
	require.NoError(t, err)
	s := h.Session(target("toy", "r"))
	before := pid(t, s)
	paused := make(chan error, 1)
	go func() {
		_, err := s.Get(t.Context(), "vpc", "pause")
		paused <- err
	}()
	require.Eventually(t, func() bool { return h.Calls("toy") == 1 }, 5*time.Second, time.Millisecond)
	upgraded := make(chan error, 1)
	go func() {
		_, err := h.UsePackage(t.Context(), "toy", pack(t, "toy@2.0.0-state", "2.0.0"))
		upgraded <- err
	}()
	after := make(chan bool, 1)
	require.Eventually(t, func() bool { return h.Moving("toy") }, 10*time.Second, time.Millisecond)
	go func() {
		_, err := s.Get(t.Context(), "vpc", "x")
		after <- err == nil && errors.Is(syscall.Kill(before, 0), syscall.ESRCH)
	}()
	select {
	case err := <-upgraded:
		t.Fatalf("the upgrade did not wait for the running call: %v", err)
	case <-after:
		t.Fatal("a call reached the new process while the old one was working")
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, os.WriteFile(filepath.Join(work, "toy", "go on"), nil, 0o600))
	require.NoError(t, <-paused)
	require.NoError(t, <-upgraded)
	assert.True(t, <-after, "the old process has ended before the first call to the new one")
}

func TestAFailedUpgradeChangesNothing(t *testing.T) {
	h := newHost(t, func(c *host.Config) { c.StartTimeout = 2 * time.Second })
	s := h.Session(target("toy", "r"))
	before := pid(t, s)
	altered := pack(t, "toy@2.0.0", "2.0.0")
	altered.Check = func() error { return resource.Errorf(resource.CodeDenied, "the files were altered") }
	for what, p := range map[string]struct {
		pack host.Package
		code resource.Code
		says string
	}{
		"never shakes hands":     {pack(t, "silent", "2.0.0"), resource.CodeUnavailable, "timeout"},
		"ends at once":           {pack(t, "exits", "2.0.0"), resource.CodeUnavailable, ""},
		"is no driver":           {pack(t, "babbles", "2.0.0"), resource.CodeUnavailable, ""},
		"speaks a future":        {pack(t, "future", "2.0.0"), resource.CodeUnsupported, "this server, which speaks 1"},
		"is another version":     {pack(t, "toy@2.0.1", "2.0.0"), resource.CodeInvalid, "2.0.1"},
		"is another cloud":       {pack(t, "other@2.0.0", "2.0.0"), resource.CodeInternal, "other"},
		"was altered":            {altered, resource.CodeDenied, "altered"},
		"has no such executable": {host.Package{Path: "/does/not/exist", Version: "2.0.0", Digest: "x"}, resource.CodeUnavailable, "no such file"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := h.UsePackage(t.Context(), "toy", p.pack)
			assert.Equal(t, p.code, resource.CodeOf(err), "%v", err)
			assert.ErrorContains(t, err, p.says)
			assert.Equal(t, before, pid(t, s), "the old one goes on")
		})
	}
	for _, role := range []string{"silent", "babbles", "future", "toy@2.0.1", "other@2.0.0"} {
		require.Eventually(t, func() bool { return !running(t, role) }, 5*time.Second, 10*time.Millisecond, role)
	}
}

func TestPackagesGoBeforeFoldersAndAfterOverrides(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	put := func(mode string) string {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mcic-driver-toy"), []byte("#!/bin/sh\nexec "+self+" "+mode+"\n"), 0o700))
		return dir
	}
	h := newHost(t, func(c *host.Config) { c.Dirs = []string{put("toy@1.0.1")} })
	assert.Equal(t, "1.0.1", version(t, h))
	_, err = h.UsePackage(t.Context(), "toy", pack(t, "toy@2.0.0", "2.0.0"))
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", version(t, h))
	old := pid(t, h.Session(target("toy", "r")))
	require.NoError(t, h.DropPackage(t.Context(), "toy"))
	assert.Equal(t, "1.0.1", version(t, h))
	gone(t, old)

	h = newHost(t, func(c *host.Config) { c.Override = []string{put("toy@3.0.0")} })
	h.SetPackage("toy", pack(t, "toy@2.0.0", "2.0.0"))
	assert.Equal(t, "3.0.0", version(t, h))
	_, err = h.UsePackage(t.Context(), "toy", pack(t, "toy@2.1.0", "2.1.0"))
	require.NoError(t, err)
	assert.Equal(t, "3.0.0", version(t, h))
}

func TestAnAlteredPackageIsNotStarted(t *testing.T) {
	h := newHost(t, nil)
	p := pack(t, "toy@2.0.0", "2.0.0")
	p.Check = func() error { return resource.Errorf(resource.CodeDenied, "the files were altered") }
	h.SetPackage("toy", p)
	_, err := h.Session(target("toy", "r")).Get(t.Context(), "vpc", "x")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.False(t, running(t, "toy@2.0.0"))
}
