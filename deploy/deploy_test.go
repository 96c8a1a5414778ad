package deploy_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The image is built from the folders that its recipe names, and from no others.
func TestTheImageHasAllThatTheProgramsAreBuiltFrom(t *testing.T) {
	recipe, err := os.ReadFile("Containerfile")
	require.NoError(t, err)
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "./cmd/...")
	list.Dir = ".."
	out, err := list.Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.NotEmpty(t, packages)
	for _, path := range packages {
		folder, _, _ := strings.Cut(strings.TrimPrefix(path, "github.com/m-cmp/mc-infra-connector/"), "/")
		assert.Contains(t, string(recipe), "\nCOPY "+folder+" "+folder+"\n", path)
	}
}
