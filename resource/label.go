package resource

import (
	"context"
	"maps"
	"slices"
)

// ActionLabel is the action that every kind has. Where the cloud has no tags for
// the kind, the labels are kept here alone.
const ActionLabel = "label"

func labelAction() Action {
	return actionWith(Action{
		Name: ActionLabel, Doc: "Sets and removes labels; the others stay.",
		Until: []State{StateAvailable, StateRunning, StateStopped, StateFailed}, // it changes none of them
	}, Labeler.Label)
}

// Labeler is implemented by collections whose objects carry tags. Tags of the
// connector and of the cloud itself stay.
type Labeler interface {
	Label(ctx context.Context, id string, change LabelChange) error
}

// LabelChange is the parameter of the action label.
type LabelChange struct {
	Set    map[string]string `json:"set,omitempty" doc:"Labels to set, new ones or with a new value." maxProperties:"40"`
	Remove []string          `json:"remove,omitempty" doc:"Keys of labels to remove; one that is not there is passed over." maxItems:"40" maxLength:"63" nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (c *LabelChange) Problems(string) []Problem {
	problems := LabelProblems("set", c.Set)
	if slices.ContainsFunc(c.Remove, ownKey) {
		problems = append(problems, Problem{Field: "remove", Message: "keys that begin with mcic are kept for the server; leave them out"})
	}
	for _, key := range slices.Sorted(maps.Keys(c.Set)) {
		if slices.Contains(c.Remove, key) {
			problems = append(problems, Problem{Field: "remove", Message: "the label " + key + " is both set and removed; choose one", Rule: RuleExclusive, Limit: "set"})
		}
	}
	if len(c.Set)+len(c.Remove) == 0 {
		problems = append(problems, Problem{Field: "set", Message: "nothing to do; give labels to set or keys to remove", Rule: RuleRequired})
	}
	return problems
}

// Apply returns labels with the change made.
func (c LabelChange) Apply(labels map[string]string) map[string]string {
	changed := map[string]string{}
	maps.Copy(changed, labels)
	for _, key := range c.Remove {
		delete(changed, key)
	}
	maps.Copy(changed, c.Set)
	return changed
}
