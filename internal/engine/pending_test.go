package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// twoGroups is a cluster that takes three steps to create.
func twoGroups(e *enginetest.Env) string {
	return fmt.Sprintf(`{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":%q},{"name":"b","spec":%q}]}`, e.Spec, e.Spec)
}

// untilPending waits until an operation takes several steps, and answers it then.
func untilPending(t *testing.T, e *enginetest.Env, id string) *api.Operation {
	t.Helper()
	var op *api.Operation
	require.Eventually(t, func() bool {
		var err error
		op, err = e.Operation(t.Context(), id)
		return err == nil && op.Pending != ""
	}, 10*time.Second, time.Millisecond)
	return op
}

func TestACreationOfSeveralPartsIsPending(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "latency", "200ms")
	e.Network()
	op, err := e.Ask("mock", "cluster", "k", twoGroups(e))
	require.NoError(t, err)
	pending := untilPending(t, e, op.ID)
	assert.Equal(t, api.OperationRunning, pending.State)
	assert.Contains(t, pending.Pending, "node group a follows")
	assert.Nil(t, pending.Error, "to be waited for is no failure")
	assert.Zero(t, pending.Attempts)
	assert.NotNil(t, pending.AcceptedAt)
	now, err := e.Get(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.NotEmpty(t, now.CloudID, "the id is recorded at once")
	assert.Equal(t, resource.StateCreating, now.State)

	ended := e.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State, "%v", ended.Error)
	assert.Empty(t, ended.Pending)
	spec, _ := specAndStatus[resource.ClusterSpec, resource.ClusterStatus](t, e, "mock", "cluster", "k")
	require.Len(t, spec.NodeGroups, 2)

	op, err = e.Delete(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.Contains(t, untilPending(t, e, op.ID).Pending, "node groups")
	e.Succeeds(op)
	assert.Empty(t, e.OnCloud("mock", "cluster"))
}

func TestAPendingCreationGoesOnInAnotherServer(t *testing.T) {
	work := t.TempDir()
	first := enginetest.New(t, enginetest.Options{Work: work}, "parts", "true", "latency", "300ms")
	first.Network()
	op, err := first.Ask("mock", "cluster", "k", twoGroups(first))
	require.NoError(t, err)
	untilPending(t, first, op.ID)
	first.Stop()
	first.Host.Close()
	second := enginetest.Start(t, enginetest.Options{Store: first.Store, Work: work})
	second.Succeeds(op)
	require.Len(t, second.OnCloud("mock", "cluster"), 1)
	spec, _ := specAndStatus[resource.ClusterSpec, resource.ClusterStatus](t, second, "mock", "cluster", "k")
	require.Len(t, spec.NodeGroups, 2)
}

// A part that the cloud refuses for good takes the others with it, and the reason stays.
func TestAPartThatFailsLeavesNothing(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "failPart", "1", "latency", "20ms")
	e.Network()
	op, err := e.Ask("mock", "cluster", "k", twoGroups(e))
	require.NoError(t, err)
	failure := e.Fails(op)
	assert.Equal(t, resource.CodeCapacity, failure.Code)
	assert.Contains(t, failure.Message, "node group a")
	require.Eventually(t, func() bool { return len(e.OnCloud("mock", "cluster")) == 0 }, 10*time.Second, 10*time.Millisecond)
	left, err := e.Get(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, left.State)
	assert.Empty(t, left.CloudID)
}

// What is left of it is not concluded from a cloud that cannot be asked for it just then.
func TestWhatIsLeftOfACreationIsLookedForAgain(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "failPart", "1", "latency", "20ms", "failCall", "0.4", "seed", "1")
	e.Network()
	var ops []*api.Operation
	for i := range 10 {
		op, err := e.Ask("mock", "cluster", fmt.Sprintf("k%d", i), twoGroups(e))
		require.NoError(t, err)
		ops = append(ops, op)
	}
	for _, op := range ops {
		assert.Equal(t, resource.CodeCapacity, e.Fails(op).Code)
		left, err := e.Get(t.Context(), "mock", "cluster", op.Name)
		require.NoError(t, err)
		assert.Equal(t, resource.StateFailed, left.State)
		assert.Empty(t, left.CloudID, op.Name)
	}
}

