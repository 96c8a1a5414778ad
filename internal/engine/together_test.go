package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// manyVMs creates VMs, and stops the engine: what is asked for then is queued.
func manyVMs(t *testing.T, n int, settings ...string) (e *enginetest.Env, work string) {
	t.Helper()
	work = t.TempDir()
	e = enginetest.New(t, enginetest.Options{Work: work}, settings...)
	e.Network()
	op, err := e.Create(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm","count":%d,"spec":%s}`, n, e.VMSpec()))
	require.NoError(t, err)
	e.Succeeds(op)
	e.Stop()
	return e, work
}

// vmNamed is the name of a VM of manyVMs.
func vmNamed(i int) string { return fmt.Sprint("vm-", i+1) }

// stopAll asks for all VMs to be stopped.
func stopAll(t *testing.T, e *enginetest.Env, n int) []*api.Operation {
	t.Helper()
	ops := make([]*api.Operation, n)
	for i := range ops {
		var err error
		ops[i], err = e.Act(t.Context(), "mock", "vm", vmNamed(i), "stop", nil)
		require.NoError(t, err)
	}
	return ops
}

// next is the engine after the one that was stopped.
func next(t *testing.T, before *enginetest.Env, work string, observe *calls) *enginetest.Env {
	t.Helper()
	before.Host.Close()
	return enginetest.Start(t, enginetest.Options{Store: before.Store, Work: work, Observe: observe.observe, Engine: engine.Config{
		PollFirst: 200 * time.Millisecond, PollMax: time.Second, RetryFirst: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond,
	}})
}

// What the cloud refuses of one is that one's failure alone, and a cancelled one is not asked for.
func TestOneOfManyCostsOnlyItself(t *testing.T) {
	before, work := manyVMs(t, 5)
	session := onCloud(t, before)
	gone, err := before.Get(t.Context(), "mock", "vm", vmNamed(0))
	require.NoError(t, err)
	ops := stopAll(t, before, 4)
	_, err = before.Cancel(t.Context(), ops[1].ID, false)
	require.NoError(t, err)
	_, err = session.Delete(t.Context(), "vm", gone.CloudID)
	require.NoError(t, err)
	did := newCalls()
	e := next(t, before, work, did)
	assert.Equal(t, resource.CodeNotFound, e.Fails(ops[0]).Code)
	assert.Equal(t, api.OperationCancelled, e.Ends(ops[1]).State)
	e.Succeeds(ops[2])
	e.Succeeds(ops[3])
	assert.LessOrEqual(t, did.of("stop"), 2)
	for i, state := range map[int]resource.State{1: resource.StateRunning, 2: resource.StateStopped, 3: resource.StateStopped} {
		vm, err := e.Get(t.Context(), "mock", "vm", vmNamed(i))
		require.NoError(t, err)
		assert.Equal(t, state, vm.State, vm.Name)
	}
}

func TestADeletionThatTheCloudRefusesCostsOnlyItself(t *testing.T) {
	did := newCalls()
	e := enginetest.New(t, enginetest.Options{Others: []string{"late"}, Observe: did.observe})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"late"}`), false)
	require.NoError(t, err)
	var names []inventory.Named
	for i := range 40 {
		name := fmt.Sprint("v", i)
		if i%10 == 3 {
			name = protected + name
		}
		e.MustCreate("c", "vpc", name, `{"cidr":"10.0.0.0/16"}`)
		names = append(names, inventory.Named{Kind: "vpc", Name: name})
	}
	op, err := e.DeleteTogether(t.Context(), "c", names, false)
	require.NoError(t, err)
	require.NotEmpty(t, e.Fails(op).Message)
	parts, err := e.Store.Read().Parts(t.Context(), op.ID)
	require.NoError(t, err)
	require.Len(t, parts, len(names))
	for _, part := range parts {
		if !strings.HasPrefix(part.Name, protected) {
			assert.Equal(t, api.OperationSucceeded, part.State, "%s: %v", part.Name, part.Error)
			continue
		}
		require.NotNil(t, part.Error, part.Name)
		assert.Equal(t, resource.CodeConflict, part.Error.Code)
		assert.Contains(t, part.Error.Message, part.Name)
		kept, err := e.Get(t.Context(), "c", "vpc", part.Name)
		require.NoError(t, err)
		assert.Equal(t, resource.StateAvailable, kept.State)
	}
	assert.Len(t, e.OnCloud("c", "vpc"), 4)
	assert.Less(t, did.of("delete"), len(names))
}

// What two connections manage is deleted by neither, also when several go together.
func TestManyThatTwoConnectionsManageAreNotDeleted(t *testing.T) {
	before, work := manyVMs(t, 3, "accountWide", "vm")
	before.Connect("other", "accountWide", "vm")
	require.Equal(t, map[api.Where]int{api.InOther: 3}, before.Places("other", "vm")) // a session is open
	known, err := before.Store.Read().Connection(t.Context(), "other")
	require.NoError(t, err)
	place := func(scopes map[string]string) {
		row := *known
		row.Scopes = scopes
		require.NoError(t, before.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.SetPlace(ctx, &row) }))
	}
	place(nil)
	for i := range 3 {
		vm, err := before.Get(t.Context(), "mock", "vm", vmNamed(i))
		require.NoError(t, err)
		_, err = before.Adopt(t.Context(), "other", "vm", []byte(`{"cloudId":"`+vm.CloudID+`"}`))
		require.NoError(t, err)
	}
	place(known.Scopes)
	var ops []*api.Operation
	for i := range 3 {
		op, err := before.Delete(t.Context(), "other", "vm", vmNamed(i))
		require.NoError(t, err)
		ops = append(ops, op)
	}
	before.Host.Close()
	did := newCalls()
	e := enginetest.Start(t, enginetest.Options{Store: before.Store, Work: work, Observe: did.observe, Engine: engine.Config{Workers: 1}}) // who takes the others along
	for _, op := range ops {
		assert.Contains(t, e.Fails(op).Message, "is managed in the connection mock, too")
	}
	assert.Zero(t, did.of("delete"))
	assert.Len(t, e.OnCloud("mock", "vm"), 3)
}

// A server that goes in the middle of a call for many leaves nothing undone and nothing
// half.
func TestACallForManyThatIsLostIsMadeAgain(t *testing.T) {
	const n = 60
	work := t.TempDir()
	did := newCalls()
	first := enginetest.New(t, enginetest.Options{Work: work, Observe: did.observe, Engine: engine.Config{DrainFor: time.Millisecond}}, "latency", "50ms")
	first.Network()
	op, err := first.Create(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm","count":%d,"spec":%s}`, n, first.VMSpec()))
	require.NoError(t, err)
	first.Succeeds(op)
	ops := stopAll(t, first, n)
	require.Eventually(t, func() bool { return did.of("stop") > 0 }, patience, time.Millisecond)
	first.Stop()
	later := newCalls()
	e := next(t, first, work, later)
	for _, op := range ops {
		e.Succeeds(op)
	}
	stopped := 0
	for _, vm := range e.OnCloud("mock", "vm") {
		if vm.State == resource.StateStopped {
			stopped++
		}
	}
	assert.Equal(t, n, stopped)
}
