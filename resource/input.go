package resource

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// input is what is given beside the name of what is meant: the parameters of an action
// or a view, the filter of a feed.
type input struct {
	typ    reflect.Type // nil for nothing
	schema *schema
	refs   []refField
	hidden []string // fields that are only written
}

func inputOf[P any]() input {
	t := reflect.TypeFor[P]()
	return input{t, newSchema(t), refFields(t), writeOnlyFields(t)}
}

// parse checks what a user gave, and fills the defaults. whose is what it was given to,
// for people.
func (i input) parse(whose string, body []byte) (json.RawMessage, error) {
	if i.typ == nil {
		if len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "{}" {
			return nil, nil
		}
		return nil, Invalid(Problem{Field: "body", Message: whose + " takes no parameters; send no body"})
	}
	value := reflect.New(i.typ).Interface()
	if err := i.schema.decode(body, value); err != nil {
		return nil, err
	}
	if v, ok := value.(validator); ok {
		if err := Invalid(v.Problems("")...); err != nil {
			return nil, err
		}
	}
	return json.Marshal(value)
}

// fromQuery makes JSON of the query of an address. What is no number, or true or false,
// where its field is one, stays a text, and a value that is given twice a list, for parse to
// refuse with the name of the field.
func (i input) fromQuery(query map[string][]string) (json.RawMessage, error) {
	object := map[string]any{}
	for name, values := range query {
		kind := reflect.String
		for f := range i.typ.Fields() {
			if JSONName(f) == name {
				kind = f.Type.Kind()
			}
		}
		switch {
		case kind == reflect.Slice:
			object[name] = strings.Split(strings.Join(values, ","), ",")
		case len(values) > 1:
			object[name] = values
		case kind != reflect.String && json.Valid([]byte(values[0])):
			object[name] = json.RawMessage(values[0])
		default:
			object[name] = values[0]
		}
	}
	return json.Marshal(object)
}
