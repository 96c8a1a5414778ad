package aws

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What others have put into a group is shown, and left alone.
func testOtherRules(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc := create(t, s, resource.VPC, "others", nil, resource.VPCSpec{CIDR: "10.20.0.0/16"})
	dns := resource.Rule{Direction: "out", Protocol: "udp", FromPort: 53, ToPort: 53, CIDR: "0.0.0.0/0"}
	group := create(t, s, resource.SecurityGroup, "others", nil, resource.SecurityGroupSpec{VPC: vpc.ID, Rules: []resource.Rule{dns}})
	assert.Empty(t, group.Status)

	ssh := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22)}
	fromGroup, six, echo := ssh, ssh, types.IpPermission{IpProtocol: aws.String("icmp"), FromPort: aws.Int32(0), ToPort: aws.Int32(0)}
	fromGroup.UserIdGroupPairs = []types.UserIdGroupPair{{GroupId: aws.String(group.ID)}}
	six.Ipv6Ranges = []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}
	echo.IpRanges = []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}
	_, err := cloud.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(group.ID), IpPermissions: []types.IpPermission{fromGroup, six, echo}})
	require.NoError(t, err)
	others := []string{"in: icmp type 0 code 0 from 0.0.0.0/0", "in: tcp 22 from ::/0", "in: tcp 22 from the security group " + group.ID}

	ping := resource.Rule{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"}
	params, err := json.Marshal(resource.RuleChange{Rules: []resource.Rule{ping}})
	require.NoError(t, err)
	for _, step := range []struct {
		action string
		rules  []resource.Rule
	}{{"addrules", []resource.Rule{ping, dns}}, {"addrules", []resource.Rule{ping, dns}}, {"removerules", []resource.Rule{dns}}} {
		require.NoError(t, s.Act(t.Context(), "securitygroup", group.ID, step.action, params))
		now := get(t, s, resource.SecurityGroup, group.ID)
		assert.Equal(t, step.rules, now.Spec.Rules)
		assert.Equal(t, others, described(now.Status.OtherRules))
		assert.Equal(t, len(others), now.Status.OtherRuleCount)
	}
}

// AWS refuses all rules of a call because of one that is there.
func TestRuleThatAWSSaysIsThere(t *testing.T) {
	f, endpoint := fake(t, func(form url.Values) (int, string) {
		switch form.Get("Action") {
		case "DescribeSecurityGroups":
			return http.StatusOK, `<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo></DescribeSecurityGroupsResponse>`
		case "AuthorizeSecurityGroupIngress":
			if form.Get("IpPermissions.1.FromPort") == "22" {
				return http.StatusBadRequest, errorXML("InvalidPermission.Duplicate", "the specified rule already exists")
			}
			return http.StatusOK, `<AuthorizeSecurityGroupIngressResponse><return>true</return></AuthorizeSecurityGroupIngressResponse>`
		}
		return http.StatusBadRequest, errorXML("InvalidAction", form.Get("Action"))
	})
	change := `{"rules": [{"direction": "in", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidr": "0.0.0.0/0"}, {"direction": "in", "protocol": "tcp", "fromPort": 80, "toPort": 80, "cidr": "0.0.0.0/0"}]}`
	require.NoError(t, open(t, config(endpoint, seoul)).Act(t.Context(), "securitygroup", "sg-1", "addrules", []byte(change)))
	calls := f.calls("AuthorizeSecurityGroupIngress")
	require.Len(t, calls, 3)
	assert.Equal(t, "80", calls[2].Get("IpPermissions.1.FromPort"), "the other one is added")
}

