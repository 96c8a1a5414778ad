package aws

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/moto"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNsOcYWyw8Cl5g9XyqKFaGDXg9EVz8ItSOTjYvMbmrB test"

// TestOnMoto runs the driver against one emulator. The sub-tests keep apart by
// region or by what they make.
func TestOnMoto(t *testing.T) {
	t.Parallel()
	stage := moto.Start(t)
	endpoint := stage.URL
	for name, test := range map[string]func(*testing.T, string){
		"catalogs":               testCatalogs,
		"life":                   testLife,
		"idempotent creation":    testIdempotentCreation,
		"completion":             testCompletionOfACrashedCreation,
		"taken names":            testTakenNames,
		"unknown ids":            testUnknownIDs,
		"vpc in use":             testVPCInUse,
		"vpc of two ranges":      testVPCOfTwoRanges,
		"vpc used otherwise":     testVPCUsedOtherwise,
		"foreign gateway":        testForeignGateway,
		"rules":                  testRules,
		"other rules":            testOtherRules,
		"IPv6":                   testIPv6,
		"root disk":              testRootDisk,
		"regions do not mix":     testRegionsDoNotMix,
		"assumed role":           testAssumedRole,
		"region that is unknown": testUnknownRegion,
		"prices and quotas":      testPricesAndQuotas,
		"usage":                  testUsage,
		"native and extensions":  testNativeAndExtensions,
		"fields of a VM":         testVMFields,
		"load balancer":          testNLB,
		"strangers":              testStrangersOfALoadBalancer,
		"cluster":                testCluster,
		"disks at once":          testDisksAtOnce,
		"two interfaces":         testTwoInterfaces,
		"rates of a disk":        testRatesOfADisk,
		"labels":                 testLabelsOfLoadBalancers,
	} {
		t.Run(name, func(t *testing.T) { test(t, endpoint) })
	}
	assertPermitted(t, stage)
}

func testCatalogs(t *testing.T, endpoint string) {
	regionsOnly := open(t, config(endpoint, ""))
	regions := catalog(t, regionsOnly, resource.Regions, nil)
	assert.Contains(t, regions, resource.Region{Name: seoul, Title: "Asia Pacific (Seoul)"})

	s := open(t, config(endpoint, seoul))
	zones := catalog(t, s, resource.Zones, nil)
	assert.Contains(t, zones, resource.Zone{Name: seoul + "a", Region: seoul, Available: true})

	all := catalog(t, s, resource.Images, nil)
	assert.NotEmpty(t, all)
	distributions := map[string]bool{}
	for _, image := range all {
		assert.NotEmpty(t, image.ID)
		assert.Contains(t, []string{"x86_64", "arm64"}, image.Architecture)
		distributions[image.OS] = true
	}
	for _, os := range []string{"ubuntu", "amzn", "windows"} {
		assert.True(t, distributions[os], "%s in %v", os, slices.Sorted(maps.Keys(distributions)))
	}
	one := all[0]
	assert.Equal(t, []resource.Image{one}, catalog(t, s, resource.Images, driver.Query{"id": one.ID}))
	assert.Contains(t, catalog(t, s, resource.Images, driver.Query{"name": one.Name, "owner": one.Owner, "architecture": one.Architecture}), one)
	assert.Empty(t, catalog(t, s, resource.Images, driver.Query{"id": "ami-00000000"}))

	specs := catalog(t, s, resource.Specs, nil)
	assert.Greater(t, len(specs), 2*specPageSize, "more than one page")
	assert.Equal(t, []resource.Spec{{Name: "t3.micro", VCPUs: 2, MemoryMiB: 1024, ClockGHz: 2.5, Architectures: []string{"x86_64"}}},
		catalog(t, s, resource.Specs, driver.Query{"name": "t3.micro"}))
}

