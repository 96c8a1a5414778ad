package resource

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
