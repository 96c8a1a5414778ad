package openstack

import (
	"context"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	snapshots struct {
		cinder[resource.SnapshotSpec, resource.SnapshotStatus, sdk.Snapshot]
	}
	snapshot = driver.Object[resource.SnapshotSpec, resource.SnapshotStatus]
)

func (s *Session) snapshots() snapshots {
	return snapshots{cinderOf(s, "snapshot", "snapshots", showSnapshot)}
}

// Make copies a volume, also one that a VM has. Its metadata carry the token.
func (n snapshots) Make(ctx context.Context, r driver.Request[resource.SnapshotSpec]) (snapshot, error) {
	return n.made(sdk.Create(ctx, n.volume, sdk.CreateOpts{
		VolumeID: r.Spec.Disk, Force: true, Name: r.Name, Description: r.Spec.Description, Metadata: writeMetadata(r.Token, r.Labels),
	}).Result)
}

func showSnapshot(x shown[sdk.Snapshot], o *snapshot) {
	o.Spec = resource.SnapshotSpec{Disk: x.is.VolumeID, Description: x.is.Description}
	o.Status.SizeGiB = x.is.Size
}
