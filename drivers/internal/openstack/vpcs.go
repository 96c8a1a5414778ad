package openstack

import (
	"context"
	"fmt"
	"iter"
	"net/url"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A VPC is a network with a router to the external network. OpenStack's networks have
// no range of their own; a tag keeps the one that was asked for. To create one costs a call
// each for the network, its tags, the router and the external network that this leads to,
// beside the looks for both by their mark.
type (
	vpcs struct {
		neutron[resource.VPCSpec, resource.VPCStatus, networks.Network]
	}
	vpc = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

const cidrTag = "mcic-cidr=" // the range that was asked for

func (s *Session) vpcs() vpcs { return vpcs{neutronOf(s, "network", "networks", showVPC)} }

// List answers the project's networks, without those that lead out of the cloud, and those
// that are shared with it.
func (v vpcs) List(ctx context.Context, f driver.Filter) iter.Seq2[vpc, error] {
	return v.withShared(ctx, f, url.Values{"router:external": {"false"}})
}

// Make makes a network.
func (v vpcs) Make(ctx context.Context, r driver.Request[resource.VPCSpec]) (vpc, error) {
	made, err := v.made(networks.Create(ctx, v.network, networks.CreateOpts{Name: r.Name, Description: mark{token: r.Token}.String()}).Result)
	made.Spec = r.Spec
	return made, err
}

// Complete gives a network its router and its tags.
func (v vpcs) Complete(ctx context.Context, r driver.Request[resource.VPCSpec], o vpc) (vpc, error) {
	if err := v.routers().ensure(ctx, r.Token, r.Name); err != nil {
		return o, err
	}
	o.Spec = r.Spec
	return v.tag(ctx, o, r.Labels, cidrTag+r.Spec.CIDR)
}

// Delete removes a network with the router that Complete gave it. Neutron would remove
// subnets with their network, so that they are looked for.
func (v vpcs) Delete(ctx context.Context, id string) error {
	found, err := v.own(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	sub, used, err := driver.First(v.subnets().objects(ctx, url.Values{"network_id": {id}}))
	switch {
	case err != nil:
		return err
	case used:
		return resource.Errorf(resource.CodeDependency, "the VPC %s still has the subnet %s; delete its subnets first", id, sub.ID)
	}
	group, used, err := driver.First(v.securityGroups().objects(ctx, url.Values{"tags": {vpcTag + id}}))
	switch {
	case err != nil:
		return err
	case used:
		return resource.Errorf(resource.CodeDependency, "the VPC %s still has the security group %s; delete its security groups first", id, group.ID)
	}
	token := readMark(found.Description).token
	if err := v.routers().remove(ctx, token); err != nil {
		return err
	}
	err = v.collection.Delete(ctx, id)
	if resource.CodeOf(err) == resource.CodeDependency && token != "" { // used by what was not looked for
		if repair := v.routers().ensure(ctx, token, found.Name); repair != nil {
			return fmt.Errorf("%w; its router could not be restored: %w", err, repair)
		}
	}
	return err
}

func showVPC(x shown[networks.Network], o *vpc) { o.Spec.CIDR = tagOf(x.Tags, cidrTag) }
