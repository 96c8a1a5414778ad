package resource

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// schema is the JSON Schema of a Go type, made of its struct tags, and the check against it. It
// is what the model needs of JSON Schema and no more. The API's document is made of the same
// types by a library; a test there holds that both say the same.
type schema struct {
	Ref         string   `json:"$ref,omitempty"`
	Type        any      `json:"type,omitempty"` // a text, or a list of two if it may be null
	Description string   `json:"description,omitempty"`
	Format      string   `json:"format,omitempty"`
	Encoding    string   `json:"contentEncoding,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`
	PatternText string   `json:"patternDescription,omitempty"`
	ReadOnly    bool     `json:"readOnly,omitempty"`
	WriteOnly   bool     `json:"writeOnly,omitempty"`

	Minimum       *float64 `json:"minimum,omitempty"`
	Maximum       *float64 `json:"maximum,omitempty"`
	MinLength     *int     `json:"minLength,omitempty"`
	MaxLength     *int     `json:"maxLength,omitempty"`
	MinItems      *int     `json:"minItems,omitempty"`
	MaxItems      *int     `json:"maxItems,omitempty"`
	MinProperties *int     `json:"minProperties,omitempty"`
	MaxProperties *int     `json:"maxProperties,omitempty"`

	Items      *schema            `json:"items,omitempty"`
	Properties map[string]*schema `json:"properties,omitempty"`
	Additional any                `json:"additionalProperties,omitempty"` // of a map the schema of its values, of a struct false
	Required   []string           `json:"required,omitempty"`
	Order      []string           `json:"x-order,omitempty"`
	Kind       string             `json:"x-kind,omitempty"`
	Catalog    string             `json:"x-catalog,omitempty"`
	Completed  string             `json:"x-completed,omitempty"`

	of       reflect.Type // of a struct
	typ      string       // of JSON; "" is anything
	nullable bool
	matches  *regexp.Regexp
	target   *schema // what Ref refers to
}

// The types of JSON.
const (
	typeObject  = "object"
	typeArray   = "array"
	typeString  = "string"
	typeNumber  = "number"
	typeInteger = "integer"
	typeBoolean = "boolean"
)

const formatTime = "date-time"

// schemas are those of structs that refer to each other, by the names of their types.
type schemas map[string]*schema

func newSchema(t reflect.Type) *schema { return schemas{}.of(t) }

// JSONSchema is the JSON Schema of a Go struct, complete in itself. x-order has the
// names of an object's properties in the order in which people should see them; x-kind is
// the kind of the resources that a field names, x-catalog the catalog whose entries it
// names, and x-completed who may complete it.
func JSONSchema(t reflect.Type) json.RawMessage {
	all := schemas{}
	raw, err := json.Marshal(map[string]any{"$ref": all.of(t).Ref, "$defs": all})
	if err != nil { // a type that has no schema is a defect of the program
		panic("the schema of " + t.String() + ": " + err.Error())
	}
	return raw
}

// of answers the schema of a type; that of a struct is a reference.
func (all schemas) of(t reflect.Type) *schema {
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	s := &schema{}
	switch {
	case t == reflect.TypeFor[time.Time]():
		s.typ, s.Format = typeString, formatTime
	case t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface:
		return s
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		s.typ = typeString
	case t.Kind() == reflect.Struct:
		return all.reference(t)
	case t.Kind() == reflect.Map:
		s.typ, s.Additional = typeObject, all.of(t.Elem())
		return s
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		s.typ, s.Encoding = typeString, "base64"
	case t.Kind() == reflect.Slice:
		s.typ, s.nullable, s.Items = typeArray, true, all.of(t.Elem())
		return s
	default:
		s.typ, s.Format = scalar(t)
	}
	s.nullable = pointer
	return s
}

