package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// view asks for a view of an object.
func view[V any](t testing.TB, s drivertest.Patient, kind, id, name string) V {
	t.Helper()
	raw, err := s.View(t.Context(), kind, id, name, nil)
	require.NoError(t, err)
	return decoded[V](t, raw)
}

func TestNLBIsChecked(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	empty := create(t, s, "vpc", "empty", vpcSpec()).ID
	elsewhere := create(t, s, "vpc", "elsewhere", vpcSpec()).ID
	far := create(t, s, "subnet", "far", resource.SubnetSpec{VPC: elsewhere, CIDR: "10.0.0.0/24"}).ID
	stranger := n.vm()
	stranger.Subnet, stranger.SecurityGroups = far, nil
	foreign := create(t, s, "vm", "foreign", stranger).ID
	for _, test := range []struct {
		name, field, code string
		change            func(*resource.NLBSpec)
	}{
		{"vpc", "spec.vpc", "InvalidVPCID.NotFound", func(s *resource.NLBSpec) { s.VPC = "vpc-x" }},
		{"no vpc", "spec.vpc", "MissingParameter", func(s *resource.NLBSpec) { s.VPC = "" }},
		{"subnet", "spec.subnets[0]", "InvalidParameterCombination", func(s *resource.NLBSpec) { s.Subnets = []string{far} }},
		{"member", "spec.members[0]", "InvalidVMID.NotFound", func(s *resource.NLBSpec) { s.Members = []string{"vm-x"} }},
		{"foreign member", "spec.members[0]", "InvalidParameterCombination", func(s *resource.NLBSpec) { s.Members = []string{foreign} }},
		{"health check", "spec.healthCheck.path", "InvalidParameterValue", func(s *resource.NLBSpec) { s.HealthCheck.Path = "/x" }},
		{"no room", "spec.subnets", "SubnetNotFound", func(s *resource.NLBSpec) { s.VPC, s.Internal = empty, true }},
	} {
		spec := resource.NLBSpec{VPC: n.vpc, Protocol: "tcp", Port: 80}
		test.change(&spec)
		e := refused(t, s, "nlb", test.name, spec)
		require.Equal(t, resource.CodeInvalid, e.Code, test.name)
		require.Equal(t, test.code, e.Cloud.Code, test.name)
		require.Equal(t, test.field, e.Fields[0].Field, test.name)
	}
	require.Empty(t, list(t, s, "nlb"))
	free := decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses
	internal := create(t, s, "nlb", "internal", resource.NLBSpec{VPC: n.vpc, Protocol: "udp", Port: 53, Internal: true})
	require.Regexp(t, `^10\.0\.0\.`, decoded[resource.NLBStatus](t, internal.Status).Address)
	require.Equal(t, free-1, decoded[resource.SubnetStatus](t, get(t, s, "subnet", n.subnet).Status).AvailableAddresses)
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "vpc", n.vpc)).Code)
}

