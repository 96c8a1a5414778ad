package mock

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestCreateIsIdempotent(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	first := create(t, s, "vm", "one", n.vm())
	require.Regexp(t, `^vm-[0-9a-f]{17}$`, first.ID)
	require.Equal(t, "token-one", first.Token)
	r.advance(time.Hour)
	require.Equal(t, first, create(t, s, "vm", "one", n.vm()))
	require.Equal(t, first, create(t, r.connect(), "vm", "one", n.vm()))
	again := r.reopened().connect()
	require.Equal(t, first, create(t, again, "vm", "one", n.vm()))
	require.Equal(t, first, get(t, again, "vm", first.ID))
	require.Len(t, list(t, again, "vm"), 1)
	for _, kind := range []string{"vpc", "subnet", "securitygroup", "keypair"} {
		require.Equal(t, list(t, s, kind), list(t, again, kind))
	}
}

func TestConcurrentCreatesWithOneTokenMakeOneObject(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	var (
		work sync.WaitGroup
		ids  [8]string
	)
	for i := range ids {
		work.Go(func() {
			item, err := r.connect().Create(t.Context(), "vm", request(t, "one", n.vm()))
			if err == nil {
				ids[i] = item.ID
			}
			for item, err := range r.connect().List(t.Context(), "vm") {
				if err != nil || item.ID != ids[i] {
					ids[i] = "not what is listed"
				}
			}
		})
	}
	work.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.Len(t, list(t, s, "vm"), 1)
}

func TestTokenIsChecked(t *testing.T) {
	s := newRig(t).connect()
	for _, token := range []string{"", strings.Repeat("x", 37)} {
		r := request(t, "net", vpcSpec())
		r.Token = token
		_, err := s.Create(t.Context(), "vpc", r)
		require.Equal(t, resource.CodeInvalid, cloudError(t, err).Code)
	}
}

func TestTokenOfAnObjectThatIsGoneMakesItAnew(t *testing.T) {
	r := newRig(t)
	s := r.connect("consistencyDelay", "1m")
	first := create(t, s, "vpc", "net", vpcSpec())
	r.advance(time.Hour)
	require.NoError(t, s.Delete(t.Context(), "vpc", first.ID))
	requireGone(t, s, "vpc", first.ID)
	second := create(t, s, "vpc", "net", vpcSpec())
	require.NotEqual(t, first.CreatedAt, second.CreatedAt)
	r.advance(time.Hour)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		require.Equal(t, second, get(t, s, "vpc", second.ID))
		require.Len(t, list(t, s, "vpc"), 1)
	}
}

func TestJournalDropsATornLastLine(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	kept := create(t, s, "vpc", "kept", vpcSpec())
	torn := create(t, s, "vpc", "torn", vpcSpec())
	path := r.cloud.journal.path
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, int64(len(content)-7)))

	again := r.reopened()
	s = again.connect()
	require.Equal(t, kept, get(t, s, "vpc", kept.ID))
	requireGone(t, s, "vpc", torn.ID)
	created := create(t, s, "vpc", "torn", vpcSpec())
	require.Equal(t, torn.ID, created.ID)
	require.Len(t, list(t, again.reopened().connect(), "vpc"), 2)
}

func TestJournalThatMakesNoSenseIsRefused(t *testing.T) {
	for _, line := range []string{"not JSON", `{"kind":"nonsense"}`, `{"kind":"vpc","spec":7,"status":{}}`, `{"kind":"vpc","spec":{},"status":7}`} {
		r := newRig(t)
		path := filepath.Join(r.cloud.dir, "mock-cloud.jsonl")
		require.NoError(t, os.WriteFile(path, []byte(line+"\n"), 0o600))
		_, err := r.driver.Connect(t.Context(), driver.Config{Region: "mock-seoul"})
		require.Equal(t, resource.CodeInternal, resource.CodeOf(err))
		require.ErrorContains(t, err, "line 1")
		require.ErrorContains(t, err, "move the file away")
		require.NoError(t, os.Remove(path))
		require.Empty(t, list(t, r.connect(), "vpc"), "the next connection tries again")
	}
}

