package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestServersTellEachOther(t *testing.T) {
	databaseURL := storetest.Postgres(t)
	server := func() *enginetest.Env {
		db, err := store.OpenPostgres(t.Context(), databaseURL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return enginetest.Start(t, enginetest.Options{Store: db, Engine: engine.Config{Workers: 1}})
	}
	one, two := server(), server()
	one.Connect("mock")
	stream, _ := two.Subscribe(0)
	defer stream.Stop()
	require.Eventually(t, func() bool { // until the other one listens
		_, err := one.Ask("mock", "vpc", "probe", `{"cidr":"10.0.0.0/16"}`)
		if err != nil {
			assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if stream.Next(ctx) != nil {
			return true
		}
		op, err := one.Delete(t.Context(), "mock", "vpc", "probe")
		if err == nil {
			one.Ends(op)
		}
		return false
	}, 20*time.Second, 50*time.Millisecond)

	one.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	enginetest.UntilTold(t, stream, func(event events.Event) bool {
		return event.Resource != nil && event.Resource.Name == "v" && event.Resource.State == resource.StateAvailable
	})

	one.TellDriver(api.DriverProgress{ID: "d", Name: "toy", Verb: "install", Step: api.DriverFailed, Error: resource.Errorf(resource.CodeInvalid, "%s", strings.Repeat("<é", 2000))})
	enginetest.UntilTold(t, stream, func(event events.Event) bool {
		if event.Driver == nil {
			return false
		}
		assert.Equal(t, "toy", event.Driver.Name)
		assert.Less(t, len(event.Driver.Error.Message), 1000, "a notice has little room")
		return true
	})

	// A cancellation reaches the server that works on the operation.
	one.Connect("busy", "callLatency", "700ms")
	_, err := one.Ask("busy", "vpc", "first", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	waits, err := one.Ask("busy", "vpc", "second", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	_, err = two.Cancel(t.Context(), waits.ID, false)
	require.NoError(t, err)
	ended, err := two.Wait(t.Context(), waits.ID, 15*time.Second)
	require.NoError(t, err)
	assert.Equal(t, api.OperationCancelled, ended.State)
}

func TestSnapshotsShowWhatOtherServersChange(t *testing.T) {
	databaseURL := storetest.Postgres(t)
	server := func() *enginetest.Env {
		db, err := store.OpenPostgres(t.Context(), databaseURL)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return enginetest.Start(t, enginetest.Options{Store: db})
	}
	one, two := server(), server()
	one.Connect("mock")
	empty, err := two.Snapshot(t.Context(), "mock", "vpc")
	require.NoError(t, err)
	require.Empty(t, empty.Items)
	one.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	shows := func(e *enginetest.Env, c *assert.CollectT) bool {
		s, err := e.Snapshot(t.Context(), "mock", "vpc")
		return assert.NoError(c, err) && s.Named("v") != nil && s.Named("v").State == resource.StateAvailable
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.True(c, shows(one, c), "a server shows its own changes")
		assert.True(c, shows(two, c), "and those of others")
	}, 30*time.Second, 10*time.Millisecond)
	op, err := two.Delete(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	two.Succeeds(op)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.False(c, shows(one, c))
		assert.False(c, shows(two, c))
	}, 30*time.Second, 10*time.Millisecond)
}