func TestNLBFindsItsMembersHealthy(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s, quick := r.connect("latency", "10s"), r.connect()
	one, two := create(t, quick, "vm", "one", n.vm()).ID, create(t, quick, "vm", "two", n.vm()).ID
	nlb := create(t, s, "nlb", "web", resource.NLBSpec{VPC: n.vpc, Subnets: []string{n.subnet}, Protocol: "tcp", Port: 80, TargetPort: 8080, Members: []string{one}}).ID
	spec := func() resource.NLBSpec {
		t.Helper()
		spec := decoded[resource.NLBSpec](t, get(t, s, "nlb", nlb).Spec)
		require.Equal(t, spec, decoded[resource.NLBSpec](t, get(t, r.reopened().connect(), "nlb", nlb).Spec))
		return spec
	}
	health := func() map[string]string {
		t.Helper()
		states := map[string]string{}
		answer := view[resource.Health](t, s, "nlb", nlb, "health")
		for _, m := range answer.Members {
			states[m.VM] = m.State
			require.Equal(t, m.State == "healthy", m.Reason == "", "what is not well has a reason")
		}
		require.Equal(t, answer, view[resource.Health](t, r.reopened().connect(), "nlb", nlb, "health"))
		return states
	}
	require.Equal(t, map[string]string{one: "unknown"}, health())
	r.advance(10 * time.Second)
	status := decoded[resource.NLBStatus](t, get(t, s, "nlb", nlb).Status)
	require.Regexp(t, `^100\.64\.`, status.Address)
	require.Equal(t, nlb+".mock-seoul.mock.invalid", status.DNSName)
	require.Equal(t, resource.HealthCheck{Protocol: "tcp", Port: 8080, IntervalSeconds: 10, TimeoutSeconds: 5, Threshold: 3}, spec().HealthCheck)
	require.Equal(t, map[string]string{one: "unknown"}, health(), "it is checked only now")
	r.advance(10 * time.Second)
	require.Equal(t, map[string]string{one: "healthy"}, health())

	change := func(action string, members ...string) {
		t.Helper()
		require.NoError(t, act(t, s, "nlb", nlb, action, resource.MemberChange{Members: members}))
	}
	change("addmembers", one, two)
	require.Equal(t, resource.StateUpdating, get(t, s, "nlb", nlb).State)
	require.Equal(t, []string{one}, spec().Members, "not yet")
	r.advance(10 * time.Second)
	require.Equal(t, []string{one, two}, spec().Members)
	require.Equal(t, map[string]string{one: "healthy", two: "unknown"}, health())
	r.advance(10 * time.Second)
	require.Equal(t, map[string]string{one: "healthy", two: "healthy"}, health())
	change("addmembers", two)
	require.Equal(t, resource.StateAvailable, get(t, s, "nlb", nlb).State, "nothing happens")
	require.NoError(t, act(t, quick, "vm", two, "stop", nil))
	require.Equal(t, map[string]string{one: "healthy", two: "unhealthy"}, health())

	require.NoError(t, act(t, s, "nlb", nlb, "setlistener", resource.ListenerChange{Port: 8443}))
	require.Equal(t, resource.StateUpdating, get(t, s, "nlb", nlb).State)
	r.advance(10 * time.Second)
	require.NoError(t, act(t, s, "nlb", nlb, "setlistener", resource.ListenerChange{Protocol: "udp", Port: 8443}))
	r.advance(10 * time.Second)
	require.Equal(t, []any{"udp", 8443, 8080}, []any{spec().Protocol, spec().Port, spec().TargetPort})
	require.NoError(t, act(t, s, "nlb", nlb, "setlistener", resource.ListenerChange{Protocol: "udp", Port: 8443}))
	require.Equal(t, resource.StateAvailable, get(t, s, "nlb", nlb).State, "nothing happens")
	require.NoError(t, act(t, s, "nlb", nlb, "settarget", resource.TargetChange{Port: 9090}))
	r.advance(10 * time.Second)
	require.Equal(t, []int{8443, 9090, 9090}, []int{spec().Port, spec().TargetPort, spec().HealthCheck.Port}, "the check follows")
	require.NoError(t, act(t, s, "nlb", nlb, "sethealthcheck", resource.HealthCheck{Protocol: "tcp", Port: 7070}))
	r.advance(10 * time.Second)
	require.NoError(t, act(t, s, "nlb", nlb, "settarget", resource.TargetChange{Port: 8080}))
	r.advance(10 * time.Second)
	require.Equal(t, []int{8080, 7070}, []int{spec().TargetPort, spec().HealthCheck.Port}, "a check of another port stays")

	require.NoError(t, act(t, s, "nlb", nlb, "sethealthcheck", resource.HealthCheck{Protocol: "http"}))
	r.advance(10 * time.Second)
	require.Equal(t, resource.HealthCheck{Protocol: "http", Port: 8080, Path: "/", IntervalSeconds: 10, TimeoutSeconds: 5, Threshold: 3}, spec().HealthCheck)
	require.Equal(t, resource.CodeInvalid, cloudError(t, act(t, s, "nlb", nlb, "sethealthcheck", resource.HealthCheck{IntervalSeconds: 5, TimeoutSeconds: 6})).Code)

	require.NoError(t, quick.Delete(t.Context(), "vm", two), "members are not kept")
	require.Equal(t, []string{one}, spec().Members)
	require.Equal(t, map[string]string{one: "healthy"}, health())
	change("removemembers", one, "vm-x")
	r.advance(10 * time.Second)
	require.Empty(t, spec().Members)
	require.NoError(t, s.Delete(t.Context(), "nlb", nlb))
	require.Equal(t, resource.StateDeleting, get(t, s, "nlb", nlb).State)
	r.advance(10 * time.Second)
	_, err := s.View(t.Context(), "nlb", nlb, "health", nil)
	require.Equal(t, resource.CodeNotFound, cloudError(t, err).Code)
}
