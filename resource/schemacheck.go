package resource

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// problems says what of a value, as encoding/json reads one, is not as the schema has it.
func (s *schema) problems(at string, value any) []Problem {
	if s.target != nil {
		s = s.target
	}
	if s.typ == "" || (value == nil && s.nullable) {
		return nil
	}
	if typ := typeOf(value); typ != s.typ && (typ != typeInteger || s.typ != typeNumber) {
		return []Problem{{Field: at, Message: "expected " + s.typ, Rule: RuleType, Limit: s.typ}}
	}
	var problems []Problem
	switch value := value.(type) {
	case float64:
		problems = limits(at, "number", value, limit[float64]{s.Minimum, RuleMinimum}, limit[float64]{s.Maximum, RuleMaximum})
	case string:
		problems = s.textProblems(at, value)
	case []any:
		problems = limits(at, "array length", len(value), limit[int]{s.MinItems, RuleMinItems}, limit[int]{s.MaxItems, RuleMaxItems})
		for i, item := range value {
			problems = append(problems, s.Items.problems(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	case map[string]any:
		problems = limits(at, "number of fields", len(value), limit[int]{s.MinProperties, ""}, limit[int]{s.MaxProperties, ""})
		problems = append(problems, s.fieldProblems(at, value)...)
	}
	return problems
}

func typeOf(value any) string {
	switch value := value.(type) {
	case bool:
		return typeBoolean
	case string:
		return typeString
	case float64:
		if value == math.Trunc(value) {
			return typeInteger
		}
		return typeNumber
	case []any:
		return typeArray
	case map[string]any:
		return typeObject
	}
	return "null"
}

// limit is how much something may be, nil for anything, and the rule that says so.
type limit[T cmp.Ordered] struct {
	value *T
	rule  ProblemRule
}

func limits[T cmp.Ordered](at, what string, value T, least, most limit[T]) []Problem {
	var problems []Problem
	add := func(broken bool, sign string, l limit[T]) {
		if !broken {
			return
		}
		text := plain(*l.value)
		p := Problem{Field: at, Message: fmt.Sprintf("expected %s %s %s", what, sign, text), Rule: l.rule}
		if l.rule != "" {
			p.Limit = text
		}
		problems = append(problems, p)
	}
	add(least.value != nil && value < *least.value, ">=", least)
	add(most.value != nil && value > *most.value, "<=", most)
	return problems
}

// plain writes a limit for people: a large number has no exponent.
func plain(limit any) string {
	if number, ok := limit.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(limit)
}

func (s *schema) textProblems(at, value string) []Problem {
	problems := limits(at, "length", utf8.RuneCountInString(value), limit[int]{s.MinLength, RuleMinLength}, limit[int]{s.MaxLength, RuleMaxLength})
	add := func(rule ProblemRule, limit, format string, args ...any) {
		problems = append(problems, Problem{Field: at, Message: fmt.Sprintf(format, args...), Rule: rule, Limit: limit})
	}
	if s.matches != nil && !s.matches.MatchString(value) {
		if s.PatternText != "" {
			add(RulePattern, s.PatternText, "expected string to be %s", s.PatternText)
		} else {
			add(RulePattern, s.Pattern, "expected string to match pattern %s", s.Pattern)
		}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		values := strings.Join(s.Enum, ", ")
		add(RuleEnum, values, "expected value to be one of %q", values)
	}
	if s.Format == formatTime {
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			add("", "", "expected string to be RFC 3339 date-time")
		}
	}
	if s.Encoding != "" {
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			add("", "", "expected string to be base64 encoded")
		}
	}
	return problems
}

func (s *schema) fieldProblems(at string, value map[string]any) []Problem {
	var problems []Problem
	for _, name := range s.Order {
		field, given := value[name]
		required := slices.Contains(s.Required, name)
		switch {
		case !given && required && !s.Properties[name].ReadOnly:
			problems = append(problems, Problem{Field: join(at, name), Message: "is required", Rule: RuleRequired})
		case !given, field == nil && !required:
		default:
			problems = append(problems, s.Properties[name].problems(join(at, name), field)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(value)) {
		if s.Properties[name] != nil {
			continue
		}
		if values, open := s.Additional.(*schema); open {
			problems = append(problems, values.problems(join(at, name), value[name])...)
		} else {
			problems = append(problems, Problem{Field: join(at, name), Message: "unexpected property", Rule: RuleUnknown})
		}
	}
	return problems
}
