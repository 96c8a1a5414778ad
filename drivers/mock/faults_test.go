package mock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// outcomes makes n VPCs and answers which of them were refused.
func outcomes(t *testing.T, s drivertest.Patient, n int) (failed []int, last error) {
	t.Helper()
	for i := range n {
		if _, err := s.Create(t.Context(), "vpc", request(t, fmt.Sprintf("net%d", i), vpcSpec())); err != nil {
			failed, last = append(failed, i), err
		}
	}
	return failed, last
}

func TestFailCreate(t *testing.T) {
	r := newRig(t)
	s := r.connect("failCreate", "0.3", "seed", "7")
	failed, err := outcomes(t, s, 100)
	require.InDelta(t, 30, len(failed), 15)
	e := cloudError(t, err)
	require.Equal(t, resource.CodeCapacity, e.Code)
	require.False(t, e.Retryable)
	require.Len(t, list(t, s, "vpc"), 100-len(failed))

	again, _ := outcomes(t, s, 100)
	require.Equal(t, failed, again, "the same token fails again")
	again, _ = outcomes(t, newRig(t).connect("failCreate", "0.3", "seed", "7"), 100)
	require.Equal(t, failed, again, "as in every cloud with the seed")
	again, _ = outcomes(t, newRig(t).connect("failCreate", "0.3", "seed", "8"), 100)
	require.NotEqual(t, failed, again)
	all, _ := outcomes(t, newRig(t).connect("failCreate", "1"), 20)
	require.Len(t, all, 20)
}

func TestDown(t *testing.T) {
	s := newRig(t).connect("down", "vpc,nlb")
	_, err := s.Create(t.Context(), "vpc", request(t, "net", vpcSpec()))
	require.Equal(t, resource.CodeUnavailable, cloudError(t, err).Code)
	require.Equal(t, resource.CodeUnavailable, cloudError(t, s.Delete(t.Context(), "vpc", "vpc-1")).Code)
	for _, err := range s.List(t.Context(), "nlb") {
		require.Equal(t, resource.CodeUnavailable, cloudError(t, err).Code)
	}
	require.Empty(t, list(t, s, "vm"), "the others work")
}

func TestForgetDelete(t *testing.T) {
	s := newRig(t).connect("forgetDelete", "1")
	vpc, err := s.Create(t.Context(), "vpc", request(t, "net", vpcSpec()))
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
	require.Len(t, list(t, s, "vpc"), 1, "accepted and not done")
	require.NoError(t, s.Delete(t.Context(), "vpc", vpc.ID))
	require.Empty(t, list(t, s, "vpc"))
}

func TestWithoutSeedFailuresDiffer(t *testing.T) {
	first, _ := outcomes(t, newRig(t).connect("failCreate", "0.5"), 64)
	second, _ := outcomes(t, newRig(t).connect("failCreate", "0.5"), 64)
	require.NotEqual(t, first, second)
}

func TestFailCall(t *testing.T) {
	run := func() (failed []int) {
		s := newRig(t).connect("failCall", "0.3", "seed", "7")
		for i := range 100 {
			_, err := s.Get(t.Context(), "vpc", "none")
			e := cloudError(t, err)
			if e.Code != resource.CodeNotFound {
				require.Equal(t, resource.CodeUnavailable, e.Code)
				require.True(t, e.Retryable)
				failed = append(failed, i)
			}
		}
		return failed
	}
	failed := run()
	require.InDelta(t, 30, len(failed), 15)
	require.Equal(t, failed, run(), "in the same order with the same seed")

	r := newRig(t)
	vpc := create(t, r.connect(), "vpc", "net", vpcSpec())
	s := r.connect("failCall", "1")
	require.Equal(t, resource.CodeUnavailable, refused(t, s, "vpc", "other", vpcSpec()).Code)
	require.Equal(t, resource.CodeUnavailable, cloudError(t, s.Delete(t.Context(), "vpc", vpc.ID)).Code)
	for _, err := range s.Catalog(t.Context(), "region", nil) {
		require.Equal(t, resource.CodeUnavailable, cloudError(t, err).Code)
	}
	require.Len(t, list(t, r.connect(), "vpc"), 1, "nothing was done")
}

func TestAmbiguousCreate(t *testing.T) {
	r := newRig(t)
	s := r.connect("ambiguousCreate", "1")
	e := refused(t, s, "vpc", "net", vpcSpec())
	require.Equal(t, resource.CodeUnavailable, e.Code)
	require.True(t, e.Retryable)
	require.Len(t, list(t, s, "vpc"), 1, "it was done")
	create(t, s, "vpc", "net", vpcSpec())
	require.Len(t, list(t, s, "vpc"), 1)
}

