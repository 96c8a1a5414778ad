package resource_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWordsOfRules(t *testing.T) {
	for named, word := range map[string]string{"tcp": "tcp", "6": "tcp", "TCP": "tcp", "udp": "udp", "17": "udp", "icmp": "icmp", "1": "icmp"} {
		got, ok := resource.RuleProtocol(named)
		assert.True(t, ok, named)
		assert.Equal(t, word, got, named)
	}
	for _, named := range []string{"", "icmpv6", "58", "66", "vrrp"} {
		got, ok := resource.RuleProtocol(named)
		assert.False(t, ok, named)
		assert.Equal(t, named, got)
	}
	for text, cidr := range map[string]string{"0.0.0.0/0": "0.0.0.0/0", "10.0.0.7/24": "10.0.0.0/24", "10.0.0.7": "10.0.0.7/32"} {
		got, ok := resource.RuleCIDR(text)
		assert.True(t, ok, text)
		assert.Equal(t, cidr, got, text)
	}
	for _, text := range []string{"::/0", "fd00::1", "sg-1", ""} {
		_, ok := resource.RuleCIDR(text)
		assert.False(t, ok, text)
	}
}

func TestOtherRulesHaveOneOrder(t *testing.T) {
	var status resource.SecurityGroupStatus
	status.SetOtherRules([]resource.OtherRule{
		resource.NewOtherRule("2", "out", "all", "", "::/0"),
		resource.NewOtherRule("3", "in", "icmp", "type 0 code 0", "0.0.0.0/0"),
		resource.NewOtherRule("1", "out", "all", "", "::/0"),
	})
	assert.Equal(t, resource.SecurityGroupStatus{OtherRuleCount: 3, OtherRules: []resource.OtherRule{
		{CloudID: "3", Description: "in: icmp type 0 code 0 from 0.0.0.0/0"},
		{CloudID: "1", Description: "out: all to ::/0"},
		{CloudID: "2", Description: "out: all to ::/0"},
	}}, status)
}

func TestLoginOfAVMWithIPv6Alone(t *testing.T) {
	spec := resource.VMSpec{}
	assert.Equal(t, "10.0.0.5", spec.Login(&resource.VMStatus{PrivateAddress: "10.0.0.5", IPv6Addresses: []string{"fd00::5"}}).Private)
	assert.Equal(t, "fd00::5", spec.Login(&resource.VMStatus{IPv6Addresses: []string{"fd00::5"}}).Private)
}

func TestDetailsOfRules(t *testing.T) {
	eight, zero := 8, 0
	assert.Empty(t, resource.RuleDetail("tcp", nil, nil))
	assert.Equal(t, "8", resource.RuleDetail("tcp", &eight, &eight))
	assert.Equal(t, "8", resource.RuleDetail("tcp", &eight, nil))
	assert.Equal(t, "0-8", resource.RuleDetail("udp", &zero, &eight))
	assert.Equal(t, "type 8", resource.RuleDetail("ipv6-icmp", &eight, nil))
	assert.Equal(t, "type 8 code 0", resource.RuleDetail("1", &eight, &zero))
}
