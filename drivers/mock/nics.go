package mock

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type nics struct {
	table[resource.NICSpec, resource.NICStatus]
}

func openNICs(s *session) nics {
	collection := nics{table[resource.NICSpec, resource.NICStatus]{
		s: s, kind: resource.NIC, prefix: "nic", ready: resource.StateAvailable, held: true,
		show: func(v *sight[resource.NICSpec, resource.NICStatus]) any {
			v.status.VM, v.status.IPv6Addresses = linkedID(resource.VM.Name, v.links), s.ipv6Of(v.ID, v.spec.Subnet)
			for _, ip := range s.cloud.linkedTo(v.ID, resource.PublicIP.Name) {
				v.status.PublicAddress = ip.Status.(resource.PublicIPStatus).Address
			}
			return showNIC(v)
		},
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c nics) plan(d *draft[resource.NICSpec, resource.NICStatus]) (err error) {
	if err := need("spec.subnet", d.spec.Subnet); err != nil {
		return err
	}
	if err := c.s.checkSecurityGroups(d.spec.SecurityGroups, d.spec.Subnet); err != nil {
		return err
	}
	var address claim
	if d.spec.PrivateAddress == "" {
		address, err = c.s.claimAddressIn(d.spec.Subnet)
	} else {
		address, err = c.s.claimThisAddressIn(d.spec.Subnet, "spec.privateAddress", d.spec.PrivateAddress)
	}
	d.spec.PrivateAddress, d.status.PrivateAddress = address.Value, address.Value
	d.status.MACAddress = macAddress(d.id)
	d.claims = []claim{address}
	return err
}

// Attach implements resource.NICAttacher.
func (c nics) Attach(ctx context.Context, id string, to resource.NICAttachment) error {
	return c.alter(ctx, id, "attach", resource.StateAvailable, func(d *draft[resource.NICSpec, resource.NICStatus]) error {
		done, err := c.s.join(&d.links, id, to.VM, specOf(c.s, resource.Subnet, d.spec.Subnet).Zone, d.now)
		if done || err != nil {
			return err
		}
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// Detach implements resource.Detacher.
func (c nics) Detach(ctx context.Context, id string) error {
	return c.unlink(ctx, id, "detach")
}

// AddAddresses implements resource.AddressAdder.
func (c nics) AddAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	return c.alter(ctx, id, "addaddresses", resource.StateAvailable, func(d *draft[resource.NICSpec, resource.NICStatus]) error {
		for i, address := range change.Addresses {
			if slices.ContainsFunc(d.claims, func(c claim) bool { return c.Value == address }) {
				continue
			}
			claimed, err := c.s.claimThisAddressIn(d.spec.Subnet, fmt.Sprintf("addresses[%d]", i), address)
			if err != nil {
				return err
			}
			d.claims = append(d.claims, claimed)
		}
		d.status.SecondaryAddresses = secondary(d.claims)
		return nil
	})
}

// RemoveAddresses implements resource.AddressRemover.
func (c nics) RemoveAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	return c.alter(ctx, id, "removeaddresses", resource.StateAvailable, func(d *draft[resource.NICSpec, resource.NICStatus]) error {
		if i := slices.Index(change.Addresses, d.status.PrivateAddress); i >= 0 {
			return refuseField(fmt.Sprintf("addresses[%d]", i), "InvalidParameterValue", "%s is the primary address, which stays as long as the network interface; leave it out", d.status.PrivateAddress)
		}
		d.claims = slices.DeleteFunc(d.claims, func(c claim) bool { return slices.Contains(change.Addresses, c.Value) })
		d.status.SecondaryAddresses = secondary(d.claims)
		return nil
	})
}

// macAddress is one that belongs to no maker of hardware.
func macAddress(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// secondary are all addresses but the first.
func secondary(claims []claim) []string {
	var addresses []string
	for _, c := range claims[1:] {
		addresses = append(addresses, c.Value)
	}
	return addresses
}

// nativeNIC is a network interface in the cloud's own words.
type nativeNIC struct {
	InterfaceID string   `json:"networkInterfaceId"`
	SubnetID    string   `json:"subnetId"`
	Addresses   []string `json:"privateIpAddresses"`
	MACAddress  string   `json:"macAddress"`
	Status      string   `json:"status"`
	InstanceID  string   `json:"instanceId,omitempty"`
	IPv6        []string `json:"ipv6Addresses,omitempty"`
}

func showNIC(v *sight[resource.NICSpec, resource.NICStatus]) any {
	return nativeNIC{
		InterfaceID: v.ID, SubnetID: v.spec.Subnet, Addresses: append([]string{v.status.PrivateAddress}, v.status.SecondaryAddresses...),
		MACAddress: v.status.MACAddress, Status: cloudState(v.state), InstanceID: v.status.VM, IPv6: v.status.IPv6Addresses,
	}
}
