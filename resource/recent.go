package resource

import (
	"encoding/json"
	"slices"
)

// Choice answers what a spec has in those of its fields whose combinations are kept as
// recent choices.
func (k *Kind) Choice(spec json.RawMessage) (map[string]string, error) {
	var fields map[string]any
	if err := json.Unmarshal(spec, &fields); err != nil {
		return nil, Errorf(CodeInternal, "read the spec: %w", err)
	}
	choice := map[string]string{}
	for name, value := range fields {
		if text, ok := value.(string); ok && text != "" && slices.Contains(k.Recent, name) {
			choice[name] = text
		}
	}
	return choice, nil
}
