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

// publicIPs are Elastic IP addresses.
type (
	publicIPs struct {
		objects[address, resource.PublicIPSpec, resource.PublicIPStatus]
	}
	publicIP = driver.Object[resource.PublicIPSpec, resource.PublicIPStatus]
)

// address is one with the interface that it is shown with: not a VM's first one, or none.
type address struct {
	types.Address

	nic string
}

func (s *session) addresses(ctx context.Context, w wanted) iter.Seq2[types.Address, error] {
	return unpaged(ctx, s.ec2.DescribeAddresses, &ec2.DescribeAddressesInput{AllocationIds: w.ids, Filters: w.filters},
		func(page *ec2.DescribeAddressesOutput) []types.Address { return page.Addresses })
}

// located are addresses with their interfaces. Which of these is a VM's first one is another
// list, where there is any.
func (s *session) located(ctx context.Context, w wanted) iter.Seq2[address, error] {
	return driver.Items(func(yield func([]address, error) bool) {
		found, err := driver.Collect(s.addresses(ctx, w))
		if err != nil {
			yield(nil, err)
			return
		}
		further, err := s.furtherInterfaces(ctx, found)
		yield(driver.Convert(found, func(x types.Address) address {
			if id := aws.ToString(x.NetworkInterfaceId); aws.ToString(x.InstanceId) == "" || further[id] {
				return address{x, id}
			}
			return address{Address: x}
		}), err)
	}, same)
}

// Make takes an address.
func (p publicIPs) Make(ctx context.Context, r driver.Request[resource.PublicIPSpec]) (publicIP, error) {
	tags := tagged(r, types.ResourceTypeElasticIp)
	out, err := call(ctx, p.ec2.AllocateAddress, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc, TagSpecifications: tags})
	return publicIPOf(address{Address: types.Address{AllocationId: out.AllocationId, PublicIp: out.PublicIp, Domain: out.Domain, Tags: tags[0].Tags}}), err
}

// Delete gives an address back. AWS may give it to somebody else at once.
func (p publicIPs) Delete(ctx context.Context, id string) error {
	return do(ctx, p.ec2.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: aws.String(id)})
}

// Associate gives an address to a VM or a network interface; another one loses it. Of a
// VM with several interfaces AWS wants to be told which; it is the first one.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
func (p publicIPs) Associate(ctx context.Context, id string, with resource.Association) error {
	in := &ec2.AssociateAddressInput{AllocationId: aws.String(id), NetworkInterfaceId: driver.Optional(with.NIC), AllowReassociation: aws.Bool(true)}
	if with.VM != "" {
		instance, err := p.instance(ctx, with.VM)
		if err != nil {
			return err
		}
		if in.NetworkInterfaceId = firstInterface(instance).NetworkInterfaceId; in.NetworkInterfaceId == nil {
			in.InstanceId = aws.String(with.VM)
		}
	}
	return do(ctx, p.ec2.AssociateAddress, in)
}

// Disassociate takes an address away from what has it.
func (p publicIPs) Disassociate(ctx context.Context, id string) error {
	found, err := driver.One(p.addresses(ctx, one(id)), "public IP", id)
	if err != nil || found.AssociationId == nil {
		return err
	}
	return driver.Except(do(ctx, p.ec2.DisassociateAddress, &ec2.DisassociateAddressInput{AssociationId: found.AssociationId}), resource.CodeNotFound)
}

// furtherInterfaces are those among the interfaces of the addresses that VMs have beside
// their first one.
func (s *session) furtherInterfaces(ctx context.Context, addresses []types.Address) (map[string]bool, error) {
	var ids []string
	for _, address := range addresses {
		if id := aws.ToString(address.NetworkInterfaceId); aws.ToString(address.InstanceId) != "" && id != "" {
			ids = append(ids, id)
		}
	}
	further := map[string]bool{}
	for some := range slices.Chunk(ids, filterValues) {
		for x, err := range s.interfaces(ctx, having(filter("network-interface-id", some...))) {
			if err != nil {
				return nil, err
			}
			further[aws.ToString(x.NetworkInterfaceId)] = !isFirst(x)
		}
	}
	return further, nil
}

func publicIPOf(x address) publicIP {
	o := object[resource.PublicIPSpec, resource.PublicIPStatus](x.AllocationId, x.Tags, x.Address)
	o.State = resource.StateAvailable // AWS knows no states of addresses
	o.Status = resource.PublicIPStatus{Address: aws.ToString(x.PublicIp), VM: aws.ToString(x.InstanceId), NIC: x.nic}
	return o
}
