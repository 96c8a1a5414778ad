package aws

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"path"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// known says what a code of AWS means.
type known struct {
	pattern string // * is any text
	code    resource.Code
	advice  string // what to do, where AWS's message does not say it
}

const (
	checkKeys  = "check the access key, and that the region is enabled for the account"
	checkClock = "the clock of the machine that the driver runs on is off; set it, then try again"
)

// codes is ordered: the first that matches holds.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
func codes() []known {
	const (
		invalid         = resource.CodeInvalid
		notFound        = resource.CodeNotFound
		exists          = resource.CodeAlreadyExists
		conflict        = resource.CodeConflict
		dependency      = resource.CodeDependency
		quota           = resource.CodeQuota
		unauthenticated = resource.CodeUnauthenticated
		denied          = resource.CodeDenied
		throttled       = resource.CodeThrottled
		unavailable     = resource.CodeUnavailable
		unsupported     = resource.CodeUnsupported
	)
	return []known{
		{"RequestExpired", unauthenticated, checkClock},
		{"RequestTimeTooSkewed", unauthenticated, checkClock},
		{"ExpiredToken*", unauthenticated, "the session token has run out; record a credential with new keys"},
		{"SignatureDoesNotMatch", unauthenticated, "check the secret access key"},
		{"AuthFailure", unauthenticated, checkKeys},
		{"InvalidClientTokenId", unauthenticated, checkKeys},
		{"InvalidAccessKeyId", unauthenticated, checkKeys},
		{"UnrecognizedClientException", unauthenticated, checkKeys},
		{"MissingAuthenticationToken", unauthenticated, checkKeys},
		{"IncompleteSignature", unauthenticated, checkKeys},

		{"UnauthorizedOperation*", denied, "give the user or role the permission in IAM; the driver's page lists all that it needs"},
		{"AccessDenied*", denied, "give the user or role the permission in IAM, and for a role check whom it trusts"},
		{"OptInRequired", denied, "sign the account up for the service or region"},
		{"PendingVerification", denied, "AWS still verifies the account"},
		{"Blocked", denied, "AWS has blocked the account; its support helps"},

		{"RequestLimitExceeded", throttled, ""},
		{"*Throttl*", throttled, ""},
		{"TooManyRequests*", throttled, ""},
		{"SlowDown", throttled, ""},
		{"BandwidthLimitExceeded", throttled, ""},

		{"Insufficient*", quota, "try another zone or spec, or try later"},
		{"*LimitExceeded*", quota, "remove what is not needed, or ask AWS for a higher quota"},
		{"Max*Exceeded", quota, "remove what is not needed, or ask AWS for a higher quota"},
		{"ResourceCountExceeded", quota, "remove what is not needed"},

		{"*NotFound", notFound, ""},
		{"*.Malformed", notFound, ""}, // an id of another form names nothing
		{"InvalidAMIID.Unavailable", notFound, ""},

		{"DependencyViolation", dependency, "delete first what uses it"},
		{"*InUse", dependency, "delete first what uses it"},

		{"*Duplicate", exists, ""},
		{"*AlreadyExists", exists, ""},

		{"Incorrect*State*", conflict, ""},
		{"Invalid*State", conflict, ""},
		{"*.Conflict", conflict, ""},
		{"Idempoten*", conflict, ""},
		{"OperationNotPermitted", conflict, ""},
		{"CannotDelete", conflict, ""},
		{"Resource.AlreadyAssociated", conflict, ""},
		{"Gateway.NotAttached", conflict, ""},

		{"Internal*", unavailable, ""},
		{"Server*", unavailable, ""},
		{"*Unavailable", unavailable, ""},
		{"RequestTimeout*", unavailable, ""},

		{"Unsupported*", unsupported, ""},
		{"UnknownOperation*", unsupported, ""},
		{"InvalidAction", unsupported, ""},

		{"Invalid*", invalid, ""},
		{"Missing*", invalid, ""},
		{"Malformed*", invalid, ""},
		{"UnknownParameter", invalid, ""},
		{"ValidationError", invalid, ""},
		{"VPCIdNotSpecified", invalid, ""},
	}
}

