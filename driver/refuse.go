package driver

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Meaning says what a cloud means by some of what it refuses: a row of its table of
// errors. All that the row names has to fit.
type Meaning struct {
	Status int      // the HTTP status
	Of     []string // the cloud's own codes; * is any text
	Says   []string // what the cloud's message has in it, in lower case: one of these

	Code   resource.Code // ours
	Advice string        // what to do, where the cloud's message does not say it
	Wait   time.Duration // in the place of a code: the cloud is at work on the same object, and is asked again after it
}

// Meanings are a cloud's table of errors. It is ordered: the first row that fits holds.
type Meanings []Meaning

// Refusal is what a cloud has answered when it refused a call.
type Refusal struct {
	Doing  string // the call, for people
	Status int    // the HTTP status, as far as the answer is known to have one
	Cloud  resource.CloudError
	Err    error // the SDK's, kept for errors.As; may be nil
}

// Of answers the first meaning that fits, and the zero Meaning if none does.
func (m Meanings) Of(status int, code, message string) Meaning {
	message = strings.ToLower(message)
	for _, row := range m {
		if (row.Status == 0 || row.Status == status) && (row.Of == nil || matches(row.Of, code)) &&
			(row.Says == nil || slices.ContainsFunc(row.Says, func(text string) bool { return strings.Contains(message, text) })) {
			return row
		}
	}
	return Meaning{}
}

// Refuse is the error for what a cloud refused. Its code is that of the table, or what the
// status alone says; its message is the cloud's with the advice.
func (m Meanings) Refuse(r Refusal) error {
	row := m.Of(r.Status, r.Cloud.Code, r.Cloud.Message)
	message := r.Doing + ": " + strings.TrimSuffix(r.Cloud.Message, ".")
	if row.Wait > 0 {
		return Wait(row.Wait, "the cloud is at work on it; %s", message)
	}
	if row.Advice != "" {
		message += "; " + row.Advice
	}
	e := resource.Errorf(cmp.Or(row.Code, CodeOfStatus(r.Status), resource.CodeInternal), "%w", refusal{message, r.Err})
	e.Cloud = &r.Cloud
	return e
}

// refusal is an SDK's error behind a message for people.
type refusal struct {
	message string
	err     error
}

func (r refusal) Error() string { return r.message }
func (r refusal) Unwrap() error { return r.err }

// IsCloud reports whether an error is a cloud's own, with one of its codes; * is any text.
func IsCloud(err error, codes ...string) bool {
	e := resource.AsError(err)
	return e != nil && e.Cloud != nil && matches(codes, e.Cloud.Code)
}

// Recode gives an error of the cloud another code, where a call is known to mean something
// better by it than the table of errors says.
func Recode(err error, code resource.Code, why string) error {
	e, of := resource.Errorf(code, "%w; %s", err, why), resource.AsError(err)
	e.Message, e.Cloud = of.Message+"; "+why, of.Cloud
	return e
}

func matches(patterns []string, code string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, code) // patterns are constants
		return ok
	})
}

// Except passes over an error with one of the codes, which means that the step was
// done before.
func Except(err error, codes ...resource.Code) error {
	for _, code := range codes {
		if resource.CodeOf(err) == code {
			return nil
		}
	}
	return err
}

// Unsupported is the error for a field of a specification that the cloud, or the driver so far,
// can do nothing with. A driver answers it before anything is made.
func Unsupported(field, why string) error {
	e := resource.Errorf(resource.CodeUnsupported, "%s: %s", field, why)
	e.Fields = []resource.Problem{{Field: field, Message: why}}
	return e
}

// CodeOfStatus is the code of an answer that says nothing better than its HTTP status;
// "" for a status that is no failure. 404 is not_found only if the answer is known to
// be about the object itself, which a driver has to know.
func CodeOfStatus(status int) resource.Code {
	switch {
	case status == http.StatusUnauthorized:
		return resource.CodeUnauthenticated
	case status == http.StatusForbidden:
		return resource.CodeDenied
	case status == http.StatusTooManyRequests:
		return resource.CodeThrottled
	case status == http.StatusNotImplemented:
		return resource.CodeUnsupported
	case status >= http.StatusInternalServerError:
		return resource.CodeUnavailable
	case status >= http.StatusBadRequest:
		return resource.CodeInvalid
	default:
		return ""
	}
}
