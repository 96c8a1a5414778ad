package drivertest

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/digest"
)

// What must be run again follows from what has changed.
func TestDue(t *testing.T) {
	groups := []string{"connection", "vpc", "vpc-in-trouble", "vm", "vm-in-trouble", "suite"}
	now := digest.Digest{Base: "b", Own: map[string]string{"vpc": "1", "vm": "2"}}
	all := map[string]driver.Ran{}
	for _, g := range groups {
		all[g] = (&suite{digest: &now}).ran(g)
	}
	for name, c := range map[string]struct {
		change func(runs map[string]driver.Ran)
		now    digest.Digest
		due    []string
	}{
		"nothing has changed":       {now: now},
		"a kind has changed":        {now: digest.Digest{Base: "b", Own: map[string]string{"vpc": "1", "vm": "3"}}, due: []string{"vm", "vm-in-trouble"}},
		"what is under all":         {now: digest.Digest{Base: "c", Own: now.Own}, due: []string{"connection", "vpc", "vm", "vm-in-trouble", "suite"}},
		"both":                      {now: digest.Digest{Base: "c", Own: map[string]string{"vpc": "3", "vm": "2"}}, due: groups},
		"one never ran":             {now: now, change: func(runs map[string]driver.Ran) { delete(runs, "vm") }, due: []string{"vm"}},
		"others stood for it":       {now: now, change: func(runs map[string]driver.Ran) { runs["vpc-in-trouble"] = driver.Ran{Base: "a", Own: "1"} }},
		"it ran outside the source": {now: now, change: func(runs map[string]driver.Ran) { runs["vpc"] = driver.Ran{On: "2026-01-02"} }, due: []string{"vpc"}},
	} {
		t.Run(name, func(t *testing.T) {
			runs := maps.Clone(all)
			if c.change != nil {
				c.change(runs)
			}
			var due []string
			for group, why := range Due(runs, c.now, groups) {
				if why == "" {
					due = append(due, group)
				}
			}
			assert.ElementsMatch(t, c.due, due)
		})
	}
}

// A run that leaves out what has not changed reads the report.
func TestUnchangedIsSpared(t *testing.T) {
	target := toyTarget(t, "")
	target.Report = write(t, "conformance.json", `{"cloud": "toy", "runs": {"vpc": {"on": "2026-01-02", "base": "b", "own": "1"}}}`)
	s, err := newSuite(t.Context(), target)
	require.NoError(t, err)
	defer s.close()
	s.digest = &digest.Digest{Base: "b", Own: map[string]string{"vpc": "1"}}
	spared, err := s.spared(s.plan(), true)
	require.NoError(t, err)
	assert.Equal(t, []string{"vpc"}, slices.Collect(maps.Keys(spared)))
	assert.Contains(t, spared["vpc"], "2026-01-02")
	spared, err = s.spared(s.plan(), false)
	require.NoError(t, err)
	assert.Empty(t, spared, "all are asked for")
}