// coded gives an error of the SDK its code and a message for people.
func coded(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*resource.Error](err); ok { // from our own middleware and onlyXML
		return e
	}
	doing := "a call to AWS"
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		doing = "AWS " + op.Operation()
	}
	switch api, ok := errors.AsType[smithy.APIError](err); {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return resource.Errorf(resource.CodeUnavailable, "%s was not answered in time: %w", doing, err)
	case ok:
		return refused(doing, api, err)
	}
	if send, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return resource.Errorf(resource.CodeUnavailable, "%s could not reach the cloud; check the network, that the region exists, and the endpoint if the connection sets one: %w", doing, send.Err)
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok { // an answer that the SDK cannot read
		code := cmp.Or(byStatus(response.HTTPStatusCode()), resource.CodeUnavailable)
		return resource.Errorf(code, "%s got an answer with HTTP status %d that is not of AWS's API; check the connection's endpoint: %w", doing, response.HTTPStatusCode(), err)
	}
	return resource.Errorf(resource.CodeInternal, "%s failed: %w", doing, err)
}

// refused is the error that AWS answered.
func refused(doing string, api smithy.APIError, err error) error {
	code, advice := meaning(api.ErrorCode(), api.ErrorMessage())
	cloud := &resource.CloudError{Code: api.ErrorCode(), Message: api.ErrorMessage()}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		cloud.RequestID = response.ServiceRequestID()
		code = cmp.Or(code, byStatus(response.HTTPStatusCode()))
	}
	code = cmp.Or(code, resource.CodeInternal)
	message := doing + ": " + strings.TrimSuffix(api.ErrorMessage(), ".")
	if advice != "" {
		message += "; " + advice
	}
	e := resource.Errorf(code, "%w", cause{message, err})
	e.Cloud = cloud
	return e
}

// cause keeps the SDK's error for errors.As behind a message for people.
type cause struct {
	message string
	err     error
}

func (c cause) Error() string { return c.message }
func (c cause) Unwrap() error { return c.err }

// meaning answers "" for a code that AWS does not document.
func meaning(code, message string) (resource.Code, string) {
	switch {
	// AuthFailure also means that an image or address belongs to somebody else.
	case code == "AuthFailure" && strings.HasPrefix(message, "Not authorized"):
		return resource.CodeDenied, ""
	case code == "SignatureDoesNotMatch" && strings.HasPrefix(message, "Signature "): // "expired" or "not yet current"
		return resource.CodeUnauthenticated, checkClock
	}
	for _, k := range codes() {
		if ok, _ := path.Match(k.pattern, code); ok { // the patterns are well-formed
			return k.code, k.advice
		}
	}
	return "", ""
}

// byStatus is for answers without a code that is known; "" if it says nothing.
func byStatus(status int) resource.Code {
	switch {
	case status == http.StatusUnauthorized:
		return resource.CodeUnauthenticated
	case status == http.StatusForbidden:
		return resource.CodeDenied
	case status == http.StatusTooManyRequests:
		return resource.CodeThrottled
	case status >= http.StatusInternalServerError:
		return resource.CodeUnavailable
	case status >= http.StatusBadRequest:
		return resource.CodeInvalid
	default:
		return ""
	}
}

// without passes over an error that means that the step was done before.
func without(err error, codes ...resource.Code) error {
	for _, code := range codes {
		if resource.CodeOf(err) == code {
			return nil
		}
	}
	return err
}

// onlyXML keeps the answers of login pages, proxies and other APIs from the SDK,
// which would read an empty list in them.
type onlyXML struct{ client *http.Client }

func (c onlyXML) Do(request *http.Request) (*http.Response, error) {
	response, err := c.client.Do(request) //nolint:gosec // whoever may make a connection may choose its endpoint
	if err != nil {
		return nil, err
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); !strings.HasSuffix(media, "xml") {
		_ = response.Body.Close() // nothing of it is needed
		return nil, resource.Errorf(resource.CodeUnavailable, "%s answers HTTP status %d with %q instead of the XML of AWS's API; check the connection's endpoint and the network between", request.URL.Host, response.StatusCode, media)
	}
	return response, nil
}