func testIPv6(t *testing.T, endpoint string) {
	s, cloud := open(t, config(endpoint, seoul)), client(endpoint, seoul)
	vpc, err := cloud.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.21.0.0/16"), AmazonProvidedIpv6CidrBlock: aws.Bool(true)})
	require.NoError(t, err)
	range6 := aws.ToString(vpc.Vpc.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock)
	range6 = range6[:len(range6)-len("56")] + "64"
	made, err := cloud.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String("10.21.1.0/24"), Ipv6CidrBlock: aws.String(range6)})
	require.NoError(t, err)
	subnet := get(t, s, resource.Subnet, aws.ToString(made.Subnet.SubnetId))
	assert.Equal(t, "10.21.1.0/24", subnet.Spec.CIDR)
	assert.Equal(t, range6, subnet.Status.IPv6CIDR)

	address := range6[:len(range6)-len("/64")] + "5"
	nic, err := cloud.CreateNetworkInterface(t.Context(), &ec2.CreateNetworkInterfaceInput{SubnetId: made.Subnet.SubnetId, Ipv6Addresses: []types.InstanceIpv6Address{{Ipv6Address: aws.String(address)}}})
	require.NoError(t, err)
	shown := get(t, s, resource.NIC, aws.ToString(nic.NetworkInterface.NetworkInterfaceId))
	assert.Regexp(t, `^10\.21\.1\.`, shown.Status.PrivateAddress)
	assert.Equal(t, []string{address}, shown.Status.IPv6Addresses)
}

func TestVMHasIPv6OfItsFirstInterface(t *testing.T) {
	interfaceWith := func(index int32, address string) types.InstanceNetworkInterface {
		return types.InstanceNetworkInterface{
			Attachment:    &types.InstanceNetworkInterfaceAttachment{DeviceIndex: aws.Int32(index)},
			Ipv6Addresses: []types.InstanceIpv6Address{{Ipv6Address: aws.String(address)}},
		}
	}
	shown := (&session{}).vm(types.Instance{
		InstanceId: aws.String("i-1"), PrivateIpAddress: aws.String("10.0.0.5"),
		NetworkInterfaces: []types.InstanceNetworkInterface{interfaceWith(1, "fd00::9"), interfaceWith(0, "fd00::5")},
	})
	assert.Equal(t, "10.0.0.5", shown.Status.PrivateAddress)
	assert.Equal(t, []string{"fd00::5"}, shown.Status.IPv6Addresses)
}

// balancerRefused is how the service of load balancers refuses a call.
func balancerRefused(code string) (int, string) {
	return http.StatusBadRequest, "<ErrorResponse><Error><Code>" + code + "</Code><Message>no</Message></Error></ErrorResponse>"
}

// AWS may take a target group for used when its listener has gone.
func TestLoadBalancerWhoseTargetGroupIsNotFreeYet(t *testing.T) {
	const id, group = "arn:aws:elasticloadbalancing:ap-northeast-2:1:loadbalancer/net/web/1", "arn:aws:elasticloadbalancing:ap-northeast-2:1:targetgroup/web/1"
	listening, used, gone := true, true, false
	f, endpoint := fake(t, func(form url.Values) (int, string) {
		action, result := form.Get("Action"), ""
		switch {
		case action == "DescribeListeners" && listening:
			result = "<Listeners><member><ListenerArn>arn:1</ListenerArn><DefaultActions><member><Type>forward</Type><TargetGroupArn>" + group + "</TargetGroupArn></member></DefaultActions></member></Listeners>"
		case action == "DeleteListener":
			listening = false
		case action == "DescribeTargetGroups" && form.Get("Names.member.1") == groupNames(id)[0]:
			result = "<TargetGroups><member><TargetGroupArn>" + group + "</TargetGroupArn></member></TargetGroups>"
		case action == "DescribeTargetGroups":
			return balancerRefused("TargetGroupNotFound")
		case action == "DescribeTags" && gone:
			return balancerRefused("TargetGroupNotFound")
		case action == "DescribeTags":
			result = "<TagDescriptions><member><ResourceArn>" + group + "</ResourceArn><Tags><member><Key>" + balancerTag + "</Key><Value>" + id + "</Value></member></Tags></member></TagDescriptions>"
		case action == "DeleteTargetGroup" && used:
			return balancerRefused("ResourceInUse")
		}
		return http.StatusOK, fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", action, result)
	})
	s := open(t, config(endpoint, seoul)).Session
	pending, err := s.Delete(t.Context(), "nlb", id)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Contains(t, pending.Reason, "web")
	used = false
	pending, err = s.Delete(t.Context(), "nlb", id)
	require.NoError(t, err)
	assert.Nil(t, pending)
	assert.Len(t, f.calls("DeleteTargetGroup"), 2)
	assert.Len(t, f.calls("DeleteLoadBalancer"), 1, "when all else is gone")
	gone = true
	_, err = s.Delete(t.Context(), "nlb", id)
	require.NoError(t, err)
	assert.Len(t, f.calls("DeleteLoadBalancer"), 2, "a target group that goes meanwhile is not the load balancer")
}

