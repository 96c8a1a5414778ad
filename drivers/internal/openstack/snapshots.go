package openstack

import (
	"context"
	"iter"
	"maps"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	snapshots struct{ *Session }
	snapshot  = driver.Object[resource.SnapshotSpec, resource.SnapshotStatus]
)

// List answers the project's snapshots.
func (n snapshots) List(ctx context.Context, f driver.Filter) iter.Seq2[snapshot, error] {
	if few(f) {
		return each(ctx, f.IDs, n.Get)
	}
	return driver.Items(list[sdk.Snapshot](ctx, n.Session, n.volume, "snapshots/detail", "snapshots", byToken(f)), n.object)
}

// Get answers one snapshot.
func (n snapshots) Get(ctx context.Context, id string) (snapshot, error) {
	found, err := get[sdk.Snapshot](ctx, n.volume, "snapshot", "snapshots", id)
	if err != nil {
		return snapshot{}, err
	}
	return n.object(found), nil
}

// Make copies a volume, also one that a VM has. Its metadata carry the token.
func (n snapshots) Make(ctx context.Context, r driver.Request[resource.SnapshotSpec]) (snapshot, error) {
	made, err := made[sdk.Snapshot](sdk.Create(ctx, n.volume, sdk.CreateOpts{
		VolumeID: r.Spec.Disk, Force: true, Name: r.Name, Description: r.Spec.Description, Metadata: writeMetadata(r.Token, r.Labels),
	}).Result, "snapshot")
	if err != nil {
		return snapshot{}, err
	}
	return n.object(made), nil
}

// Delete removes a snapshot.
func (n snapshots) Delete(ctx context.Context, id string) error {
	return removed(ctx, id, coded(sdk.Delete(ctx, n.volume, id).Err), n.Get)
}

// Label changes the metadata.
func (n snapshots) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return relabel(ctx, n.Session, "snapshots", "snapshot", id, change)
}

func (snapshots) object(x shown[sdk.Snapshot]) snapshot {
	o := object[resource.SnapshotSpec, resource.SnapshotStatus](x.is.ID, x.is.Name, x)
	o.Token, _, o.Labels = ours().Read(maps.All(x.is.Metadata))
	o.CreatedAt = at(x.is.CreatedAt)
	o.State, o.CloudState = volumeState(x.is.Status)
	o.Spec = resource.SnapshotSpec{Disk: x.is.VolumeID, Description: x.is.Description}
	o.Status.SizeGiB = x.is.Size
	return o
}
