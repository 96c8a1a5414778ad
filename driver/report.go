package driver

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// What stood for the cloud when a driver was tested.
const (
	TestedService   = "service"   // the cloud's own service or software
	TestedEmulator  = "emulator"  // an emulator that others wrote
	TestedSimulator = "simulator" // a simulator of this project
)

// Report is what a run of the conformance suite found. A driver carries the last one
// with it; see [About].
type Report struct {
	Cloud   string            `json:"cloud"`
	Against string            `json:"against"`
	Type    string            `json:"type"`
	Checks  map[string]Result `json:"checks"` // by kind/verb/check
}

// Result is the outcome of one check.
type Result struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // why it was skipped, deviates or failed
}

// Outcome is how a check ended.
type Outcome string

// The outcomes of checks.
const (
	Passed   Outcome = "passed"
	Deviates Outcome = "deviates" // it fails on what the driver was tested against, for a reason that is known
	Skipped  Outcome = "skipped"
	Failed   Outcome = "failed"
)

// Tested is what the conformance suite showed of a driver.
type Tested struct {
	Against string       `json:"against" doc:"What stood for the cloud, with its version."`
	Type    string       `json:"type" doc:"service: the cloud's own; emulator: written by others; simulator: written by this project." enum:"service,emulator,simulator"`
	Verbs   []TestedVerb `json:"verbs" doc:"What was tested, by kind and verb." nullable:"false"`
}

// TestedVerb is what the suite showed of one verb, action or view of a kind, or of a
// catalog.
type TestedVerb struct {
	Kind    string   `json:"kind" doc:"Kind or catalog."`
	Verb    string   `json:"verb" doc:"Verb, action or view."`
	Passed  int      `json:"passed" doc:"Number of checks that passed."`
	Reasons []string `json:"reasons,omitempty" doc:"Why other checks were left out, or fail on what it was tested against." nullable:"false"`
}

// ReadReports reads the reports that are built into a driver, for [About]. One that
// cannot be read is a defect of the program, and panics.
func ReadReports(reports ...[]byte) []Tested {
	var tested []Tested
	for _, raw := range reports {
		var r Report
		if err := json.Unmarshal(raw, &r); err != nil {
			panic("a report of the conformance suite that is built in cannot be read: " + err.Error())
		}
		if len(r.Checks) > 0 { // nothing was recorded yet
			tested = append(tested, r.Summary())
		}
	}
	return tested
}

// Summary is what a report says of each verb.
func (r *Report) Summary() Tested {
	t := Tested{Against: r.Against, Type: r.Type, Verbs: []TestedVerb{}}
	at := map[string]int{}
	for _, path := range slices.Sorted(maps.Keys(r.Checks)) {
		kind, rest, _ := strings.Cut(path, "/")
		verb, check, _ := strings.Cut(rest, "/")
		i, ok := at[kind+"/"+verb]
		if !ok {
			i = len(t.Verbs)
			at[kind+"/"+verb] = i
			t.Verbs = append(t.Verbs, TestedVerb{Kind: kind, Verb: verb})
		}
		v, result := &t.Verbs[i], r.Checks[path]
		if result.Outcome == Passed {
			v.Passed++
			continue
		}
		if reason := check + ": " + result.Reason; !slices.Contains(v.Reasons, reason) {
			v.Reasons = append(v.Reasons, reason)
		}
	}
	return t
}
