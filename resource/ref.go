package resource

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Ref is one reference from a resource to another of the same connection.
type Ref struct {
	Field string // path in the request, such as spec.subnet
	Kind  string // kind of the resource referred to
	Name  string // its name in the API, its cloud id towards a driver
}

// refField is a field of a spec, or of an action's parameters, that holds
// references: it has the struct tag ref with a kind's name.
type refField struct {
	json string
	kind string
	list bool
}

func refFields(t reflect.Type) []refField {
	var fields []refField
	for f := range t.Fields() {
		if kind := f.Tag.Get("ref"); kind != "" {
			fields = append(fields, refField{json: JSONName(f), kind: kind, list: f.Type.Kind() == reflect.Slice})
		}
	}
	return fields
}

// JSONName is the name of a struct field in JSON.
func JSONName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// Refs returns what a spec refers to.
func (k *Kind) Refs(spec json.RawMessage) ([]Ref, error) {
	var refs []Ref
	_, err := mapRefs("spec", k.refs, spec, func(r Ref) (string, error) {
		refs = append(refs, r)
		return r.Name, nil
	})
	return refs, err
}

// MapRefs returns the spec with each reference replaced by what replace answers:
// names become cloud ids towards a driver, cloud ids become names on the way back.
func (k *Kind) MapRefs(spec json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return mapRefs("spec", k.refs, spec, replace)
}

// MapRefs does the same for an action's parameters.
func (a *Action) MapRefs(params json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if len(params) == 0 {
		return params, nil
	}
	return mapRefs("", a.refs, params, replace)
}

func mapRefs(at string, fields []refField, raw json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if len(fields) == 0 {
		return raw, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, Errorf(CodeInternal, "read references: %w", err)
	}
	for _, f := range fields {
		value, ok := object[f.json]
		if !ok || string(value) == "null" {
			continue
		}
		var names []string
		if f.list {
			if err := json.Unmarshal(value, &names); err != nil {
				return nil, Errorf(CodeInternal, "read the references in %s: %w", f.json, err)
			}
		} else {
			names = make([]string, 1)
			if err := json.Unmarshal(value, &names[0]); err != nil {
				return nil, Errorf(CodeInternal, "read the reference in %s: %w", f.json, err)
			}
		}
		for i, name := range names {
			if name == "" {
				continue
			}
			field := join(at, f.json)
			if f.list {
				field = fmt.Sprintf("%s[%d]", field, i)
			}
			replaced, err := replace(Ref{Field: field, Kind: f.kind, Name: name})
			if err != nil {
				return nil, err
			}
			names[i] = replaced
		}
		var err error
		if f.list {
			object[f.json], err = json.Marshal(names)
		} else {
			object[f.json], err = json.Marshal(names[0])
		}
		if err != nil {
			return nil, Errorf(CodeInternal, "write the references in %s: %w", f.json, err)
		}
	}
	return json.Marshal(object)
}

// Overlay returns the spec that was asked for, completed and corrected by what
// the cloud shows. A field that the cloud leaves out keeps what was asked for.
func Overlay(asked, shown json.RawMessage) (json.RawMessage, error) {
	merged := map[string]json.RawMessage{}
	for _, raw := range []json.RawMessage{asked, shown} {
		if len(raw) == 0 || string(raw) == "null" { // null would empty the map
			continue
		}
		if err := json.Unmarshal(raw, &merged); err != nil {
			return nil, Errorf(CodeInternal, "merge specs: %w", err)
		}
	}
	return json.Marshal(merged)
}

func reflectElem(pointer any) reflect.Type { return reflect.TypeOf(pointer).Elem() }
