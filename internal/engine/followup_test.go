package engine_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// vmWith asks for the creation of the VM vm1 that is given disks.
func vmWith(t *testing.T, e *enginetest.Env, onFailure string, disks ...string) *api.Operation {
	t.Helper()
	then := []resource.FollowUp{}
	for _, d := range disks {
		then = append(then, resource.FollowUp{Kind: "disk", Name: d, Action: "attach", Params: map[string]json.RawMessage{"vm": json.RawMessage(`"vm1"`)}})
	}
	list, err := json.Marshal(then)
	require.NoError(t, err)
	op, err := e.Create(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm1","spec":%s,"onFailure":%q,"then":%s}`, e.VMSpec(), onFailure, list))
	require.NoError(t, err)
	return op
}

// holder is the VM that has a disk.
func holder(t *testing.T, e *enginetest.Env, disk string) string {
	t.Helper()
	d, err := e.Get(t.Context(), "mock", "disk", disk)
	require.NoError(t, err)
	var status resource.DiskStatus
	require.NoError(t, json.Unmarshal(d.Status, &status))
	return status.VM
}

func partsOf(t *testing.T, e *enginetest.Env, op *api.Operation) []*api.Operation {
	t.Helper()
	parts, _, err := e.Operations(t.Context(), store.Query{Filters: []store.Filter{{Field: "parent", Op: store.FilterEqual, Value: op.ID}}, Sort: "id", Limit: 100})
	require.NoError(t, err)
	return parts
}

func TestWhatFollowsACreationIsDoneInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "30ms")
		e.Network()
		for _, d := range []string{"d1", "d2"} {
			e.MustCreate("mock", "disk", d, `{"sizeGiB":10}`)
		}
		op := vmWith(t, e, "keep", "d1", "d2")
		assert.Equal(t, "vm1", op.Name)
		assert.Equal(t, &api.Progress{Total: 3}, op.Items)
		_, err := e.Delete(t.Context(), "mock", "disk", "d2")
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "nothing else changes what is to be changed")

		e.Succeeds(op)
		assert.Equal(t, "vm1", holder(t, e, "d1"))
		assert.Equal(t, "vm1", holder(t, e, "d2"))
		parts := partsOf(t, e, op)
		require.Len(t, parts, 3)
		for i, part := range parts[1:] {
			assert.Equal(t, "attach", part.Verb)
			assert.Equal(t, parts[i].ID, part.Follows)
			assert.False(t, part.AcceptedAt.Before(*parts[i].EndedAt), "%s began before %s had ended", part.Name, parts[i].Name)
		}
	})
}

func TestWhatFollowsFailsWithWhatComesBefore(t *testing.T) {
	for _, tc := range []struct {
		onFailure string
		stays     bool
	}{{"keep", true}, {"delete", false}} {
		t.Run(tc.onFailure, func(t *testing.T) {
			e := enginetest.New(t, enginetest.Options{})
			e.Network()
			e.MustCreate("mock", "vm", "other", e.VMSpec())
			for _, d := range []string{"d1", "d2", "d3"} {
				e.MustCreate("mock", "disk", d, `{"sizeGiB":10}`)
			}
			op, err := e.Act(t.Context(), "mock", "disk", "d2", "attach", []byte(`{"vm":"other"}`))
			require.NoError(t, err)
			e.Succeeds(op)

			op = vmWith(t, e, tc.onFailure, "d1", "d2", "d3")
			require.ErrorContains(t, e.Fails(op), "2 of 4 failed")
			parts := partsOf(t, e, op)
			assert.Equal(t, api.OperationSucceeded, parts[1].State)
			assert.Equal(t, api.OperationFailed, parts[2].State)
			assert.NotEqual(t, resource.CodeDependency, parts[2].Error.Code, "the cloud refuses it itself")
			require.ErrorContains(t, parts[3].Error, "not begun: the attach of the disk d2")
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				_, err := e.Get(t.Context(), "mock", "vm", "vm1")
				assert.Equal(c, tc.stays, err == nil)
			}, patience, 10*time.Millisecond)
			assert.Equal(t, "other", holder(t, e, "d2"))
			for _, d := range []string{"d1", "d2", "d3"} { // they were there before and stay
				_, err := e.Get(t.Context(), "mock", "disk", d)
				require.NoError(t, err)
			}
			assert.Len(t, e.OnCloud("mock", "disk"), 3)
		})
	}
}

func TestNothingFollowsACreationThatFails(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "quotas", "vm=1")
	e.Network()
	e.MustCreate("mock", "vm", "first", e.VMSpec())
	e.MustCreate("mock", "disk", "d1", `{"sizeGiB":10}`)
	op := vmWith(t, e, "delete", "d1")
	require.Error(t, e.Fails(op))
	parts := partsOf(t, e, op)
	assert.Equal(t, resource.CodeQuota, parts[0].Error.Code)
	assert.Equal(t, resource.CodeDependency, parts[1].Error.Code)
	_, err := e.Get(t.Context(), "mock", "vm", "vm1")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	op, err = e.Delete(t.Context(), "mock", "disk", "d1")
	require.NoError(t, err, "the disk can be changed again")
	e.Succeeds(op)
}

func TestWhatCannotFollowIsRefusedBeforeAnythingIsRecorded(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	for _, tc := range []struct{ kind, name, action, field string }{
		{"disk", "none", "attach", "then[0].name"},
		{"disk", "none", "fly", "then[0].action"},
		{"nothing", "none", "attach", "then[0].kind"},
		{"vm", "vm1", "stop", "then[0].name"},
	} {
		_, err := e.Create(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm1","spec":%s,"then":[{"kind":%q,"name":%q,"action":%q,"params":{"vm":"vm1"}}]}`, e.VMSpec(), tc.kind, tc.name, tc.action))
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
		assert.Equal(t, tc.field, resource.AsError(err).Fields[0].Field)
	}
	_, err := e.Get(t.Context(), "mock", "vm", "vm1")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

// The server is stopped at some moment, and another one goes on: the disks are attached
// whenever that is.
func TestTheNextServerDoesWhatFollowsACreation(t *testing.T) {
	db, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	o := enginetest.Options{Store: db, Work: t.TempDir()}
	e := enginetest.New(t, o, "latency", "30ms")
	e.Network()
	image, spec := e.Image, e.Spec
	for after := range 6 {
		disks := []string{fmt.Sprintf("a%d", after), fmt.Sprintf("b%d", after)}
		for _, d := range disks {
			e.MustCreate("mock", "disk", d, `{"sizeGiB":10}`)
		}
		stream, _ := e.Subscribe(0)
		op := vmWith(t, e, "delete", disks...)
		for came := 0; came < 7+2*after; { // the request itself makes seven
			came += len(enginetest.NextBatch(t, stream).Events)
		}
		stream.Stop()
		e.Stop()
		e.Host.Close()
		e = enginetest.Start(t, o)
		e.Image, e.Spec = image, spec
		e.Succeeds(op)
		for _, d := range disks {
			assert.Equal(t, "vm1", holder(t, e, d))
		}
		op, err := e.Delete(t.Context(), "mock", "vm", "vm1")
		require.NoError(t, err)
		e.Succeeds(op)
	}
}
