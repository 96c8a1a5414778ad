package mock

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// What the load balancers of all kinds have in common. They are linked to their members instead
// of keeping them in their specs: those can be deleted all the same, and are members no more.

// joinVMs makes the VMs of the list at a path members of a group, which those that are members
// already stay.
func (s *session) joinVMs(links *[]link, vpc, group, at string, members []string, now time.Time) error {
	for i, id := range members {
		field := fmt.Sprintf("%s[%d]", at, i)
		vm, err := s.find(resource.VM.Name, field, id, now)
		if err != nil {
			return err
		}
		if err := s.checkIn(field, id, specOf(s, resource.Subnet, s.subnetOf(vm)).VPC, vpc); err != nil {
			return err
		}
		if member := (link{resource.VM.Name, id, group}); !slices.Contains(*links, member) {
			*links = append(*links, member)
		}
	}
	return nil
}

// healthIn is the health of the members of a load balancer. A member that runs is healthy when
// it was one for as long as it took to become one.
func healthIn[S, T any](ctx context.Context, t table[S, T], id string) (resource.Health, error) {
	o, now, err := t.read(ctx, id)
	if err != nil {
		return resource.Health{}, err
	}
	checked := o.Change.Until.Add(o.Change.Until.Sub(o.Change.At))
	health := resource.Health{Members: []resource.MemberHealth{}}
	for _, member := range o.shapeAt(now).Links {
		one := resource.MemberHealth{Group: member.Group, VM: member.ID, State: "healthy"}
		switch state := t.s.cloud.stateOf(t.s.shelfOf(member.Kind), member.ID, now); {
		case state != resource.StateRunning:
			one.State, one.Reason = "unhealthy", fmt.Sprintf("the VM is %s", state)
		case now.Before(checked) && (o.Before == nil || !slices.Contains(o.Before.Links, member)):
			one.State, one.Reason = "unknown", "its first checks are on their way"
		}
		health.Members = append(health.Members, one)
	}
	return health, nil
}

// partIn is a part of a load balancer in the state of the whole.
func partIn(state resource.State, name string) resource.Part {
	return resource.Part{Name: name, State: state, CloudState: cloudState(state), Reason: reasonOf(state), Code: codeOf(state)}
}

// balancerAddress claims a public address, or one of the first of the subnets, or of all that the
// VPC has, that has a free one.
func (s *session) balancerAddress(vpc string, subnets []string, internal bool) (claim, error) {
	if !internal {
		for i, id := range subnets {
			if s.private(id) {
				return claim{}, refuseField(fmt.Sprintf("spec.subnets[%d]", i), "InvalidSubnet", "the subnet %s is private, so that the internet cannot reach it; choose another, or make the load balancer internal", id)
			}
		}
		return s.cloud.claimPublicAddress()
	}
	if len(subnets) == 0 {
		for _, id := range slices.Sorted(maps.Keys(s.cloud.users[vpc])) {
			if s.cloud.users[vpc][id].Kind == resource.Subnet.Name {
				subnets = append(subnets, id)
			}
		}
	}
	err := error(refuseField("spec.subnets", "SubnetNotFound", "the VPC %s has no subnet; create one first", vpc))
	for _, id := range subnets {
		var found claim
		if found, err = s.claimAddressIn(id); err == nil {
			return found, nil
		}
	}
	return claim{}, err
}

// hostName is a name that is reserved for never being found.
// https://www.rfc-editor.org/rfc/rfc2606
func (s *session) hostName(id string) string { return id + "." + s.Region + ".mock.invalid" }
