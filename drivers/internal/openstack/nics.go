package openstack

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A NIC is a port. Neutron answers a port's addresses in any order, so that tags keep
// which of them are secondary.
type (
	nics       struct{ *Session }
	nic        = driver.Object[resource.NICSpec, resource.NICStatus]
	portFields struct{ ports.Port }
)

const (
	firstOfVM    = "of=vm"           // marks the port that a VM was created with
	secondaryTag = "mcic-secondary=" // a secondary address
)

func (n nics) neutron() neutron[resource.NICSpec, resource.NICStatus, portFields] {
	return neutronOf(n.Session, "port", "ports", n.object)
}

// List answers the project's ports that are or can be of VMs, without those that VMs
// were created with.
func (n nics) List(ctx context.Context, f driver.Filter) iter.Seq2[nic, error] {
	return driver.Items(only(n.neutron().raw(ctx, narrow(f)), func(x shown[portFields]) bool { return isNIC(x.is.Port) }), n.object)
}

// Get answers one port.
func (n nics) Get(ctx context.Context, id string) (nic, error) { return n.neutron().get(ctx, id) }

// Make makes a port.
func (n nics) Make(ctx context.Context, r driver.Request[resource.NICSpec]) (nic, error) {
	return n.port(ctx, mark{token: r.Token}, r.Name, r.Labels, r.Spec)
}

// Complete gives a port its labels.
func (n nics) Complete(ctx context.Context, r driver.Request[resource.NICSpec], o nic) (nic, error) {
	return n.neutron().tag(ctx, o, r.Labels)
}

// Delete removes a port. Neutron would take it away from a running VM.
func (n nics) Delete(ctx context.Context, id string) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	if found.Status.VM != "" {
		return resource.Errorf(resource.CodeDependency, "the port %s is attached to the VM %s; detach it first", id, found.Status.VM)
	}
	return n.neutron().delete(ctx, id)
}

// Attach gives a port to a server.
func (n nics) Attach(ctx context.Context, id string, to resource.NICAttachment) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	if done, err := driver.Attached("port", id, found.Status.VM, to.VM); done || err != nil {
		return err
	}
	return coded(attachinterfaces.Create(ctx, n.compute, to.VM, attachinterfaces.CreateOpts{PortID: id}).Err)
}

// Detach takes a port from the server that has it.
func (n nics) Detach(ctx context.Context, id string) error {
	found, err := n.Get(ctx, id)
	if err != nil || found.Status.VM == "" {
		return err
	}
	return driver.Except(coded(attachinterfaces.Delete(ctx, n.compute, found.Status.VM, id).Err), resource.CodeNotFound)
}

// AddAddresses adds secondary addresses. Their tags are set before, so that they are
// never taken for the primary one.
func (n nics) AddAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	return n.changeAddresses(ctx, id, func(addresses []ports.IP, subnet string) []ports.IP {
		for _, address := range change.Addresses {
			if !slices.ContainsFunc(addresses, func(ip ports.IP) bool { return ip.IPAddress == address }) {
				addresses = append(addresses, ports.IP{SubnetID: subnet, IPAddress: address})
			}
		}
		return addresses
	}, change.Addresses, nil)
}

// RemoveAddresses removes secondary addresses; the primary one stays.
func (n nics) RemoveAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	return n.changeAddresses(ctx, id, func(addresses []ports.IP, _ string) []ports.IP {
		primary := addresses[0].IPAddress
		return slices.DeleteFunc(addresses, func(ip ports.IP) bool {
			return ip.IPAddress != primary && slices.Contains(change.Addresses, ip.IPAddress)
		})
	}, nil, change.Addresses)
}

// Label changes the tags.
func (n nics) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return n.neutron().label(ctx, id, change)
}

func isNIC(port ports.Port) bool {
	return (port.DeviceOwner == "" || ofServer(port)) && readMark(port.Description).more != firstOfVM
}

// ofServer reports whether a server has a port: routers, load balancers and others have some, too.
func ofServer(port ports.Port) bool { return strings.HasPrefix(port.DeviceOwner, "compute:") }

// ordered answers the ports that a query asks for, the first one of a VM before its others.
func (n nics) ordered(ctx context.Context, query url.Values) ([]portFields, error) {
	all, err := collect(driver.Items(n.neutron().raw(ctx, query), is))
	slices.SortStableFunc(all, func(a, b portFields) int { return firstBefore(a.Port, b.Port) })
	return all, err
}

