package aws

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestTagsThereAndBack(t *testing.T) {
	labels := map[string]string{"team": "infra", "stage": "test"}
	written := tagged(driver.Request[resource.VMSpec]{Token: "token-1", Name: "web", Labels: labels}, types.ResourceTypeInstance, types.ResourceTypeVolume)
	require.Len(t, written, 2)
	assert.Equal(t, written[0].Tags, written[1].Tags)

	shown := object[resource.VMSpec, resource.VMStatus](nil, written[0].Tags, nil)
	assert.Equal(t, "token-1", shown.Token)
	assert.Equal(t, "web", shown.Name)
	assert.Equal(t, labels, shown.Labels)

	shown = object[resource.VMSpec, resource.VMStatus](nil, nil, nil)
	assert.Empty(t, shown.Token+shown.Name)
	assert.Nil(t, shown.Labels)
}

func TestRulesThereAndBack(t *testing.T) {
	for _, rule := range []resource.Rule{
		{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"},
		{Direction: "out", Protocol: "udp", FromPort: 8000, ToPort: 8999, CIDR: "10.0.0.0/8"},
		{Direction: "in", Protocol: "tcp", FromPort: 1, ToPort: 65535, CIDR: "10.0.0.0/8"},
		{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"},
		{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"},
	} {
		assert.Equal(t, []resource.Rule{rule}, shownRules(rule.Direction, permission(rule)), rule.String())
	}
}

func TestShownRules(t *testing.T) {
	ranges := []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}, {CidrIp: aws.String("192.168.0.0/16")}}
	for name, test := range map[string]struct {
		permission types.IpPermission
		want       []resource.Rule
	}{
		"ranges are joined by AWS": {
			types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: ranges},
			[]resource.Rule{
				{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "10.0.0.0/8"},
				{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "192.168.0.0/16"},
			},
		},
		"All TCP of the console": {
			types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(0), ToPort: aws.Int32(65535), IpRanges: ranges[:1]},
			[]resource.Rule{{Direction: "in", Protocol: "tcp", FromPort: 1, ToPort: 65535, CIDR: "10.0.0.0/8"}},
		},
		"TCP by its number": {
			types.IpPermission{IpProtocol: aws.String("6"), FromPort: aws.Int32(22), ToPort: aws.Int32(22), IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.7/8")}}},
			[]resource.Rule{{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "10.0.0.0/8"}},
		},
		"type and code 0 of ICMP": {types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: aws.Int32(0), ToPort: aws.Int32(0), IpRanges: ranges}, nil},
		"only IPv6":               {types.IpPermission{IpProtocol: aws.String("-1"), Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}}, nil},
		"one type of ICMP":        {types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: aws.Int32(8), ToPort: aws.Int32(-1), IpRanges: ranges}, nil},
		"a protocol by number":    {types.IpPermission{IpProtocol: aws.String("47"), IpRanges: ranges}, nil},
	} {
		assert.Equal(t, test.want, shownRules("in", test.permission), name)
	}
}

