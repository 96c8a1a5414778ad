package mock

import (
	"cmp"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type vpnGateways struct {
	table[resource.VPNGatewaySpec, resource.VPNGatewayStatus]
}

func openVPNGateways(s *session) vpnGateways {
	collection := vpnGateways{table[resource.VPNGatewaySpec, resource.VPNGatewayStatus]{
		s: s, kind: resource.VPNGateway, prefix: "vgw", ready: resource.StateAvailable, built: true, show: showVPNGateway,
	}}
	collection.prepare = collection.plan
	return collection
}

// ownASN is the first of those for private use.
// https://www.rfc-editor.org/rfc/rfc6996
const ownASN = 64512

// plan completes and checks a draft.
func (c vpnGateways) plan(d *draft[resource.VPNGatewaySpec, resource.VPNGatewayStatus]) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if id := d.spec.Subnet; id != "" {
		if err := c.s.checkIn("spec.subnet", id, specOf(c.s, resource.Subnet, id).VPC, d.spec.VPC); err != nil {
			return err
		}
	}
	d.spec.ASN = cmp.Or(d.spec.ASN, ownASN)
	address, err := c.s.cloud.claimPublicAddress()
	d.status.Addresses, d.claims = []string{address.Value}, []claim{address}
	return err
}

// nativeVPNGateway is a VPN gateway in the cloud's own words.
type nativeVPNGateway struct {
	VPNGatewayID string `json:"vpnGatewayId"`
	VPCID        string `json:"vpcId"`
	ASN          int64  `json:"bgpAsn"`
	State        string `json:"state"`
}

func showVPNGateway(v *sight[resource.VPNGatewaySpec, resource.VPNGatewayStatus]) any {
	return nativeVPNGateway{VPNGatewayID: v.ID, VPCID: v.spec.VPC, ASN: v.spec.ASN, State: cloudState(v.state)}
}
