package aws

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	anywhere = "0.0.0.0/0" // the range of all addresses
	// vpcTag is the key of the VPC's id on the gateway that was made for it: two VPCs may
	// have been made with one token, of which one goes again.
	vpcTag = "mcic-vpc"
)

// vpcs are all VPCs of the region.
type (
	vpcs struct {
		objects[types.Vpc, resource.VPCSpec, resource.VPCStatus]
	}
	vpc = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (s *session) vpcs(ctx context.Context, w wanted) iter.Seq2[types.Vpc, error] {
	return paged(ctx, ec2.NewDescribeVpcsPaginator(s.ec2, &ec2.DescribeVpcsInput{VpcIds: w.ids, Filters: w.filters, MaxResults: w.most()}),
		func(page *ec2.DescribeVpcsOutput) []types.Vpc { return page.Vpcs })
}

// Make makes a VPC.
func (v vpcs) Make(ctx context.Context, r driver.Request[resource.VPCSpec]) (vpc, error) {
	out, err := call(ctx, v.ec2.CreateVpc, &ec2.CreateVpcInput{CidrBlock: aws.String(r.Spec.CIDR), TagSpecifications: tagged(r, types.ResourceTypeVpc)})
	return vpcOf(driver.Value(out.Vpc)), err
}

// Complete lets VMs of a VPC reach the internet and be reached.
func (v vpcs) Complete(ctx context.Context, _ driver.Request[resource.VPCSpec], o vpc) (vpc, error) {
	return o, v.openToInternet(ctx, o)
}

// Delete removes a VPC with the gateway that Complete gave it. What uses the VPC is
// looked for first, because VMs need the gateway until the VPC really goes: that costs
// a call for subnets, for groups and for gateways each.
func (v vpcs) Delete(ctx context.Context, id string) error {
	found, err := v.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := v.unused(ctx, id); err != nil {
		return err
	}
	gateways, err := v.ownGateways(ctx, id)
	if err != nil {
		return err
	}
	for _, gateway := range gateways {
		if attached(gateway, id) {
			err := do(ctx, v.ec2.DetachInternetGateway, &ec2.DetachInternetGatewayInput{InternetGatewayId: gateway.InternetGatewayId, VpcId: aws.String(id)})
			if err := driver.Except(err, resource.CodeNotFound, resource.CodeConflict); err != nil { // conflict: detached already
				return err
			}
		}
		if err := v.deleteGateway(ctx, gateway); err != nil {
			return err
		}
	}
	err = do(ctx, v.ec2.DeleteVpc, &ec2.DeleteVpcInput{VpcId: aws.String(id)})
	if resource.CodeOf(err) == resource.CodeDependency && len(gateways) > 0 {
		if repair := v.openToInternet(ctx, found); repair != nil { // used by what unused does not look for
			return fmt.Errorf("%w; its internet gateway could not be restored: %w", err, repair)
		}
	}
	return err
}

// AddCIDR gives a VPC another range.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
func (v vpcs) AddCIDR(ctx context.Context, id string, change resource.CIDRChange) error {
	found, err := v.Get(ctx, id)
	if err != nil || slices.Contains(found.Status.CIDRs, change.CIDR) {
		return err
	}
	return do(ctx, v.ec2.AssociateVpcCidrBlock, &ec2.AssociateVpcCidrBlockInput{VpcId: aws.String(id), CidrBlock: aws.String(change.CIDR)})
}

// RemoveCIDR takes a range from a VPC, which AWS names by another id.
func (v vpcs) RemoveCIDR(ctx context.Context, id string, change resource.CIDRChange) error {
	found, err := v.Look(ctx, id)
	if err != nil {
		return err
	}
	for _, a := range found.CidrBlockAssociationSet {
		if aws.ToString(a.CidrBlock) == change.CIDR && associated(a) {
			return driver.Except(do(ctx, v.ec2.DisassociateVpcCidrBlock, &ec2.DisassociateVpcCidrBlockInput{AssociationId: a.AssociationId}), resource.CodeNotFound)
		}
	}
	return nil
}

// associated reports whether a VPC has a range, and not that it had it or will.
func associated(a types.VpcCidrBlockAssociation) bool {
	return driver.Value(a.CidrBlockState).State == types.VpcCidrBlockStateCodeAssociated
}

// openToInternet gives a VPC an internet gateway, the route to it and names for
// public addresses, as far as they are missing.
// https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
func (v vpcs) openToInternet(ctx context.Context, to vpc) error {
	gateway, err := v.ensureGateway(ctx, to)
	if err != nil {
		return err
	}
	if !attached(gateway, to.ID) {
		err := do(ctx, v.ec2.AttachInternetGateway, &ec2.AttachInternetGatewayInput{InternetGatewayId: gateway.InternetGatewayId, VpcId: aws.String(to.ID)})
		if resource.CodeOf(err) == resource.CodeConflict { // it has one by now
			if _, err := v.ownGateways(ctx, to.ID); err != nil { // which is somebody else's
				return err
			}
			return driver.Wait(0, "another call for the VPC %s gives it its internet gateway at the same moment", to.ID)
		}
		if err != nil {
			return err
		}
	}
	if err := v.ensureRoute(ctx, to.ID, aws.ToString(gateway.InternetGatewayId)); err != nil {
		return err
	}
	return do(ctx, v.ec2.ModifyVpcAttribute, &ec2.ModifyVpcAttributeInput{
		VpcId: aws.String(to.ID), EnableDnsHostnames: &types.AttributeBooleanValue{Value: aws.Bool(true)},
	})
}

// ensureGateway finds or makes the gateway of a VPC. Two creations at once may make one
// each: the one that is attached stays.
func (v vpcs) ensureGateway(ctx context.Context, of vpc) (types.InternetGateway, error) {
	own, err := v.ownGateways(ctx, of.ID)
	if err != nil {
		return types.InternetGateway{}, err
	}
	if len(own) == 0 {
		tags := tagged(driver.Request[resource.VPCSpec]{Token: of.Token, Name: of.Name, Labels: of.Labels}, types.ResourceTypeInternetGateway)
		tags[0].Tags = append(tags[0].Tags, tagsOf(driver.Tag{Key: vpcTag, Value: of.ID})...)
		out, err := call(ctx, v.ec2.CreateInternetGateway, &ec2.CreateInternetGatewayInput{TagSpecifications: tags})
		return driver.Value(out.InternetGateway), err
	}
	if attached(own[0], of.ID) {
		for _, surplus := range own[1:] {
			if err := v.deleteGateway(ctx, surplus); err != nil {
				return types.InternetGateway{}, err
			}
		}
	}
	return own[0], nil
}

func (v vpcs) deleteGateway(ctx context.Context, gateway types.InternetGateway) error {
	return driver.Except(do(ctx, v.ec2.DeleteInternetGateway, &ec2.DeleteInternetGatewayInput{InternetGatewayId: gateway.InternetGatewayId}), resource.CodeNotFound)
}

// ensureRoute sends what is not for the VPC to its gateway. A VPC has one internet
// gateway, so that a default route to another one is left over from one that went.
func (v vpcs) ensureRoute(ctx context.Context, id string, gateway string) error {
	in := &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("vpc-id", id), filter("association.main", "true")}}
	table, err := driver.One(paged(ctx, ec2.NewDescribeRouteTablesPaginator(v.ec2, in),
		func(page *ec2.DescribeRouteTablesOutput) []types.RouteTable { return page.RouteTables }), "main route table of the VPC", id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(table.Routes, func(r types.Route) bool { return aws.ToString(r.DestinationCidrBlock) == anywhere })
	if i < 0 {
		err := do(ctx, v.ec2.CreateRoute, &ec2.CreateRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: aws.String(anywhere), GatewayId: aws.String(gateway)})
		return driver.Except(err, resource.CodeAlreadyExists)
	}
	if target := aws.ToString(table.Routes[i].GatewayId); strings.HasPrefix(target, "igw-") && target != gateway {
		return do(ctx, v.ec2.ReplaceRoute, &ec2.ReplaceRouteInput{RouteTableId: table.RouteTableId, DestinationCidrBlock: aws.String(anywhere), GatewayId: aws.String(gateway)})
	}
	return nil
}

