package v1

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ProblemDocument is the body of every answer that is not a success: a problem document of
// RFC 9457 with the code and details of the error.
type ProblemDocument struct {
	Type      string               `json:"type" doc:"Always about:blank: the code says what kind of problem it is."`
	Title     string               `json:"title" doc:"The HTTP status in words."`
	Status    int                  `json:"status" doc:"The HTTP status."`
	Detail    string               `json:"detail" doc:"What happened, why, and what to do next."`
	Code      resource.Code        `json:"code" doc:"What went wrong, one of a closed set."`
	Retryable bool                 `json:"retryable" doc:"Whether the same request can succeed later without a change."`
	Fields    []resource.Problem   `json:"fields,omitempty" doc:"The fields that are wrong."`
	Cloud     *resource.CloudError `json:"cloud,omitempty" doc:"The cloud's own account of the failure."`
	Operation string               `json:"operation,omitempty" doc:"The operation that failed."`
}

// Error implements error.
func (p *ProblemDocument) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *ProblemDocument) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *ProblemDocument) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// status is the one table from error code to HTTP status.
func status(code resource.Code) int {
	switch code {
	case resource.CodeInvalid, resource.CodeUnsupported:
		return http.StatusUnprocessableEntity
	case resource.CodeNotFound:
		return http.StatusNotFound
	case resource.CodeAlreadyExists, resource.CodeConflict, resource.CodeDependency, resource.CodeQuota, resource.CodeCapacity:
		return http.StatusConflict
	case resource.CodeUnauthenticated:
		return http.StatusUnauthorized
	case resource.CodeDenied:
		return http.StatusForbidden
	case resource.CodeThrottled:
		return http.StatusTooManyRequests
	case resource.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problem turns an error of the engine into an answer.
func problem(err error) *ProblemDocument {
	if p := (*ProblemDocument)(nil); errors.As(err, &p) {
		return p
	}
	e := resource.AsError(err)
	code := status(e.Code)
	if errors.Is(err, context.DeadlineExceeded) && e.Code == resource.CodeUnavailable {
		code = http.StatusGatewayTimeout
	}
	if errors.Is(err, store.ErrOtherRequest) {
		return badField(http.StatusUnprocessableEntity, keyHeader, e.Message)
	}
	return &ProblemDocument{
		Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: e.Message,
		Code: e.Code, Retryable: e.Retryable, Fields: e.Fields, Cloud: e.Cloud,
	}
}

// plain is a problem that comes from HTTP alone.
func plain(status int, code resource.Code, detail string) *ProblemDocument {
	return &ProblemDocument{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// badField is a problem with one part of the request that HTTP alone can see.
func badField(status int, field, message string) *ProblemDocument {
	p := plain(status, resource.CodeInvalid, field+": "+message)
	p.Fields = []resource.Problem{{Field: field, Message: message}}
	return p
}

// fromHuma gives the problems that huma finds by itself, in parameters and bodies,
// the same shape as all others.
func fromHuma(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := resource.CodeInvalid
	if m.Status >= http.StatusInternalServerError {
		code = resource.CodeInternal
	}
	p := plain(m.Status, code, m.Detail)
	for _, d := range m.Errors {
		field := d.Location
		for _, where := range []string{"query.", "path.", "header."} {
			field = strings.TrimPrefix(field, where)
		}
		p.Fields = append(p.Fields, schemaProblem(field, d.Message))
	}
	if err := resource.Invalid(p.Fields...); err != nil {
		p.Detail = err.Error() // instead of: validation failed
	}
	return p, nil
}

// write answers a problem outside of huma.
func (p *ProblemDocument) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}
