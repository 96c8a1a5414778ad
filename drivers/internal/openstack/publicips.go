package openstack

import (
	"cmp"
	"context"
	"iter"
	"net/url"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A public IP is a floating IP. It has no name of its own: a tag keeps it, or else the
// description is its name.
type (
	publicIPs  struct{ *Session }
	publicIP   = driver.Object[resource.PublicIPSpec, resource.PublicIPStatus]
	floatingIP struct {
		floatingips.FloatingIP
		near *ports.Port // the port that has it
	}
)

const (
	ofNLB   = "of=nlb" // marks the address of a load balancer
	nameTag = "mcic-name="
)

func (p publicIPs) neutron() neutron[resource.PublicIPSpec, resource.PublicIPStatus, floatingIP] {
	return neutronOf(p.Session, "floatingip", "floatingips", p.object)
}

// List answers the project's floating IPs, without those of load balancers.
func (p publicIPs) List(ctx context.Context, f driver.Filter) iter.Seq2[publicIP, error] {
	return func(yield func(publicIP, error) bool) {
		var near map[string]*ports.Port
		for page, err := range p.neutron().raw(ctx, narrow(f)) {
			switch {
			case err != nil:
			case f.Token != "":
				near, err = p.nearOf(ctx, page...)
			case near == nil:
				near, err = p.near(ctx, nil)
			}
			if err != nil {
				yield(publicIP{}, err)
				return
			}
			for _, x := range page {
				x.is.near = near[x.is.PortID]
				if readMark(x.is.Description).more != ofNLB && !yield(p.object(x), nil) {
					return
				}
			}
		}
	}
}

// Get answers one floating IP.
func (p publicIPs) Get(ctx context.Context, id string) (publicIP, error) {
	found, err := p.neutron().look(ctx, id)
	if err != nil {
		return publicIP{}, err
	}
	near, err := p.nearOf(ctx, found)
	if err != nil {
		return publicIP{}, err
	}
	found.is.near = near[found.is.PortID]
	return p.object(found), nil
}

// Make takes an address from the external network.
func (p publicIPs) Make(ctx context.Context, r driver.Request[resource.PublicIPSpec]) (publicIP, error) {
	made, err := p.allocate(ctx, mark{token: r.Token}, r.Labels, "")
	made.Name = r.Name
	return made, err
}

// Complete gives an address its name and its labels.
func (p publicIPs) Complete(ctx context.Context, r driver.Request[resource.PublicIPSpec], o publicIP) (publicIP, error) {
	o.Name = r.Name
	return p.neutron().tag(ctx, o, r.Labels, nameTag+r.Name)
}

// Delete gives an address back. Neutron would take it away from what has it.
func (p publicIPs) Delete(ctx context.Context, id string) error {
	found, err := p.neutron().look(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	if found.is.PortID != "" {
		return resource.Errorf(resource.CodeDependency, "the address %s belongs to the port %s; disassociate it first", found.is.FloatingIP.FloatingIP, found.is.PortID)
	}
	return p.neutron().delete(ctx, id)
}

// Associate gives the address to a port; another one loses it. A port with secondary
// addresses is reached at its primary one.
func (p publicIPs) Associate(ctx context.Context, id string, with resource.Association) error {
	query := url.Values{"id": {with.NIC}}
	if with.VM != "" {
		query = url.Values{"device_id": {with.VM}}
	}
	ports, err := nics(p).ordered(ctx, query)
	if err != nil {
		return err
	}
	if len(ports) == 0 && with.VM != "" {
		if _, err := vms(p).Get(ctx, with.VM); err != nil {
			return err
		}
		return resource.Errorf(resource.CodeConflict, "the VM %s has no port yet that could have an address", with.VM)
	}
	if len(ports) == 0 {
		return resource.Errorf(resource.CodeNotFound, "the cloud has no port %s", with.NIC)
	}
	return coded(floatingips.Update(ctx, p.network, id, floatingips.UpdateOpts{PortID: &ports[0].ID, FixedIP: addressesOf(ports[0].Port).primary()}).Err)
}

// Disassociate takes the address from what has it.
func (p publicIPs) Disassociate(ctx context.Context, id string) error {
	return coded(floatingips.Update(ctx, p.network, id, floatingips.UpdateOpts{PortID: new(string)}).Err)
}

// Label changes the tags.
func (p publicIPs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return p.neutron().label(ctx, id, change)
}

// allocate makes a floating IP, for a port if one is given.
func (p publicIPs) allocate(ctx context.Context, m mark, labels map[string]string, port string) (publicIP, error) {
	from, err := p.externalNetwork(ctx)
	if err != nil {
		return publicIP{}, err
	}
	if from == "" {
		return publicIP{}, resource.Errorf(resource.CodeUnsupported, "the cloud shows this project no external network, from which public addresses could come")
	}
	return p.neutron().create(labels, func() gophercloud.Result {
		return floatingips.Create(ctx, p.network, floatingips.CreateOpts{FloatingNetworkID: from, Description: m.String(), PortID: port}).Result
	})
}

// nearOf answers the ports that have some addresses, by id.
func (p publicIPs) nearOf(ctx context.Context, addresses ...shown[floatingIP]) (map[string]*ports.Port, error) {
	query := url.Values{}
	for _, x := range addresses {
		if x.is.PortID != "" {
			query.Add("id", x.is.PortID)
		}
	}
	if len(query) == 0 {
		return nil, nil
	}
	return p.near(ctx, query)
}

// near answers the ports that can have addresses, by id.
func (p publicIPs) near(ctx context.Context, query url.Values) (map[string]*ports.Port, error) {
	found := map[string]*ports.Port{}
	for port, err := range driver.Items(nics(p).neutron().raw(ctx, query), is) {
		if err != nil {
			return nil, err
		}
		found[port.ID] = &port.Port
	}
	return found, nil
}

func (publicIPs) object(x shown[floatingIP]) publicIP {
	m := readMark(x.is.Description)
	o := object[resource.PublicIPSpec, resource.PublicIPStatus](x.is.ID, cmp.Or(tagOf(x.is.Tags, nameTag), m.text), x)
	o.Token, o.Labels, o.CreatedAt = m.token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State, o.CloudState = networkState(x.is.Status)
	o.Status.Address = x.is.FloatingIP.FloatingIP
	if port := x.is.near; port != nil {
		if isNIC(*port) {
			o.Status.NIC = port.ID
		}
		if ofServer(*port) {
			o.Status.VM = port.DeviceID
		}
	}
	return o
}
