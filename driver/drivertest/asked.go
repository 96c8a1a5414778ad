package drivertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// checkAsked: what was not asked for may be chosen, and what was asked for be changed, only
// in fields whose description says so. Declarative clients rely on that.
func checkAsked(t *try) {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var asked, shows map[string]any
	for raw, into := range map[*json.RawMessage]*map[string]any{&t.root.made[t.kind].asked: &asked, &item.Spec: &shows} {
		if err := json.Unmarshal(*raw, into); err != nil {
			t.Fatalf("the spec is no object: %v", err)
		}
	}
	for _, wrong := range differences("spec", kind.SpecType(), asked, shows) {
		t.Errorf("%s", wrong)
	}
}

// differences are those between what was asked for and what is shown, but for fields that
// may be completed and those that are not shown.
func differences(at string, typ reflect.Type, asked, shows map[string]any) []string {
	var wrong []string
	for f := range typ.Fields() {
		name := resource.JSONName(f)
		value, shown := shows[name]
		if resource.CompletedBy(f) != "" || !shown || nothing(value) {
			continue
		}
		path := at + "." + name
		elem := f.Type
		for elem.Kind() == reflect.Slice || elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		wanted, object := asked[name].(map[string]any)
		items, list := asked[name].([]any)
		switch {
		case object && elem.Kind() == reflect.Struct:
			inner, _ := value.(map[string]any)
			wrong = append(wrong, differences(path, elem, wanted, inner)...)
		case list && elem.Kind() == reflect.Struct:
			shown, _ := value.([]any)
			wrong = append(wrong, differencesOfLists(path, elem, items, shown)...)
		case !agrees(asked[name], value) || !agrees(value, asked[name]):
			wrong = append(wrong, fmt.Sprintf("it shows %s as %s, asked was %s; a field that a cloud may complete says so, by the struct tag completed", path, compact(value), compact(asked[name])))
		}
	}
	return wrong
}

// differencesOfLists compares objects with those of the same name, whatever their order.
func differencesOfLists(at string, typ reflect.Type, asked, shows []any) []string {
	byName := func(items []any) map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, item := range items {
			if fields, ok := item.(map[string]any); ok {
				all[fmt.Sprint(fields["name"])] = fields
			}
		}
		return all
	}
	wanted, shown := byName(asked), byName(shows)
	if len(wanted) != len(shown) {
		return []string{fmt.Sprintf("it shows %d of %s, asked was for %d", len(shown), at, len(wanted))}
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		wrong = append(wrong, differences(at+"["+name+"]", typ, wanted[name], shown[name])...)
	}
	return wrong
}

// nothing reports whether a value is that of a field which is left out.
func nothing(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return reflect.ValueOf(value).IsZero()
	}
}
