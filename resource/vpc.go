package resource

import (
	"context"
	"fmt"
	"net/netip"
)

// VPC is the kind of private networks.
var VPC = define[VPCSpec, VPCStatus](Kind{
	Name:  "vpc",
	Title: "VPC",
	Doc:   "A private network in one region, divided into subnets.",
	Actions: []Action{
		actionWith(Action{Name: "addcidr", Doc: "Adds an IPv4 range for more subnets; one that the VPC has is left as it is.", From: []State{StateAvailable}}, CIDRAdder.AddCIDR),
		actionWith(Action{Name: "removecidr", Doc: "Removes a range that was added, once no subnet lies in it; one that is not there is passed over.", From: []State{StateAvailable}}, CIDRRemover.RemoveCIDR),
	},
})

// CIDRAdder is implemented by collections whose VPCs can have more than one range.
type CIDRAdder interface {
	AddCIDR(ctx context.Context, id string, change CIDRChange) error
}

// CIDRRemover is implemented by collections that remove ranges of VPCs.
type CIDRRemover interface {
	RemoveCIDR(ctx context.Context, id string, change CIDRChange) error
}

// VPCSpec is what a VPC is asked to be.
type VPCSpec struct {
	CIDR string `json:"cidr" doc:"IPv4 range of the network in CIDR notation, such as 10.0.0.0/16. Between /8 and /29; most clouds take /16 to /28." maxLength:"18"`
}

// VPCStatus is what the cloud reports of a VPC.
type VPCStatus struct {
	Default bool     `json:"default,omitempty" doc:"Whether the cloud made it as the default network of the region."`
	CIDRs   []string `json:"cidrs,omitempty" doc:"All its IPv4 ranges, that of its specification first, where the cloud tells them." nullable:"false"`
}

// CIDRChange is the parameter of the actions that change the ranges of a VPC.
type CIDRChange struct {
	CIDR string `json:"cidr" doc:"IPv4 range in CIDR notation, such as 10.1.0.0/16." maxLength:"18"`
}

// Problems implements the rules beyond the schema.
func (c *CIDRChange) Problems(at string) []Problem {
	return cidrProblems(join(at, "cidr"), c.CIDR)
}

// Problems implements the rules beyond the schema.
func (s *VPCSpec) Problems(at string) []Problem {
	return cidrProblems(join(at, "cidr"), s.CIDR)
}

// cidrProblems checks the IPv4 range of a network.
func cidrProblems(field, cidr string) []Problem {
	if problems := rangeProblems(field, cidr); len(problems) > 0 {
		return problems
	}
	if bits := netip.MustParsePrefix(cidr).Bits(); bits < 8 || bits > 29 {
		return []Problem{{Field: field, Message: fmt.Sprintf("the prefix /%d is outside /8 to /29", bits), Rule: RuleOutside, Limit: "/8 – /29"}}
	}
	return nil
}

// rangesOfVPC are the ranges of a VPC, as far as they are known here.
func rangesOfVPC(find Find, name string) []string {
	var spec VPCSpec
	var status VPCStatus
	if !findSpec(find, VPC.Kind, name, &spec) {
		return nil
	}
	findStatus(find, VPC.Kind, name, &status)
	if len(status.CIDRs) == 0 && spec.CIDR != "" {
		return []string{spec.CIDR}
	}
	return status.CIDRs
}
