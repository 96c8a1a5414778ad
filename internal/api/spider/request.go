package spider

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// request is a call of one of CB-Spider's clients. They put what they say into the
// body, of GET and DELETE too, or into the query.
type request struct {
	*http.Request
	server *server
	query  map[string]string          // with names in lower case
	top    map[string]json.RawMessage // of the body, with names in lower case
	info   map[string]json.RawMessage // of ReqInfo, likewise
	body   []byte
}

func newRequest(s *server, r *http.Request, body []byte) (*request, error) {
	q := &request{Request: r, server: s, body: body, query: map[string]string{}}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("query", "is not well-formed: %v", err)
	}
	for key, values := range query {
		for _, text := range append(values, key) {
			if !isText(text) {
				return nil, invalid("query", "is not UTF-8 text, or contains a control character; remove it")
			}
		}
		lower := strings.ToLower(key)
		if _, twice := q.query[lower]; twice { // which of them is meant, one who checks it and one who does it must not each choose
			return nil, invalid("query", "has %s twice, spelled in two ways; send it once", shorten(lower))
		}
		q.query[lower] = values[0]
	}
	switch {
	case len(body) == 0:
		return q, nil
	case !utf8.Valid(body): // which encoding/json would mend in silence
		return nil, invalid("body", "is not UTF-8 text; send it as that")
	}
	if q.top, err = object("body", body); err != nil {
		return nil, err
	}
	if raw, ok := q.top["reqinfo"]; ok {
		q.info, err = object("ReqInfo", raw)
	}
	return q, err
}

// object reads a JSON object. Clients of CB-Spider write names as they like.
func object(field string, raw json.RawMessage) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, invalid(field, "is not a JSON object: %v", err)
	}
	lower := make(map[string]json.RawMessage, len(fields))
	for key, value := range fields {
		lower[strings.ToLower(key)] = value
	}
	return lower, nil
}

// text reads a value from ReqInfo, the body or the query, "" if it is in none.
func (r *request) text(name string) (string, error) {
	for _, from := range []map[string]json.RawMessage{r.info, r.top} {
		raw, ok := from[strings.ToLower(name)]
		if !ok {
			continue
		}
		var value text
		if err := json.Unmarshal(raw, &value); err != nil {
			return "", invalid(name, "%v", err)
		}
		if !isText(string(value)) {
			return "", invalid(name, "contains a control character; remove it")
		}
		if value != "" {
			return string(value), nil
		}
	}
	return r.query[strings.ToLower(name)], nil
}

// need reads a value that must be there.
func (r *request) need(name string) (string, error) {
	value, err := r.text(name)
	if err == nil && value == "" {
		err = &resource.Error{Code: resource.CodeInvalid, Message: name + " is empty!", Fields: []resource.Problem{{Field: name, Message: "is empty"}}}
	}
	return value, err
}

// connection is the connection that the call is about. It exists.
func (r *request) connection() (string, error) {
	name, err := r.need("ConnectionName")
	if err != nil {
		return "", err
	}
	_, err = r.server.Registry.KnownConnection(r.Context(), name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return "", noConnection(name)
	}
	return name, err
}

// param reads a part of the path.
func (r *request) param(name string) (string, error) { return param(r.Request, name) }

// forced reports whether the call is to be done by force.
func (r *request) forced() bool {
	value, _ := r.text("force") // a strange value is not true
	return strings.EqualFold(value, "true")
}

// decode reads ReqInfo.
func (r *request) decode(into any) error { return decode(r.top["reqinfo"], into, "ReqInfo") }

func decode(raw json.RawMessage, into any, what string) error {
	if len(raw) == 0 {
		return invalid(what, "is required")
	}
	err := json.Unmarshal(raw, into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return invalid(strings.TrimSuffix(what+"."+e.Field, "."), "is a %s; a %s is expected", e.Value, e.Type.Kind())
	}
	if err != nil {
		return invalid(what, "is not well-formed: %v", err)
	}
	return nil
}

// text is a value that CB-Spider's clients send as a string also if it is a number.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	switch {
	case string(raw) == "null":
		*t = ""
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*t = text(s)
	case raw[0] == '{' || raw[0] == '[':
		return errors.New("is not a text")
	default:
		*t = text(raw)
	}
	return nil
}

// chosen is the text, or "" where it leaves the choice to the cloud.
func (t text) chosen() string {
	if strings.EqualFold(string(t), "default") {
		return ""
	}
	return string(t)
}

// number is the text as a number, 0 where it leaves the choice to the cloud.
func (t text) number(field string, problems *[]resource.Problem) int {
	if t.chosen() == "" {
		return 0
	}
	n, err := strconv.Atoi(string(t))
	if err != nil {
		*problems = append(*problems, resource.Problem{Field: field, Message: strconv.QuoteToASCII(shorten(string(t))) + " is not a whole number"})
	}
	return n
}

// truth is the text as true or false.
func (t text) truth(field string, problems *[]resource.Problem) bool {
	switch strings.ToLower(string(t)) {
	case "true":
		return true
	case "false", "":
		return false
	}
	*problems = append(*problems, resource.Problem{Field: field, Message: strconv.QuoteToASCII(shorten(string(t))) + " is neither true nor false"})
	return false
}

func shorten(s string) string {
	if runes := []rune(s); len(runes) > 64 {
		return string(runes[:64]) + "…"
	}
	return s
}

// async reports whether the client wants the operation instead of what comes out of
// it (RFC 7240).
func (r *request) async() bool {
	for _, value := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(preference), "respond-async") {
				return true
			}
		}
	}
	return false
}

// wait answers the operation when it has ended. It goes on if the client goes away.
func (r *request) wait(op *api.Operation) (*api.Operation, error) {
	ended, err := r.server.Engine.Wait(r.Context(), op.ID, longest)
	switch {
	case err != nil && r.Context().Err() == nil:
		return nil, err
	case err != nil || !ended.State.Ended():
		return nil, resource.Errorf(resource.CodeUnavailable, "nobody waits for the operation %s any more; it goes on", op.ID)
	case ended.State == api.OperationSucceeded:
		return ended, nil
	}
	return ended, r.failure(ended)
}

// failure is why an operation did not reach its goal: of several, the first that did
// not.
func (r *request) failure(op *api.Operation) error {
	if op.Items == nil {
		return op.Error
	}
	parts, _, err := r.server.Engine.Operations(r.Context(), partsOf(op.ID))
	if err != nil {
		return err
	}
	for _, part := range parts {
		if part.Error != nil && part.State.Ended() && part.Error.Code != resource.CodeDependency {
			return part.Error
		}
	}
	for _, part := range parts {
		if part.Error != nil && part.State.Ended() {
			return part.Error
		}
	}
	return op.Error
}

// accepted answers the operation to clients that do not wait.
func accepted(op *api.Operation) answer {
	return answer{status: http.StatusAccepted, body: op, header: map[string]string{
		"Preference-Applied": "respond-async", "Location": "/v1/operations/" + op.ID,
	}}
}
