package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What an action refers to is looked at as what a creation does, with what it refers to in turn,
// before anything is recorded: here the subnet of a VM.
func TestParametersOfActionsMustFitWhatTheyReferTo(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	e.MustCreate("mock", "subnet", "closed", `{"vpc":"v","cidr":"10.200.0.0/16","private":true}`)
	e.MustCreate("mock", "nic", "inside", `{"subnet":"closed"}`)
	e.MustCreate("mock", "nic", "outside", `{"subnet":"s"}`)
	e.MustCreate("mock", "publicip", "ip", `{}`)
	refused := func(err error, field string) {
		t.Helper()
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
		assert.Equal(t, field, resource.AsError(err).Fields[0].Field)
		assert.Contains(t, err.Error(), "the subnet closed is private")
	}
	_, err := e.Act(t.Context(), "mock", "publicip", "ip", "associate", []byte(`{"nic":"inside"}`))
	refused(err, "nic")
	_, err = e.ChangeMany(t.Context(), "mock", "publicip", "associate", []byte(`{"names":["ip"],"params":{"nic":"inside"}}`))
	refused(err, "params.nic")
	_, err = e.Create(t.Context(), "mock", "vm", fmt.Appendf(nil, `{"name":"vm1","spec":{"image":%q,"spec":%q,"subnet":"closed"},"then":[{"kind":"publicip","name":"ip","action":"associate","params":{"vm":"vm1"}}]}`, e.Image, e.Spec))
	refused(err, "then[0].params.vm")
	ops, _, err := e.Operations(t.Context(), store.Query{Limit: 10, Filters: []store.Filter{{Field: "verb", Op: store.FilterEqual, Value: "associate"}}})
	require.NoError(t, err)
	assert.Empty(t, ops, "nothing was recorded")

	op, err := e.Act(t.Context(), "mock", "publicip", "ip", "associate", []byte(`{"nic":"outside"}`))
	require.NoError(t, err)
	e.Succeeds(op)
}