func TestOtherRules(t *testing.T) {
	permission := types.IpPermission{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(23), IpRanges: []types.IpRange{{CidrIp: aws.String("10.0.0.0/8")}},
		Ipv6Ranges:    []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}},
		PrefixListIds: []types.PrefixListId{{PrefixListId: aws.String("pl-1")}}, UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-1")}},
	}
	assert.Equal(t, []string{"out: tcp 22-23 to ::/0", "out: tcp 22-23 to the prefix list pl-1", "out: tcp 22-23 to the security group sg-1"}, described(otherRules("out", permission)))
	for says, permission := range map[string]types.IpPermission{
		"in: icmp type 0 code 0 from 10.0.0.0/8": {IpProtocol: aws.String("icmp"), FromPort: aws.Int32(0), ToPort: aws.Int32(0), IpRanges: permission.IpRanges},
		"in: icmp type 8 from 10.0.0.0/8":        {IpProtocol: aws.String("icmp"), FromPort: aws.Int32(8), ToPort: aws.Int32(-1), IpRanges: permission.IpRanges},
		"in: icmpv6 type 128 from ::/0":          {IpProtocol: aws.String("icmpv6"), FromPort: aws.Int32(128), ToPort: aws.Int32(-1), Ipv6Ranges: permission.Ipv6Ranges},
		"in: 47 from 10.0.0.0/8":                 {IpProtocol: aws.String("47"), IpRanges: permission.IpRanges},
		"in: all from ::/0":                      {IpProtocol: aws.String("-1"), Ipv6Ranges: permission.Ipv6Ranges},
	} {
		assert.Equal(t, []string{says}, described(otherRules("in", permission)))
	}
	assert.Empty(t, otherRules("in", types.IpPermission{IpProtocol: aws.String("-1"), IpRanges: permission.IpRanges}))
}

func described(rules []resource.OtherRule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Description)
	}
	return all
}

func TestGroupNamesAndDescriptionsThatAWSTakes(t *testing.T) {
	assert.Equal(t, "mcic-sg-01", groupName("sg-01"))
	assert.Equal(t, "mcic-SG-01", groupName("SG-01"))
	assert.Equal(t, "web", groupName("web"))
	assert.Equal(t, "Web _ for 80/443", groupDescription("Web é for 80/443"))
	assert.NotEmpty(t, groupDescription(""))
}

func TestDistributionOfAnImage(t *testing.T) {
	tell := newDistributions()
	for name, want := range map[string][2]string{
		"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101":          {"ubuntu", "24.04"},
		"ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-20260101":              {"ubuntu", "22.04"},
		"ubuntu-minimal/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-minimal-20260101": {"ubuntu", "24.04"},
		"ubuntu-eks/k8s_1.30/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260101": {"ubuntu", "22.04"},
		"Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260101":        {"ubuntu", "22.04"},
		"debian-12-amd64-20260101-1612":                                               {"debian", "12"},
		"Rocky-9-EC2-Base-9.4-20240509.0.x86_64":                                      {"rocky", "9.4"},
		"RHEL-9.4.0_HVM-20260101-x86_64-0-Hourly2-GP3":                                {"rhel", "9.4"},
		"RHEL_HA-8.6.0_HVM-20260101-x86_64-0-Hourly2-GP2":                             {"rhel", "8.6"},
		"suse-sles-15-sp6-v20260101-hvm-ssd-x86_64":                                   {"sles", "15.6"},
		"suse-sles-12-v20160101-hvm-ssd-x86_64":                                       {"sles", "12"},
		"al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64":                              {"amzn", "2023"},
		"amzn2-ami-hvm-2.0.20260101.0-x86_64-gp2":                                     {"amzn", "2"},
		"amzn-ami-hvm-2018.03.0.20181129-x86_64-gp2":                                  {"amzn", "2018.03"},
		"Windows_Server-2022-English-Full-Base-2026.01.01":                            {"windows", "2022"},
		"CentOS Stream 9 x86_64 20260101":                                             {"centos", "9"},
		"AlmaLinux OS 9.4.20240507 x86_64":                                            {"almalinux", "9.4"},
		"Fedora-Cloud-Base-AmazonEC2.x86_64-41-1.4":                                   {"fedora", "41"},
		"OL9.4-x86_64-HVM-2024-05-01":                                                 {"ol", "9.4"},
		"my-golden-image":                                                             {"", ""},
	} {
		os, version := tell.of(name, "")
		assert.Equal(t, want, [2]string{os, version}, name)
	}
	os, version := tell.of("amazon-eks-node-al2023-x86_64-standard-1.30", "EKS-optimized Kubernetes node based on Amazon Linux 2023")
	assert.Equal(t, [2]string{"amzn", "2023"}, [2]string{os, version})
	assert.Equal(t, "windows", image(types.Image{Platform: types.PlatformValuesWindows}, tell).OS)
}

