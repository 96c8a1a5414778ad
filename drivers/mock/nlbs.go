package mock

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// nlbs links a load balancer to its members instead of keeping them in its spec: they
// can be deleted all the same, and are members no more.
type nlbs struct {
	table[resource.NLBSpec, resource.NLBStatus]
}

func openNLBs(s *session) nlbs {
	collection := nlbs{table[resource.NLBSpec, resource.NLBStatus]{
		s: s, kind: resource.NLB, prefix: "nlb", ready: resource.StateAvailable, built: true, show: showNLB,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c nlbs) plan(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkSubnets("spec.subnets", d.spec.Subnets, d.spec.VPC); err != nil {
		return err
	}
	if err := c.s.joinVMs(&d.links, d.spec.VPC, "", "spec.members", d.spec.Members, d.now); err != nil {
		return err
	}
	d.spec.Members = nil
	address, err := c.s.balancerAddress(d.spec.VPC, d.spec.Subnets, d.spec.Internal)
	if err != nil {
		return err
	}
	d.claims = []claim{address}
	d.status = resource.NLBStatus{Address: address.Value, DNSName: c.s.hostName(d.id)}
	return nil
}

// AddMembers implements resource.MemberAdder.
func (c nlbs) AddMembers(ctx context.Context, id string, change resource.MemberChange) error {
	return c.alter(ctx, id, "addmembers", resource.StateAvailable, func(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
		before := len(d.links)
		if err := c.s.joinVMs(&d.links, d.spec.VPC, "", "members", change.Members, d.now); err != nil {
			return err
		}
		if len(d.links) > before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// RemoveMembers implements resource.MemberRemover.
func (c nlbs) RemoveMembers(ctx context.Context, id string, change resource.MemberChange) error {
	return c.alter(ctx, id, "removemembers", resource.StateAvailable, func(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
		before := len(d.links)
		d.links = slices.DeleteFunc(d.links, func(l link) bool { return slices.Contains(change.Members, l.ID) })
		if len(d.links) < before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// SetListener implements resource.ListenerSetter.
func (c nlbs) SetListener(ctx context.Context, id string, to resource.ListenerChange) error {
	return c.alter(ctx, id, "setlistener", resource.StateAvailable, func(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
		protocol, port := cmp.Or(to.Protocol, d.spec.Protocol), cmp.Or(to.Port, d.spec.Port)
		if protocol != d.spec.Protocol || port != d.spec.Port {
			d.spec.Protocol, d.spec.Port, d.change = protocol, port, c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// SetTarget implements resource.TargetSetter.
func (c nlbs) SetTarget(ctx context.Context, id string, to resource.TargetChange) error {
	return c.alter(ctx, id, "settarget", resource.StateAvailable, func(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
		if d.spec.TargetPort == to.Port {
			return nil
		}
		if d.spec.HealthCheck.Port == d.spec.TargetPort {
			d.spec.HealthCheck.Port = to.Port
		}
		d.spec.TargetPort, d.change = to.Port, c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// SetHealthCheck implements resource.HealthCheckSetter.
func (c nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	return c.alter(ctx, id, "sethealthcheck", resource.StateAvailable, func(d *draft[resource.NLBSpec, resource.NLBStatus]) error {
		if to.Port == 0 {
			to.Port = d.spec.TargetPort
		}
		if err := refuseProblems(to.Problems("")); err != nil {
			return err
		}
		if d.spec.HealthCheck != to {
			d.spec.HealthCheck, d.change = to, c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// Health implements resource.HealthReader.
func (c nlbs) Health(ctx context.Context, id string) (resource.Health, error) {
	return healthIn(ctx, c.table, id)
}

// nativeNLB is a load balancer in the cloud's own words.
type nativeNLB struct {
	LoadBalancerID string `json:"loadBalancerId"`
	DNSName        string `json:"dnsName"`
	Scheme         string `json:"scheme"`
	State          string `json:"state"`
	Listener       string `json:"listener"`
}

func showNLB(v *sight[resource.NLBSpec, resource.NLBStatus]) any {
	v.spec.Members = make([]string, len(v.links))
	v.status.Listeners = []resource.Part{partIn(v.state, fmt.Sprintf("%s:%d", v.spec.Protocol, v.spec.Port))}
	v.status.Members = nil
	for i, member := range v.links {
		v.spec.Members[i] = member.ID
		v.status.Members = append(v.status.Members, partIn(v.state, member.ID))
	}
	scheme := "internet-facing"
	if v.spec.Internal {
		scheme = "internal"
	}
	return nativeNLB{
		LoadBalancerID: v.ID, DNSName: v.status.DNSName, Scheme: scheme, State: cloudState(v.state),
		Listener: fmt.Sprintf("%s:%d", v.spec.Protocol, v.spec.Port),
	}
}
