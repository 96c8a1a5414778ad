package mock

import (
	"context"
	"net/netip"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type subnets struct {
	table[resource.SubnetSpec, resource.SubnetStatus]
}

func openSubnets(s *session) subnets {
	c := s.cloud
	return subnets{table[resource.SubnetSpec, resource.SubnetStatus]{
		s: s, kind: resource.Subnet, prefix: "subnet", ready: resource.StateAvailable,
		show: func(o *object, state resource.State, spec resource.SubnetSpec, status *resource.SubnetStatus) any {
			status.AvailableAddresses = 1<<(32-bitsOf(spec.CIDR)) - reservedAddresses - 1 - c.usersCount(o.ID)
			return nativeSubnet{
				SubnetID: o.ID, VPCID: spec.VPC, CIDRBlock: spec.CIDR, Zone: spec.Zone, State: cloudState(state), MapPublicIP: true,
				AvailableAddresses: status.AvailableAddresses,
			}
		},
	}}
}

// reservedAddresses are those at the start of a subnet that the cloud keeps for
// itself; it keeps the last one too.
const reservedAddresses = 4

// Create implements driver.Creator.
func (c subnets) Create(ctx context.Context, r driver.Request[resource.SubnetSpec]) (driver.Object[resource.SubnetSpec, resource.SubnetStatus], error) {
	return c.create(ctx, r, func(d *draft[resource.SubnetSpec, resource.SubnetStatus]) error {
		if err := need("spec.vpc", d.spec.VPC); err != nil {
			return err
		}
		if err := refuseProblems(d.spec.Problems("spec")); err != nil {
			return err
		}
		if err := c.checkRange(d.spec); err != nil {
			return err
		}
		if d.spec.Zone == "" {
			d.spec.Zone = c.s.zone
		}
		if d.spec.Zone == "" {
			d.spec.Zone = zoneNames(c.s.Region)[0]
		}
		return checkZone("spec.zone", c.s.Region, d.spec.Zone)
	})
}

// checkRange checks the range against those of the VPC and of its other subnets.
func (c subnets) checkRange(spec resource.SubnetSpec) error {
	var (
		vpc   = specOf(c.s, resource.VPC, spec.VPC)
		inner = netip.MustParsePrefix(spec.CIDR)
		outer = netip.MustParsePrefix(vpc.CIDR)
	)
	if inner.Bits() < outer.Bits() || !outer.Contains(inner.Addr()) {
		return refuseField("spec.cidr", "InvalidSubnet.Range", "%s is not inside the range %s of the VPC %s; choose a part of that", inner, outer, spec.VPC)
	}
	for id, key := range c.s.cloud.users[spec.VPC] {
		if key.Kind != c.kind.Name {
			continue
		}
		if other := specOf(c.s, resource.Subnet, id); inner.Overlaps(netip.MustParsePrefix(other.CIDR)) {
			return refuseField("spec.cidr", "InvalidSubnet.Conflict", "%s overlaps %s of the subnet %s; choose a range that is free", inner, other.CIDR, id)
		}
	}
	return nil
}

// nativeSubnet is a subnet in the cloud's own words.
type nativeSubnet struct {
	SubnetID           string `json:"subnetId"`
	VPCID              string `json:"vpcId"`
	CIDRBlock          string `json:"cidrBlock"`
	Zone               string `json:"availabilityZone"`
	State              string `json:"state"`
	MapPublicIP        bool   `json:"mapPublicIpOnLaunch"`
	AvailableAddresses int    `json:"availableIpAddressCount"`
}

// bitsOf is the length of the prefix of a range that was checked before.
func bitsOf(cidr string) int { return netip.MustParsePrefix(cidr).Bits() }
