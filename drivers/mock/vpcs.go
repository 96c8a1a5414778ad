package mock

import (
	"context"
	"net/netip"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type vpcs struct {
	table[resource.VPCSpec, resource.VPCStatus]
}

func openVPCs(s *session) vpcs {
	collection := vpcs{table[resource.VPCSpec, resource.VPCStatus]{
		s: s, kind: resource.VPC, prefix: "vpc", ready: resource.StateAvailable, show: showVPC,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c vpcs) plan(d *draft[resource.VPCSpec, resource.VPCStatus]) error {
	d.status.CIDRs = []string{d.spec.CIDR}
	return refuseProblems(d.spec.Problems("spec"))
}

// AddCIDR implements resource.CIDRAdder.
func (c vpcs) AddCIDR(ctx context.Context, id string, change resource.CIDRChange) error {
	return c.alter(ctx, id, "addcidr", resource.StateAvailable, func(d *draft[resource.VPCSpec, resource.VPCStatus]) error {
		d.status.CIDRs = rangesOf(d.spec, d.status)
		if slices.Contains(d.status.CIDRs, change.CIDR) {
			return nil
		}
		if err := refuseProblems(change.Problems("")); err != nil {
			return err
		}
		for _, other := range d.status.CIDRs {
			if netip.MustParsePrefix(change.CIDR).Overlaps(netip.MustParsePrefix(other)) {
				return refuseField("cidr", "InvalidVpc.Range", "%s overlaps %s, which the VPC has; choose a range that is free", change.CIDR, other)
			}
		}
		d.status.CIDRs = append(slices.Clone(d.status.CIDRs), change.CIDR)
		return nil
	})
}

// RemoveCIDR implements resource.CIDRRemover.
func (c vpcs) RemoveCIDR(ctx context.Context, id string, change resource.CIDRChange) error {
	return c.alter(ctx, id, "removecidr", resource.StateAvailable, func(d *draft[resource.VPCSpec, resource.VPCStatus]) error {
		switch {
		case change.CIDR == d.spec.CIDR:
			return refuseField("cidr", "OperationNotPermitted", "%s is the range that the VPC was made with, which stays as long as it", change.CIDR)
		case !slices.Contains(d.status.CIDRs, change.CIDR):
			return nil
		}
		for user, key := range c.s.cloud.users[id] {
			if key.Kind == resource.Subnet.Name && within(specOf(c.s, resource.Subnet, user).CIDR, change.CIDR) {
				return resource.Errorf(resource.CodeDependency, "the subnet %s lies in %s; delete it first", user, change.CIDR)
			}
		}
		d.status.CIDRs = slices.DeleteFunc(slices.Clone(d.status.CIDRs), func(cidr string) bool { return cidr == change.CIDR })
		return nil
	})
}

// rangesOf are all ranges of a VPC, of one from before there could be several too.
func rangesOf(spec resource.VPCSpec, status resource.VPCStatus) []string {
	if len(status.CIDRs) == 0 {
		return []string{spec.CIDR}
	}
	return status.CIDRs
}

// within reports whether a range is a part of another one.
func within(inner, outer string) bool {
	in, out := netip.MustParsePrefix(inner), netip.MustParsePrefix(outer)
	return in.Bits() >= out.Bits() && out.Contains(in.Addr())
}

// nativeVPC is a VPC in the cloud's own words.
type nativeVPC struct {
	VPCID      string   `json:"vpcId"`
	CIDRBlock  string   `json:"cidrBlock"`
	CIDRBlocks []string `json:"cidrBlockAssociationSet"`
	State      string   `json:"state"`
	Tenancy    string   `json:"instanceTenancy"`
	Default    bool     `json:"isDefault"`
}

func showVPC(v *sight[resource.VPCSpec, resource.VPCStatus]) any {
	v.status.CIDRs = rangesOf(v.spec, v.status)
	return nativeVPC{VPCID: v.ID, CIDRBlock: v.spec.CIDR, CIDRBlocks: v.status.CIDRs, State: cloudState(v.state), Tenancy: "default"}
}
