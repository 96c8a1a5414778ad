package mock

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// fileShares have an address in each of their subnets.
type fileShares struct {
	table[resource.FileShareSpec, resource.FileShareStatus]
}

type fileShareDraft = draft[resource.FileShareSpec, resource.FileShareStatus]

func openFileShares(s *session) fileShares {
	collection := fileShares{table[resource.FileShareSpec, resource.FileShareStatus]{
		s: s, kind: resource.FileShare, prefix: "fs", ready: resource.StateAvailable, built: true,
	}}
	collection.prepare, collection.show = collection.plan, collection.shown
	return collection
}

// shareTiers are how fast file shares are, the usual one first.
func shareTiers() []string { return []string{"standard", "premium"} }

// plan completes and checks a draft. With the setting parts a file share begins without mount
// targets, as on AWS; all that is wrong with them is refused before.
func (c fileShares) plan(d *fileShareDraft) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if err := c.s.checkNetwork(d.spec.Subnets, d.spec.SecurityGroups, d.spec.VPC, "the file share"); err != nil {
		return err
	}
	if d.spec.Tier = cmp.Or(d.spec.Tier, shareTiers()[0]); !slices.Contains(shareTiers(), d.spec.Tier) {
		return refuseField("spec.tier", "InvalidParameterValue", "there is no tier %.64q; the tiers are: %s", d.spec.Tier, joined(shareTiers(), func(t string) string { return t }))
	}
	if d.spec.Zone != "" {
		if err := c.s.offer.checkZone("spec.zone", c.s.Region, d.spec.Zone); err != nil {
			return err
		}
	}
	targets := d.spec.Subnets
	d.spec.Subnets = []string{}
	if c.s.parts {
		return nil
	}
	return c.mount(d, "spec.subnets", targets)
}

// mount makes mount targets in subnets, but for those that have one.
func (c fileShares) mount(d *fileShareDraft, field string, subnets []string) error {
	for i, id := range subnets {
		at := fmt.Sprintf("%s[%d]", field, i)
		if slices.Contains(d.spec.Subnets, id) {
			continue
		}
		if _, err := c.s.find(resource.Subnet.Name, at, id, d.now); err != nil {
			return err
		}
		if of := specOf(c.s, resource.Subnet, id).VPC; of != d.spec.VPC {
			return refuseField(at, "InvalidParameterCombination", "the subnet %s belongs to the VPC %s, not to %s; choose one of that", id, of, d.spec.VPC)
		}
		address, err := c.s.claimAddressIn(id)
		if err != nil {
			return err
		}
		d.claims = append(d.claims, address)
		d.spec.Subnets = append(slices.Clone(d.spec.Subnets), id)
	}
	return nil
}

