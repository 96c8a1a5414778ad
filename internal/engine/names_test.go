package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// wantedAs asks for a resource by the name that a client of CB-Spider's API gives it.
func wantedAs(kind, name, spec string) engine.Wanted {
	return engine.Wanted{Kind: kind, FacadeName: name, Body: fmt.Appendf(nil, `{"name":%q,"spec":%s}`, resource.NameFrom(name, kind), spec)}
}

func TestNamesOfPartsAreThoseOfTheirOwner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				vpc := fmt.Sprintf("네트워크 %d", i)
				op, err := e.CreateTogether(t.Context(), "mock", []engine.Wanted{
					wantedAs("vpc", vpc, `{"cidr":"10.0.0.0/16"}`),
					wantedAs("subnet", "subnet-01", fmt.Sprintf(`{"vpc":%q,"cidr":"10.0.1.0/24"}`, resource.NameFrom(vpc, ""))),
				}, resource.OnFailureDelete)
				if assert.NoError(t, err) {
					e.Succeeds(op)
				}
			})
		}
		group.Wait()
		names := map[string]bool{}
		for i := range 10 {
			vpc, err := e.Named(t.Context(), "mock", "vpc", "", fmt.Sprintf("네트워크 %d", i))
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("neteuwokeu-%d", i), vpc.Name, "it can be read, and written in /v1")
			subnet, err := e.Named(t.Context(), "mock", "subnet", vpc.Name, "subnet-01")
			require.NoError(t, err)
			assert.Regexp(t, `^subnet-01(-[0-9a-f]{6})?$`, subnet.Name)
			assert.Equal(t, vpc.Name, resourceOf[resource.SubnetSpec](t, subnet).VPC)
			names[subnet.Name] = true
		}
		assert.Len(t, names, 10)
		assert.True(t, names["subnet-01"], "the first has the name that was asked for")
		_, err := e.Named(t.Context(), "mock", "subnet", "", "subnet-01")
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "which one is meant is not guessed")

		for _, query := range []store.Query{
			{Filters: []store.Filter{{Field: "facadeName", Op: store.FilterEqual, Value: "subnet-01"}}},
			{Filters: []store.Filter{{Field: "facadeName", Op: store.FilterContains, Value: "NET-01"}}},
			{Search: "subnet-01"},
		} {
			query.Limit = 20
			found, _, err := e.List(t.Context(), "mock", "subnet", query)
			require.NoError(t, err)
			assert.Len(t, found, 10, query)
		}
		found, _, err := e.List(t.Context(), "mock", "vpc", store.Query{Limit: 20, Search: "네트워크"})
		require.NoError(t, err)
		assert.Len(t, found, 10)
		found, _, err = e.List(t.Context(), "mock", "vpc", store.Query{Limit: 20, Filters: []store.Filter{{Field: "facadeName", Op: store.FilterContains, Value: "크 7"}}})
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, "네트워크 7", found[0].FacadeName)
	})
}

func TestANameThatTwoWouldHave(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		create := func(name string) (*api.Operation, error) {
			return e.CreateWanted(t.Context(), "mock", wantedAs("vpc", name, `{"cidr":"10.0.0.0/16"}`))
		}
		made := func(name string) *resource.Resource {
			op, err := create(name)
			require.NoError(t, err)
			e.Succeeds(op)
			vpc, err := e.Named(t.Context(), "mock", "vpc", "", name)
			require.NoError(t, err)
			return vpc
		}
		e.MustCreate("mock", "vpc", "a-b", `{"cidr":"10.0.0.0/16"}`)
		other := made("a b")
		assert.Regexp(t, "^a-b-[0-9a-f]{6}$", other.Name, "a-b is another's")
		assert.Equal(t, "a b", other.FacadeName)
		assert.Equal(t, strings.Repeat("n", 128), made(strings.Repeat("n", 270)).Name)
		assert.Equal(t, "vpc", made("東京").Name, "what cannot be written is called by its kind")

		for _, taken := range []string{"a b", "a-b"} { // the second is how clients know what has no other name
			_, err := create(taken)
			assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err), taken)
		}
		made("x!") // called x here
		made("x")  // called x-… here, and x there
		_, err := e.Create(t.Context(), "mock", "vpc", []byte(`{"name":"x","spec":{"cidr":"10.0.0.0/16"}}`))
		assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		hidden, err := e.Named(t.Context(), "mock", "vpc", "", "x")
		require.NoError(t, err)
		e.Succeeds(must(e.Delete(t.Context(), "mock", "vpc", "x")))
		_, err = e.Create(t.Context(), "mock", "vpc", []byte(`{"name":"x","spec":{"cidr":"10.0.0.0/16"}}`))
		assert.ErrorContains(t, err, "by the vpc 'x' (in /v1 "+hidden.Name+")", "the message says who has it")

		e.Succeeds(must(e.Delete(t.Context(), "mock", "vpc", hidden.Name)))
		assert.Equal(t, "x", made("x").Name, "the name goes with what had it")
	})
}

