package spider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// statusOf is the status and the text of an error. CB-Spider answers nearly
// everything with 500; its clients look at the text, which says what it said there.
func statusOf(err error) (status int, message string) {
	e := resource.AsError(err)
	message = e.Message
	switch e.Code {
	case resource.CodeInvalid:
		return http.StatusBadRequest, message
	case resource.CodeNotFound:
		return http.StatusNotFound, with(message, "does not exist", "not found", "there is no")
	case resource.CodeAlreadyExists:
		return http.StatusConflict, with(message, "already exists")
	case resource.CodeConflict, resource.CodeDependency:
		return http.StatusConflict, message
	case resource.CodeQuota: // 409 would say that the name is taken
		return http.StatusForbidden, with(message, "quota")
	case resource.CodeCapacity:
		return http.StatusServiceUnavailable, with(message, "insufficientcapacity")
	case resource.CodeUnauthenticated:
		return http.StatusUnauthorized, message
	case resource.CodeDenied:
		return http.StatusForbidden, message
	case resource.CodeThrottled:
		return http.StatusTooManyRequests, with(message, "throttl")
	case resource.CodeUnavailable:
		if errors.Is(err, context.DeadlineExceeded) {
			return http.StatusGatewayTimeout, with(message, "i/o timeout")
		}
		return http.StatusServiceUnavailable, message
	case resource.CodeUnsupported:
		return http.StatusNotImplemented, message
	}
	if e.Cloud != nil {
		return http.StatusBadGateway, message
	}
	return http.StatusInternalServerError, message
}

// with makes sure that a message holds one of the words by which clients recognize
// this kind of error.
func with(message string, words ...string) string {
	lower := strings.ToLower(message)
	for _, word := range words {
		if strings.Contains(lower, word) {
			return message
		}
	}
	return fmt.Sprintf("%s (%s)", message, map[string]string{
		"does not exist": "does not exist", "already exists": "already exists", "quota": "quota exceeded", "insufficientcapacity": "InsufficientCapacity",
		"throttl": "throttled", "i/o timeout": "i/o timeout",
	}[words[0]])
}

// does not exist in a connection, in the words that clients look for.
func (k *kind) missing(name, connection string) error {
	return resource.Errorf(resource.CodeNotFound, "%s '%s' does not exist in connection '%s'", k.title, name, connection)
}

func (k *kind) exists(name, connection string) error {
	return resource.Errorf(resource.CodeAlreadyExists, "%s '%s' already exists in connection '%s'", k.title, name, connection)
}

// noConnection says that a connection is not there.
func noConnection(name string) error {
	return resource.Errorf(resource.CodeNotFound, "The Connection Config '%s' does not exist!", name)
}

// segment is one step of a field's path, such as rules[0].
var segment = regexp.MustCompile(`^([A-Za-z0-9_]+)(.*)$`)

// rename gives the fields of an invalid request the names that its sender used.
func (k *kind) rename(err error) error {
	e := resource.AsError(err)
	if e == nil || e.Code != resource.CodeInvalid || len(e.Fields) == 0 {
		return err
	}
	problems := make([]resource.Problem, len(e.Fields))
	for i, p := range e.Fields {
		var path []string
		for _, step := range strings.Split(strings.TrimPrefix(p.Field, "spec."), ".") {
			parts := segment.FindStringSubmatch(step)
			if len(parts) < 3 {
				continue
			}
			name, known := k.fields[parts[1]]
			if !known {
				name = strings.ToUpper(parts[1][:1]) + parts[1][1:]
			}
			path = append(path, name+parts[2])
		}
		problems[i] = resource.Problem{Field: strings.Join(path, "."), Message: p.Message}
	}
	return resource.Invalid(problems...)
}
