package mock

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// crowded is a cloud in which 10,000 VMs are already.
func crowded(b *testing.B) (drivertest.Patient, network, []string) {
	b.Helper()
	s := newRig(b).connect()
	n := build(b, s)
	vpc := create(b, s, "vpc", "large", resource.VPCSpec{CIDR: "10.0.0.0/8"}).ID
	n.subnet = create(b, s, "subnet", "large", resource.SubnetSpec{VPC: vpc, CIDR: "10.0.0.0/9"}).ID
	n.group = create(b, s, "securitygroup", "large", resource.SecurityGroupSpec{VPC: vpc}).ID
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = create(b, s, "vm", fmt.Sprintf("vm%d", i), n.vm()).ID
	}
	b.ReportAllocs()
	return s, n, ids
}

func BenchmarkCreate(b *testing.B) {
	s, n, _ := crowded(b)
	r := request(b, "", n.vm())
	i := 0
	for b.Loop() {
		i++
		r.Token = fmt.Sprint("new", i)
		_, err := s.Create(b.Context(), "vm", r)
		require.NoError(b, err)
	}
}

func BenchmarkGet(b *testing.B) {
	s, _, ids := crowded(b)
	i := 0
	for b.Loop() {
		i++
		_, err := s.Get(b.Context(), "vm", ids[i%len(ids)])
		require.NoError(b, err)
	}
}

func BenchmarkList(b *testing.B) {
	s, _, ids := crowded(b)
	for b.Loop() {
		count := 0
		for _, err := range s.List(b.Context(), "vm") {
			require.NoError(b, err)
			count++
		}
		require.Len(b, ids, count)
	}
}

func BenchmarkStopAndStart(b *testing.B) {
	s, _, ids := crowded(b)
	i := 0
	for b.Loop() {
		i++
		id := ids[i%len(ids)]
		require.NoError(b, s.Act(b.Context(), "vm", id, "stop", nil))
		require.NoError(b, s.Act(b.Context(), "vm", id, "start", nil))
	}
}
