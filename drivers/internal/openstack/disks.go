package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	disks struct {
		cinder[resource.DiskSpec, resource.DiskStatus, volumes.Volume]
	}
	disk = driver.Object[resource.DiskSpec, resource.DiskStatus]
)

func (s *Session) disks() disks { return disks{cinderOf(s, "volume", "volumes", showDisk)} }

// Make makes a volume. Its metadata carry the token.
func (d disks) Make(ctx context.Context, r driver.Request[resource.DiskSpec]) (disk, error) {
	return d.made(volumes.Create(ctx, d.volume, volumes.CreateOpts{
		Size: r.Spec.SizeGiB, VolumeType: r.Spec.Type, AvailabilityZone: cmp.Or(r.Spec.Zone, d.zone), SnapshotID: r.Spec.Snapshot,
		Name: r.Name, Metadata: writeMetadata(r.Token, r.Labels),
	}, nil).Result)
}

// Attach gives a volume to a server.
func (d disks) Attach(ctx context.Context, id string, to resource.DiskAttachment) error {
	found, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	if done, err := driver.Attached("volume", id, found.Status.VM, to.VM); done || err != nil {
		return err
	}
	if !found.State.Settled() {
		return driver.Wait(pause, "the volume %s is %s", id, found.CloudState)
	}
	return coded(volumeattach.Create(ctx, d.compute, to.VM, volumeattach.CreateOpts{VolumeID: id}).Err)
}

// Detach takes a volume from the server that has it.
func (d disks) Detach(ctx context.Context, id string) error {
	found, err := d.Get(ctx, id)
	if err != nil || found.Status.VM == "" {
		return err
	}
	return driver.Except(coded(volumeattach.Delete(ctx, d.compute, found.Status.VM, id).Err), resource.CodeNotFound)
}

// Resize makes a volume larger.
func (d disks) Resize(ctx context.Context, id string, to resource.DiskSize) error {
	return coded(volumes.ExtendSize(ctx, d.volume, id, volumes.ExtendSizeOpts{NewSize: to.SizeGiB}).Err)
}

func showDisk(x shown[volumes.Volume], o *disk) {
	o.Spec = resource.DiskSpec{SizeGiB: x.is.Size, Type: x.is.VolumeType, Zone: x.is.AvailabilityZone, Snapshot: x.is.SnapshotID}
	for _, attachment := range x.is.Attachments {
		o.Status.VM, o.Status.Device = attachment.ServerID, attachment.Device
	}
}

// cinder is a kind that is one object of Cinder each. Its metadata are the token and the labels.
type cinder[S, T, A any] struct{ collection[S, T, A] }

func cinderOf[S, T, A any](s *Session, one, many string, show func(shown[A], *driver.Object[S, T])) cinder[S, T, A] {
	return cinder[S, T, A]{collection[S, T, A]{
		Session: s, service: s.volume, one: one, many: many, path: many, list: many + "/detail", narrow: byMetadata,
		show: func(x shown[A], o *driver.Object[S, T]) {
			o.Token, _, o.Labels = ours().Read(maps.All(x.Metadata))
			o.State, o.CloudState = volumeState(x.Status)
			show(x, o)
		},
	}}
}

// Delete removes an object. Cinder refuses what is being made or deleted in the words for what
// is in use: by a VM or by snapshots of it.
func (c cinder[S, T, A]) Delete(ctx context.Context, id string) error {
	refused := c.collection.Delete(ctx, id)
	if code := resource.CodeOf(refused); code != resource.CodeDependency && code != resource.CodeConflict {
		return refused
	}
	found, err := c.Get(ctx, id)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound || found.State == resource.StateDeleting:
		return nil
	case err == nil && !found.State.Settled():
		return driver.Wait(pause, "%s is %s; it is deleted when that is over", id, found.CloudState)
	}
	return refused
}

// Label changes the metadata.
func (c cinder[S, T, A]) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := c.look(ctx, id)
	if err != nil {
		return err
	}
	return put(ctx, c.volume, map[string]any{"metadata": change.Apply(found.Metadata)}, c.path, id, "metadata")
}

func writeMetadata(token string, labels map[string]string) map[string]string {
	return driver.TagMap(ours().Write(token, "", labels))
}

// byMetadata asks a list of Cinder for what was made with the token of a filter, if that has
// one.
func byMetadata(f driver.Filter) url.Values {
	if f.Token == "" {
		return nil
	}
	raw, _ := json.Marshal(map[string]string{tokenKey: f.Token}) // cannot fail
	return url.Values{"metadata": {string(raw)}}
}

// volumeState translates the states of volumes and snapshots.
// https://docs.openstack.org/api-ref/block-storage/v3/#volumes-volumes
func volumeState(word string) (resource.State, string) {
	return driver.StateOf(word, map[string]resource.State{
		"creating": resource.StateCreating, "downloading": resource.StateCreating, "restoring-backup": resource.StateCreating,
		"available": resource.StateAvailable, "in-use": resource.StateAvailable, "reserved": resource.StateUpdating, "maintenance": resource.StateUpdating,
		"attaching": resource.StateUpdating, "detaching": resource.StateUpdating, "extending": resource.StateUpdating, "retyping": resource.StateUpdating,
		"uploading": resource.StateUpdating, "backing-up": resource.StateUpdating, "awaiting-transfer": resource.StateAvailable,
		"deleting": resource.StateDeleting, "deleted": resource.StateDeleted,
		"error": resource.StateFailed, "error_deleting": resource.StateFailed, "error_extending": resource.StateFailed,
		"error_backing-up": resource.StateFailed, "error_restoring": resource.StateFailed,
	})
}
