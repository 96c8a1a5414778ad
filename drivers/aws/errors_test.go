package aws

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestMeaningOfAWSCodes(t *testing.T) {
	for code, want := range map[string]resource.Code{
		"InvalidVpcID.NotFound":                 resource.CodeNotFound,
		"InvalidInstanceID.NotFound":            resource.CodeNotFound,
		"InvalidInstanceID.Malformed":           resource.CodeNotFound,
		"InvalidGroup.NotFound":                 resource.CodeNotFound,
		"InvalidKeyPair.NotFound":               resource.CodeNotFound,
		"InvalidAMIID.Unavailable":              resource.CodeNotFound,
		"DependencyViolation":                   resource.CodeDependency,
		"InvalidGroup.InUse":                    resource.CodeDependency,
		"InvalidKeyPair.Duplicate":              resource.CodeAlreadyExists,
		"InvalidGroup.Duplicate":                resource.CodeAlreadyExists,
		"RouteAlreadyExists":                    resource.CodeAlreadyExists,
		"RequestLimitExceeded":                  resource.CodeThrottled,
		"Throttling":                            resource.CodeThrottled,
		"ThrottlingException":                   resource.CodeThrottled,
		"SnapshotCreationPerVolumeRateExceeded": resource.CodeThrottled,
		"ConcurrentSnapshotLimitExceeded":       resource.CodeThrottled,
		"VolumeModificationRateExceeded":        resource.CodeConflict,
		"EC2ThrottledException":                 resource.CodeThrottled,
		"AuthFailure":                           resource.CodeUnauthenticated,
		"InvalidClientTokenId":                  resource.CodeUnauthenticated,
		"SignatureDoesNotMatch":                 resource.CodeUnauthenticated,
		"ExpiredToken":                          resource.CodeUnauthenticated,
		"ExpiredTokenException":                 resource.CodeUnauthenticated,
		"RequestExpired":                        resource.CodeUnauthenticated,
		"UnauthorizedOperation":                 resource.CodeDenied,
		"AccessDenied":                          resource.CodeDenied,
		"AccessDeniedException":                 resource.CodeDenied,
		"OptInRequired":                         resource.CodeDenied,
		"VpcLimitExceeded":                      resource.CodeQuota,
		"VcpuLimitExceeded":                     resource.CodeQuota,
		"InstanceLimitExceeded":                 resource.CodeQuota,
		"RulesPerSecurityGroupLimitExceeded":    resource.CodeQuota,
		"InsufficientInstanceCapacity":          resource.CodeCapacity,
		"InsufficientHostCapacity":              resource.CodeCapacity,
		"InsufficientVolumeCapacity":            resource.CodeCapacity,
		"InsufficientAddressCapacity":           resource.CodeCapacity,
		"InsufficientFreeAddressesInSubnet":     resource.CodeCapacity,
		"ReservationCapacityExceeded":           resource.CodeCapacity,
		"UnsupportedAvailabilityZoneException":  resource.CodeCapacity,
		"VolumeTypeNotAvailableInZone":          resource.CodeCapacity,
		"EniLimitReached":                       resource.CodeQuota,
		"TargetGroupAssociationLimit":           resource.CodeQuota,
		"MaxSpotInstanceCountExceeded":          resource.CodeQuota,
		"IncorrectInstanceState":                resource.CodeConflict,
		"IncorrectState":                        resource.CodeConflict,
		"InvalidSubnet.Conflict":                resource.CodeConflict,
		"IdempotentParameterMismatch":           resource.CodeConflict,
		"OperationNotPermitted":                 resource.CodeConflict,
		"Resource.AlreadyAssociated":            resource.CodeConflict,
		"Gateway.NotAttached":                   resource.CodeConflict,
		"InternalError":                         resource.CodeUnavailable,
		"ServiceUnavailable":                    resource.CodeUnavailable,
		"Unavailable":                           resource.CodeUnavailable,
		"UnsupportedOperation":                  resource.CodeUnsupported,
		"Unsupported":                           resource.CodeUnsupported,
		"InvalidAction":                         resource.CodeUnsupported,
		"InvalidParameterValue":                 resource.CodeInvalid,
		"InvalidSubnet.Range":                   resource.CodeInvalid,
		"InvalidKey.Format":                     resource.CodeInvalid,
		"MissingParameter":                      resource.CodeInvalid,
		"SomethingNew":                          "",
	} {
		assert.Equal(t, want, meanings().Of(400, code, "message").Code, code)
	}
	got := meanings().Of(400, "AuthFailure", "Not authorized for images: [ami-1]")
	assert.Equal(t, resource.CodeDenied, got.Code, "the key is right, the image is somebody else's")
	got = meanings().Of(400, "Unsupported", "Your requested instance type (p5.48xlarge) is not supported in your requested Availability Zone (ap-northeast-2b).")
	assert.Equal(t, resource.CodeCapacity, got.Code)
	assert.Contains(t, got.Advice, "another zone")
	assert.Contains(t, meanings().Of(403, "SignatureDoesNotMatch", "Signature expired: 20261128T000000Z is now earlier than 20261128T010000Z").Advice, "clock")
	assert.Contains(t, meanings().Of(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.").Advice, "secret access key")
	assert.Equal(t, resource.CodeDependency, meanings().Of(400, "InvalidParameterValue", "Network interface 'eni-1' is currently in use.").Code)
	assert.Equal(t, resource.CodeAlreadyExists, meanings().Of(400, "InvalidParameterValue", "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use").Code)
}

func TestCodedErrors(t *testing.T) {
	assert.NoError(t, coded(nil))

	own := resource.Invalid(resource.Problem{Field: "region", Message: "missing"})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(coded(fmt.Errorf("wrapped: %w", own))))

	late := &smithy.OperationError{ServiceID: "EC2", OperationName: "DescribeVpcs", Err: &smithy.CanceledError{Err: context.DeadlineExceeded}}
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(coded(late)))
	assert.ErrorIs(t, coded(late), context.DeadlineExceeded)

	unknown := coded(&smithy.OperationError{ServiceID: "EC2", OperationName: "DescribeVpcs", Err: &smithy.GenericAPIError{Code: "SomethingNew", Message: "Hm."}})
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(unknown))
	assert.Equal(t, "AWS DescribeVpcs: Hm", resource.AsError(unknown).Message)

	assert.Equal(t, resource.CodeInternal, resource.CodeOf(coded(errors.New("serialization"))))
}
