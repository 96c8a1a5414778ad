package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

// at answers the names of what has an address.
func at(t *testing.T, s *store.Store, connection, address string) []string {
	t.Helper()
	rows, err := s.Read().ResourcesAt(t.Context(), connection, address)
	require.NoError(t, err)
	names := []string{}
	for _, r := range rows {
		names = append(names, r.Kind+" "+r.Name)
	}
	return names
}

func TestResourcesAreFoundByTheirAddresses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		row := func(i int, connection, kind, status string) *store.Resource {
			r := vm(i)
			r.Connection, r.Kind, r.Status = connection, kind, json.RawMessage(status)
			return r
		}
		one := row(1, "c", "vm", `{"zone":"z","privateAddress":"10.0.0.1","publicAddress":"203.0.113.1"}`)
		insert(t, s, one,
			row(2, "d", "vm", `{"privateAddress":"10.0.0.1"}`), row(3, "c", "vm", `{"privateAddress":"10.0.0.10"}`),
			row(4, "c", "publicip", `{"address":"203.0.113.1","vm":"vm-0001"}`), row(5, "c", "nlb", `{"dnsName":"Web.example.COM"}`),
			row(6, "c", "nic", `{"privateAddress":"10.0.0.6","secondaryAddresses":["10.0.0.7","2001:DB8::1"]}`))
		same := func() {
			t.Helper()
			assert.Equal(t, []string{"vm vm-0001", "vm vm-0002"}, at(t, s, "", "10.0.0.1"))
			assert.Equal(t, []string{"vm vm-0002"}, at(t, s, "d", "10.0.0.1"))
			assert.Equal(t, []string{"publicip vm-0004", "vm vm-0001"}, at(t, s, "c", "203.0.113.1"))
			assert.Equal(t, []string{"nlb vm-0005"}, at(t, s, "", "web.example.com"))
			assert.Equal(t, []string{"nic vm-0006"}, at(t, s, "", "2001:db8:0::1"))
			assert.Empty(t, at(t, s, "", "10.0.0"))
		}
		same()
		require.NoError(t, s.ForgetAddresses(t.Context()))
		assert.Empty(t, at(t, s, "", "10.0.0.1"))
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			more, err := q.FillAddresses(ctx)
			assert.False(t, more)
			return err
		}))
		same()

		change := func(change func(*store.Resource)) {
			t.Helper()
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				now, err := q.ResourceByUID(ctx, one.UID)
				if err != nil {
					return err
				}
				change(now)
				return q.UpdateResource(ctx, now, "")
			}))
		}
		change(func(r *store.Resource) { r.Status = json.RawMessage(`{"privateAddress":"10.0.0.2"}`) })
		assert.Equal(t, []string{"vm vm-0002"}, at(t, s, "", "10.0.0.1"))
		assert.Equal(t, []string{"vm vm-0001"}, at(t, s, "", "10.0.0.2"))
		change(func(r *store.Resource) { r.DeletedAt = 1 })
		assert.Empty(t, at(t, s, "", "10.0.0.2"))
	})
}

// BenchmarkAddress finds one of 10,000 VMs by its address.
func BenchmarkAddress(b *testing.B) {
	s, err := store.OpenSQLite(b.Context(), b.TempDir())
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	const count = 10_000
	require.NoError(b, s.Update(b.Context(), func(ctx context.Context, q *store.Queries) error {
		for i := range count {
			r := vm(i)
			r.Status = fmt.Appendf(nil, `{"zone":"z","privateAddress":"10.0.%d.%d"}`, i/250, i%250)
			if err := q.InsertResource(ctx, r, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	for i := 0; b.Loop(); i++ {
		rows, err := s.Read().ResourcesAt(b.Context(), "", fmt.Sprintf("10.0.%d.%d", i%count/250, i%250))
		require.NoError(b, err)
		require.Len(b, rows, 1)
	}
}
