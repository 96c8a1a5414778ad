package openstack_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// elsewhere does with the cloud what other tools do.
func elsewhere(t *testing.T, s drivertest.Patient, service, path, body string) {
	t.Helper()
	answer, err := s.Native(t.Context(), driver.NativeRequest{Service: service, Method: http.MethodPost, Path: path, Body: body})
	require.NoError(t, err)
	require.Less(t, answer.Status, http.StatusMultipleChoices, answer.Body)
}

func TestRulesOfOtherTools(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	vpc := create(t, s, resource.VPC, "rules", nil, resource.VPCSpec{CIDR: "10.1.0.0/16"}).ID
	out := resource.Rule{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"}
	group := create(t, s, resource.SecurityGroup, "rules", nil, resource.SecurityGroupSpec{VPC: vpc, Rules: []resource.Rule{out}})
	assert.Empty(t, group.Status.OtherRules)
	plant := func(rule string) {
		t.Helper()
		elsewhere(t, s, "network", "/v2.0/security-group-rules", `{"security_group_rule": {"security_group_id": "`+group.ID+`", "direction": "ingress", `+rule+`}}`)
	}
	plant(`"protocol": "icmp", "port_range_min": 0, "port_range_max": 0`)
	plant(`"protocol": "6", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.7/24"`)
	plant(`"protocol": "vrrp"`)
	plant(`"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_group_id": "` + group.ID + `"`)
	plant(`"ethertype": "IPv6"`)

	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "10.0.0.0/24"}
	web := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"}
	ping := resource.Rule{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"}
	others := func(group typed[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) []string {
		var all []string
		for _, r := range group.Status.OtherRules {
			assert.NotEmpty(t, r.CloudID)
			all = append(all, r.Description)
		}
		assert.Len(t, all, group.Status.OtherRuleCount)
		return all
	}
	planted := []string{
		"in: all from ::/0", "in: icmp type 0 code 0 from 0.0.0.0/0", "in: tcp 22 from the security group " + group.ID, "in: vrrp from 0.0.0.0/0",
	}
	group = settled(t, s, resource.SecurityGroup, group.ID)
	assert.Equal(t, []resource.Rule{ssh, out}, group.Spec.Rules)
	assert.Equal(t, planted, others(group))

	change := resource.RuleChange{Rules: []resource.Rule{ping, ssh, web}}
	for range 2 {
		group = act(t, s, resource.SecurityGroup, group.ID, "addrules", change)
		assert.Equal(t, []resource.Rule{ping, ssh, web, out}, group.Spec.Rules)
		assert.Equal(t, planted, others(group))
	}
	group = act(t, s, resource.SecurityGroup, group.ID, "removerules", change)
	assert.Equal(t, []resource.Rule{out}, group.Spec.Rules)
	assert.Equal(t, planted, others(group), "nothing else is removed")

	plant(`"protocol": "icmp", "port_range_min": 8, "remote_ip_prefix": "10.9.0.0/16"`)
	ping.CIDR = "10.9.0.0/16"
	group = act(t, s, resource.SecurityGroup, group.ID, "addrules", resource.RuleChange{Rules: []resource.Rule{ping}})
	assert.Equal(t, []resource.Rule{ping, out}, group.Spec.Rules)
	assert.Contains(t, others(group), "in: icmp type 8 from 10.9.0.0/16")
}

func TestServersOfOtherTools(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	vpc, subnet, group := place(t, s, "twofold")
	elsewhere(t, s, "network", "/v2.0/subnets", `{"subnet": {"network_id": "`+vpc+`", "name": "six", "ip_version": 6, "cidr": "fd00:1::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}`)
	var six string
	for id, sub := range all(t, s, resource.Subnet) {
		if sub.Spec.VPC == vpc && id != subnet {
			six = id
			assert.Equal(t, "fd00:1::/64", sub.Status.IPv6CIDR)
			assert.Empty(t, sub.Spec.CIDR)
		}
	}
	require.NotEmpty(t, six)

	vm := create(t, s, resource.VM, "twofold", nil, resource.VMSpec{Image: anImage(t, s), Spec: "m1.tiny", Subnet: subnet, SecurityGroups: []string{group}})
	assert.Equal(t, subnet, vm.Spec.Subnet)
	assert.True(t, strings.HasPrefix(vm.Status.PrivateAddress, "10.1.1."), vm.Status.PrivateAddress)
	require.Len(t, vm.Status.IPv6Addresses, 1)
	assert.True(t, strings.HasPrefix(vm.Status.IPv6Addresses[0], "fd00:1:"))

	nic := create(t, s, resource.NIC, "twofold", nil, resource.NICSpec{Subnet: subnet})
	require.Len(t, nic.Status.IPv6Addresses, 1)
	changed := act(t, s, resource.NIC, nic.ID, "addaddresses", resource.AddressChange{Addresses: []string{"10.1.1.99"}})
	assert.Equal(t, []string{"10.1.1.99"}, changed.Status.SecondaryAddresses)
	assert.Equal(t, nic.Status.IPv6Addresses, changed.Status.IPv6Addresses)

	for _, do := range []string{"pause", "suspend", "shelve"} {
		elsewhere(t, s, "compute", "/servers/"+vm.ID+"/action", `{"`+do+`": null}`)
		var was string
		until(t, func() bool {
			is := settled(t, s, resource.VM, vm.ID)
			was = is.CloudState
			return is.State == resource.StateStopped
		}, "%s", do)
		assert.True(t, slices.Contains([]string{"PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED"}, was), was)
		require.NoError(t, s.Act(t.Context(), "vm", vm.ID, "start", nil), was)
		until(t, func() bool { return settled(t, s, resource.VM, vm.ID).State == resource.StateRunning }, "start of %s", was)
	}
	elsewhere(t, s, "compute", "/servers/"+vm.ID+"/action", `{"rescue": null}`)
	until(t, func() bool {
		item, err := s.Get(t.Context(), "vm", vm.ID)
		require.NoError(t, err)
		return item.State == resource.StateUpdating && item.CloudState == "RESCUE"
	}, "rescue")
	elsewhere(t, s, "compute", "/servers/"+vm.ID+"/action", `{"unrescue": null}`)
	until(t, func() bool { return settled(t, s, resource.VM, vm.ID).State == resource.StateRunning }, "unrescue")
	remove(t, s, resource.VM, vm.ID)
}
