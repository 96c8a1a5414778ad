package engine_test

import (
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// together is an action by which a resource of one kind comes together with one of another,
// as the descriptions of the kinds say it.
type together struct{ kind, action, field, with string }

func togethers() []together {
	var all []together
	for _, k := range resource.Kinds() {
		for _, a := range k.Actions {
			if a.ParamsType() == nil {
				continue
			}
			for f := range a.ParamsType().Fields() {
				if with := resource.RefKind(f); with != "" && f.Type.Kind() == reflect.String && slices.Contains(resource.ShownBy(with), k.Name) {
					all = append(all, together{k.Name, a.Name, resource.JSONName(f), with})
				}
			}
		}
	}
	return all
}

// assertUpToDate asserts that no record of what goes together differs from what the cloud
// shows. (What only counts, such as a subnet's free addresses, is as of the last look.)
func assertUpToDate(t *testing.T, e *enginetest.Env, after string) {
	t.Helper()
	var kinds []string
	for _, p := range togethers() {
		kinds = append(kinds, p.kind, p.with)
	}
	records := func() map[string]string {
		shown := map[string]string{}
		for _, kind := range kinds {
			snapshot, err := e.Snapshot(t.Context(), "mock", kind)
			require.NoError(t, err)
			for _, r := range snapshot.Items {
				shown[kind+" "+r.Name] = fmt.Sprint(r.State, string(r.Effective), string(r.Status), string(r.Native))
			}
		}
		return shown
	}
	before := records()
	for _, kind := range kinds {
		require.NoError(t, e.Refresh(t.Context(), "mock", kind, 0))
	}
	assert.Equal(t, records(), before, "after %s", after)
}

func TestWhatGoesTogetherIsLookedAtAgainOnBothSides(t *testing.T) {
	pairs := togethers()
	require.Subset(t, pairs, []together{
		{"disk", "attach", "vm", "vm"}, {"nic", "attach", "vm", "vm"}, {"publicip", "associate", "vm", "vm"}, {"publicip", "associate", "nic", "nic"},
	})
	for _, p := range pairs {
		t.Run(p.kind+" "+p.action+" "+p.with, func(t *testing.T) {
			e := enginetest.New(t, enginetest.Options{}, "latency", "20ms")
			oneOfEach(t, e)
			mustDelete(t, e, "mock", "nlb", "nlb")
			specs := kindSpecs(e)
			e.MustCreate("mock", p.kind, "other", specs[p.kind])
			e.MustCreate("mock", p.with, "elsewhere", specs[p.with])
			k, err := resource.KindNamed(p.kind)
			require.NoError(t, err)
			act := func(name, action, with string) {
				params := ""
				if with != "" {
					params = fmt.Sprintf(`{%q:%q}`, p.field, with)
				}
				mustAct(t, e, p.kind, name, action, params)
				assertUpToDate(t, e, fmt.Sprint(name, " ", action, " ", with))
			}
			act(p.kind, p.action, p.with)
			for _, a := range k.Actions {
				if a.ParamsType() == nil { // it comes apart
					act(p.kind, a.Name, "")
				}
			}
			act(p.kind, p.action, p.with)
			act("other", p.action, p.with) // which may have only one
			if k.HasOne(p.with) {
				act("other", p.action, "elsewhere") // it moves
			}
			if p.with != "vm" {
				mustAct(t, e, p.with, p.with, "attach", `{"vm":"vm"}`)
				assertUpToDate(t, e, "attach of the other side")
				mustAct(t, e, p.with, p.with, "detach", "")
				assertUpToDate(t, e, "detach of the other side")
			}
			mustDelete(t, e, "mock", p.with, p.with)
			assertUpToDate(t, e, "deletion of the other side")
		})
	}
}

func TestTheSecondLookCostsOneGetWhereSomethingChanged(t *testing.T) {
	var gets atomic.Int32
	e := enginetest.New(t, enginetest.Options{Observe: func(_, verb string, _ resource.Code, _ time.Duration) {
		if verb == "get" {
			gets.Add(1)
		}
	}})
	e.Network()
	e.MustCreate("mock", "disk", "d", `{"sizeGiB":10}`)
	e.MustCreate("mock", "disk", "beside", `{"sizeGiB":10}`)
	e.MustCreate("mock", "publicip", "ip", "{}")
	cost := func(change func()) int32 {
		before := gets.Load()
		change()
		return gets.Load() - before
	}
	own := cost(func() { mustAct(t, e, "disk", "d", "label", `{"set":{"a":"b"}}`) })
	assert.Zero(t, cost(func() { e.MustCreate("mock", "vm", "vm1", e.VMSpec()) }), "a creation concerns nothing else")
	for _, action := range []string{"attach", "detach", "attach"} {
		params := ""
		if action == "attach" {
			params = `{"vm":"vm1"}`
		}
		assert.Equal(t, own+1, cost(func() { mustAct(t, e, "disk", "d", action, params) }), action)
	}
	mustAct(t, e, "disk", "beside", "attach", `{"vm":"vm1"}`)
	assert.Equal(t, own+1, cost(func() { mustAct(t, e, "publicip", "ip", "associate", `{"vm":"vm1"}`) }))
	assert.Equal(t, own, cost(func() { mustAct(t, e, "vm", "vm1", "stop", "") }), "nothing went together or apart")
	assert.Equal(t, own, cost(func() { mustAct(t, e, "disk", "d", "attach", `{"vm":"vm1"}`) }), "it is there already")
	assert.Equal(t, int32(1+3), cost(func() { mustDelete(t, e, "mock", "vm", "vm1") }), "all that named it: two disks, a public IP")
}

func TestASecondLookThatFailsIsNoted(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	e.MustCreate("mock", "disk", "d", `{"sizeGiB":10}`)
	_, err := e.PutConnection(t.Context(), api.ConnectionRequest{Name: "mock", Cloud: "mock", Region: "mock-seoul", Settings: map[string]string{"down": "vm"}})
	require.NoError(t, err)
	op, err := e.Act(t.Context(), "mock", "disk", "d", "attach", []byte(`{"vm":"vm1"}`))
	require.NoError(t, err)
	e.Succeeds(op)
	op, err = e.Operation(t.Context(), op.ID)
	require.NoError(t, err)
	require.Len(t, op.Steps, 3)
	assert.Equal(t, "unseen", op.Steps[1].What)
	assert.Equal(t, resource.CodeUnavailable, op.Steps[1].Code)
	assert.Contains(t, op.Steps[1].Message, "vm vm1")
}
