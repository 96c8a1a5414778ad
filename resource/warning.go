package resource

// Warning is something that whoever asked for a change should know although it is done.
type Warning struct {
	Rule    WarningRule `json:"rule,omitempty" doc:"What kind of thing it is, for clients that say it in their own words. Absent where none of these says it." enum:"ignored,adapted,left,exposed,deprecated"`
	Message string      `json:"message" doc:"What it is, and what to do about it."`
}

// WarningRule is what kind of thing a warning is about, as one of a closed set.
type WarningRule string

// The closed set of kinds of warnings.
const (
	WarnIgnored    WarningRule = "ignored"    // something that was asked for means nothing there, and was left out
	WarnAdapted    WarningRule = "adapted"    // something was made otherwise than it was asked for
	WarnLeft       WarningRule = "left"       // something is left on the cloud
	WarnExposed    WarningRule = "exposed"    // something can be reached by everyone
	WarnDeprecated WarningRule = "deprecated" // something is still there, and will not be for long
)

// WarningRules returns every kind of warning.
func WarningRules() []WarningRule {
	return []WarningRule{WarnIgnored, WarnAdapted, WarnLeft, WarnExposed, WarnDeprecated}
}
