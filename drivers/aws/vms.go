package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"sync"
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
		driver.Power
	}
	vm          = driver.Object[resource.VMSpec, resource.VMStatus]
	vmAbilities interface {
		driver.FullVM
		driver.Batcher
		driver.ManyGetter[resource.VMSpec, resource.VMStatus]
	}
)

// mostInstances is how many instances are changed by one call. AWS takes more, but counts
// them against a bucket of 1,000 for each account and region. One instance that is not as it
// should be fails the whole call, and nothing is done.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
const mostInstances = 100

// openVMs makes the collection of the VMs of the region. AWS shows terminated instances for
// about an hour, unless it is told the states; how a launch has just failed is seen by id.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
func openVMs(s *session) vmAbilities {
	v := vms{objectsOf(s, "instance", "instance-id", s.instancesWithUsers, s.vm), driver.Power{
		Most: mostInstances,
		Starts: func(ctx context.Context, ids ...string) error {
			return do(ctx, s.ec2.StartInstances, &ec2.StartInstancesInput{InstanceIds: ids})
		},
		Stops: func(ctx context.Context, ids ...string) error {
			return do(ctx, s.ec2.StopInstances, &ec2.StopInstancesInput{InstanceIds: ids})
		},
		Reboots: func(ctx context.Context, ids ...string) error {
			return do(ctx, s.ec2.RebootInstances, &ec2.RebootInstancesInput{InstanceIds: ids})
		},
		Deletes: func(ctx context.Context, ids ...string) error {
			return do(ctx, s.ec2.TerminateInstances, &ec2.TerminateInstancesInput{InstanceIds: ids})
		},
	}}
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

// instancesWithUsers are instances whose users are known when a page of them is there.
func (s *session) instancesWithUsers(ctx context.Context, w wanted) iter.Seq2[types.Instance, error] {
	return driver.Items(func(yield func([]types.Instance, error) bool) {
		for page, err := range pages(ctx, s.instancePages(w), instancesOf) {
			if err == nil {
				err = s.learnUsers(ctx, page)
			}
			if !yield(page, err) {
				return
			}
		}
	}, same)
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
		KeyName:           driver.Optional(r.Spec.KeyPair),
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
	launched, err := driver.Single("AWS RunInstances", out.Instances)
	if err != nil {
		return vm{}, err
	}
	made := v.Show(launched)
	made.Spec.RootDiskType, made.Spec.RootDiskSizeGiB = r.Spec.RootDiskType, r.Spec.RootDiskSizeGiB // asked of the disk, not shown here
	return made, nil
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
	size := cmp.Or(spec.RootDiskSizeGiB, int(aws.ToInt32(rootDisk(found).VolumeSize)))
	disk.VolumeSize, disk.Iops = number(size), leastIOPS(disk.VolumeType, size)
	return []types.BlockDeviceMapping{{DeviceName: found.RootDeviceName, Ebs: disk}}, nil
}

func (s *session) vm(x types.Instance) vm {
	o := object[resource.VMSpec, resource.VMStatus](x.InstanceId, x.Tags, x)
	o.State, o.CloudState = driver.StateOf(driver.Value(x.State).Name, map[types.InstanceStateName]resource.State{
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
	o.Status.Zone = aws.ToString(driver.Value(x.Placement).AvailabilityZone)
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
	return cmp.Or(driver.Value(firstInterface(x).Attachment).AttachTime, x.LaunchTime)
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

// sshUsers are what images tell of who logs in to VMs made from them, by their ids. AWS shows
// with an instance only what is paid for its system, so that the names of images are looked
// up: once for each in a session, because they never change.
type sshUsers struct{ sync.Map }

// origin is what an image tells.
type origin struct {
	user   string // who logs in, or "" if its name does not tell
	source string // id of the image that it was made from, or ""
}

// generations is how far back the images are followed that others were made from.
const generations = 4

// of answers who logs in to an instance, or "" where nobody knows.
func (u *sshUsers) of(x types.Instance) string {
	if os := paidSystem(x); os != "" {
		return sshUser(os, "")
	}
	id := aws.ToString(x.ImageId)
	for range generations {
		known, _ := u.Load(id)
		found, _ := known.(origin)
		if found.user != "" {
			return found.user
		}
		id = found.source
	}
	return ""
}

// learnUsers looks up the images of instances that are not known yet, and those that they
// were made from.
func (s *session) learnUsers(ctx context.Context, instances []types.Instance) error {
	var ids []string
	for _, x := range instances {
		if paidSystem(x) == "" {
			ids = append(ids, aws.ToString(x.ImageId))
		}
	}
	for range generations {
		ids = slices.DeleteFunc(ids, func(id string) bool { _, known := s.users.Load(id); return known || id == "" })
		slices.Sort(ids)
		ids = slices.Compact(ids)
		found, err := s.lookUp(ctx, ids)
		if err != nil {
			return err
		}
		ids = nil
		for id, image := range found {
			s.users.Store(id, image)
			if image.user == "" {
				ids = append(ids, image.source)
			}
		}
	}
	return nil
}

// lookUp asks what images tell. Those that are gone, or may not be shown, tell nothing.
func (s *session) lookUp(ctx context.Context, ids []string) (map[string]origin, error) {
	found := map[string]origin{}
	for _, id := range ids {
		found[id] = origin{}
	}
	tell := newDistributions()
	for chunk := range slices.Chunk(ids, filterValues) {
		in := &ec2.DescribeImagesInput{Filters: []types.Filter{filter("image-id", chunk...)}, IncludeDeprecated: aws.Bool(true), IncludeDisabled: aws.Bool(true)}
		for x, err := range s.images(ctx, in) {
			if resource.CodeOf(err) == resource.CodeDenied {
				break
			}
			if err != nil {
				return nil, err
			}
			shown := image(x, tell)
			found[shown.ID] = origin{sshUser(shown.OS, shown.OSVersion), aws.ToString(x.SourceImageId)}
		}
	}
	return found, nil
}

// filterValues is how many values one filter takes.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
const filterValues = 200

// paidSystem is the system of an instance that is paid for, or "".
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
func paidSystem(x types.Instance) string {
	details := aws.ToString(x.PlatformDetails)
	for _, paid := range []struct{ begins, os string }{
		{"Windows", "windows"}, {"Red Hat", "rhel"}, {"SUSE", "sles"}, {"Ubuntu", "ubuntu"},
	} {
		if strings.HasPrefix(details, paid.begins) {
			return paid.os
		}
	}
	if x.Platform == types.PlatformValuesWindows {
		return "windows"
	}
	return ""
}

// sshUser is the user that images of a distribution come with.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/managing-users.html#ami-default-user-names
func sshUser(os, version string) string {
	if os == "centos" && version != "7" && version != "8" { // from Stream 9 on: https://www.centos.org/download/aws-images/
		return "ec2-user"
	}
	return map[string]string{
		"amzn": "ec2-user", "rhel": "ec2-user", "sles": "ec2-user", "ol": "ec2-user", "freebsd": "ec2-user",
		"almalinux": "ec2-user", "rocky": "rocky", "ubuntu": "ubuntu", "debian": "admin", "centos": "centos", "fedora": "fedora",
		"windows": "Administrator",
	}[os]
}
