package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestFileShareIsChecked(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	far := create(t, s, "subnet", "far", resource.SubnetSpec{VPC: create(t, s, "vpc", "elsewhere", vpcSpec()).ID, CIDR: "10.0.0.0/24"}).ID
	for _, test := range []struct {
		field, says string
		change      func(*resource.FileShareSpec)
	}{
		{"spec.vpc", "missing", func(s *resource.FileShareSpec) { s.VPC = "" }},
		{"spec.subnets[1]", "choose one of that", func(s *resource.FileShareSpec) { s.Subnets = append(s.Subnets, far) }},
		{"spec.tier", "standard, premium", func(s *resource.FileShareSpec) { s.Tier = "golden" }},
		{"spec.zone", "mock-seoul-a", func(s *resource.FileShareSpec) { s.Zone = "mock-tokyo-a" }},
	} {
		spec := resource.FileShareSpec{VPC: n.vpc, Subnets: []string{n.subnet}}
		test.change(&spec)
		e := refused(t, s, "fileshare", "bad", spec)
		require.Equal(t, resource.CodeInvalid, e.Code)
		require.Equal(t, test.field, e.Fields[0].Field)
		require.ErrorContains(t, e, test.says)
	}
}

func TestFileShareAndItsMountTargets(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	beside := create(t, r.connect(), "subnet", "beside", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.128.0/24"}).ID
	s := r.connect("latency", "10s")
	id := create(t, s, "fileshare", "home", resource.FileShareSpec{VPC: n.vpc, Subnets: []string{n.subnet}, SizeGiB: 100}).ID
	shown := func() (driver.Item, map[string]resource.MountTarget) {
		t.Helper()
		item := get(t, s, "fileshare", id)
		require.Equal(t, item, get(t, r.reopened().connect(), "fileshare", id))
		mounts := map[string]resource.MountTarget{}
		for _, m := range decoded[resource.FileShareStatus](t, item.Status).Mounts {
			mounts[m.Name] = m
		}
		return item, mounts
	}
	do := func(action string, params any) error { return act(t, s, "fileshare", id, action, params) }
	_, mounts := shown()
	require.Equal(t, resource.StateCreating, mounts["sub"].State)
	require.Empty(t, mounts["sub"].Address)
	r.advance(10 * time.Second)
	_, mounts = shown()
	require.Equal(t, n.subnet, mounts["sub"].Subnet)
	require.Equal(t, "mount -t nfs -o nfsvers=4.1,hard "+mounts["sub"].Address+":/ /mnt", mounts["sub"].Command)

	require.NoError(t, do("addsubnets", resource.SubnetChange{Subnets: []string{n.subnet, beside}}))
	item, mounts := shown()
	require.Equal(t, resource.StateUpdating, item.State)
	require.Equal(t, resource.StateAvailable, mounts["sub"].State)
	require.Equal(t, resource.StateCreating, mounts["beside"].State)
	r.advance(10 * time.Second)
	require.NoError(t, do("addsubnets", resource.SubnetChange{Subnets: []string{beside}}), "again")
	e := cloudError(t, s.Delete(t.Context(), "subnet", beside))
	require.Equal(t, resource.CodeDependency, e.Code, "a mount target is in it")
	require.Contains(t, e.Message, "fileshare home")

	require.Equal(t, "sizeGiB", cloudError(t, do("resize", resource.FileShareSize{SizeGiB: 99})).Fields[0].Field)
	require.NoError(t, do("resize", resource.FileShareSize{SizeGiB: 200}))
	r.advance(10 * time.Second)
	require.NoError(t, do("removesubnets", resource.SubnetChange{Subnets: []string{beside}}))
	_, mounts = shown()
	require.Equal(t, resource.StateDeleting, mounts["beside"].State)
	r.advance(10 * time.Second)
	item, mounts = shown()
	require.Len(t, mounts, 1)
	require.Equal(t, 200, decoded[resource.FileShareSpec](t, item.Spec).SizeGiB)
	require.NoError(t, s.Delete(t.Context(), "subnet", beside))

	elastic := create(t, s, "fileshare", "elastic", resource.FileShareSpec{VPC: n.vpc, Protocol: "smb"}).ID
	r.advance(10 * time.Second)
	require.Equal(t, "sizeGiB", cloudError(t, act(t, s, "fileshare", elastic, "resize", resource.FileShareSize{SizeGiB: 1})).Fields[0].Field)
	failing := r.connect("failGroups", "sub")
	require.Equal(t, resource.StateFailed, decoded[resource.FileShareStatus](t, get(t, failing, "fileshare", id).Status).Mounts[0].State)
}

// TestMountTargetsOneByOne has a file share made and removed in steps.
func TestMountTargetsOneByOne(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	beside := create(t, r.connect(), "subnet", "beside", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.128.0/24"}).ID
	s := r.connect("latency", "10s", "parts", "true")
	spec := resource.FileShareSpec{VPC: n.vpc, Subnets: []string{n.subnet, beside}}
	item := create(t, s, "fileshare", "home", spec)
	require.Len(t, decoded[resource.FileShareStatus](t, item.Status).Mounts, 2, "the creation has waited for them")
	r.advance(10 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "fileshare", item.ID))
	r.advance(10 * time.Second)
	requireGone(t, s, "fileshare", item.ID)
	never := r.connect("parts", "true", "failPart", "1")
	require.Equal(t, resource.CodeCapacity, refused(t, never, "fileshare", "never", spec).Code)
}
