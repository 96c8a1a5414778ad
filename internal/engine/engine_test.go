package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestMain(m *testing.M) {
	enginetest.Main(m, map[string]func() *driver.Driver{"late": late, "keyring": newKeyring, "repeats": repeats})
}

func TestTheMainJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "50ms")
		e.Network()
		group := e.MustCreate("mock", "securitygroup", "g", `{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}]}`)
		e.MustCreate("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
		vm := e.MustCreate("mock", "vm", "vm1", fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s","securitygroups":["g"],"keypair":"k"}`, e.Image, e.Spec))
		assert.Equal(t, resource.StateRunning, vm.State)
		assert.NotEmpty(t, vm.CloudID)
		assert.NotEmpty(t, vm.CloudState)
		assert.NotEmpty(t, vm.Native)
		assert.Empty(t, vm.Operation)
		assert.NotNil(t, vm.SyncedAt)
		var spec resource.VMSpec
		require.NoError(t, json.Unmarshal(vm.Spec, &spec))
		assert.Equal(t, "s", spec.Subnet, "references come back as names")
		assert.Equal(t, []string{"g"}, spec.SecurityGroups)
		assert.Equal(t, "k", spec.KeyPair)
		var status resource.VMStatus
		require.NoError(t, json.Unmarshal(vm.Status, &status))
		assert.NotEmpty(t, status.PrivateAddress)

		for _, step := range []struct {
			action string
			state  resource.State
		}{
			{"stop", resource.StateStopped},
			{"stop", resource.StateStopped}, // already there: a success
			{"start", resource.StateRunning},
			{"reboot", resource.StateRunning},
		} {
			op, err := e.Act(t.Context(), "mock", "vm", "vm1", step.action, nil)
			require.NoError(t, err)
			e.Succeeds(op)
			now, err := e.Get(t.Context(), "mock", "vm", "vm1")
			require.NoError(t, err)
			assert.Equal(t, step.state, now.State, step.action)
		}

		op, err := e.Act(t.Context(), "mock", "securitygroup", "g", "addrules", []byte(`{"rules":[{"direction":"in","protocol":"tcp","fromPort":443,"cidr":"0.0.0.0/0"}]}`))
		require.NoError(t, err)
		e.Succeeds(op)
		changed, err := e.Get(t.Context(), "mock", "securitygroup", "g")
		require.NoError(t, err)
		assert.NotEqual(t, string(group.Spec), string(changed.Spec))
		assert.Contains(t, string(changed.Spec), "443")

		for _, one := range []struct{ kind, name string }{{"vm", "vm1"}, {"keypair", "k"}, {"securitygroup", "g"}, {"subnet", "s"}, {"vpc", "v"}} {
			op, err := e.Delete(t.Context(), "mock", one.kind, one.name)
			require.NoError(t, err)
			e.Succeeds(op)
			_, err = e.Get(t.Context(), "mock", one.kind, one.name)
			assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
			assert.Empty(t, e.OnCloud("mock", one.kind), one.kind)
		}
		require.NoError(t, e.DeleteConnection(t.Context(), "mock"))
	})
}

func TestAKeyIsShownOnceAndKeptSealed(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	op, err := e.Ask("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	require.NoError(t, err)
	private := op.Secrets["privateKey"]
	signer, err := ssh.ParsePrivateKey([]byte(private))
	require.NoError(t, err)
	e.Succeeds(op)

	k, err := e.Get(t.Context(), "mock", "keypair", "k")
	require.NoError(t, err)
	assert.Empty(t, k.Secrets)
	var spec resource.KeyPairSpec
	require.NoError(t, json.Unmarshal(k.Effective, &spec))
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.PublicKey))
	require.NoError(t, err)
	assert.Equal(t, signer.PublicKey().Marshal(), public.Marshal())

	again, err := e.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	assert.Empty(t, again.Secrets)
}

func TestReferencesWaitForEachOther(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "100ms")
	var ops []*api.Operation
	for _, one := range []struct{ kind, name, spec string }{
		{"vpc", "v", `{"cidr":"10.0.0.0/16"}`},
		{"subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`},
		{"vm", "vm1", e.VMSpec()},
	} {
		op, err := e.Ask("mock", one.kind, one.name, one.spec) // without waiting for the one before
		require.NoError(t, err)
		ops = append(ops, op)
	}
	for _, op := range ops {
		e.Succeeds(op)
	}
}

