package engine_test

import (
	"encoding/json"
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

// patience is how long something that happens by itself is waited for.
const patience = 30 * time.Second

// gone waits until neither the records nor the cloud have anything of a kind.
func gone(t *testing.T, e *enginetest.Env, kinds ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, kind := range kinds {
			items, _, err := e.List(t.Context(), "mock", kind, store.Query{Limit: 10})
			assert.NoError(c, err)
			assert.Empty(c, items, "%ss are recorded", kind)
		}
	}, patience, 10*time.Millisecond)
	for _, kind := range kinds {
		assert.Empty(t, e.OnCloud("mock", kind))
	}
}

func TestAFailedCreationIsDeletedIfItIsToBe(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failSettle", "1")
	for _, c := range []struct {
		onFailure string
		stays     bool
	}{{`"keep"`, true}, {`"delete"`, false}} {
		op, err := e.Create(t.Context(), "mock", "disk", []byte(`{"name":"d","onFailure":`+c.onFailure+`,"spec":{"sizeGiB":10}}`))
		require.NoError(t, err)
		require.Error(t, e.Fails(op))
		if !c.stays {
			assert.Equal(t, resource.OnFailureDelete, op.OnFailure)
			gone(t, e, "disk")
			continue
		}
		kept, err := e.Get(t.Context(), "mock", "disk", "d")
		require.NoError(t, err)
		require.Equal(t, resource.StateFailed, kept.State)
		require.NotEmpty(t, kept.CloudID)
		op, err = e.Delete(t.Context(), "mock", "disk", "d")
		require.NoError(t, err)
		e.Succeeds(op)
	}
	op, err := e.Create(t.Context(), "mock", "disk", []byte(`{"name":"d","count":3,"onFailure":"delete","spec":{"sizeGiB":10}}`))
	require.NoError(t, err)
	require.Error(t, e.Fails(op))
	gone(t, e, "disk")
}

func TestACreationThatTheCloudRefusesLeavesNoRecordIfItIsToLeaveNothing(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "quotas", "disk=1")
	e.MustCreate("mock", "disk", "first", `{"sizeGiB":10}`)
	op, err := e.Create(t.Context(), "mock", "disk", []byte(`{"name":"d","onFailure":"delete","spec":{"sizeGiB":10}}`))
	require.NoError(t, err)
	assert.Equal(t, resource.CodeQuota, e.Fails(op).Code)
	_, err = e.Get(t.Context(), "mock", "disk", "d")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestWhatAnUnclearCreationMadeGoesWithItsFailure(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{RetryFor: time.Nanosecond}}, "ambiguousCreate", "1")
	op, err := e.Create(t.Context(), "mock", "disk", []byte(`{"name":"d","onFailure":"delete","spec":{"sizeGiB":10}}`))
	require.NoError(t, err)
	assert.Equal(t, resource.CodeUnavailable, e.Fails(op).Code)
	gone(t, e, "disk")
}

func TestWhatIsCreatedTogetherIsTakenBackTogether(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "failSettle", "1")
	op, err := e.CreateTogether(t.Context(), "mock", []engine.Wanted{
		{Kind: "vpc", Body: json.RawMessage(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)},
		{Kind: "subnet", Body: json.RawMessage(`{"name":"s","spec":{"vpc":"v","cidr":"10.0.1.0/24"}}`)},
		{Kind: "disk", Body: json.RawMessage(`{"name":"d","spec":{"sizeGiB":10}}`)},
	}, resource.OnFailureDelete)
	require.NoError(t, err)
	require.Error(t, e.Fails(op))
	gone(t, e, "disk", "subnet", "vpc")
}

// The server is stopped at some moment of a creation that fails, and another one goes on:
// nothing is left whenever that is.
func TestAFailedCreationIsDeletedByTheNextServerToo(t *testing.T) {
	db, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	work := t.TempDir()
	o := enginetest.Options{Store: db, Work: work}
	first := enginetest.New(t, o, "failSettle", "1", "latency", "50ms")
	first.Stop()
	first.Host.Close()
	for after := range 8 {
		e := enginetest.Start(t, o)
		op, err := e.Create(t.Context(), "mock", "disk", []byte(`{"name":"d","onFailure":"delete","spec":{"sizeGiB":10}}`))
		require.NoError(t, err)
		stream, _ := e.Subscribe(0)
		for came := 0; came < after; { // the more, the later
			came += len(enginetest.NextBatch(t, stream).Events)
			if now, err := e.Operation(t.Context(), op.ID); err != nil || now.State.Ended() {
				break
			}
		}
		stream.Stop()
		e.Stop()
		e.Host.Close()
		e = enginetest.Start(t, o)
		gone(t, e, "disk")
		now, err := e.Operation(t.Context(), op.ID)
		require.NoError(t, err)
		assert.Equal(t, api.OperationFailed, now.State)
		e.Stop()
		e.Host.Close()
	}
}
