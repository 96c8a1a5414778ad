package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestACreationIsCheckedWithoutBeingMade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()}, "latency", "30ms", "quotas", "disk=1")
		e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
		e.MustCreate("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`)
		for _, test := range []struct {
			kind, body string
			code       resource.Code
			field      string
		}{
			{"subnet", `{"name":"s2","spec":{"vpc":"v","cidr":"10.0.2.0/24"}}`, "", ""},
			{"subnet", `{"name":"s2","count":3,"spec":{"vpc":"v","cidr":"10.0.2.0/24"}}`, "", ""},
			{"subnet", `{"name":"s2","spec":{"vpc":"v","cidr":"nonsense"}}`, resource.CodeInvalid, "spec.cidr"},
			{"subnet", `{"name":"s2","spec":{"vpc":"none","cidr":"10.0.2.0/24"}}`, resource.CodeInvalid, "spec.vpc"},
			{"subnet", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.2.0/24"}}`, resource.CodeAlreadyExists, ""},
			{"subnet", `{"name":"s2","spec":{"vpc":"v","cidr":"10.0.1.0/25"}}`, resource.CodeInvalid, "spec.cidr"}, // only the cloud knows
			{"subnet", `{"items":[{"name":"a","spec":{"vpc":"v","cidr":"10.0.2.0/24"}},{"name":"b","spec":{"vpc":"v","cidr":"10.0.1.0/25"}}]}`, resource.CodeInvalid, "spec.cidr"},
			{"keypair", `{"name":"k","spec":{"algorithm":"ed25519"}}`, "", ""},
		} {
			check, err := e.CheckCreation(t.Context(), "mock", test.kind, []byte(test.body))
			if test.code == "" {
				require.NoError(t, err, test.body)
				assert.Equal(t, &api.CreationCheck{Cloud: true}, check, test.body)
				continue
			}
			require.Equal(t, test.code, resource.CodeOf(err), "%s: %v", test.body, err)
			if test.field != "" {
				assert.Equal(t, test.field, resource.AsError(err).Fields[0].Field, test.body)
			}
		}
		assert.Len(t, e.OnCloud("mock", "subnet"), 1, "nothing was made")
		assert.Empty(t, e.OnCloud("mock", "keypair"))
		items, _, err := e.List(t.Context(), "mock", "keypair", store.Query{Limit: 10})
		require.NoError(t, err)
		assert.Empty(t, items, "and nothing recorded")

		disk := `{"name":"d","spec":{"sizeGiB":10}}`
		_, err = e.CheckCreation(t.Context(), "mock", "disk", []byte(disk))
		require.NoError(t, err)
		e.MustCreate("mock", "disk", "d", `{"sizeGiB":10}`)
		_, err = e.CheckCreation(t.Context(), "mock", "disk", []byte(`{"name":"d2","spec":{"sizeGiB":10}}`))
		assert.Equal(t, resource.CodeQuota, resource.CodeOf(err), "%v", err)
	})
}

func TestACheckSaysWhyTheCloudWasNotAsked(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "latency", "30s")
	_, err := e.Ask("mock", "disk", "d", `{"sizeGiB":10}`)
	require.NoError(t, err)
	check, err := e.CheckCreation(t.Context(), "mock", "snapshot", []byte(`{"name":"sn","spec":{"disk":"d"}}`))
	require.NoError(t, err)
	assert.False(t, check.Cloud)
	assert.Contains(t, check.Reason, "still being created")
}
