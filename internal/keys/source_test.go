package keys_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
)

func TestAKeyFromEachSource(t *testing.T) {
	key := newKey(t)
	at := file(t).File
	require.NoError(t, secret.WriteNew(at, key.Text()))
	for _, from := range []keys.Source{{File: at}, text(key), {Command: `cat "$KEY"`, Env: []string{"KEY=" + at, "PATH=" + os.Getenv("PATH")}}} {
		got, err := from.Read(t.Context())
		require.NoError(t, err)
		assert.Equal(t, key.ID(), got.ID())
		assert.NotContains(t, from.String(), string(key.Text()))
	}
}

func TestACommandOfNoUse(t *testing.T) {
	key := string(newKey(t).Text())
	path := []string{"PATH=" + os.Getenv("PATH")}
	for command, says := range map[string]string{
		"true":                                            "printed nothing",
		"echo 'sealed vault' >&2; exit 3":                 "sealed vault",
		"no-such-program-of-mcic":                         "not found",
		"echo top-secret-1":                               "no master key",
		"echo '" + key + "' | head -c 60":                 "no master key",
		"yes top-secret-1 | head -c 1000000":              "no master key",
		"yes a-long-complaint | head -c 1000000 >&2; ! :": "a-long-complaint",
	} {
		_, err := keys.Source{Command: command, Env: path}.Read(t.Context())
		require.ErrorContains(t, err, says, command)
		assert.NotContains(t, err.Error(), "top-secret-1", "neither what it prints nor the command itself, which may have a token in it")
		assert.Less(t, len(err.Error()), 1500)
	}
}

func TestACommandThatHangsIsEndedWithAllThatItStarted(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := keys.Source{Command: "sleep 600 & echo $! >" + pids + "; wait", Env: []string{"PATH=" + os.Getenv("PATH")}}.Read(ctx)
	require.ErrorContains(t, err, "did not end")
	assert.Less(t, time.Since(began), 10*time.Second)
	raw, err := os.ReadFile(pids)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(state), ") Z ") // not waited for by whoever is above us
	}, 10*time.Second, 10*time.Millisecond, "it runs on")
}