func TestUserOfAVM(t *testing.T) {
	tell := newDistributions()
	for name, want := range map[string]string{
		"al2023-ami-2023.6.20260101.0-kernel-6.1-x86_64":                     "ec2-user",
		"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260101": "ubuntu",
		"debian-12-amd64-20260101-1612":                                      "admin",
		"RHEL-9.4.0_HVM-20260101-x86_64-0-Hourly2-GP3":                       "ec2-user",
		"suse-sles-15-sp6-v20260101-hvm-ssd-x86_64":                          "ec2-user",
		"Rocky-9-EC2-Base-9.4-20240509.0.x86_64":                             "rocky",
		"CentOS Linux 7 x86_64 - 2211":                                       "centos",
		"CentOS Stream 8 x86_64 20240101":                                    "centos",
		"CentOS Stream 9 x86_64 20260101":                                    "ec2-user",
		"CentOS Stream 10 x86_64 20260101":                                   "ec2-user",
		"Fedora-Cloud-Base-AmazonEC2.x86_64-41-1.4":                          "fedora",
		"Windows_Server-2022-English-Full-Base-2026.01.01":                   "Administrator",
		"bottlerocket-aws-k8s-1.30-x86_64-v1.20.0-abcdef":                    "",
		"my-golden-image":                                                    "",
	} {
		assert.Equal(t, want, sshUser(tell.of(name)), name)
	}
	for details, want := range map[string]string{
		"Red Hat Enterprise Linux": "ec2-user", "SUSE Linux": "ec2-user", "Ubuntu Pro": "ubuntu", "Windows BYOL": "Administrator", "Linux/UNIX": "", "": "",
	} {
		assert.Equal(t, want, (&sshUsers{}).of(types.Instance{PlatformDetails: aws.String(details)}), details)
	}
}

func TestWeightOfInstancesAndDisks(t *testing.T) {
	for name, want := range map[string]string{
		"t3.micro": "L-1216C47A", "m7i-flex.large": "L-1216C47A", "im4gn.large": "L-1216C47A", "z1d.large": "L-1216C47A",
		"g5.xlarge": "L-DB2E81BA", "vt1.3xlarge": "L-DB2E81BA", "p5.48xlarge": "L-417A185B", "u-6tb1.112xlarge": "L-43DA4232", "u7i-12tb.224xlarge": "L-43DA4232",
		"inf2.xlarge": "L-1945791B", "hpc7g.4xlarge": "L-F7808C92", "mac2.metal": "", "": "",
	} {
		code, amount := vCPUs(types.Instance{InstanceType: types.InstanceType(name), CpuOptions: &types.CpuOptions{CoreCount: aws.Int32(2), ThreadsPerCore: aws.Int32(2)}})
		assert.Equal(t, want, code, name)
		assert.InDelta(t, 4, amount, 0)
	}
	code, _ := vCPUs(types.Instance{InstanceType: "t3.micro", InstanceLifecycle: types.InstanceLifecycleTypeSpot})
	assert.Empty(t, code)
	_, amount := vCPUs(types.Instance{InstanceType: "t3.micro"})
	assert.True(t, math.IsNaN(amount), "unknown")
	code, amount = tebibytes(types.Volume{VolumeType: types.VolumeTypeGp3, Size: aws.Int32(512)})
	assert.Equal(t, "L-7A658B76", code)
	assert.InDelta(t, 0.5, amount, 0)
}

