package transport

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
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

// NewNative makes the request of a native call to a service, whose path is below that of the
// address. It is not signed yet.
func NewNative(ctx context.Context, address url.URL, r driver.NativeRequest) (*http.Request, error) {
	address.Path = cmp.Or(path.Join(address.Path, r.Path), "/")
	if strings.HasSuffix(r.Path, "/") && !strings.HasSuffix(address.Path, "/") {
		address.Path += "/"
	}
	address.RawQuery = url.Values(r.Query).Encode()
	request, err := http.NewRequestWithContext(Raw(ctx), cmp.Or(r.Method, http.MethodGet), address.String(), strings.NewReader(r.Body))
	if err != nil {
		return nil, resource.Invalid(resource.Problem{Field: "path", Message: "makes no URL"})
	}
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	return request, nil
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
