package mock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	vpnConnections struct {
		table[resource.VPNConnectionSpec, resource.VPNConnectionStatus]
	}
	vpnConnectionDraft = draft[resource.VPNConnectionSpec, resource.VPNConnectionStatus]
)

func openVPNConnections(s *session) vpnConnections {
	collection := vpnConnections{table[resource.VPNConnectionSpec, resource.VPNConnectionStatus]{
		s: s, kind: resource.VPNConnection, prefix: "vpn", ready: resource.StateAvailable, built: true,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// plan completes and checks a draft.
func (c vpnConnections) plan(d *vpnConnectionDraft) error {
	if err := need("spec.vpngateway", d.spec.VPNGateway); err != nil {
		return err
	}
	if err := need("spec.presharedKey", d.spec.PresharedKey); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	vpc := specOf(c.s, resource.VPNGateway, d.spec.VPNGateway).VPC
	own := rangesOf(specOf(c.s, resource.VPC, vpc), statusOf(c.s, resource.VPC, vpc))
	if err := checkApart("spec.peerCidrs", d.spec.PeerCIDRs, own, vpc); err != nil {
		return err
	}
	if len(d.spec.LocalCIDRs) == 0 {
		d.spec.LocalCIDRs = own
	}
	d.keys, d.spec.PresharedKey = digestOf(d.spec.PresharedKey), ""
	return nil
}

// SetKey implements resource.KeySetter.
func (c vpnConnections) SetKey(ctx context.Context, id string, to resource.PresharedKey) error {
	if err := refuseProblems(to.Problems("")); err != nil {
		return err
	}
	return c.alter(ctx, id, "setkey", resource.StateAvailable, func(d *vpnConnectionDraft) error {
		if digest := digestOf(to.PresharedKey); !slices.Equal(digest, d.keys) {
			d.keys, d.change = digest, c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// PeerConfig implements resource.PeerConfigReader.
func (c vpnConnections) PeerConfig(ctx context.Context, id string) (resource.PeerConfig, error) {
	o, err := c.Get(ctx, id)
	if err != nil {
		return resource.PeerConfig{}, err
	}
	return resource.NewPeerConfig(o.Spec, o.Status), nil
}

// digestOf is what the cloud keeps of a pre-shared key, to find whether both sides have the same.
func digestOf(key string) []string {
	sum := sha256.Sum256([]byte(key))
	return []string{hex.EncodeToString(sum[:])}
}

// nativeVPNConnection is a VPN connection in the cloud's own words.
type nativeVPNConnection struct {
	VPNConnectionID string `json:"vpnConnectionId"`
	VPNGatewayID    string `json:"vpnGatewayId"`
	State           string `json:"state"`
}

// shown completes what a connection shows: its tunnels are up where the other side is a
// connection of this cloud, in whatever account, that leads back and has the same key.
func (c vpnConnections) shown(v *sight[resource.VPNConnectionSpec, resource.VPNConnectionStatus]) any {
	cloud := c.s.cloud
	cloud.mu.RLock()
	defer cloud.mu.RUnlock()
	local := cloud.vpnAddress(c.key().place, v.spec.VPNGateway)
	for i, peer := range v.spec.PeerAddresses {
		tunnel := resource.VPNTunnel{LocalAddress: local, PeerAddress: peer, State: resource.TunnelDown, Reason: "the other side does not answer"}
		if b := v.spec.BGP; b != nil && i < len(b.InsideCIDRs) {
			first := netip.MustParsePrefix(b.InsideCIDRs[i]).Addr().Next()
			tunnel.InsideAddresses = []string{first.String(), first.Next().String()}
		}
		if other := cloud.vpnPeer(local, peer); other != nil && v.state == resource.StateAvailable {
			if tunnel.State, tunnel.Reason = resource.TunnelUp, ""; !slices.Equal(other.Keys, v.Keys) {
				tunnel.State, tunnel.Reason = resource.TunnelDown, "the other side has another pre-shared key"
			}
		}
		v.status.Tunnels = append(v.status.Tunnels, tunnel)
	}
	return nativeVPNConnection{VPNConnectionID: v.ID, VPNGatewayID: v.spec.VPNGateway, State: cloudState(v.state)}
}

// vpnAddress is the address of a VPN gateway. The cloud is held.
func (c *cloud) vpnAddress(at place, gateway string) string {
	if o := c.find(shelfKey{at, resource.VPNGateway.Name}, gateway, c.time()); o != nil {
		return o.Status.(resource.VPNGatewayStatus).Addresses[0]
	}
	return ""
}

// vpnPeer is the connection from one address to another, nil if there is none. The cloud is held.
func (c *cloud) vpnPeer(to, from string) *object {
	now := c.time()
	for key, shelf := range c.shelves {
		if key.Kind != resource.VPNConnection.Name {
			continue
		}
		for _, o := range shelf.live {
			spec := o.Spec.(resource.VPNConnectionSpec)
			if o.Change.state(now) == resource.StateAvailable && slices.Contains(spec.PeerAddresses, to) && c.vpnAddress(key.place, spec.VPNGateway) == from {
				return o
			}
		}
	}
	return nil
}
