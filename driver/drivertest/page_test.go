package drivertest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// TestThePageOfTheProtocolNamesTheChecks: a rule is as good as what proves it. The page
// names each check of the suite, and no other.
func TestThePageOfTheProtocolNamesTheChecks(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "driver-protocol.md"))
	require.NoError(t, err)
	_, rules, ok := strings.Cut(string(page), "\n## Rules\n")
	require.True(t, ok)
	rules, _, _ = strings.Cut(rules, "\n## ")
	named := map[string]bool{}
	for row := range strings.Lines(rules) {
		if !strings.HasPrefix(row, "| ") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimSpace(row), " |"), " | ")
		for _, name := range regexp.MustCompile("`([A-Za-z]+/[A-Za-z-]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1) {
			named[name[1]] = true
		}
	}
	s, err := newSuite(t.Context(), toyTarget(t, ""))
	require.NoError(t, err)
	defer s.close()
	there := map[string]bool{}
	for _, g := range s.plan() {
		for _, c := range g.checks {
			name := s.onThePage(c)
			there[name] = true
			assert.True(t, named[name], "the page does not have %s, which is %s", c.path(), name)
		}
	}
	for name := range named {
		assert.True(t, there[name], "the suite has no check %s", name)
	}
}

// isDataCall reports whether a check is of a data call.
func (s *suite) isDataCall(c check) bool {
	return slices.ContainsFunc(s.description.Kinds, func(k driver.KindOffer) bool { return k.Name == c.kind && slices.Contains(k.Data, c.verb) })
}

// onThePage is what a check is called where it stands for those of all kinds.
func (s *suite) onThePage(c check) string {
	verb, name := c.verb, c.name
	switch {
	case slices.Contains(s.description.Catalogs, c.kind):
		verb = "CATALOG"
	case c.kind == "extension" && verb != "native":
		verb = "EXTENSION"
	}
	if _, generic := map[string]bool{"unknown": true, "wrong-params": true, "calls": true}[name]; generic && s.isDataCall(c) {
		verb = "CALL"
	}
	for _, k := range s.description.Kinds {
		switch {
		case k.Name == c.kind && slices.Contains(k.Views, verb):
			verb = "VIEW"
		case k.Name == c.kind && slices.Contains(k.Actions, verb) && (verb != "label" || name == "unknown" || name == "calls"):
			verb = "ACTION"
		}
	}
	_, isFault := Faults()[name]
	parts := strings.SplitN(name, "-", 2)
	switch {
	case parts[0] == "kept":
		name = "kept-KIND"
	case isFault && name != killed:
		name = "FAULT"
	case regexp.MustCompile(`-\d+$`).MatchString(name):
		name = name[:strings.LastIndex(name, "-")] + "-N"
	case (verb == "create" || verb == "read") && parts[0] == "unknown", verb == "connect" && (parts[0] == "missing" || parts[0] == "wrong"):
		name = parts[0] + "-FIELD"
	case c.kind == "connection" && slices.ContainsFunc(s.target.Refused, func(r Refused) bool { return r.Name == name }):
		name = "REFUSED"
	}
	return verb + "/" + name
}
