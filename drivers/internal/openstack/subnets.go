package openstack

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	sdk "github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A subnet is connected to the router of its VPC. To create one costs a call more for the
// range of the VPC, and one each for the router, which is found by the VPC's mark, and the
// connection. Deleting one needs a look at who uses it, because it leaves the router before.
type (
	subnets struct {
		neutron[resource.SubnetSpec, resource.SubnetStatus, sdk.Subnet]
	}
	subnet = driver.Object[resource.SubnetSpec, resource.SubnetStatus]
)

func (s *Session) subnets() subnets { return subnets{neutronOf(s, "subnet", "subnets", showSubnet)} }

// List answers the project's subnets and those of networks that are shared with it.
func (n subnets) List(ctx context.Context, f driver.Filter) iter.Seq2[subnet, error] {
	return n.withShared(ctx, f, nil)
}

// Make makes a subnet.
func (n subnets) Make(ctx context.Context, r driver.Request[resource.SubnetSpec]) (subnet, error) {
	if r.Spec.Private {
		return subnet{}, driver.Unsupported("spec.private", "the driver makes no private subnets on OpenStack yet; leave it out")
	}
	of, err := n.vpc(ctx, r.Spec.VPC)
	if err != nil {
		return subnet{}, err
	}
	if err := within(r.Spec.CIDR, of.Spec.CIDR); err != nil {
		return subnet{}, err
	}
	opts := sdk.CreateOpts{NetworkID: of.ID, CIDR: r.Spec.CIDR, Name: r.Name, Description: mark{token: r.Token}.String(), IPVersion: gophercloud.IPv4}
	if servers := n.settings[settingDNS]; servers != "" {
		opts.DNSNameservers = strings.Split(strings.ReplaceAll(servers, " ", ""), ",")
	}
	return n.made(sdk.Create(ctx, n.network, opts).Result)
}

// Complete connects a subnet to the router of its VPC and gives it its labels.
func (n subnets) Complete(ctx context.Context, r driver.Request[resource.SubnetSpec], o subnet) (subnet, error) {
	of, err := n.vpc(ctx, r.Spec.VPC)
	if err != nil {
		return o, err
	}
	router, err := n.routers().of(ctx, of)
	if err == nil && router != "" { // a network without a router stays one
		err = n.connect(ctx, o.ID, router)
	}
	if err != nil {
		return o, err
	}
	return n.tag(ctx, o, r.Labels)
}

// Delete removes a subnet. It has to be taken from its router before, so that who uses
// it is looked for first: its router is the one at the address that it names as its gateway,
// and another one is somebody else's.
func (n subnets) Delete(ctx context.Context, id string) error {
	found, err := n.own(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	var connected []string
	for port, err := range items[ports.Port](ctx, n.Session, n.network, "ports", "ports", url.Values{"fixed_ips": {"subnet_id=" + id}}) {
		if err != nil {
			return err
		}
		named := slices.ContainsFunc(port.FixedIPs, func(ip ports.IP) bool { return ip.SubnetID == id && ip.IPAddress == found.is.GatewayIP })
		switch owner := port.DeviceOwner; {
		case isRouter(owner) && driver.WhoseIs("", id, named) == driver.Part:
			connected = append(connected, port.DeviceID)
		case isRouter(owner), !strings.HasPrefix(owner, "network:"):
			return resource.Errorf(resource.CodeDependency, "the subnet %s is still used by the port %s (%s); delete first what uses it", id, port.ID, owner+port.DeviceID)
		}
	}
	for _, router := range connected {
		err := coded(routers.RemoveInterface(ctx, n.network, router, routers.RemoveInterfaceOpts{SubnetID: id}).Err)
		if err := driver.Except(err, resource.CodeNotFound); err != nil {
			return err
		}
	}
	err = n.collection.Delete(ctx, id)
	if resource.CodeOf(err) == resource.CodeDependency { // somebody came between
		if repair := n.connect(ctx, id, connected...); repair != nil {
			return fmt.Errorf("%w; it could not be connected to its router again: %w", err, repair)
		}
	}
	return err
}

// within checks that a range lies in that of the VPC, which Neutron does not know.
func within(cidr, vpc string) error {
	inner, err := netip.ParsePrefix(cidr)
	outer, err2 := netip.ParsePrefix(vpc)
	if err == nil && err2 == nil && (inner.Bits() < outer.Bits() || !outer.Contains(inner.Addr())) {
		return resource.Invalid(resource.Problem{Field: "spec.cidr", Message: cidr + " is not inside the VPC's range " + vpc})
	}
	return nil
}

// connect gives a subnet's gateway address to routers.
func (n subnets) connect(ctx context.Context, id string, to ...string) error {
	for _, router := range to {
		err := coded(routers.AddInterface(ctx, n.network, router, routers.AddInterfaceOpts{SubnetID: id}).Err)
		if err := driver.Except(err, resource.CodeAlreadyExists); err != nil {
			return err
		}
	}
	return nil
}

func showSubnet(x shown[sdk.Subnet], o *subnet) {
	o.State = resource.StateAvailable // Neutron knows no states of subnets
	o.Spec.VPC = x.is.NetworkID
	if x.is.IPVersion == int(gophercloud.IPv6) {
		o.Status.IPv6CIDR = x.is.CIDR
	} else {
		o.Spec.CIDR = x.is.CIDR
	}
}
