package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func testNLB(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	api := elb.NewFromConfig(sdk(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "nlb", nil, resource.VPCSpec{CIDR: "10.23.0.0/16"})
	subnet := create(t, s, resource.Subnet, "nlb", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.23.1.0/24"})
	vm := running(t, s, resource.VM, "nlb", resource.VMSpec{Image: anImage(t, s), Spec: "t3.micro", Subnet: subnet.ID})
	spec := resource.NLBSpec{
		VPC: vpc.ID, Protocol: "tcp", Port: 80, TargetPort: 8080, Members: []string{vm.ID},
		HealthCheck: resource.HealthCheck{Protocol: "http", Port: 8080, Path: "/healthz", IntervalSeconds: 30, TimeoutSeconds: 6, Threshold: 4},
	}
	// What a crash before the listener leaves.
	steps := nlbs{&session{elb: api, ec2: client(endpoint, seoul)}}
	half, err := steps.Make(t.Context(), driver.Request[resource.NLBSpec]{Token: tokenOf("nlb.web", "nlb"), Name: "nlb.web", Labels: map[string]string{"team": "infra"}, Spec: spec})
	require.NoError(t, err)
	name := groupNames(half.ID)[0]
	_, err = steps.createGroup(t.Context(), half.ID, name, spec, nil)
	require.NoError(t, err)

	made := create(t, s, resource.NLB, "nlb.web", map[string]string{"team": "infra"}, spec)
	assert.Equal(t, half.ID, made.ID)
	assert.Equal(t, made.ID, create(t, s, resource.NLB, "nlb.web", map[string]string{"team": "infra"}, spec).ID)
	shown := get(t, s, resource.NLB, made.ID)
	spec.Subnets = []string{subnet.ID} // chosen
	assert.Equal(t, spec, shown.Spec)
	assert.Equal(t, "nlb.web", shown.Name)
	assert.NotEmpty(t, shown.Status.DNSName)
	groups, err := api.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{LoadBalancerArn: aws.String(made.ID)})
	require.NoError(t, err)
	require.Len(t, groups.TargetGroups, 1)
	assert.Equal(t, name, aws.ToString(groups.TargetGroups[0].TargetGroupName))

	raw, err := s.View(t.Context(), "nlb", made.ID, "health", nil)
	require.NoError(t, err)
	assert.Contains(t, string(raw), vm.ID)

	names := func() []string { // of the target groups that there are
		var names []string
		for _, name := range groupNames(half.ID) {
			if found, err := api.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{Names: []string{name}}); err == nil {
				names = append(names, aws.ToString(found.TargetGroups[0].TargetGroupName))
			} else {
				require.ErrorContains(t, err, "TargetGroupNotFound")
			}
		}
		return names
	}
	spec.Port = 8443
	require.NoError(t, s.Act(t.Context(), "nlb", made.ID, "setlistener", []byte(`{"port":8443}`)))
	assert.Equal(t, spec, get(t, s, resource.NLB, made.ID).Spec)
	assert.Equal(t, []string{name}, names(), "the port alone takes no other group")
	// What a change leaves that did not get further.
	_, err = steps.createGroup(t.Context(), made.ID, groupNames(half.ID)[1], spec, nil)
	require.NoError(t, err)
	spec.TargetPort, spec.HealthCheck.Port = 9090, 9090
	for range 2 {
		require.NoError(t, s.Act(t.Context(), "nlb", made.ID, "settarget", []byte(`{"port":9090}`)))
		assert.Equal(t, spec, get(t, s, resource.NLB, made.ID).Spec, "with its members and its check, which follows")
		assert.Equal(t, []string{groupNames(half.ID)[1]}, names(), "the other one takes its place")
	}
	tags, err := api.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{made.ID}})
	require.NoError(t, err)
	assert.NotEmpty(t, tags.TagDescriptions[0].Tags)
	spec.TargetPort, spec.HealthCheck.Port = 9091, 7070
	require.NoError(t, s.Act(t.Context(), "nlb", made.ID, "sethealthcheck", []byte(`{"protocol":"http","port":7070,"path":"/healthz","intervalSeconds":30,"timeoutSeconds":6,"threshold":4}`)))
	require.NoError(t, s.Act(t.Context(), "nlb", made.ID, "settarget", []byte(`{"port":9091}`)))
	assert.Equal(t, spec, get(t, s, resource.NLB, made.ID).Spec, "a check of another port stays")
	assert.Equal(t, []string{name}, names(), "and back")

	require.NoError(t, s.Delete(t.Context(), "nlb", made.ID))
	require.NoError(t, s.Delete(t.Context(), "nlb", made.ID), "again")
	assert.Empty(t, names(), "they go with their load balancer")

	// moto changes no listener to UDP, so that it is shown the other way round.
	spec.Protocol, spec.Port = "udp", 53
	udp := create(t, s, resource.NLB, "nlb.dns", nil, spec)
	assert.Equal(t, "udp", get(t, s, resource.NLB, udp.ID).Spec.Protocol)
	require.NoError(t, s.Act(t.Context(), "nlb", udp.ID, "setlistener", []byte(`{"protocol":"tcp"}`)))
	spec.Protocol = "tcp"
	assert.Equal(t, spec, get(t, s, resource.NLB, udp.ID).Spec)
	require.NoError(t, s.Delete(t.Context(), "nlb", udp.ID))
}

// What others have made has parts too: those that it names. What merely has its name is
// somebody else's.
func testStrangersOfALoadBalancer(t *testing.T, endpoint string) {
	s := open(t, config(endpoint, seoul))
	api := elb.NewFromConfig(sdk(endpoint, seoul))
	vpc := create(t, s, resource.VPC, "strangers", nil, resource.VPCSpec{CIDR: "10.34.0.0/16"})
	subnet := create(t, s, resource.Subnet, "strangers", nil, resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.34.1.0/24"})
	group := func(name string) string {
		made, err := api.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{Name: aws.String(name), Protocol: "TCP", Port: aws.Int32(80), VpcId: aws.String(vpc.ID), TargetType: "instance"})
		require.NoError(t, err)
		return aws.ToString(made.TargetGroups[0].TargetGroupArn)
	}
	const name = "strangers-web"
	balancer, err := api.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String(name), Type: "network", Subnets: []string{subnet.ID}})
	require.NoError(t, err)
	id, own := aws.ToString(balancer.LoadBalancers[0].LoadBalancerArn), group("strangers-own")
	strangers := []string{group(name), group(groupNames(id)[0]), group(groupNames(id)[1])}
	_, err = api.CreateListener(t.Context(), &elb.CreateListenerInput{LoadBalancerArn: aws.String(id), Protocol: "TCP", Port: aws.Int32(80), DefaultActions: forwardTo(own)})
	require.NoError(t, err)

	err = s.Act(t.Context(), "nlb", id, "settarget", []byte(`{"port":81}`))
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "the name of the other group is taken: %v", err)
	require.NoError(t, s.Delete(t.Context(), "nlb", id))
	left, err := api.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{TargetGroupArns: strangers})
	require.NoError(t, err)
	assert.Len(t, left.TargetGroups, len(strangers))
	_, err = api.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{own}})
	assert.ErrorContains(t, err, "TargetGroupNotFound")
}
