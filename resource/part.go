package resource

import (
	"encoding/json"
	"reflect"
)

// Part is what a cloud reports of a part of a resource that takes a step of its own. Fields
// of a status that hold parts, or structs with one inside, have the struct tag part with the
// word for them.
type Part struct {
	Name       string `json:"name" doc:"Name of it; the cloud's id if it has none."`
	CloudID    string `json:"cloudId,omitempty" doc:"The cloud's id of it."`
	State      State  `json:"state" doc:"Where it is in its life."`
	CloudState string `json:"cloudState,omitempty" doc:"The cloud's own word for the state."`
	Reason     string `json:"reason,omitempty" doc:"Why it failed, as far as the cloud says."`
	Code       Code   `json:"code,omitempty" doc:"Which kind of failure that is, as far as it is known."`
}

// NamedPart is a part with the word for what it is.
type NamedPart struct {
	Part
	Word string // "node group"
}

// partField is a field of a status that holds parts.
type partField struct{ json, word string }

func partFields(status reflect.Type) []partField {
	var fields []partField
	for f := range status.Fields() {
		if word := f.Tag.Get("part"); word != "" {
			fields = append(fields, partField{JSONName(f), word})
		}
	}
	return fields
}

// KindsOfParts is how many kinds of parts a status can show.
func (k *Kind) KindsOfParts() int { return len(k.parts) }

// PartsShown returns the parts that a status shows.
func (k *Kind) PartsShown(status json.RawMessage) ([]NamedPart, error) {
	if len(k.parts) == 0 || len(status) == 0 {
		return nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(status, &fields); err != nil {
		return nil, Errorf(CodeInternal, "read the parts of a %s: %w", k.Name, err)
	}
	var all []NamedPart
	for _, f := range k.parts {
		if len(fields[f.json]) == 0 {
			continue
		}
		var parts []Part
		if err := json.Unmarshal(fields[f.json], &parts); err != nil {
			return nil, Errorf(CodeInternal, "read the parts of a %s: %w", k.Name, err)
		}
		for _, p := range parts {
			all = append(all, NamedPart{p, f.word})
		}
	}
	return all, nil
}