func testLife(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	labels := map[string]string{"team": "infra"}

	vpc := create(t, s, resource.VPC, "life", labels, resource.VPCSpec{CIDR: "10.1.0.0/16"})
	assert.Equal(t, "life", vpc.Name)
	assert.Equal(t, "life-vpc", vpc.Token)
	assert.Equal(t, labels, vpc.Labels)
	vpc, err := settled(t, s, resource.VPC, vpc.ID)
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, vpc.State)
	assert.Equal(t, "available", vpc.CloudState)
	assert.Equal(t, resource.VPCSpec{CIDR: "10.1.0.0/16"}, vpc.Spec)
	assert.Equal(t, labels, vpc.Labels)
	assertOpenToInternet(t, endpoint, vpc.ID)

	subnet := create(t, s, resource.Subnet, "life", labels, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24", Zone: seoul + "c"})
	subnet = get(t, s, resource.Subnet, subnet.ID)
	assert.Equal(t, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.1.1.0/24", Zone: seoul + "c"}, subnet.Spec)
	assert.Equal(t, 251, subnet.Status.AvailableAddresses)

	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"}
	group := create(t, s, resource.SecurityGroup, "sg-life", labels, resource.SecurityGroupSpec{VPC: vpc.ID, Rules: []resource.Rule{ssh}})
	group = get(t, s, resource.SecurityGroup, group.ID)
	assert.Equal(t, "sg-life", group.Name, "the wanted name, although AWS takes no name that looks like an id")
	assert.Equal(t, []resource.Rule{ssh, {Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"}}, group.Spec.Rules)

	key := create(t, s, resource.KeyPair, "life", labels, resource.KeyPairSpec{PublicKey: publicKey})
	assert.Equal(t, "life", key.ID)
	key = get(t, s, resource.KeyPair, key.ID)
	assert.Equal(t, resource.KeyPairSpec{Algorithm: "ed25519", PublicKey: publicKey}, key.Spec)
	assert.NotEmpty(t, key.Status.Fingerprint)
	assert.Equal(t, "life-keypair", key.Token)

	asked := resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID, SecurityGroups: []string{group.ID}, KeyPair: key.ID}
	vm := create(t, s, resource.VM, "life", labels, asked)
	assert.Equal(t, resource.StateCreating, vm.State)
	assert.Equal(t, resource.StateCreating, get(t, s, resource.VM, vm.ID).State, "pending")
	vm, err = settled(t, s, resource.VM, vm.ID)
	require.NoError(t, err)
	assert.Equal(t, resource.StateRunning, vm.State)
	assert.Equal(t, asked, vm.Spec)
	assert.Equal(t, "life-vm", vm.Token)
	assert.Equal(t, labels, vm.Labels)
	assert.Equal(t, seoul+"c", vm.Status.Zone)
	assert.Regexp(t, `^10\.1\.1\.\d+$`, vm.Status.PrivateAddress)
	assert.NotEmpty(t, vm.Status.PublicAddress)
	image := catalog(t, s, resource.Images, driver.Query{"id": asked.Image})[0]
	assert.NotEmpty(t, vm.Status.SSHUser)
	assert.Equal(t, sshUser(image.OS, image.OSVersion), vm.Status.SSHUser)
	assert.NotNil(t, vm.CreatedAt)
	assert.Contains(t, ids(t, s, resource.VM), vm.ID)

	for _, one := range []struct{ kind, id string }{{"vm", vm.ID}, {"keypair", key.ID}, {"securitygroup", group.ID}, {"subnet", subnet.ID}, {"vpc", vpc.ID}} {
		change := json.RawMessage(`{"set":{"stage":"test","cost":"1"},"remove":["team","Name","nothing"]}`)
		require.NoError(t, s.Act(t.Context(), one.kind, one.id, resource.ActionLabel, change), one.kind)
		item, err := s.Get(t.Context(), one.kind, one.id)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"stage": "test", "cost": "1"}, item.Labels, one.kind)
		assert.NotEmpty(t, item.Token, one.kind)
		assert.Contains(t, []string{"life", "sg-life"}, item.Name, one.kind)
	}

	for _, change := range []struct {
		action         string
		first, lasting resource.State
	}{{"stop", resource.StateStopping, resource.StateStopped}, {"start", resource.StateCreating, resource.StateRunning}} { // pending, within the VM's first minute
		require.NoError(t, s.Act(t.Context(), "vm", vm.ID, change.action, nil))
		assert.Equal(t, change.first, get(t, s, resource.VM, vm.ID).State)
		vm, err = settled(t, s, resource.VM, vm.ID)
		require.NoError(t, err)
		assert.Equal(t, change.lasting, vm.State)
	}
	require.NoError(t, s.Act(t.Context(), "vm", vm.ID, "reboot", nil))

	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
	assert.Equal(t, resource.StateDeleting, get(t, s, resource.VM, vm.ID).State, "shutting down")
	_, err = s.Get(t.Context(), "vm", vm.ID)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "terminated, which moto shows for ever")
	assert.NotContains(t, ids(t, s, resource.VM), vm.ID)
	for _, one := range []struct{ kind, id string }{{"vm", vm.ID}, {"keypair", key.ID}, {"securitygroup", group.ID}, {"subnet", subnet.ID}, {"vpc", vpc.ID}} {
		require.NoError(t, s.Delete(t.Context(), one.kind, one.id), one.kind)
		require.NoError(t, s.Delete(t.Context(), one.kind, one.id), "%s again", one.kind)
		_, err = s.Get(t.Context(), one.kind, one.id)
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%s: %v", one.kind, err)
	}
	assert.Empty(t, gatewaysOf(t, endpoint, "life-vpc"), "the gateway goes with its VPC")
}

