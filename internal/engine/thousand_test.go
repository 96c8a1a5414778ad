//go:build !race

package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
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

// A thousand VMs are stopped and deleted by some twenty calls each, not by thousands: ten
// of a hundred, as many looks before, and a few looks until all have settled.
func TestAThousandAreChangedByAFewCalls(t *testing.T) {
	const n = 1000
	before, work := manyVMs(t, n)
	ops := stopAll(t, before, n)
	did := newCalls()
	e := next(t, before, work, did)
	started := time.Now()
	for _, op := range ops {
		e.Succeeds(op)
	}
	took := time.Since(started)
	for _, vm := range e.OnCloud("mock", "vm") {
		require.Equal(t, resource.StateStopped, vm.State)
	}
	t.Logf("%d stops in %s: %v", n, took, did)
	assert.LessOrEqual(t, did.of("stop"), 25)
	assert.LessOrEqual(t, did.of("get"), 25)
	assert.LessOrEqual(t, did.of("list"), 15)

	did.forget()
	started = time.Now()
	names := make([]inventory.Named, n)
	for i := range names {
		names[i] = inventory.Named{Kind: "vm", Name: vmNamed(i)}
	}
	op, err := e.DeleteTogether(t.Context(), "mock", names, false)
	require.NoError(t, err)
	e.Succeeds(op)
	t.Logf("%d deletions in %s: %v", n, time.Since(started), did)
	assert.Empty(t, e.OnCloud("mock", "vm"))
	assert.LessOrEqual(t, did.of("delete"), 25)
	assert.LessOrEqual(t, did.of("get"), 50)
	assert.LessOrEqual(t, did.of("list"), 15)
}

// The largest request is one transaction, for which all other changes wait on SQLite: it is a
// matter of seconds, and not of the square of its size.
func TestTheLargestChangeIsRecordedInSeconds(t *testing.T) {
	const n = 5000
	e := enginetest.New(t, enginetest.Options{})
	e.Stop() // nobody works on it
	names := make([]string, n)
	require.NoError(t, e.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		for i := range names {
			names[i] = fmt.Sprint("d-", i)
			err := q.InsertResource(ctx, &store.Resource{
				UID: fmt.Sprintf("00000000-0000-7000-8000-%012d", i), Connection: "mock", Kind: "disk", Name: names[i], CloudID: names[i], State: resource.StateAvailable,
				Effective: json.RawMessage(`{"sizeGiB":10}`), Status: json.RawMessage("{}"), Native: json.RawMessage("null"), CreatedAt: store.MicrosOf(time.Now()),
			}, nil)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	body, err := json.Marshal(api.ManyRequest{Names: names})
	require.NoError(t, err)
	started := time.Now()
	op, err := e.ChangeMany(t.Context(), "mock", "disk", api.VerbDelete, body)
	require.NoError(t, err)
	took := time.Since(started)
	t.Logf("%d deletions recorded in %s", n, took)
	assert.Equal(t, &api.Progress{Total: n}, op.Items)
	assert.Less(t, took, 30*time.Second)
}
