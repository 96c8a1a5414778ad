package drivertest

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// conform runs the suite on a driver without trouble, which would take long.
func conform(t *testing.T, target Target) (*driver.Report, error) {
	t.Helper()
	target.Endpoint = ""                                        // without it there is no proxy
	target.Settle, target.Timeout = time.Minute, 30*time.Second // the machine may be busy
	seen := 0
	report, err := Conform(t.Context(), target, func(path string, result driver.Result, _ time.Duration) {
		if seen++; result.Outcome == driver.Failed {
			t.Logf("%s: %s", path, result.Reason)
		}
	})
	if report != nil {
		assert.Len(t, report.Checks, seen)
	}
	return report, err
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDeviations(t *testing.T) {
	target := toyTarget(t, "cuts names")
	target.Budget = ""
	report, err := conform(t, target)
	require.NoError(t, err)
	assert.Equal(t, driver.Failed, report.Checks["vpc/create/names"].Outcome)
	assert.Contains(t, report.Checks["vpc/create/names"].Reason, "is shown as")

	target.Deviations = write(t, "deviations.yaml", "'*/create/names': names have 63 characters\n")
	report, err = conform(t, target)
	require.NoError(t, err)
	assert.Equal(t, driver.Result{Outcome: driver.Deviates, Reason: "names have 63 characters"}, report.Checks["vpc/create/names"])
	assert.Equal(t, driver.Passed, report.Checks["vpc/create/life"].Outcome)

	target.Deviations = write(t, "deviations.yaml", "'*/create/names': names have 63 characters\nvpc/create/life: it did not live once\nvpc/create/lief: there is no such check\n")
	_, err = conform(t, target)
	require.ErrorContains(t, err, "vpc/create/life does not deviate any more")
	require.ErrorContains(t, err, "vpc/create/lief does not deviate any more")

	for _, wrong := range []string{"vpc/create/life:\n", "'vpc/[': x\n", "- a list\n"} {
		target.Deviations = write(t, "deviations.yaml", wrong)
		_, err = conform(t, target)
		require.Error(t, err, wrong)
	}
}

func TestReportDrifts(t *testing.T) {
	target := toyTarget(t, "")
	target.Budget, target.Report = "", filepath.Join(t.TempDir(), "conformance.json")
	_, err := conform(t, target)
	require.ErrorContains(t, err, "is not there")

	target.Update = true
	_, err = conform(t, target)
	require.NoError(t, err)
	target.Update = false
	_, err = conform(t, target)
	require.NoError(t, err, "nothing has changed")

	var recorded driver.Report
	raw, err := os.ReadFile(target.Report)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &recorded))
	delete(recorded.Checks, "vpc/create/life")
	recorded.Checks["vpc/create/death"] = driver.Result{Outcome: driver.Passed}
	require.NoError(t, writeJSON(target.Report, recorded))
	_, err = conform(t, target)
	require.ErrorContains(t, err, `vpc/create/life: the report says ""`)
	require.ErrorContains(t, err, `vpc/create/death: the report says "passed"`)

	broken := toyTarget(t, "cuts names")
	broken.Budget, broken.Report, broken.Update = "", target.Report, true
	_, err = conform(t, broken)
	require.ErrorContains(t, err, "nothing was written")
}

// A run of one kind compares with, and writes, what the files say of that kind alone.
func TestPartOfARun(t *testing.T) {
	target := toyTarget(t, "")
	target.Settle, target.Timeout = time.Minute, 30*time.Second // the machine may be busy
	target.Trouble = []string{"none"}
	target.Budget = write(t, "calls.json", `{"vpc/get": 7, "vpc/dance": 1, "vm/get": 9}`)
	target.Report = write(t, "conformance.json", `{"cloud": "toy", "against": "the toy cloud", "type": "simulator", "checks": {"vpc/create/death": "passed", "vm/create/death": "passed"}}`)
	target.Deviations = write(t, "deviations.yaml", "vpc/create/life: it did not live once\nvm/create/life: nor did it\n'*/create/names': nor had it names\n")
	run := func(check func(path string) bool) []string {
		s, err := newSuite(t.Context(), target)
		require.NoError(t, err)
		defer s.close()
		for _, g := range s.plan() {
			for _, c := range g.checks {
				if check(c.path()) {
					s.do(t.Context(), c)
				}
			}
		}
		left := s.left(s.plan())
		require.Equal(t, driver.Passed, s.clean(t.Context()).Outcome)
		return s.compare(left)
	}
	files := func() (calls map[string]int, report driver.Report) {
		for file, into := range map[string]any{target.Budget: &calls, target.Report: &report} {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, into))
		}
		return calls, report
	}
	vpcs := func(path string) bool { return groupOf(path) == "vpc" }

	problems := strings.Join(run(vpcs), "\n")
	assert.Contains(t, problems, "vpc/create/life does not deviate any more")
	assert.Contains(t, problems, "vpc/dance")
	assert.Contains(t, problems, `vpc/create/death: the report says "passed"`)
	assert.NotContains(t, problems, "vm/")
	assert.NotContains(t, problems, "*/create/names", "which might be of another kind")

	target.Update, target.Deviations = true, ""
	assert.Empty(t, run(func(path string) bool { return vpcs(path) && path != "vpc/get/calls" }))
	calls, report := files()
	assert.Equal(t, map[string]int{"vpc/get": 7, "vpc/dance": 1, "vm/get": 9}, calls, "not all of the checks were run")
	assert.Len(t, report.Checks, 2)

	assert.Empty(t, run(vpcs))
	calls, report = files()
	assert.Equal(t, 1, calls["vpc/get"])
	assert.Equal(t, 9, calls["vm/get"])
	assert.NotContains(t, calls, "vpc/dance")
	assert.Equal(t, driver.Passed, report.Checks["vpc/create/life"].Outcome)
	assert.NotContains(t, report.Checks, "vpc/create/death")
	assert.Contains(t, report.Checks, "vm/create/death")
	assert.Equal(t, []string{"vpc"}, slices.Collect(maps.Keys(report.Runs)), "when it ran")
	target.Update = false
	assert.Empty(t, run(vpcs), "nothing has changed")

	target.Update, target.Against = true, "a newer toy cloud"
	assert.Contains(t, strings.Join(run(vpcs), ""), "run all of the suite")
	_, after := files()
	assert.Equal(t, report, after)
}

