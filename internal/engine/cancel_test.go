package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestCancel(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{
		Workers: 1, PollFirst: 10 * time.Millisecond, PollMax: 50 * time.Millisecond, RetryFirst: time.Minute, RetryMax: time.Minute,
	}}, "latency", "500ms")
	e.Network()

	// It waits for its turn: the cloud was never asked.
	e.Connect("busy", "callLatency", "1s")
	_, err := e.Ask("busy", "vpc", "first", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	waits, err := e.Ask("busy", "vpc", "second", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	cancelling, err := e.Cancel(t.Context(), waits.ID, false)
	require.NoError(t, err)
	assert.True(t, cancelling.Cancelling)
	ended := e.Ends(waits)
	assert.Equal(t, api.OperationCancelled, ended.State)
	_, err = e.Get(t.Context(), "busy", "vpc", "second")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "nothing came of it")

	// It is accepted: it cannot be taken back, but what it makes can be deleted.
	vm, err := e.Ask("mock", "vm", "vm1", e.VMSpec())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		op, err := e.Operation(t.Context(), vm.ID)
		return err == nil && op.State == api.OperationRunning
	}, 5*time.Second, time.Millisecond)
	_, err = e.Cancel(t.Context(), vm.ID, false)
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	_, err = e.Cancel(t.Context(), vm.ID, true)
	require.NoError(t, err)
	e.Succeeds(vm)
	require.Eventually(t, func() bool {
		_, err := e.Get(t.Context(), "mock", "vm", "vm1")
		return resource.CodeOf(err) == resource.CodeNotFound
	}, 10*time.Second, 10*time.Millisecond)
	assert.Empty(t, e.OnCloud("mock", "vm"))

	_, err = e.Cancel(t.Context(), vm.ID, true)
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "it has ended")
	_, err = e.Cancel(t.Context(), "unknown", false)
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestRetry(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "quotaVMs", "1")
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	failed, err := e.Ask("mock", "vm", "vm2", e.VMSpec())
	require.NoError(t, err)
	e.Fails(failed) //nolint:errcheck // which error it is, is not the question here
	before, err := e.Get(t.Context(), "mock", "vm", "vm2")
	require.NoError(t, err)

	gone, err := e.Delete(t.Context(), "mock", "vm", "vm1")
	require.NoError(t, err)
	e.Succeeds(gone)
	again, err := e.Retry(t.Context(), failed.ID)
	require.NoError(t, err)
	e.Succeeds(again)
	after, err := e.Get(t.Context(), "mock", "vm", "vm2")
	require.NoError(t, err)
	assert.Equal(t, before.UID, after.UID, "it is the same resource")
	assert.Equal(t, resource.StateRunning, after.State)
	assert.Nil(t, after.Error)

	for _, id := range []string{again.ID, gone.ID, failed.ID} {
		_, err := e.Retry(t.Context(), id)
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
	}
}
