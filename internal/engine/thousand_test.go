//go:build !race

package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/inventory"
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
