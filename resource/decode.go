package resource

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxProblems is how many wrong fields one answer names.
const maxProblems = 20

// Decode reads a user's JSON into value, a pointer to a struct, by the rules that
// hold everywhere: well-formed, no unknown fields, right types and limits, no
// control characters. Field names count as they are written; otherwise a check could read
// "name" where encoding/json reads "NAME". The error has code invalid and names the fields.
func Decode(body []byte, value any) error {
	return newSchema(reflectElem(value)).decode(body, value)
}

func (s *schema) decode(body []byte, value any) error {
	if !utf8.Valid(body) { // which encoding/json would mend in silence
		return Invalid(Problem{Field: "body", Message: "is not UTF-8 text"})
	}
	var parsed any
	if len(bytes.TrimSpace(body)) == 0 {
		parsed = map[string]any{}
		body = []byte("{}")
	} else if err := unmarshalOne(body, &parsed); err != nil {
		return Invalid(Problem{Field: "body", Message: "not well-formed JSON: " + err.Error()})
	}
	if parsed == nil {
		return Invalid(Problem{Field: "body", Message: "expected a JSON object, got null", Rule: RuleType, Limit: "object"})
	}
	problems := s.problems("", parsed)
	for i := range problems {
		problems[i].Field = shorten(cmp.Or(problems[i].Field, "body"), 128)
	}
	if len(problems) == 0 { // what follows walks the value, whose shape is known now
		problems = append(doubleProblems(body), textProblems("", parsed)...)
	}
	if err := Invalid(problems[:min(len(problems), maxProblems)]...); err != nil {
		return err
	}
	if err := json.Unmarshal(body, value); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" { // 2e1 and the like
			return Invalid(Problem{Field: e.Field, Message: "expected " + e.Type.String() + ", got a " + e.Value})
		}
		return Invalid(Problem{Field: "body", Message: err.Error()})
	}
	return nil
}

// unmarshalOne reads exactly one JSON value.
func unmarshalOne(body []byte, value any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(value); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("it ends too early")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more follows after the first value, at byte %d", dec.InputOffset())
	}
	return nil
}

// doubleProblems finds fields that are given twice. Readers of JSON differ in which
// one they take, so that a check could see another value than its user.
func doubleProblems(body []byte) []Problem {
	var problems []Problem
	dec := json.NewDecoder(bytes.NewReader(body)) // known to be well-formed, and so not too deep
	dec.UseNumber()
	var read func(at string)
	read = func(at string) {
		token, err := dec.Token()
		if err != nil {
			return
		}
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for dec.More() {
				token, _ := dec.Token()
				key, _ := token.(string)
				path := join(at, printable(key))
				if seen[key] {
					problems = append(problems, Problem{Field: path, Message: "given twice; give it once", Rule: RuleDuplicate, Limit: path})
				}
				seen[key] = true
				read(path)
			}
			_, _ = dec.Token()
		case json.Delim('['):
			for i := 0; dec.More(); i++ {
				read(fmt.Sprintf("%s[%d]", at, i))
			}
			_, _ = dec.Token()
		}
	}
	read("")
	return problems
}

// textProblems finds control characters, which no database, cloud or terminal
// treats alike.
func textProblems(at string, value any) []Problem {
	var problems []Problem
	switch v := value.(type) {
	case string:
		if i := strings.IndexFunc(v, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
		}); i >= 0 {
			problems = append(problems, Problem{Field: at, Message: "contains a control character; remove it", Rule: RuleCharacters})
		}
	case []any:
		for i, item := range v {
			problems = append(problems, textProblems(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			problems = append(problems, textProblems(join(at, printable(key)), key)...)
			problems = append(problems, textProblems(join(at, printable(key)), v[key])...)
		}
	}
	return problems
}

// labelKey is what every cloud with tags accepts in a key.
var labelKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$`)

// LabelProblems finds what is wrong with labels, which are at a place of a request.
func LabelProblems(at string, labels map[string]string) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case !labelKey.MatchString(key):
			problems = append(problems, Problem{Field: at, Message: fmt.Sprintf("the key %q is not 1 to 63 letters, digits, '.', '_', '/' or '-' beginning with a letter or digit", printable(key))})
		case ownKey(key):
			problems = append(problems, Problem{Field: join(at, key), Message: "keys that begin with mcic are kept for the server; choose another"})
		case len(labels[key]) > 255:
			problems = append(problems, Problem{Field: join(at, key), Message: "the value is longer than 255 bytes", Rule: RuleMaxLength, Limit: "255"})
		}
	}
	return problems
}

// ownKey reports whether tags with a key are the server's own, such as that of the token.
func ownKey(key string) bool { return strings.HasPrefix(strings.ToLower(key), "mcic") }

// printable shortens and cleans a user's text for use inside a message.
func printable(s string) string { return shorten(s, 64) }

func shorten(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return s
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func joinNames[T any](items []T, name func(T) string) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
