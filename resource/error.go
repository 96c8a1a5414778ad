package resource

import (
	"errors"
	"fmt"
	"strings"
)

// Code says what went wrong, as one of a closed set that is the same in drivers,
// operations, HTTP answers and exit codes.
type Code string

// The closed set of error codes.
const (
	CodeInvalid         Code = "invalid"         // the request is wrong; see Fields
	CodeNotFound        Code = "not_found"       // the thing named does not exist
	CodeAlreadyExists   Code = "already_exists"  // the name or id is taken
	CodeConflict        Code = "conflict"        // not possible in the present state, or another change is running
	CodeDependency      Code = "dependency"      // something else uses it, or something it needs is not usable
	CodeQuota           Code = "quota"           // a limit of the account or region is reached
	CodeCapacity        Code = "capacity"        // the cloud has none left of it there now; another zone, type or time may do
	CodeUnauthenticated Code = "unauthenticated" // the credential or token is missing or wrong
	CodeDenied          Code = "denied"          // the credential is known, but lacks the permission
	CodeThrottled       Code = "throttled"       // too many calls; try again later
	CodeUnavailable     Code = "unavailable"     // not reachable or temporarily failing; try again later
	CodeUnsupported     Code = "unsupported"     // this cloud or driver does not offer it
	CodeInternal        Code = "internal"        // a defect in the driver or the server
)

// Codes returns every error code.
func Codes() []Code {
	return []Code{
		CodeInvalid, CodeNotFound, CodeAlreadyExists, CodeConflict, CodeDependency, CodeQuota, CodeCapacity,
		CodeUnauthenticated, CodeDenied, CodeThrottled, CodeUnavailable, CodeUnsupported, CodeInternal,
	}
}

// Error is the one error type that crosses the project's boundaries.
type Error struct {
	Code      Code        `json:"code" doc:"What went wrong, one of a closed set." enum:"invalid,not_found,already_exists,conflict,dependency,quota,capacity,unauthenticated,denied,throttled,unavailable,unsupported,internal"`
	Message   string      `json:"message" doc:"What happened, why, and what to do next."`
	Retryable bool        `json:"retryable" doc:"Whether the same request can succeed later without a change."`
	Fields    []Problem   `json:"fields,omitempty" doc:"For the code invalid: the fields that are wrong; for unsupported those that the cloud can do nothing with."`
	Cloud     *CloudError `json:"cloud,omitempty" doc:"The cloud's own account of the failure, when it came from a cloud."`

	cause error
}

// Problem is one field that failed validation.
type Problem struct {
	Field   string      `json:"field" doc:"Path of the field in the request body, such as spec.rules[0].fromPort."`
	Message string      `json:"message" doc:"What is wrong with it and what would be right."`
	Rule    ProblemRule `json:"rule,omitempty" doc:"The rule that it breaks, for clients that say it in their own words. Absent where none of these says it." enum:"required,unknown,type,minLength,maxLength,minimum,maximum,minItems,maxItems,enum,pattern,format,prefix,outside,duplicate,exclusive,missing,characters"`
	Limit   string      `json:"limit,omitempty" doc:"What the rule asks for: the smallest number, the values that there are, an example of the format, the range to be in, the field that it goes against or the kind and name that are missing."`
}

// CloudError is what the cloud itself said.
type CloudError struct {
	Code      string `json:"code,omitempty" doc:"The cloud's own error code, such as InvalidVpcID.NotFound."`
	Message   string `json:"message,omitempty" doc:"The cloud's own message."`
	RequestID string `json:"requestId,omitempty" doc:"The cloud's id of the failed request, for its support."`
}

// Errorf returns an error with a code. %w keeps the cause for errors.Is and As.
// Whether a retry can help follows from the code: throttled and unavailable.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{
		Code:      code,
		Message:   err.Error(),
		Retryable: code == CodeThrottled || code == CodeUnavailable,
		cause:     errors.Unwrap(err),
	}
}

// Invalid returns an error with code invalid that names the wrong fields, or nil
// if there is none.
func Invalid(problems ...Problem) error {
	if len(problems) == 0 {
		return nil
	}
	parts := make([]string, len(problems))
	for i, p := range problems {
		parts[i] = p.Field + ": " + p.Message
	}
	return &Error{Code: CodeInvalid, Message: strings.Join(parts, "; "), Fields: problems}
}

// Error implements error.
func (e *Error) Error() string {
	if e.Cloud == nil || (e.Cloud.Code == "" && e.Cloud.RequestID == "") {
		return e.Message
	}
	return fmt.Sprintf("%s (cloud code %q, request %q)", e.Message, e.Cloud.Code, e.Cloud.RequestID)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// AsError returns err as an *Error. An error without a code is a defect of the
// code that returned it and becomes internal.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if msg := err.Error(); msg != e.Error() { // keep what wrapping added
			wrapped := *e
			wrapped.Message = strings.Replace(msg, e.Error(), e.Message, 1) // the cloud's words stay in Cloud alone
			wrapped.cause = err
			return &wrapped
		}
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error(), cause: err}
}

// CodeOf returns the code of err, or "" if err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
