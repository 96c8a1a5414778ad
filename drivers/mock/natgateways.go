package mock

import (
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	natGateways struct {
		table[resource.NATGatewaySpec, resource.NATGatewayStatus]
	}
	natGatewayDraft = draft[resource.NATGatewaySpec, resource.NATGatewayStatus]
)

func openNATGateways(s *session) natGateways {
	collection := natGateways{table[resource.NATGatewaySpec, resource.NATGatewayStatus]{
		s: s, kind: resource.NATGateway, prefix: "nat", ready: resource.StateAvailable, built: true, show: showNATGateway,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c natGateways) plan(d *natGatewayDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if id := d.spec.GatewaySubnet; id != "" {
		if err := c.s.checkIn("spec.gatewaySubnet", id, specOf(c.s, resource.Subnet, id).VPC, d.spec.VPC); err != nil {
			return err
		}
		if c.s.private(id) {
			return refuseField("spec.gatewaySubnet", "InvalidSubnet", "the subnet %s is private, and a NAT gateway needs a way to the internet; choose another", id)
		}
	}
	var own []claim
	if d.spec.PublicIP == "" {
		address, err := c.s.cloud.claimPublicAddress()
		if err != nil {
			return err
		}
		own, d.status.Addresses = []claim{address}, []string{address.Value}
	} else {
		ip := d.named[d.spec.PublicIP]
		if len(ip.Links) > 0 || len(c.s.cloud.users[ip.ID]) > 0 {
			return refuseField("spec.publicip", "Resource.AlreadyAssociated", "something has the public IP %s already; disassociate it first, or choose another", ip.called())
		}
		d.status.Addresses = []string{statusOf(c.s, resource.PublicIP, ip.ID).Address}
	}
	d.claims = own
	return c.serve(d, "spec.subnets", d.spec.Subnets)
}

// AddSubnets implements resource.SubnetAdder.
func (c natGateways) AddSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "addsubnets", resource.StateAvailable, func(d *natGatewayDraft) error {
		if err := c.s.refer(ctx, c.kind.Kind, "addsubnets", change, d.now); err != nil {
			return err
		}
		added := slices.DeleteFunc(slices.Clone(change.Subnets), func(id string) bool { return slices.Contains(d.spec.Subnets, id) })
		if len(added) == 0 {
			return nil
		}
		d.spec.Subnets = slices.Concat(d.spec.Subnets, added)
		d.change = c.s.update(d.now, resource.StateAvailable)
		return c.serve(d, "subnets", added)
	})
}

// RemoveSubnets implements resource.SubnetRemover.
func (c natGateways) RemoveSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "removesubnets", resource.StateAvailable, func(d *natGatewayDraft) error {
		left := slices.DeleteFunc(slices.Clone(d.spec.Subnets), func(id string) bool { return slices.Contains(change.Subnets, id) })
		if len(left) < len(d.spec.Subnets) {
			d.claims = slices.DeleteFunc(d.claims, func(c claim) bool { return slices.Contains(change.Subnets, c.Value) })
			d.spec.Subnets, d.change = left, c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// serve lets the subnets of the list at a path out through the gateway.
func (c natGateways) serve(d *natGatewayDraft, at string, subnets []string) error {
	if err := c.s.checkSubnets(at, subnets, d.spec.VPC); err != nil {
		return err
	}
	for i, id := range subnets {
		if !c.s.private(id) {
			return refuseField(fmt.Sprintf("%s[%d]", at, i), "InvalidSubnet", "the subnet %s is not private, and reaches the internet without a NAT gateway; choose one that is", id)
		}
	}
	claims, err := c.s.claimSubnets(at, c.kind.Kind, d.id, subnets)
	d.claims = slices.Concat(d.claims, claims)
	return err
}

// nativeNATGateway is a NAT gateway in the cloud's own words.
type nativeNATGateway struct {
	NATGatewayID string   `json:"natGatewayId"`
	VPCID        string   `json:"vpcId"`
	Addresses    []string `json:"publicIps"`
	State        string   `json:"state"`
}

func showNATGateway(v *sight[resource.NATGatewaySpec, resource.NATGatewayStatus]) any {
	return nativeNATGateway{NATGatewayID: v.ID, VPCID: v.spec.VPC, Addresses: v.status.Addresses, State: cloudState(v.state)}
}
