package store_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestAFacadeNameIsUniqueInItsOwner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		subnet := func(i int, vpc, facade string) *store.Resource {
			r := vm(i)
			r.Connection, r.Kind, r.FacadeName, r.Effective = "c", "subnet", facade, json.RawMessage(`{"vpc":"`+vpc+`"}`)
			return r
		}
		refused := func(r *store.Resource) {
			t.Helper()
			err := s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, r, nil) })
			assert.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		}
		names := func(owner, name string) (found []string) {
			t.Helper()
			rows, err := s.Read().Named(t.Context(), "c", "subnet", owner, name, 10)
			require.NoError(t, err)
			for _, r := range rows {
				found = append(found, r.Name)
			}
			return found
		}
		one := subnet(1, "a", "")
		insert(t, s, one, subnet(2, "b", "vm-0001"), subnet(3, "b", ""))
		require.NoError(t, s.Again(t.Context(), 16), "a version wrote them that knew no other names")
		assert.Equal(t, []string{"vm-0002"}, names("b", "vm-0002"), "what is there keeps its name, and its owner")
		assert.Equal(t, []string{"vm-0001"}, names("a", "vm-0001"))

		insert(t, s, subnet(4, "b", "vm-0001"))
		assert.Equal(t, []string{"vm-0004"}, names("b", "vm-0001"))
		assert.ElementsMatch(t, []string{"vm-0001", "vm-0004"}, names("", "vm-0001"))
		refused(subnet(5, "b", "vm-0001"))
		refused(subnet(5, "a", "vm-0001")) // the name of what has no other
		refused(subnet(5, "b", "vm-0003"))

		one.DeletedAt = 1
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, one, "") }))
		insert(t, s, subnet(5, "a", "vm-0001"))
		owned, err := s.Read().Owned(t.Context(), "c", "subnet", "b")
		require.NoError(t, err)
		assert.Len(t, owned, 3)
	})
}