func TestBudgetIsHeld(t *testing.T) {
	target := toyTarget(t, "")
	target.Budget = write(t, "calls.json", `{"vpc/get": 0, "vpc/dance": 1}`)
	s, err := newSuite(t.Context(), target)
	require.NoError(t, err)
	defer s.close()
	for _, verb := range []string{"get", "list"} { // costs more; is not in the file
		run := map[string]func(*try){"get": checkGetCalls, "list": checkListCalls}[verb]
		result := s.do(t.Context(), check{"vpc", verb, "calls", true, run})
		assert.Equal(t, driver.Failed, result.Outcome)
		assert.Contains(t, result.Reason, "it costs 1 calls")
	}
	require.Len(t, s.budget.stale(nil), 1)
	assert.Contains(t, s.budget.stale(nil)[0], "vpc/dance")
}

func TestTargetFile(t *testing.T) {
	t.Setenv("TOY_KEY", "key-of-one")
	path := write(t, "target.yaml", `
command: [./mcic-driver-toy, --fast]
against: the toy cloud
type: simulator
config:
  credential: {key: "${TOY_KEY}"}
  region: here
  settings: {endpoint: http://127.0.0.1:1}
quota:
  vpc: {credential: {key: "${TOY_KEY}"}}
image: img-1
machine: large
settle: 90s
specs:
  subnet: {vpc: vpc, cidr: "10.0.{n}.0/24"}
refused:
  - {name: bad-key, config: {region: here}, codes: [unauthenticated]}
native:
  - {service: toy, path: /}
deviations: deviations.yaml
`)
	target, err := ReadTarget(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"./mcic-driver-toy", "--fast"}, target.Command)
	assert.Equal(t, driver.Values{"key": "key-of-one"}, target.Config.Credential)
	assert.Equal(t, driver.Values{"key": "key-of-one"}, target.Quota["vpc"].Credential)
	assert.Equal(t, 90*time.Second, target.Settle)
	assert.Equal(t, filepath.Join(filepath.Dir(path), "deviations.yaml"), target.Deviations)
	assert.Equal(t, "bad-key", target.Refused[0].Name)
	assert.Equal(t, "toy", target.Native[0].Service)

	_, err = ReadTarget(write(t, "target.yaml", "comand: [x]\n"))
	require.ErrorContains(t, err, "comand")
	_, err = ReadTarget(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTargetsAreChecked(t *testing.T) {
	for saying, change := range map[string]func(*Target){
		"either a driver or a command": func(x *Target) { x.Driver = nil },
		"it is service, emulator":      func(x *Target) { x.Type = "guess" },
		"what it runs against":         func(x *Target) { x.Against = "" },
		"there are no faults [flood]":  func(x *Target) { x.Faults = map[string]driver.Values{"flood": nil} },
		"is required":                  func(x *Target) { x.Config.Credential = nil },
		"no such file":                 func(x *Target) { x.Driver, x.Command = nil, []string{"./no-such-driver"} },
	} {
		target := toyTarget(t, "")
		change(&target)
		_, err := conform(t, target)
		require.ErrorContains(t, err, saying)
	}
}

func TestInterruptedRunCleansUp(t *testing.T) {
	target := toyTarget(t, "")
	target.Budget, target.Endpoint = "", ""
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Conform(ctx, target, func(path string, _ driver.Result, _ time.Duration) {
		if path == "vm/create/life" { // by now much is shared
			cancel()
		}
	})
	require.ErrorContains(t, err, "ended early")
	s, err := newSuite(t.Context(), target)
	require.NoError(t, err)
	defer s.close()
	assert.Empty(t, s.before, "what is on the cloud now")
}
