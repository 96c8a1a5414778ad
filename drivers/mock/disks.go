package mock

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type disks struct {
	table[resource.DiskSpec, resource.DiskStatus]
}

func openDisks(s *session) disks {
	collection := disks{table[resource.DiskSpec, resource.DiskStatus]{
		s: s, kind: resource.Disk, prefix: "disk", ready: resource.StateAvailable, built: true, held: true, show: showDisk,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c disks) plan(d *draft[resource.DiskSpec, resource.DiskStatus]) error {
	if _, err := c.s.offer.checkDisk("spec.type", &d.spec.Type, "spec.sizeGiB", d.spec.SizeGiB); err != nil {
		return err
	}
	if d.spec.Snapshot != "" {
		snapshot := c.s.cloud.shelf(c.s.shelfOf(resource.Snapshot.Name)).live[d.spec.Snapshot]
		if least := snapshot.Status.(resource.SnapshotStatus).SizeGiB; d.spec.SizeGiB < least {
			return refuseField("spec.sizeGiB", "InvalidVolumeSize", "%d GiB are too few for the snapshot %s; ask for at least %d GiB", d.spec.SizeGiB, snapshot.ID, least)
		}
	}
	return c.s.chooseZone("spec.zone", &d.spec.Zone)
}

// Attach implements resource.DiskAttacher.
func (c disks) Attach(ctx context.Context, id string, to resource.DiskAttachment) error {
	return c.alter(ctx, id, "attach", resource.StateAvailable, func(d *draft[resource.DiskSpec, resource.DiskStatus]) error {
		done, err := c.s.join(&d.links, id, to.VM, d.spec.Zone, d.now)
		if done || err != nil {
			return err
		}
		d.status.Device = c.s.freeDevice(to.VM)
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// Detach implements resource.Detacher.
func (c disks) Detach(ctx context.Context, id string) error {
	return c.unlink(ctx, id, "detach")
}

// Resize implements resource.DiskResizer. Attached or not makes no difference.
func (c disks) Resize(ctx context.Context, id string, to resource.DiskSize) error {
	return c.alter(ctx, id, "resize", resource.StateAvailable, func(d *draft[resource.DiskSpec, resource.DiskStatus]) error {
		switch {
		case to.SizeGiB == d.spec.SizeGiB:
			return nil
		case to.SizeGiB < d.spec.SizeGiB:
			return refuseField("sizeGiB", "InvalidVolumeSize", "the disk has %d GiB, and disks do not shrink; ask for more, or copy what is on it to a smaller disk", d.spec.SizeGiB)
		}
		if _, err := c.s.offer.checkDisk("type", &d.spec.Type, "sizeGiB", to.SizeGiB); err != nil {
			return err
		}
		d.spec.SizeGiB = to.SizeGiB
		d.change = c.s.update(d.now, resource.StateAvailable)
		return nil
	})
}

// join links an object to the VM that it is attached to, in the zone that it lives
// in. done means that it is there already.
func (s *session) join(links *[]link, id, to, zone string, now time.Time) (done bool, err error) {
	vm, err := s.find(resource.VM.Name, "vm", to, now)
	if err != nil {
		return false, err
	}
	switch has := linkedID(resource.VM.Name, *links); {
	case has == to:
		return true, nil
	case has != "":
		return false, refuse(resource.CodeConflict, "ResourceInUse", "%s is attached to the VM %s; detach it there first", id, has)
	}
	if of := vm.Status.(resource.VMStatus).Zone; of != zone && !s.offer.anyPlace {
		return false, refuseField("vm", "InvalidZone.Mismatch", "%s is in the zone %s, the VM %s in %s; choose a VM of the same zone", id, zone, to, of)
	}
	*links = []link{{Kind: resource.VM.Name, ID: to}}
	return false, nil
}

// freeDevice is a name that no other disk has on a VM. The cloud is held.
func (s *session) freeDevice(vm string) string {
	var taken []string
	for id, key := range s.cloud.linked[vm] {
		if key.Kind == resource.Disk.Name {
			taken = append(taken, s.cloud.shelf(key).live[id].Status.(resource.DiskStatus).Device)
		}
	}
	for i := 1; ; i++ {
		name := fmt.Sprintf("/dev/vd%s", letters(i))
		if !slices.Contains(taken, name) {
			return name
		}
	}
}

// letters counts a, b, …, z, aa, ab, … from 0.
func letters(n int) string {
	last := string(rune('a' + n%26))
	if n < 26 {
		return last
	}
	return letters(n/26-1) + last
}

// nativeDisk is a disk in the cloud's own words.
type nativeDisk struct {
	VolumeID   string `json:"volumeId"`
	VolumeType string `json:"volumeType"`
	SizeGiB    int    `json:"sizeGib"`
	Zone       string `json:"availabilityZone"`
	SnapshotID string `json:"snapshotId,omitempty"`
	Status     string `json:"status"`
	InstanceID string `json:"instanceId,omitempty"`
}

func showDisk(v *sight[resource.DiskSpec, resource.DiskStatus]) any {
	v.status.VM = linkedID(resource.VM.Name, v.links)
	if v.status.VM == "" {
		v.status.Device = ""
	}
	return nativeDisk{
		VolumeID: v.ID, VolumeType: v.spec.Type, SizeGiB: v.spec.SizeGiB, Zone: v.spec.Zone, SnapshotID: v.spec.Snapshot,
		Status: cloudState(v.state), InstanceID: v.status.VM,
	}
}
