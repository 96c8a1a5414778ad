package resource

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// input is what is given beside the name of what is meant: the parameters of an action,
// the filter of a feed.
type input struct {
	typ    reflect.Type // nil for nothing
	schema schema
	refs   []refField
}

func inputOf[P any]() input {
	t := reflect.TypeFor[P]()
	return input{t, newSchema(t), refFields(t)}
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
