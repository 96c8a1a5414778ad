package mock

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
	if err := c.s.checkSubnets(d.spec.Subnets, d.spec.VPC); err != nil {
		return err
	}
	if err := c.join(d, "spec.members", d.spec.Members); err != nil {
		return err
	}
	d.spec.Members = nil
	address, err := c.address(d.spec)
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
		if err := c.join(d, "members", change.Members); err != nil {
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

// Health implements resource.HealthReader. A member that runs is healthy when it was
// one for as long as it took to become one.
func (c nlbs) Health(ctx context.Context, id string) (resource.Health, error) {
	o, now, err := c.read(ctx, id)
	if err != nil {
		return resource.Health{}, err
	}
	checked := o.Change.Until.Add(o.Change.Until.Sub(o.Change.At))
	health := resource.Health{Members: []resource.MemberHealth{}}
	for _, member := range o.shapeAt(now).Links {
		one := resource.MemberHealth{VM: member.ID, State: "healthy"}
		switch state := c.s.cloud.stateOf(c.s.shelfOf(member.Kind), member.ID, now); {
		case state != resource.StateRunning:
			one.State, one.Reason = "unhealthy", fmt.Sprintf("the VM is %s", state)
		case now.Before(checked) && (o.Before == nil || !slices.Contains(o.Before.Links, member)):
			one.State, one.Reason = "unknown", "its first checks are on their way"
		}
		health.Members = append(health.Members, one)
	}
	return health, nil
}

// checkSubnets checks that subnets are of a VPC.
func (s *session) checkSubnets(subnets []string, vpc string) error {
	for i, id := range subnets {
		if of := specOf(s, resource.Subnet, id).VPC; of != vpc {
			return refuseField(fmt.Sprintf("spec.subnets[%d]", i), "InvalidParameterCombination", "the subnet %s belongs to the VPC %s, not to %s; choose one of that", id, of, vpc)
		}
	}
	return nil
}

// hostName is a name that is reserved for never being found.
// https://www.rfc-editor.org/rfc/rfc2606
func (s *session) hostName(id string) string { return id + "." + s.Region + ".mock.invalid" }

// join makes VMs members, which those that are members already stay.
func (c nlbs) join(d *draft[resource.NLBSpec, resource.NLBStatus], field string, members []string) error {
	for i, id := range members {
		at := fmt.Sprintf("%s[%d]", field, i)
		if _, err := c.s.find(resource.VM.Name, at, id, d.now); err != nil {
			return err
		}
		vm := specOf(c.s, resource.VM, id)
		if of := specOf(c.s, resource.Subnet, vm.Subnet).VPC; of != d.spec.VPC {
			return refuseField(at, "InvalidParameterCombination", "the VM %s is in the VPC %s, not in %s; choose one of that", id, of, d.spec.VPC)
		}
		if member := (link{resource.VM.Name, id}); !slices.Contains(d.links, member) {
			d.links = append(d.links, member)
		}
	}
	return nil
}

// address claims a public address, or one of the VPC's first subnet that has a free one.
func (c nlbs) address(spec resource.NLBSpec) (claim, error) {
	if !spec.Internal {
		return c.s.cloud.claimPublicAddress()
	}
	subnets := spec.Subnets
	if len(subnets) == 0 {
		for _, id := range slices.Sorted(maps.Keys(c.s.cloud.users[spec.VPC])) {
			if c.s.cloud.users[spec.VPC][id].Kind == resource.Subnet.Name {
				subnets = append(subnets, id)
			}
		}
	}
	err := error(refuseField("spec.subnets", "SubnetNotFound", "the VPC %s has no subnet; create one first", spec.VPC))
	for _, id := range subnets {
		var found claim
		if found, err = c.s.claimAddressIn(id); err == nil {
			return found, nil
		}
	}
	return claim{}, err
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
	part := func(name string) resource.Part {
		return resource.Part{Name: name, State: v.state, CloudState: cloudState(v.state), Reason: reasonOf(v.state), Code: codeOf(v.state)}
	}
	v.status.Listeners = []resource.Part{part(fmt.Sprintf("%s:%d", v.spec.Protocol, v.spec.Port))}
	v.status.Members = nil
	for i, member := range v.links {
		v.spec.Members[i] = member.ID
		v.status.Members = append(v.status.Members, part(member.ID))
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
