package openstack

import (
	"cmp"
	"context"
	"net/url"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A public IP is a floating IP. It has no name of its own: a tag keeps it, or else the
// description is its name.
type (
	publicIPs struct {
		neutron[resource.PublicIPSpec, resource.PublicIPStatus, floatingIP]
	}
	publicIP   = driver.Object[resource.PublicIPSpec, resource.PublicIPStatus]
	floatingIP struct {
		floatingips.FloatingIP
		near []ports.Port // the port that has it
	}
)

const (
	ofNLB   = "of=nlb" // marks the address of a load balancer
	nameTag = "mcic-name="
)

// publicIPs lists the project's floating IPs, without those of load balancers.
func (s *Session) publicIPs() publicIPs {
	p := publicIPs{neutronOf(s, "floatingip", "floatingips", showPublicIP)}
	p.meant = func(x shown[floatingIP]) bool { return readMark(x.Description).more != ofNLB }
	p.beside = func(ctx context.Context, query url.Values) func([]shown[floatingIP]) ([]shown[floatingIP], error) {
		return portsBeside(ctx, s.nics(), query, "id", idOf, func(x shown[floatingIP]) string { return x.is.PortID }, func(x *floatingIP, near []ports.Port) { x.near = near })
	}
	return p
}

// Make takes an address from the external network.
func (p publicIPs) Make(ctx context.Context, r driver.Request[resource.PublicIPSpec]) (publicIP, error) {
	made, err := p.allocate(ctx, mark{token: r.Token}, "")
	made.Name = r.Name
	return made, err
}

// Complete gives an address its name and its labels.
func (p publicIPs) Complete(ctx context.Context, r driver.Request[resource.PublicIPSpec], o publicIP) (publicIP, error) {
	o.Name = r.Name
	return p.tag(ctx, o, r.Labels, nameTag+r.Name)
}

// Delete gives an address back. Neutron would take it away from what has it.
func (p publicIPs) Delete(ctx context.Context, id string) error {
	found, err := p.look(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	if found.is.PortID != "" {
		return resource.Errorf(resource.CodeDependency, "the address %s belongs to the port %s; disassociate it first", found.is.FloatingIP.FloatingIP, found.is.PortID)
	}
	return p.collection.Delete(ctx, id)
}

// Associate gives the address to a port; another one loses it. A port with secondary
// addresses is reached at its primary one.
func (p publicIPs) Associate(ctx context.Context, id string, with resource.Association) error {
	query := url.Values{"id": {with.NIC}}
	if with.VM != "" {
		query = url.Values{"device_id": {with.VM}}
	}
	found, err := p.nics().by(ctx, func(ports.Port) string { return "" }, query)
	if err != nil {
		return err
	}
	ports := found[""]
	if len(ports) == 0 && with.VM != "" {
		if _, err := p.vms().Get(ctx, with.VM); err != nil {
			return err
		}
		return resource.Errorf(resource.CodeConflict, "the VM %s has no port yet that could have an address", with.VM)
	}
	if len(ports) == 0 {
		return resource.Errorf(resource.CodeNotFound, "the cloud has no port %s", with.NIC)
	}
	return coded(floatingips.Update(ctx, p.network, id, floatingips.UpdateOpts{PortID: &ports[0].ID, FixedIP: addressesOf(ports[0]).primary()}).Err)
}

// Disassociate takes the address from what has it.
func (p publicIPs) Disassociate(ctx context.Context, id string) error {
	return coded(floatingips.Update(ctx, p.network, id, floatingips.UpdateOpts{PortID: new(string)}).Err)
}

// allocate makes a floating IP, for a port if one is given.
func (p publicIPs) allocate(ctx context.Context, m mark, port string) (publicIP, error) {
	from, err := p.externalNetwork(ctx)
	if err != nil {
		return publicIP{}, err
	}
	if from == "" {
		return publicIP{}, resource.Errorf(resource.CodeUnsupported, "the cloud shows this project no external network, from which public addresses could come")
	}
	return p.made(floatingips.Create(ctx, p.network, floatingips.CreateOpts{FloatingNetworkID: from, Description: m.String(), PortID: port}).Result)
}

func showPublicIP(x shown[floatingIP], o *publicIP) {
	o.Name = cmp.Or(tagOf(x.Tags, nameTag), readMark(x.Description).text)
	o.Status.Address = x.is.FloatingIP.FloatingIP
	for _, port := range x.is.near {
		if isNIC(port) {
			o.Status.NIC = port.ID
		}
		if ofServer(port) {
			o.Status.VM = port.DeviceID
		}
	}
}