func TestJournalIsCompacted(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	n := build(t, s)
	vm := create(t, s, "vm", "one", n.vm())
	most := 0
	for i := range 2 * journalSlack {
		action := []string{"stop", "start"}[i%2]
		require.NoError(t, act(t, s, "vm", vm.ID, action, nil))
		most = max(most, r.cloud.journal.lines)
	}
	require.LessOrEqual(t, most, journalSlack+5*journalWaste)
	require.Less(t, r.cloud.journal.lines, most)
	require.NoFileExists(t, r.cloud.journal.path+".new")
	again := r.reopened()
	require.Equal(t, get(t, s, "vm", vm.ID), get(t, again.connect(), "vm", vm.ID))
	require.Equal(t, r.cloud.journal.lines, again.cloud.journal.lines)
	require.Equal(t, r.cloud.journal.size, again.cloud.journal.size)
}

func TestJournalThatCannotBeCompactedGoesOn(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	id := create(t, s, "vpc", "net", vpcSpec()).ID
	require.NoError(t, os.MkdirAll(filepath.Join(r.cloud.journal.path+".new", "in the way"), 0o700))
	for range journalSlack {
		require.NoError(t, s.Delete(t.Context(), "vpc", id))
		create(t, s, "vpc", "net", vpcSpec())
	}
	require.Greater(t, r.cloud.journal.lines, journalSlack)
	require.Len(t, list(t, r.reopened().connect(), "vpc"), 1)
}

func TestJournalThatCannotBeWrittenChangesNothing(t *testing.T) {
	r := newRig(t)
	s := r.connect()
	kept := create(t, s, "vpc", "kept", vpcSpec())
	require.NoError(t, r.cloud.journal.file.Close())
	for range 2 {
		e := refused(t, s, "vpc", "lost", vpcSpec())
		require.Equal(t, resource.CodeUnavailable, e.Code)
	}
	require.Equal(t, resource.CodeUnavailable, cloudError(t, s.Delete(t.Context(), "vpc", kept.ID)).Code)
	require.Len(t, list(t, s, "vpc"), 1)
	require.Len(t, list(t, r.reopened().connect(), "vpc"), 1)
}

func TestStatesFollowTheClock(t *testing.T) {
	r := newRig(t)
	s := r.connect("latency", "10s")
	expect := func(kind, id string, state resource.State, word string) {
		t.Helper()
		for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
			item := get(t, s, kind, id)
			require.Equal(t, state, item.State)
			require.Equal(t, word, item.CloudState)
			require.Equal(t, item, list(t, s, kind)[id])
		}
	}
	vpc := create(t, s, "vpc", "net", vpcSpec())
	require.Equal(t, resource.StateCreating, vpc.State)
	expect("vpc", vpc.ID, resource.StateCreating, "PENDING")
	e := refused(t, s, "subnet", "sub", resource.SubnetSpec{VPC: vpc.ID, CIDR: "10.0.0.0/24"})
	require.Equal(t, resource.CodeDependency, e.Code)
	require.True(t, e.Retryable)
	r.advance(10 * time.Second)
	expect("vpc", vpc.ID, resource.StateAvailable, "ACTIVE")

	n := build(t, r.connect())
	vm := create(t, s, "vm", "one", n.vm())
	expect("vm", vm.ID, resource.StateCreating, "PENDING")
	require.Empty(t, decoded[resource.VMStatus](t, vm.Status).PublicAddress)
	require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "vm", vm.ID, "stop", nil)).Code)
	r.advance(10 * time.Second)
	expect("vm", vm.ID, resource.StateRunning, "ACTIVE")
	status := decoded[resource.VMStatus](t, get(t, s, "vm", vm.ID).Status)
	require.NotEmpty(t, status.PublicAddress)

	for _, step := range []struct {
		action       string
		during, then resource.State
		word, end    string
	}{
		{"reboot", resource.StateRebooting, resource.StateRunning, "REBOOT", "ACTIVE"},
		{"stop", resource.StateStopping, resource.StateStopped, "POWERING_OFF", "SHUTOFF"},
		{"start", resource.StateStarting, resource.StateRunning, "POWERING_ON", "ACTIVE"},
	} {
		require.NoError(t, act(t, s, "vm", vm.ID, step.action, nil))
		expect("vm", vm.ID, step.during, step.word)
		for _, other := range []string{"start", "stop", "reboot"} {
			require.Equal(t, resource.CodeConflict, cloudError(t, act(t, s, "vm", vm.ID, other, nil)).Code)
		}
		r.advance(10 * time.Second)
		expect("vm", vm.ID, step.then, step.end)
	}
	require.Equal(t, status, decoded[resource.VMStatus](t, get(t, s, "vm", vm.ID).Status), "the addresses stay")

	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
	expect("vm", vm.ID, resource.StateDeleting, "DELETING")
	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "subnet", n.subnet)).Code, "until it is gone")
	r.advance(9 * time.Second)
	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID), "again")
	expect("vm", vm.ID, resource.StateDeleting, "DELETING")
	r.advance(time.Second)
	requireGone(t, s, "vm", vm.ID)
	require.Empty(t, list(t, s, "vm"))
	require.NoError(t, s.Delete(t.Context(), "vm", vm.ID), "what is gone")
	require.NoError(t, s.Delete(t.Context(), "subnet", n.subnet))
}