func TestAFailedReferenceFailsWhatNeedsIt(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failCreate", "1")
	vpc, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	assert.Equal(t, resource.CodeCapacity, e.Fails(vpc).Code)
	subnet, err := e.Ask("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`)
	require.NoError(t, err)
	assert.Equal(t, resource.CodeDependency, e.Fails(subnet).Code)
	for _, one := range []struct{ kind, name string }{{"subnet", "s"}, {"vpc", "v"}} {
		op, err := e.Delete(t.Context(), "mock", one.kind, one.name)
		require.NoError(t, err)
		e.Succeeds(op)
	}
}

func TestWhatIsUsedIsNotDeleted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	_, err := e.Delete(t.Context(), "mock", "vpc", "v")
	require.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	assert.ErrorContains(t, err, "subnet s")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(e.DeleteConnection(t.Context(), "mock")))
}

func TestOneChangeAtATime(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "300ms")
	e.Network()
	op, err := e.Ask("mock", "vm", "vm1", e.VMSpec())
	require.NoError(t, err)
	_, err = e.Delete(t.Context(), "mock", "vm", "vm1")
	require.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	assert.ErrorContains(t, err, op.ID)
	e.Succeeds(op)

	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		accepted int
	)
	for range 8 {
		group.Go(func() {
			op, err := e.Act(t.Context(), "mock", "vm", "vm1", "stop", nil)
			if err != nil {
				assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
				return
			}
			mu.Lock()
			accepted++
			mu.Unlock()
			_ = op
		})
	}
	group.Wait()
	assert.Equal(t, 1, accepted)
}

func TestOneOfManyCreatesOfANameWins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		var (
			group sync.WaitGroup
			mu    sync.Mutex
			won   []*api.Operation
		)
		for range 8 {
			group.Go(func() {
				op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
				if err != nil {
					assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
					return
				}
				mu.Lock()
				won = append(won, op)
				mu.Unlock()
			})
		}
		group.Wait()
		require.Len(t, won, 1)
		e.Succeeds(won[0])
		assert.Len(t, e.OnCloud("mock", "vpc"), 1)
	})
}

func TestTransientFailuresAreRetried(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failCall", "0.3", "seed", "7")
	e.Network()
	attempts := 0
	for i := 0; i < 10 || attempts == 0; i++ { // which calls fail is drawn
		op, err := e.Ask("mock", "vm", fmt.Sprintf("vm%d", i), e.VMSpec())
		require.NoError(t, err)
		ended := e.Ends(op)
		require.Equal(t, api.OperationSucceeded, ended.State, "%v", ended.Error)
		attempts += ended.Attempts
	}
}

func TestALostAnswerMakesNoSecondObject(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "ambiguousCreate", "1")
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	assert.Len(t, e.OnCloud("mock", "vm"), 1)
	assert.Len(t, e.OnCloud("mock", "vpc"), 1)
}

func TestACrashingDriverMakesNoSecondObject(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "crashCreate", "1")
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	assert.Len(t, e.OnCloud("mock", "vm"), 1)
}

func TestAFailedCreationShowsItsCauseAndGivesUpItsName(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "quotaVMs", "1")
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	op, err := e.Ask("mock", "vm", "vm2", e.VMSpec())
	require.NoError(t, err)
	assert.Equal(t, resource.CodeQuota, e.Fails(op).Code)
	failed, err := e.Get(t.Context(), "mock", "vm", "vm2")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, failed.State)
	assert.Equal(t, resource.CodeQuota, failed.Error.Code)
	assert.NotEmpty(t, failed.Error.Cloud.RequestID)

	gone, err := e.Delete(t.Context(), "mock", "vm", "vm1")
	require.NoError(t, err)
	e.Succeeds(gone)
	again := e.MustCreate("mock", "vm", "vm2", e.VMSpec())
	assert.NotEqual(t, failed.UID, again.UID)
}

func TestACreationThatTheCloudFailsKeepsItsObject(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failSettle", "1", "latency", "20ms")
	e.Network()
	op, err := e.Ask("mock", "vm", "vm1", e.VMSpec())
	require.NoError(t, err)
	assert.Equal(t, resource.CodeCapacity, e.Fails(op).Code)
	failed, err := e.Get(t.Context(), "mock", "vm", "vm1")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, failed.State)
	assert.NotEmpty(t, failed.CloudID)
	_, err = e.Ask("mock", "vm", "vm1", e.VMSpec())
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "it still exists on the cloud")
	gone, err := e.Delete(t.Context(), "mock", "vm", "vm1")
	require.NoError(t, err)
	e.Succeeds(gone)
	assert.Empty(t, e.OnCloud("mock", "vm"))
}