// firstBefore orders the ports of a VM: the one that it was created with, then the
// oldest.
func firstBefore(a, b ports.Port) int {
	return cmp.Or(cmp.Compare(readMark(b.Description).more, readMark(a.Description).more), a.CreatedAt.Compare(b.CreatedAt))
}

// port makes a port in a subnet.
func (n nics) port(ctx context.Context, m mark, name string, labels map[string]string, s resource.NICSpec) (nic, error) {
	in, err := subnets(n).Get(ctx, s.Subnet)
	if err != nil {
		return nic{}, err
	}
	opts := ports.CreateOpts{
		Name: name, Description: m.String(), NetworkID: in.Spec.VPC,
		FixedIPs: []ports.IP{{SubnetID: s.Subnet, IPAddress: s.PrivateAddress}},
	}
	if len(s.SecurityGroups) > 0 {
		opts.SecurityGroups = &s.SecurityGroups
	}
	return n.neutron().create(labels, func() gophercloud.Result { return ports.Create(ctx, n.network, opts).Result })
}

func (n nics) changeAddresses(ctx context.Context, id string, change func([]ports.IP, string) []ports.IP, secondary, gone []string) error {
	found, err := n.neutron().look(ctx, id)
	if err != nil {
		return err
	}
	all := addressesOf(found.is.Port)
	has := all.four
	if len(has) == 0 {
		return resource.Errorf(resource.CodeConflict, "the port %s has no address to add others to", id)
	}
	tags := found.is.Tags
	for _, address := range secondary {
		if address != has[0].IPAddress && !slices.Contains(tags, secondaryTag+address) {
			tags = append(tags, secondaryTag+address)
		}
	}
	if len(tags) > len(found.is.Tags) {
		if err := n.neutron().setTags(ctx, id, tags); err != nil {
			return err
		}
	}
	wanted := change(slices.Clone(has), has[0].SubnetID)
	if len(wanted) != len(has) {
		if err := coded(ports.Update(ctx, n.network, id, ports.UpdateOpts{FixedIPs: slices.Concat(wanted, all.other)}).Err); err != nil {
			return err
		}
	}
	kept := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		address, ok := strings.CutPrefix(tag, secondaryTag)
		return ok && slices.Contains(gone, address)
	})
	if len(kept) < len(tags) {
		return n.neutron().setTags(ctx, id, kept)
	}
	return nil
}

// addresses are those of a port.
type addresses struct {
	four  []ports.IP // IPv4, the primary one first
	other []ports.IP // IPv6
	six   []string   // the same without their subnets
}

func addressesOf(port ports.Port) addresses {
	var a addresses
	for _, ip := range port.FixedIPs {
		if strings.Contains(ip.IPAddress, ":") {
			a.other, a.six = append(a.other, ip), append(a.six, ip.IPAddress)
		} else {
			a.four = append(a.four, ip)
		}
	}
	slices.SortStableFunc(a.four, func(x, y ports.IP) int {
		return boolToInt(slices.Contains(port.Tags, secondaryTag+x.IPAddress)) - boolToInt(slices.Contains(port.Tags, secondaryTag+y.IPAddress))
	})
	return a
}

// primary is the first IPv4 address, or "".
func (a addresses) primary() string {
	if len(a.four) == 0 {
		return ""
	}
	return a.four[0].IPAddress
}

// subnet is that of the primary address, or else of the first that there is.
func (a addresses) subnet() string {
	for _, ip := range slices.Concat(a.four, a.other) {
		return ip.SubnetID
	}
	return ""
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (nics) object(x shown[portFields]) nic {
	o := object[resource.NICSpec, resource.NICStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = readMark(x.is.Description).token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State, o.CloudState = networkState(x.is.Status)
	o.Spec.SecurityGroups = x.is.SecurityGroups
	o.Status.MACAddress = x.is.MACAddress
	if ofServer(x.is.Port) {
		o.Status.VM = x.is.DeviceID
	}
	a := addressesOf(x.is.Port)
	o.Spec.Subnet, o.Spec.PrivateAddress = a.subnet(), a.primary()
	o.Status.PrivateAddress, o.Status.IPv6Addresses = a.primary(), a.six
	for _, ip := range a.four[min(1, len(a.four)):] {
		o.Status.SecondaryAddresses = append(o.Status.SecondaryAddresses, ip.IPAddress)
	}
	return o
}
