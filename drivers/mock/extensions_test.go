package mock

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestExtensions(t *testing.T) {
	r := newRig(t)
	oneOfEach(t, r)
	s := r.connect()
	run := func(name, input string) string {
		t.Helper()
		output, err := s.Extend(t.Context(), name, json.RawMessage(input))
		require.NoError(t, err)
		return string(output)
	}
	require.JSONEq(t, `{"Count":1}`, run("countAll", `{"rsType":"vpc"}`))
	create(t, s, "vpc", "more", vpcSpec())
	require.JSONEq(t, `{"Count":2}`, run("countAll", `{"rsType":"vpc"}`))
	_, err := s.Extend(t.Context(), "countAll", json.RawMessage(`{"rsType":"moon"}`))
	require.Equal(t, "rsType", cloudError(t, err).Fields[0].Field)
	require.JSONEq(t, `{"text":"hello","values":{"a":"b"},"account":"default","region":"mock-seoul"}`, run("echo", `{"text":"hello","values":{"a":"b"}}`))
	_, err = s.Extend(t.Context(), "echo", json.RawMessage(`{"text":"x","fail":"quota"}`))
	require.Equal(t, resource.CodeQuota, cloudError(t, err).Code)
	_, err = r.connect("failCall", "1").Extend(t.Context(), "echo", json.RawMessage(`{"text":"x"}`))
	require.Equal(t, resource.CodeUnavailable, cloudError(t, err).Code)
}

func TestPlantedRules(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	vpc := create(t, s, "vpc", "net", vpcSpec()).ID
	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "10.0.0.0/24"}
	ping := resource.Rule{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"}
	out := resource.Rule{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"}
	group := create(t, s, "securitygroup", "sg", resource.SecurityGroupSpec{VPC: vpc, Rules: []resource.Rule{out}}).ID
	plant := func(protocol, detail, peer string) string {
		t.Helper()
		input, err := json.Marshal(plantRuleInput{group, "in", protocol, detail, peer})
		require.NoError(t, err)
		output, err := s.Extend(t.Context(), "plantRule", input)
		require.NoError(t, err)
		return decoded[plantRuleOutput](t, output).CloudID
	}
	rules := func() []resource.Rule {
		return decoded[resource.SecurityGroupSpec](t, get(t, s, "securitygroup", group).Spec).Rules
	}
	plant("6", "22", "10.0.0.7/24")
	require.Equal(t, []resource.Rule{out, ssh}, rules(), "what rules have words for is one")
	others := []resource.OtherRule{
		{CloudID: plant("icmp", "type 0 code 0", "0.0.0.0/0"), Description: "in: icmp type 0 code 0 from 0.0.0.0/0"},
		{CloudID: plant("tcp", "22", "::/0"), Description: "in: tcp 22 from ::/0"},
		{CloudID: plant("tcp", "22", "the security group sg-1"), Description: "in: tcp 22 from the security group sg-1"},
		{CloudID: plant("vrrp", "", "0.0.0.0/0"), Description: "in: vrrp from 0.0.0.0/0"},
	}
	plant("vrrp", "", "0.0.0.0/0") // again
	for _, step := range []struct {
		action string
		rules  []resource.Rule
	}{{"addrules", []resource.Rule{out, ssh, ping}}, {"removerules", []resource.Rule{out}}} {
		require.NoError(t, act(t, s, "securitygroup", group, step.action, resource.RuleChange{Rules: []resource.Rule{ssh, ping}}))
		require.Equal(t, step.rules, rules())
		for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
			require.Equal(t, resource.SecurityGroupStatus{OtherRuleCount: 4, OtherRules: others}, decoded[resource.SecurityGroupStatus](t, get(t, s, "securitygroup", group).Status))
		}
	}
}

func TestIPv6(t *testing.T) {
	r := newRig(t)
	ids := oneOfEach(t, r)
	s := r.connect("ipv6", "true")
	subnet := decoded[resource.SubnetStatus](t, get(t, s, "subnet", ids["subnet"]).Status)
	within := netip.MustParsePrefix(subnet.IPv6CIDR)
	vm := decoded[resource.VMStatus](t, get(t, s, "vm", ids["vm"]).Status)
	nic := decoded[resource.NICStatus](t, get(t, s, "nic", ids["nic"]).Status)
	require.NotEqual(t, vm.IPv6Addresses, nic.IPv6Addresses)
	for _, addresses := range [][]string{vm.IPv6Addresses, nic.IPv6Addresses} {
		require.Len(t, addresses, 1)
		require.True(t, within.Contains(netip.MustParseAddr(addresses[0])))
	}
	require.True(t, netip.MustParseAddr(vm.PrivateAddress).Is4())
	require.Empty(t, decoded[resource.VMStatus](t, get(t, r.connect(), "vm", ids["vm"]).Status).IPv6Addresses)
}

func TestNative(t *testing.T) {
	r := newRig(t)
	ids := oneOfEach(t, r)
	s := r.connect()
	call := func(method, path, body string) (int, string) {
		t.Helper()
		answer, err := s.Native(t.Context(), driver.NativeRequest{Service: "mock", Method: method, Path: path, Body: body})
		require.NoError(t, err)
		require.NotEmpty(t, answer.Headers["X-Request-Id"])
		return answer.Status, answer.Body
	}
	for _, k := range resource.Kinds() {
		status, body := call("", "/"+k.Plural(), "")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, ids[k.Name])
		status, body = call(http.MethodGet, "/"+k.Plural()+"/"+ids[k.Name], "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, ids[k.Name], decoded[struct{ ID string }](t, json.RawMessage(body)).ID)
	}
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"", "", http.StatusNotFound},
		{"", "/moons", http.StatusNotFound},
		{"", "/vms/vm-x", http.StatusNotFound},
		{http.MethodDelete, "/vms", http.StatusMethodNotAllowed},
	} {
		status, body := call(test.method, test.path, "")
		require.Equal(t, test.status, status, test.path)
		require.Contains(t, body, "error")
	}
	status, body := call(http.MethodPost, "/echo", "anything")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "anything", body)
	_, err := s.Native(t.Context(), driver.NativeRequest{Service: "ec2"})
	require.Equal(t, "service", cloudError(t, err).Fields[0].Field)
	other := r.connectTo(driver.Config{Region: "mock-tokyo"})
	answer, err := other.Native(t.Context(), driver.NativeRequest{Service: "mock", Path: "/vms"})
	require.NoError(t, err)
	require.JSONEq(t, `{"vms":[]}`, answer.Body)
}

func TestWhatIsLacking(t *testing.T) {
	s := newRig(t).connect("lacks", "nlb,price")
	place, err := s.Place(t.Context())
	require.NoError(t, err)
	require.Equal(t, "default", place.Account)
	require.Len(t, place.Lacks, 2)
	_, err = s.Create(t.Context(), "nlb", request(t, "web", resource.NLBSpec{}))
	require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	require.ErrorContains(t, err, "the setting lacks")
	for _, err := range s.Catalog(t.Context(), "price", nil) {
		require.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	}
	create(t, s, "vpc", "net", vpcSpec())
}
