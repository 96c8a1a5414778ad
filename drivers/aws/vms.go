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
	vms struct {
		objects[types.Instance, resource.VMSpec, resource.VMStatus]
	}
	vm          = driver.Object[resource.VMSpec, resource.VMStatus]
	vmAbilities interface {
		driver.FullVM
		driver.Batcher
		driver.ManyGetter[resource.VMSpec, resource.VMStatus]
	}
)

// openVMs makes the collection of the VMs of the region. AWS shows terminated instances for
// about an hour, unless it is told the states; how a launch has just failed is seen by id.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
func openVMs(s *session) vmAbilities {
	v := vms{objectsOf(s, "instance", "instance-id", s.instancesWithUsers, s.vm)}
	v.Find = func(ctx context.Context, f driver.Filter) iter.Seq2[types.Instance, error] {
		w := narrowed(f, "instance-id")
		if len(f.IDs) == 0 {
			w.filters = append(w.filters, filter("instance-state-name", "pending", "running", "stopping", "stopped", "shutting-down"))
		}
		return s.instancesWithUsers(ctx, w)
	}
	return v
}

func (s *session) instances(ctx context.Context, w wanted) iter.Seq2[types.Instance, error] {
	return paged(ctx, s.instancePages(w), instancesOf)
}

func (s *session) instancesWithUsers(ctx context.Context, w wanted) iter.Seq2[types.Instance, error] {
	return paged(ctx, withUsers{s.instancePages(w), s}, instancesOf)
}

func (s *session) instancePages(w wanted) *ec2.DescribeInstancesPaginator {
	return ec2.NewDescribeInstancesPaginator(s.ec2, &ec2.DescribeInstancesInput{InstanceIds: w.ids, Filters: w.filters, MaxResults: w.most()})
}

func instancesOf(page *ec2.DescribeInstancesOutput) []types.Instance {
	return slices.Concat(driver.Convert(page.Reservations, func(r types.Reservation) []types.Instance { return r.Instances })...)
}

// instance answers one VM as AWS shows it.
func (s *session) instance(ctx context.Context, id string) (types.Instance, error) {
	return driver.One(s.instances(ctx, one(id)), "instance", id)
}

// Make launches a VM. The token makes AWS itself answer the same instance again.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (v vms) Make(ctx context.Context, r driver.Request[resource.VMSpec]) (vm, error) {
	if r.Spec.AdminPassword != "" {
		return vm{}, resource.Invalid(resource.Problem{Field: "spec.adminPassword", Message: "AWS makes the first password itself, for VMs with Windows, and the view password shows it; leave it out"})
	}
	tags := tagged(r, types.ResourceTypeInstance, types.ResourceTypeVolume)
	if r.Spec.CustomImage != "" {
		tags[0].Tags = append(tags[0].Tags, tagsOf(driver.Tag{Key: customImageTag, Value: r.Spec.CustomImage})...)
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
		var err error
		if in.BlockDeviceMappings, err = v.rootDisk(ctx, aws.ToString(in.ImageId), r.Spec); err != nil {
			return vm{}, err
		}
	}
	out, err := call(ctx, v.ec2.RunInstances, in)
	if err != nil {
		return vm{}, err
	}
	launched, err := only("RunInstances", out.Instances)
	if err != nil {
		return vm{}, err
	}
	made := v.Show(launched)
	made.Spec.RootDiskType, made.Spec.RootDiskSizeGiB = r.Spec.RootDiskType, r.Spec.RootDiskSizeGiB // asked of the disk, not shown here
	return made, nil
}

// Delete terminates a VM.
func (v vms) Delete(ctx context.Context, id string) error {
	return v.terminate(ctx, id)
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
	return do(ctx, v.ec2.ModifyInstanceAttribute, &ec2.ModifyInstanceAttributeInput{
		InstanceId: aws.String(id), InstanceType: &types.AttributeValue{Value: aws.String(to.Spec)},
	})
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
	return do(ctx, v.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: ids})
}

func (v vms) start(ctx context.Context, ids ...string) error {
	return do(ctx, v.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: ids})
}

func (v vms) stop(ctx context.Context, ids ...string) error {
	return do(ctx, v.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: ids})
}

func (v vms) reboot(ctx context.Context, ids ...string) error {
	return do(ctx, v.ec2.RebootInstances, &ec2.RebootInstancesInput{InstanceIds: ids})
}

// customImageTag is the key of the custom image that a VM was made from: AWS does not
// tell it from other images.
const customImageTag = "mcic-customimage"

// rootDisk asks for a type or size of the root disk, which has another name on each
// image.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
func (v vms) rootDisk(ctx context.Context, image string, spec resource.VMSpec) ([]types.BlockDeviceMapping, error) {
	found, err := driver.One(v.ownImages(ctx, one(image)), "image", image)
	if err != nil {
		return nil, err
	}
	disk := &types.EbsBlockDevice{VolumeType: types.VolumeType(spec.RootDiskType), DeleteOnTermination: aws.Bool(true)}
	size := spec.RootDiskSizeGiB
	if shown := rootDisk(found); shown != nil && size == 0 {
		size = int(aws.ToInt32(shown.VolumeSize))
	}
	disk.VolumeSize, disk.Iops = number(size), leastIOPS(disk.VolumeType, size)
	return []types.BlockDeviceMapping{{DeviceName: found.RootDeviceName, Ebs: disk}}, nil
}

func (s *session) vm(x types.Instance) vm {
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
	if custom := tagsIn(x.Tags)[customImageTag]; custom != "" {
		o.Spec.Image, o.Spec.CustomImage = "", custom
	}
	o.Spec.SecurityGroups = driver.Convert(x.SecurityGroups, groupID)
	o.Status.PrivateAddress = aws.ToString(x.PrivateIpAddress)
	o.Status.IPv6Addresses = driver.Convert(firstInterface(x).Ipv6Addresses, func(a types.InstanceIpv6Address) string { return aws.ToString(a.Ipv6Address) })
	o.Status.PublicAddress = aws.ToString(x.PublicIpAddress)
	o.Status.SSHUser = s.users.of(x)
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
