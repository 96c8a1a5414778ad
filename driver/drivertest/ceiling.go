package drivertest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// What a verb may cost without a reason: clouds tell of one object in one or two calls, of
// all in one for each page and each kind of parts, and change one after a look at it.
const (
	ceilingOfGet    = 2
	ceilingOfList   = 1
	ceilingOfChange = 3
	ceilingOfData   = 2
)

// ceilingOf is how many calls a verb may cost without a reason, "kind/verb".
func ceilingOf(verb string) int {
	name, what, _ := strings.Cut(verb, "/")
	parts := 0
	if kind, err := resource.KindNamed(name); err == nil {
		parts = kind.KindsOfParts()
		if _, err := kind.DataCall(what); err == nil {
			return ceilingOfData
		}
	}
	switch what {
	case "get":
		return ceilingOfGet
	case "list":
		return ceilingOfList + max(parts, 1) // what belongs to an object, such as the interfaces of a VM, counts as one
	default:
		return ceilingOfChange + parts
	}
}

// reasonsBeside is the file with the reasons for what costs more, beside a budget: a YAML
// object of kind/verb to a text.
func reasonsBeside(budget string) string {
	return strings.TrimSuffix(budget, ".json") + "-reasons.yaml"
}

// readReasons reads why verbs cost more than others.
func (b *budget) readReasons() error {
	err := readYAML(reasonsBeside(b.file), &b.reasons)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the reasons of the budget: %w", err)
	}
	for verb, reason := range b.reasons {
		if strings.TrimSpace(reason) == "" {
			return fmt.Errorf("%s: %s has no reason", reasonsBeside(b.file), verb)
		}
	}
	return nil
}

// unreasoned says what is wrong with a verb that costs more than others may, "" if nothing.
func (b *budget) unreasoned(verb string, calls int) string {
	if ceiling := ceilingOf(verb); calls > ceiling && b.reasons[verb] == "" {
		return fmt.Sprintf("%s may cost %d calls, and %d is what any verb like it may; have it cost less, or say in %s why it cannot", verb, calls, ceiling, reasonsBeside(b.file))
	}
	return ""
}

// excesses are the verbs of the golden file that cost more than others without a reason, and
// the reasons for verbs that it does not have, but for those of groups that are left.
func (b *budget) excesses(left map[string][]string) []string {
	var problems []string
	for _, verb := range slices.Sorted(maps.Keys(b.golden)) {
		if problem := b.unreasoned(verb, b.golden[verb]); problem != "" && left[groupOf(verb)] == nil {
			problems = append(problems, problem)
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(b.reasons)) {
		if _, known := b.golden[verb]; !known && left[groupOf(verb)] == nil {
			problems = append(problems, fmt.Sprintf("%s says why %s is expensive, which %s does not have; leave it out", reasonsBeside(b.file), verb, b.file))
		}
	}
	return problems
}