func testIdempotentCreation(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := twice(t, s, resource.VPC, "twice", resource.VPCSpec{CIDR: "10.2.0.0/16"})
	assert.Len(t, gatewaysOf(t, endpoint, "twice-vpc"), 1)
	twice(t, s, resource.Subnet, "twice", resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.2.1.0/24"})
	twice(t, s, resource.SecurityGroup, "twice", resource.SecurityGroupSpec{VPC: vpc.ID, Rules: []resource.Rule{
		{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"},
		{Direction: "out", Protocol: "tcp", FromPort: 443, ToPort: 443, CIDR: "0.0.0.0/0"},
	}})
	twice(t, s, resource.KeyPair, "twice", resource.KeyPairSpec{PublicKey: publicKey})
	// Not for VMs: that the stage does what AWS documents proves nothing more than
	// TestRunInstancesIsSentTheTokenAndTheSameTags.
}

// What a crash between the steps of a creation leaves, made with the SDK.
func testCompletionOfACrashedCreation(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	tags := func(token string, typ types.ResourceType) []types.TagSpecification {
		return []types.TagSpecification{{ResourceType: typ, Tags: []types.Tag{{Key: aws.String(tokenTag), Value: aws.String(token)}}}}
	}

	bare, err := cloud.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.3.0.0/16"), TagSpecifications: tags("crash-vpc", types.ResourceTypeVpc)})
	require.NoError(t, err)
	vpc := create(t, s, resource.VPC, "crash", nil, resource.VPCSpec{CIDR: "10.3.0.0/16"})
	assert.Equal(t, aws.ToString(bare.Vpc.VpcId), vpc.ID)
	assertOpenToInternet(t, endpoint, vpc.ID)

	// a gateway that is made, but not attached
	second, err := cloud.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.4.0.0/16"), TagSpecifications: tags("crash2-vpc", types.ResourceTypeVpc)})
	require.NoError(t, err)
	half2 := tags("crash2-vpc", types.ResourceTypeInternetGateway)
	half2[0].Tags = append(half2[0].Tags, types.Tag{Key: aws.String(vpcTag), Value: second.Vpc.VpcId})
	_, err = cloud.CreateInternetGateway(t.Context(), &ec2.CreateInternetGatewayInput{TagSpecifications: half2})
	require.NoError(t, err)
	create(t, s, resource.VPC, "crash2", nil, resource.VPCSpec{CIDR: "10.4.0.0/16"})
	assertOpenToInternet(t, endpoint, aws.ToString(second.Vpc.VpcId))
	assert.Len(t, gatewaysOf(t, endpoint, "crash2-vpc"), 1)

	// what another process has made with the same token goes, alone
	third, err := cloud.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.4.0.0/16"), TagSpecifications: tags("crash2-vpc", types.ResourceTypeVpc)})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "vpc", aws.ToString(third.Vpc.VpcId)))
	assertOpenToInternet(t, endpoint, aws.ToString(second.Vpc.VpcId))

	rules := []resource.Rule{
		{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"},
		{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"},
		{Direction: "out", Protocol: "udp", FromPort: 53, ToPort: 53, CIDR: "0.0.0.0/0"},
	}
	half, err := cloud.CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{
		VpcId: aws.String(vpc.ID), GroupName: aws.String("crash"), Description: aws.String("half"), TagSpecifications: tags("crash-securitygroup", types.ResourceTypeSecurityGroup),
	})
	require.NoError(t, err)
	_, err = cloud.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: half.GroupId, IpPermissions: []types.IpPermission{permission(rules[1])}})
	require.NoError(t, err)
	group := create(t, s, resource.SecurityGroup, "crash", nil, resource.SecurityGroupSpec{VPC: vpc.ID, Rules: rules})
	assert.Equal(t, aws.ToString(half.GroupId), group.ID)
	assert.Equal(t, rules, group.Spec.Rules)
	assert.Equal(t, rules, get(t, s, resource.SecurityGroup, group.ID).Spec.Rules)

	private, err := cloud.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: aws.String(vpc.ID), CidrBlock: aws.String("10.3.1.0/24"), TagSpecifications: tags("crash-subnet", types.ResourceTypeSubnet)})
	require.NoError(t, err)
	subnet := create(t, s, resource.Subnet, "crash", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.3.1.0/24"})
	assert.Equal(t, aws.ToString(private.Subnet.SubnetId), subnet.ID)
	shown, err := cloud.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet.ID}})
	require.NoError(t, err)
	assert.True(t, aws.ToBool(shown.Subnets[0].MapPublicIpOnLaunch))
}

