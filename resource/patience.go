package resource

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Patience is how long changes may take once the cloud has accepted them, by kind, as
// durations such as 1h30m: some clouds are slower than others.
type Patience map[string]string

// What may be set. A change that is given up while the cloud goes on with it helps nobody,
// and one that is waited for all week neither.
const (
	leastPatience = time.Minute
	mostPatience  = 72 * time.Hour
)

// For is the patience with a kind, 0 if none is set.
func (p Patience) For(kind string) time.Duration {
	d, err := time.ParseDuration(p[kind])
	if err != nil { // it was checked before
		return 0
	}
	return d
}

// Problems says what is wrong with the fields below at.
func (p Patience) Problems(at string) []Problem {
	var problems []Problem
	for _, kind := range slices.Sorted(maps.Keys(p)) {
		field := join(at, printable(kind))
		if _, err := KindNamed(kind); err != nil {
			problems = append(problems, Problem{Field: field, Message: err.Error(), Rule: RuleUnknown})
			continue
		}
		d, err := time.ParseDuration(p[kind])
		switch {
		case err != nil:
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf("%q is not a duration; write it like 90m or 1h30m", printable(p[kind])), Rule: RuleFormat, Limit: "1h30m"})
		case d < leastPatience || d > mostPatience:
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf("%s is outside of %s to %s", d, leastPatience, mostPatience), Rule: RuleOutside, Limit: fmt.Sprintf("%s – %s", leastPatience, mostPatience)})
		}
	}
	return problems
}
