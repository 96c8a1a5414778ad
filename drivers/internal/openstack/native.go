package openstack

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

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
	if err := transport.CheckPath(r.Path); err != nil {
		return driver.NativeResponse{}, err
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
	response, err := s.provider.Request(transport.Raw(ctx), r.Method, address, opts)
	if answer, ok := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err); ok { // an answer all the same
		return withoutToken(transport.NativeResponse(answer.Actual, answer.ResponseHeader, answer.Body)), nil
	}
	if err != nil {
		return driver.NativeResponse{}, coded(err)
	}
	defer response.Body.Close()
	answer, err := transport.ReadNative(response)
	return withoutToken(answer), err
}

// withoutToken leaves out a token, which is in some answers of Keystone.
func withoutToken(r driver.NativeResponse) driver.NativeResponse {
	delete(r.Headers, "X-Subject-Token")
	return r
}