// unused fails when something lives in the VPC. Interfaces need no look: they lie
// in subnets.
func (v vpcs) unused(ctx context.Context, id string) error {
	in := having(filter("vpc-id", id))
	subnet, found, err := driver.First(v.subnets(ctx, in))
	switch {
	case err != nil:
		return err
	case found:
		return resource.Errorf(resource.CodeDependency, "the VPC %s still has the subnet %s; delete its subnets first", id, aws.ToString(subnet.SubnetId))
	}
	for group, err := range v.securityGroups(ctx, in) {
		switch {
		case err != nil:
			return err
		case !isDefault(group):
			return resource.Errorf(resource.CodeDependency, "the VPC %s still has the security group %s; delete its security groups first", id, aws.ToString(group.GroupId))
		}
	}
	return nil
}

// ownGateways answers the gateways that Complete made for a VPC, the attached one first; one
// of somebody else is not ours to take away. A region has about as many as VPCs, so that
// one call tells both.
func (v vpcs) ownGateways(ctx context.Context, id string) ([]types.InternetGateway, error) {
	var own []types.InternetGateway
	for gateway, err := range v.gateways(ctx, wanted{}) {
		switch ours, used := driver.WhoseIs(tagsIn(gateway.Tags)[vpcTag], id, false) == driver.Own, attached(gateway, id); {
		case err != nil:
			return nil, err
		case ours && used:
			own = slices.Insert(own, 0, gateway)
		case ours:
			own = append(own, gateway)
		case used:
			return nil, resource.Errorf(resource.CodeDependency, "the VPC %s is attached to the internet gateway %s, which was not made with it; detach it first", id, aws.ToString(gateway.InternetGatewayId))
		}
	}
	return own, nil
}

func (s *session) gateways(ctx context.Context, w wanted) iter.Seq2[types.InternetGateway, error] {
	return paged(ctx, ec2.NewDescribeInternetGatewaysPaginator(s.ec2, &ec2.DescribeInternetGatewaysInput{Filters: w.filters, MaxResults: w.most()}),
		func(page *ec2.DescribeInternetGatewaysOutput) []types.InternetGateway { return page.InternetGateways })
}

func attached(gateway types.InternetGateway, id string) bool {
	return slices.ContainsFunc(gateway.Attachments, func(a types.InternetGatewayAttachment) bool { return aws.ToString(a.VpcId) == id })
}

func vpcOf(x types.Vpc) vpc {
	o := object[resource.VPCSpec, resource.VPCStatus](x.VpcId, x.Tags, x)
	o.State, o.CloudState = driver.StateOf(x.State, map[types.VpcState]resource.State{
		types.VpcStatePending:   resource.StateCreating,
		types.VpcStateAvailable: resource.StateAvailable,
	})
	o.Spec.CIDR = aws.ToString(x.CidrBlock)
	o.Status.Default = aws.ToBool(x.IsDefault)
	o.Status.CIDRs = []string{o.Spec.CIDR}
	for _, a := range x.CidrBlockAssociationSet {
		if cidr := aws.ToString(a.CidrBlock); cidr != o.Spec.CIDR && associated(a) {
			o.Status.CIDRs = append(o.Status.CIDRs, cidr)
		}
	}
	return o
}
