package mock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// diskOf is a disk as the cloud shows it.
func diskOf(t testing.TB, s drivertest.Patient, id string) (resource.State, resource.DiskSpec, resource.DiskStatus) {
	t.Helper()
	item := get(t, s, "disk", id)
	return item.State, decoded[resource.DiskSpec](t, item.Spec), decoded[resource.DiskStatus](t, item.Status)
}

func TestDiskIsChecked(t *testing.T) {
	s := newRig(t).connect()
	full := create(t, s, "disk", "full", resource.DiskSpec{SizeGiB: 20, Type: "HDD", Zone: "mock-seoul-b"})
	snapshot := create(t, s, "snapshot", "snap", resource.SnapshotSpec{Disk: full.ID}).ID
	for _, test := range []struct {
		name, field, code string
		spec              resource.DiskSpec
	}{
		{"none", "spec.sizeGiB", "InvalidVolumeSize", resource.DiskSpec{}},
		{"large", "spec.sizeGiB", "InvalidVolumeSize", resource.DiskSpec{SizeGiB: 16385}},
		{"small for its type", "spec.sizeGiB", "InvalidVolumeSize", resource.DiskSpec{SizeGiB: 9, Type: "MEM"}},
		{"type", "spec.type", "InvalidVolumeType", resource.DiskSpec{SizeGiB: 10, Type: "gp3"}},
		{"zone", "spec.zone", "InvalidZone", resource.DiskSpec{SizeGiB: 10, Zone: "mock-tokyo-a"}},
		{"snapshot", "spec.snapshot", "InvalidSnapshotID.NotFound", resource.DiskSpec{SizeGiB: 10, Snapshot: "snap-x"}},
		{"smaller than its snapshot", "spec.sizeGiB", "InvalidVolumeSize", resource.DiskSpec{SizeGiB: 19, Snapshot: snapshot}},
	} {
		e := refused(t, s, "disk", test.name, test.spec)
		require.Equal(t, resource.CodeInvalid, e.Code, test.name)
		require.Equal(t, test.code, e.Cloud.Code, test.name)
		require.Equal(t, test.field, e.Fields[0].Field, test.name)
	}
	_, spec, _ := diskOf(t, s, create(t, s, "disk", "default", resource.DiskSpec{SizeGiB: 1}).ID)
	require.Equal(t, resource.DiskSpec{SizeGiB: 1, Type: "SSD", Zone: "mock-seoul-a"}, spec)
	_, spec, _ = diskOf(t, s, create(t, s, "disk", "filled", resource.DiskSpec{SizeGiB: 30, Snapshot: snapshot}).ID)
	require.Equal(t, resource.DiskSpec{SizeGiB: 30, Type: "SSD", Zone: "mock-seoul-a", Snapshot: snapshot}, spec)
}

func TestDiskIsAttachedAndDetached(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	one, two := create(t, r.connect(), "vm", "one", n.vm()).ID, create(t, r.connect(), "vm", "two", n.vm()).ID
	disk := create(t, s, "disk", "data", resource.DiskSpec{SizeGiB: 10}).ID
	attach := func(id, vm string) error {
		return act(t, s, "disk", id, "attach", resource.DiskAttachment{VM: vm})
	}
	require.Equal(t, resource.CodeConflict, cloudError(t, attach(disk, one)).Code, "still being created")
	r.advance(10 * time.Second)
	require.NoError(t, attach(disk, one))
	state, _, status := diskOf(t, s, disk)
	require.Equal(t, resource.StateUpdating, state)
	require.Empty(t, status.VM, "not yet")
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "disk", disk)).Code)
	r.advance(10 * time.Second)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		state, _, status = diskOf(t, s, disk)
		require.Equal(t, resource.StateAvailable, state)
		require.Equal(t, resource.DiskStatus{VM: one, Device: "/dev/vdb"}, status)
		require.Equal(t, one, get(t, s, "disk", disk).Native.(nativeDisk).InstanceID)
	}
	require.NoError(t, attach(disk, one), "again")
	state, _, _ = diskOf(t, s, disk)
	require.Equal(t, resource.StateAvailable, state, "nothing happens")
	e := cloudError(t, attach(disk, two))
	require.Equal(t, resource.CodeConflict, e.Code)
	require.Contains(t, e.Message, one)
	e = cloudError(t, s.Delete(t.Context(), "disk", disk))
	require.Equal(t, resource.CodeDependency, e.Code)
	require.Contains(t, e.Message, one)

	second := create(t, r.connect(), "disk", "more", resource.DiskSpec{SizeGiB: 10}).ID
	require.NoError(t, act(t, r.connect(), "disk", second, "attach", resource.DiskAttachment{VM: one}))
	_, _, status = diskOf(t, s, second)
	require.Equal(t, "/dev/vdc", status.Device)
	elsewhere := create(t, r.connect(), "disk", "elsewhere", resource.DiskSpec{SizeGiB: 10, Zone: "mock-seoul-b"}).ID
	require.Equal(t, "InvalidZone.Mismatch", cloudError(t, attach(elsewhere, one)).Cloud.Code)
	require.Equal(t, "InvalidVMID.NotFound", cloudError(t, attach(elsewhere, "vm-x")).Cloud.Code)

	require.NoError(t, act(t, s, "disk", disk, "detach", nil))
	_, _, status = diskOf(t, s, disk)
	require.Equal(t, one, status.VM, "still")
	r.advance(10 * time.Second)
	_, _, status = diskOf(t, r.reopened().connect(), disk)
	require.Equal(t, resource.DiskStatus{}, status)
	require.NoError(t, act(t, s, "disk", disk, "detach", nil), "again")
	require.NoError(t, attach(disk, two))
	r.advance(10 * time.Second)
	_, _, status = diskOf(t, s, disk)
	require.Equal(t, resource.DiskStatus{VM: two, Device: "/dev/vdb"}, status)
}

