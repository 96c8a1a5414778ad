package aws

import (
	"cmp"
	"context"
	"errors"
	"io"

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

// meanings are those of EC2 and STS, and of the services that speak AWS's newer formats,
// whose codes end in Exception.
// https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html
func meanings() driver.Meanings {
	return driver.Meanings{
		// AuthFailure also means that an image or address belongs to somebody else.
		{Code: resource.CodeDenied, Of: []string{"AuthFailure"}, Says: []string{"not authorized"}},
		{Code: resource.CodeUnauthenticated, Advice: checkClock, Of: []string{"SignatureDoesNotMatch"}, Says: []string{"signature expired", "signature not yet current"}},
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
		// A machine type that the zone does not have; elsewhere it is there.
		{Code: resource.CodeCapacity, Advice: elsewhere, Of: []string{"Unsupported"}, Says: []string{"availability zone"}},
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
		{Code: resource.CodeDependency, Advice: "detach it first", Of: []string{"InvalidParameterValue"}, Says: []string{"currently in use"}},
		{Code: resource.CodeAlreadyExists, Of: []string{"InvalidParameterValue"}, Says: []string{"already in use"}},
		{Code: resource.CodeConflict, Of: []string{"InvalidParameterValue"}, Says: []string{"already has an internet gateway"}},
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
		code := cmp.Or(driver.CodeOfStatus(response.HTTPStatusCode()), resource.CodeUnavailable)
		return resource.Errorf(code, "%s got an answer with HTTP status %d that is not of AWS's API; check the connection's endpoint: %w", doing, response.HTTPStatusCode(), err)
	}
	return resource.Errorf(resource.CodeInternal, "%s failed: %w", doing, err)
}

// refused is the error that AWS answered.
func refused(doing string, api smithy.APIError, err error) error {
	r := driver.Refusal{Doing: doing, Cloud: resource.CloudError{Code: api.ErrorCode(), Message: api.ErrorMessage()}, Err: err}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		r.Cloud.RequestID, r.Status = response.ServiceRequestID(), response.HTTPStatusCode()
	}
	return meanings().Refuse(r)
}
