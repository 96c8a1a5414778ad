package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A function that finds methods by names that are known only when it runs, such as a template,
// has the linker keep every method of every type: a tenth of the server (docs/performance.md).
func TestNothingKeepsMethodsThatNobodyCalls(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-dumpdep", "-o", filepath.Join(t.TempDir(), "mcic"), "../../cmd/mcic")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err)
	lines := strings.Split(string(out), "\n")
	assert.Greater(t, len(lines), 1000, "the linker says what depends on what")
	for _, line := range lines {
		assert.NotContains(t, line, "<ReflectMethod>")
	}
}
