package proto

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Drivers that were built against a version of the protocol must work with every
// later server that still speaks it. So a version is never edited: frozen.sum records
// each file, in the format of sha256sum.
func TestProtocolVersionsAreFrozen(t *testing.T) {
	f, err := os.Open("frozen.sum")
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
			"%s is not as it was recorded. A version of the protocol that drivers were built against is never edited: make a new one beside it, driver/v2, and serve both (docs/driver-protocol.md, Versions). A new file is recorded once, with: cd proto && sha256sum driver/v*/*.proto >frozen.sum", name)
		delete(frozen, name)
	}
	assert.Empty(t, frozen, "a version of the protocol is gone; drivers that speak it would end")
}
