// Package schemathesis asks a server for everything that its OpenAPI document says that it
// takes, and for what it does not, with the tool of that name.
// https://schemathesis.readthedocs.io/
package schemathesis

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/venv"
)

// EnvRequire makes tests fail rather than be skipped when it cannot be set up.
const EnvRequire = "MCIC_REQUIRE_SCHEMATHESIS"

//go:embed requirements.txt
var requirements []byte

//go:embed hooks.py
var hooks []byte

// Tool is an installed Schemathesis.
type Tool struct{ program, hooks string }

// Setup installs it once, and prepares it in a folder of the test.
func Setup(ctx context.Context, dir string) (Tool, error) {
	python, err := venv.Python(ctx, "schemathesis", requirements)
	if err != nil {
		return Tool{}, err
	}
	t := Tool{program: filepath.Join(filepath.Dir(python), "schemathesis"), hooks: filepath.Join(dir, "hooks.py")}
	return t, os.WriteFile(t.hooks, hooks, 0o600)
}

// startAndEnd is how long it takes beside what it asks.
const startAndEnd = 2 * time.Minute

// Run asks the server at an address with a token, for as long as is given, and answers what
// it says. It fails if the server's answers are not what its document says. The answers that
// are right for valid requests depend on what there is, so that they are not judged. Left out
// are the stream of events, which has no end, and the deletion of everything at once, after
// which there is nothing to ask about.
func (t Tool) Run(ctx context.Context, address, token string, lasting time.Duration, seed int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lasting+startAndEnd)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.program, "run", address+"/openapi.json",
		"--header", "Authorization: Bearer "+token, "--exclude-path-regex", "^/v1/events$|:destroy$",
		"--exclude-checks", "positive_data_acceptance", "--continue-on-failure",
		"--max-time", fmt.Sprint(int(lasting.Seconds())), "--request-timeout", "30", "--workers", "1", "--seed", fmt.Sprint(seed),
		"--suppress-health-check", "all", "--warnings", "off", "--no-color") // which are about how fast it makes up requests
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+t.hooks, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Dir = filepath.Dir(t.hooks)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Said shortens what Run answers to what a test can show: its lines can be longer than that.
func Said(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		lines[i] = line[:min(len(line), longest)]
	}
	return strings.Join(lines, "\n")
}

const longest = 1000 // characters of a line