func testTakenNames(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "taken", nil, resource.VPCSpec{CIDR: "10.5.0.0/16"})
	create(t, s, resource.KeyPair, "taken", nil, resource.KeyPairSpec{PublicKey: publicKey})
	create(t, s, resource.SecurityGroup, "taken", nil, resource.SecurityGroupSpec{VPC: vpc.ID, Rules: []resource.Rule{}})

	_, err := tryCreate(t, s, resource.KeyPair, "other-token", "taken", nil, resource.KeyPairSpec{PublicKey: publicKey})
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "%v", err)
	_, err = tryCreate(t, s, resource.SecurityGroup, "other-token", "taken", nil, resource.SecurityGroupSpec{VPC: vpc.ID})
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "%v", err)
	_, err = tryCreate(t, s, resource.VPC, "other-token", "x", map[string]string{"Name": "y"}, resource.VPCSpec{CIDR: "10.6.0.0/16"})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
}

func testUnknownIDs(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	for kind, id := range map[string]string{
		"vpc": "vpc-0123456789abcdef0", "subnet": "subnet-0123456789abcdef0", "securitygroup": "sg-0123456789abcdef0",
		"keypair": "nobody", "vm": "i-0123456789abcdef0",
	} {
		_, err := s.Get(t.Context(), kind, id)
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%s: %v", kind, err)
		assert.NoError(t, s.Delete(t.Context(), kind, id), kind)
	}
	err := s.Act(t.Context(), "vm", "i-0123456789abcdef0", "start", nil)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
	_, err = tryCreate(t, s, resource.Subnet, "unknown", "unknown", nil, resource.SubnetSpec{VPC: "vpc-0123456789abcdef0", CIDR: "10.0.0.0/24"})
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
	_, err = tryCreate(t, s, resource.VM, "unknown", "unknown", nil, resource.VMSpec{Image: "ami-0123456789abcdef0", Spec: "t3.micro", Subnet: "subnet-0123456789abcdef0"})
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "%v", err)
}

