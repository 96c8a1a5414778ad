package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// requirePython is the environment variable that makes missing parts of Python a
// failure instead of a skip.
const requirePython = "MCIC_REQUIRE_PYTHON_GRPC"

// buildJar makes the driver of the tutorial that is written in Python.
func buildJar(t *testing.T) (dir, target string) {
	t.Helper()
	missing := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import grpc, google.protobuf").Run()
	if missing == nil {
		_, missing = exec.LookPath("protoc")
	}
	if missing != nil {
		if os.Getenv(requirePython) != "" {
			t.Fatalf("gRPC for Python is required here (Debian: python3-grpcio, protobuf-compiler): %v", missing)
		}
		t.Skipf("SKIPPED, NO DRIVER IN PYTHON IS TESTED: install Debian's python3-grpcio and protobuf-compiler: %v", missing)
	}
	source, err := filepath.Abs("../../docs/tutorial/mcic-driver-jar")
	require.NoError(t, err)
	dir = t.TempDir()
	out, err := exec.CommandContext(t.Context(), filepath.Join(source, "build.sh"), dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir, filepath.Join(source, "target.yaml")
}

// A driver that shares no code with us, in another language, is a driver like any
// other: it passes the suite, is packed, signed, published, installed and upgraded.
func TestADriverInPythonIsADriver(t *testing.T) {
	dir, target := buildJar(t)
	w := newWorld(t)
	out := w.do("driver conformance %s --target %s", filepath.Join(dir, "mcic-driver-jar"), target)
	count := regexp.MustCompile(`jar against a file: (\d+) passed, 0 failed, 0 deviate`).FindStringSubmatch(out)
	require.NotNil(t, count, "%s", out)
	passed, err := strconv.Atoi(count[1])
	require.NoError(t, err)
	assert.GreaterOrEqual(t, passed, 25, "the suite left out most of its checks:\n%s", out)

	m := newTeam(w)
	publish := func(version string) {
		w.do("driver package --build %s=%s --to %s", platform(), dir, m.dist)
		w.do("driver publish jar:%s --from %s --to %s --plain-http --password-file %s --key %s", version, m.dist, m.url, m.token, m.key)
	}
	publish("0.1.0")
	w.do("driver install jar")
	w.do("credential create key --cloud jar --set token=jar-1")
	assert.Contains(t, w.fails(2, "connection create j --cloud jar --credential key --region cupboard"), "there is: shelf")
	w.do("connection create j --cloud jar --credential key --region shelf")
	w.do("vpc create vpc1 -c j --cidr 10.0.0.0/16 --wait")

	program := filepath.Join(dir, "mcic-driver-jar")
	source, err := os.ReadFile(program)
	require.NoError(t, err)
	source = regexp.MustCompile(`"version": "0\.1\.0"`).ReplaceAll(source, []byte(`"version": "0.2.0"`))
	require.NoError(t, os.WriteFile(program, source, 0o700))
	publish("0.2.0")
	w.do("driver upgrade jar")
	assert.Equal(t, "0.2.0", read[driver.Description](w, "driver get jar").Version)
	type vpc = resource.Envelope[resource.VPCSpec, resource.VPCStatus]
	assert.Equal(t, "sealed", read[vpc](w, "vpc get vpc1 -c j").CloudState)
	w.do("driver verify jar") // it has written nothing into its own folder
	w.do("vpc delete vpc1 -c j --wait")
	w.do("connection delete j")
	w.do("driver remove jar")
}
