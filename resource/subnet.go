package resource

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// Subnet is the kind of ranges within a VPC.
var Subnet = define[SubnetSpec, SubnetStatus](Kind{
	Name:  "subnet",
	Title: "Subnet",
	Doc:   "A range of a VPC's addresses that VMs are placed in.",
})

// SubnetSpec is what a subnet is asked to be.
type SubnetSpec struct {
	VPC  string `json:"vpc" doc:"Name of the VPC that the subnet belongs to." ref:"vpc,owner" minLength:"1" maxLength:"512"`
	CIDR string `json:"cidr" doc:"IPv4 range in CIDR notation, inside one of the VPC's ranges, such as 10.0.1.0/24." maxLength:"18"`
	Zone string `json:"zone,omitempty" doc:"Zone that the subnet lives in. Default: the connection's zone, otherwise the cloud's choice. Clouds whose subnets span a region (GCP, Azure, OpenStack) ignore it." completed:"cloud" catalog:"zone" maxLength:"64"`

	Private bool `json:"private,omitempty" doc:"Whether there is no way from or to the internet, except through a NAT gateway: nothing in it has a public address. Default: false."`
}

// SubnetStatus is what the cloud reports of a subnet.
type SubnetStatus struct {
	IPv6CIDR           string `json:"ipv6Cidr,omitempty" doc:"IPv6 range. Clouds whose subnets have one range each (OpenStack) show it on a subnet of its own, which has no cidr."`
	AvailableAddresses int    `json:"availableAddresses,omitempty" doc:"IPv4 addresses that are still free, where the cloud says so."`
}

// Problems implements the rules beyond the schema.
func (s *SubnetSpec) Problems(at string) []Problem {
	return cidrProblems(join(at, "cidr"), s.CIDR)
}

// ProblemsAgainst checks that the subnet's range lies inside one of its VPC's.
func (s *SubnetSpec) ProblemsAgainst(find Find) []Problem {
	inner, err := netip.ParsePrefix(s.CIDR)
	if err != nil {
		return nil
	}
	ranges := rangesOfVPC(find, s.VPC)
	if len(ranges) == 0 { // it is not known here, or an adopted one has no range of its own
		return nil
	}
	for _, cidr := range ranges {
		outer, err := netip.ParsePrefix(cidr)
		if err != nil || inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr()) {
			return nil
		}
	}
	outer := strings.Join(ranges, " or ")
	return []Problem{{Field: "spec.cidr", Message: fmt.Sprintf("%s is not inside the range %s of the VPC %s", inner, outer, s.VPC), Rule: RuleOutside, Limit: outer}}
}

// SubnetAdder is implemented by collections whose objects subnets are added to.
type SubnetAdder interface {
	AddSubnets(ctx context.Context, id string, change SubnetChange) error
}

// SubnetRemover is implemented by collections that remove subnets.
type SubnetRemover interface {
	RemoveSubnets(ctx context.Context, id string, change SubnetChange) error
}

// SubnetChange is the parameter of the actions that change subnets.
type SubnetChange struct {
	Subnets []string `json:"subnets" doc:"Names of the subnets." ref:"subnet" flag:"subnet" minItems:"1" maxItems:"64" minLength:"1" maxLength:"512" nullable:"false"`
}

// Problems implements the rules beyond the schema.
func (c *SubnetChange) Problems(at string) []Problem {
	return doubleNames(join(at, "subnets"), c.Subnets)
}
