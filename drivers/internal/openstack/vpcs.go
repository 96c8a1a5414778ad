package openstack

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A VPC is a network with a router to the external network. OpenStack's networks have
// no range of their own; a tag keeps the one that was asked for. To create one costs a call
// each for the network, its tags, the router and the external network that this leads to,
// beside the looks for both by their mark.
type (
	vpcs          struct{ *Session }
	vpc           = driver.Object[resource.VPCSpec, resource.VPCStatus]
	networkFields struct {
		networks.Network
		external.NetworkExternalExt
	}
)

// UnmarshalJSON implements json.Unmarshaler: each part reads its own fields.
func (f *networkFields) UnmarshalJSON(raw []byte) error {
	if err := f.Network.UnmarshalJSON(raw); err != nil {
		return err
	}
	return unmarshal(raw, &f.NetworkExternalExt)
}

const cidrTag = "mcic-cidr=" // the range that was asked for

func (v vpcs) neutron() neutron[resource.VPCSpec, resource.VPCStatus, networkFields] {
	return neutronOf(v.Session, "network", "networks", v.object)
}

// List answers the project's networks, without those that lead out of the cloud, and those
// that are shared with it.
func (v vpcs) List(ctx context.Context, f driver.Filter) iter.Seq2[vpc, error] {
	return v.neutron().withShared(ctx, f, url.Values{"router:external": {"false"}})
}

// Get answers one network.
func (v vpcs) Get(ctx context.Context, id string) (vpc, error) { return v.neutron().get(ctx, id) }

// Make makes a network.
func (v vpcs) Make(ctx context.Context, r driver.Request[resource.VPCSpec]) (vpc, error) {
	made, err := v.neutron().create(r.Labels, func() gophercloud.Result {
		return networks.Create(ctx, v.network, networks.CreateOpts{Name: r.Name, Description: mark{token: r.Token}.String()}).Result
	})
	made.Spec = r.Spec
	return made, err
}

// Complete gives a network its router and its tags.
func (v vpcs) Complete(ctx context.Context, r driver.Request[resource.VPCSpec], o vpc) (vpc, error) {
	if err := vpcRouters(v).ensure(ctx, r.Token, r.Name); err != nil {
		return o, err
	}
	o.Spec = r.Spec
	return v.neutron().tag(ctx, o, r.Labels, cidrTag+r.Spec.CIDR)
}

// Delete removes a network with the router that Complete gave it. Neutron would remove
// subnets with their network, so that they are looked for.
func (v vpcs) Delete(ctx context.Context, id string) error {
	found, err := v.neutron().own(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	sub, used, err := driver.First(subnets(v).neutron().list(ctx, url.Values{"network_id": {id}}))
	switch {
	case err != nil:
		return err
	case used:
		return resource.Errorf(resource.CodeDependency, "the VPC %s still has the subnet %s; delete its subnets first", id, sub.ID)
	}
	group, used, err := driver.First(securityGroups(v).neutron().list(ctx, url.Values{"tags": {vpcTag + id}}))
	switch {
	case err != nil:
		return err
	case used:
		return resource.Errorf(resource.CodeDependency, "the VPC %s still has the security group %s; delete its security groups first", id, group.ID)
	}
	if err := vpcRouters(v).remove(ctx, found.Token); err != nil {
		return err
	}
	err = v.neutron().delete(ctx, id)
	if resource.CodeOf(err) == resource.CodeDependency && found.Token != "" { // used by what was not looked for
		if repair := vpcRouters(v).ensure(ctx, found.Token, found.Name); repair != nil {
			return fmt.Errorf("%w; its router could not be restored: %w", err, repair)
		}
	}
	return err
}

// Label changes the tags.
func (v vpcs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return v.neutron().label(ctx, id, change)
}

func (vpcs) object(x shown[networkFields]) vpc {
	o := object[resource.VPCSpec, resource.VPCStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = readMark(x.is.Description).token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State, o.CloudState = networkState(x.is.Status)
	o.Spec.CIDR = tagOf(x.is.Tags, cidrTag)
	return o
}

// networkState translates the states of Neutron's objects. DOWN says that they are not
// connected, which new networks, routers and ports are for as long as nothing uses them.
func networkState(word string) (resource.State, string) {
	return driver.StateOf(word, map[string]resource.State{
		"ACTIVE": resource.StateAvailable,
		"DOWN":   resource.StateAvailable,
		"BUILD":  resource.StateCreating,
		"N/A":    resource.StateAvailable,
		"ERROR":  resource.StateFailed,
	})
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
