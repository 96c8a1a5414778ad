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
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/digest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Variables of the environment that [Run] heeds.
const (
	EnvUpdate = "MCIC_UPDATE"      // not empty: writes the golden files and the report anew
	EnvScope  = "MCIC_CONFORMANCE" // "changed": leaves out the groups that [Due] spares
)

// anew says how to write the golden files.
const anew = "if that is as it must be, write the file anew with " + EnvUpdate + "=1 or --update"

// Run runs the suite as a Go test. Each check is a sub-test with its path as name, so
// that go test -run TestConformance/vpc/create chooses some. The files of the target are
// compared with, or written for, the kinds of which all checks were run; what they say of
// others stays.
func Run(t *testing.T, target Target) {
	t.Helper()
	target.Update = target.Update || os.Getenv(EnvUpdate) != ""
	s, err := newSuite(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	d, err := digest.Of(t.Context(), ".", resource.Offerable())
	if err != nil {
		t.Fatal(err)
	}
	s.digest = &d
	groups := s.plan()
	spared, err := s.spared(groups, os.Getenv(EnvScope) == "changed")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			if why := spared[g.name]; why != "" {
				t.Skip(why)
			}
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
	left := s.left(groups)
	if len(left) > 0 {
		if result := s.clean(t.Context()); result.Outcome == driver.Failed {
			t.Error(result.Reason)
		}
	}
	for _, problem := range s.compare(left) {
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
	spared, err := s.spared(groups, false)
	if err != nil {
		return nil, err
	}
	var telling sync.Mutex
	run := func(c check) {
		began := time.Now()
		result := s.do(ctx, c)
		telling.Lock()
		defer telling.Unlock()
		observe(c.path(), result, time.Since(began))
	}
	for _, g := range groups {
		if spared[g.name] != "" {
			continue
		}
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
	for _, problem := range s.compare(s.left(groups)) {
		problems = append(problems, errors.New(problem))
	}
	return s.report(), errors.Join(problems...)
}

// left are the groups of which not all checks were run, each with the paths of these.
func (s *suite) left(groups []group) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := map[string][]string{}
	for _, g := range groups {
		for _, c := range g.checks {
			if _, ran := s.results[c.path()]; !ran {
				left[g.name] = append(left[g.name], c.path())
			}
		}
	}
	return left
}

// clean removes what a run that ends early has shared.
func (s *suite) clean(ctx context.Context) driver.Result {
	return s.do(ctx, check{"suite", "delete", "nothing-left", true, checkNothingLeft})
}

// report is what the run has found.
func (s *suite) report() *driver.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &driver.Report{
		Cloud: s.description.Name, Against: s.target.Against, Type: s.target.Type,
		Runs: map[string]driver.Ran{}, Checks: maps.Clone(s.results),
	}
	for path := range s.results {
		r.Runs[groupOf(path)] = s.ran(groupOf(path))
	}
	return r
}

// compare compares the run with the files of the target, or writes them. What they say of
// groups that are left is not compared, and stays.
func (s *suite) compare(left map[string][]string) []string {
	problems := s.deviations.stale(slices.Concat(slices.Collect(maps.Values(left))...))
	if s.target.Update {
		if slices.ContainsFunc(slices.Collect(maps.Values(s.results)), func(r driver.Result) bool { return r.Outcome == driver.Failed }) {
			return append(problems, "nothing was written, because checks failed")
		}
		if s.target.Budget != "" {
			if err := s.budget.write(left); err != nil {
				problems = append(problems, "write the budget of calls: "+err.Error())
			}
		}
		if s.target.Report != "" {
			if err := s.writeReport(left); err != nil {
				problems = append(problems, "write the report: "+err.Error())
			}
		}
		return problems
	}
	problems = slices.Concat(problems, s.budget.stale(left), s.budget.excesses(left))
	return append(problems, s.drift(left)...)
}

// readReport reads the report of an earlier run, nil if there is none yet.
func readReport(file string) (*driver.Report, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the target names it
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return nil, nil
	}
	var r driver.Report
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("read the report %s: %w; %s", file, err, anew)
	}
	return &r, nil
}

// another says that two reports are of different things.
func another(recorded, now *driver.Report) string {
	if recorded.Cloud == now.Cloud && recorded.Against == now.Against && recorded.Type == now.Type {
		return ""
	}
	return fmt.Sprintf("the report is of %s against %s (%s), this run of %s against %s (%s)", recorded.Cloud, recorded.Against, recorded.Type, now.Cloud, now.Against, now.Type)
}

// writeReport replaces what the report says of the groups that were run. What it says of
// others must have been found against the same.
func (s *suite) writeReport(left map[string][]string) error {
	now := s.report()
	maps.DeleteFunc(now.Checks, func(path string, _ driver.Result) bool { return left[groupOf(path)] != nil })
	maps.DeleteFunc(now.Runs, func(group string, _ driver.Ran) bool { return left[group] != nil })
	if len(left) > 0 {
		recorded, err := readReport(s.target.Report)
		if err != nil {
			return err
		}
		if recorded != nil {
			if differs := another(recorded, now); differs != "" {
				return fmt.Errorf("%s; run all of the suite", differs)
			}
			maps.DeleteFunc(recorded.Checks, func(path string, _ driver.Result) bool { return left[groupOf(path)] == nil })
			maps.Copy(now.Checks, recorded.Checks)
			maps.DeleteFunc(recorded.Runs, func(group string, _ driver.Ran) bool { return left[group] == nil })
			maps.Copy(now.Runs, recorded.Runs)
		}
	}
	return writeJSON(s.target.Report, now)
}

// drift says in what the run differs from the recorded report.
func (s *suite) drift(left map[string][]string) []string {
	if s.target.Report == "" {
		return nil
	}
	recorded, err := readReport(s.target.Report)
	if err != nil {
		return []string{err.Error()}
	}
	if recorded == nil {
		return []string{s.target.Report + " is not there; " + anew}
	}
	now := s.report()
	var drift []string
	if differs := another(recorded, now); differs != "" {
		drift = append(drift, differs+"; "+anew)
	}
	paths := map[string]driver.Result{}
	maps.Copy(paths, recorded.Checks)
	maps.Copy(paths, now.Checks)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		was, is := recorded.Checks[path], now.Checks[path]
		if left[groupOf(path)] != nil || is.Outcome == driver.Failed { // a failure has been told already
			continue
		}
		if was != is {
			drift = append(drift, fmt.Sprintf("%s: the report says %q %s, this run %q %s; %s", path, was.Outcome, was.Reason, is.Outcome, is.Reason, anew))
		}
	}
	return drift
}
