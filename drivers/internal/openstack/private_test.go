package openstack

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What the driver cannot make yet is refused before anything is asked of the cloud.
func TestPrivateSubnetsAreRefused(t *testing.T) {
	_, err := subnets{}.Make(t.Context(), driver.Request[resource.SubnetSpec]{Spec: resource.SubnetSpec{VPC: "v", CIDR: "10.0.0.0/24", Private: true}})
	require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	require.Equal(t, "spec.private", resource.AsError(err).Fields[0].Field)
}
