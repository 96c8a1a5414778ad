package drivertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// EnvUpdate makes [Run] write the golden files and the report anew.
const EnvUpdate = "MCIC_UPDATE"

// anew says how to write the golden files.
const anew = "if that is as it must be, write the file anew with " + EnvUpdate + "=1 or --update"

// Run runs the suite as a Go test. Each check is a sub-test with its path as name, so
// that go test -run TestConformance/vpc/create chooses some. What is compared over the
// whole run, such as the report, is compared only when all of it was run.
func Run(t *testing.T, target Target) {
	t.Helper()
	target.Update = target.Update || os.Getenv(EnvUpdate) != ""
	s, err := newSuite(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	groups := s.plan()
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			limit := make(chan struct{}, s.target.Parallel)
			for _, c := range g.checks {
				t.Run(c.verb+"/"+c.name, func(t *testing.T) {
					if !c.alone && s.target.Parallel > 1 {
						t.Parallel()
					}
					limit <- struct{}{}
					defer func() { <-limit }()
					switch result := s.do(t.Context(), c); result.Outcome {
					case driver.Failed:
						t.Error(result.Reason)
					case driver.Skipped:
						t.Skip(result.Reason)
					case driver.Deviates:
						t.Log("deviates: " + result.Reason)
					}
				})
			}
		})
	}
	if len(s.results) < count(groups) {
		s.clean(t.Context())
		return
	}
	for _, problem := range s.compare() {
		t.Error(problem)
	}
}

// Conform runs the suite and tells observe how each check ends. The error says what
// was wrong with the run as a whole; failed checks are in the report.
func Conform(ctx context.Context, target Target, observe func(path string, result driver.Result, took time.Duration)) (*driver.Report, error) {
	s, err := newSuite(ctx, target)
	if err != nil {
		return nil, err
	}
	defer s.close()
	groups := s.plan()
	var telling sync.Mutex
	run := func(c check) {
		began := time.Now()
		result := s.do(ctx, c)
		telling.Lock()
		defer telling.Unlock()
		observe(c.path(), result, time.Since(began))
	}
	for _, g := range groups {
		var work sync.WaitGroup
		limit := make(chan struct{}, s.target.Parallel)
		for _, c := range g.checks {
			if ctx.Err() != nil && g.name != "suite" {
				break
			}
			if c.alone {
				run(c)
				continue
			}
			limit <- struct{}{}
			work.Go(func() {
				run(c)
				<-limit
			})
		}
		work.Wait()
	}
	if ctx.Err() != nil {
		s.clean(context.WithoutCancel(ctx))
		return s.report(), fmt.Errorf("the suite was ended early: %w", context.Cause(ctx))
	}
	var problems []error
	for _, problem := range s.compare() {
		problems = append(problems, errors.New(problem))
	}
	return s.report(), errors.Join(problems...)
}

func count(groups []group) int {
	n := 0
	for _, g := range groups {
		n += len(g.checks)
	}
	return n
}

// clean removes what a run that ends early has shared.
func (s *suite) clean(ctx context.Context) {
	s.do(ctx, check{"suite", "delete", "nothing-left", true, checkNothingLeft})
}

// report is what the run has found.
func (s *suite) report() *driver.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &driver.Report{Cloud: s.description.Name, Against: s.target.Against, Type: s.target.Type, Checks: maps.Clone(s.results)}
}

// compare compares a whole run with the files of the target, or writes them.
func (s *suite) compare() []string {
	problems := s.deviations.stale()
	if s.target.Update {
		if slices.ContainsFunc(slices.Collect(maps.Values(s.results)), func(r driver.Result) bool { return r.Outcome == driver.Failed }) {
			return append(problems, "nothing was written, because checks failed")
		}
		if s.target.Budget != "" {
			if err := s.budget.write(); err != nil {
				problems = append(problems, "write the budget of calls: "+err.Error())
			}
		}
		if s.target.Report != "" {
			if err := writeJSON(s.target.Report, s.report()); err != nil {
				problems = append(problems, "write the report: "+err.Error())
			}
		}
		return problems
	}
	problems = append(problems, s.budget.stale()...)
	return append(problems, s.drift()...)
}

// drift says in what the run differs from the recorded report.
func (s *suite) drift() []string {
	if s.target.Report == "" {
		return nil
	}
	raw, err := os.ReadFile(s.target.Report)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{s.target.Report + " is not there; " + anew}
	}
	var recorded driver.Report
	if err == nil {
		err = json.Unmarshal(raw, &recorded)
	}
	if err != nil {
		return []string{fmt.Sprintf("read the report %s: %v; %s", s.target.Report, err, anew)}
	}
	now := s.report()
	var drift []string
	if recorded.Cloud != now.Cloud || recorded.Against != now.Against || recorded.Type != now.Type {
		drift = append(drift, fmt.Sprintf("the report is of %s against %s (%s), this run of %s against %s (%s); %s", recorded.Cloud, recorded.Against, recorded.Type, now.Cloud, now.Against, now.Type, anew))
	}
	paths := maps.Clone(recorded.Checks)
	if paths == nil {
		paths = map[string]driver.Result{}
	}
	maps.Copy(paths, now.Checks)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		was, is := recorded.Checks[path], now.Checks[path]
		if was != is && is.Outcome != driver.Failed { // a failure has been told already
			drift = append(drift, fmt.Sprintf("%s: the report says %q %s, this run %q %s; %s", path, was.Outcome, was.Reason, is.Outcome, is.Reason, anew))
		}
	}
	return drift
}