func testVPCInUse(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "used", nil, resource.VPCSpec{CIDR: "10.7.0.0/16"})
	subnet := create(t, s, resource.Subnet, "used", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.7.1.0/24"})
	group := create(t, s, resource.SecurityGroup, "used", nil, resource.SecurityGroupSpec{VPC: vpc.ID})
	for _, user := range []struct{ kind, id string }{{"subnet", subnet.ID}, {"securitygroup", group.ID}} {
		err := s.Delete(t.Context(), "vpc", vpc.ID)
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, user.id)
		assertOpenToInternet(t, endpoint, vpc.ID)
		require.NoError(t, s.Delete(t.Context(), user.kind, user.id))
	}
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
}

func testVPCOfTwoRanges(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "ranges", nil, resource.VPCSpec{CIDR: "10.32.0.0/16"})
	assert.Equal(t, []string{"10.32.0.0/16"}, get(t, s, resource.VPC, vpc.ID).Status.CIDRs)
	act := func(action, cidr string) {
		t.Helper()
		require.NoError(t, s.Act(t.Context(), "vpc", vpc.ID, action, json.RawMessage(`{"cidr":"`+cidr+`"}`)))
	}
	act("addcidr", "10.33.0.0/16")
	act("addcidr", "10.33.0.0/16")
	shown := get(t, s, resource.VPC, vpc.ID)
	assert.Equal(t, "10.32.0.0/16", shown.Spec.CIDR)
	assert.Equal(t, []string{"10.32.0.0/16", "10.33.0.0/16"}, shown.Status.CIDRs)
	subnet := create(t, s, resource.Subnet, "ranges", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.33.1.0/24"})
	require.NoError(t, s.Delete(t.Context(), "subnet", subnet.ID))
	act("removecidr", "10.33.0.0/16")
	act("removecidr", "10.33.0.0/16")
	assert.Equal(t, []string{"10.32.0.0/16"}, get(t, s, resource.VPC, vpc.ID).Status.CIDRs)
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
}

// A route table of somebody else is found by AWS, not by us: the gateway, which
// has to go first, comes back.
func testVPCUsedOtherwise(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc := create(t, s, resource.VPC, "routed", nil, resource.VPCSpec{CIDR: "10.8.0.0/16"})
	table, err := cloud.CreateRouteTable(t.Context(), &ec2.CreateRouteTableInput{VpcId: aws.String(vpc.ID)})
	require.NoError(t, err)

	err = s.Delete(t.Context(), "vpc", vpc.ID)
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
	assertOpenToInternet(t, endpoint, vpc.ID)

	_, err = cloud.DeleteRouteTable(t.Context(), &ec2.DeleteRouteTableInput{RouteTableId: table.RouteTable.RouteTableId})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
	assert.Empty(t, gatewaysOf(t, endpoint, "routed-vpc"))
}

