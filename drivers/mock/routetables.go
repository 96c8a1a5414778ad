package mock

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	routeTables struct {
		table[resource.RouteTableSpec, resource.RouteTableStatus]
	}
	routeTableDraft = draft[resource.RouteTableSpec, resource.RouteTableStatus]
)

func openRouteTables(s *session) routeTables {
	collection := routeTables{table[resource.RouteTableSpec, resource.RouteTableStatus]{
		s: s, kind: resource.RouteTable, prefix: "rtb", ready: resource.StateAvailable, show: showRouteTable,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c routeTables) plan(d *routeTableDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.checkRoutes("spec.routes", d.spec.Routes, d.spec.VPC); err != nil {
		return err
	}
	return c.route(d, "spec.subnets", d.spec.Subnets)
}

// SetRoutes implements resource.RouteSetter.
func (c routeTables) SetRoutes(ctx context.Context, id string, to resource.Routes) error {
	if err := refuseProblems(to.Problems("")); err != nil {
		return err
	}
	return c.alter(ctx, id, "setroutes", resource.StateAvailable, func(d *routeTableDraft) error {
		if err := c.s.refer(ctx, c.kind.Kind, "setroutes", to, d.now); err != nil {
			return err
		}
		d.spec.Routes = to.Routes
		return c.checkRoutes("routes", to.Routes, d.spec.VPC)
	})
}

// AddSubnets implements resource.SubnetAdder.
func (c routeTables) AddSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "addsubnets", resource.StateAvailable, func(d *routeTableDraft) error {
		if err := c.s.refer(ctx, c.kind.Kind, "addsubnets", change, d.now); err != nil {
			return err
		}
		added := slices.DeleteFunc(slices.Clone(change.Subnets), func(id string) bool { return slices.Contains(d.spec.Subnets, id) })
		d.spec.Subnets = slices.Concat(d.spec.Subnets, added)
		return c.route(d, "subnets", added)
	})
}

// RemoveSubnets implements resource.SubnetRemover.
func (c routeTables) RemoveSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "removesubnets", resource.StateAvailable, func(d *routeTableDraft) error {
		d.spec.Subnets = slices.DeleteFunc(slices.Clone(d.spec.Subnets), func(id string) bool { return slices.Contains(change.Subnets, id) })
		d.claims = slices.DeleteFunc(d.claims, func(c claim) bool { return slices.Contains(change.Subnets, c.Value) })
		return nil
	})
}

// route has the routes hold for the subnets of the list at a path.
func (c routeTables) route(d *routeTableDraft, at string, subnets []string) error {
	if err := c.s.checkSubnets(at, subnets, d.spec.VPC); err != nil {
		return err
	}
	claims, err := c.s.claimSubnets(at, c.kind.Kind, d.id, subnets)
	d.claims = slices.Concat(d.claims, claims)
	return err
}

// checkRoutes checks that the targets of the list at a path can be reached from a VPC.
func (c routeTables) checkRoutes(at string, routes []resource.Route, vpc string) error {
	for i, r := range routes {
		field := fmt.Sprintf("%s[%d]", at, i)
		var err error
		switch {
		case r.NATGateway != "":
			err = c.s.checkIn(field+".natgateway", r.NATGateway, specOf(c.s, resource.NATGateway, r.NATGateway).VPC, vpc)
		case r.VPNGateway != "":
			err = c.s.checkIn(field+".vpngateway", r.VPNGateway, specOf(c.s, resource.VPNGateway, r.VPNGateway).VPC, vpc)
		case r.NIC != "":
			err = c.s.checkIn(field+".nic", r.NIC, specOf(c.s, resource.Subnet, specOf(c.s, resource.NIC, r.NIC).Subnet).VPC, vpc)
		case r.VPCPeering != "":
			if spec := specOf(c.s, resource.VPCPeering, r.VPCPeering); spec.Peer != vpc {
				err = c.s.checkIn(field+".vpcpeering", r.VPCPeering, spec.VPC, vpc)
			}
		case !slices.ContainsFunc(rangesOf(specOf(c.s, resource.VPC, vpc), statusOf(c.s, resource.VPC, vpc)), func(cidr string) bool {
			return netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(r.Address))
		}):
			err = refuseField(field+".address", "InvalidParameterValue", "the address %s is not in the VPC %s; choose one there", r.Address, vpc)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nativeRouteTable is a route table in the cloud's own words.
type nativeRouteTable struct {
	RouteTableID string   `json:"routeTableId"`
	VPCID        string   `json:"vpcId"`
	Routes       []string `json:"destinationCidrBlocks"`
}

func showRouteTable(v *sight[resource.RouteTableSpec, resource.RouteTableStatus]) any {
	native := nativeRouteTable{RouteTableID: v.ID, VPCID: v.spec.VPC}
	for _, r := range v.spec.Routes {
		native.Routes = append(native.Routes, r.CIDR)
	}
	return native
}
