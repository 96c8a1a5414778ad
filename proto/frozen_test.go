package proto

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Drivers that were built against a version of the protocol must work with every
// later server that still speaks it. So a version that was released is never edited:
// frozen.sum records each file, in the format of sha256sum.
func TestProtocolVersionsAreFrozen(t *testing.T) {
	f, err := os.Open("frozen.sum")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no version of the protocol is frozen yet")
	}
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	frozen := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		require.True(t, ok, lines.Text())
		frozen[name] = sum
	}
	files, err := filepath.Glob("driver/v*/*.proto")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		sum := sha256.Sum256(raw)
		assert.Equal(t, frozen[name], hex.EncodeToString(sum[:]),
			"%s is not as it was recorded. A version of the protocol that drivers were built against is never edited: make a new one beside it, driver/v2, and serve both (docs/driver-protocol.md, Versions). A new file is recorded once, with: cd proto && sha256sum driver/v*/*.proto >frozen.sum && go tool -modfile=../tools/go.mod buf build .. --exclude-source-info -o frozen.json", name)
		delete(frozen, name)
	}
	assert.Empty(t, frozen, "a version of the protocol is gone; drivers that speak it would end")
}

// Once a version is frozen, frozen.json is the same as buf reads it, and make lint compares
// the files with it; here it is seen that this finds what would break a driver.
func TestWhatWouldBreakADriverIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	frozen := filepath.Join(t.TempDir(), "frozen.json")
	build := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "buf", "build", ".", "--exclude-source-info", "-o", frozen)
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	source, err := os.ReadFile("driver/v1/driver.proto")
	require.NoError(t, err)
	config, err := os.ReadFile("../buf.yaml")
	require.NoError(t, err)
	breaking := func(source []byte) (string, error) {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "proto", "driver", "v1"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "buf.yaml"), config, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "proto", "driver", "v1", "driver.proto"), source, 0o600))
		cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "buf", "breaking", dir, "--against", frozen)
		cmd.Dir = ".."
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	same, err := breaking(source)
	require.NoError(t, err, "%s", same)
	for was, is := range map[string]string{
		"string region = 2;": "string region = 5;",
		"  rpc Native(NativeRequest) returns (NativeResponse);\n": "",
		"bool unknown_session = 7;":                               "string unknown_session = 7;",
	} {
		require.Contains(t, string(source), was)
		found, err := breaking(bytes.Replace(source, []byte(was), []byte(is), 1))
		require.Error(t, err, "%q in the place of %q is not found: %s", is, was, found)
	}
}
