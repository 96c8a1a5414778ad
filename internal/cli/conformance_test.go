package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/mock"
)

// TestMain makes the test's own executable a driver when it is started as one.
func TestMain(m *testing.M) {
	if handshake := driver.Handshake(); os.Getenv(handshake.MagicCookieKey) == handshake.MagicCookieValue {
		driver.ServeArgs(mock.New(), nil)
		return
	}
	m.Run()
}

const mockTarget = `
against: the Mock cloud
type: simulator
config:
  credential: {account: one, password: "${MOCK_PASSWORD}"}
  region: mock-seoul
image: img-8d4534584b66b71ac
machine: std3.large
othermachine: std3.xlarge
pagesize: pageSize
settle: 5s
specs:
  cluster: {vpc: vpc, subnets: [subnet], version: "1.33", nodeGroups: [{name: first, spec: std3.large}]}
  database: {engine: mysql, spec: db-burst.micro, vpc: vpc}
  broker: {engine: rabbitmq, spec: std3.large, vpc: vpc}
params:
  cluster/upgrade: {version: "1.34"}
deviations: deviations.yaml
`

const mockDeviations = `
connection/connect/wrong-password: every password is taken
`

func TestDriverConformance(t *testing.T) {
	t.Setenv("MOCK_PASSWORD", "open-sesame")
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	target, deviations, report := filepath.Join(dir, "target.yaml"), filepath.Join(dir, "deviations.yaml"), filepath.Join(dir, "report.json")
	require.NoError(t, os.WriteFile(target, []byte(mockTarget), 0o600))
	require.NoError(t, os.WriteFile(deviations, []byte(mockDeviations), 0o600))
	s := newShell(t, nil)
	code := s.args("driver", "conformance", exe, "--target", target, "--report", report)
	require.Equal(t, exitOK, code, "%s%s", s.out, s.err)
	assert.Contains(t, s.out.String(), "passed    vm/create/same-token-after-crash")
	assert.Contains(t, s.out.String(), "deviates  connection/connect/wrong-password")
	assert.Regexp(t, `mock against the Mock cloud: \d+ passed, 0 failed, 1 deviate, \d+ skipped`, s.out.String())
	raw, err := os.ReadFile(report)
	require.NoError(t, err)
	var r driver.Report
	require.NoError(t, json.Unmarshal(raw, &r))
	assert.Equal(t, driver.Passed, r.Checks["vm/create/life"].Outcome)

	require.NoError(t, os.WriteFile(deviations, []byte("vpc/create/life: was otherwise once\n"), 0o600))
	assert.NotEqual(t, exitOK, s.args("driver", "conformance", exe, "--target", target))
	assert.Contains(t, s.out.String(), "failed    connection/connect/wrong-password")
	assert.Contains(t, s.err.String(), "vpc/create/life does not deviate any more")

	for saying, args := range map[string][]string{
		"which target?":     {exe},
		"which driver?":     {"--target", target},
		"read the target":   {exe, "--target", deviations},
		"start the driver ": {"/bin/true", "--target", target},
	} {
		require.NoError(t, os.WriteFile(deviations, []byte("vpc/create/life: was otherwise once\n"), 0o600))
		assert.NotEqual(t, exitOK, s.args(append([]string{"driver", "conformance"}, args...)...))
		assert.Contains(t, s.err.String(), saying)
	}
}
