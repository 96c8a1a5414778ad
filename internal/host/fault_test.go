package host_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/host"
)

// script puts a driver into a folder of its own, as a script that runs this program.
func script(t *testing.T, cloud string) (path string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "drivers", host.Prefix+cloud)
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec "+self+" "+cloud+"\n"), 0o700)) //nolint:gosec // a program
	return path
}

func TestADriverThatOthersCanChangeIsNotStarted(t *testing.T) {
	path := script(t, "toy")
	h := newHost(t, func(c *host.Config) {
		delete(c.BuiltIn, "toy")
		c.Dirs = []string{filepath.Dir(path)}
	})
	s := h.Session(target("toy", "r"))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777)) //nolint:gosec // what is tested
	_, err := s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "the driver toy is not started, as it gets credentials: "+filepath.Dir(path)+" can be written by everybody")
	_, err = s.Get(t.Context(), "vpc", "x")
	require.ErrorContains(t, err, "can be written by everybody", "also while it waits")
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o700)) //nolint:gosec // as above
	require.Eventually(t, func() bool { _, err := s.Get(t.Context(), "vpc", "x"); return err == nil }, 10*time.Second, 10*time.Millisecond)
	assert.NotZero(t, pid(t, s))
}