func TestFailSettle(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("failSettle", "1", "latency", "5s")
	vm := create(t, s, "vm", "one", n.vm())
	require.Equal(t, resource.StateCreating, vm.State)
	r.advance(5 * time.Second)
	vm = get(t, s, "vm", vm.ID)
	require.Equal(t, resource.StateFailed, vm.State)
	require.Equal(t, "ERROR", vm.CloudState)
	require.Equal(t, "No valid host was found (setting failSettle).", vm.Reason)
	require.Equal(t, vm.Reason, vm.Native.(nativeVM).Fault)
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "vm", vm.ID, "start", nil)).Code)
	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
	r.advance(5 * time.Second)
	requireGone(t, s, "vm", vm.ID)
	require.Equal(t, resource.StateCreating, create(t, s, "vpc", "other", vpcSpec()).State)
	r.advance(5 * time.Second)
	for _, vpc := range list(t, s, "vpc") {
		require.Equal(t, resource.StateAvailable, vpc.State, "nothing has to build it")
	}
}

func TestRateLimit(t *testing.T) {
	r := newRig(t)
	s, same := r.connect("rateLimit", "3"), r.connect("rateLimit", "3")
	throttled := func(s drivertest.Patient) bool {
		_, err := s.Get(t.Context(), "vpc", "none")
		e := cloudError(t, err)
		require.Equal(t, e.Code == resource.CodeThrottled, e.Retryable)
		return e.Code == resource.CodeThrottled
	}
	require.False(t, throttled(s))
	require.False(t, throttled(same))
	require.False(t, throttled(s))
	require.True(t, throttled(s))
	require.True(t, throttled(same), "sessions of one account share the limit")
	require.False(t, throttled(r.connectTo(driver.Config{Region: "mock-tokyo"}, "rateLimit", "3")))
	require.False(t, throttled(r.connectTo(driver.Config{Region: "mock-seoul", Credential: driver.Values{"account": "other"}}, "rateLimit", "3")))
	require.False(t, throttled(r.connect()), "no limit")
	r.advance(334 * time.Millisecond)
	require.False(t, throttled(s))
	require.True(t, throttled(s))
	r.advance(time.Minute)
	for range 3 {
		require.False(t, throttled(s))
	}
	require.True(t, throttled(s), "a rest saves up one second's calls only")

	slow := newRig(t)
	s = slow.connect("rateLimit", "0.5")
	require.False(t, throttled(s))
	slow.advance(time.Second)
	require.True(t, throttled(s))
	slow.advance(time.Second)
	require.False(t, throttled(s))
}

func TestConsistencyDelay(t *testing.T) {
	r := newRig(t)
	s := r.connect("consistencyDelay", "30s")
	n := build(t, s)
	require.Empty(t, list(t, s, "vpc"))
	get(t, s, "vpc", n.vpc)
	r.advance(29 * time.Second)
	require.Empty(t, list(t, s, "vpc"))
	r.advance(time.Second)
	require.Len(t, list(t, s, "vpc"), 1)

	require.NoError(t, s.Delete(t.Context(), "subnet", n.subnet))
	requireGone(t, s, "subnet", n.subnet)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		stale := list(t, s, "subnet")
		require.Equal(t, resource.StateAvailable, stale[n.subnet].State, "as it was")
	}
	create(t, s, "subnet", "instead", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.0.0/17"}) // its range is free
	require.Contains(t, list(t, s, "subnet"), n.subnet)
	r.advance(30 * time.Second)
	require.NotContains(t, list(t, s, "subnet"), n.subnet)
	require.NoError(t, s.Delete(t.Context(), "keypair", n.key)) // any change lets go of what was listed
	require.NotContains(t, r.cloud.shelf(shelfKey{place{"default", "mock-seoul"}, "subnet"}).stale, n.subnet)

	lingering := r.connect("consistencyDelay", "30s", "latency", "10s")
	n.subnet, n.key = create(t, s, "subnet", "more", resource.SubnetSpec{VPC: n.vpc, CIDR: "10.0.128.0/24"}).ID, ""
	vm := create(t, s, "vm", "one", n.vm())
	r.advance(time.Minute)
	require.NoError(t, lingering.Delete(t.Context(), "vm", vm.ID))
	r.advance(39 * time.Second)
	requireGone(t, s, "vm", vm.ID)
	require.Equal(t, resource.StateDeleting, list(t, s, "vm")[vm.ID].State)
	r.advance(time.Second)
	require.Empty(t, list(t, s, "vm"))
}