func scalar(t reflect.Type) (typ, format string) {
	switch t.Kind() {
	case reflect.String:
		return typeString, ""
	case reflect.Bool:
		return typeBoolean, ""
	case reflect.Int, reflect.Int64:
		return typeInteger, "int64"
	case reflect.Int32:
		return typeInteger, "int32"
	case reflect.Float64:
		return typeNumber, "double"
	}
	panic("there is no schema for the type " + t.String())
}

// packages is what stands before the names of types, those in brackets included.
var packages = regexp.MustCompile(`[\w./-]+\.|[\[\]]`)

// reference answers a reference to the schema of a struct.
func (all schemas) reference(t reflect.Type) *schema {
	name := packages.ReplaceAllString(t.Name(), "")
	s := all[name]
	switch {
	case s == nil:
		s = &schema{of: t, typ: typeObject}
		all[name] = s // before its fields, which may refer to it
		all.describe(s, t)
	case s.of != t: // a defect of the program: one of them would be checked as the other
		panic(fmt.Sprintf("the types %s and %s have the same name in one schema, %q", s.of, t, name))
	}
	return &schema{Ref: "#/$defs/" + name, typ: typeObject, target: s}
}

func (all schemas) describe(s *schema, t reflect.Type) {
	s.Properties, s.Additional = map[string]*schema{}, false
	for _, f := range reflect.VisibleFields(t) {
		name := JSONName(f)
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		field := all.field(f)
		optional := strings.Contains(f.Tag.Get("json"), "omitempty") || strings.Contains(f.Tag.Get("json"), "omitzero")
		if optional && f.Type.Kind() == reflect.Pointer {
			field.nullable = false // it is left out
		}
		if !optional && f.Tag.Get("required") != "false" {
			s.Required = append(s.Required, name)
		}
		s.Order = append(s.Order, name)
		s.Properties[name] = field
	}
}

// field answers the schema of a struct's field, with what its tags say.
func (all schemas) field(f reflect.StructField) *schema {
	s := all.of(f.Type)
	s.Description = FieldDoc(f)
	s.Kind, s.Catalog, s.Completed = RefKind(f), f.Tag.Get("catalog"), CompletedBy(f)
	s.ReadOnly, s.WriteOnly = f.Tag.Get("readOnly") == "true", writeOnly(f)
	if text, given := f.Tag.Lookup("nullable"); given {
		s.nullable = text == "true"
	}
	s.MinItems, s.MaxItems = number(f, "minItems", strconv.Atoi), number(f, "maxItems", strconv.Atoi)
	s.MinProperties, s.MaxProperties = number(f, "minProperties", strconv.Atoi), number(f, "maxProperties", strconv.Atoi)

	one := s // of a list, the tags of a value are those of its items
	if s.Items != nil {
		one = s.Items
	}
	float := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	one.Minimum, one.Maximum = number(f, "minimum", float), number(f, "maximum", float)
	one.MinLength, one.MaxLength = number(f, "minLength", strconv.Atoi), number(f, "maxLength", strconv.Atoi)
	one.PatternText = f.Tag.Get("patternDescription")
	if one.Pattern = f.Tag.Get("pattern"); one.Pattern != "" {
		one.matches = regexp.MustCompile(one.Pattern)
	}
	if values := f.Tag.Get("enum"); values != "" {
		one.Enum = strings.Split(values, ",")
	}
	return s
}

func number[T any](f reflect.StructField, tag string, parse func(string) (T, error)) *T {
	text, given := f.Tag.Lookup(tag)
	if !given {
		return nil
	}
	value, err := parse(text)
	if err != nil { // a defect of the program
		panic(fmt.Sprintf("the tag %s of %s: %v", tag, f.Name, err))
	}
	return &value
}

// MarshalJSON writes the type, which may be null or not.
func (s *schema) MarshalJSON() ([]byte, error) {
	type plain schema
	written := plain(*s)
	switch {
	case s.Ref != "" || s.typ == "":
	case s.nullable:
		written.Type = []string{s.typ, "null"}
	default:
		written.Type = s.typ
	}
	return json.Marshal(written)
}
