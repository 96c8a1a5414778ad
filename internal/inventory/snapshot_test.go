package inventory_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestSnapshotsAreSharedUntilSomethingChanges(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.MustCreate("mock", "vpc", "v1", `{"cidr":"10.0.0.0/16"}`)
	first, err := e.Snapshot(t.Context(), "mock", "vpc")
	require.NoError(t, err)
	again, err := e.Snapshot(t.Context(), "mock", "vpc")
	require.NoError(t, err)
	require.Same(t, first, again)
	require.Equal(t, resource.StateAvailable, first.Named("v1").State)
	require.Nil(t, first.Named("v2"))

	e.MustCreate("mock", "subnet", "s1", `{"vpc":"v1","cidr":"10.0.1.0/24"}`)
	again, err = e.Snapshot(t.Context(), "mock", "vpc")
	require.NoError(t, err)
	assert.Same(t, first, again, "another kind has changed")

	for range 20 { // what has just ended is always in the next one
		e.MustCreate("mock", "vpc", "v2", `{"cidr":"10.1.0.0/16"}`)
		with, err := e.Snapshot(t.Context(), "mock", "vpc")
		require.NoError(t, err)
		require.NotNil(t, with.Named("v2"))
		require.Equal(t, resource.StateAvailable, with.Named("v2").State)
		op, err := e.Delete(t.Context(), "mock", "vpc", "v2")
		require.NoError(t, err)
		e.Succeeds(op)
		without, err := e.Snapshot(t.Context(), "mock", "vpc")
		require.NoError(t, err)
		require.Nil(t, without.Named("v2"))
	}
}

func TestAKnownConnectionChangesAtOnce(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	c, err := e.KnownConnection(t.Context(), "mock")
	require.NoError(t, err)
	require.Equal(t, "mock-seoul", c.Region)
	_, err = e.PutConnection(t.Context(), api.ConnectionRequest{Name: "mock", Cloud: "mock", Region: "mock-tokyo"})
	require.NoError(t, err)
	c, err = e.KnownConnection(t.Context(), "mock")
	require.NoError(t, err)
	require.Equal(t, "mock-tokyo", c.Region)
	require.NoError(t, e.DeleteConnection(t.Context(), "mock"))
	_, err = e.KnownConnection(t.Context(), "mock")
	require.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}