func TestPageSize(t *testing.T) {
	for _, test := range []struct{ objects, size, calls int }{
		{0, 10, 1}, {9, 10, 1}, {10, 10, 1}, {11, 10, 2}, {25, 10, 3}, {3, 1, 3},
	} {
		t.Run(fmt.Sprintf("%d by %d", test.objects, test.size), func(t *testing.T) {
			r := newRig(t)
			var tokens []string
			for i := range test.objects {
				tokens = append(tokens, create(t, r.connect(), "vpc", fmt.Sprintf("net%02d", i), vpcSpec()).Token)
			}
			c := openVPCs(own(t, r, "pageSize", fmt.Sprint(test.size)))
			var found []string
			for item, err := range c.List(t.Context(), driver.Filter{}) {
				require.NoError(t, err)
				found = append(found, item.Token)
			}
			slices.Sort(found)
			require.Equal(t, tokens, found)
			require.EqualValues(t, test.calls, c.s.calls.Load())
		})
	}
	t.Run("a later page fails", func(t *testing.T) {
		r := newRig(t)
		for i := range 4 {
			create(t, r.connect(), "vpc", fmt.Sprintf("net%02d", i), vpcSpec())
		}
		items, failures := 0, 0
		for _, err := range r.connect("pageSize", "2", "rateLimit", "1").List(t.Context(), "vpc") {
			if err != nil {
				failures++
				require.Equal(t, resource.CodeThrottled, cloudError(t, err).Code)
			} else {
				items++
			}
		}
		require.Equal(t, [2]int{2, 1}, [2]int{items, failures})
	})
	t.Run("catalog", func(t *testing.T) {
		s := own(t, newRig(t), "pageSize", "50")
		count := 0
		for _, err := range openSpecs(s).List(t.Context(), nil) {
			require.NoError(t, err)
			count++
		}
		require.EqualValues(t, (count+49)/50, s.calls.Load())
	})
}

// own opens a session of this package's own type.
func own(t testing.TB, r *rig, settings ...string) *session {
	t.Helper()
	r.connect(settings...) // with all of the driver's checks
	s, err := connect(r.cloud, driver.Config{Region: "mock-seoul", Settings: pairs(settings)})
	require.NoError(t, err)
	return s
}

func TestQuotaVMs(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("quotaVMs", "2", "latency", "5s")
	one := create(t, s, "vm", "one", n.vm())
	create(t, s, "vm", "two", n.vm())
	e := refused(t, s, "vm", "three", n.vm())
	require.Equal(t, resource.CodeQuota, e.Code)
	require.Contains(t, e.Message, "quotaVMs")
	create(t, s, "vm", "two", n.vm()) // is there already
	require.NoError(t, s.Delete(t.Context(), "vm", one.ID))
	require.Equal(t, resource.CodeQuota, refused(t, s, "vm", "three", n.vm()).Code, "until it is gone")
	r.advance(5 * time.Second)
	create(t, s, "vm", "three", n.vm())
	create(t, r.connect(), "vm", "four", n.vm())
}

func TestQuotas(t *testing.T) {
	r := newRig(t)
	s := r.connect("quotas", "disk=1,snapshot=0,vm=1", "quotaVMs", "2")
	n := build(t, s)
	disk := create(t, s, "disk", "one", resource.DiskSpec{SizeGiB: 1})
	e := refused(t, s, "disk", "two", resource.DiskSpec{SizeGiB: 1})
	require.Equal(t, resource.CodeQuota, e.Code)
	require.Equal(t, "DiskLimitExceeded", e.Cloud.Code)
	require.Equal(t, resource.CodeQuota, refused(t, s, "snapshot", "one", resource.SnapshotSpec{Disk: disk.ID}).Code)
	create(t, s, "vm", "one", n.vm())
	create(t, s, "vm", "two", n.vm())
	require.Equal(t, resource.CodeQuota, refused(t, s, "vm", "three", n.vm()).Code, "quotaVMs counts for VMs")
	require.NoError(t, s.Delete(t.Context(), "disk", disk.ID))
	create(t, s, "disk", "two", resource.DiskSpec{SizeGiB: 1})
}

