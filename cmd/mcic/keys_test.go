package main

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

func keyIn(t *testing.T, path string) *secret.Key {
	t.Helper()
	key, err := secret.ReadKey(path)
	require.NoError(t, err)
	return key
}

func TestAKeyIsMadeForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	out, err := server(t, "", "keygen", path)
	require.NoError(t, err)
	key := keyIn(t, path)
	assert.Contains(t, out, key.ID())
	assert.NotContains(t, out, string(key.Text()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	_, err = server(t, "", "keygen", path)
	require.ErrorContains(t, err, "is not overwritten")
	assert.Equal(t, key.ID(), keyIn(t, path).ID())
}

// interrupted is a data folder where a change of the key was killed: after it began, or
// after the new key was put in the place of the one before.
func interrupted(t *testing.T, swapped bool) string {
	t.Helper()
	dir := dataFolder(t)
	file := filepath.Join(dir, masterKeyFile)
	s, err := store.OpenBeside(t.Context(), dir, "")
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	keeper, err := keys.Open(t.Context(), s, keys.Source{File: file}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	next, err := secret.NewKey()
	require.NoError(t, err)
	require.NoError(t, keeper.Change(t.Context(), next))
	if swapped {
		require.NoError(t, os.Link(file, keptKey(file, keeper.Given())))
		require.NoError(t, os.Remove(file))
		require.NoError(t, secret.WriteNew(file, next.Text()))
	}
	return dir
}

func TestTheKeyOfAFolderIsChangedAtOnce(t *testing.T) {
	for name, folder := range map[string]func(*testing.T) string{
		"from the beginning":                 dataFolder,
		"begun, and the new key's file lost": func(t *testing.T) string { t.Helper(); return interrupted(t, false) },
		"all but the end":                    func(t *testing.T) string { t.Helper(); return interrupted(t, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			file := filepath.Join(dir, masterKeyFile)
			out, err := server(t, "", "rekey", "--data", dir)
			require.NoError(t, err)
			key := keyIn(t, file)
			assert.Contains(t, out, "The master key is "+key.ID())
			assert.NotContains(t, out, string(key.Text()))
			kept, err := filepath.Glob(file + ".*")
			require.NoError(t, err)
			require.Len(t, kept, 1, "the key before, and nothing else")
			before := keyIn(t, kept[0])
			assert.Equal(t, keptKey(file, before), kept[0])
			assert.NotEqual(t, key.ID(), before.ID())

			out, err = server(t, "", "rekey", "--data", dir, "--finish")
			require.NoError(t, err)
			assert.Contains(t, out, "No change of the master key is under way")
			_, err = server(t, "", "rekey", "--data", dir, "--master-key-file", kept[0])
			require.ErrorContains(t, err, key.ID(), "the one before is refused")
			_, err = server(t, "", "--data", dir, "--master-key-file", kept[0], "--listen", "127.0.0.1:0")
			require.ErrorContains(t, err, key.ID(), "by the server too")
		})
	}
}

func TestTheKeyIsChangedInTwoSteps(t *testing.T) {
	dir := dataFolder(t)
	file, next := filepath.Join(dir, masterKeyFile), filepath.Join(t.TempDir(), "next")
	_, err := server(t, "", "keygen", next)
	require.NoError(t, err)
	out, err := server(t, "", "rekey", "--data", dir, "--new-master-key-command", "cat "+next)
	require.NoError(t, err)
	assert.Contains(t, out, "--finish")
	_, err = server(t, "", "rekey", "--data", dir, "--finish")
	require.ErrorContains(t, err, "still the one before")
	_, err = server(t, string(keyIn(t, file).Text()), "rekey", "--data", dir, "--master-key-command", "cat "+next, "--finish")
	require.ErrorContains(t, err, "in several ways")
	out, err = server(t, "", "rekey", "--data", dir, "--master-key-command", "cat "+next, "--finish")
	require.NoError(t, err)
	assert.Contains(t, out, "The master key is "+keyIn(t, next).ID())
}

func TestNoKeyIsMadeWhereOneIsMissing(t *testing.T) {
	dir := dataFolder(t)
	file := filepath.Join(dir, masterKeyFile)
	require.NoError(t, os.Remove(file))
	_, err := server(t, "", "rekey", "--data", dir)
	require.ErrorIs(t, err, secret.ErrNoKey)
	_, err = server(t, "", "--data", dir, "--listen", "127.0.0.1:0")
	require.ErrorContains(t, err, "No new one is made")
	assert.NoFileExists(t, file)
	_, err = server(t, "", "rekey", "--data", t.TempDir())
	require.ErrorContains(t, err, "there is no database")
}

func TestABackupIsEncryptedWithAPassphrase(t *testing.T) {
	data := dataFolder(t)
	pass := func(text string, mode fs.FileMode) string {
		path := filepath.Join(t.TempDir(), "pass")
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		require.NoError(t, os.Chmod(path, mode)) // whatever the umask of a server before
		return path
	}
	right := pass("correct horse battery\n", 0o600)
	before := names(t, data)
	file := filepath.Join(t.TempDir(), "backup.age")
	out, err := server(t, "", "backup", file, "--data", data, "--with-master-key", "--passphrase-file", right)
	require.NoError(t, err)
	assert.Contains(t, out, "It is encrypted")
	assert.Contains(t, out, "It contains the master key")
	assert.Len(t, names(t, filepath.Dir(file)), 1, "nothing is left beside it")
	assert.Equal(t, before, names(t, data), "nor in the data folder")
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(raw[:100]), ageMark)

	plain := backedUp(t, data)
	cut := filepath.Join(t.TempDir(), "cut")
	require.NoError(t, os.WriteFile(cut, raw[:len(raw)-100], 0o600))
	for _, c := range []struct{ file, passphrase, says string }{
		{file, "", "it is encrypted"},
		{file, pass("another passphrase", 0o600), "the passphrase is wrong"},
		{file, pass("short", 0o600), "shorter than"},
		{file, pass("correct horse battery", 0o644), "can be read by others"},
		{plain, right, "it is not encrypted"},
		{cut, right, "may be corrupted"},
	} {
		args := []string{"restore", c.file, "--data", filepath.Join(t.TempDir(), "new")}
		if c.passphrase != "" {
			args = append(args, "--passphrase-file", c.passphrase)
		}
		_, err := server(t, "", args...)
		require.ErrorContains(t, err, c.says)
		assert.NotContains(t, err.Error(), "correct horse")
	}
	dir := filepath.Join(t.TempDir(), "new")
	_, err = server(t, "", "restore", file, "--data", dir, "--passphrase-file", right)
	require.NoError(t, err)
	assert.Equal(t, keyIn(t, filepath.Join(data, masterKeyFile)).ID(), keyIn(t, filepath.Join(dir, masterKeyFile)).ID())
}
