package mock

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type subnets struct {
	table[resource.SubnetSpec, resource.SubnetStatus]
}

func openSubnets(s *session) subnets {
	collection := subnets{table[resource.SubnetSpec, resource.SubnetStatus]{
		s: s, kind: resource.Subnet, prefix: "subnet", ready: resource.StateAvailable,
		show: func(v *sight[resource.SubnetSpec, resource.SubnetStatus]) any {
			v.status.AvailableAddresses = 1<<(32-bitsOf(v.spec.CIDR)) - reservedAddresses - 1 - s.cloud.claimed(v.ID)
			if s.ipv6 {
				v.status.IPv6CIDR = ipv6RangeOf(v.ID).String()
			}
			return nativeSubnet{
				SubnetID: v.ID, VPCID: v.spec.VPC, CIDRBlock: v.spec.CIDR, Zone: v.spec.Zone, State: cloudState(v.state), MapPublicIP: !v.spec.Private,
				AvailableAddresses: v.status.AvailableAddresses, IPv6CIDRBlock: v.status.IPv6CIDR,
			}
		},
	}}
	collection.prepare = collection.plan
	return collection
}

// reservedAddresses are those at the start of a subnet that the cloud keeps for
// itself; it keeps the last one too.
const reservedAddresses = 4

// plan completes and checks a draft.
func (c subnets) plan(d *draft[resource.SubnetSpec, resource.SubnetStatus]) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.checkRange(d.spec); err != nil {
		return err
	}
	return c.s.chooseZone("spec.zone", &d.spec.Zone)
}

// checkRange checks the range against those of the VPC and of its other subnets.
func (c subnets) checkRange(spec resource.SubnetSpec) error {
	ranges := rangesOf(specOf(c.s, resource.VPC, spec.VPC), statusOf(c.s, resource.VPC, spec.VPC))
	if !slices.ContainsFunc(ranges, func(outer string) bool { return within(spec.CIDR, outer) }) {
		return refuseField("spec.cidr", "InvalidSubnet.Range", "%s is not inside the range %s of the VPC %s; choose a part of that", spec.CIDR, strings.Join(ranges, " or "), spec.VPC)
	}
	inner := netip.MustParsePrefix(spec.CIDR)
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
	IPv6CIDRBlock      string `json:"ipv6CidrBlock,omitempty"`
}

// claimAddressIn finds a free address of a subnet.
func (s *session) claimAddressIn(id string) (claim, error) {
	within := netip.MustParsePrefix(specOf(s, resource.Subnet, id).CIDR)
	found, ok := s.cloud.claimAddress(id, within, reservedAddresses)
	if !ok {
		return claim{}, refuse(resource.CodeQuota, "InsufficientFreeAddressesInSubnet", "the subnet %s has no free address in %s; use another subnet, or delete what has one", id, within)
	}
	return found, nil
}

// claimThisAddressIn claims one address of a subnet.
func (s *session) claimThisAddressIn(id, field, address string) (claim, error) {
	within := netip.MustParsePrefix(specOf(s, resource.Subnet, id).CIDR)
	wanted, err := netip.ParseAddr(address)
	switch {
	case err != nil || !within.Contains(wanted):
		return claim{}, refuseField(field, "InvalidParameterValue", "%.64q is no address in the range %s of the subnet %s; choose one there", address, within, id)
	case !offered(within, wanted, reservedAddresses):
		return claim{}, refuseField(field, "InvalidParameterValue", "the cloud keeps %s of the subnet %s for itself, as the first %d addresses and the last one; choose another", wanted, id, reservedAddresses)
	}
	if holder := s.cloud.claims[id][address]; holder != "" {
		return claim{}, refuse(resource.CodeAlreadyExists, "InvalidIPAddress.InUse", "%s: the address %s of the subnet %s is that of %s; choose another", field, wanted, id, holder)
	}
	return claim{id, address}, nil
}

// private reports whether a subnet has no public addresses.
func (s *session) private(subnet string) bool {
	return subnet != "" && specOf(s, resource.Subnet, subnet).Private
}

// subnetOf is the subnet that a VM or a NIC is in, "" for another object.
func (s *session) subnetOf(o *object) string {
	switch spec := o.Spec.(type) {
	case resource.VMSpec:
		return spec.Subnet
	case resource.NICSpec:
		return spec.Subnet
	}
	return ""
}

// checkSubnets checks that the subnets of the list at a path are of a VPC.
func (s *session) checkSubnets(at string, subnets []string, vpc string) error {
	for i, id := range subnets {
		if err := s.checkIn(fmt.Sprintf("%s[%d]", at, i), id, specOf(s, resource.Subnet, id).VPC, vpc); err != nil {
			return err
		}
	}
	return nil
}

// checkNetwork checks that the subnets and security groups of what is made are of its VPC.
func (s *session) checkNetwork(subnets, groups []string, vpc, whose string) error {
	if err := s.checkSubnets("spec.subnets", subnets, vpc); err != nil {
		return err
	}
	return s.checkGroupsOf(groups, vpc, whose)
}

// checkIn checks that what a field names is of a VPC.
func (s *session) checkIn(field, id, of, vpc string) error {
	if of != vpc {
		return refuseField(field, "InvalidParameterCombination", "%s belongs to the VPC %s, not to %s; choose one of that", id, of, vpc)
	}
	return nil
}

// claimSubnets claims the subnets of the list at a path for an object of a kind: each can have
// one of the kind at most.
func (s *session) claimSubnets(at string, kind *resource.Kind, id string, subnets []string) ([]claim, error) {
	scope := kind.Plural() + " of subnets"
	var claims []claim
	for i, subnet := range subnets {
		if holder := s.cloud.claims[scope][subnet]; holder != "" && holder != id {
			return nil, refuse(resource.CodeConflict, "Resource.AlreadyAssociated", "%s[%d]: the subnet %s has the %s %s already; take it from there first", at, i, subnet, kind.Name, holder)
		}
		claims = append(claims, claim{scope, subnet})
	}
	return claims, nil
}

// bitsOf is the length of the prefix of a range that was checked before.
func bitsOf(cidr string) int { return netip.MustParsePrefix(cidr).Bits() }
