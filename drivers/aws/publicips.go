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
	publicIPs struct{ *session }
	publicIP  = driver.Object[resource.PublicIPSpec, resource.PublicIPStatus]
)

// List answers all addresses of the region.
func (p publicIPs) List(ctx context.Context, f driver.Filter) iter.Seq2[publicIP, error] {
	return p.describe(ctx, &ec2.DescribeAddressesInput{Filters: narrowed(f, "allocation-id")})
}

// Get answers one address.
func (p publicIPs) Get(ctx context.Context, id string) (publicIP, error) {
	return driver.One(p.describe(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}}), "public IP", id)
}

// Make takes an address.
func (p publicIPs) Make(ctx context.Context, r driver.Request[resource.PublicIPSpec]) (publicIP, error) {
	tags, err := writeTags(r.Token, r.Name, r.Labels, types.ResourceTypeElasticIp)
	if err != nil {
		return publicIP{}, err
	}
	out, err := call(ctx, p.ec2.AllocateAddress, &ec2.AllocateAddressInput{Domain: types.DomainTypeVpc, TagSpecifications: tags})
	if err != nil {
		return publicIP{}, err
	}
	return p.object(types.Address{AllocationId: out.AllocationId, PublicIp: out.PublicIp, Domain: out.Domain, Tags: tags[0].Tags}), nil
}

// Delete gives an address back. AWS may give it to somebody else at once.
func (p publicIPs) Delete(ctx context.Context, id string) error {
	_, err := call(ctx, p.ec2.ReleaseAddress, &ec2.ReleaseAddressInput{AllocationId: aws.String(id)})
	return driver.Except(err, resource.CodeNotFound)
}

// Associate gives an address to a VM or a network interface; another one loses it. Of a
// VM with several interfaces AWS wants to be told which; it is the first one.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
func (p publicIPs) Associate(ctx context.Context, id string, with resource.Association) error {
	in := &ec2.AssociateAddressInput{AllocationId: aws.String(id), NetworkInterfaceId: optional(with.NIC), AllowReassociation: aws.Bool(true)}
	if with.VM != "" {
		instance, err := vms(p).instance(ctx, with.VM)
		if err != nil {
			return err
		}
		if in.NetworkInterfaceId = firstInterface(instance).NetworkInterfaceId; in.NetworkInterfaceId == nil {
			in.InstanceId = aws.String(with.VM)
		}
	}
	_, err := call(ctx, p.ec2.AssociateAddress, in)
	return err
}

// Disassociate takes an address away from what has it.
func (p publicIPs) Disassociate(ctx context.Context, id string) error {
	address, err := driver.One(p.raw(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}}), "public IP", id)
	if err != nil || address.AssociationId == nil {
		return err
	}
	_, err = call(ctx, p.ec2.DisassociateAddress, &ec2.DisassociateAddressInput{AssociationId: address.AssociationId})
	return driver.Except(err, resource.CodeNotFound)
}

func (p publicIPs) raw(ctx context.Context, in *ec2.DescribeAddressesInput) iter.Seq2[types.Address, error] {
	return paged(ctx, unpaged(p.ec2.DescribeAddresses, in),
		func(page *ec2.DescribeAddressesOutput) []types.Address { return page.Addresses }, same)
}

// describe needs no pages: DescribeAddresses has none. Which of the interfaces with an
// address is a VM's first one is another list, where there is any.
func (p publicIPs) describe(ctx context.Context, in *ec2.DescribeAddressesInput) iter.Seq2[publicIP, error] {
	return func(yield func(publicIP, error) bool) {
		var found []types.Address
		for address, err := range p.raw(ctx, in) {
			if err != nil {
				yield(publicIP{}, err)
				return
			}
			found = append(found, address)
		}
		further, err := p.furtherInterfaces(ctx, found)
		if err != nil {
			yield(publicIP{}, err)
			return
		}
		for _, address := range found {
			o := p.object(address)
			if id := aws.ToString(address.NetworkInterfaceId); aws.ToString(address.InstanceId) == "" || further[id] {
				o.Status.NIC = id
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// furtherInterfaces are those among the interfaces of the addresses that VMs have beside
// their first one.
func (p publicIPs) furtherInterfaces(ctx context.Context, addresses []types.Address) (map[string]bool, error) {
	const most = 200 // values of a filter: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
	var ids []string
	for _, address := range addresses {
		if id := aws.ToString(address.NetworkInterfaceId); aws.ToString(address.InstanceId) != "" && id != "" {
			ids = append(ids, id)
		}
	}
	further := map[string]bool{}
	for some := range slices.Chunk(ids, most) {
		for x, err := range nics(p).raw(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{filter("network-interface-id", some...)}}) {
			if err != nil {
				return nil, err
			}
			further[aws.ToString(x.NetworkInterfaceId)] = !isFirst(x)
		}
	}
	return further, nil
}

func (publicIPs) object(x types.Address) publicIP {
	o := object[resource.PublicIPSpec, resource.PublicIPStatus](x.AllocationId, x.Tags, x)
	o.State = resource.StateAvailable // AWS knows no states of addresses
	o.Status = resource.PublicIPStatus{Address: aws.ToString(x.PublicIp), VM: aws.ToString(x.InstanceId)}
	return o
}
