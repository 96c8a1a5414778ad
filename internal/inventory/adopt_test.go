package inventory_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestAdoptAndRelease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		e.Network()
		e.MustCreate("mock", "vm", "vm1", e.VMSpec())
		e.Connect("other") // the same account: another's view of the same objects
		assert.Equal(t, map[api.Where]int{api.InCloud: 1}, e.Places("other", "vm"))

		adopted, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		assert.Len(t, adopted.Items, 3)
		assert.Equal(t, map[api.Where]int{api.InBoth: 1}, e.Places("other", "vm"))
		vm, err := e.Get(t.Context(), "other", "vm", "vm1")
		require.NoError(t, err)
		assert.Equal(t, resource.StateRunning, vm.State)
		assert.WithinDuration(t, time.Now(), vm.UpdatedAt, time.Minute)
		assert.WithinDuration(t, time.Now(), adopted.Items[0].UpdatedAt, time.Minute)
		var spec resource.VMSpec
		require.NoError(t, json.Unmarshal(vm.Spec, &spec))
		assert.Equal(t, "s", spec.Subnet, "what it uses was adopted before, and is named")
		_, err = e.Delete(t.Context(), "other", "subnet", "s")
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "references are known")

		again, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		assert.Empty(t, again.Items)
		_, err = e.Adopt(t.Context(), "other", "vm", []byte(`{"cloudId":"`+vm.CloudID+`"}`))
		assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))

		_, err = e.Release(t.Context(), "other", "subnet", "s")
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
		released, err := e.Release(t.Context(), "other", "vm", "vm1")
		require.NoError(t, err)
		assert.Equal(t, api.OperationSucceeded, released.State)
		_, err = e.Get(t.Context(), "other", "vm", "vm1")
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
		assert.Len(t, e.OnCloud("mock", "vm"), 1, "the cloud was not touched")

		back, err := e.Adopt(t.Context(), "other", "vm", []byte(`{"cloudId":"`+vm.CloudID+`","name":"mine"}`))
		require.NoError(t, err)
		assert.Equal(t, "mine", back.Name)
		for _, bad := range []string{`{}`, `{"cloudId":"x","name":"../x"}`, `{"cloudId":1}`} {
			_, err := e.Adopt(t.Context(), "other", "vm", []byte(bad))
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), bad)
		}
		_, err = e.Adopt(t.Context(), "other", "vm", []byte(`{"cloudId":"i-unknown"}`))
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	})
}

// What the cloud is deleting would soon be a record of nothing.
func TestWhatIsBeingDeletedIsNotAdopted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "1s")
	disk := e.MustCreate("mock", "disk", "d", `{"sizeGiB":10}`)
	e.Connect("other")
	op, err := e.Delete(t.Context(), "mock", "disk", "d")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := e.Operation(t.Context(), op.ID)
		return err == nil && now.State == api.OperationRunning
	}, 5*time.Second, time.Millisecond)
	_, err = e.Adopt(t.Context(), "other", "disk", []byte(`{"cloudId":"`+disk.CloudID+`"}`))
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
	all, err := e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	assert.Empty(t, all.Items)
	e.Succeeds(op)
}

// A service that is down for an hour takes only its own kinds with it.
func TestTheRestIsAdoptedWhileAServiceIsDown(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	e.MustCreate("mock", "keypair", "k", `{}`)
	e.Connect("other", "down", "vpc,disk")
	inventory, err := e.Compare(t.Context(), "other", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"vpc", "disk"}, unseen(t, inventory.Unseen))
	assert.Len(t, inventory.Items, 2)

	adopted, err := e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, []string{"vpc", "disk"}, unseen(t, adopted.Unseen))
	assert.Len(t, adopted.Items, 2)
	subnet, err := e.Get(t.Context(), "other", "subnet", "s")
	require.NoError(t, err)
	vpc := e.OnCloud("mock", "vpc")[0].ID
	assert.Contains(t, string(subnet.Spec), vpc, "what it is in is not managed yet")

	_, err = e.PutConnection(t.Context(), api.ConnectionRequest{Name: "other", Cloud: "mock", Region: "mock-seoul", Settings: map[string]string{}})
	require.NoError(t, err)
	adopted, err = e.AdoptAll(t.Context(), "other")
	require.NoError(t, err)
	assert.Empty(t, adopted.Unseen)
	require.Len(t, adopted.Items, 1)
	require.NoError(t, e.Refresh(t.Context(), "other", "subnet", 0))
	subnet, err = e.Get(t.Context(), "other", "subnet", "s")
	require.NoError(t, err)
	assert.Contains(t, string(subnet.Spec), `"v"`)
	_, err = e.Delete(t.Context(), "other", "vpc", "v")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "from now on it is known what uses it")
}