func TestDisksOutliveTheirVM(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	vm := create(t, s, "vm", "one", n.vm()).ID
	disk := create(t, s, "disk", "data", resource.DiskSpec{SizeGiB: 10}).ID
	require.NoError(t, act(t, s, "disk", disk, "attach", resource.DiskAttachment{VM: vm}))
	slow := r.connect("latency", "10s")
	require.NoError(t, slow.Delete(t.Context(), "vm", vm))
	_, _, status := diskOf(t, s, disk)
	require.Equal(t, vm, status.VM, "until it is gone")
	r.advance(10 * time.Second)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		state, _, status := diskOf(t, s, disk)
		require.Equal(t, resource.StateAvailable, state)
		require.Equal(t, resource.DiskStatus{}, status)
	}
	r.advance(time.Hour)
	require.Equal(t, vm, create(t, s, "vm", "one", n.vm()).ID, "the same token makes the same id")
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		_, _, status = diskOf(t, s, disk)
		require.Empty(t, status.VM, "another VM")
	}
	require.NoError(t, s.Delete(t.Context(), "disk", disk))
	requireGone(t, s, "disk", disk)
}

func TestDiskGrows(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	vm := create(t, s, "vm", "one", n.vm()).ID
	disk := create(t, s, "disk", "data", resource.DiskSpec{SizeGiB: 10, Type: "MEM"}).ID
	resize := func(s drivertest.Patient, size int) error {
		return act(t, s, "disk", disk, "resize", resource.DiskSize{SizeGiB: size})
	}
	require.NoError(t, act(t, s, "disk", disk, "attach", resource.DiskAttachment{VM: vm}))
	slow := r.connect("latency", "10s")
	require.NoError(t, resize(slow, 20), "also while it is attached")
	state, spec, _ := diskOf(t, s, disk)
	require.Equal(t, resource.StateUpdating, state)
	require.Equal(t, 10, spec.SizeGiB)
	require.Equal(t, resource.CodeConflict, cloudError(t, resize(s, 30)).Code)
	r.advance(10 * time.Second)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		_, spec, status := diskOf(t, s, disk)
		require.Equal(t, 20, spec.SizeGiB)
		require.Equal(t, vm, status.VM)
	}
	require.NoError(t, resize(s, 20), "again")
	for _, size := range []int{19, 513} {
		e := cloudError(t, resize(s, size))
		require.Equal(t, resource.CodeInvalid, e.Code)
		require.Equal(t, "sizeGiB", e.Fields[0].Field)
	}
}

