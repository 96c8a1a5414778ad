package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// reconnect changes the connection mock in the middle of what goes on.
func reconnect(t *testing.T, e *enginetest.Env, change func(*store.Connection)) {
	t.Helper()
	require.NoError(t, e.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		row, err := q.Connection(ctx, "mock")
		if err != nil {
			return err
		}
		change(row)
		row.UpdatedAt = store.MicrosOf(time.Now())
		return q.UpdateConnection(ctx, row)
	}))
}

// pendingCluster asks for a cluster of two node groups and waits until it is pending.
func pendingCluster(t *testing.T, e *enginetest.Env) *api.Operation {
	t.Helper()
	e.Network()
	op, err := e.Ask("mock", "cluster", "k", twoGroups(e))
	require.NoError(t, err)
	return untilPending(t, e, op.ID)
}

// A clear no that does not come from the creation itself, such as that of a password
// that was changed meanwhile, does not undo what there is.
func TestAPendingCreationWithoutConnectionKeepsItsCloudID(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "latency", "500ms")
	op := pendingCluster(t, e)
	reconnect(t, e, func(c *store.Connection) { c.Region = "nowhere" })
	require.NotNil(t, e.Fails(op))
	left, err := e.Get(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, left.State)
	assert.NotEmpty(t, left.CloudID)

	reconnect(t, e, func(c *store.Connection) { c.Region = "mock-seoul" })
	require.Len(t, e.OnCloud("mock", "cluster"), 1)
	op, err = e.Delete(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	e.Succeeds(op)
	assert.Empty(t, e.OnCloud("mock", "cluster"))
}

// What the cloud has worked on for longer than it is asked to accept something does not
// fail with the first call that it does not answer.
func TestAMomentOfTroubleLateInAPendingCreationIsPassedOver(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{RetryFor: time.Second}}, "parts", "true", "latency", "1500ms")
	op := pendingCluster(t, e)
	require.Eventually(t, func() bool { return time.Since(*op.AcceptedAt) > 1100*time.Millisecond }, 5*time.Second, 10*time.Millisecond)
	reconnect(t, e, func(c *store.Connection) { c.Settings["down"] = "cluster" })
	require.Eventually(t, func() bool {
		now, err := e.Operation(t.Context(), op.ID)
		return err == nil && (now.Attempts > 0 || now.State.Ended())
	}, 10*time.Second, time.Millisecond)
	reconnect(t, e, func(c *store.Connection) { delete(c.Settings, "down") })
	e.Succeeds(op)
	assert.Zero(t, e.Ends(op).Attempts, "the next trouble is not waited for longer because of this one")
}

// A cancellation that the cloud was faster than changes nothing: only thenDelete deletes.
func TestAPendingCreationIsNotCancelledWithoutThenDelete(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "parts", "true", "latency", "200ms")
	op := pendingCluster(t, e)
	require.NoError(t, e.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		return q.SetCancel(ctx, op.ID, store.CancelEarly) // as if it had been asked while the cloud was
	}))
	e.Succeeds(op)
}

// What is accepted without an id is looked for by its token.
func TestACreationThatIsPendingWithoutAnIDIsCancelledWithWhatItMade(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Others: []string{"late"}})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"late"}`), false)
	require.NoError(t, err)
	op, err := e.Ask("c", "vpc", comesUnnamed, `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	untilPending(t, e, op.ID)
	require.Len(t, e.OnCloud("c", "vpc"), 1)
	_, err = e.Cancel(t.Context(), op.ID, true)
	require.NoError(t, err)
	require.Equal(t, api.OperationCancelled, e.Ends(op).State)
	require.Eventually(t, func() bool {
		_, err := e.Get(t.Context(), "c", "vpc", comesUnnamed)
		return resource.CodeOf(err) == resource.CodeNotFound
	}, patience, 10*time.Millisecond)
	assert.Empty(t, e.OnCloud("c", "vpc"))
}

func TestAPendingDeletionThatIsRefusedShowsWhatTheCloudShows(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Others: []string{"late"}})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"late"}`), false)
	require.NoError(t, err)
	e.MustCreate("c", "vpc", staysAfterAll, `{"cidr":"10.0.0.0/16"}`)
	op, err := e.Delete(t.Context(), "c", "vpc", staysAfterAll)
	require.NoError(t, err)
	assert.Contains(t, e.Fails(op).Message, "protected")
	kept, err := e.Get(t.Context(), "c", "vpc", staysAfterAll)
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, kept.State)
}

// beingUndone asks for a cluster whose node group is refused, and stops the server while what
// there is of it is removed.
func beingUndone(t *testing.T) (e *enginetest.Env, op *api.Operation, work string) {
	t.Helper()
	work = t.TempDir()
	e = enginetest.New(t, enginetest.Options{Work: work, Engine: engine.Config{DrainFor: time.Millisecond}}, "parts", "true", "failPart", "1", "callLatency", "200ms")
	op = pendingCluster(t, e)
	require.Eventually(t, func() bool {
		now, err := e.Operation(t.Context(), op.ID)
		return err == nil && now.Error != nil
	}, patience, time.Millisecond)
	e.Stop()
	e.Host.Close()
	op, err := e.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.Equal(t, api.OperationRunning, op.State)
	require.Equal(t, resource.CodeCapacity, op.Error.Code)
	require.Contains(t, op.Pending, "removed again")
	return e, op, work
}

// Why a creation has failed is recorded before anything of it is removed, so that a server
// that goes on with that ends it with the first reason.
func TestACreationThatIsBeingUndoneKeepsItsReason(t *testing.T) {
	first, op, work := beingUndone(t)
	second := enginetest.Start(t, enginetest.Options{Store: first.Store, Work: work})
	failure := second.Fails(op)
	assert.Equal(t, resource.CodeCapacity, failure.Code)
	assert.Contains(t, failure.Message, "node group a")
	assert.Empty(t, second.OnCloud("mock", "cluster"))
	left, err := second.Get(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateFailed, left.State)
	assert.Equal(t, resource.CodeCapacity, left.Error.Code)
	assert.Empty(t, left.CloudID)
}

// What comes in the way of undoing it is not the reason why it failed.
func TestTroubleWhileACreationIsUndoneIsNotItsReason(t *testing.T) {
	first, op, work := beingUndone(t)
	reconnect(t, first, func(c *store.Connection) { c.Region = "nowhere" })
	second := enginetest.Start(t, enginetest.Options{Store: first.Store, Work: work})
	failure := second.Fails(op)
	assert.Equal(t, resource.CodeCapacity, failure.Code)
	assert.Contains(t, failure.Message, "node group a")
	assert.Contains(t, failure.Message, "may be left")
	left, err := second.Get(t.Context(), "mock", "cluster", "k")
	require.NoError(t, err)
	assert.NotEmpty(t, left.CloudID, "so that it can be deleted")
}