func TestSpecWithAccelerators(t *testing.T) {
	got := spec(types.InstanceTypeInfo{
		InstanceType:        "g5.12xlarge",
		VCpuInfo:            &types.VCpuInfo{DefaultVCpus: aws.Int32(48)},
		MemoryInfo:          &types.MemoryInfo{SizeInMiB: aws.Int64(196608)},
		ProcessorInfo:       &types.ProcessorInfo{SupportedArchitectures: []types.ArchitectureType{"i386", "x86_64"}, SustainedClockSpeedInGhz: aws.Float64(3.3)},
		InstanceStorageInfo: &types.InstanceStorageInfo{TotalSizeInGB: aws.Int64(3800)},
		GpuInfo: &types.GpuInfo{TotalGpuMemoryInMiB: aws.Int32(91553), Gpus: []types.GpuDeviceInfo{
			{Count: aws.Int32(4), Manufacturer: aws.String("NVIDIA"), Name: aws.String("A10G")},
		}},
	})
	assert.Equal(t, resource.Spec{
		Name: "g5.12xlarge", VCPUs: 48, MemoryMiB: 196608, ClockGHz: 3.3, Architectures: []string{"x86_64"},
		GPUs: 4, GPUModel: "NVIDIA A10G", GPUMemoryMiB: 91553, DiskSizeGiB: 3539,
	}, got)
}

func TestPendingAgainIsStarting(t *testing.T) {
	launched := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	instance := func(attached time.Time) types.Instance {
		return types.Instance{
			InstanceId: aws.String("i-1"), LaunchTime: &launched,
			State:             &types.InstanceState{Name: types.InstanceStateNamePending},
			NetworkInterfaces: []types.InstanceNetworkInterface{{Attachment: &types.InstanceNetworkInterfaceAttachment{DeviceIndex: aws.Int32(0), AttachTime: &attached}}},
		}
	}
	shown := &session{}
	assert.Equal(t, resource.StateCreating, shown.vm(instance(launched)).State)
	again := shown.vm(instance(launched.Add(-time.Hour)))
	assert.Equal(t, resource.StateStarting, again.State)
	assert.Equal(t, launched.Add(-time.Hour), *again.CreatedAt)
}

func TestNativeHasAWSNamesAndNoEmptyFields(t *testing.T) {
	raw, err := json.Marshal(vpcOf(types.Vpc{VpcId: aws.String("vpc-1"), IsDefault: aws.Bool(false), Tags: []types.Tag{{Key: aws.String("a")}}}))
	require.NoError(t, err)
	var shown struct{ Native map[string]any }
	require.NoError(t, json.Unmarshal(raw, &shown))
	assert.Equal(t, map[string]any{"VpcId": "vpc-1", "IsDefault": false, "Tags": []any{map[string]any{"Key": "a"}}}, shown.Native)
}

// What AWS takes back because it cannot launch it has failed, for the reason that it gives,
// and is gone later.
func TestInstanceThatCouldNotBeLaunched(t *testing.T) {
	launched := time.Now().Add(-time.Minute)
	instance := func(reason string) types.Instance {
		return types.Instance{
			InstanceId: aws.String("i-1"), LaunchTime: &launched, State: &types.InstanceState{Name: types.InstanceStateNameTerminated},
			StateReason: &types.StateReason{Code: aws.String(reason), Message: aws.String(reason + ": because")},
		}
	}
	shown := &session{}
	for reason, want := range map[string]resource.Code{
		"Server.InsufficientInstanceCapacity": resource.CodeCapacity, "Client.VolumeLimitExceeded": resource.CodeQuota,
		"Server.InternalError": resource.CodeUnavailable, "Client.InvalidSnapshot.NotFound": resource.CodeDependency,
	} {
		o := shown.vm(instance(reason))
		assert.Equal(t, resource.StateFailed, o.State, reason)
		assert.Equal(t, want, o.Code, reason)
		assert.Equal(t, reason+": because", o.Reason)
	}
	assert.Equal(t, resource.StateDeleted, shown.vm(instance("Client.UserInitiatedShutdown")).State)
	launched = launched.Add(-time.Hour)
	assert.Equal(t, resource.StateDeleted, shown.vm(instance("Server.InsufficientInstanceCapacity")).State)
}
