package aws

import (
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// nics are the network interfaces of the region. Lists are without those that come and go
// with a VM, a load balancer or another service.
type (
	nics struct {
		objects[types.NetworkInterface, resource.NICSpec, resource.NICStatus]
	}
	nic = driver.Object[resource.NICSpec, resource.NICStatus]
)

func openNICs(s *session) driver.FullNIC {
	n := nics{objectsOf(s, "network interface", "network-interface-id", s.interfaces, nicOf)}
	n.Skip = func(x types.NetworkInterface) bool { return isFirst(x) || aws.ToBool(x.RequesterManaged) }
	return n
}

func (s *session) interfaces(ctx context.Context, w wanted) iter.Seq2[types.NetworkInterface, error] {
	in := &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: w.ids, Filters: w.filters, MaxResults: w.most()}
	return paged(ctx, ec2.NewDescribeNetworkInterfacesPaginator(s.ec2, in),
		func(page *ec2.DescribeNetworkInterfacesOutput) []types.NetworkInterface {
			return page.NetworkInterfaces
		})
}

// Make makes a network interface. The token makes AWS itself answer the same one again.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html
func (n nics) Make(ctx context.Context, r driver.Request[resource.NICSpec]) (nic, error) {
	tags := tagged(r, types.ResourceTypeNetworkInterface)
	out, err := call(ctx, n.ec2.CreateNetworkInterface, &ec2.CreateNetworkInterfaceInput{
		ClientToken: aws.String(r.Token), SubnetId: aws.String(r.Spec.Subnet), Groups: r.Spec.SecurityGroups,
		PrivateIpAddress: driver.Optional(r.Spec.PrivateAddress), TagSpecifications: tags,
	})
	made := driver.Value(out.NetworkInterface)
	made.TagSet = tags[0].Tags
	return nicOf(made), err
}

// Delete removes a network interface.
func (n nics) Delete(ctx context.Context, id string) error {
	return do(ctx, n.ec2.DeleteNetworkInterface, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: aws.String(id)})
}

// Attach gives a network interface to a VM, in a place that is free there.
func (n nics) Attach(ctx context.Context, id string, to resource.NICAttachment) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	if done, err := driver.Attached("network interface", id, found.Status.VM, to.VM); done || err != nil {
		return err
	}
	instance, err := n.instance(ctx, to.VM)
	if err != nil {
		return err
	}
	return do(ctx, n.ec2.AttachNetworkInterface, &ec2.AttachNetworkInterfaceInput{
		NetworkInterfaceId: aws.String(id), InstanceId: aws.String(to.VM), DeviceIndex: aws.Int32(freeIndex(instance)),
	})
}

// Detach takes a network interface from the VM that has it.
func (n nics) Detach(ctx context.Context, id string) error {
	x, err := n.Look(ctx, id)
	if err != nil || driver.Value(x.Attachment).AttachmentId == nil {
		return err
	}
	return driver.Except(do(ctx, n.ec2.DetachNetworkInterface, &ec2.DetachNetworkInterfaceInput{AttachmentId: x.Attachment.AttachmentId}), resource.CodeNotFound)
}

// AddAddresses adds the secondary addresses that are missing.
func (n nics) AddAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	_, missing, err := n.addresses(ctx, id, change.Addresses)
	if err != nil || len(missing) == 0 {
		return err
	}
	return do(ctx, n.ec2.AssignPrivateIpAddresses, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: aws.String(id), PrivateIpAddresses: missing})
}

// RemoveAddresses removes the secondary addresses that are there.
func (n nics) RemoveAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	there, _, err := n.addresses(ctx, id, change.Addresses)
	if err != nil || len(there) == 0 {
		return err
	}
	return do(ctx, n.ec2.UnassignPrivateIpAddresses, &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: aws.String(id), PrivateIpAddresses: there})
}

// addresses says which of some addresses an interface has.
func (n nics) addresses(ctx context.Context, id string, some []string) (there, missing []string, err error) {
	x, err := n.Look(ctx, id)
	there, missing = driver.Among(some, driver.Convert(x.PrivateIpAddresses, func(a types.NetworkInterfacePrivateIpAddress) string { return aws.ToString(a.PrivateIpAddress) }))
	return there, missing, err
}

// isFirst reports whether an interface is the one that a VM was made with.
func isFirst(x types.NetworkInterface) bool {
	return driver.Value(x.Attachment).InstanceId != nil && aws.ToInt32(x.Attachment.DeviceIndex) == 0
}

// freeIndex is the place for one more interface.
func freeIndex(x types.Instance) int32 {
	for index := int32(1); ; index++ {
		if !slices.ContainsFunc(x.NetworkInterfaces, func(i types.InstanceNetworkInterface) bool {
			return i.Attachment != nil && aws.ToInt32(i.Attachment.DeviceIndex) == index
		}) {
			return index
		}
	}
}

func nicOf(x types.NetworkInterface) nic {
	o := object[resource.NICSpec, resource.NICStatus](x.NetworkInterfaceId, x.TagSet, x)
	o.State, o.CloudState = driver.StateOf(x.Status, map[types.NetworkInterfaceStatus]resource.State{
		"pending":                              resource.StateCreating, // only in the answer to the creation
		types.NetworkInterfaceStatusAvailable:  resource.StateAvailable,
		types.NetworkInterfaceStatusAssociated: resource.StateAvailable,
		types.NetworkInterfaceStatusInUse:      resource.StateAvailable,
		types.NetworkInterfaceStatusAttaching:  resource.StateUpdating,
		types.NetworkInterfaceStatusDetaching:  resource.StateUpdating,
	})
	o.Spec = resource.NICSpec{Subnet: aws.ToString(x.SubnetId), PrivateAddress: aws.ToString(x.PrivateIpAddress)}
	o.Spec.SecurityGroups = driver.Convert(x.Groups, groupID)
	o.Status = resource.NICStatus{PrivateAddress: o.Spec.PrivateAddress, MACAddress: aws.ToString(x.MacAddress)}
	for _, a := range x.PrivateIpAddresses {
		if !aws.ToBool(a.Primary) {
			o.Status.SecondaryAddresses = append(o.Status.SecondaryAddresses, aws.ToString(a.PrivateIpAddress))
		}
	}
	o.Status.IPv6Addresses = driver.Convert(x.Ipv6Addresses, func(a types.NetworkInterfaceIpv6Address) string { return aws.ToString(a.Ipv6Address) })
	o.Status.VM = aws.ToString(driver.Value(x.Attachment).InstanceId)
	o.Status.PublicAddress = aws.ToString(driver.Value(x.Association).PublicIp)
	return o
}
