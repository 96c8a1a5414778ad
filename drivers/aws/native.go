package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Native signs a request and passes it on, and the answer back as it is.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
func (s *session) Native(ctx context.Context, r driver.NativeRequest) (driver.NativeResponse, error) {
	if s.region == "" {
		return driver.NativeResponse{}, regionless()
	}
	service, region := s.place(r.Service)
	request, err := s.request(ctx, r, service, region)
	if err != nil {
		return driver.NativeResponse{}, err
	}
	key, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return driver.NativeResponse{}, coded(err)
	}
	sum := sha256.Sum256([]byte(r.Body))
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	name := service[strings.LastIndex(service, ".")+1:]
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = name == "s3" }).SignHTTP(ctx, key, request, hash, name, region, time.Now())
	if err != nil {
		return driver.NativeResponse{}, resource.Errorf(resource.CodeInternal, "sign the request: %w", err)
	}
	response, err := s.config.HTTPClient.Do(request)
	if err != nil {
		return driver.NativeResponse{}, transport.Failure("a native call to "+service, err)
	}
	defer response.Body.Close()
	return transport.ReadNative(response)
}

// place reads the service of a native call: a name, and perhaps a region.
func (s *session) place(text string) (service, region string) {
	service, region, _ = strings.Cut(text, "@")
	if slices.Contains(global(), service) {
		return service, cmp.Or(region, "us-east-1")
	}
	return service, cmp.Or(region, s.region)
}

// global are services with one endpoint for all regions of AWS.
// https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
func global() []string { return []string{"iam", "route53", "cloudfront", "organizations"} }

func (s *session) request(ctx context.Context, r driver.NativeRequest, service, region string) (*http.Request, error) {
	host := service + "." + region + ".amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		host += ".cn"
	case slices.Contains(global(), service):
		host = service + ".amazonaws.com"
	}
	address, err := url.Parse(cmp.Or(aws.ToString(s.config.BaseEndpoint), "https://"+host))
	if err != nil || !isLabels(service) || !isLabels(region) {
		return nil, resource.Invalid(resource.Problem{Field: "service", Message: "is not a service such as ec2, or ec2@us-east-1 for another region"})
	}
	request, err := transport.NewNative(ctx, *address, r)
	if err == nil && r.Body != "" && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	return request, err
}

// isLabels reports whether a text can be part of a host's name.
func isLabels(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}
