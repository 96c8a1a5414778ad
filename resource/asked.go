package resource

import (
	"encoding/json"
	"reflect"
	"slices"
)

// What was asked for and what there is are kept apart: clouds complete a specification, such
// as by a zone or an outbound rule, and a client that compares must not take that for a
// change. A field of a spec that may be completed has the struct tag completed: "cloud", or
// "server" for what the server decides before the cloud is asked.
const completedByServer = "server"

// CompletedBy says who may complete a struct field that is left out, or change it: "cloud",
// "server" or "".
func CompletedBy(f reflect.StructField) string { return f.Tag.Get("completed") }

// FieldDoc is the description of a struct field.
func FieldDoc(f reflect.StructField) string {
	doc := f.Tag.Get("doc")
	if by := CompletedBy(f); by != "" {
		doc += " The " + by + " may complete it."
	}
	return doc
}

// Completed returns the spec to create with: what was asked for, and what the server has
// decided as the spec of the record has it.
func (k *Kind) Completed(asked, recorded json.RawMessage) (json.RawMessage, error) {
	var spec, known map[string]json.RawMessage
	for raw, into := range map[*json.RawMessage]*map[string]json.RawMessage{&asked: &spec, &recorded: &known} {
		if err := json.Unmarshal(*raw, into); err != nil {
			return nil, Errorf(CodeInternal, "complete the spec of a %s: %w", k.Name, err)
		}
	}
	for f := range k.spec.Fields() {
		name := JSONName(f)
		if _, given := spec[name]; CompletedBy(f) == completedByServer && !given && known[name] != nil {
			spec[name] = known[name]
		}
	}
	return json.Marshal(spec)
}

// changes says what of a spec an action changes once it has succeeded.
func changes[S, P any](a Action, change func(spec *S, with P)) Action {
	a.asked = func(raw, params json.RawMessage) (json.RawMessage, error) {
		var (
			spec S
			with P
		)
		for part, into := range map[*json.RawMessage]any{&raw: &spec, &params: &with} {
			if err := json.Unmarshal(*part, into); err != nil {
				return nil, Errorf(CodeInternal, "change what was asked for by %s: %w", a.Name, err)
			}
		}
		change(&spec, with)
		return json.Marshal(spec)
	}
	return a
}

// Asked returns the spec that is asked for after the action, of the one before it.
func (a *Action) Asked(spec, params json.RawMessage) (json.RawMessage, error) {
	if a.asked == nil {
		return spec, nil
	}
	return a.asked(spec, params)
}

// together are the items of a list and those of another that it lacks.
func together[T comparable](items, more []T) []T {
	items = slices.Clone(items)
	for _, one := range more {
		if !slices.Contains(items, one) {
			items = append(items, one)
		}
	}
	return items
}

// without are the items of a list that are not in another.
func without[T comparable](items, others []T) []T {
	return slices.DeleteFunc(slices.Clone(items), func(one T) bool { return slices.Contains(others, one) })
}
