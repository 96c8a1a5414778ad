package aws

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// customImages are the images that the account owns.
type (
	customImages struct{ *session }
	customImage  = driver.Object[resource.CustomImageSpec, resource.CustomImageStatus]
)

// List answers the account's images in the region.
func (c customImages) List(ctx context.Context, f driver.Filter) iter.Seq2[customImage, error] {
	return c.describe(ctx, &ec2.DescribeImagesInput{Owners: []string{"self"}, MaxResults: aws.Int32(pageSize), Filters: narrowed(f, "image-id")})
}

// Get answers one image.
func (c customImages) Get(ctx context.Context, id string) (customImage, error) {
	found, err := driver.One(c.describe(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}}), "image", id)
	if err == nil && found.State == resource.StateDeleted {
		return customImage{}, resource.Errorf(resource.CodeNotFound, "the image %s is deregistered", id)
	}
	return found, err
}

// Make makes an image of a VM without stopping it. AWS takes a name once in a region.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html
func (c customImages) Make(ctx context.Context, r driver.Request[resource.CustomImageSpec]) (customImage, error) {
	tags, err := writeTags(r.Token, r.Name, r.Labels, types.ResourceTypeImage, types.ResourceTypeSnapshot)
	if err != nil {
		return customImage{}, err
	}
	out, err := call(ctx, c.ec2.CreateImage, &ec2.CreateImageInput{
		InstanceId: aws.String(r.Spec.VM), Name: aws.String(imageName(r.Name)), Description: optional(r.Spec.Description),
		NoReboot: aws.Bool(true), TagSpecifications: tags,
	})
	if err != nil {
		return customImage{}, err
	}
	made := c.object(types.Image{ImageId: out.ImageId, State: types.ImageStatePending, Tags: tags[0].Tags})
	made.Spec = r.Spec
	return made, nil
}

// Delete removes an image with the copies of disks that AWS made for it, unless other
// images need them. A snapshot that an image was registered from stays.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html
func (c customImages) Delete(ctx context.Context, id string) error {
	found, err := driver.One(describeImages(ctx, c.session, &ec2.DescribeImagesInput{ImageIds: []string{id}}, same), "image", id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	copies, all, err := c.copies(ctx, found)
	if err != nil {
		return err
	}
	out, err := call(ctx, c.ec2.DeregisterImage, &ec2.DeregisterImageInput{ImageId: aws.String(id), DeleteAssociatedSnapshots: aws.Bool(all)})
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	for _, snapshot := range copies {
		if slices.ContainsFunc(out.DeleteSnapshotResults, func(r types.DeleteSnapshotReturnCode) bool { return aws.ToString(r.SnapshotId) == snapshot }) {
			continue
		}
		// Some are not to be deleted, or it is a cloud with an older API.
		if err := driver.Except(snapshots(c).Delete(ctx, snapshot), resource.CodeDependency); err != nil {
			return err
		}
	}
	return nil
}

// copies are the snapshots that were made for an image, and whether these are all that it
// consists of.
func (c customImages) copies(ctx context.Context, image types.Image) (copies []string, all bool, err error) {
	token, _, _ := readTags(image.Tags)
	var named []string
	for _, m := range image.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != nil {
			named = append(named, *m.Ebs.SnapshotId)
		}
	}
	if token == "" || len(named) == 0 {
		return nil, false, nil
	}
	for o, err := range snapshots(c).describe(ctx, &ec2.DescribeSnapshotsInput{Filters: []types.Filter{filter("snapshot-id", named...)}}) {
		if err != nil {
			return nil, false, err
		}
		if slices.Contains(named, o.ID) && driver.WhoseIs(o.Token, token, true) != driver.Stranger {
			copies = append(copies, o.ID)
		}
	}
	return copies, len(copies) == len(named), nil
}

func (c customImages) describe(ctx context.Context, in *ec2.DescribeImagesInput) iter.Seq2[customImage, error] {
	return describeImages(ctx, c.session, in, c.object)
}

func (customImages) object(x types.Image) customImage {
	o := object[resource.CustomImageSpec, resource.CustomImageStatus](x.ImageId, x.Tags, x)
	if o.Name == "" {
		o.Name = aws.ToString(x.Name)
	}
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
	if x.StateReason != nil {
		o.Reason = aws.ToString(x.StateReason.Message)
	}
	if created, err := time.Parse(time.RFC3339, aws.ToString(x.CreationDate)); err == nil {
		o.CreatedAt = &created
	}
	o.Spec = resource.CustomImageSpec{VM: aws.ToString(x.SourceInstanceId), Description: aws.ToString(x.Description)}
	o.Status.Architecture = string(x.Architecture)
	if root := rootDisk(x); root != nil {
		o.Status.DiskSizeGiB = int(aws.ToInt32(root.VolumeSize))
	}
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