func TestSnapshotOutlivesItsDisk(t *testing.T) {
	r := newRig(t)
	s := r.connect("latency", "10s")
	disk := create(t, r.connect(), "disk", "data", resource.DiskSpec{SizeGiB: 10}).ID
	snapshot := create(t, s, "snapshot", "snap", resource.SnapshotSpec{Disk: disk, Description: "d"})
	require.Equal(t, resource.StateCreating, snapshot.State)
	require.Equal(t, 10, decoded[resource.SnapshotStatus](t, snapshot.Status).SizeGiB)
	e := refused(t, s, "disk", "early", resource.DiskSpec{SizeGiB: 10, Snapshot: snapshot.ID})
	require.Equal(t, resource.CodeDependency, e.Code)
	require.True(t, e.Retryable, "it is about to be ready")
	r.advance(10 * time.Second)
	require.NoError(t, r.connect().Delete(t.Context(), "disk", disk), "a snapshot keeps no disk")
	copied := create(t, r.connect(), "disk", "copy", resource.DiskSpec{SizeGiB: 10, Snapshot: snapshot.ID}).ID
	require.NoError(t, r.connect().Delete(t.Context(), "snapshot", snapshot.ID), "nor a disk its snapshot")
	_, spec, _ := diskOf(t, r.reopened().connect(), copied)
	require.Equal(t, snapshot.ID, spec.Snapshot)
	require.Equal(t, "InvalidDiskID.NotFound", refused(t, s, "snapshot", "none", resource.SnapshotSpec{Disk: disk}).Cloud.Code)
}

func TestCustomImageBootsVMs(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	spec := n.vm()
	spec.Image, spec.Spec, spec.RootDiskSizeGiB = imageID("debian-13-arm64"), "burst3a.small", 12
	vm := create(t, s, "vm", "one", spec).ID
	slow := r.connect("latency", "10s")
	image := create(t, slow, "customimage", "img", resource.CustomImageSpec{VM: vm})
	require.Equal(t, resource.CustomImageStatus{Architecture: arm, DiskSizeGiB: 12}, decoded[resource.CustomImageStatus](t, image.Status))
	boot := n.vm()
	boot.Image, boot.Spec, boot.CustomImage = "", "std3a.large", image.ID
	require.Equal(t, resource.CodeDependency, refused(t, s, "vm", "early", boot).Code)
	r.advance(10 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "vm", vm))
	booted := create(t, s, "vm", "two", boot)
	require.Equal(t, image.ID, booted.Native.(nativeVM).ImageID)
	require.Equal(t, 12, decoded[resource.VMSpec](t, booted.Spec).RootDiskSizeGiB)

	wrong := boot
	wrong.Spec = "std3.large"
	require.Equal(t, "InvalidParameterCombination", refused(t, s, "vm", "wrong", wrong).Cloud.Code)
	wrong = boot
	wrong.RootDiskSizeGiB = 11
	require.Equal(t, "InvalidBlockDeviceMapping", refused(t, s, "vm", "wrong", wrong).Cloud.Code)
	require.NoError(t, s.Delete(t.Context(), "customimage", image.ID), "a VM does not need its image any more")
	again := create(t, r.reopened().connect(), "customimage", "again", resource.CustomImageSpec{VM: booted.ID})
	require.Equal(t, arm, decoded[resource.CustomImageStatus](t, again.Status).Architecture)
}

func TestVMIsResized(t *testing.T) {
	r := newRig(t)
	s := r.connect("latency", "10s")
	n := build(t, r.connect())
	vm := create(t, r.connect(), "vm", "one", n.vm()).ID
	resize := func(to string) error { return act(t, s, "vm", vm, "resize", resource.VMSize{Spec: to}) }
	spec := func(s drivertest.Patient) string { return decoded[resource.VMSpec](t, get(t, s, "vm", vm).Spec).Spec }
	require.Equal(t, resource.CodeConflict, cloudError(t, resize("std3.xlarge")).Code, "while it runs")
	require.NoError(t, act(t, r.connect(), "vm", vm, "stop", nil))
	require.Equal(t, "InvalidInstanceType", cloudError(t, resize("huge")).Cloud.Code)
	require.Equal(t, "InvalidParameterCombination", cloudError(t, resize("std3a.large")).Cloud.Code)
	require.NoError(t, resize("std3.large"), "as it is")
	require.Equal(t, resource.StateStopped, get(t, s, "vm", vm).State)
	require.NoError(t, resize("std3.xlarge"))
	require.Equal(t, resource.StateUpdating, get(t, s, "vm", vm).State)
	require.Equal(t, "std3.large", spec(s))
	r.advance(10 * time.Second)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		require.Equal(t, resource.StateStopped, get(t, s, "vm", vm).State)
		require.Equal(t, "std3.xlarge", spec(s))
	}
}
