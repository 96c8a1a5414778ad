package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// node is a JSON value that keeps the order of its fields.
type node struct {
	raw    json.RawMessage
	object []pair
	array  []node
	scalar any // string, json.Number, bool or nil
}

type pair struct {
	key   string
	value node
}

func parseNode(raw json.RawMessage) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	n := node{raw: raw}
	token, err := dec.Token()
	if err != nil {
		return n, err
	}
	switch token {
	case json.Delim('{'):
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return n, err
			}
			value, err := parseNext(dec)
			if err != nil {
				return n, err
			}
			n.object = append(n.object, pair{key.(string), value})
		}
	case json.Delim('['):
		for dec.More() {
			item, err := parseNext(dec)
			if err != nil {
				return n, err
			}
			n.array = append(n.array, item)
		}
	default:
		n.scalar = token
	}
	return n, nil
}

func parseNext(dec *json.Decoder) (node, error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return node{}, err
	}
	return parseNode(raw)
}

func (n node) empty() bool {
	return len(n.object) == 0 && len(n.array) == 0 && (n.scalar == nil || n.scalar == "")
}

// flat reports whether the value fits on one line.
func (n node) flat() bool {
	for _, item := range n.array {
		if len(item.object) > 0 || len(item.array) > 0 {
			return false
		}
	}
	return len(n.object) == 0
}

func (n node) line() string {
	if len(n.array) > 0 {
		parts := make([]string, len(n.array))
		for i, item := range n.array {
			parts[i] = item.line()
		}
		return strings.Join(parts, ", ")
	}
	if n.scalar == nil {
		return ""
	}
	return fmt.Sprint(n.scalar)
}

// printView shows one object for people, a line for each field and without what is
// empty. typ, unless nil, is the Go type of the object: a value that has a short form
// is shown in it.
func (a *app) printView(v any, typ reflect.Type) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	n, err := parseNode(raw)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	var b strings.Builder
	a.viewObject(&b, n, typ, "")
	return a.write(b.String())
}

func (a *app) viewObject(b *strings.Builder, n node, typ reflect.Type, indent string) {
	longest := 0
	for _, m := range n.object {
		if !m.value.empty() && m.value.flat() {
			longest = max(longest, width(clean(m.key)))
		}
	}
	for _, m := range n.object {
		fieldType := fieldOf(typ, m.key)
		key := clean(m.key) + ":"
		switch {
		case m.value.empty():
		case m.value.flat():
			text := clean(m.value.line())
			if at, err := time.Parse(time.RFC3339, text); err == nil {
				distance := age(a.env.Now(), at) + " ago"
				if ahead := at.Sub(a.env.Now()); ahead > time.Minute { // more than clocks differ
					distance = "in " + age(at, a.env.Now())
				}
				text = at.Local().Format("2006-01-02 15:04:05 MST") + " (" + distance + ")"
			}
			fmt.Fprintf(b, "%s%s%s%s\n", indent, key, strings.Repeat(" ", longest+2-width(key)), text)
		case len(m.value.object) > 0:
			fmt.Fprintf(b, "%s%s\n", indent, key)
			a.viewObject(b, m.value, fieldType, indent+"  ")
		default:
			fmt.Fprintf(b, "%s%s\n", indent, key)
			for _, item := range m.value.array {
				if short, ok := shortForm(item.raw, fieldType); ok {
					fmt.Fprintf(b, "%s  %s\n", indent, clean(short))
					continue
				}
				var block strings.Builder
				a.viewObject(&block, item, elemOf(fieldType), indent+"    ")
				fmt.Fprintf(b, "%s  - %s", indent, strings.TrimPrefix(block.String(), indent+"    "))
			}
		}
	}
}

// fieldOf is the type of a field by its JSON name, or nil if it is not known.
func fieldOf(t reflect.Type, name string) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		if resource.JSONName(f) == name {
			return f.Type
		}
	}
	return nil
}

func elemOf(t reflect.Type) reflect.Type {
	if t == nil || t.Kind() != reflect.Slice {
		return nil
	}
	return t.Elem()
}

// shortForm is the text of a list's item whose type can be written in one, such as a
// rule.
func shortForm(raw json.RawMessage, list reflect.Type) (string, bool) {
	elem := elemOf(list)
	if elem == nil {
		return "", false
	}
	value := reflect.New(elem)
	if json.Unmarshal(raw, value.Interface()) != nil {
		return "", false
	}
	s, ok := value.Interface().(fmt.Stringer)
	if !ok {
		return "", false
	}
	return s.String(), true
}
