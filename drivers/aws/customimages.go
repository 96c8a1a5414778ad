package aws

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// customImages are the images that the account owns.
type (
	customImages struct {
		objects[types.Image, resource.CustomImageSpec, resource.CustomImageStatus]
	}
	customImage = driver.Object[resource.CustomImageSpec, resource.CustomImageStatus]
)

func (s *session) ownImages(ctx context.Context, w wanted) iter.Seq2[types.Image, error] {
	return s.images(ctx, &ec2.DescribeImagesInput{ImageIds: w.ids, Owners: w.owners(), Filters: w.filters, MaxResults: w.most()})
}

// Make makes an image of a VM without stopping it. AWS takes a name once in a region.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
func (c customImages) Make(ctx context.Context, r driver.Request[resource.CustomImageSpec]) (customImage, error) {
	tags := tagged(r, types.ResourceTypeImage, types.ResourceTypeSnapshot)
	out, err := call(ctx, c.ec2.CreateImage, &ec2.CreateImageInput{
		InstanceId: aws.String(r.Spec.VM), Name: aws.String(imageName(r.Name)), Description: driver.Optional(r.Spec.Description),
		NoReboot: aws.Bool(true), TagSpecifications: tags,
	})
	made := customImageOf(types.Image{ImageId: out.ImageId, State: types.ImageStatePending, Tags: tags[0].Tags})
	made.Spec = r.Spec
	return made, err
}

// Delete removes an image with the copies of disks that AWS made for it, unless other
// images need them. A snapshot that an image was registered from stays.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html
func (c customImages) Delete(ctx context.Context, id string) error {
	found, err := c.Look(ctx, id)
	if err != nil {
		return err
	}
	copies, all, err := c.copies(ctx, found)
	if err != nil {
		return err
	}
	out, err := call(ctx, c.ec2.DeregisterImage, &ec2.DeregisterImageInput{ImageId: aws.String(id), DeleteAssociatedSnapshots: aws.Bool(all)})
	if err != nil {
		return err
	}
	for _, snapshot := range copies {
		if slices.ContainsFunc(out.DeleteSnapshotResults, func(r types.DeleteSnapshotReturnCode) bool { return aws.ToString(r.SnapshotId) == snapshot }) {
			continue
		}
		// Some are not to be deleted, or it is a cloud with an older API.
		err := do(ctx, c.ec2.DeleteSnapshot, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(snapshot)})
		if err := driver.Except(err, resource.CodeNotFound, resource.CodeDependency); err != nil {
			return err
		}
	}
	return nil
}

// copies are the snapshots that were made for an image, and whether these are all that it
// consists of.
func (c customImages) copies(ctx context.Context, image types.Image) (copies []string, all bool, err error) {
	token := tagsIn(image.Tags)[tokenTag]
	var named []string
	for _, m := range image.BlockDeviceMappings {
		if id := driver.Value(m.Ebs).SnapshotId; id != nil {
			named = append(named, *id)
		}
	}
	if token == "" || len(named) == 0 {
		return nil, false, nil
	}
	for x, err := range c.snapshots(ctx, having(filter("snapshot-id", named...))) {
		if err != nil {
			return nil, false, err
		}
		if id := aws.ToString(x.SnapshotId); slices.Contains(named, id) && driver.WhoseIs(tagsIn(x.Tags)[tokenTag], token, true) != driver.Stranger {
			copies = append(copies, id)
		}
	}
	return copies, len(copies) == len(named), nil
}

func customImageOf(x types.Image) customImage {
	o := object[resource.CustomImageSpec, resource.CustomImageStatus](x.ImageId, x.Tags, x)
	o.Name = cmp.Or(o.Name, aws.ToString(x.Name))
	o.State, o.CloudState = driver.StateOf(x.State, map[types.ImageState]resource.State{
		types.ImageStatePending:      resource.StateCreating,
		types.ImageStateTransient:    resource.StateCreating,
		types.ImageStateAvailable:    resource.StateAvailable,
		types.ImageStateDisabled:     resource.StateStopped,
		types.ImageStateInvalid:      resource.StateFailed,
		types.ImageStateFailed:       resource.StateFailed,
		types.ImageStateError:        resource.StateFailed,
		types.ImageStateDeregistered: resource.StateDeleted,
	})
	o.Reason = aws.ToString(driver.Value(x.StateReason).Message)
	o.CreatedAt = imageCreated(x)
	o.Spec = resource.CustomImageSpec{VM: aws.ToString(x.SourceInstanceId), Description: aws.ToString(x.Description)}
	o.Status.Architecture = string(x.Architecture)
	o.Status.DiskSizeGiB = int(aws.ToInt32(rootDisk(x).VolumeSize))
	return o
}

// imageName is a name that AWS takes: of 3 to 128 characters.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
func imageName(name string) string {
	if len(name) < 3 {
		return "mcic-" + name
	}
	return name
}
