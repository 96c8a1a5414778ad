package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	vms struct{ *session }
	vm  = driver.Object[resource.VMSpec, resource.VMStatus]
)

// List answers all VMs of the region. AWS shows terminated instances for about an
// hour; they are gone, unless that is how their launch has just failed.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
func (v vms) List(ctx context.Context, f driver.Filter) iter.Seq2[vm, error] {
	in := &ec2.DescribeInstancesInput{MaxResults: aws.Int32(pageSize), Filters: narrowed(f, "instance-id")}
	if len(f.IDs) == 0 {
		in.Filters = append(in.Filters, filter("instance-state-name", "pending", "running", "stopping", "stopped", "shutting-down"))
	}
	return func(yield func(vm, error) bool) {
		for o, err := range v.describe(ctx, in) {
			if (err != nil || o.State != resource.StateDeleted) && !yield(o, err) {
				return
			}
		}
	}
}

// Get answers one VM.
func (v vms) Get(ctx context.Context, id string) (vm, error) {
	found, err := driver.One(v.describe(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}}), "instance", id)
	if err == nil && found.State == resource.StateDeleted {
		return vm{}, resource.Errorf(resource.CodeNotFound, "the instance %s is terminated", id)
	}
	return found, err
}

// Make launches a VM. The token makes AWS itself answer the same instance again.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (v vms) Make(ctx context.Context, r driver.Request[resource.VMSpec]) (vm, error) {
	if r.Spec.AdminPassword != "" {
		return vm{}, resource.Invalid(resource.Problem{Field: "spec.adminPassword", Message: "AWS makes the first password itself, for VMs with Windows, and the view password shows it; leave it out"})
	}
	tags, err := writeTags(r.Token, r.Name, r.Labels, types.ResourceTypeInstance, types.ResourceTypeVolume)
	if err != nil {
		return vm{}, err
	}
	if r.Spec.CustomImage != "" {
		tags[0].Tags = append(tags[0].Tags, types.Tag{Key: aws.String(customImageTag), Value: aws.String(r.Spec.CustomImage)})
	}
	in := &ec2.RunInstancesInput{
		ClientToken:       aws.String(r.Token),
		MinCount:          aws.Int32(1),
		MaxCount:          aws.Int32(1),
		ImageId:           aws.String(cmp.Or(r.Spec.CustomImage, r.Spec.Image)),
		InstanceType:      types.InstanceType(r.Spec.Spec),
		SubnetId:          aws.String(r.Spec.Subnet),
		SecurityGroupIds:  r.Spec.SecurityGroups,
		KeyName:           optional(r.Spec.KeyPair),
		TagSpecifications: tags,
	}
	if r.Spec.UserData != "" {
		in.UserData = aws.String(base64.StdEncoding.EncodeToString([]byte(r.Spec.UserData)))
	}
	if r.Spec.RootDiskType != "" || r.Spec.RootDiskSizeGiB > 0 {
		if in.BlockDeviceMappings, err = v.rootDisk(ctx, aws.ToString(in.ImageId), r.Spec); err != nil {
			return vm{}, err
		}
	}
	out, err := call(ctx, v.ec2.RunInstances, in)
	if err != nil {
		return vm{}, err
	}
	if len(out.Instances) != 1 {
		return vm{}, resource.Errorf(resource.CodeInternal, "AWS RunInstances answered %d instances instead of one", len(out.Instances))
	}
	made := v.object(out.Instances[0])
	made.Spec.RootDiskType, made.Spec.RootDiskSizeGiB = r.Spec.RootDiskType, r.Spec.RootDiskSizeGiB // asked of the disk, not shown here
	return made, nil
}

// Delete terminates a VM.
func (v vms) Delete(ctx context.Context, id string) error {
	return driver.Except(v.terminate(ctx, id), resource.CodeNotFound)
}

// Start powers a VM on.
func (v vms) Start(ctx context.Context, id string) error { return v.start(ctx, id) }

// Stop shuts a VM down.
func (v vms) Stop(ctx context.Context, id string) error { return v.stop(ctx, id) }

// Reboot restarts a VM.
func (v vms) Reboot(ctx context.Context, id string) error { return v.reboot(ctx, id) }

// mostInstances is how many instances are changed by one call. AWS takes more, but counts
// them against a bucket of 1,000 for each account and region.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
const mostInstances = 100