// TestWhatMachinesBuildFails rehearses on a disk what the tests above do on a VM.
func TestWhatMachinesBuildFails(t *testing.T) {
	r := newRig(t)
	s := r.connect("failSettle", "1", "latency", "5s")
	disk := create(t, s, "disk", "one", resource.DiskSpec{SizeGiB: 1})
	require.Equal(t, resource.StateCreating, disk.State)
	r.advance(5 * time.Second)
	require.Equal(t, resource.StateFailed, get(t, s, "disk", disk.ID).State)
	e := refused(t, s, "snapshot", "one", resource.SnapshotSpec{Disk: disk.ID})
	require.Equal(t, resource.CodeDependency, e.Code)
	require.False(t, e.Retryable, "it stays as it is")
	require.NoError(t, s.Delete(t.Context(), "disk", disk.ID))
	require.Equal(t, resource.StateDeleting, get(t, s, "disk", disk.ID).State)
	r.advance(5 * time.Second)
	requireGone(t, s, "disk", disk.ID)

	create(t, r.connect("crashCreate", "1"), "disk", "two", resource.DiskSpec{SizeGiB: 1})
	require.EqualValues(t, 1, r.exits.Load())
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := r.connect("hang", "true").Create(ctx, "disk", request(t, "three", resource.DiskSpec{SizeGiB: 1}))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Len(t, list(t, r.connect(), "disk"), 1)
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		n := build(t, r.connect())
		s := r.connect("hang", "true")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := s.Create(ctx, "vm", request(t, "one", n.vm()))
		require.Equal(t, time.Hour, time.Since(start))
		require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, list(t, s, "vm"))
		create(t, s, "vpc", "other", vpcSpec())
	})
}

func TestCallLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range 5 {
			create(t, r.connect(), "vpc", fmt.Sprintf("net%d", i), vpcSpec())
		}
		s := r.connect("callLatency", "2s", "pageSize", "2")
		start := time.Now()
		require.Len(t, list(t, s, "vpc"), 5)
		require.Equal(t, 6*time.Second, time.Since(start), "each page")
		create(t, s, "vpc", "more", vpcSpec())
		require.Equal(t, 8*time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Create(ctx, "vpc", request(t, "late", vpcSpec()))
		require.Equal(t, 9*time.Second, time.Since(start), "the caller's deadline counts")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, list(t, r.connect(), "vpc"), 6)
	})
}

func TestCrashCreate(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("crashCreate", "1")
	_, _ = s.Create(t.Context(), "vm", request(t, "one", n.vm())) // would not come back
	require.EqualValues(t, 1, r.exits.Load())

	again := r.reopened() // what the next process finds
	s = again.connect("crashCreate", "1")
	require.Len(t, list(t, s, "vm"), 1)
	create(t, s, "vm", "one", n.vm())
	require.Zero(t, again.exits.Load(), "the repeated create gets its answer")
	require.Len(t, list(t, s, "vm"), 1)
	_, _ = s.Create(t.Context(), "vpc", request(t, "other", vpcSpec()))
	require.EqualValues(t, 1, again.exits.Load(), "so it is with every kind")
}

// TestCrashEndsTheProcess runs itself as the process that crashes.
func TestCrashEndsTheProcess(t *testing.T) {
	const child = "MOCK_TEST_CRASHES"
	if os.Getenv(child) != "" {
		d := New()
		connect := func(settings driver.Values) drivertest.Patient {
			open, err := d.Connect(t.Context(), driver.Config{Region: "mock-seoul", Settings: settings})
			require.NoError(t, err)
			return drivertest.Patient{Session: open}
		}
		n := build(t, connect(nil))
		create(t, connect(driver.Values{"crashCreate": "1"}), "vm", "one", n.vm())
		t.Fatal("still alive")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-test.run=^TestCrashEndsTheProcess$")
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), child+"=1")
	output, err := command.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v: %s", err, output)
	require.Equal(t, crashed, exit.ExitCode(), "%s", output)

	t.Chdir(command.Dir)
	open, err := New().Connect(t.Context(), driver.Config{Region: "mock-seoul"})
	require.NoError(t, err)
	s := drivertest.Patient{Session: open}
	vms := list(t, s, "vm")
	require.Len(t, vms, 1)
	require.Contains(t, vms, create(t, s, "vm", "one", build(t, s).vm()).ID)
	require.Len(t, list(t, s, "vm"), 1)
}

func TestErrorsSayWhatToDoNext(t *testing.T) {
	s := newRig(t).connect()
	e := refused(t, s, "subnet", "sub", resource.SubnetSpec{VPC: "vpc-x", CIDR: "10.0.0.0/24"})
	require.Equal(t, "InvalidVPCID.NotFound", e.Cloud.Code)
	require.True(t, strings.HasPrefix(e.Message, "spec.vpc: "))
	require.Equal(t, "spec.vpc", e.Fields[0].Field)
	_, err := s.Get(t.Context(), "securitygroup", "x")
	require.Equal(t, "InvalidSecurityGroupID.NotFound", cloudError(t, err).Cloud.Code)
}
