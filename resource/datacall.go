package resource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// DataCall is something that is done with what a resource holds, such as the objects of a
// bucket or the messages of a queue. That is neither recorded nor managed: a call goes to the
// cloud once, and what it answers is kept nowhere.
type DataCall struct {
	Name   string  // "send"
	Doc    string  // what it does, in one sentence
	Method string  // of its route; what is called by GET leaves the data as it is, or Takes
	Path   string  // of its route, below the resource: "messages"
	Takes  bool    // whether what one gets is taken from others for a while, so that only GET gets it
	Single *Single // its route for one of those that it takes several of; nil for none

	params  input
	answer  reflect.Type
	signs   bool
	offered func(collection reflect.Type) bool
	do      func(ctx context.Context, collection any, id string, params json.RawMessage) (any, error)
}

// Single is a route to a data call for one of those that it takes several of. It fails if
// that one does.
type Single struct {
	Name   string // "deletemessage"
	Doc    string
	Method string
	Path   string // ends with a parameter in braces, or its parameters are in the query

	params  input
	several func(params json.RawMessage) (json.RawMessage, error)
}

// Batch is implemented by the answers of data calls that take several things, of which some
// may fail.
type Batch interface {
	several
	// Failures are the errors of those that failed.
	Failures() []*Error
}

// several is implemented by parameters and answers of data calls that take several things.
type several interface {
	// Len is how many they are.
	Len() int
}

// ParamsType is the Go type of the parameters.
func (c *DataCall) ParamsType() reflect.Type { return c.params.typ }

// AnswerType is the Go type of the answer.
func (c *DataCall) AnswerType() reflect.Type { return c.answer }

// Signs reports whether it answers a request for somebody else to send.
func (c *DataCall) Signs() bool { return c.signs }

// Offered reports whether a driver's collections of a type implement the call.
func (c *DataCall) Offered(collection reflect.Type) bool { return c.offered(collection) }

// ParseParams checks parameters as a user sent them.
func (c *DataCall) ParseParams(body []byte) (json.RawMessage, error) {
	return c.params.parse(c.Name, body)
}

// GivenParams makes parameters of the query of an address and of a body, for ParseParams to
// check. A field is in one of them.
func (c *DataCall) GivenParams(query map[string][]string, body []byte) (json.RawMessage, error) {
	if len(query) == 0 {
		return body, nil
	}
	raw, err := c.params.fromQuery(query)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return raw, err
	}
	var fields, more map[string]json.RawMessage
	if err := Decode(body, &map[string]any{}); err != nil {
		return nil, err
	}
	if err := errors.Join(json.Unmarshal(body, &fields), json.Unmarshal(raw, &more)); err != nil {
		return nil, Invalid(Problem{Field: "body", Message: err.Error()})
	}
	for name, value := range more {
		if _, twice := fields[name]; twice {
			return nil, Invalid(Problem{Field: name, Message: "given twice, in the query and in the body; give it once", Rule: RuleDuplicate, Limit: name})
		}
		fields[name] = value
	}
	return json.Marshal(fields)
}

