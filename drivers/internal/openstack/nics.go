package openstack

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A NIC is a port. Neutron answers a port's addresses in any order, so that tags keep
// which of them are secondary.
type (
	nics struct {
		neutron[resource.NICSpec, resource.NICStatus, ports.Port]
	}
	nic = driver.Object[resource.NICSpec, resource.NICStatus]
)

const (
	firstOfVM    = "of=vm"           // marks the port that a VM was created with
	secondaryTag = "mcic-secondary=" // a secondary address
)

// nics lists the project's ports that are or can be of VMs, without those that VMs were created
// with.
func (s *Session) nics() nics {
	n := nics{neutronOf(s, "port", "ports", showNIC)}
	n.meant = func(x shown[ports.Port]) bool { return isNIC(x.is) }
	return n
}

// Make makes a port.
func (n nics) Make(ctx context.Context, r driver.Request[resource.NICSpec]) (nic, error) {
	return n.port(ctx, mark{token: r.Token}, r.Name, r.Spec)
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
	return n.collection.Delete(ctx, id)
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
	port, has, err := n.addressed(ctx, id)
	if err != nil {
		return err
	}
	tags, wanted := slices.Clone(port.Tags), slices.Clone(has.four)
	for _, address := range change.Addresses {
		if address != has.primary() && !slices.Contains(tags, secondaryTag+address) {
			tags = append(tags, secondaryTag+address)
		}
		if !slices.ContainsFunc(wanted, func(ip ports.IP) bool { return ip.IPAddress == address }) {
			wanted = append(wanted, ports.IP{SubnetID: has.subnet(), IPAddress: address})
		}
	}
	if err := n.retag(ctx, port, tags); err != nil {
		return err
	}
	return n.readdress(ctx, id, has, wanted)
}

// RemoveAddresses removes secondary addresses; the primary one stays.
func (n nics) RemoveAddresses(ctx context.Context, id string, change resource.AddressChange) error {
	port, has, err := n.addressed(ctx, id)
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(slices.Clone(has.four), func(ip ports.IP) bool {
		return ip.IPAddress != has.primary() && slices.Contains(change.Addresses, ip.IPAddress)
	})
	if err := n.readdress(ctx, id, has, stay); err != nil {
		return err
	}
	return n.retag(ctx, port, slices.DeleteFunc(slices.Clone(port.Tags), func(tag string) bool {
		address, ok := strings.CutPrefix(tag, secondaryTag)
		return ok && slices.Contains(change.Addresses, address)
	}))
}

func isNIC(port ports.Port) bool {
	return (port.DeviceOwner == "" || ofServer(port)) && readMark(port.Description).more != firstOfVM
}

// ofServer reports whether a server has a port: routers, load balancers and others have some, too.
func ofServer(port ports.Port) bool { return strings.HasPrefix(port.DeviceOwner, "compute:") }

// by answers the ports that a query asks for by one of their fields, the first one of a VM before
// its others.
func (n nics) by(ctx context.Context, field func(ports.Port) string, query url.Values) (map[string][]ports.Port, error) {
	all, err := driver.Collect(driver.Items(n.pages(ctx, query), is))
	slices.SortStableFunc(all, firstBefore)
	found := map[string][]ports.Port{}
	for _, port := range all {
		found[field(port)] = append(found[field(port)], port)
	}
	return found, err
}

func idOf(port ports.Port) string     { return port.ID }
func deviceOf(port ports.Port) string { return port.DeviceID }

// portsBeside gives objects the ports that belong to them: to those of each page the ones that
// a parameter asks for by what of has, or if it is a list of all objects those of all ports, once.
func portsBeside[A any](ctx context.Context, n nics, query url.Values, parameter string, field func(ports.Port) string, of func(shown[A]) string, give func(*A, []ports.Port)) func([]shown[A]) ([]shown[A], error) {
	var all map[string][]ports.Port
	return func(page []shown[A]) (_ []shown[A], err error) {
		asked := url.Values{}
		for _, x := range page {
			if id := of(x); id != "" && len(query) > 0 {
				asked.Add(parameter, id)
			}
		}
		if len(asked) > 0 || len(query) == 0 && all == nil {
			all, err = n.by(ctx, field, asked)
		}
		for i, x := range page {
			give(&page[i].is, all[of(x)])
		}
		return page, err
	}
}

// firstBefore orders the ports of a VM: the one that it was created with, then the
// oldest.
func firstBefore(a, b ports.Port) int {
	return cmp.Or(cmp.Compare(readMark(b.Description).more, readMark(a.Description).more), a.CreatedAt.Compare(b.CreatedAt))
}

// port makes a port in a subnet.
func (n nics) port(ctx context.Context, m mark, name string, s resource.NICSpec) (nic, error) {
	in, err := n.subnets().Get(ctx, s.Subnet)
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
	return n.made(ports.Create(ctx, n.network, opts).Result)
}

// addressed answers a port that has addresses to which others can be added.
func (n nics) addressed(ctx context.Context, id string) (ports.Port, addresses, error) {
	found, err := n.look(ctx, id)
	has := addressesOf(found.is)
	if err == nil && len(has.four) == 0 {
		err = resource.Errorf(resource.CodeConflict, "the port %s has no address to add others to", id)
	}
	return found.is, has, err
}

// retag gives a port as many tags more or less.
func (n nics) retag(ctx context.Context, port ports.Port, tags []string) error {
	if len(tags) == len(port.Tags) {
		return nil
	}
	return n.setTags(ctx, port.ID, tags)
}

// readdress gives a port as many addresses more or less, beside those of IPv6.
func (n nics) readdress(ctx context.Context, id string, has addresses, wanted []ports.IP) error {
	if len(wanted) == len(has.four) {
		return nil
	}
	return coded(ports.Update(ctx, n.network, id, ports.UpdateOpts{FixedIPs: slices.Concat(wanted, has.other)}).Err)
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

func showNIC(x shown[ports.Port], o *nic) {
	o.Spec.SecurityGroups = x.is.SecurityGroups
	o.Status.MACAddress = x.is.MACAddress
	if ofServer(x.is) {
		o.Status.VM = x.is.DeviceID
	}
	a := addressesOf(x.is)
	o.Spec.Subnet, o.Spec.PrivateAddress = a.subnet(), a.primary()
	o.Status.PrivateAddress, o.Status.IPv6Addresses = a.primary(), a.six
	for _, ip := range a.four[min(1, len(a.four)):] {
		o.Status.SecondaryAddresses = append(o.Status.SecondaryAddresses, ip.IPAddress)
	}
}