func testForeignGateway(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc, err := cloud.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.9.0.0/16"), TagSpecifications: tagged(driver.Request[resource.VPCSpec]{Token: "foreign-vpc", Name: "foreign"}, types.ResourceTypeVpc)})
	require.NoError(t, err)
	gateway, err := cloud.CreateInternetGateway(t.Context(), &ec2.CreateInternetGatewayInput{})
	require.NoError(t, err)
	_, err = cloud.AttachInternetGateway(t.Context(), &ec2.AttachInternetGatewayInput{VpcId: vpc.Vpc.VpcId, InternetGatewayId: gateway.InternetGateway.InternetGatewayId})
	require.NoError(t, err)

	_, createErr := tryCreate(t, s, resource.VPC, "foreign-vpc", "foreign", nil, resource.VPCSpec{CIDR: "10.9.0.0/16"})
	for _, err := range []error{createErr, s.Delete(t.Context(), "vpc", aws.ToString(vpc.Vpc.VpcId))} {
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, aws.ToString(gateway.InternetGateway.InternetGatewayId))
	}

	_, err = cloud.DetachInternetGateway(t.Context(), &ec2.DetachInternetGatewayInput{VpcId: vpc.Vpc.VpcId, InternetGatewayId: gateway.InternetGateway.InternetGatewayId})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "vpc", aws.ToString(vpc.Vpc.VpcId)))
}

func testRules(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc := create(t, s, resource.VPC, "rules", nil, resource.VPCSpec{CIDR: "10.10.0.0/16"})
	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "10.0.0.0/8"}
	web := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"}
	dns := resource.Rule{Direction: "out", Protocol: "udp", FromPort: 53, ToPort: 53, CIDR: "0.0.0.0/0"}
	group := create(t, s, resource.SecurityGroup, "rules", nil, resource.SecurityGroupSpec{VPC: vpc.ID, Description: "한글", Rules: []resource.Rule{ssh, dns}})
	rules := func() []resource.Rule { return get(t, s, resource.SecurityGroup, group.ID).Spec.Rules }
	act := func(action string, change ...resource.Rule) {
		t.Helper()
		params, err := json.Marshal(resource.RuleChange{Rules: change})
		require.NoError(t, err)
		require.NoError(t, s.Act(t.Context(), "securitygroup", group.ID, action, params))
	}
	assert.Equal(t, []resource.Rule{ssh, dns}, rules(), "outbound rules replace what AWS allows by itself")

	act("addrules", ssh, web, web)
	assert.Equal(t, []resource.Rule{ssh, web, dns}, rules())
	act("removerules", ssh, ssh, resource.Rule{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"})
	assert.Equal(t, []resource.Rule{web, dns}, rules())

	all := permission(resource.Rule{Protocol: "tcp", FromPort: 0, ToPort: 65535, CIDR: "10.0.0.0/8"}) // as the console writes it
	_, err := cloud.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(group.ID), IpPermissions: []types.IpPermission{all}})
	require.NoError(t, err)
	allTCP := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 1, ToPort: 65535, CIDR: "10.0.0.0/8"}
	assert.Equal(t, []resource.Rule{allTCP, web, dns}, rules())
	act("removerules", allTCP, web, dns)
	assert.Empty(t, rules())
}

func testRootDisk(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc := create(t, s, resource.VPC, "disk", nil, resource.VPCSpec{CIDR: "10.11.0.0/16"})
	subnet := create(t, s, resource.Subnet, "disk", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.11.1.0/24"})
	vm := create(t, s, resource.VM, "disk", nil, resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID, RootDiskSizeGiB: 77})
	assert.Equal(t, 77, vm.Spec.RootDiskSizeGiB)
	volumes, err := cloud.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{Filters: []types.Filter{filter("attachment.instance-id", vm.ID)}})
	require.NoError(t, err)
	require.Len(t, volumes.Volumes, 1, "the root disk itself, not one more")
	assert.Equal(t, int32(77), aws.ToInt32(volumes.Volumes[0].Size))
	token := tagsIn(volumes.Volumes[0].Tags)[tokenTag]
	assert.Equal(t, "disk-vm", token)
}