// QueryOf writes parameters as the query of an address, as GivenParams reads it.
func (c *DataCall) QueryOf(params json.RawMessage) (map[string][]string, error) {
	query := map[string][]string{}
	if len(params) == 0 {
		return query, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(params, &fields); err != nil {
		return nil, Invalid(Problem{Field: "body", Message: "not well-formed JSON: " + err.Error()})
	}
	for name, value := range fields {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		query[name] = []string{text}
	}
	return query, nil
}

// Failure is why the only one of several things failed that an answer is about; nil if it did
// not.
func (c *DataCall) Failure(raw json.RawMessage) error {
	answer, err := c.Answer(raw)
	if err != nil {
		return Errorf(CodeInternal, "read the answer of %s: %w", c.Name, err)
	}
	if b, ok := answer.(Batch); ok && len(b.Failures()) > 0 {
		return b.Failures()[0]
	}
	return nil
}

// MapRefs returns the parameters with each reference replaced by what replace answers.
func (c *DataCall) MapRefs(params json.RawMessage, replace func(Ref) (string, error)) (json.RawMessage, error) {
	return c.params.mapRefs(params, replace)
}

// About names what of the data a call is about, such as the keys of objects, for a record of
// it: the first few, and no data.
func (c *DataCall) About(params json.RawMessage) string {
	value := reflect.New(c.params.typ)
	about, ok := value.Interface().(interface{ About() []string })
	if !ok || json.Unmarshal(params, value.Interface()) != nil {
		return ""
	}
	names := about.About()
	const few = 5
	text := strings.Join(names[:min(few, len(names))], ", ")
	if more := len(names) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Call runs the call on a driver's collection.
func (c *DataCall) Call(ctx context.Context, collection any, id string, params json.RawMessage) (any, error) {
	if !c.offered(reflect.TypeOf(collection)) {
		return nil, Errorf(CodeUnsupported, "this driver does not offer %q", c.Name)
	}
	return c.do(ctx, collection, id, params)
}

// Answer reads an answer as a driver gave it. A list that is empty may have been left out,
// and is there then.
func (c *DataCall) Answer(raw json.RawMessage) (any, error) { return answerOf(c.answer, raw) }

// answerOf reads an answer of a type.
func answerOf(typ reflect.Type, raw json.RawMessage) (any, error) {
	answer := reflect.New(typ)
	err := json.Unmarshal(raw, answer.Interface())
	for f, value := range answer.Elem().Fields() {
		if value.Kind() == reflect.Slice && value.IsNil() && f.Tag.Get("nullable") == "false" {
			value.Set(reflect.MakeSlice(f.Type, 0, 0))
		}
	}
	return answer.Elem().Interface(), err
}

// Answered reads the answer to a call with these parameters. One that says nothing of some
// of several things is refused: they would count as done.
func (c *DataCall) Answered(params, raw json.RawMessage) (any, error) {
	answer, err := c.Answer(raw)
	if b, ok := answer.(Batch); ok && err == nil {
		asked := reflect.New(c.params.typ).Interface()
		if err = json.Unmarshal(params, asked); err == nil && b.Len() != asked.(several).Len() {
			err = fmt.Errorf("it says of %d what became of them, and was asked for %d", b.Len(), asked.(several).Len())
		}
	}
	return answer, err
}

// ParamsType is the Go type of the parameters.
func (s *Single) ParamsType() reflect.Type { return s.params.typ }

// Params makes parameters for the call of those that were given in the path and the query.
func (s *Single) Params(given map[string][]string) (json.RawMessage, error) {
	raw, err := s.params.fromQuery(given)
	if err == nil {
		raw, err = s.params.parse(s.Name, raw)
	}
	if err != nil {
		return nil, err
	}
	return s.several(raw)
}

// dataCall describes a data call with parameters of type P and answers of type R. C is the
// interface that a driver's collection implements to offer it; do is its method.
func dataCall[C, P, R any](c DataCall, do func(C, context.Context, string, P) (R, error)) DataCall {
	c.params = inputOf[P]()
	c.answer = reflect.TypeFor[R]()
	c.offered = offers[C]
	c.do = func(ctx context.Context, collection any, id string, raw json.RawMessage) (any, error) {
		var params P
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, Errorf(CodeInvalid, "decode the parameters of %s: %w", c.Name, err)
		}
		return do(collection.(C), ctx, id, params)
	}
	return c
}

// signingCall is a data call whose answer is a request for somebody else to send.
func signingCall[C, P, R any](c DataCall, do func(C, context.Context, string, P) (R, error)) DataCall {
	c.signs = true
	return dataCall(c, do)
}

// single describes the route for one O of those that parameters of type P hold.
func single[O, P any](s Single, several func(O) P) *Single {
	s.params = inputOf[O]()
	s.several = func(raw json.RawMessage) (json.RawMessage, error) {
		var one O
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, Errorf(CodeInvalid, "decode the parameters of %s: %w", s.Name, err)
		}
		return json.Marshal(several(one))
	}
	return &s
}

// DataCall returns the data call of that name.
func (k *Kind) DataCall(name string) (*DataCall, error) {
	for i := range k.Data {
		if k.Data[i].Name == name {
			return &k.Data[i], nil
		}
	}
	return nil, Errorf(CodeUnsupported, "%s has no data call %q; it has: %s", k.Name, name, joinNames(k.Data, func(c DataCall) string { return c.Name }))
}

// Signing returns the data call that signs requests, nil if the kind has none.
func (k *Kind) Signing() *DataCall {
	for i := range k.Data {
		if k.Data[i].signs {
			return &k.Data[i]
		}
	}
	return nil
}
