package secret_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
)

func open(t *testing.T, path string) *secret.Sealer {
	t.Helper()
	s, err := secret.Open(path)
	require.NoError(t, err)
	return s
}

func keyPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "master.key")
}

func TestWhatIsSealedComesBack(t *testing.T) {
	path := keyPath(t)
	s := open(t, path)
	for _, value := range []string{"", "top-secret-1", string(make([]byte, 100_000))} {
		sealed, err := s.Seal([]byte(value), "row/1")
		require.NoError(t, err)
		again, err := s.Seal([]byte(value), "row/1")
		require.NoError(t, err)
		assert.NotEqual(t, sealed, again, "the same value looks different each time")
		if value != "" {
			assert.NotContains(t, string(sealed), value)
		}
		for _, sealer := range []*secret.Sealer{s, open(t, path)} {
			back, err := sealer.Unseal(sealed, "row/1")
			require.NoError(t, err)
			assert.Equal(t, value, string(back))
		}
	}
}

func TestOnlyTheRightRowAndKeyUnseal(t *testing.T) {
	s := open(t, keyPath(t))
	const value = "top-secret-1"
	sealed, err := s.Seal([]byte(value), "row/1")
	require.NoError(t, err)
	fails := func(s *secret.Sealer, sealed []byte, identity, what string) {
		t.Helper()
		got, err := s.Unseal(sealed, identity)
		require.ErrorContains(t, err, identity, what)
		assert.Empty(t, got, what)
		assert.NotContains(t, err.Error(), value)
	}
	for _, identity := range []string{"row/2", "row/1 ", "", "row/10"} {
		fails(s, sealed, identity, "identity "+identity)
	}
	fails(open(t, keyPath(t)), sealed, "row/1", "another key")
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1
		fails(s, changed, "row/1", fmt.Sprintf("byte %d changed", i))
		fails(s, sealed[:i], "row/1", fmt.Sprintf("cut at %d", i))
	}
	fails(s, append(append([]byte(nil), sealed...), 0), "row/1", "longer")
	fails(s, nil, "row/1", "nothing")
}

func TestTheKeyFileIsItsOwnersAlone(t *testing.T) {
	path := keyPath(t)
	open(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing else is left")

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	open(t, path)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after, "an existing key is kept")

	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o666, 0o610} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := secret.Open(path)
		require.ErrorContains(t, err, "chmod 600 "+path, "mode %#o", mode)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	open(t, path)
}

func TestAKeyFileOfNoUse(t *testing.T) {
	for _, content := range []string{"", "top-secret-1", `{"key":[]}`, `{"primaryKeyId":1,"key":[{"keyData":{"typeUrl":"x","value":"dG9wLXNlY3JldC0x"}}]}`} {
		path := keyPath(t)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := secret.Open(path)
		require.ErrorContains(t, err, path)
		assert.NotContains(t, err.Error(), "top-secret-1")
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, content, string(kept), "it is not overwritten")
	}
	_, err := secret.Open(filepath.Join(t.TempDir(), "none", "master.key"))
	require.ErrorIs(t, err, fs.ErrNotExist, "a folder is not made")
	_, err = secret.Open(t.TempDir())
	require.Error(t, err)
}

func TestServersThatStartAtOnceShareAKey(t *testing.T) {
	path := keyPath(t)
	sealers := make([]*secret.Sealer, 16)
	var group sync.WaitGroup
	for i := range sealers {
		group.Go(func() {
			s, err := secret.Open(path)
			assert.NoError(t, err)
			sealers[i] = s
		})
	}
	group.Wait()
	require.NotContains(t, sealers, (*secret.Sealer)(nil))
	sealed, err := sealers[0].Seal([]byte("x"), "row/1")
	require.NoError(t, err)
	for _, s := range sealers {
		back, err := s.Unseal(sealed, "row/1")
		require.NoError(t, err)
		assert.Equal(t, "x", string(back))
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
