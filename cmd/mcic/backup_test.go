package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// dataFolder is what a server that has stopped leaves.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, _, err := auth.OpenToken(dir)
	require.NoError(t, err)
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	_, err = keys.Open(t.Context(), s, keys.Source{File: filepath.Join(dir, masterKeyFile)}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return dir
}

// server runs mcic server with arguments.
func server(t *testing.T, environment string, args ...string) (string, error) {
	t.Helper()
	cmd := serverCommand(t.TempDir(), func(string) string { return environment })
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func backedUp(t *testing.T, data string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	_, err := server(t, "", append([]string{"backup", file, "--data", data}, args...)...)
	require.NoError(t, err)
	return file
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestABackupIsRestored(t *testing.T) {
	data := dataFolder(t)
	for _, there := range []bool{false, true} {
		file := backedUp(t, data, "--with-master-key")
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		assert.Len(t, names(t, filepath.Dir(file)), 1, "nothing is left beside it")

		dir := filepath.Join(t.TempDir(), "a", "folder")
		if there {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "drivers"), 0o700))
			raw, err := os.ReadFile(filepath.Join(data, masterKeyFile))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, masterKeyFile), raw, 0o644), "the same key may be there")
		}
		out, err := server(t, "", "restore", file, "--data", dir)
		require.NoError(t, err)
		assert.NotContains(t, out, "missing")
		assert.Contains(t, out, "mcic server --data "+dir)
		for _, name := range []string{auth.TokenFile, masterKeyFile} {
			was, err := os.ReadFile(filepath.Join(data, name))
			require.NoError(t, err)
			is, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.Equal(t, was, is)
		}
		for _, name := range []string{auth.TokenFile, masterKeyFile, store.SQLiteFile} {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), name)
		}
		s, err := store.OpenSQLite(t.Context(), dir)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}

func TestWithoutTheMasterKeyItIsSaid(t *testing.T) {
	data := dataFolder(t)
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	out, err := server(t, "", "backup", file, "--data", data)
	require.NoError(t, err)
	assert.Contains(t, out, "The master key is not in it")
	dir := filepath.Join(t.TempDir(), "new")
	out, err = server(t, "", "restore", file, "--data", dir)
	require.NoError(t, err)
	assert.Contains(t, out, "The master key is missing")
	assert.NoFileExists(t, filepath.Join(dir, masterKeyFile))
}

func TestBackupsThatAreRefused(t *testing.T) {
	data := dataFolder(t)
	there := filepath.Join(t.TempDir(), "there")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	empty := t.TempDir()
	for _, c := range []struct {
		code resource.Code
		says string
		args []string
	}{
		{resource.CodeInvalid, "takes one file", []string{"backup"}},
		{resource.CodeInvalid, "takes one file", []string{"restore", "a", "b"}},
		{resource.CodeAlreadyExists, "--force", []string{"backup", there, "--data", data}},
		{resource.CodeNotFound, "no database", []string{"backup", "x", "--data", empty}},
		{resource.CodeUnsupported, "pg_dump", []string{"backup", "x", "--data", data, "--database-url", "postgres://secret@host/x"}},
		{resource.CodeUnsupported, "pg_restore", []string{"restore", "x", "--data", data, "--database-url", "postgres://secret@host/x"}},
		{resource.CodeInvalid, "--with-master-key", []string{"backup", "x", "--data", data, "--master-key-file", "k"}},
		{resource.CodeNotFound, "no master key", []string{"backup", filepath.Join(empty, "x"), "--data", data, "--with-master-key", "--master-key-file", filepath.Join(empty, "k")}},
		{resource.CodeNotFound, "no file", []string{"restore", filepath.Join(empty, "x"), "--data", filepath.Join(empty, "new")}},
	} {
		_, err := server(t, "", c.args...)
		require.ErrorContains(t, err, c.says, "%s", c.args)
		assert.Equal(t, c.code, resource.CodeOf(err), "%s", c.args)
		assert.NotContains(t, err.Error(), "secret@")
	}
	_, err := server(t, "postgres://host/x", "backup", "x", "--data", data)
	require.ErrorContains(t, err, "pg_dump")
	assert.Empty(t, names(t, empty))
	raw, err := os.ReadFile(there)
	require.NoError(t, err)
	assert.Equal(t, "mine", string(raw))
	_, err = server(t, "", "backup", there, "--data", data, "--force")
	require.NoError(t, err)
	_, err = server(t, "", "restore", there, "--data", filepath.Join(empty, "new"))
	require.NoError(t, err)
}

