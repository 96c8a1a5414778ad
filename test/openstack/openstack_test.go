package openstack_test

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/test/openstack"
)

func TestProjectsDoNotMeet(t *testing.T) {
	cloud := openstack.Open(t)
	one, other := cloud.Project(t).Client(t, "network"), cloud.Project(t).Client(t, "network")
	one.ResourceBase, other.ResourceBase = one.Endpoint+"v2.0/", other.Endpoint+"v2.0/"

	made, err := networks.Create(t.Context(), one, networks.CreateOpts{Name: "mine"}).Extract()
	require.NoError(t, err)
	defer func() { assert.NoError(t, networks.Delete(t.Context(), one, made.ID).ExtractErr()) }()

	_, err = networks.Get(t.Context(), other, made.ID).Extract()
	assert.ErrorContains(t, err, "404")
}
