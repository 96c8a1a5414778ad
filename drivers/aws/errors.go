package aws

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	checkKeys  = "check the access key, and that the region is enabled for the account"
	elsewhere  = "choose another zone or machine type, or try later"
	checkClock = "the clock of the machine that the driver runs on is off; set it, then try again"
)

// codes are those of EC2 and STS, and of the services that speak AWS's newer formats,
// whose codes end in Exception.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html
func codes() driver.Meanings {
	return driver.Meanings{
		{Code: resource.CodeUnauthenticated, Advice: checkClock, Of: []string{"RequestTimeTooSkewed"}},
		{Code: resource.CodeUnauthenticated, Advice: "either the session token has run out: record a credential with new keys; or " + checkClock, Of: []string{"RequestExpired"}},
		{Code: resource.CodeUnauthenticated, Advice: "the session token has run out; record a credential with new keys", Of: []string{"ExpiredToken*"}},
		{Code: resource.CodeUnauthenticated, Advice: "check the secret access key", Of: []string{"SignatureDoesNotMatch", "InvalidSignatureException"}},
		{Code: resource.CodeUnauthenticated, Advice: checkKeys, Of: []string{
			"AuthFailure", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "MissingAuthenticationToken*", "IncompleteSignature*", "NotAuthorized",
		}},

		{Code: resource.CodeDenied, Advice: "give the user or role the permission in IAM; the driver's page lists all that it needs", Of: []string{"UnauthorizedOperation*"}},
		{Code: resource.CodeDenied, Advice: "give the user or role the permission in IAM, and for a role check whom it trusts", Of: []string{"AccessDenied*", "DependencyAccessDenied*"}},
		{Code: resource.CodeDenied, Advice: "sign the account up for the service or region", Of: []string{"OptInRequired", "SubscriptionRequired*"}},
		{Code: resource.CodeDenied, Advice: "AWS still verifies the account", Of: []string{"PendingVerification"}},
		{Code: resource.CodeDenied, Advice: "AWS has blocked the account; its support helps", Of: []string{"Blocked"}},

		{Code: resource.CodeConflict, Advice: "AWS changes a disk at most four times in 24 hours, and again only when the last change is complete", Of: []string{"VolumeModificationRateExceeded"}},
		{Code: resource.CodeThrottled, Of: []string{
			"RequestLimitExceeded*", "*Throttl*", "TooManyRequests*", "SlowDown", "BandwidthLimitExceeded",
			"*RateExceeded", "ConcurrentSnapshotLimitExceeded", // of one disk; it passes by itself
		}},

		{Code: resource.CodeCapacity, Advice: "choose another subnet, or remove what is not needed in this one", Of: []string{"InsufficientFreeAddresses*", "InsufficientCidrBlocks", "IpNotAvailable"}},
		{Code: resource.CodeCapacity, Advice: elsewhere, Of: []string{
			"Insufficient*Capacity*", "ReservationCapacityExceeded", "UnsupportedAvailabilityZone*", "VolumeTypeNotAvailableInZone",
		}},
		{Code: resource.CodeQuota, Advice: "remove what is not needed, or ask AWS for a higher quota", Of: []string{"*LimitExceeded*", "*LimitReached", "*AssociationLimit", "Max*Exceeded", "TooMany*"}},
		{Code: resource.CodeQuota, Advice: "remove what is not needed", Of: []string{"ResourceCountExceeded"}},

		{Code: resource.CodeNotFound, Of: []string{
			"*NotFound", "*NotFoundException", "NoSuchResource*",
			"*.Malformed", // an id of another form names nothing
			"InvalidAMIID.Unavailable",
		}},
		{Code: resource.CodeDependency, Advice: "delete first what uses it", Of: []string{"DependencyViolation", "*InUse", "*InUseException"}},
		{Code: resource.CodeAlreadyExists, Of: []string{"*Duplicate", "Duplicate*", "*AlreadyExists*"}},
		{Code: resource.CodeConflict, Of: []string{
			"Incorrect*State*", "Invalid*State", "*.Conflict", "Idempoten*", "OperationNotPermitted*", "CannotDelete", "Resource.AlreadyAssociated", "Gateway.NotAttached",
		}},
		{Code: resource.CodeUnavailable, Of: []string{"Internal*", "Server*", "Service*", "*Unavailable*", "RequestTimeout*"}},
		{Code: resource.CodeUnsupported, Of: []string{"Unsupported*", "UnknownOperation*", "InvalidAction"}},
		{Code: resource.CodeInvalid, Of: []string{
			"Invalid*", "Unknown*", "Missing*", "Malformed*", "Validation*", "VPCIdNotSpecified", "ClientException", "*NotSupported", "IncompatibleProtocols",
		}},
	}
}

// coded gives an error of the SDK its code and a message for people.
func coded(err error) error {
	if err == nil {
		return nil
	}
	doing := "a call to AWS"
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		doing = "AWS " + op.Operation()
	}
	if send, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return transport.Failure(doing, send.Err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return transport.Failure(doing, err)
	}
	if own, ok := errors.AsType[*resource.Error](err); ok { // of our own middleware
		return own
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return refused(doing, api, err)
	}
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok { // an answer that the SDK cannot read
		if errors.Is(err, io.ErrUnexpectedEOF) { // cut off: its status says nothing without the error in it
			return resource.Errorf(resource.CodeUnavailable, "%s lost the connection in the middle of the answer: %w", doing, err)
		}
		code := cmp.Or(transport.CodeOfStatus(response.HTTPStatusCode()), resource.CodeUnavailable)
		return resource.Errorf(code, "%s got an answer with HTTP status %d that is not of AWS's API; check the connection's endpoint: %w", doing, response.HTTPStatusCode(), err)
	}
	return resource.Errorf(resource.CodeInternal, "%s failed: %w", doing, err)
}

// refused is the error that AWS answered.
func refused(doing string, api smithy.APIError, err error) error {
	m := meaning(api.ErrorCode(), api.ErrorMessage())
	cloud := resource.CloudError{Code: api.ErrorCode(), Message: api.ErrorMessage()}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		cloud.RequestID = response.ServiceRequestID()
		m.Code = cmp.Or(m.Code, transport.CodeOfStatus(response.HTTPStatusCode()))
	}
	m.Code = cmp.Or(m.Code, resource.CodeInternal)
	return driver.Refuse(doing, m, cloud, err)
}

// isCloud reports whether an error is AWS's own of a code.
func isCloud(err error, code string) bool {
	e := resource.AsError(err)
	return e != nil && e.Cloud != nil && e.Cloud.Code == code
}

// recoded is an error with another code, where the driver knows better what it means.
func recoded(err error, code resource.Code, why string) error {
	e := resource.Errorf(code, "%w; %s", err, why)
	e.Cloud = resource.AsError(err).Cloud
	return e
}

// meaning answers the zero Meaning for a code that AWS does not document.
func meaning(code, message string) driver.Meaning {
	switch {
	// AuthFailure also means that an image or address belongs to somebody else.
	case code == "AuthFailure" && strings.HasPrefix(message, "Not authorized"):
		return driver.Meaning{Code: resource.CodeDenied}
	// A machine type that the zone does not have; elsewhere it is there.
	case code == "Unsupported" && strings.Contains(message, "Availability Zone"):
		return driver.Meaning{Code: resource.CodeCapacity, Advice: elsewhere}
	case code == "SignatureDoesNotMatch" && strings.HasPrefix(message, "Signature "): // "expired" or "not yet current"
		return driver.Meaning{Code: resource.CodeUnauthenticated, Advice: checkClock}
	}
	return codes().Of(code)
}
