package resource

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Ref is one reference from a resource to another of the same connection.
type Ref struct {
	Field string // path in the request, such as spec.subnet or spec.nodeGroups[0].keypair
	Kind  string // kind of the resource referred to
	Name  string // its name in the API, its cloud id towards a driver
	Weak  bool   // the one referred to can be deleted all the same
	Loose bool   // clouds delete the one referred to all the same; only the server refuses
	Owner bool   // the one referred to is what the resource is a part of
}

// refField is a field that holds references, or structs that hold some. A field
// with references has the struct tag ref with a kind's name; ",weak" after it says
// that the reference does not keep what it refers to, ",loose" that it does so only here,
// ",only" that the one referred to has one of the kind at a time, ",owner" that the resource
// is a part of what it refers to.
type refField struct {
	json  string
	kind  string
	weak  bool
	loose bool
	only  bool
	owner bool
	list  bool
	below []refField // of a struct or of a list's structs
}

func refFields(t reflect.Type) []refField {
	var fields []refField
	for f := range t.Fields() {
		field := refField{json: JSONName(f), list: f.Type.Kind() == reflect.Slice}
		elem := f.Type
		for elem.Kind() == reflect.Slice || elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if tag := f.Tag.Get("ref"); tag != "" {
			kind, option, _ := strings.Cut(tag, ",")
			field.kind, field.weak, field.loose = kind, option == "weak", option == "loose"
			field.only, field.owner = option == "only", option == "owner"
		} else if elem.Kind() == reflect.Struct {
			field.below = refFields(elem)
		}
		if field.kind != "" || field.below != nil {
			fields = append(fields, field)
		}
	}
	return fields
}

// JSONName is the name of a struct field in JSON.
func JSONName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// RefKind is the kind that a struct field refers to, or "".
func RefKind(f reflect.StructField) string {
	kind, _, _ := strings.Cut(f.Tag.Get("ref"), ",")
	return kind
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

// StatusRefs returns what a status refers to.
func (k *Kind) StatusRefs(status json.RawMessage) ([]Ref, error) {
	var refs []Ref
	_, err := k.MapStatusRefs(status, func(r Ref) (string, error) {
		refs = append(refs, r)
		return r.Name, nil
	})
	return refs, err
}

// RefersTo reports whether specs of the kind can refer to resources of another kind.
func (k *Kind) RefersTo(kind string) bool { return slices.Contains(kindsOf(k.refs), kind) }

// ShownBy returns the names of the kinds whose status refers to resources of a kind.
func ShownBy(kind string) []string {
	var names []string
	for _, k := range Kinds() {
		if slices.Contains(kindsOf(k.statusRefs), kind) {
			names = append(names, k.Name)
		}
	}
	return names
}

// HasOne reports whether another kind's resources have one of this kind at a time, so that
// clouds may take from one what it had before.
func (k *Kind) HasOne(kind string) bool {
	return slices.ContainsFunc(k.statusRefs, func(f refField) bool { return f.kind == kind && f.only })
}

func kindsOf(fields []refField) []string {
	var kinds []string
	for _, f := range fields {
		kinds = append(append(kinds, f.kind), kindsOf(f.below)...)
	}
	return kinds
}

// Owner returns what a resource with the spec is a part of, "" if its kind has no owner.
func (k *Kind) Owner(spec json.RawMessage) (string, error) {
	if !slices.ContainsFunc(k.refs, func(f refField) bool { return f.owner }) {
		return "", nil
	}
	refs, err := k.Refs(spec)
	for _, ref := range refs {
		if ref.Owner {
			return ref.Name, nil
		}
	}
	return "", err
}

// Parts returns the kinds whose resources are parts of one of this kind: they come under
// management with it and leave it with it, and their names are those of its parts.
func (k *Kind) Parts() []*Kind {
	return slices.DeleteFunc(Kinds(), func(part *Kind) bool {
		return !slices.ContainsFunc(part.refs, func(f refField) bool { return f.owner && f.kind == k.Name })
	})
}

// MapRefs returns the spec with each reference replaced by what replace answers:
// names become cloud ids towards a driver, cloud ids become names on the way back.
func (k *Kind) MapRefs(spec json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return mapRefs("spec", k.refs, spec, replace)
}

// MapStatusRefs does the same for a status. What a status refers to is only shown:
// it keeps nothing from being deleted.
func (k *Kind) MapStatusRefs(status json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return mapRefs("status", k.statusRefs, status, replace)
}

// MapRefs does the same for an action's parameters.
func (a *Action) MapRefs(params json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return a.params.mapRefs(params, replace)
}

// MapRefs does the same for a feed's filter.
func (f *Feed) MapRefs(filter json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return f.filter.mapRefs(filter, replace)
}

// MapEntryRefs does the same for an entry of a feed.
func (f *Feed) MapEntryRefs(entry json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return mapRefs("", f.entryRefs, entry, replace)
}

func (i input) mapRefs(raw json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if len(raw) == 0 {
		return raw, nil
	}
	return mapRefs("", i.refs, raw, replace)
}

// MapRefs does the same for what a view answered.
func (v *View) MapRefs(answer json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return mapRefs("", v.refs, answer, replace)
}

func mapRefs(at string, fields []refField, raw json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if len(fields) == 0 {
		return raw, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, Errorf(CodeInternal, "read the references of %s: %w", at, err)
	}
	for _, f := range fields {
		value, ok := object[f.json]
		if !ok || string(value) == "null" {
			continue
		}
		var err error
		if object[f.json], err = f.mapValue(join(at, f.json), value, replace); err != nil {
			return nil, err
		}
	}
	return json.Marshal(object)
}

// mapValue maps the references of one field, whose path is at.
func (f refField) mapValue(at string, value json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if !f.list {
		return f.mapItem(at, value, replace)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return nil, Errorf(CodeInternal, "read the references of %s: %w", at, err)
	}
	for i := range items {
		var err error
		if items[i], err = f.mapItem(fmt.Sprintf("%s[%d]", at, i), items[i], replace); err != nil {
			return nil, err
		}
	}
	return json.Marshal(items)
}

func (f refField) mapItem(at string, value json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	if f.kind == "" {
		return mapRefs(at, f.below, value, replace)
	}
	var name string
	if err := json.Unmarshal(value, &name); err != nil {
		return nil, Errorf(CodeInternal, "read the reference %s: %w", at, err)
	}
	if name == "" {
		return value, nil
	}
	name, err := replace(Ref{Field: at, Kind: f.kind, Name: name, Weak: f.weak, Loose: f.loose, Owner: f.owner})
	if err != nil {
		return nil, err
	}
	return json.Marshal(name)
}

// Overlay returns the spec that was asked for, completed and corrected by what
// the cloud shows. A field that the cloud leaves out, or of which it shows null or "",
// keeps what was asked for.
func Overlay(asked, shown json.RawMessage) (json.RawMessage, error) {
	merged := map[string]json.RawMessage{}
	for _, raw := range []json.RawMessage{asked, shown} {
		if len(raw) == 0 {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return nil, Errorf(CodeInternal, "merge specs: %w", err)
		}
		for field, value := range fields {
			if _, known := merged[field]; !known || string(value) != "null" && string(value) != `""` {
				merged[field] = value
			}
		}
	}
	return json.Marshal(merged)
}

func reflectElem(pointer any) reflect.Type { return reflect.TypeOf(pointer).Elem() }
