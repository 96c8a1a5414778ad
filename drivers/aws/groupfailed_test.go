package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// A node group that could not be deleted has failed, with what AWS says of it; its cluster has not.
func TestANodeGroupThatCannotBeDeletedHasFailed(t *testing.T) {
	for name, test := range map[string]struct {
		health *types.NodegroupHealth
		reason string
	}{
		"with issues": {&types.NodegroupHealth{Issues: []types.Issue{{Code: types.NodegroupIssueCodeEc2SecurityGroupDeletionFailure, Message: aws.String("in use")}}}, "in use"},
		"without":     {nil, "AWS gives no reason"},
		"none of any": {&types.NodegroupHealth{}, "AWS gives no reason"},
	} {
		o := cluster{State: resource.StateAvailable}
		showGroup(&o, &types.Nodegroup{NodegroupName: aws.String("first"), Status: types.NodegroupStatusDeleteFailed, Health: test.health}, nil)
		require.Len(t, o.Status.NodeGroups, 1, name)
		part := o.Status.NodeGroups[0]
		assert.Equal(t, resource.StateFailed, part.State, name)
		assert.Contains(t, part.Reason, test.reason, name)
		assert.Equal(t, resource.StateAvailable, o.State, name)
	}
}
