package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestSeveralKindsAreCreatedTogetherOrNotAtAll(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	together := func(cidr string) (*api.Operation, error) {
		return e.CreateTogether(t.Context(), "mock", []engine.Wanted{
			{Kind: "vpc", Body: json.RawMessage(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)},
			{Kind: "subnet", Body: json.RawMessage(`{"name":"s","spec":{"vpc":"v","cidr":"` + cidr + `"}}`)},
		}, resource.OnFailureKeep)
	}
	_, err := together("192.168.0.0/24")
	require.ErrorContains(t, err, "not inside the range")
	_, err = e.Get(t.Context(), "mock", "vpc", "v")
	require.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "a VPC was recorded although its subnet was refused")

	op, err := together("10.0.1.0/24")
	require.NoError(t, err)
	e.Succeeds(op)
	for _, one := range []inventory.Named{{Kind: "vpc", Name: "v"}, {Kind: "subnet", Name: "s"}} {
		r, err := e.Get(t.Context(), "mock", one.Kind, one.Name)
		require.NoError(t, err)
		assert.Equal(t, resource.StateAvailable, r.State)
	}

	_, err = e.CreateTogether(t.Context(), "mock", []engine.Wanted{{Kind: "keypair", Body: json.RawMessage(`{"name":"k","spec":{}}`)}}, "")
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err), "the private key would be lost")
}

func TestWhatIsDeletedTogetherMayUseEachOther(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "50ms")
	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())

	_, err := e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "vpc", Name: "v"}, {Kind: "subnet", Name: "s"}}, false)
	require.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	require.ErrorContains(t, err, "vm vm1")
	still, err := e.Get(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	require.Equal(t, resource.StateAvailable, still.State, "nothing changes when one of them is used")

	op, err := e.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "vpc", Name: "v"}, {Kind: "vm", Name: "vm1"}, {Kind: "subnet", Name: "s"}}, false)
	require.NoError(t, err)
	e.Succeeds(op)
	for _, kind := range []string{"vpc", "subnet", "vm"} {
		assert.Empty(t, e.OnCloud("mock", kind))
	}
}

func TestDestroyDeletesEverythingOfOneConnection(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	nothing, err := e.Destroy(t.Context(), "mock", false)
	require.NoError(t, err)
	require.Empty(t, nothing.Items)
	require.Nil(t, nothing.Operation)
	_, err = e.Destroy(t.Context(), "nope", false)
	require.ErrorContains(t, err, "no connection nope")

	e.Network()
	e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	e.MustCreate("mock", "vm", "vm2", e.VMSpec())
	plan, err := e.Destroy(t.Context(), "mock", true)
	require.NoError(t, err)
	require.Nil(t, plan.Operation)
	require.Len(t, e.OnCloud("mock", "vm"), 2, "a dry run deletes nothing")
	var order []string
	for _, r := range plan.Items {
		order = append(order, r.Name)
	}
	require.Equal(t, []string{"vm1", "vm2", "s", "v"}, order)

	done, err := e.Destroy(t.Context(), "mock", false)
	require.NoError(t, err)
	e.Succeeds(done.Operation)
	assert.Empty(t, e.OnCloud("mock", "vpc"))
	require.NoError(t, e.DeleteConnection(t.Context(), "mock"))
}