func TestAFolderInUseIsNotRestoredInto(t *testing.T) {
	data := dataFolder(t)
	file := backedUp(t, data, "--with-master-key")
	_, err := server(t, "", "restore", file, "--data", data)
	require.ErrorContains(t, err, "is there already")
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	s, err := store.OpenSQLite(t.Context(), data)
	require.NoError(t, err)
	_, err = server(t, "", "restore", file, "--data", data)
	require.ErrorContains(t, err, "another server uses the data folder")
	require.NoError(t, s.Close())

	for _, name := range []string{auth.TokenFile, masterKeyFile} {
		other := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(other, name), []byte("another"), 0o600))
		_, err = server(t, "", "restore", file, "--data", other)
		require.ErrorContains(t, err, "differs")
		assert.ElementsMatch(t, []string{"lock", name}, names(t, other))
		raw, err := os.ReadFile(filepath.Join(other, name))
		require.NoError(t, err)
		assert.Equal(t, "another", string(raw))
	}
}

// entry is one of an archive that is made for a test.
type entry struct {
	header  tar.Header
	content string
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	out := tar.NewWriter(packed)
	for _, e := range entries {
		h := e.header
		h.Size, h.Mode = int64(len(e.content)), 0o600
		require.NoError(t, out.WriteHeader(&h))
		_, err := out.Write([]byte(e.content))
		require.NoError(t, err)
	}
	require.NoError(t, out.Close())
	require.NoError(t, packed.Close())
	return b.Bytes()
}

func TestADamagedOrForeignFileIsNotRestored(t *testing.T) {
	data := dataFolder(t)
	good, err := os.ReadFile(backedUp(t, data))
	require.NoError(t, err)
	database, err := os.ReadFile(filepath.Join(data, store.SQLiteFile))
	require.NoError(t, err)

	file := func(name, content string) entry { return entry{tar.Header{Name: name}, content} }
	describe := func(m manifest, files ...entry) entry {
		for _, f := range files {
			sum := sha256.Sum256([]byte(f.content))
			m.Files = append(m.Files, backupFile{f.header.Name, int64(len(f.content)), hex.EncodeToString(sum[:])})
		}
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		return file(manifestFile, string(raw))
	}
	ours := manifest{Format: backupFormat, Version: backupVersion}
	whole := func(m manifest, files ...entry) []byte {
		return archive(t, append([]entry{describe(m, files...)}, files...)...)
	}
	token, db := file(auth.TokenFile, "0123456789abcdef"), file(store.SQLiteFile, string(database))
	link := entry{tar.Header{Name: auth.TokenFile, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x40

	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"empty":            {nil, "no backup of mcic"},
		"text":             {[]byte("hello, this is no archive at all"), "no backup of mcic"},
		"gzip of text":     {archive(t)[:20], "no backup of mcic"},
		"empty archive":    {archive(t), "no backup of mcic"},
		"foreign archive":  {archive(t, token, db), "no backup of mcic"},
		"other manifest":   {archive(t, file(manifestFile, `{"format":"other"}`)), "no backup of mcic"},
		"large manifest":   {archive(t, file(manifestFile, strings.Repeat(" ", maxSmallFile+1))), "no backup of mcic"},
		"newer format":     {whole(manifest{Format: backupFormat, Version: backupVersion + 1}, token, db), "version 2"},
		"cut":              {good[:len(good)*2/3], "damaged"},
		"cut at its end":   {good[:len(good)-4], "damaged"},
		"flipped":          {flipped, "damaged"},
		"something behind": {append(bytes.Clone(good), "more"...), "damaged"},
		"path traversal":   {whole(ours, token, db, file("../evil", "x")), "which no backup has"},
		"absolute path":    {whole(ours, token, db, file("/tmp/evil", "x")), "which no backup has"},
		"other file":       {whole(ours, token, db, file("drivers/mcic-driver-evil", "x")), "which no backup has"},
		"twice":            {whole(ours, token, token, db), "which no backup has"},
		"large token":      {whole(ours, file(auth.TokenFile, strings.Repeat("x", maxSmallFile+1)), db), "which no backup has"},
		"no database":      {whole(ours, token), "lacks"},
		"a link":           {archive(t, describe(ours, link, db), link, db), "not what its manifest says"},
		"one too many":     {archive(t, describe(ours, token, db), token, db, file("../evil", "x")), "not in its manifest"},
		"one missing":      {archive(t, describe(ours, token, db), token), "damaged"},
		"other content":    {archive(t, describe(ours, token, db), file(auth.TokenFile, "fedcba9876543210"), db), "not what its manifest says"},
		"other size":       {archive(t, describe(ours, token, db), file(auth.TokenFile, "short"), db), "not what its manifest says"},
		"no SQLite":        {whole(ours, token, file(store.SQLiteFile, "this is not a database, whatever its name says, and long enough")), "not a database"},
		"empty database":   {whole(ours, token, file(store.SQLiteFile, "")), "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(path, c.content, 0o600))
			parent := t.TempDir()
			_, err := server(t, "", "restore", path, "--data", filepath.Join(parent, "data"))
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
			assert.Empty(t, names(t, parent), "something is left")

			_, err = server(t, "", "restore", path, "--data", parent)
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, []string{"lock"}, names(t, parent))
		})
	}
}
