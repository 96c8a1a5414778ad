package inventory_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestReadersShareOneLookAtTheCloud(t *testing.T) {
	var listed atomic.Int32
	e := enginetest.New(t, enginetest.Options{Observe: func(_, verb string, _ resource.Code, _ time.Duration) {
		if verb == "list" {
			listed.Add(1)
		}
	}}, "callLatency", "100ms")
	e.Network()
	lists := func() int { return int(listed.Load()) }
	before := lists()
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() { assert.NoError(t, e.Refresh(t.Context(), "mock", "vpc", 0)) })
	}
	group.Wait()
	shared := lists() - before
	assert.GreaterOrEqual(t, shared, 1)
	assert.LessOrEqual(t, shared, 3, "whoever comes too late for one look shares the next")

	before = lists()
	require.NoError(t, e.Refresh(t.Context(), "mock", "vpc", time.Hour))
	assert.Equal(t, before, lists(), "what is young enough is not asked for")
	require.NoError(t, e.Refresh(t.Context(), "mock", "vpc", 0))
	assert.Equal(t, before+1, lists())
	require.NoError(t, e.Refresh(t.Context(), "mock", "disk", 0))
	assert.Equal(t, before+1, lists(), "nothing of the kind is recorded")

	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var patient sync.WaitGroup
	patient.Go(func() { assert.NoError(t, e.Refresh(t.Context(), "mock", "vpc", 0)) })
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(e.Refresh(short, "mock", "vpc", 0)))
	patient.Wait() // not ended by the one who gave up
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(e.Refresh(t.Context(), "missing", "vpc", 0)))
}

func TestARefreshShowsWhatChangedElsewhere(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	e.Connect("other")
	_, err := e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	op, err := e.Act(t.Context(), "other", "vm", "vm1", "stop", nil)
	require.NoError(t, err)
	e.Succeeds(op)
	state := func() resource.State {
		vm, err := e.Get(t.Context(), "mock", "vm", "vm1")
		require.NoError(t, err)
		return vm.State
	}
	assert.Equal(t, resource.StateRunning, state())
	require.NoError(t, e.Refresh(t.Context(), "mock", "vm", 0))
	assert.Equal(t, resource.StateStopped, state())
}

func TestFresheningNamesTheCloudsThatCannotBeAsked(t *testing.T) {
	db := enginetest.Opened(t)
	work := t.TempDir()
	e := enginetest.New(t, enginetest.Options{Store: db, Work: work})
	e.Network()
	e.Connect("other")
	_, err := e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	e.Connect("slow")
	_, err = e.AdoptAll(t.Context(), "slow")
	require.NoError(t, err)
	e.Stop()
	e.Host.Close()

	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("other", "failCall", "1")))
	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("slow", "callLatency", "1h")))
	later := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Inventory: inventory.Config{FreshFor: 5 * time.Second}})
	synced := func(connection string) store.Micros {
		row, err := db.Read().Resource(t.Context(), connection, "vpc", "v")
		require.NoError(t, err)
		return row.SyncedAt
	}
	before := map[string]store.Micros{"mock": synced("mock"), "other": synced("other"), "slow": synced("slow")}
	began := time.Now()
	stale, err := later.Freshen(t.Context(), "", "vpc")
	require.NoError(t, err)
	assert.Less(t, time.Since(began), 20*time.Second)
	require.Len(t, stale, 2)
	assert.Equal(t, "other", stale[0].Connection)
	assert.Equal(t, resource.CodeUnavailable, stale[0].Error.Code)
	assert.Equal(t, "slow", stale[1].Connection)
	assert.Equal(t, resource.CodeUnavailable, stale[1].Error.Code)
	assert.Greater(t, synced("mock"), before["mock"])
	assert.Equal(t, before["other"], synced("other"))
	assert.Equal(t, before["slow"], synced("slow"))

	stale, err = later.Freshen(t.Context(), "mock", "vpc")
	require.NoError(t, err)
	assert.Empty(t, stale)
	_, err = later.Freshen(t.Context(), "missing", "vpc")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

// A service that is down, here that of the first kind that is looked at, degrades only
// itself.
func TestWhatIsRecordedIsSeenWhileAServiceIsDown(t *testing.T) {
	var refused atomic.Int32
	e := enginetest.New(t, enginetest.Options{
		Inventory: inventory.Config{SyncEvery: 200 * time.Millisecond},
		Observe: func(_, verb string, code resource.Code, _ time.Duration) {
			if verb == "list" && code == resource.CodeUnavailable {
				refused.Add(1)
			}
		},
	})
	e.Network()
	_, err := e.PutConnection(t.Context(), api.ConnectionRequest{Name: "mock", Cloud: "mock", Region: "mock-seoul", Settings: map[string]string{"down": "vpc"}})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return refused.Load() > 1 }, 30*time.Second, 5*time.Millisecond, "a look that began before has ended")
	session, _, err := e.Session(t.Context(), "mock")
	require.NoError(t, err)
	subnet, err := e.Get(t.Context(), "mock", "subnet", "s")
	require.NoError(t, err)
	_, err = session.Act(t.Context(), "subnet", subnet.CloudID, resource.ActionLabel, []byte(`{"set":{"by":"others"}}`))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := e.Get(t.Context(), "mock", "subnet", "s")
		return err == nil && now.Labels["by"] == "others"
	}, 30*time.Second, 20*time.Millisecond)
	vpc, err := e.Get(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, vpc.State, "nothing is concluded from an error")
	inventory, err := e.Compare(t.Context(), "mock", "subnet")
	require.NoError(t, err)
	assert.Len(t, inventory.Items, 1)
	_, err = e.Compare(t.Context(), "mock", "vpc")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	op, err := e.Ask("mock", "subnet", "other", `{"vpc":"v","cidr":"10.16.0.0/12"}`)
	require.NoError(t, err)
	e.Succeeds(op)
}
