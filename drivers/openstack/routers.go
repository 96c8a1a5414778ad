package openstack

import (
	"cmp"
	"context"
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
type (
	vpcRouters struct {
		neutron[struct{}, struct{}, routers.Router]
	}
	router = driver.Object[struct{}, struct{}]
)

func newRouters(s *session) vpcRouters {
	r := vpcRouters{}
	r.session, r.one, r.many, r.object = s, "router", "routers", r.shows
	return r
}

// ensure finds or makes the router with a VPC's token. Two processes that make one each look
// again, and the later one's goes: all keep the same.
func (r vpcRouters) ensure(ctx context.Context, token, name string) error {
	m := mark{token: token}
	found, err := collect(r.list(ctx, m.query()))
	if err != nil || len(found) == 1 {
		return err
	}
	if len(found) == 0 {
		var lead *routers.GatewayInfo
		if err := r.externalNetwork(ctx, func(id string) { lead = &routers.GatewayInfo{NetworkID: id} }); err != nil {
			return err
		}
		opts := routers.CreateOpts{Name: name, Description: m.String(), GatewayInfo: lead}
		if err := coded(routers.Create(ctx, r.network, opts).Err); err != nil {
			return err
		}
		if found, err = collect(r.list(ctx, m.query())); err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b router) int {
		return cmp.Or(cmp.Compare(createdAt(a), createdAt(b)), cmp.Compare(a.ID, b.ID))
	})
	for _, surplus := range found[min(1, len(found)):] {
		if err := driver.Except(r.delete(ctx, surplus.ID), resource.CodeDependency); err != nil { // a subnet has come to it
			return err
		}
	}
	return nil
}

func createdAt(r router) int64 {
	if r.CreatedAt == nil {
		return 0
	}
	return r.CreatedAt.Unix()
}

// remove removes the router with a VPC's token.
func (r vpcRouters) remove(ctx context.Context, token string) error {
	if token == "" { // a network that was made elsewhere: its router is not ours
		return nil
	}
	found, err := collect(r.list(ctx, mark{token: token}.query()))
	for _, router := range found {
		if err := r.delete(ctx, router.ID); err != nil {
			return err
		}
	}
	return err
}

// of answers the id of a VPC's router: the one that was made with it, otherwise one that
// leads out of it already, or "".
func (r vpcRouters) of(ctx context.Context, of vpc) (string, error) {
	if of.Token != "" {
		found, ok, err := driver.First(r.list(ctx, mark{token: of.Token}.query()))
		if ok || err != nil {
			return found.ID, err
		}
	}
	for page, err := range list[ports.Port](ctx, r.session, r.network, "ports", "ports", url.Values{"network_id": {of.ID}}) {
		if err != nil {
			return "", err
		}
		for _, port := range page {
			if isRouter(port.is.DeviceOwner) {
				return port.is.DeviceID, nil
			}
		}
	}
	return "", nil
}

// isRouter reports whether a port is one of a router: there are some kinds of them.
func isRouter(owner string) bool {
	return strings.HasPrefix(owner, "network:") && strings.Contains(owner, "router_interface")
}

// externalNetwork finds the network that leads out of the cloud: the one that the
// connection names, or the first by name. use is not called if the cloud has none.
func (s *session) externalNetwork(ctx context.Context, use func(id string)) error {
	var all []networks.Network
	for page, err := range list[networks.Network](ctx, s, s.network, "networks", "networks", url.Values{"router:external": {"true"}}) {
		if err != nil {
			return err
		}
		for _, network := range page {
			all = append(all, network.is)
		}
	}
	slices.SortFunc(all, func(a, b networks.Network) int { return strings.Compare(a.Name+" "+a.ID, b.Name+" "+b.ID) })
	wanted := s.settings[settingExternal]
	for _, network := range all {
		if wanted == "" || wanted == network.ID || wanted == network.Name {
			use(network.ID)
			return nil
		}
	}
	if wanted != "" {
		return resource.Invalid(resource.Problem{Field: "settings." + settingExternal, Message: "the cloud shows no external network " + wanted})
	}
	return nil
}

func (vpcRouters) shows(x shown[routers.Router]) router {
	o := object[struct{}, struct{}](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = readMark(x.is.Description).token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	return o
}