func TestListsThatLagBehindMisleadNobody(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "consistencyDelay", "300ms", "latency", "100ms")
	e.Network()
	var ops []*api.Operation
	for i := range 3 {
		op, err := e.Ask("mock", "vm", fmt.Sprintf("vm%d", i), e.VMSpec())
		require.NoError(t, err)
		ops = append(ops, op)
	}
	for _, op := range ops {
		e.Succeeds(op)
	}
	for i := range 3 {
		op, err := e.Delete(t.Context(), "mock", "vm", fmt.Sprintf("vm%d", i))
		require.NoError(t, err)
		ops[i] = op
	}
	for _, op := range ops {
		e.Succeeds(op)
	}
}

func TestWorkGoesOnAfterARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		db, work := open(), t.TempDir()
		short := engine.Config{Lease: 400 * time.Millisecond}
		first := enginetest.New(t, enginetest.Options{Store: db, Work: work, Engine: short}, "latency", "400ms")
		first.Network()
		op, err := first.Ask("mock", "vm", "vm1", first.VMSpec())
		require.NoError(t, err)
		queued, err := first.Ask("mock", "vm", "vm2", first.VMSpec())
		require.NoError(t, err)
		first.Stop()
		first.Host.Close()

		second := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Engine: short})
		second.Succeeds(op)
		second.Succeeds(queued)
		assert.Len(t, second.OnCloud("mock", "vm"), 2)
	})
}

func TestASlowConnectionDoesNotHoldUpAnother(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{Workers: 2, DrainFor: time.Millisecond}})
	e.Connect("slow", "callLatency", "1m")
	for i := range 5 {
		_, err := e.Ask("slow", "vpc", fmt.Sprintf("v%d", i), `{"cidr":"10.0.0.0/16"}`)
		require.NoError(t, err)
	}
	started := time.Now()
	e.Network()
	assert.Less(t, time.Since(started), 8*time.Second, "the host ends calls of the slow one after 10 s")
}

func TestWaitingIsSharedByAllOfAKind(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{
		PollFirst: 100 * time.Millisecond, PollMax: 100 * time.Millisecond, RetryFirst: time.Second, RetryMax: time.Second,
	}}, "latency", "1s", "rateLimit", "60")
	e.Network()
	var ops []*api.Operation
	for i := range 40 {
		op, err := e.Ask("mock", "vm", fmt.Sprintf("vm%d", i), e.VMSpec())
		require.NoError(t, err)
		ops = append(ops, op)
	}
	for _, op := range ops {
		ended := e.Ends(op)
		require.Equal(t, api.OperationSucceeded, ended.State)
		assert.Zero(t, ended.Attempts, "40 creates and shared lists stay below 60 calls; a get for each VM and tick would not")
	}
}

func TestEventsTellWhatChanges(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	stream, complete := e.Subscribe(0)
	defer stream.Stop()
	require.True(t, complete)
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var (
		states []resource.State
		first  int
	)
	for done := false; !done; {
		batch := stream.Next(ctx)
		require.NotNil(t, batch, "no end was told")
		for _, event := range batch.Events {
			if first == 0 {
				first = event.ID
			}
			if event.Resource != nil {
				states = append(states, event.Resource.State)
			}
			done = event.Operation != nil && event.Operation.State == api.OperationSucceeded
		}
	}
	assert.Equal(t, []resource.State{resource.StatePending, resource.StateAvailable}, states)

	missed, complete := e.Subscribe(first)
	defer missed.Stop()
	require.True(t, complete)
	assert.Equal(t, first+1, missed.Next(ctx).Events[0].ID, "after a break the events in between come")
	old, complete := e.Subscribe(1)
	defer old.Stop()
	assert.False(t, complete, "events of an earlier run are lost")
}

func TestBadRequestsChangeNothing(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	for name, try := range map[string]struct {
		code resource.Code
		ask  func() (*api.Operation, error)
	}{
		"unknown kind":       {resource.CodeNotFound, func() (*api.Operation, error) { return e.Ask("mock", "nonsense", "x", `{}`) }},
		"unknown connection": {resource.CodeNotFound, func() (*api.Operation, error) { return e.Ask("nowhere", "vpc", "x", `{"cidr":"10.0.0.0/16"}`) }},
		"unknown vpc": {resource.CodeInvalid, func() (*api.Operation, error) {
			return e.Ask("mock", "subnet", "x", `{"vpc":"w","cidr":"10.0.0.0/16"}`)
		}},
		"outside of the vpc": {resource.CodeInvalid, func() (*api.Operation, error) {
			return e.Ask("mock", "subnet", "x", `{"vpc":"v","cidr":"192.168.0.0/16"}`)
		}},
		"unknown action":   {resource.CodeUnsupported, func() (*api.Operation, error) { return e.Act(t.Context(), "mock", "vpc", "v", "fly", nil) }},
		"unknown resource": {resource.CodeNotFound, func() (*api.Operation, error) { return e.Delete(t.Context(), "mock", "vm", "x") }},
		"parameters of no use": {resource.CodeInvalid, func() (*api.Operation, error) {
			return e.Act(t.Context(), "mock", "vm", "x", "stop", []byte(`{"now":true}`))
		}},
	} {
		_, err := try.ask()
		assert.Equal(t, try.code, resource.CodeOf(err), "%s: %v", name, err)
	}
	ops, _, err := e.Operations(t.Context(), store.Query{Limit: 100})
	require.NoError(t, err)
	assert.Len(t, ops, 2, "only the network's")
}