func testRegionsDoNotMix(t *testing.T, endpoint string) {
	here, there := open(t, config(endpoint, seoul)), open(t, config(endpoint, tokyo))
	vpc := create(t, here, resource.VPC, "here", nil, resource.VPCSpec{CIDR: "10.12.0.0/16"})
	assert.Contains(t, ids(t, here, resource.VPC), vpc.ID)
	assert.NotContains(t, ids(t, there, resource.VPC), vpc.ID)
	_, err := there.Get(t.Context(), "vpc", vpc.ID)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	require.NoError(t, there.Delete(t.Context(), "vpc", vpc.ID))
	get(t, here, resource.VPC, vpc.ID)
	other := create(t, there, resource.VPC, "here", nil, resource.VPCSpec{CIDR: "10.12.0.0/16"})
	assert.NotEqual(t, vpc.ID, other.ID, "the same token in another region")

	zoned := config(endpoint, seoul)
	zoned.Zone = seoul + "d"
	subnet := create(t, open(t, zoned), resource.Subnet, "zoned", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.12.1.0/24"})
	assert.Equal(t, zoned.Zone, subnet.Spec.Zone, "the connection's zone")
}

// moto keeps what belongs to another account apart, so that the account of the
// VPC's owner shows that the role was assumed.
func testAssumedRole(t *testing.T, endpoint string) {
	c := config(endpoint, seoul)
	c.Credential["roleArn"] = "arn:aws:iam::222222222222:role/infra"
	c.Credential["externalId"] = "external-1"
	raw, err := json.Marshal(create(t, open(t, c), resource.VPC, "role", nil, resource.VPCSpec{CIDR: "10.13.0.0/16"}).Native)
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"OwnerId":"222222222222"`)
}

func testUnknownRegion(t *testing.T, endpoint string) {
	_, err := New().Connect(t.Context(), config(endpoint, "xx-nowhere-1"))
	assert.Error(t, err)
	assert.Contains(t, []resource.Code{resource.CodeUnavailable, resource.CodeUnauthenticated}, resource.CodeOf(err), "%v", err)
}

// typed is an object with its spec and status decoded.
type typed[S, T any] = driver.Object[S, T]

func decoded[S, T any](t *testing.T, item driver.Item) typed[S, T] {
	t.Helper()
	o := typed[S, T]{ID: item.ID, Name: item.Name, Token: item.Token, State: item.State, CloudState: item.CloudState, Labels: item.Labels, Native: item.Native, CreatedAt: item.CreatedAt}
	require.NoError(t, json.Unmarshal(item.Spec, &o.Spec))
	require.NoError(t, json.Unmarshal(item.Status, &o.Status))
	return o
}

// create makes a resource with the token name-kind.
func create[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], name string, labels map[string]string, spec S) typed[S, T] {
	t.Helper()
	item, err := tryCreate(t, s, kind, tokenOf(name, kind.Name), name, labels, spec)
	require.NoError(t, err)
	return decoded[S, T](t, item)
}

func tokenOf(name, kind string) string {
	if len(name) > 3 && name[:3] == "sg-" {
		name = name[3:]
	}
	return name + "-" + kind
}

func tryCreate[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], token, name string, labels map[string]string, spec S) (driver.Item, error) {
	t.Helper()
	raw, err := json.Marshal(spec)
	require.NoError(t, err)
	return s.Create(t.Context(), kind.Name, driver.ItemRequest{Token: token, Name: name, Labels: labels, Spec: raw})
}

// twice creates with the same token and finds one resource.
func twice[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], name string, spec S) typed[S, T] {
	t.Helper()
	before := len(ids(t, s, kind))
	made := create(t, s, kind, name, nil, spec)
	again := create(t, s, kind, name, nil, spec)
	assert.Equal(t, made.ID, again.ID, kind.Name)
	assert.Equal(t, made.Token, again.Token, kind.Name)
	assert.Len(t, ids(t, s, kind), before+1, kind.Name)
	return again
}

func get[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id string) typed[S, T] {
	t.Helper()
	item, err := s.Get(t.Context(), kind.Name, id)
	require.NoError(t, err)
	return decoded[S, T](t, item)
}

// settled waits until a resource has a state that lasts, or does not exist any more, and
// answers it.
func settled[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], id string) (found typed[S, T], err error) {
	t.Helper()
	require.Eventually(t, func() bool {
		var item driver.Item
		if item, err = s.Get(t.Context(), kind.Name, id); err == nil {
			found = decoded[S, T](t, item)
		}
		return err != nil || found.State.Settled()
	}, 10*time.Second, time.Millisecond, "the %s %s does not settle", kind.Name, id)
	return found, err
}

// running is create for what others need in its last state.
func running[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T], name string, spec S) typed[S, T] {
	t.Helper()
	found, err := settled(t, s, kind, create(t, s, kind, name, nil, spec).ID)
	require.NoError(t, err)
	return found
}

func ids[S, T any](t *testing.T, s drivertest.Patient, kind resource.Type[S, T]) []string {
	t.Helper()
	var all []string
	for item, err := range s.List(t.Context(), kind.Name) {
		require.NoError(t, err)
		all = append(all, item.ID)
	}
	return all
}

func catalog[E any](t *testing.T, s drivertest.Patient, c resource.CatalogOf[E], q driver.Query) []E {
	t.Helper()
	var all []E
	for raw, err := range s.Catalog(t.Context(), c.Name, q) {
		require.NoError(t, err)
		var entry E
		require.NoError(t, json.Unmarshal(raw, &entry))
		all = append(all, entry)
	}
	return all
}

func anImage(t *testing.T, s drivertest.Patient) string {
	t.Helper()
	for _, image := range catalog(t, s, resource.Images, driver.Query{"architecture": "x86_64"}) {
		if image.OS == "ubuntu" {
			return image.ID
		}
	}
	t.Fatal("there is no image of Ubuntu")
	return ""
}

// sdk is for the SDK itself, for what the driver does not do.
func sdk(endpoint, region string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-of-the-test", "")}
}

func client(endpoint, region string) *ec2.Client { return ec2.NewFromConfig(sdk(endpoint, region)) }

func gatewaysOf(t *testing.T, endpoint, token string) []types.InternetGateway {
	t.Helper()
	out, err := client(endpoint, seoul).DescribeInternetGateways(t.Context(), &ec2.DescribeInternetGatewaysInput{Filters: narrowed(driver.Filter{Token: token}, "").filters})
	require.NoError(t, err)
	return out.InternetGateways
}

// assertOpenToInternet checks the gateway, the route and the names of a VPC.
func assertOpenToInternet(t *testing.T, endpoint, vpc string) {
	t.Helper()
	cloud := client(endpoint, seoul)
	gateways, err := cloud.DescribeInternetGateways(t.Context(), &ec2.DescribeInternetGatewaysInput{Filters: []types.Filter{filter("attachment.vpc-id", vpc)}})
	require.NoError(t, err)
	require.Len(t, gateways.InternetGateways, 1)
	tables, err := cloud.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("vpc-id", vpc), filter("association.main", "true")}})
	require.NoError(t, err)
	require.Len(t, tables.RouteTables, 1)
	routes := url.Values{}
	for _, route := range tables.RouteTables[0].Routes {
		routes.Add(aws.ToString(route.DestinationCidrBlock), aws.ToString(route.GatewayId))
	}
	assert.Equal(t, []string{aws.ToString(gateways.InternetGateways[0].InternetGatewayId)}, routes[anywhere])
	names, err := cloud.DescribeVpcAttribute(t.Context(), &ec2.DescribeVpcAttributeInput{VpcId: aws.String(vpc), Attribute: types.VpcAttributeNameEnableDnsHostnames})
	require.NoError(t, err)
	assert.True(t, aws.ToBool(names.EnableDnsHostnames.Value))
}
