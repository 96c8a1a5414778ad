package engine_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// requestOf is a creation request made from a record with what is in no record, as the server
// would record it.
func requestOf(t *testing.T, r *resource.Resource, hidden map[string]string) *resource.CreateRequest[json.RawMessage] {
	t.Helper()
	k, err := resource.KindNamed(r.Kind)
	require.NoError(t, err)
	spec, err := resource.Reveal(r.Spec, hidden)
	require.NoError(t, err)
	body, err := json.Marshal(map[string]any{"name": r.Name, "labels": r.Labels, "spec": spec})
	require.NoError(t, err)
	request, err := k.ParseCreate(body)
	require.NoError(t, err, "%s: %s", r.Kind, body)
	return request
}

// A client that compares what it asks for with the record sees no difference that nobody
// made, whatever the cloud has completed.
func TestARecordAsksForTheSameAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "10ms")
		specs := oneOfEach(t, e)
		completed := 0
		for _, k := range resource.Kinds() {
			first, err := k.ParseCreate(fmt.Appendf(nil, `{"name":%q,"spec":%s}`, k.Name, specs[k.Name]))
			require.NoError(t, err)
			require.NoError(t, e.Refresh(t.Context(), "mock", k.Name, 0))
			r, err := e.Get(t.Context(), "mock", k.Name, k.Name)
			require.NoError(t, err)
			_, hidden, err := k.Hide(first.Spec)
			require.NoError(t, err)
			again := requestOf(t, r, hidden)
			assert.JSONEq(t, string(first.Spec), string(again.Spec), k.Name)
			assert.Equal(t, first.Name, again.Name)
			assert.Empty(t, again.Labels, k.Name)
			assertWithin(t, r.Spec, r.Effective, k.Name)
			if !assert.ObjectsAreEqual(valueOf(t, r.Spec), valueOf(t, r.Effective)) {
				completed++
			}
		}
		assert.GreaterOrEqual(t, completed, 4, "the cloud completes some")
	})
}

func TestActionsChangeWhatIsAskedFor(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "10ms")
	oneOfEach(t, e)
	for _, test := range []struct{ kind, action, params, asked string }{
		{"securitygroup", "addrules", `{"rules":[{"direction":"in","protocol":"tcp","fromPort":443,"cidr":"0.0.0.0/0"}]}`, `"fromPort":443`},
		{"securitygroup", "removerules", `{"rules":[{"direction":"in","protocol":"tcp","fromPort":443,"cidr":"0.0.0.0/0"}]}`, `"rules":[]`},
		{"disk", "resize", `{"sizeGiB":20}`, `"sizeGiB":20`},
		{"nlb", "setlistener", `{"port":8080}`, `"port":8080`},
		{"nlb", "settarget", `{"port":81}`, `"targetPort":81`},
		{"nlb", "sethealthcheck", `{"protocol":"http"}`, `"path":"/"`},
		{"nlb", "removemembers", `{"members":["vm"]}`, `"members":[]`},
		{"nlb", "addmembers", `{"members":["vm"]}`, `"members":["vm"]`},
		{"cluster", "addnodegroup", fmt.Sprintf(`{"name":"b","spec":%q}`, e.Spec), `"name":"b"`},
		{"cluster", "scalenodegroup", `{"name":"b","desiredNodes":3}`, `"maxNodes":3`},
		{"cluster", "removenodegroup", `{"name":"a"}`, `"nodeGroups":[{"name":"b"`},
	} {
		before, err := e.Get(t.Context(), "mock", test.kind, test.kind)
		require.NoError(t, err)
		mustAct(t, e, test.kind, test.kind, test.action, test.params)
		after, err := e.Get(t.Context(), "mock", test.kind, test.kind)
		require.NoError(t, err)
		assert.Contains(t, string(after.Spec), test.asked, test.action)
		assert.NotContains(t, string(before.Spec), test.asked, test.action)
		assertWithin(t, after.Spec, after.Effective, test.kind+" "+test.action)
		requestOf(t, after, nil)
	}
}

// What others made was not asked for here: its spec is what there is.
func TestWhatOthersMadeIsAskedForAsItIs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		e.Network()
		e.MustCreate("mock", "securitygroup", "g", `{"vpc":"v"}`)
		e.Connect("other")
		_, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		same := func() string {
			r, err := e.Get(t.Context(), "other", "securitygroup", "g")
			require.NoError(t, err)
			assert.JSONEq(t, string(r.Effective), string(r.Spec))
			return string(r.Spec)
		}
		assert.Contains(t, same(), `"out"`)
		op, err := e.Act(t.Context(), "other", "securitygroup", "g", "addrules", []byte(`{"rules":[{"direction":"in","protocol":"icmp","cidr":"0.0.0.0/0"}]}`))
		require.NoError(t, err)
		e.Succeeds(op)
		assert.Contains(t, same(), "icmp")
	})
}

func valueOf(t *testing.T, raw json.RawMessage) (value any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}

// assertWithin checks that all that was asked for is there.
func assertWithin(t *testing.T, asked, shown json.RawMessage, what string) {
	t.Helper()
	assert.True(t, within(valueOf(t, asked), valueOf(t, shown)), "%s\nasked: %s\nthere is: %s", what, asked, shown)
}

func within(asked, shown any) bool {
	switch asked := asked.(type) {
	case map[string]any:
		fields, ok := shown.(map[string]any)
		for name, value := range asked {
			ok = ok && within(value, fields[name])
		}
		return ok
	case []any:
		items, ok := shown.([]any)
		return ok && !slices.ContainsFunc(asked, func(one any) bool {
			return !slices.ContainsFunc(items, func(item any) bool { return within(one, item) })
		})
	default:
		return reflect.DeepEqual(asked, shown)
	}
}