func TestStoppingLetsAStepEnd(t *testing.T) {
	db := enginetest.Opened(t)
	e := enginetest.New(t, enginetest.Options{Store: db}, "callLatency", "400ms")
	op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return e.QueueDepth() == 0 }, 5*time.Second, time.Millisecond)
	e.Stop()
	row, err := db.Read().ResourceByUID(t.Context(), op.UID)
	require.NoError(t, err)
	assert.Empty(t, row.LeaseOwner, "another server can go on at once")
	ended, err := db.Read().Operation(t.Context(), op.ID)
	require.NoError(t, err)
	if assert.NotEqual(t, api.OperationQueued, ended.State, "the cloud was asked, and its answer must not be lost") {
		assert.NotEmpty(t, row.CloudID)
	}
}

func TestAnOperationTellsItsSteps(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "ambiguousCreate", "1")
	op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	ended := e.Ends(op)
	var what []string
	for _, step := range ended.Steps {
		what = append(what, step.What)
	}
	assert.Equal(t, []string{"asked", "accepted", "succeeded"}, what)
	assert.Equal(t, resource.CodeUnavailable, ended.Steps[0].Code)
	assert.NotEmpty(t, ended.Steps[0].RequestID)
}

func TestOldOperationsAndTombstonesAreForgotten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		db := open()
		e := enginetest.New(t, enginetest.Options{Store: db})
		kept := e.MustCreate("mock", "vpc", "kept", `{"cidr":"10.0.0.0/16"}`)
		gone := e.MustCreate("mock", "vpc", "gone", `{"cidr":"10.0.0.0/16"}`)
		op, err := e.Delete(t.Context(), "mock", "vpc", "gone")
		require.NoError(t, err)
		e.Succeeds(op)
		e.Stop()

		later := enginetest.Start(t, enginetest.Options{Store: db, Engine: engine.Config{KeepFor: time.Nanosecond}})
		require.Eventually(t, func() bool {
			ops, _, err := later.Operations(t.Context(), store.Query{Limit: 10})
			return err == nil && len(ops) == 0
		}, 10*time.Second, 10*time.Millisecond)
		_, err = db.Read().ResourceByUID(t.Context(), kept.UID)
		require.NoError(t, err)
		_, err = db.Read().ResourceByUID(t.Context(), gone.UID)
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	})
}

func TestManyAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "quotaVMs", "25")
		e.Network()
		op, err := e.Create(t.Context(), "mock", "vm", []byte(`{"name":"web","count":20,"spec":`+e.VMSpec()+`}`))
		require.NoError(t, err)
		assert.Equal(t, &api.Progress{Total: 20}, op.Items)
		ended := e.Ends(op)
		assert.Equal(t, api.OperationSucceeded, ended.State)
		assert.Equal(t, &api.Progress{Total: 20, Ended: 20}, ended.Items)
		vms, _, err := e.List(t.Context(), "mock", "vm", store.Query{Limit: 100, Sort: "name"})
		require.NoError(t, err)
		require.Len(t, vms, 20)
		assert.Equal(t, "web-1", vms[0].Name)

		// Five more fit: of ten, five fail, and each says why.
		op, err = e.Create(t.Context(), "mock", "vm", []byte(`{"name":"more","count":10,"spec":`+e.VMSpec()+`}`))
		require.NoError(t, err)
		ended = e.Ends(op)
		assert.Equal(t, api.OperationFailed, ended.State)
		assert.Equal(t, resource.CodeQuota, ended.Error.Code, "as the first that failed")
		assert.Contains(t, ended.Error.Message, "5 of 10 failed")
		assert.Equal(t, &api.Progress{Total: 10, Ended: 10, Failed: 5}, ended.Items)
		parts, _, err := e.Operations(t.Context(), store.Query{Limit: 100, Filters: []store.Filter{{Field: "parent", Op: store.FilterEqual, Value: op.ID}}})
		require.NoError(t, err)
		require.Len(t, parts, 10)
		failed := 0
		for _, part := range parts {
			if part.State == api.OperationFailed {
				failed++
				assert.Equal(t, resource.CodeQuota, part.Error.Code)
			}
		}
		assert.Equal(t, 5, failed)

		// All or none are recorded.
		before := len(parts)
		_, err = e.Create(t.Context(), "mock", "vpc", []byte(`{"items":[{"name":"new","spec":{"cidr":"10.0.0.0/16"}},{"name":"v","spec":{"cidr":"10.0.0.0/16"}}]}`))
		require.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		_, err = e.Get(t.Context(), "mock", "vpc", "new")
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
		assert.Equal(t, 10, before)
		for _, bad := range []string{
			`{"items":[]}`, `{"items":{}}`, `{"items":null,"name":"x"}`, `{"items":[{"name":"a","spec":{"cidr":"10.0.0.0/16"}}],"color":"red"}`,
			`{"items":[{"name":"a","spec":{"cidr":"10.0.0.0/16"}},{"name":"a","spec":{"cidr":"10.0.0.0/16"}}]}`,
			`{"items":[{"name":"a","spec":{"cidr":"bad"}}]}`, `{"items":[{"name":"a","count":2,"spec":{"cidr":"10.0.0.0/16"}}]}`,
			`{"name":"a","count":0,"spec":{"cidr":"10.0.0.0/16"}}`, `{"name":"a","count":1001,"spec":{"cidr":"10.0.0.0/16"}}`,
		} {
			_, err := e.Create(t.Context(), "mock", "vpc", []byte(bad))
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%s: %v", bad, err)
		}
		_, err = e.Create(t.Context(), "mock", "keypair", []byte(`{"name":"k","count":2,"spec":{}}`))
		assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
		_, err = e.Cancel(t.Context(), op.ID, false)
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "all of it has ended")
		room, err := e.ChangeMany(t.Context(), "mock", "vm", api.VerbDelete, []byte(`{"matching":{"filter":["name~web-1"],"expected":11}}`))
		require.NoError(t, err)
		e.Succeeds(room)
		again, err := e.Retry(t.Context(), op.ID)
		require.NoError(t, err)
		assert.Equal(t, &api.Progress{Total: 5}, again.Items, "what failed")
		e.Succeeds(again)
		_, err = e.Retry(t.Context(), again.ID)
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "nothing of it failed")
	})
}

func TestWhatAnUnclearCreationMadeIsFoundAndDeleted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{
		PollFirst: 10 * time.Millisecond, PollMax: 50 * time.Millisecond, RetryFirst: 10 * time.Millisecond, RetryMax: 10 * time.Millisecond,
		RetryFor: time.Nanosecond, LookFor: 2 * time.Second,
	}}, "ambiguousCreate", "1", "consistencyDelay", "700ms")
	op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`) // made, but the answer is lost and nobody asks again
	require.NoError(t, err)
	require.Equal(t, resource.CodeUnavailable, e.Fails(op).Code)
	_, err = e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), "it may exist")
	assert.Empty(t, e.OnCloud("mock", "vpc"), "the list lags behind")
	op, err = e.Delete(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	e.Succeeds(op)
	require.Eventually(t, func() bool { return len(e.OnCloud("mock", "vpc")) == 0 }, 10*time.Second, 50*time.Millisecond)
	session, _, err := e.Session(t.Context(), "mock")
	require.NoError(t, err)
	gone, err := e.Store.Read().ResourceByUID(t.Context(), op.UID)
	require.NoError(t, err)
	require.NotEmpty(t, gone.CloudID, "it was found")
	_, err = session.Get(t.Context(), "vpc", gone.CloudID)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

// What a cloud accepts and does not do is asked for again: a deletion of several steps
// goes on so.
func TestADeletionThatIsNotDoneIsAskedForAgain(t *testing.T) {
	var deletions atomic.Int32
	e := enginetest.New(t, enginetest.Options{
		Engine: engine.Config{VanishedFor: 50 * time.Millisecond},
		Observe: func(_, verb string, _ resource.Code, _ time.Duration) {
			if verb == "delete" {
				deletions.Add(1)
			}
		},
	}, "forgetDelete", "1")
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	op, err := e.Delete(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	e.Succeeds(op)
	assert.Equal(t, int32(2), deletions.Load())
	assert.Empty(t, e.OnCloud("mock", "vpc"))
}
