package host_test

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestADriverThatHangsIsEnded(t *testing.T) {
	s := newHost(t, func(c *host.Config) { c.CallTimeout = 200 * time.Millisecond }).Session(target("toy", "r"))
	before := pid(t, s)
	started := time.Now()
	_, err := s.Get(t.Context(), "vpc", "hang")
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	assert.Less(t, time.Since(started), 5*time.Second)
	gone(t, before)
	assert.NotEqual(t, before, pid(t, s))
}

func TestAStoppedDriverIsEnded(t *testing.T) {
	s := newHost(t, func(c *host.Config) { c.CallTimeout = 200 * time.Millisecond }).Session(target("toy", "r"))
	before := pid(t, s)
	require.NoError(t, syscall.Kill(before, syscall.SIGSTOP))
	require.Eventually(t, func() bool { // the signal needs a moment to stop all threads
		out, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", strconv.Itoa(before)).Output()
		return err == nil && strings.HasPrefix(string(out), "T")
	}, 10*time.Second, 5*time.Millisecond)
	_, err := s.Get(t.Context(), "vpc", "x")
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	gone(t, before)
	assert.NotEqual(t, before, pid(t, s))
}

func TestASlowCloudDoesNotEndTheDriver(t *testing.T) {
	s := newHost(t, func(c *host.Config) { c.CallTimeout, c.Grace = 200*time.Millisecond, 5*time.Second }).Session(target("toy", "r"))
	before := pid(t, s)
	_, err := s.Get(t.Context(), "vpc", "slow")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Get(ctx, "vpc", "slow")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = s.Get(ctx, "vpc", "slow")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	assert.Equal(t, before, pid(t, s))
}

func TestFailedStartsLeaveNoProcess(t *testing.T) {
	for _, cloud := range []string{"exits", "babbles", "silent"} {
		t.Run(cloud, func(t *testing.T) {
			h := newHost(t, func(c *host.Config) { c.StartTimeout = 300 * time.Millisecond })
			_, err := h.Describe(t.Context(), cloud)
			require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
			require.Eventually(t, func() bool { return !running(t, cloud) }, 5*time.Second, 10*time.Millisecond)
		})
	}
}

// running reports whether a child of this process plays a role.
func running(t *testing.T, role string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "args=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		return false // ps answers 1 when there is no child
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasSuffix(strings.TrimSpace(line), " "+role) {
			return true
		}
	}
	return false
}

func TestRepeatedFailuresBackOff(t *testing.T) {
	h := newHost(t, nil)
	for range 4 {
		_, _ = h.Describe(t.Context(), "exits")
	}
	_, err := h.Describe(t.Context(), "exits")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "in a row")
}

func TestAnIdleDriverIsStopped(t *testing.T) {
	s := newHost(t, func(c *host.Config) { c.IdleTimeout = 100 * time.Millisecond }).Session(target("toy", "r"))
	before := pid(t, s)
	gone(t, before)
	assert.NotEqual(t, before, pid(t, s), "the next call starts it again, and the session with it")
}

func TestCloseLeavesNoProcess(t *testing.T) {
	h := newHost(t, nil)
	running := pid(t, h.Session(target("toy", "r")))
	h.Close()
	gone(t, running)
	_, err := h.Describe(t.Context(), "toy")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
}
