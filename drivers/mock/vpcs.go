package mock

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type vpcs struct {
	table[resource.VPCSpec, resource.VPCStatus]
}

func openVPCs(s *session) vpcs {
	return vpcs{table[resource.VPCSpec, resource.VPCStatus]{
		s: s, kind: resource.VPC, prefix: "vpc", ready: resource.StateAvailable, show: showVPC,
	}}
}

// Create implements driver.Maker.
func (c vpcs) Make(ctx context.Context, r driver.Request[resource.VPCSpec]) (driver.Object[resource.VPCSpec, resource.VPCStatus], error) {
	return c.create(ctx, r, func(d *draft[resource.VPCSpec, resource.VPCStatus]) error {
		return refuseProblems(d.spec.Problems("spec"))
	})
}

// nativeVPC is a VPC in the cloud's own words.
type nativeVPC struct {
	VPCID     string `json:"vpcId"`
	CIDRBlock string `json:"cidrBlock"`
	State     string `json:"state"`
	Tenancy   string `json:"instanceTenancy"`
	Default   bool   `json:"isDefault"`
}

func showVPC(v *sight[resource.VPCSpec, resource.VPCStatus]) any {
	return nativeVPC{VPCID: v.ID, CIDRBlock: v.spec.CIDR, State: cloudState(v.state), Tenancy: "default"}
}
