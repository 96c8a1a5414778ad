package drivertest

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/digest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// inTrouble ends the name of a kind's group with the checks in which the cloud is in trouble.
const inTrouble = "-in-trouble"

// groupOf is the group of a check's path, or of a kind/verb.
func groupOf(checked string) string {
	group, _, _ := strings.Cut(checked, "/")
	name := path.Base(checked)
	_, fault := Faults()[name]
	if _, err := resource.KindNamed(group); err == nil && (fault || name == "cancelled") {
		return group + inTrouble
	}
	return group
}

// ran is what the report says of a group that was run now.
func (s *suite) ran(group string) driver.Ran {
	r := driver.Ran{On: time.Now().UTC().Format(time.DateOnly)}
	if s.digest != nil {
		r.Base, r.Own = s.digest.Base, s.digest.Own[strings.TrimSuffix(group, inTrouble)]
	}
	return r
}

// spared are the groups that are not run, each with the reason.
func (s *suite) spared(groups []group, unchanged bool) (map[string]string, error) {
	spared := map[string]string{}
	var names []string
	for _, g := range groups {
		kind, trouble := strings.CutSuffix(g.name, inTrouble)
		if trouble && len(s.target.Trouble) > 0 && !slices.Contains(s.target.Trouble, kind) {
			spared[g.name] = "the target leaves out its half with the cloud in trouble"
			continue
		}
		names = append(names, g.name)
	}
	if !unchanged || s.target.Report == "" {
		return spared, nil
	}
	recorded, err := readReport(s.target.Report)
	if err != nil || recorded == nil {
		return spared, err
	}
	for name, why := range Due(recorded.Runs, *s.digest, names) {
		if why != "" {
			spared[name] = why
		}
	}
	return spared, nil
}

// Due says of each group whether it must be run again, given when and on what it ran before:
// if not, the reason why. When something under all of them has changed, all are run, but of
// the halves with the cloud in trouble only one.
func Due(before map[string]driver.Ran, now digest.Digest, groups []string) map[string]string {
	why, example := map[string]string{}, ""
	for _, group := range slices.Sorted(slices.Values(groups)) {
		kind, trouble := strings.CutSuffix(group, inTrouble)
		if trouble && example == "" {
			example = group
		}
		was, ran := before[group]
		switch {
		case !ran || was.Own != now.Own[kind]:
			why[group] = ""
		case was.Base == now.Base:
			why[group] = "nothing that it depends on has changed since " + was.On
		case trouble && group != example:
			why[group] = fmt.Sprintf("only what is under all kinds has changed since %s, and %s stands for all", was.On, example)
		default:
			why[group] = ""
		}
	}
	return why
}

// Outstanding is what is due of the groups in the report of the driver in a folder.
func Outstanding(ctx context.Context, dir string) (map[string]string, error) {
	report, err := readReport(filepath.Join(dir, "conformance.json"))
	if err != nil || report == nil {
		return nil, err
	}
	now, err := digest.Of(ctx, dir, resource.Offerable())
	if err != nil {
		return nil, err
	}
	groups := map[string]bool{}
	for checked := range report.Checks {
		groups[groupOf(checked)] = true
	}
	return Due(report.Runs, now, slices.Collect(maps.Keys(groups))), nil
}
