package aws

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// disks are EBS volumes, the root disks of VMs among them.
type (
	disks struct {
		objects[types.Volume, resource.DiskSpec, resource.DiskStatus]
	}
	disk = driver.Object[resource.DiskSpec, resource.DiskStatus]
)

func (s *session) volumes(ctx context.Context, w wanted) iter.Seq2[types.Volume, error] {
	return paged(ctx, ec2.NewDescribeVolumesPaginator(s.ec2, &ec2.DescribeVolumesInput{VolumeIds: w.ids, Filters: w.filters, MaxResults: w.most()}),
		func(page *ec2.DescribeVolumesOutput) []types.Volume { return page.Volumes })
}

// Make makes a volume. The token makes AWS itself answer the same one again.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html
func (d disks) Make(ctx context.Context, r driver.Request[resource.DiskSpec]) (disk, error) {
	tags := tagged(r, types.ResourceTypeVolume)
	zone := cmp.Or(r.Spec.Zone, d.zone, d.anyZone)
	if zone == "" {
		return disk{}, resource.Errorf(resource.CodeUnavailable, "no zone of the region took new disks when the session was opened")
	}
	out, err := call(ctx, d.ec2.CreateVolume, &ec2.CreateVolumeInput{
		ClientToken:       aws.String(r.Token),
		AvailabilityZone:  aws.String(zone),
		Size:              number(r.Spec.SizeGiB),
		VolumeType:        types.VolumeType(r.Spec.Type),
		Iops:              leastIOPS(types.VolumeType(r.Spec.Type), r.Spec.SizeGiB),
		SnapshotId:        driver.Optional(r.Spec.Snapshot),
		TagSpecifications: tags,
	})
	return diskOf(types.Volume{
		VolumeId: out.VolumeId, State: out.State, Size: out.Size, VolumeType: out.VolumeType, AvailabilityZone: out.AvailabilityZone,
		SnapshotId: out.SnapshotId, CreateTime: out.CreateTime, Tags: tags[0].Tags,
	}), err
}

// Delete removes a volume.
func (d disks) Delete(ctx context.Context, id string) error {
	return do(ctx, d.ec2.DeleteVolume, &ec2.DeleteVolumeInput{VolumeId: aws.String(id)})
}

// Attach gives a volume to a VM, under a name that is free there.
func (d disks) Attach(ctx context.Context, id string, to resource.DiskAttachment) error {
	found, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	if done, err := driver.Attached("disk", id, found.Status.VM, to.VM); done || err != nil {
		return err
	}
	for try := 1; ; try++ {
		instance, err := d.instance(ctx, to.VM)
		if err != nil {
			return err
		}
		device, err := freeDevice(instance)
		if err != nil {
			return err
		}
		err = do(ctx, d.ec2.AttachVolume, &ec2.AttachVolumeInput{VolumeId: aws.String(id), InstanceId: aws.String(to.VM), Device: aws.String(device)})
		if try == attachTries || resource.CodeOf(err) != resource.CodeAlreadyExists { // another disk got the name in between
			return err
		}
	}
}

// attachTries is how often a free name is looked for.
const attachTries = 5

// Detach takes a volume from the VM that has it.
func (d disks) Detach(ctx context.Context, id string) error {
	found, err := d.Get(ctx, id)
	if err != nil || found.Status.VM == "" {
		return err
	}
	return do(ctx, d.ec2.DetachVolume, &ec2.DetachVolumeInput{VolumeId: aws.String(id), InstanceId: aws.String(found.Status.VM)})
}

// Resize makes a volume larger.
// https://docs.aws.amazon.com/ebs/latest/userguide/requesting-ebs-volume-modifications.html
func (d disks) Resize(ctx context.Context, id string, to resource.DiskSize) error {
	found, err := d.Get(ctx, id)
	switch {
	case err != nil:
		return err
	case found.Spec.SizeGiB == to.SizeGiB: // done before
		return nil
	case found.Spec.SizeGiB > to.SizeGiB:
		return resource.Invalid(resource.Problem{Field: "sizeGiB", Message: fmt.Sprintf("the disk has %d GiB; AWS only makes disks larger", found.Spec.SizeGiB)})
	}
	err = do(ctx, d.ec2.ModifyVolume, &ec2.ModifyVolumeInput{VolumeId: aws.String(id), Size: number(to.SizeGiB)})
	if driver.IsCloud(err, "IncorrectModificationState") {
		return d.changing(ctx, id, to.SizeGiB)
	}
	return err
}

// changing is for a disk that AWS does not change because it still does: to the size that
// is asked for, perhaps, which the disk shows later. Another change waits.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVolume.html
func (d disks) changing(ctx context.Context, id string, sizeGiB int) error {
	for change, err := range paged(ctx, ec2.NewDescribeVolumesModificationsPaginator(d.ec2, &ec2.DescribeVolumesModificationsInput{VolumeIds: []string{id}}),
		func(page *ec2.DescribeVolumesModificationsOutput) []types.VolumeModification {
			return page.VolumesModifications
		}) {
		if err != nil {
			return err
		}
		if int(aws.ToInt32(change.TargetSize)) == sizeGiB {
			return nil
		}
	}
	return driver.Wait(0, "AWS still changes the disk %s; it is changed again when that has ended", id)
}

// freeDevice is a name for one more disk.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
func freeDevice(x types.Instance) (string, error) {
	prefix := "/dev/sd"
	if x.Platform == types.PlatformValuesWindows {
		prefix = "xvd"
	}
	for _, letter := range "fghijklmnopqrstuvwxyz" {
		name := prefix + string(letter)
		if !slices.ContainsFunc(x.BlockDeviceMappings, func(m types.InstanceBlockDeviceMapping) bool { return aws.ToString(m.DeviceName) == name }) {
			return name, nil
		}
	}
	return "", resource.Errorf(resource.CodeQuota, "the instance %s has no name for another disk left", aws.ToString(x.InstanceId))
}

func diskOf(x types.Volume) disk {
	o := object[resource.DiskSpec, resource.DiskStatus](x.VolumeId, x.Tags, x)
	o.State, o.CloudState = driver.StateOf(x.State, map[types.VolumeState]resource.State{
		types.VolumeStateCreating:  resource.StateCreating,
		types.VolumeStateAvailable: resource.StateAvailable,
		types.VolumeStateInUse:     resource.StateAvailable,
		types.VolumeStateDeleting:  resource.StateDeleting,
		types.VolumeStateDeleted:   resource.StateDeleted,
		types.VolumeStateError:     resource.StateFailed,
	})
	o.CreatedAt = x.CreateTime
	o.Spec = resource.DiskSpec{SizeGiB: int(aws.ToInt32(x.Size)), Type: string(x.VolumeType), Zone: aws.ToString(x.AvailabilityZone), Snapshot: aws.ToString(x.SnapshotId)}
	for _, a := range x.Attachments {
		if a.State == types.VolumeAttachmentStateDetached {
			continue
		}
		if a.State == types.VolumeAttachmentStateAttaching || a.State == types.VolumeAttachmentStateDetaching {
			o.State, o.CloudState = resource.StateUpdating, string(a.State)
		}
		o.Status = resource.DiskStatus{VM: aws.ToString(a.InstanceId), Device: aws.ToString(a.Device)}
	}
	return o
}
