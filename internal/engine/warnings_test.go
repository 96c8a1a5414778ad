package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWarningsOfTheDriverAreKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "50ms", "warn", "adapted", "parts", "true")
		warned := func(op *api.Operation) {
			t.Helper()
			e.Succeeds(op)
			ended, err := e.Operation(t.Context(), op.ID)
			require.NoError(t, err)
			require.Len(t, ended.Warnings, 1, "%s of %s: however many calls it took", op.Verb, op.Name)
			assert.Equal(t, resource.WarnAdapted, ended.Warnings[0].Rule)
			assert.Contains(t, ended.Warnings[0].Message, "this "+op.Kind)
		}
		check, err := e.CheckCreation(t.Context(), "mock", "vpc", []byte(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`))
		require.NoError(t, err)
		assert.Len(t, check.Warnings, 1)
		for _, one := range []struct{ kind, name, spec string }{
			{"vpc", "v", `{"cidr":"10.0.0.0/16"}`},
			{"subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`},
			{"cluster", "c", `{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":"` + e.Spec + `"},{"name":"b","spec":"` + e.Spec + `"}]}`},
		} {
			op, err := e.Ask("mock", one.kind, one.name, one.spec)
			require.NoError(t, err)
			warned(op)
		}
		op, err := e.Act(t.Context(), "mock", "vpc", "v", "label", []byte(`{"set":{"a":"b"}}`))
		require.NoError(t, err)
		warned(op)
		op, err = e.Delete(t.Context(), "mock", "cluster", "c")
		require.NoError(t, err)
		warned(op)
	})
}

func TestWarningsOfACallForManyAreKeptWithEach(t *testing.T) {
	before, work := manyVMs(t, 3, "warn", "adapted")
	ops := stopAll(t, before, 3)
	before.Host.Close()
	did := newCalls()
	e := enginetest.Start(t, enginetest.Options{Store: before.Store, Work: work, Observe: did.observe, Engine: engine.Config{Workers: 1}})
	for _, op := range ops {
		e.Succeeds(op)
		ended, err := e.Operation(t.Context(), op.ID)
		require.NoError(t, err)
		require.Len(t, ended.Warnings, 1)
		assert.Equal(t, resource.WarnAdapted, ended.Warnings[0].Rule)
	}
	assert.Equal(t, 1, did.of("stop"))
}
