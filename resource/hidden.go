package resource

import (
	"encoding/json"
	"reflect"
)

// A field of a spec or of parameters with the struct tag writeOnly:"true" is a secret that is
// given and never shown, such as the first password of a database. It is a text at the top. The
// server hands it to the driver and forgets it with the end of the operation.

func writeOnly(f reflect.StructField) bool { return f.Tag.Get("writeOnly") == "true" }

// Hide takes out of a spec what is only written.
func (k *Kind) Hide(spec json.RawMessage) (shown json.RawMessage, hidden map[string]string, err error) {
	return hide(k.hidden, spec)
}

// Hide takes out of the parameters of the action what is only written.
func (a *Action) Hide(params json.RawMessage) (shown json.RawMessage, hidden map[string]string, err error) {
	return hide(a.params.hidden, params)
}

func writeOnlyFields(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		if writeOnly(f) {
			names = append(names, JSONName(f))
		}
	}
	return names
}

func hide(names []string, raw json.RawMessage) (json.RawMessage, map[string]string, error) {
	if len(names) == 0 {
		return raw, nil, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, nil, Errorf(CodeInternal, "hide what is only written: %w", err)
	}
	var hidden map[string]string
	for _, name := range names {
		value, given := fields[name]
		if !given {
			continue
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, nil, Errorf(CodeInternal, "hide %s: it is no text", name)
		}
		if hidden == nil {
			hidden = map[string]string{}
		}
		hidden[name] = text
		delete(fields, name)
	}
	if hidden == nil {
		return raw, nil, nil
	}
	shown, err := json.Marshal(fields)
	return shown, hidden, err
}

// Reveal puts back what Hide has taken out.
func Reveal(shown json.RawMessage, hidden map[string]string) (json.RawMessage, error) {
	if len(hidden) == 0 {
		return shown, nil
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(shown, &fields); err != nil {
		return nil, Errorf(CodeInternal, "put back what is only written: %w", err)
	}
	for name, text := range hidden {
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, Errorf(CodeInternal, "put back %s: %w", name, err)
		}
		fields[name] = raw
	}
	return json.Marshal(fields)
}