// Batches implements driver.Batcher. One instance that is not as it should be fails the
// whole call, and nothing is done.
func (v vms) Batches() map[string]driver.Batch {
	return map[string]driver.Batch{
		driver.VerbGet: {Most: driver.MostMembers}, driver.VerbDelete: driver.Together(mostInstances, v.terminate),
		"start": driver.Together(mostInstances, v.start), "stop": driver.Together(mostInstances, v.stop), "reboot": driver.Together(mostInstances, v.reboot),
	}
}

// GetMany implements driver.ManyGetter. Of the instances that a filter names AWS leaves out
// those that there are not, where a request for them by id would fail.
func (v vms) GetMany(ctx context.Context, ids []string) iter.Seq2[vm, error] {
	return v.List(ctx, driver.Filter{IDs: ids})
}

// Resize changes the instance type of a stopped VM.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/change-instance-type-of-ebs-backed-instance.html
func (v vms) Resize(ctx context.Context, id string, to resource.VMSize) error {
	_, err := call(ctx, v.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{
		InstanceId: aws.String(id), InstanceType: &types.AttributeValue{Value: aws.String(to.Spec)},
	})
	return err
}

// Password answers the first password of the administrator. Windows makes it while it
// starts for the first time.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetPasswordData.html
func (v vms) Password(ctx context.Context, id string) (resource.VMPassword, error) {
	out, err := call(ctx, v.ec2.GetPasswordData, &ec2.GetPasswordDataInput{InstanceId: aws.String(id)})
	if err != nil {
		return resource.VMPassword{}, err
	}
	sealed := strings.TrimSpace(aws.ToString(out.PasswordData))
	if sealed == "" {
		return resource.VMPassword{}, resource.Errorf(resource.CodeNotFound, "the instance %s has no password, or not yet: only Windows with a key pair makes one, within about 15 minutes of its first start", id)
	}
	return resource.VMPassword{User: "Administrator", EncryptedPassword: sealed}, nil
}

// Console answers the last 64 KiB, which is all that AWS keeps, as they were a while after the
// last start or stop.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
func (v vms) Console(ctx context.Context, id string, which resource.ConsoleLines) (resource.VMConsole, error) {
	out, err := call(ctx, v.ec2.GetConsoleOutput, &ec2.GetConsoleOutputInput{InstanceId: aws.String(id)})
	if err != nil {
		return resource.VMConsole{}, err
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.Output))
	switch {
	case err != nil:
		return resource.VMConsole{}, resource.Errorf(resource.CodeInternal, "read the console's output: %w", err)
	case len(text) == 0:
		return resource.VMConsole{}, resource.Errorf(resource.CodeNotFound, "AWS has no output of the instance %s yet; it comes some minutes after a start", id)
	}
	return resource.VMConsole{Output: which.Of(string(text)), TakenAt: out.Timestamp}, nil
}

func (v vms) terminate(ctx context.Context, ids ...string) error {
	_, err := call(ctx, v.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: ids})
	return err
}

func (v vms) start(ctx context.Context, ids ...string) error {
	_, err := call(ctx, v.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: ids})
	return err
}

func (v vms) stop(ctx context.Context, ids ...string) error {
	_, err := call(ctx, v.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: ids})
	return err
}

func (v vms) reboot(ctx context.Context, ids ...string) error {
	_, err := call(ctx, v.ec2.RebootInstances, &ec2.RebootInstancesInput{InstanceIds: ids})
	return err
}

// customImageTag is the key of the custom image that a VM was made from: AWS does not
// tell it from other images.
const customImageTag = "mcic-customimage"

// rootDisk asks for a type or size of the root disk, which has another name on each
// image.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
func (v vms) rootDisk(ctx context.Context, image string, spec resource.VMSpec) ([]types.BlockDeviceMapping, error) {
	found, err := driver.One(describeImages(ctx, v.session, &ec2.DescribeImagesInput{ImageIds: []string{image}}, same), "image", image)
	if err != nil {
		return nil, err
	}
	disk := &types.EbsBlockDevice{VolumeType: types.VolumeType(spec.RootDiskType), DeleteOnTermination: aws.Bool(true)}
	size := spec.RootDiskSizeGiB
	if shown := rootDisk(found); shown != nil && size == 0 {
		size = int(aws.ToInt32(shown.VolumeSize))
	}
	if size > 0 {
		disk.VolumeSize = aws.Int32(int32(size)) //nolint:gosec // at most 65536
	}
	disk.Iops = leastIOPS(disk.VolumeType, size)
	return []types.BlockDeviceMapping{{DeviceName: found.RootDeviceName, Ebs: disk}}, nil
}