func TestWhatIsUsedIsNotDeleted(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopened=%v", reopen), func(t *testing.T) {
			r := newRig(t)
			s := r.connect()
			n := build(t, s)
			vm := create(t, s, "vm", "one", n.vm())
			if reopen {
				s = r.reopened().connect()
			}
			blocked := func(kind, id string, users ...string) {
				t.Helper()
				e := cloudError(t, s.Delete(t.Context(), kind, id))
				require.Equal(t, resource.CodeDependency, e.Code)
				for _, user := range users {
					require.Contains(t, e.Message, user)
				}
				get(t, s, kind, id)
			}
			blocked("vpc", n.vpc, "subnet sub ("+n.subnet+")", "securitygroup group ("+n.group+")")
			blocked("subnet", n.subnet, "vm one ("+vm.ID+")")
			blocked("securitygroup", n.group, "vm one")
			require.NoError(t, s.Delete(t.Context(), "keypair", n.key), "a VM does not need its key any more")
			requireGone(t, s, "keypair", n.key)
			require.NoError(t, s.Delete(t.Context(), "vm", vm.ID))
			require.NoError(t, s.Delete(t.Context(), "subnet", n.subnet))
			blocked("vpc", n.vpc, "securitygroup group")
			require.NoError(t, s.Delete(t.Context(), "securitygroup", n.group))
			require.NoError(t, s.Delete(t.Context(), "vpc", n.vpc))
			require.NoError(t, s.Delete(t.Context(), "vpc", n.vpc))
			require.NoError(t, s.Delete(t.Context(), "vpc", "vpc-never"))
		})
	}
}

func TestManyUsersAreNamedInPart(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	for i := range 8 {
		create(t, s, "vm", fmt.Sprintf("vm%d", i), n.vm())
	}
	require.ErrorContains(t, s.Delete(t.Context(), "subnet", n.subnet), "and 3 more")
}

func TestObjectsAreNotShared(t *testing.T) {
	s := newRig(t).connect()
	r := request(t, "net", vpcSpec())
	r.Labels = map[string]string{"team": "blue"}
	item, err := s.Create(t.Context(), "vpc", r)
	require.NoError(t, err)
	r.Labels["team"] = "red"
	item.Labels["team"] = "green"
	require.Equal(t, map[string]string{"team": "blue"}, get(t, s, "vpc", item.ID).Labels)
}