// unseen are the kinds that could not be looked at.
func unseen(t *testing.T, all []api.Unseen) []string {
	t.Helper()
	kinds := make([]string, len(all))
	for i, one := range all {
		kinds[i] = one.Kind
		assert.Equal(t, resource.CodeUnavailable, one.Error.Code)
	}
	return kinds
}

func TestACloudThatCannotBeAskedHasNoInventory(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	var kinds []string
	for _, k := range resource.Kinds() {
		kinds = append(kinds, k.Name)
	}
	e.Connect("down", "down", strings.Join(kinds, ","))
	_, err := e.Compare(t.Context(), "down", "")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	_, err = e.AdoptAll(t.Context(), "down")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	_, err = e.CreateConnection(t.Context(), []byte(`{"name":"moon","cloud":"mock","region":"moon"}`), false)
	require.NoError(t, err)
	_, err = e.Compare(t.Context(), "moon", "")
	assert.ErrorContains(t, err, "moon")
	_, err = e.Compare(t.Context(), "nowhere", "")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestNamesThatAreTakenOrUnfitAreChanged(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	e.MustCreate("mock", "vpc", "twin", `{"cidr":"10.0.0.0/16"}`)
	e.Connect("other")
	e.MustCreate("other", "vpc", "twin", `{"cidr":"10.1.0.0/16"}`)
	adopted, err := e.AdoptAll(t.Context(), "mock")
	require.NoError(t, err)
	require.Len(t, adopted.Items, 1)
	assert.Equal(t, "twin-"+adopted.Items[0].CloudID, adopted.Items[0].Name)
}

func TestWhatIsBeingCreatedIsNotAdopted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{
		PollFirst: 10 * time.Millisecond, PollMax: 50 * time.Millisecond, RetryFirst: time.Minute, RetryMax: time.Minute,
	}}, "ambiguousCreate", "1")
	op, err := e.Ask("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`) // exists on the cloud, and the answer was lost
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := e.Operation(t.Context(), op.ID)
		return err == nil && now.Attempts == 1
	}, 10*time.Second, time.Millisecond)
	adopted, err := e.AdoptAll(t.Context(), "mock")
	require.NoError(t, err)
	assert.Empty(t, adopted.Items)
}

func TestChangesFromElsewhereAreNoticed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open(), Inventory: inventory.Config{SyncEvery: 50 * time.Millisecond}})
		e.Network()
		created := e.MustCreate("mock", "vm", "vm1", e.VMSpec())
		e.Connect("other")
		_, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		becomes := func(state resource.State) *resource.Resource {
			t.Helper()
			var now *resource.Resource
			require.Eventually(t, func() bool {
				var err error
				now, err = e.Get(t.Context(), "mock", "vm", "vm1")
				return err == nil && now.State == state
			}, 15*time.Second, 10*time.Millisecond)
			return now
		}
		stream, _ := e.Subscribe(0)
		defer stream.Stop()
		op, err := e.Act(t.Context(), "other", "vm", "vm1", "stop", nil)
		require.NoError(t, err)
		e.Succeeds(op)
		becomes(resource.StateStopped)
		enginetest.UntilTold(t, stream, func(event events.Event) bool {
			return event.Resource != nil && event.Resource.UID == created.UID && event.Resource.State == resource.StateStopped
		})

		require.Eventually(t, func() bool { // unchanged, but looked at
			now, err := e.Get(t.Context(), "mock", "vpc", "v")
			return err == nil && now.SyncedAt.After(*created.SyncedAt)
		}, 15*time.Second, 10*time.Millisecond)

		op, err = e.Delete(t.Context(), "other", "vm", "vm1")
		require.NoError(t, err)
		e.Succeeds(op)
		gone := becomes(resource.StateDeleted)
		assert.Equal(t, resource.CodeNotFound, gone.Error.Code)
		assert.Equal(t, map[api.Where]int{api.InHere: 1}, e.Places("mock", "vm"))
		op, err = e.Delete(t.Context(), "mock", "vm", "vm1")
		require.NoError(t, err)
		e.Succeeds(op)
	})
}

func TestAnErrorIsNoDeletion(t *testing.T) {
	db := enginetest.Opened(t)
	work := t.TempDir()
	e := enginetest.New(t, enginetest.Options{Store: db, Work: work})
	e.Network()
	e.Stop()
	e.Host.Close()

	// The cloud cannot be reached any more: every call fails.
	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("mock", "failCall", "1")))
	later := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Inventory: inventory.Config{SyncEvery: 20 * time.Millisecond}})
	synced := func() store.Micros {
		c, err := db.Read().Connection(t.Context(), "mock")
		require.NoError(t, err)
		return c.SyncedAt
	}
	first := synced()
	require.Eventually(t, func() bool { return synced() > first+200_000 }, 10*time.Second, 5*time.Millisecond, "it was tried several times")
	vpc, err := later.Get(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	assert.Equal(t, resource.StateAvailable, vpc.State)
}
