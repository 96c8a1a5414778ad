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

type (
	snapshots struct{ *session }
	snapshot  = driver.Object[resource.SnapshotSpec, resource.SnapshotStatus]
)

// List answers the account's snapshots in the region, those that belong to custom
// images among them.
func (s snapshots) List(ctx context.Context, f driver.Filter) iter.Seq2[snapshot, error] {
	return s.describe(ctx, &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, MaxResults: aws.Int32(pageSize), Filters: narrowed(f, "snapshot-id")})
}

// Get answers one snapshot.
func (s snapshots) Get(ctx context.Context, id string) (snapshot, error) {
	return driver.One(s.describe(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}}), "snapshot", id)
}

// Make copies a volume.
func (s snapshots) Make(ctx context.Context, r driver.Request[resource.SnapshotSpec]) (snapshot, error) {
	tags, err := writeTags(r.Token, r.Name, r.Labels, types.ResourceTypeSnapshot)
	if err != nil {
		return snapshot{}, err
	}
	out, err := call(ctx, s.ec2.CreateSnapshot, &ec2.CreateSnapshotInput{
		VolumeId: aws.String(r.Spec.Disk), Description: optional(r.Spec.Description), TagSpecifications: tags,
	})
	if err != nil {
		return snapshot{}, err
	}
	return s.object(types.Snapshot{
		SnapshotId: out.SnapshotId, State: out.State, VolumeId: out.VolumeId, VolumeSize: out.VolumeSize, Description: out.Description,
		StartTime: out.StartTime, Tags: tags[0].Tags,
	}), nil
}

// Delete removes a snapshot.
func (s snapshots) Delete(ctx context.Context, id string) error {
	_, err := call(ctx, s.ec2.DeleteSnapshot, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)})
	return driver.Except(err, resource.CodeNotFound)
}

func (s snapshots) describe(ctx context.Context, in *ec2.DescribeSnapshotsInput) iter.Seq2[snapshot, error] {
	return paged(ctx, ec2.NewDescribeSnapshotsPaginator(s.ec2, in),
		func(page *ec2.DescribeSnapshotsOutput) []types.Snapshot { return page.Snapshots }, s.object)
}

func (snapshots) object(x types.Snapshot) snapshot {
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
