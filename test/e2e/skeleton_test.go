package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// The skeleton compiles, passes the conformance suite, and is packed, published,
// installed and used.
func TestANewDriverIsADriver(t *testing.T) {
	w := newWorld(t)
	m := newTeam(w)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	w.do("driver new pond --sources %s", root)
	dir := filepath.Join(w.home, "mcic-driver-pond")
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	for _, args := range [][]string{{"mod", "tidy"}, {"vet", "./..."}, {"test", "./..."}, {"build", "-o", "pond", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v\n%s", args, out)
	}
	w.do("driver package --build %s=%s --to %s", platform(), filepath.Join(dir, "pond"), m.dist)
	w.do("driver publish pond --from %s --to %s --plain-http --password-file %s --key %s", m.dist, m.url, m.token, m.key)
	w.do("driver install pond")
	assert.Equal(t, "0.1.0", read[driver.Description](w, "driver get pond").Version)
	w.do("credential create key --cloud pond --set token=open-sesame")
	w.do("connection create p --cloud pond --credential key --region main")
	w.do("vpc create vpc1 -c p --cidr 10.0.0.0/16 --wait")
	w.do("vpc delete vpc1 -c p --wait")
}