func TestAPendingCreationIsCancelledWithWhatThereIs(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "latency", "300ms")
	e.Network()
	op, err := e.Ask("mock", "cluster", "k", twoGroups(e))
	require.NoError(t, err)
	untilPending(t, e, op.ID)
	_, err = e.Cancel(t.Context(), op.ID, false)
	require.Equal(t, resource.CodeConflict, resource.CodeOf(err), "the cloud has accepted it")
	_, err = e.Cancel(t.Context(), op.ID, true)
	require.NoError(t, err)
	ended := e.Ends(op)
	assert.Equal(t, api.OperationCancelled, ended.State)
	require.Eventually(t, func() bool {
		_, err := e.Get(t.Context(), "mock", "cluster", "k")
		return resource.CodeOf(err) == resource.CodeNotFound
	}, 10*time.Second, 10*time.Millisecond)
	assert.Empty(t, e.OnCloud("mock", "cluster"))
}

// Whether the cloud has accepted the creation is not known when it is cancelled: what it
// may have made is looked for.
func TestAnUnclearCreationIsCancelledWithWhatItMade(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{RetryFirst: time.Hour, RetryMax: time.Hour, PollFirst: 10 * time.Millisecond, PollMax: 100 * time.Millisecond}},
		"ambiguousCreate", "1")
	op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(e.OnCloud("mock", "vpc")) == 1 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		now, err := e.Operation(t.Context(), op.ID)
		return err == nil && now.Attempts == 1
	}, 10*time.Second, time.Millisecond)
	_, err = e.Cancel(t.Context(), op.ID, true)
	require.NoError(t, err)
	ended := e.Ends(op)
	assert.Equal(t, api.OperationCancelled, ended.State)
	assert.Contains(t, ended.Error.Message, "looked for and deleted")
	require.Eventually(t, func() bool {
		_, err := e.Get(t.Context(), "mock", "vpc", "v")
		return resource.CodeOf(err) == resource.CodeNotFound
	}, 10*time.Second, 10*time.Millisecond)
	assert.Empty(t, e.OnCloud("mock", "vpc"))
}

// What a cluster uses is not deleted before it, and that may take longer than others do.
func TestWhatWaitsForAPatientKindIsPatient(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{SettleFor: 2 * time.Second}}, "parts", "true", "latency", "1200ms")
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/8"}`)
	e.MustCreate("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.0.0/12"}`)
	e.MustCreate("mock", "cluster", "k", fmt.Sprintf(`{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":%q}]}`, e.Spec))
	op, err := e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "cluster", Name: "k"}, {Kind: "subnet", Name: "s"}, {Kind: "vpc", Name: "v"}}, false)
	require.NoError(t, err)
	e.Succeeds(op)
}

// How long a change may take can be set for a connection, by kind, also when it is under way.
func TestAConnectionHasItsOwnPatience(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{SettleFor: time.Second}}, "parts", "true", "latency", "700ms")
	e.Network()
	op, err := e.Ask("mock", "cluster", "k", fmt.Sprintf(`{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":%[1]q},{"name":"b","spec":%[1]q},{"name":"c","spec":%[1]q}]}`, e.Spec))
	require.NoError(t, err)
	untilPending(t, e, op.ID)
	changed, err := e.UpdateConnection(t.Context(), "mock", []byte(`{"patience":{"cluster":"10m"}}`), true)
	require.NoError(t, err)
	assert.Equal(t, resource.Patience{"cluster": "10m"}, changed.Patience)
	e.Succeeds(op)

	kept, err := e.PutConnection(t.Context(), api.ConnectionRequest{Name: "mock", Cloud: "mock", Region: "mock-seoul", Settings: map[string]string{"latency": "10ms"}})
	require.NoError(t, err)
	assert.Equal(t, "10m", kept.Patience["cluster"], "what changes the rest leaves it")
	for body, field := range map[string]string{
		`{"patience":{"clusters":"10m"}}`: "patience.clusters", `{"patience":{"nlb":"soon"}}`: "patience.nlb",
		`{"patience":{"nlb":"10s"}}`: "patience.nlb", `{"patience":{"nlb":"100h"}}`: "patience.nlb", `{"patience":5}`: "patience", `{"region":"x"}`: "region",
	} {
		_, err := e.UpdateConnection(t.Context(), "mock", []byte(body), true)
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), body)
		assert.Contains(t, resource.AsError(err).Fields[0].Field, field, body)
	}
	changed, err = e.UpdateConnection(t.Context(), "mock", []byte(`{"patience":{}}`), true)
	require.NoError(t, err)
	assert.Empty(t, changed.Patience)
	_, err = e.UpdateConnection(t.Context(), "none", []byte(`{}`), true)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

