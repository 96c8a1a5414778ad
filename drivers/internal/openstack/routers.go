package openstack

import (
	"cmp"
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// vpcRouters are the routers of VPCs: no kind of their own. A router carries the token
// of the VPC that it was made for.
type vpcRouters struct {
	neutron[struct{}, struct{}, routers.Router]
}

func (s *Session) routers() vpcRouters {
	return vpcRouters{neutronOf[struct{}, struct{}, routers.Router](s, "router", "routers", nil)}
}

// marked answers the routers with a VPC's token.
func (r vpcRouters) marked(ctx context.Context, token string) iter.Seq2[routers.Router, error] {
	return driver.Items(r.pages(ctx, mark{token: token}.query()), is)
}

// ensure finds or makes the router with a VPC's token. Two processes that make one each look
// again, and the later one's goes: all keep the same.
func (r vpcRouters) ensure(ctx context.Context, token, name string) error {
	found, err := driver.Collect(r.marked(ctx, token))
	if err != nil || len(found) == 1 {
		return err
	}
	if len(found) == 0 {
		lead, err := r.externalNetwork(ctx)
		if err != nil {
			return err
		}
		opts := routers.CreateOpts{Name: name, Description: mark{token: token}.String()}
		if lead != "" {
			opts.GatewayInfo = &routers.GatewayInfo{NetworkID: lead}
		}
		if err := coded(routers.Create(ctx, r.network, opts).Err); err != nil {
			return err
		}
		if found, err = driver.Collect(r.marked(ctx, token)); err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b routers.Router) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	for _, surplus := range found[min(1, len(found)):] {
		if err := driver.Except(r.Delete(ctx, surplus.ID), resource.CodeDependency); err != nil { // a subnet has come to it
			return err
		}
	}
	return nil
}

// remove removes the router with a VPC's token.
func (r vpcRouters) remove(ctx context.Context, token string) error {
	if token == "" { // a network that was made elsewhere: its router is not ours
		return nil
	}
	found, err := driver.Collect(r.marked(ctx, token))
	for _, router := range found {
		if err := r.Delete(ctx, router.ID); err != nil {
			return err
		}
	}
	return err
}

// of answers the id of a VPC's router: the one that was made with it, otherwise one that
// leads out of it already, or "".
func (r vpcRouters) of(ctx context.Context, of vpc) (string, error) {
	if of.Token != "" {
		found, ok, err := driver.First(r.marked(ctx, of.Token))
		if ok || err != nil {
			return found.ID, err
		}
	}
	for port, err := range items[ports.Port](ctx, r.Session, r.network, "ports", "ports", url.Values{"network_id": {of.ID}}) {
		if err != nil {
			return "", err
		}
		if isRouter(port.DeviceOwner) {
			return port.DeviceID, nil
		}
	}
	return "", nil
}

// isRouter reports whether a port is one by which a router is in a subnet: routers that are
// distributed or in several places have their own kinds of them.
// https://opendev.org/openstack/neutron-lib/src/branch/master/neutron_lib/constants.py
func isRouter(owner string) bool {
	return slices.Contains([]string{"network:router_interface", "network:router_interface_distributed", "network:ha_router_replicated_interface"}, owner)
}

// externalNetwork answers the id of the network that leads out of the cloud: the one that the
// connection names, or the first by name; "" if the cloud has none.
func (s *Session) externalNetwork(ctx context.Context) (string, error) {
	all, err := driver.Collect(items[networks.Network](ctx, s, s.network, "networks", "networks", url.Values{"router:external": {"true"}}))
	if err != nil {
		return "", err
	}
	slices.SortFunc(all, func(a, b networks.Network) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	wanted := s.settings[settingExternal]
	i := slices.IndexFunc(all, func(n networks.Network) bool { return wanted == "" || wanted == n.ID || wanted == n.Name })
	switch {
	case i >= 0:
		return all[i].ID, nil
	case wanted != "":
		return "", resource.Invalid(resource.Problem{Field: "settings." + settingExternal, Message: "the cloud shows no external network " + wanted})
	}
	return "", nil
}
