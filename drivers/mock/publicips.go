package mock

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type publicIPs struct {
	table[resource.PublicIPSpec, resource.PublicIPStatus]
}

func openPublicIPs(s *session) publicIPs {
	collection := publicIPs{table[resource.PublicIPSpec, resource.PublicIPStatus]{
		s: s, kind: resource.PublicIP, prefix: "ip", ready: resource.StateAvailable, held: true,
		show: func(v *sight[resource.PublicIPSpec, resource.PublicIPStatus]) any {
			v.status.VM, v.status.NIC = linkedID(resource.VM.Name, v.links), linkedID(resource.NIC.Name, v.links)
			if v.status.NIC != "" {
				v.status.VM = s.cloud.linkOf(s.shelfOf(resource.NIC.Name), v.status.NIC, resource.VM.Name)
			}
			return showPublicIP(v)
		},
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c publicIPs) plan(d *draft[resource.PublicIPSpec, resource.PublicIPStatus]) error {
	address, err := c.s.cloud.claimPublicAddress()
	if err != nil {
		return err
	}
	d.status.Address = address.Value
	d.claims = []claim{address}
	return nil
}

// Associate implements resource.Associator. Who has another public IP loses that, as
// on AWS: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
func (c publicIPs) Associate(ctx context.Context, id string, with resource.Association) error {
	if err := refuseProblems(with.Problems("")); err != nil {
		return err
	}
	to := link{Kind: resource.VM.Name, ID: with.VM}
	if with.NIC != "" {
		to = link{Kind: resource.NIC.Name, ID: with.NIC}
	}
	return c.alter(ctx, id, "associate", resource.StateAvailable, func(d *draft[resource.PublicIPSpec, resource.PublicIPStatus]) error {
		o, err := c.s.find(to.Kind, to.Kind, to.ID, d.now)
		if err != nil {
			return err
		}
		if subnet := c.s.subnetOf(o); c.s.private(subnet) {
			return refuseField(to.Kind, "Gateway.NotAttached", "%s is in the subnet %s, which is private; let it reach the internet through a NAT gateway", o.called(), subnet)
		}
		if len(c.s.cloud.users[id]) > 0 {
			return refuse(resource.CodeConflict, "Resource.AlreadyAssociated", "the public IP %s is that of %s; make another, or delete that first", id, c.s.cloud.usersOf(id))
		}
		if linkedID(to.Kind, d.links) == to.ID {
			return nil
		}
		for other, key := range c.s.cloud.linked[to.ID] {
			if key.Kind == c.kind.Name {
				if err := c.s.cloud.commit(c.s.log, key, c.s.cloud.shelf(key).live[other].without(to.ID)); err != nil {
					return err
				}
			}
		}
		d.links = []link{to}
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// Disassociate implements resource.Disassociator.
func (c publicIPs) Disassociate(ctx context.Context, id string) error {
	return c.unlink(ctx, id, "disassociate")
}

// nativePublicIP is a public IP in the cloud's own words.
type nativePublicIP struct {
	AllocationID string `json:"allocationId"`
	PublicIP     string `json:"publicIp"`
	InstanceID   string `json:"instanceId,omitempty"`
	InterfaceID  string `json:"networkInterfaceId,omitempty"`
}

func showPublicIP(v *sight[resource.PublicIPSpec, resource.PublicIPStatus]) any {
	return nativePublicIP{AllocationID: v.ID, PublicIP: v.status.Address, InstanceID: v.status.VM, InterfaceID: v.status.NIC}
}
