package aws

import (
	"context"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// snapshots are the account's snapshots in the region, those that belong to custom images
// among them.
type (
	snapshots struct {
		objects[types.Snapshot, resource.SnapshotSpec, resource.SnapshotStatus]
	}
	snapshot = driver.Object[resource.SnapshotSpec, resource.SnapshotStatus]
)

func (s *session) snapshots(ctx context.Context, w wanted) iter.Seq2[types.Snapshot, error] {
	return paged(ctx, ec2.NewDescribeSnapshotsPaginator(s.ec2, &ec2.DescribeSnapshotsInput{
		SnapshotIds: w.ids, OwnerIds: w.owners(), Filters: w.filters, MaxResults: w.most(),
	}), func(page *ec2.DescribeSnapshotsOutput) []types.Snapshot { return page.Snapshots })
}

// Make copies a volume.
func (s snapshots) Make(ctx context.Context, r driver.Request[resource.SnapshotSpec]) (snapshot, error) {
	tags := tagged(r, types.ResourceTypeSnapshot)
	out, err := call(ctx, s.ec2.CreateSnapshot, &ec2.CreateSnapshotInput{
		VolumeId: aws.String(r.Spec.Disk), Description: driver.Optional(r.Spec.Description), TagSpecifications: tags,
	})
	return snapshotOf(types.Snapshot{
		SnapshotId: out.SnapshotId, State: out.State, VolumeId: out.VolumeId, VolumeSize: out.VolumeSize, Description: out.Description,
		StartTime: out.StartTime, Tags: tags[0].Tags,
	}), err
}

// Delete removes a snapshot.
func (s snapshots) Delete(ctx context.Context, id string) error {
	return do(ctx, s.ec2.DeleteSnapshot, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)})
}

func snapshotOf(x types.Snapshot) snapshot {
	o := object[resource.SnapshotSpec, resource.SnapshotStatus](x.SnapshotId, x.Tags, x)
	o.State, o.CloudState = driver.StateOf(x.State, map[types.SnapshotState]resource.State{
		types.SnapshotStatePending:     resource.StateCreating,
		types.SnapshotStateCompleted:   resource.StateAvailable,
		types.SnapshotStateError:       resource.StateFailed,
		types.SnapshotStateRecovering:  resource.StateUpdating,
		types.SnapshotStateRecoverable: resource.StateDeleted, // in the recycle bin
	})
	o.Reason = aws.ToString(x.StateMessage)
	o.CreatedAt = x.StartTime
	o.Spec = resource.SnapshotSpec{Disk: aws.ToString(x.VolumeId), Description: aws.ToString(x.Description)}
	o.Status.SizeGiB = int(aws.ToInt32(x.VolumeSize))
	return o
}
