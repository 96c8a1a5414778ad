package engine_test

import (
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

func TestWhatWasChosenBeforeIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "quotas", "vm=2")
		list := func(query store.Query) []api.Recent {
			t.Helper()
			query.Limit = 10
			items, _, err := e.Recent(t.Context(), "vm", query)
			require.NoError(t, err)
			return items
		}
		e.Network()
		assert.Empty(t, list(store.Query{}), "no VM was created")
		begin := time.Now()
		e.MustCreate("mock", "vm", "vm1", e.VMSpec())
		e.MustCreate("mock", "vm", "vm2", e.VMSpec())
		op, err := e.Ask("mock", "vm", "vm3", e.VMSpec())
		require.NoError(t, err)
		require.Equal(t, resource.CodeQuota, e.Fails(op).Code)
		most := time.Since(begin).Seconds()

		all := list(store.Query{})
		require.Len(t, all, 1)
		one := all[0]
		assert.Equal(t, map[string]string{"image": e.Image, "spec": e.Spec}, one.Choice)
		assert.Equal(t, []any{"vm", "mock", "mock-seoul", ""}, []any{one.Kind, one.Cloud, one.Region, one.Zone})
		assert.Equal(t, 2, one.Count, "what failed does not count")
		assert.Positive(t, one.AverageSeconds)
		assert.Less(t, one.AverageSeconds, most)
		assert.WithinRange(t, one.LastAt, begin.Add(-time.Second), time.Now().Add(time.Second))

		other := api.Recent{Kind: "vm", Cloud: "aws", Region: "r", Choice: map[string]string{"image": "i", "spec": "s"}, Count: 4, AverageSeconds: 2.5, LastAt: begin.Add(-time.Hour), Details: map[string]string{"OSArch": "x86_64"}}
		inserted, err := e.ImportRecent(t.Context(), []api.Recent{other, one, other})
		require.NoError(t, err)
		assert.Equal(t, 1, inserted)
		all = list(store.Query{})
		require.Len(t, all, 2)
		assert.Equal(t, 2, all[0].Count, "what is there stays as it is")
		assert.InDelta(t, 2.5, all[1].AverageSeconds, 1e-6)
		assert.Equal(t, other.Details, all[1].Details)
		assert.Len(t, list(store.Query{Filters: []store.Filter{{Field: "choice.image", Op: store.FilterEqual, Value: "i"}}}), 1)
		assert.Equal(t, all[1], list(store.Query{Sort: "-count"})[0])

		require.NoError(t, e.ForgetRecent(t.Context(), "vm", one.ID))
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(e.ForgetRecent(t.Context(), "vm", one.ID)))
		assert.Equal(t, resource.CodeNotFound, resource.CodeOf(e.ForgetRecent(t.Context(), "disk", all[1].ID)))
		assert.Len(t, list(store.Query{}), 1)
	})
}
