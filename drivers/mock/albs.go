package mock

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	albs struct {
		table[resource.ALBSpec, resource.ALBStatus]
	}
	albDraft = draft[resource.ALBSpec, resource.ALBStatus]
)

func openALBs(s *session) albs {
	collection := albs{table[resource.ALBSpec, resource.ALBStatus]{
		s: s, kind: resource.ALB, prefix: "alb", ready: resource.StateAvailable, built: true,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// plan completes and checks a draft.
func (c albs) plan(d *albDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	routing := resource.ALBRouting{Listeners: d.spec.Listeners, Groups: slices.Clone(d.spec.Groups)} // the check completes them
	d.spec.Groups = routing.Groups
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkNetwork(d.spec.Subnets, d.spec.SecurityGroups, d.spec.VPC, "the load balancer"); err != nil {
		return err
	}
	if err := c.fill(d, "spec.groups", routing); err != nil {
		return err
	}
	address, err := c.s.balancerAddress(d.spec.VPC, d.spec.Subnets, d.spec.Internal)
	d.claims = []claim{address}
	d.status = resource.ALBStatus{Address: address.Value, DNSName: c.s.hostName(d.id)}
	return err
}

// SetRouting implements resource.RoutingSetter.
func (c albs) SetRouting(ctx context.Context, id string, to resource.ALBRouting) error {
	to.Groups = slices.Clone(to.Groups) // the check completes them
	if err := refuseProblems(to.Problems("")); err != nil {
		return err
	}
	return c.alter(ctx, id, "setrouting", resource.StateAvailable, func(d *albDraft) error {
		if err := c.s.refer(ctx, c.kind.Kind, "setrouting", to, d.now); err != nil {
			return err
		}
		before, links := d.spec, d.links
		d.links = nil
		if err := c.fill(d, "groups", to); err != nil {
			return err
		}
		if !reflect.DeepEqual(before, d.spec) || !slices.Equal(links, d.links) {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// AddMembers implements resource.GroupMemberAdder.
func (c albs) AddMembers(ctx context.Context, id string, change resource.GroupMembers) error {
	return c.changeMembers(ctx, id, "addmembers", change, func(d *albDraft) error {
		return c.s.joinVMs(&d.links, d.spec.VPC, change.Group, "members", change.Members, d.now)
	})
}

// RemoveMembers implements resource.GroupMemberRemover.
func (c albs) RemoveMembers(ctx context.Context, id string, change resource.GroupMembers) error {
	return c.changeMembers(ctx, id, "removemembers", change, func(d *albDraft) error {
		d.links = slices.DeleteFunc(d.links, func(l link) bool { return l.Group == change.Group && slices.Contains(change.Members, l.ID) })
		return nil
	})
}

// Health implements resource.HealthReader.
func (c albs) Health(ctx context.Context, id string) (resource.Health, error) {
	return healthIn(ctx, c.table, id)
}

// fill has a draft route so. The groups of the list at a path are linked to their members.
func (c albs) fill(d *albDraft, at string, to resource.ALBRouting) error {
	d.spec.Listeners, d.spec.Groups = to.Listeners, to.Groups
	for i := range d.spec.Groups {
		g := &d.spec.Groups[i]
		if err := c.s.joinVMs(&d.links, d.spec.VPC, g.Name, fmt.Sprintf("%s[%d].members", at, i), g.Members, d.now); err != nil {
			return err
		}
		g.Members = nil
	}
	return nil
}

func (c albs) changeMembers(ctx context.Context, id, action string, of resource.GroupMembers, change func(d *albDraft) error) error {
	return c.alter(ctx, id, action, resource.StateAvailable, func(d *albDraft) error {
		if !slices.ContainsFunc(d.spec.Groups, func(g resource.ALBGroup) bool { return g.Name == of.Group }) {
			return refuseField("group", "TargetGroupNotFound", "the load balancer %s has no group %.64q; set its routing first", id, of.Group)
		}
		before := len(d.links)
		if err := change(d); err != nil {
			return err
		}
		if len(d.links) != before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// nativeALB is a load balancer in the cloud's own words.
type nativeALB struct {
	LoadBalancerID string   `json:"loadBalancerId"`
	DNSName        string   `json:"dnsName"`
	State          string   `json:"state"`
	Listeners      []string `json:"listeners"`
}

func (c albs) shown(v *sight[resource.ALBSpec, resource.ALBStatus]) any {
	v.spec.Groups = slices.Clone(v.spec.Groups)
	v.status.Listeners, v.status.Members = nil, nil
	for i := range v.spec.Groups {
		g := &v.spec.Groups[i]
		g.Members = []string{}
		for _, member := range v.links {
			if member.Group != g.Name {
				continue
			}
			g.Members = append(g.Members, member.ID)
			part := partIn(v.state, g.Name+"/"+member.ID)
			if slices.Contains(c.s.failGroups, g.Name) && v.state.Usable() {
				part = partIn(resource.StateFailed, part.Name)
				part.Reason = "The group has no capacity (setting failGroups)."
			}
			v.status.Members = append(v.status.Members, part)
		}
	}
	native := nativeALB{LoadBalancerID: v.ID, DNSName: v.status.DNSName, State: cloudState(v.state)}
	for _, l := range v.spec.Listeners {
		part := partIn(v.state, fmt.Sprintf("%s:%d", l.Protocol, l.Port))
		v.status.Listeners = append(v.status.Listeners, part)
		native.Listeners = append(native.Listeners, strings.ToUpper(part.Name))
	}
	return native
}
