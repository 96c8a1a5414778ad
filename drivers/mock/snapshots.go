package mock

import (
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type snapshots struct {
	table[resource.SnapshotSpec, resource.SnapshotStatus]
}

func openSnapshots(s *session) snapshots {
	collection := snapshots{table[resource.SnapshotSpec, resource.SnapshotStatus]{
		s: s, kind: resource.Snapshot, prefix: "snap", ready: resource.StateAvailable, built: true, show: showSnapshot,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft.
func (c snapshots) plan(d *draft[resource.SnapshotSpec, resource.SnapshotStatus]) error {
	if err := need("spec.disk", d.spec.Disk); err != nil {
		return err
	}
	d.status.SizeGiB = specOf(c.s, resource.Disk, d.spec.Disk).SizeGiB
	return nil
}

// nativeSnapshot is a snapshot in the cloud's own words.
type nativeSnapshot struct {
	SnapshotID string    `json:"snapshotId"`
	VolumeID   string    `json:"volumeId"`
	VolumeSize int       `json:"volumeSize"`
	State      string    `json:"state"`
	Progress   string    `json:"progress"`
	StartTime  time.Time `json:"startTime"`
}

func showSnapshot(v *sight[resource.SnapshotSpec, resource.SnapshotStatus]) any {
	progress := "100%"
	if v.state == resource.StateCreating {
		progress = "0%"
	}
	return nativeSnapshot{
		SnapshotID: v.ID, VolumeID: v.spec.Disk, VolumeSize: v.status.SizeGiB, State: cloudState(v.state), Progress: progress, StartTime: v.CreatedAt,
	}
}
