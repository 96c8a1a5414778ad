package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/url"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	disks struct{ *Session }
	disk  = driver.Object[resource.DiskSpec, resource.DiskStatus]
)

// List answers the project's volumes.
func (d disks) List(ctx context.Context, f driver.Filter) iter.Seq2[disk, error] {
	if few(f) {
		return each(ctx, f.IDs, d.Get)
	}
	return driver.Items(list[volumes.Volume](ctx, d.Session, d.volume, "volumes/detail", "volumes", byToken(f)), d.object)
}

// Get answers one volume.
func (d disks) Get(ctx context.Context, id string) (disk, error) {
	found, err := get[volumes.Volume](ctx, d.volume, "volume", "volumes", id)
	if err != nil {
		return disk{}, err
	}
	return d.object(found), nil
}

// Make makes a volume. Its metadata carry the token.
func (d disks) Make(ctx context.Context, r driver.Request[resource.DiskSpec]) (disk, error) {
	made, err := made[volumes.Volume](volumes.Create(ctx, d.volume, volumes.CreateOpts{
		Size: r.Spec.SizeGiB, VolumeType: r.Spec.Type, AvailabilityZone: cmp.Or(r.Spec.Zone, d.zone), SnapshotID: r.Spec.Snapshot,
		Name: r.Name, Metadata: writeMetadata(r.Token, r.Labels),
	}, nil).Result, "volume")
	if err != nil {
		return disk{}, err
	}
	return d.object(made), nil
}

// Delete removes a volume. Cinder refuses while a VM has it or snapshots of it exist.
func (d disks) Delete(ctx context.Context, id string) error {
	return removed(ctx, id, coded(volumes.Delete(ctx, d.volume, id, nil).Err), d.Get)
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

// Label changes the metadata.
func (d disks) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return relabel(ctx, d.Session, "volumes", "volume", id, change)
}

// removed is the end of a deletion from Cinder, which refuses what is being made or deleted
// in the words for what is in use.
func removed[S, T any](ctx context.Context, id string, refused error, get func(context.Context, string) (driver.Object[S, T], error)) error {
	if code := resource.CodeOf(refused); code != resource.CodeDependency && code != resource.CodeConflict {
		return driver.Except(refused, resource.CodeNotFound)
	}
	found, err := get(ctx, id)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound || found.State == resource.StateDeleting:
		return nil
	case err == nil && !found.State.Settled():
		return driver.Wait(pause, "%s is %s; it is deleted when that is over", id, found.CloudState)
	}
	return refused
}

func (disks) object(x shown[volumes.Volume]) disk {
	o := object[resource.DiskSpec, resource.DiskStatus](x.is.ID, x.is.Name, x)
	o.Token, _, o.Labels = ours().Read(maps.All(x.is.Metadata))
	o.CreatedAt = at(x.is.CreatedAt)
	o.State, o.CloudState = volumeState(x.is.Status)
	o.Spec = resource.DiskSpec{SizeGiB: x.is.Size, Type: x.is.VolumeType, Zone: x.is.AvailabilityZone, Snapshot: x.is.SnapshotID}
	for _, attachment := range x.is.Attachments {
		o.Status.VM, o.Status.Device = attachment.ServerID, attachment.Device
	}
	return o
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

// Cinder keeps metadata: the token and the labels.

func writeMetadata(token string, labels map[string]string) map[string]string {
	return driver.TagMap(ours().Write(token, "", labels))
}

// byToken asks a list of Cinder for what was made with the token of a filter, if that has
// one.
func byToken(f driver.Filter) url.Values {
	if f.Token == "" {
		return nil
	}
	raw, _ := json.Marshal(map[string]string{tokenKey: f.Token}) // cannot fail
	return url.Values{"metadata": {string(raw)}}
}

// relabel replaces the metadata of a volume or snapshot.
func relabel(ctx context.Context, s *Session, many, one, id string, change resource.LabelChange) error {
	found, err := get[struct{ Metadata map[string]string }](ctx, s.volume, one, many, id)
	if err != nil {
		return err
	}
	return put(ctx, s.volume, map[string]any{"metadata": change.Apply(found.is.Metadata)}, many, id, "metadata")
}