// instance answers one VM as AWS shows it.
func (v vms) instance(ctx context.Context, id string) (types.Instance, error) {
	return driver.One(paged(ctx, ec2.NewDescribeInstancesPaginator(v.ec2, &ec2.DescribeInstancesInput{InstanceIds: []string{id}}), instancesOf, same), "instance", id)
}

func (v vms) describe(ctx context.Context, in *ec2.DescribeInstancesInput) iter.Seq2[vm, error] {
	return paged(ctx, withUsers{ec2.NewDescribeInstancesPaginator(v.ec2, in), v.session}, instancesOf, v.object)
}

func instancesOf(page *ec2.DescribeInstancesOutput) []types.Instance {
	var all []types.Instance
	for _, reservation := range page.Reservations {
		all = append(all, reservation.Instances...)
	}
	return all
}

func (v vms) object(x types.Instance) vm {
	o := object[resource.VMSpec, resource.VMStatus](x.InstanceId, x.Tags, x)
	if x.State == nil {
		x.State = &types.InstanceState{}
	}
	o.State, o.CloudState = driver.StateOf(x.State.Name, map[types.InstanceStateName]resource.State{
		types.InstanceStateNamePending:      resource.StateCreating,
		types.InstanceStateNameRunning:      resource.StateRunning,
		types.InstanceStateNameStopping:     resource.StateStopping,
		types.InstanceStateNameStopped:      resource.StateStopped,
		types.InstanceStateNameShuttingDown: resource.StateDeleting,
		types.InstanceStateNameTerminated:   resource.StateDeleted,
	})
	if reason := x.StateReason; o.State == resource.StateDeleted && failedAtLaunch(x) {
		o.State, o.Reason = resource.StateFailed, aws.ToString(reason.Message)
		_, code, _ := strings.Cut(aws.ToString(reason.Code), ".")
		o.Code = codeOfPart(code, o.Reason)
	}
	created := createdAt(x)
	if o.State == resource.StateCreating && created != nil && aws.ToTime(x.LaunchTime).Sub(*created) > time.Minute {
		o.State = resource.StateStarting // AWS says pending for both
	}
	o.CreatedAt = created
	o.Spec = resource.VMSpec{Image: aws.ToString(x.ImageId), Spec: string(x.InstanceType), Subnet: aws.ToString(x.SubnetId), KeyPair: aws.ToString(x.KeyName)}
	if custom := tagIn(x.Tags, customImageTag); custom != "" {
		o.Spec.Image, o.Spec.CustomImage = "", custom
	}
	for _, group := range x.SecurityGroups {
		o.Spec.SecurityGroups = append(o.Spec.SecurityGroups, aws.ToString(group.GroupId))
	}
	o.Status.PrivateAddress = aws.ToString(x.PrivateIpAddress)
	for _, a := range firstInterface(x).Ipv6Addresses {
		o.Status.IPv6Addresses = append(o.Status.IPv6Addresses, aws.ToString(a.Ipv6Address))
	}
	o.Status.PublicAddress = aws.ToString(x.PublicIpAddress)
	o.Status.SSHUser = v.users.of(x)
	if x.Placement != nil {
		o.Status.Zone = aws.ToString(x.Placement.AvailabilityZone)
	}
	return o
}

// failedAtLaunch reports whether an instance is terminated because it could not be launched,
// a moment ago: whoever waits for it is told why, and then it is gone like others.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
func failedAtLaunch(x types.Instance) bool {
	const told = 5 * time.Minute
	return x.StateReason != nil && time.Since(aws.ToTime(x.LaunchTime)) < told && slices.Contains([]string{
		"Server.InsufficientInstanceCapacity", "Server.InternalError", "Client.InternalError", "Client.InvalidSnapshot.NotFound", "Client.VolumeLimitExceeded",
	}, aws.ToString(x.StateReason.Code))
}

// createdAt is when the first interface was attached: AWS sets the launch time anew
// at every start.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
func createdAt(x types.Instance) *time.Time {
	if a := firstInterface(x).Attachment; a != nil && a.AttachTime != nil {
		return a.AttachTime
	}
	return x.LaunchTime
}

// firstInterface is the one that an instance was made with.
func firstInterface(x types.Instance) types.InstanceNetworkInterface {
	for _, nic := range x.NetworkInterfaces {
		if a := nic.Attachment; a != nil && aws.ToInt32(a.DeviceIndex) == 0 {
			return nic
		}
	}
	return types.InstanceNetworkInterface{}
}
