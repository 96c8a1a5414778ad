package driver

import (
	"path"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Meaning says what some of a cloud's own error codes mean.
type Meaning struct {
	Code   resource.Code // ours
	Advice string        // what to do, where the cloud's message does not say it
	Of     []string      // the cloud's codes; * is any text
}

// Meanings are a cloud's error codes. They are ordered: the first that matches holds.
type Meanings []Meaning

// Of answers what a code means, and the zero Meaning for one that is not there.
func (m Meanings) Of(code string) Meaning {
	for _, known := range m {
		if slices.ContainsFunc(known.Of, func(pattern string) bool { ok, _ := path.Match(pattern, code); return ok }) { // patterns are constants
			return known
		}
	}
	return Meaning{}
}

// Refuse is the error for what the cloud answered when it refused what was being
// done. The message is the cloud's with the advice; err is kept for errors.As.
func Refuse(doing string, m Meaning, cloud resource.CloudError, err error) *resource.Error {
	message := doing + ": " + strings.TrimSuffix(cloud.Message, ".")
	if m.Advice != "" {
		message += "; " + m.Advice
	}
	e := resource.Errorf(m.Code, "%w", refusal{message, err})
	e.Cloud = &cloud
	return e
}

// refusal is an SDK's error behind a message for people.
type refusal struct {
	message string
	err     error
}

func (r refusal) Error() string { return r.message }
func (r refusal) Unwrap() error { return r.err }

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
