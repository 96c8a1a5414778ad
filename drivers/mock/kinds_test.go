package mock

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestVPC(t *testing.T) {
	s := newRig(t).connect()
	vpc := create(t, s, "vpc", "net", vpcSpec())
	require.Regexp(t, `^vpc-[0-9a-f]{17}$`, vpc.ID)
	require.Equal(t, resource.StateAvailable, vpc.State)
	require.NotNil(t, vpc.CreatedAt)
	require.Equal(t, vpc.ID, vpc.Native.(nativeVPC).VPCID)
	other := request(t, "net", vpcSpec())
	other.Token = "another"
	second, err := s.Create(t.Context(), "vpc", other)
	require.NoError(t, err, "names of VPCs need not differ")
	require.NotEqual(t, vpc.ID, second.ID)
	require.Equal(t, resource.CodeInvalid, refused(t, s, "vpc", "bad", resource.VPCSpec{CIDR: "10.0.0.1/16"}).Code)
}

func TestSubnet(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	vpc := create(t, s, "vpc", "net", vpcSpec()).ID
	for _, test := range []struct {
		name, cidr, zone, code string
	}{
		{"outside", "10.1.0.0/24", "", "InvalidSubnet.Range"},
		{"larger", "10.0.0.0/8", "", "InvalidSubnet.Range"},
		{"unknown zone", "10.0.1.0/24", "mock-tokyo-a", "InvalidZone"},
		{"nonsense", "ten", "", "InvalidParameterValue"},
		{"first", "10.0.0.0/24", "", ""},
		{"overlapping", "10.0.0.128/25", "", "InvalidSubnet.Conflict"},
		{"enclosing", "10.0.0.0/16", "", "InvalidSubnet.Conflict"},
		{"second", "10.0.1.0/24", "mock-seoul-b", ""},
	} {
		spec := resource.SubnetSpec{VPC: vpc, CIDR: test.cidr, Zone: test.zone}
		if test.code != "" {
			e := refused(t, s, "subnet", test.name, spec)
			require.Equal(t, resource.CodeInvalid, e.Code, test.name)
			require.Equal(t, test.code, e.Cloud.Code, test.name)
			continue
		}
		subnet := create(t, s, "subnet", test.name, spec)
		require.Equal(t, 251, decoded[resource.SubnetStatus](t, subnet.Status).AvailableAddresses)
		if test.zone == "" {
			spec.Zone = "mock-seoul-a"
		}
		require.Equal(t, spec, decoded[resource.SubnetSpec](t, subnet.Spec))
	}
	zoned := r.connectTo(driver.Config{Region: "mock-seoul", Zone: "mock-seoul-c"})
	subnet := create(t, zoned, "subnet", "zoned", resource.SubnetSpec{VPC: vpc, CIDR: "10.0.2.0/24"})
	require.Equal(t, "mock-seoul-c", decoded[resource.SubnetSpec](t, subnet.Spec).Zone)
}

func TestSecurityGroup(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	var (
		ssh  = resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"}
		web  = resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"}
		out  = resource.Rule{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"}
		dns  = resource.Rule{Direction: "out", Protocol: "udp", FromPort: 53, ToPort: 53, CIDR: "10.0.0.0/8"}
		open = func(name string, rules ...resource.Rule) driver.Item {
			return create(t, s, "securitygroup", name, resource.SecurityGroupSpec{VPC: n.vpc, Description: "d", Rules: rules})
		}
		rules = func(id string) []resource.Rule {
			return decoded[resource.SecurityGroupSpec](t, get(t, r.reopened().connect(), "securitygroup", id).Spec).Rules
		}
	)
	require.Equal(t, []resource.Rule{out}, rules(open("none").ID))
	require.Equal(t, []resource.Rule{ssh, out}, rules(open("in", ssh).ID))
	group := open("out", ssh, dns)
	require.Equal(t, []resource.Rule{ssh, dns}, rules(group.ID))
	require.Equal(t, "d", decoded[resource.SecurityGroupSpec](t, group.Spec).Description)

	change := func(action string, rules ...resource.Rule) error {
		return act(t, s, "securitygroup", group.ID, action, resource.RuleChange{Rules: rules})
	}
	require.NoError(t, change("addrules", ssh, web))
	require.Equal(t, []resource.Rule{ssh, dns, web}, rules(group.ID))
	require.NoError(t, change("addrules", resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, CIDR: "0.0.0.0/0"}))
	require.Equal(t, []resource.Rule{ssh, dns, web}, rules(group.ID))
	require.NoError(t, change("removerules", ssh, out))
	require.NoError(t, change("removerules", dns))
	require.Equal(t, []resource.Rule{web}, rules(group.ID))
	require.Equal(t, resource.CodeInvalid, cloudError(t, change("addrules", resource.Rule{Direction: "in", Protocol: "icmp", FromPort: 1, CIDR: "0.0.0.0/0"})).Code)
	require.Equal(t, resource.CodeNotFound, cloudError(t, act(t, s, "securitygroup", "sg-x", "addrules", resource.RuleChange{Rules: []resource.Rule{ssh}})).Code)

	again := request(t, "out", resource.SecurityGroupSpec{VPC: n.vpc})
	again.Token = "another"
	_, err := s.Create(t.Context(), "securitygroup", again)
	require.Equal(t, resource.CodeAlreadyExists, cloudError(t, err).Code)
	other := create(t, s, "vpc", "other", vpcSpec()).ID
	again.Spec = request(t, "", resource.SecurityGroupSpec{VPC: other}).Spec
	_, err = s.Create(t.Context(), "securitygroup", again)
	require.NoError(t, err, "the name is free in another VPC")
	require.NoError(t, s.Delete(t.Context(), "securitygroup", group.ID))
	again.Spec, again.Token = request(t, "", resource.SecurityGroupSpec{VPC: n.vpc}).Spec, "yet another"
	_, err = s.Create(t.Context(), "securitygroup", again)
	require.NoError(t, err, "the name is free again")
}

