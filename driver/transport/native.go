package transport

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// maxAnswer is the most that is read of an answer to a native call.
const maxAnswer = 8 << 20

// CheckPath refuses the path of a native call that could lead to another host or out of a
// service.
func CheckPath(path string) error {
	if strings.Contains(path, "://") || strings.Contains(path, "..") || strings.ContainsAny(path, "?#") {
		return resource.Invalid(resource.Problem{Field: "path", Message: "is a path below the service's endpoint, such as /servers; the query goes into query"})
	}
	return nil
}

// ReadNative answers a native call with what the cloud answered.
func ReadNative(response *http.Response) (driver.NativeResponse, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return driver.NativeResponse{}, Failure("a native call", fmt.Errorf("read the answer: %w", err))
	}
	if len(body) > maxAnswer {
		return driver.NativeResponse{}, resource.Errorf(resource.CodeInvalid, "the answer is longer than %d bytes; ask for less, page by page", maxAnswer)
	}
	return NativeResponse(response.StatusCode, response.Header, body), nil
}

// NativeResponse is an answer that has been read.
func NativeResponse(status int, headers http.Header, body []byte) driver.NativeResponse {
	r := driver.NativeResponse{Status: status, Headers: map[string]string{}, Body: string(body)}
	for name, values := range headers {
		r.Headers[name] = strings.Join(values, ", ")
	}
	if !utf8.Valid(body) {
		r.Body, r.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return r
}