// While another target group takes the place of one, that may go between two looks.
func TestLoadBalancerWhoseTargetGroupGoesMeanwhile(t *testing.T) {
	const id, group = "arn:aws:elasticloadbalancing:ap-northeast-2:1:loadbalancer/net/web/1", "arn:aws:elasticloadbalancing:ap-northeast-2:1:targetgroup/web/1"
	_, endpoint := fake(t, func(form url.Values) (int, string) {
		action := form.Get("Action")
		if action == "DescribeTargetHealth" {
			return balancerRefused("TargetGroupNotFound")
		}
		result := map[string]string{
			"DescribeLoadBalancers": "<LoadBalancers><member><Type>network</Type><LoadBalancerArn>" + id + "</LoadBalancerArn></member></LoadBalancers>",
			"DescribeListeners":     "<Listeners><member><ListenerArn>arn:1</ListenerArn><Port>80</Port><DefaultActions><member><Type>forward</Type><TargetGroupArn>" + group + "</TargetGroupArn></member></DefaultActions></member></Listeners>",
			"DescribeTargetGroups":  "<TargetGroups><member><TargetGroupArn>" + group + "</TargetGroupArn></member></TargetGroups>",
		}[action]
		return http.StatusOK, fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", action, result)
	})
	found, err := open(t, config(endpoint, seoul)).Get(t.Context(), "nlb", id)
	require.NoError(t, err)
	assert.Equal(t, id, found.ID)
}

// AWS lets a VPC have one internet gateway. Of another one, which somebody attached between
// the look and our own, we are told in other words than of our own.
func TestGatewayOfSomebodyElseAtTheSameMoment(t *testing.T) {
	taken := false
	f, endpoint := fake(t, func(form url.Values) (int, string) {
		const one = `<vpcId>vpc-1</vpcId><state>available</state><tagSet><item><key>` + tokenTag + `</key><value>t</value></item></tagSet>`
		switch action := form.Get("Action"); {
		case action == "CreateVpc":
			return http.StatusOK, "<CreateVpcResponse><vpc>" + one + "</vpc></CreateVpcResponse>"
		case action == "DescribeVpcs":
			return http.StatusOK, "<DescribeVpcsResponse><vpcSet><item>" + one + "</item></vpcSet></DescribeVpcsResponse>"
		case action == "CreateInternetGateway":
			return http.StatusOK, "<CreateInternetGatewayResponse><internetGateway><internetGatewayId>igw-ours</internetGatewayId></internetGateway></CreateInternetGatewayResponse>"
		case action == "AttachInternetGateway":
			taken = true
			return http.StatusBadRequest, errorXML("InvalidParameterValue", "Network vpc-1 already has an internet gateway attached")
		case action == "DescribeInternetGateways" && taken:
			return http.StatusOK, "<DescribeInternetGatewaysResponse><internetGatewaySet><item><internetGatewayId>igw-theirs</internetGatewayId><attachmentSet><item><vpcId>vpc-1</vpcId><state>available</state></item></attachmentSet></item></internetGatewaySet></DescribeInternetGatewaysResponse>"
		default:
			return http.StatusOK, "<" + action + "Response/>"
		}
	})
	item, err := open(t, config(endpoint, seoul)).Create(t.Context(), "vpc", driver.ItemRequest{Token: "t", Name: "n", Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)})
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	assert.ErrorContains(t, err, "igw-theirs")
	assert.Equal(t, "vpc-1", item.ID, "which cannot be deleted before that is detached")
	assert.Len(t, f.calls("AttachInternetGateway"), 1, "it is not waited for")
}