func TestKeyPair(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	spec := resource.KeyPairSpec{Algorithm: "ed25519"}
	secrets, err := spec.Complete() // as the server does
	require.NoError(t, err)
	require.NotEmpty(t, secrets)
	key := create(t, s, "keypair", "made", spec)
	require.Equal(t, spec, decoded[resource.KeyPairSpec](t, key.Spec))
	require.Equal(t, "ed25519", key.Native.(nativeKeyPair).KeyType)

	given := create(t, s, "keypair", "given", resource.KeyPairSpec{PublicKey: publicKey})
	require.Equal(t, "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA", decoded[resource.KeyPairStatus](t, given.Status).Fingerprint, "as ssh-keygen -l says")

	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		again := request(t, "given", resource.KeyPairSpec{PublicKey: publicKey})
		again.Token = "another"
		_, err = s.Create(t.Context(), "keypair", again)
		e := cloudError(t, err)
		require.Equal(t, resource.CodeAlreadyExists, e.Code)
		require.Equal(t, "InvalidKeyPair.Duplicate", e.Cloud.Code)
		require.Contains(t, e.Message, given.ID)
	}
	create(t, r.connectTo(driver.Config{Region: "mock-tokyo"}), "keypair", "given", resource.KeyPairSpec{PublicKey: publicKey})
	for _, bad := range []string{"", "ssh-rsa", "ssh-rsa !!!", "ssh-rsa AAAA", "ssh-rsa " + publicKey[12:]} {
		require.Equal(t, resource.CodeInvalid, refused(t, s, "keypair", "bad", resource.KeyPairSpec{PublicKey: bad}).Code)
	}
}

func TestVM(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	r := request(t, "one", n.vm())
	r.Labels = map[string]string{"team": "blue"}
	vm, err := s.Create(t.Context(), "vm", r)
	require.NoError(t, err)
	require.Equal(t, resource.StateRunning, vm.State)
	require.Equal(t, r.Labels, vm.Labels)
	spec := n.vm()
	spec.RootDiskSizeGiB, spec.RootDiskType = 8, "SSD"
	require.Equal(t, spec, decoded[resource.VMSpec](t, vm.Spec))
	require.Equal(t, resource.VMStatus{Zone: "mock-seoul-a", PrivateAddress: "10.0.0.4", PublicAddress: "100.64.0.1"}, decoded[resource.VMStatus](t, vm.Status))
	require.Equal(t, vm.ID, vm.Native.(nativeVM).InstanceID)
	second := create(t, s, "vm", "two", n.vm())
	require.Equal(t, resource.VMStatus{Zone: "mock-seoul-a", PrivateAddress: "10.0.0.5", PublicAddress: "100.64.0.2"}, decoded[resource.VMStatus](t, second.Status))
	require.Equal(t, 1<<15-5-2, decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses)
	require.Equal(t, resource.CodeNotFound, cloudError(t, act(t, s, "vm", "vm-x", "stop", nil)).Code)
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "vm", vm.ID, "start", nil)).Code)
}

