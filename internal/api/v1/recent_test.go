package v1_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

func TestWhatWasChosenBeforeIsListedAndForgotten(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.network()
	a.create("mock", "vm", "another", a.vmSpec())
	a.badLists("/v1/vms:recent")
	list := func(query string) page[api.Recent] {
		t.Helper()
		return into[page[api.Recent]](t, a.get("/v1/vms:recent"+query))
	}
	all := list("?filter=cloud%3Dmock&pageSize=1")
	require.Len(t, all.Items, 1)
	assert.Equal(t, 2, all.Items[0].Count)
	assert.Empty(t, all.NextPageToken)
	assert.Empty(t, list("?filter=choice.spec%3Dnone").Items)
	isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/vms:recent?filter=count%3D2"))
	isProblem(t, http.StatusNotFound, a.get("/v1/disks:recent"))

	require.Equal(t, http.StatusNoContent, a.delete("/v1/vms:recent/"+all.Items[0].ID).status)
	isProblem(t, http.StatusNotFound, a.delete("/v1/vms:recent/"+all.Items[0].ID))
	assert.Empty(t, list("").Items)
}