// A driver is not asked for ever: what is pending for longer than the kind may take to
// settle has failed, with what was waited for.
func TestWhatIsPendingForTooLongFails(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{SettleFor: 100 * time.Millisecond}}, "parts", "true", "latency", "10s")
	e.Connect("quick")
	e.MustCreate("quick", "vpc", "v", `{"cidr":"10.0.0.0/8"}`)
	e.MustCreate("quick", "subnet", "s", `{"vpc":"v","cidr":"10.0.0.0/12"}`)
	found, err := e.Get(t.Context(), "quick", "vpc", "v")
	require.NoError(t, err)
	_, err = e.Adopt(t.Context(), "mock", "vpc", fmt.Appendf(nil, `{"cloudId":%q,"name":"v"}`, found.CloudID))
	require.NoError(t, err)
	op, err := e.Ask("mock", "cluster", "k", twoGroups(e))
	require.NoError(t, err)
	failure := e.Fails(op)
	assert.Equal(t, resource.CodeUnavailable, failure.Code)
	assert.Contains(t, failure.Message, "node group a follows")
	assert.Contains(t, failure.Message, "200ms", "clusters may take twice as long as others")
}

// What is said of a part is the reason of the failure, with its code, and at once.
func TestAPartThatFailsEndsTheOperation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "50ms", "failGroups", "b")
		e.Network()
		group := func(name string) string { return fmt.Sprintf(`{"name":%q,"spec":%q}`, name, e.Spec) }
		e.MustCreate("mock", "cluster", "k", `{"vpc":"v","subnets":["s"],"nodeGroups":[`+group("a")+`]}`)
		act := func(action, params string) *api.Operation {
			op, err := e.Act(t.Context(), "mock", "cluster", "k", action, []byte(params))
			require.NoError(t, err)
			return op
		}
		failure := e.Fails(act("addnodegroup", group("b")))
		assert.Equal(t, resource.CodeCapacity, failure.Code)
		assert.Contains(t, failure.Message, "the node group b of the cluster k failed")
		assert.Contains(t, failure.Message, "No valid host was found")
		cluster, err := e.Get(t.Context(), "mock", "cluster", "k")
		require.NoError(t, err)
		assert.Equal(t, resource.StateAvailable, cluster.State, "it goes on without")
		assert.Equal(t, resource.CodeCapacity, cluster.Error.Code)
		assert.NotContains(t, string(cluster.Spec), `"b"`, "what failed is not asked for any more")
		assert.Contains(t, string(cluster.Effective), `"b"`)
		var status resource.ClusterStatus
		require.NoError(t, json.Unmarshal(cluster.Status, &status))
		require.Len(t, status.NodeGroups, 2)
		assert.Equal(t, resource.StateFailed, status.NodeGroups[1].State)
		assert.Contains(t, status.NodeGroups[1].Reason, "No valid host")

		e.Succeeds(act("scalenodegroup", `{"name":"a","desiredNodes":2}`)) // what failed before is another's
		e.Succeeds(act("removenodegroup", `{"name":"b"}`))

		op, err := e.Ask("mock", "cluster", "l", `{"vpc":"v","subnets":["s"],"nodeGroups":[`+group("b")+`]}`)
		require.NoError(t, err)
		assert.Equal(t, resource.CodeCapacity, e.Fails(op).Code)
		failed, err := e.Get(t.Context(), "mock", "cluster", "l")
		require.NoError(t, err)
		assert.Equal(t, resource.StateFailed, failed.State)
		mustDelete(t, e, "mock", "cluster", "l")
	})
}