func TestVMIsChecked(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	elsewhere := create(t, s, "vpc", "elsewhere", vpcSpec()).ID
	foreign := create(t, s, "securitygroup", "foreign", resource.SecurityGroupSpec{VPC: elsewhere}).ID
	for _, test := range []struct {
		name, field, code string
		change            func(*resource.VMSpec)
	}{
		{"image", "spec.image", "InvalidImageID.NotFound", func(s *resource.VMSpec) { s.Image = "img-x" }},
		{"spec", "spec.spec", "InvalidInstanceType", func(s *resource.VMSpec) { s.Spec = "huge" }},
		{"subnet", "spec.subnet", "InvalidSubnetID.NotFound", func(s *resource.VMSpec) { s.Subnet = "subnet-x" }},
		{"kind", "spec.subnet", "InvalidSubnetID.NotFound", func(s *resource.VMSpec) { s.Subnet = n.vpc }},
		{"no subnet", "spec.subnet", "MissingParameter", func(s *resource.VMSpec) { s.Subnet = "" }},
		{"group", "spec.securitygroups[1]", "InvalidSecurityGroupID.NotFound", func(s *resource.VMSpec) { s.SecurityGroups = []string{n.group, "sg-x"} }},
		{"foreign group", "spec.securitygroups[0]", "InvalidParameterCombination", func(s *resource.VMSpec) { s.SecurityGroups = []string{foreign} }},
		{"key", "spec.keypair", "InvalidKeyPairID.NotFound", func(s *resource.VMSpec) { s.KeyPair = "key-x" }},
		{"architecture", "spec.spec", "InvalidParameterCombination", func(s *resource.VMSpec) { s.Image = imageID("debian-13-arm64") }},
		{"disk", "spec.rootDiskSizeGiB", "InvalidBlockDeviceMapping", func(s *resource.VMSpec) { s.RootDiskSizeGiB = 1 }},
		{"type of disk", "spec.rootDiskType", "InvalidVolumeType", func(s *resource.VMSpec) { s.RootDiskType = "gp3" }},
		{"no root disk", "spec.rootDiskType", "InvalidVolumeType", func(s *resource.VMSpec) { s.RootDiskType, s.RootDiskSizeGiB = "MEM", 10 }},
		{"large disk", "spec.rootDiskSizeGiB", "InvalidVolumeSize", func(s *resource.VMSpec) { s.RootDiskSizeGiB = 20000 }},
		{"no image", "spec.image", "InvalidParameterValue", func(s *resource.VMSpec) { s.Image = "" }},
		{"custom image", "spec.customimage", "InvalidCustomImageID.NotFound", func(s *resource.VMSpec) { s.Image, s.CustomImage = "", "cimg-x" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := n.vm()
			test.change(&spec)
			e := refused(t, s, "vm", "bad", spec)
			require.Equal(t, resource.CodeInvalid, e.Code)
			require.Equal(t, test.code, e.Cloud.Code)
			require.Equal(t, test.field, e.Fields[0].Field)
			require.Contains(t, e.Message, test.field)
		})
	}
	require.Empty(t, list(t, s, "vm"))
	spec := n.vm()
	spec.Image, spec.Spec, spec.KeyPair, spec.SecurityGroups, spec.RootDiskSizeGiB, spec.RootDiskType = imageID("debian-13-arm64"), "burst3a.small", "", nil, 100, "HDD"
	require.Equal(t, spec, decoded[resource.VMSpec](t, create(t, s, "vm", "good", spec).Spec))
}

func TestAddressesAreUniqueAndComeBack(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	n.subnet = create(t, s, "subnet", "tiny", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.255.0/28"}).ID
	private, public := map[string]string{}, map[string]bool{}
	const room = 16 - 5
	for i := range room {
		vm := create(t, s, "vm", fmt.Sprint(i), n.vm())
		status := decoded[resource.VMStatus](t, vm.Status)
		require.True(t, netip.MustParsePrefix("10.0.255.4/28").Contains(netip.MustParseAddr(status.PrivateAddress)))
		require.NotContains(t, private, status.PrivateAddress)
		require.NotContains(t, public, status.PublicAddress)
		private[status.PrivateAddress], public[status.PublicAddress] = vm.ID, true
	}
	s = r.reopened().connect()
	require.Zero(t, decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses)
	e := refused(t, s, "vm", "more", n.vm())
	require.Equal(t, resource.CodeQuota, e.Code)
	require.Equal(t, "InsufficientFreeAddressesInSubnet", e.Cloud.Code)
	require.NoError(t, s.Delete(t.Context(), "vm", private["10.0.255.9"]))
	require.Equal(t, "10.0.255.9", decoded[resource.VMStatus](t, create(t, s, "vm", "more", n.vm()).Status).PrivateAddress)
}

func TestAnSSHServerStandsForThoseOfAllVMs(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("ssh", "ubuntu@127.0.0.1:2222", "latency", "1s")
	vm := create(t, s, "vm", "vm", n.vm())
	require.Empty(t, decoded[resource.VMStatus](t, vm.Status).SSHUser, "it is being created")
	r.advance(time.Second)
	status := decoded[resource.VMStatus](t, get(t, s, "vm", vm.ID).Status)
	require.Equal(t, resource.VMStatus{Zone: "mock-seoul-a", PrivateAddress: "10.0.0.4", PublicAddress: "127.0.0.1", SSHPort: 2222, SSHUser: "ubuntu"}, status)
	require.Zero(t, decoded[resource.VMStatus](t, get(t, r.connect(), "vm", vm.ID).Status).SSHPort, "of other connections it does not")
}
