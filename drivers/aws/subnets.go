package aws

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// subnets are all subnets of the region.
type (
	subnets struct {
		objects[types.Subnet, resource.SubnetSpec, resource.SubnetStatus]
	}
	subnet = driver.Object[resource.SubnetSpec, resource.SubnetStatus]
)

func (s *session) subnets(ctx context.Context, w wanted) iter.Seq2[types.Subnet, error] {
	return paged(ctx, ec2.NewDescribeSubnetsPaginator(s.ec2, &ec2.DescribeSubnetsInput{SubnetIds: w.ids, Filters: w.filters, MaxResults: w.most()}),
		func(page *ec2.DescribeSubnetsOutput) []types.Subnet { return page.Subnets })
}

// Make makes a subnet. AWS takes a range once in a VPC, which is as good as a name.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
func (s subnets) Make(ctx context.Context, r driver.Request[resource.SubnetSpec]) (subnet, error) {
	if r.Spec.Private {
		return subnet{}, driver.Unsupported("spec.private", "the driver makes no private subnets on AWS yet; leave it out")
	}
	out, err := call(ctx, s.ec2.CreateSubnet, &ec2.CreateSubnetInput{
		VpcId: aws.String(r.Spec.VPC), CidrBlock: aws.String(r.Spec.CIDR), AvailabilityZone: driver.Optional(cmp.Or(r.Spec.Zone, s.zone)),
		TagSpecifications: tagged(r, types.ResourceTypeSubnet),
	})
	if driver.IsCloud(err, "InvalidSubnet.Conflict") {
		return subnet{}, driver.Recode(err, resource.CodeAlreadyExists, "choose a range that is free")
	}
	return subnetOf(driver.Value(out.Subnet)), err
}

// Complete gives the VMs of a subnet public addresses.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-public-ip.html
func (s subnets) Complete(ctx context.Context, _ driver.Request[resource.SubnetSpec], o subnet) (subnet, error) {
	return o, do(ctx, s.ec2.ModifySubnetAttribute, &ec2.ModifySubnetAttributeInput{
		SubnetId: aws.String(o.ID), MapPublicIpOnLaunch: &types.AttributeBooleanValue{Value: aws.Bool(true)},
	})
}

// Delete removes a subnet.
func (s subnets) Delete(ctx context.Context, id string) error {
	return do(ctx, s.ec2.DeleteSubnet, &ec2.DeleteSubnetInput{SubnetId: aws.String(id)})
}

func subnetOf(x types.Subnet) subnet {
	o := object[resource.SubnetSpec, resource.SubnetStatus](x.SubnetId, x.Tags, x)
	o.State, o.CloudState = driver.StateOf(x.State, map[types.SubnetState]resource.State{
		types.SubnetStatePending:                    resource.StateCreating,
		types.SubnetStateAvailable:                  resource.StateAvailable,
		types.SubnetStateUnavailable:                resource.StateFailed,
		types.SubnetStateFailed:                     resource.StateFailed,
		types.SubnetStateFailedInsufficientCapacity: resource.StateFailed,
	})
	if x.State == types.SubnetStateFailedInsufficientCapacity {
		o.Code = resource.CodeCapacity
	}
	o.Spec = resource.SubnetSpec{VPC: aws.ToString(x.VpcId), CIDR: aws.ToString(x.CidrBlock), Zone: aws.ToString(x.AvailabilityZone)}
	for _, a := range x.Ipv6CidrBlockAssociationSet {
		if state := a.Ipv6CidrBlockState; state == nil || !slices.Contains(rangeGone(), state.State) {
			o.Status.IPv6CIDR = aws.ToString(a.Ipv6CidrBlock)
		}
	}
	o.Status.AvailableAddresses = int(aws.ToInt32(x.AvailableIpAddressCount))
	return o
}

// rangeGone are the states of an IPv6 range that a subnet does not have, or not for long.
func rangeGone() []types.SubnetCidrBlockStateCode {
	return []types.SubnetCidrBlockStateCode{
		types.SubnetCidrBlockStateCodeDisassociating, types.SubnetCidrBlockStateCodeDisassociated,
		types.SubnetCidrBlockStateCodeFailing, types.SubnetCidrBlockStateCodeFailed,
	}
}