func TestPartsComeAndGoWithWhatTheyAreOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		vpc := e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`).CloudID
		e.MustCreate("mock", "vpc", "w", `{"cidr":"10.0.0.0/16"}`)
		for _, s := range [][2]string{{"v", "s1"}, {"v", "s2"}, {"v", "s3"}, {"w", "elsewhere"}} {
			e.MustCreate("mock", "subnet", s[1], fmt.Sprintf(`{"vpc":%q,"cidr":"10.0.%c.0/24"}`, s[0], s[1][len(s[1])-1]%8+'0'))
		}
		e.MustCreate("mock", "vm", "vm1", strings.Replace(e.VMSpec(), `"subnet":"s"`, `"subnet":"s1"`, 1))
		ids := map[string]string{}
		for _, name := range []string{"s1", "s2", "s3"} {
			s, err := e.Get(t.Context(), "mock", "subnet", name)
			require.NoError(t, err)
			ids[name] = s.CloudID
		}
		e.Connect("other") // another's view of the same objects
		known, err := e.Adopt(t.Context(), "other", "subnet", []byte(`{"cloudId":"`+ids["s2"]+`","name":"mine"}`))
		require.NoError(t, err)
		assert.Equal(t, vpc, resourceOf[resource.SubnetSpec](t, known).VPC, "its VPC is not managed yet")

		_, err = e.AdoptNamed(t.Context(), "other", "vpc", inventory.Adopting{
			AdoptRequest: api.AdoptRequest{CloudID: vpc}, FacadeName: "my vpc", Parts: map[string]string{ids["s3"]: "the third"},
		})
		require.NoError(t, err)
		parts, err := e.PartsOf(t.Context(), "other", "vpc", "my-vpc")
		require.NoError(t, err)
		assert.ElementsMatch(t, []inventory.Named{{Kind: "subnet", Name: "mine"}, {Kind: "subnet", Name: "s1"}, {Kind: "subnet", Name: "the-third"}}, parts)
		named, err := e.Named(t.Context(), "other", "subnet", "my-vpc", "the third")
		require.NoError(t, err)
		assert.Equal(t, ids["s3"], named.CloudID)
		_, err = e.Delete(t.Context(), "other", "vpc", "my-vpc")
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "references are known")

		vms, err := e.AdoptAll(t.Context(), "other")
		require.NoError(t, err)
		assert.Len(t, vms.Items, 3, "the VM, the other VPC and its subnet")
		_, err = e.Release(t.Context(), "other", "vpc", "my-vpc")
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
		assert.ErrorContains(t, err, "the subnet s1 is used by: vm vm1")
		_, err = e.Release(t.Context(), "other", "vm", "vm1")
		require.NoError(t, err)
		op, err := e.Release(t.Context(), "other", "vpc", "my-vpc")
		require.NoError(t, err)
		assert.Equal(t, "my-vpc", op.Name)
		left, err := e.Snapshot(t.Context(), "other", "subnet")
		require.NoError(t, err)
		require.Len(t, left.Items, 1)
		assert.Equal(t, "elsewhere", left.Items[0].Name)
		assert.Len(t, e.OnCloud("mock", "subnet"), 4, "the cloud was not touched")
	})
}

func resourceOf[S any](t *testing.T, r *resource.Resource) (spec S) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.Spec, &spec))
	return spec
}

func must(op *api.Operation, err error) *api.Operation {
	if err != nil {
		panic(err)
	}
	return op
}
