package resource

import (
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2/validation"
)

// ProblemRule says which rule a field breaks, as one of a closed set, so that a client can say
// it in another language or form. Problem.Limit has what the rule asks for.
type ProblemRule string

// The closed set of rules.
const (
	RuleRequired   ProblemRule = "required"   // it is missing or empty
	RuleUnknown    ProblemRule = "unknown"    // there is no such field
	RuleType       ProblemRule = "type"       // Limit is the type of JSON
	RuleMinLength  ProblemRule = "minLength"  // Limit in characters
	RuleMaxLength  ProblemRule = "maxLength"  // Limit in characters
	RuleMinimum    ProblemRule = "minimum"    // Limit is the smallest number
	RuleMaximum    ProblemRule = "maximum"    // Limit is the largest number
	RuleMinItems   ProblemRule = "minItems"   // Limit is a number of items
	RuleMaxItems   ProblemRule = "maxItems"   // Limit is a number of items
	RuleEnum       ProblemRule = "enum"       // Limit has the values, with commas between
	RulePattern    ProblemRule = "pattern"    // Limit is a regular expression, or says what is expected
	RuleFormat     ProblemRule = "format"     // Limit is an example
	RulePrefix     ProblemRule = "prefix"     // bits are set beyond the prefix of a range; Limit is the range that may be meant
	RuleOutside    ProblemRule = "outside"    // Limit is the range that it must be in
	RuleDuplicate  ProblemRule = "duplicate"  // Limit is the other place
	RuleExclusive  ProblemRule = "exclusive"  // Limit is the field that it goes not together with
	RuleMissing    ProblemRule = "missing"    // it names what is not there; Limit is kind and name
	RuleCharacters ProblemRule = "characters" // it has characters that nothing can hold
)

// ProblemRules returns every rule.
func ProblemRules() []ProblemRule {
	return []ProblemRule{
		RuleRequired, RuleUnknown, RuleType, RuleMinLength, RuleMaxLength, RuleMinimum, RuleMaximum, RuleMinItems, RuleMaxItems,
		RuleEnum, RulePattern, RuleFormat, RulePrefix, RuleOutside, RuleDuplicate, RuleExclusive, RuleMissing, RuleCharacters,
	}
}

// SchemaProblem is what the validation of a JSON Schema found at a field.
func SchemaProblem(field, message string) Problem {
	p := Problem{Field: field, Message: message}
	var missing string
	if n, _ := fmt.Sscanf(message, validation.MsgExpectedRequiredProperty, &missing); n == 1 {
		return Problem{Field: join(field, missing), Message: "is required", Rule: RuleRequired}
	}
	for _, said := range []struct {
		template string
		rule     ProblemRule
	}{
		{validation.MsgUnexpectedProperty, RuleUnknown},
		{validation.MsgExpectedMinLength, RuleMinLength},
		{validation.MsgExpectedMaxLength, RuleMaxLength},
		{validation.MsgExpectedMinimumNumber, RuleMinimum},
		{validation.MsgExpectedMaximumNumber, RuleMaximum},
		{validation.MsgExpectedMinItems, RuleMinItems},
		{validation.MsgExpectedMaxItems, RuleMaxItems},
		{validation.MsgExpectedOneOf, RuleEnum},
		{validation.MsgExpectedMatchPattern, RulePattern},
		{validation.MsgExpectedBePattern, RulePattern},
	} {
		if limit, ok := filledIn(said.template, message); ok {
			p.Rule, p.Limit = said.rule, limit
			return p
		}
	}
	for typ, text := range map[string]string{
		"string": validation.MsgExpectedString, "number": validation.MsgExpectedNumber, "integer": validation.MsgExpectedInteger,
		"boolean": validation.MsgExpectedBoolean, "array": validation.MsgExpectedArray, "object": validation.MsgExpectedObject,
	} {
		if message == text {
			p.Rule, p.Limit = RuleType, typ
		}
	}
	return p
}

// filledIn answers what stands in a text for the one verb of its template.
func filledIn(template, text string) (string, bool) {
	before, after, has := strings.Cut(template, "%")
	if !has {
		return "", text == template
	}
	value, ok := strings.CutPrefix(text, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(value, after[1:]) // behind the verb's letter
}