// Complete implements driver.Completer: the mount targets follow one by one.
func (c fileShares) Complete(ctx context.Context, r driver.Request[resource.FileShareSpec], o driver.Object[resource.FileShareSpec, resource.FileShareStatus]) (driver.Object[resource.FileShareSpec, resource.FileShareStatus], error) {
	for _, subnet := range r.Spec.Subnets {
		switch {
		case o.State == resource.StateFailed || slices.Contains(o.Spec.Subnets, subnet):
			continue
		case o.State != resource.StateAvailable:
			return o, driver.Wait(0, "the file share %s is %s; its mount target in %s follows", r.Name, o.State, subnet)
		case c.s.chance(c.s.failPart, "failPart", r.Token+subnet):
			return o, refuse(resource.CodeCapacity, "InsufficientCapacity", "the cloud has no room for the mount target in %s (setting failPart) and will not succeed", subnet)
		}
		if err := c.AddSubnets(ctx, o.ID, resource.SubnetChange{Subnets: []string{subnet}}); err != nil {
			return o, err
		}
		var err error
		if o, err = c.Get(ctx, o.ID); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Delete implements driver.Deleter: with the setting parts the mount targets go first.
func (c fileShares) Delete(ctx context.Context, id string) error {
	return c.deleteAfterParts(ctx, id, "mount targets", func(s resource.FileShareSpec) bool { return len(s.Subnets) > 0 }, c.unmountAll)
}

// Resize implements resource.FileShareResizer.
func (c fileShares) Resize(ctx context.Context, id string, to resource.FileShareSize) error {
	return c.alter(ctx, id, "resize", resource.StateAvailable, func(d *fileShareDraft) error {
		switch {
		case d.spec.SizeGiB == to.SizeGiB:
			return nil
		case d.spec.SizeGiB == 0:
			return refuseField("sizeGiB", "InvalidParameterCombination", "%s has no size: it grows with what is in it; make another one with a size, and copy what is in it", id)
		case to.SizeGiB < d.spec.SizeGiB:
			return refuseShrinking("sizeGiB", id, d.spec.SizeGiB)
		}
		d.spec.SizeGiB, d.change = to.SizeGiB, c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// AddSubnets implements resource.SubnetAdder.
func (c fileShares) AddSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "addsubnets", resource.StateAvailable, func(d *fileShareDraft) error {
		before := len(d.spec.Subnets)
		if err := c.mount(d, "subnets", change.Subnets); err != nil {
			return err
		}
		if len(d.spec.Subnets) > before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// RemoveSubnets implements resource.SubnetRemover.
func (c fileShares) RemoveSubnets(ctx context.Context, id string, change resource.SubnetChange) error {
	return c.alter(ctx, id, "removesubnets", resource.StateAvailable, func(d *fileShareDraft) error {
		before := len(d.claims)
		d.claims = slices.DeleteFunc(d.claims, func(one claim) bool { return slices.Contains(change.Subnets, one.Scope) })
		d.spec.Subnets = slices.DeleteFunc(slices.Clone(d.spec.Subnets), func(s string) bool { return slices.Contains(change.Subnets, s) })
		if len(d.claims) < before {
			d.change = c.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// nativeFileShare is a file share in the cloud's own words.
type nativeFileShare struct {
	FileSystemID   string `json:"fileSystemId"`
	LifeCycleState string `json:"lifeCycleState"`
	MountTargets   int    `json:"numberOfMountTargets"`
	Encrypted      bool   `json:"encrypted"`
}

func (c fileShares) unmountAll(d *fileShareDraft) {
	d.spec.Subnets, d.claims = []string{}, nil
}

// shown adds the mount targets: those that a change adds or removes are there while it lasts.
func (c fileShares) shown(v *sight[resource.FileShareSpec, resource.FileShareStatus]) any {
	export := "/"
	if v.spec.Protocol != "nfs" {
		export = "/share"
	}
	before, after := v.spec.Subnets, v.Spec.(resource.FileShareSpec).Subnets
	for _, id := range slices.Concat(before, slices.DeleteFunc(slices.Clone(after), func(s string) bool { return slices.Contains(before, s) })) {
		state := v.state
		if state == resource.StateUpdating {
			switch {
			case !slices.Contains(after, id):
				state = resource.StateDeleting
			case slices.Contains(before, id):
				state = resource.StateAvailable
			default:
				state = resource.StateCreating
			}
		}
		target := resource.MountTarget{Subnet: id, Part: resource.Part{
			Name: c.s.cloud.nameOf(c.s.shelfOf(resource.Subnet.Name), id), CloudID: partID("fsmt", v.ID, id),
			State: state, CloudState: cloudState(state), Reason: reasonOf(state), Code: codeOf(state),
		}}
		if i := slices.IndexFunc(v.Claims, func(one claim) bool { return one.Scope == id }); !c.s.fails(&target.Part) && i >= 0 && state == resource.StateAvailable {
			target.Address, target.Export = v.Claims[i].Value, export
			target.Command = resource.MountCommand(v.spec.Protocol, target.Address, export)
		}
		v.status.Mounts = append(v.status.Mounts, target)
	}
	return nativeFileShare{FileSystemID: v.ID, LifeCycleState: cloudState(v.state), MountTargets: len(v.status.Mounts), Encrypted: v.spec.Encrypted}
}
