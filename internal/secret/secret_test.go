package secret_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
)

func newKey(t *testing.T) *secret.Key {
	t.Helper()
	k, err := secret.NewKey()
	require.NoError(t, err)
	return k
}

// keyFile is a file with a key.
func keyFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.key")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestWhatIsSealedComesBack(t *testing.T) {
	key := newKey(t)
	again, err := secret.ReadKey(keyFile(t, string(key.Text())+"\n"))
	require.NoError(t, err)
	assert.Equal(t, key.ID(), again.ID())
	s := secret.NewSealer(key, nil)
	for _, value := range []string{"", "top-secret-1", string(make([]byte, 100_000))} {
		sealed, err := s.Seal([]byte(value), "row/1")
		require.NoError(t, err)
		twice, err := s.Seal([]byte(value), "row/1")
		require.NoError(t, err)
		assert.NotEqual(t, sealed, twice, "the same value looks different each time")
		if value != "" {
			assert.NotContains(t, string(sealed), value)
		}
		assert.Equal(t, key.ID(), secret.KeyID(sealed))
		assert.True(t, bytes.HasPrefix(sealed, secret.Prefix(key.ID())))
		for _, sealer := range []*secret.Sealer{s, secret.NewSealer(again, nil)} {
			back, err := sealer.Unseal(t.Context(), sealed, "row/1")
			require.NoError(t, err)
			assert.Equal(t, value, string(back))
		}
	}
}

func TestOnlyTheRightRowAndKeyUnseal(t *testing.T) {
	s := secret.NewSealer(newKey(t), nil)
	const value = "top-secret-1"
	sealed, err := s.Seal([]byte(value), "row/1")
	require.NoError(t, err)
	fails := func(s *secret.Sealer, sealed []byte, identity, what string) {
		t.Helper()
		got, err := s.Unseal(t.Context(), sealed, identity)
		require.ErrorContains(t, err, identity, what)
		assert.Empty(t, got, what)
		assert.NotContains(t, err.Error(), value)
	}
	for _, identity := range []string{"row/2", "row/1 ", "", "row/10"} {
		fails(s, sealed, identity, "identity "+identity)
	}
	fails(secret.NewSealer(newKey(t), nil), sealed, "row/1", "another key")
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1
		fails(s, changed, "row/1", fmt.Sprintf("byte %d changed", i))
		fails(s, sealed[:i], "row/1", fmt.Sprintf("cut at %d", i))
	}
	fails(s, append(append([]byte(nil), sealed...), 0), "row/1", "longer")
	fails(s, nil, "row/1", "nothing")
}

func TestAKeyThatIsNotKnownIsAskedFor(t *testing.T) {
	old, next := newKey(t), newKey(t)
	sealed, err := next.Seal([]byte("x"), "row/1")
	require.NoError(t, err)
	var s *secret.Sealer
	asked, broken := 0, errors.New("no database")
	s = secret.NewSealer(old, func(context.Context) error {
		if asked++; asked == 1 {
			return broken
		}
		s.Use(&secret.Ring{Current: next, Other: old})
		return nil
	})
	_, err = s.Unseal(t.Context(), sealed, "row/1")
	require.ErrorIs(t, err, broken)
	for range 2 {
		back, err := s.Unseal(t.Context(), sealed, "row/1")
		require.NoError(t, err)
		assert.Equal(t, "x", string(back))
	}
	assert.Equal(t, 2, asked, "what is known is not asked for")
	again, err := s.Seal([]byte("y"), "row/1")
	require.NoError(t, err)
	assert.Equal(t, next.ID(), secret.KeyID(again))
	older, err := old.Seal([]byte("z"), "row/1")
	require.NoError(t, err)
	back, err := s.Unseal(t.Context(), older, "row/1")
	require.NoError(t, err)
	assert.Equal(t, "z", string(back), "the one before opens still")
}

func TestTheKeyFileIsItsOwnersAlone(t *testing.T) {
	path := keyFile(t, string(newKey(t).Text()))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666, 0o610} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := secret.ReadKey(path)
		require.ErrorContains(t, err, "chmod 600 "+path, "mode %#o", mode)
		link := filepath.Join(t.TempDir(), "link")
		require.NoError(t, os.Symlink(path, link))
		_, err = secret.ReadKey(link)
		require.ErrorContains(t, err, "chmod 600", "what a link leads to counts")
	}
	require.NoError(t, os.Chmod(path, 0o400))
	_, err := secret.ReadKey(path)
	require.NoError(t, err)
}

func TestAKeyFileOfNoUse(t *testing.T) {
	for _, content := range []string{"top-secret-1", `{"key":[]}`, `{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"x","value":"dG9wLXNlY3JldC0x"}}]}`} {
		path := keyFile(t, content)
		_, err := secret.ReadKey(path)
		require.ErrorContains(t, err, path)
		require.NotErrorIs(t, err, secret.ErrNoKey)
		assert.NotContains(t, err.Error(), "top-secret-1")
	}
	nowhere := filepath.Join(t.TempDir(), "none", "master.key")
	dangling := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(nowhere, dangling))
	for _, path := range []string{nowhere, dangling, keyFile(t, ""), keyFile(t, " \n")} {
		_, err := secret.ReadKey(path)
		require.ErrorIs(t, err, secret.ErrNoKey)
		require.ErrorContains(t, err, path)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{t.TempDir(), pipe, "/dev/null"} {
		_, err := secret.ReadKey(path)
		require.ErrorContains(t, err, "is no file")
	}
}

func TestWriteNewLeavesWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, secret.WriteNew(path, []byte("first")))
	require.ErrorIs(t, secret.WriteNew(path, []byte("second")), fs.ErrExist)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "first", string(content))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestTokensDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token := secret.NewToken()
		assert.Regexp(t, "^[0-9a-f]{64}$", token)
		assert.False(t, seen[token])
		seen[token] = true
	}
}
