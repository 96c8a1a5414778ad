package openstack

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Native passes a request to any service of the catalog, with the session's token.
func (s *Session) Native(ctx context.Context, r driver.NativeRequest) (driver.NativeResponse, error) {
	endpoint, _ := s.catalog.endpoint(s.region, r.Service)
	if endpoint == "" {
		return driver.NativeResponse{}, resource.Invalid(resource.Problem{Field: "service", Message: "the region's catalog has no service of the type " + r.Service + "; it has: " + strings.Join(s.catalog.types(s.region), ", ")})
	}
	if strings.Contains(r.Path, "://") || strings.Contains(r.Path, "..") || strings.ContainsAny(r.Path, "?#") {
		return driver.NativeResponse{}, resource.Invalid(resource.Problem{Field: "path", Message: "is a path below the service's endpoint, such as /servers; the query goes into query"})
	}
	address := endpoint + strings.TrimPrefix(r.Path, "/")
	if len(r.Query) > 0 {
		address += "?" + url.Values(r.Query).Encode()
	}
	headers := map[string]string{}
	for name, value := range r.Headers {
		if http.CanonicalHeaderKey(name) != "X-Auth-Token" { // is the session's
			headers[name] = value
		}
	}
	opts := &gophercloud.RequestOpts{MoreHeaders: headers, KeepResponseBody: true}
	if r.Body != "" {
		opts.RawBody = strings.NewReader(r.Body)
		if headers["Content-Type"] == "" {
			headers["Content-Type"] = "application/json"
		}
	}
	response, err := s.compute.ProviderClient.Request(transport.Raw(ctx), r.Method, address, opts)
	if answer, ok := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err); ok { // an answer all the same
		return nativeResponse(answer.Actual, answer.ResponseHeader, answer.Body), nil
	}
	if err != nil {
		return driver.NativeResponse{}, coded(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return driver.NativeResponse{}, coded(err)
	}
	return nativeResponse(response.StatusCode, response.Header, body), nil
}

func nativeResponse(status int, headers http.Header, body []byte) driver.NativeResponse {
	r := driver.NativeResponse{Status: status, Headers: map[string]string{}, Body: string(body)}
	for name, values := range headers {
		if name != "X-Subject-Token" { // a token, in answers of Keystone
			r.Headers[name] = strings.Join(values, ", ")
		}
	}
	if !utf8.Valid(body) {
		r.Body, r.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return r
}
