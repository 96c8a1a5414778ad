package driver

import (
	"encoding/json"
	"fmt"
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
	Runs    map[string]Ran    `json:"runs,omitempty"` // by group of checks: a kind, a catalog, …; the half with the cloud in trouble has its own
	Checks  map[string]Result `json:"checks"`         // by kind/verb/check
}

// Ran says when a group of checks was run last, and what the source was then.
type Ran struct {
	On   string `json:"on"`             // day, in UTC
	Base string `json:"base,omitempty"` // digest of what is under all groups, empty outside of the source
	Own  string `json:"own,omitempty"`  // digest of what is of this kind or catalog
}

// Result is the outcome of one check. As JSON it is one text, such as "passed", or
// "skipped: no second account".
type Result struct {
	Outcome Outcome
	Reason  string // why it was skipped, deviates or failed
}

// MarshalText implements encoding.TextMarshaler.
func (r Result) MarshalText() ([]byte, error) {
	if r.Reason == "" {
		return []byte(r.Outcome), nil
	}
	return []byte(string(r.Outcome) + ": " + r.Reason), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Result) UnmarshalText(text []byte) error {
	outcome, reason, _ := strings.Cut(string(text), ": ")
	r.Outcome, r.Reason = Outcome(outcome), reason
	return nil
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

// TestedVerb is what the suite showed of one verb, action or view of a kind, of a
// catalog or of a feed.
type TestedVerb struct {
	Kind    string   `json:"kind" doc:"Kind, catalog or feed."`
	Verb    string   `json:"verb" doc:"Verb, action or view."`
	Passed  int      `json:"passed" doc:"Number of checks that passed."`
	Reasons []string `json:"reasons,omitempty" doc:"Why other checks were left out, or fail on what it was tested against." nullable:"false"`
}

// ReadReports reads the reports that are built into a driver, for [About]. An empty one
// is passed over; one that cannot be read is a defect of the program, and panics.
func ReadReports(reports ...[]byte) []Tested {
	var tested []Tested
	for _, raw := range reports {
		if len(raw) == 0 { // before the first run
			continue
		}
		var r Report
		if err := json.Unmarshal(raw, &r); err != nil {
			panic("a report of the conformance suite that is built in cannot be read: " + err.Error())
		}
		tested = append(tested, r.Summary())
	}
	return tested
}

// Summary is what a report says of each verb.
func (r *Report) Summary() Tested {
	t := Tested{Against: r.Against, Type: r.Type, Verbs: []TestedVerb{}}
	for _, path := range slices.Sorted(maps.Keys(r.Checks)) {
		kind, rest, _ := strings.Cut(path, "/")
		verb, _, _ := strings.Cut(rest, "/")
		if last := len(t.Verbs) - 1; last < 0 || t.Verbs[last].Kind != kind || t.Verbs[last].Verb != verb {
			t.Verbs = append(t.Verbs, r.verb(kind, verb))
		}
	}
	return t
}

func (r *Report) verb(kind, verb string) TestedVerb {
	v := TestedVerb{Kind: kind, Verb: verb}
	other := map[string][]string{} // names of checks by what became of them
	for _, path := range slices.Sorted(maps.Keys(r.Checks)) {
		name, ok := strings.CutPrefix(path, kind+"/"+verb+"/")
		if !ok {
			continue
		}
		result := r.Checks[path]
		if result.Outcome == Passed {
			v.Passed++
			continue
		}
		became := string(result.Outcome) + ": " + result.Reason
		other[became] = append(other[became], name)
	}
	for _, became := range slices.Sorted(maps.Keys(other)) {
		outcome, reason, _ := strings.Cut(became, ": ")
		v.Reasons = append(v.Reasons, fmt.Sprintf("%s %s: %s", outcome, strings.Join(other[became], ", "), reason))
	}
	return v
}
