package v1

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestEveryCodeHasItsStatus(t *testing.T) {
	table := map[resource.Code]int{
		resource.CodeInvalid:         http.StatusUnprocessableEntity,
		resource.CodeUnsupported:     http.StatusUnprocessableEntity,
		resource.CodeNotFound:        http.StatusNotFound,
		resource.CodeAlreadyExists:   http.StatusConflict,
		resource.CodeConflict:        http.StatusConflict,
		resource.CodeDependency:      http.StatusConflict,
		resource.CodeQuota:           http.StatusConflict,
		resource.CodeCapacity:        http.StatusConflict,
		resource.CodeUnauthenticated: http.StatusUnauthorized,
		resource.CodeDenied:          http.StatusForbidden,
		resource.CodeThrottled:       http.StatusTooManyRequests,
		resource.CodeUnavailable:     http.StatusServiceUnavailable,
		resource.CodeInternal:        http.StatusInternalServerError,
	}
	for _, code := range resource.Codes() {
		want, known := table[code]
		assert.True(t, known, "%s has no status here", code)
		cause := resource.Errorf(code, "it went wrong")
		cause.Cloud = &resource.CloudError{Code: "Oops", RequestID: "r-1"}
		cause.Fields = []resource.Problem{{Field: "name", Message: "is wrong"}}
		p := problem(cause)
		assert.Equal(t, &ProblemDocument{
			Type: "about:blank", Title: http.StatusText(want), Status: want, Detail: "it went wrong",
			Code: code, Retryable: cause.Retryable, Fields: cause.Fields, Cloud: cause.Cloud,
		}, p)
	}
	assert.Len(t, table, len(resource.Codes()))
	assert.Equal(t, http.StatusGatewayTimeout, problem(resource.Errorf(resource.CodeUnavailable, "no answer: %w", context.DeadlineExceeded)).Status)
	assert.Equal(t, http.StatusInternalServerError, problem(errors.New("a defect")).Status)
	assert.Equal(t, http.StatusInternalServerError, problem(resource.Errorf("made up", "x")).Status)
}
