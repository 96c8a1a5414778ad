package engine_test

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// repeats is a driver that answers the same id for every VPC.
func repeats() *driver.Driver {
	cloud := &repeating{}
	return driver.New(
		driver.About{Name: "repeats", Title: "Repeats", Version: "1.0.0"},
		func(context.Context, driver.Config) (*repeating, error) { return cloud, nil },
		driver.Kind(resource.VPC, func(c *repeating) driver.Managed[resource.VPCSpec, resource.VPCStatus] { return c }, driver.ByToken),
	)
}

type (
	repeating struct {
		mu   sync.Mutex
		made []repeated
	}
	repeated = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (c *repeating) List(context.Context, driver.Filter) iter.Seq2[repeated, error] {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.made)
	return func(yield func(repeated, error) bool) {
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (c *repeating) Get(_ context.Context, id string) (repeated, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.made) == 0 {
		return repeated{}, resource.Errorf(resource.CodeNotFound, "there is no %s", id)
	}
	return c.made[0], nil
}

func (c *repeating) Make(_ context.Context, r driver.Request[resource.VPCSpec]) (repeated, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, repeated{ID: "vpc-1", Name: r.Name, Token: r.Token, State: resource.StateAvailable, Spec: r.Spec})
	return c.made[len(c.made)-1], nil
}

func (c *repeating) Delete(context.Context, string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = nil
	return nil
}

func TestADriverThatRepeatsIDsIsToldAndHarmsNobody(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open(), Others: []string{"repeats"}})
		_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"repeats"}`), false)
		require.NoError(t, err)
		first := e.MustCreate("c", "vpc", "first", `{"cidr":"10.0.0.0/16"}`)
		unharmed := func() {
			now, err := e.Get(t.Context(), "c", "vpc", "first")
			require.NoError(t, err)
			assert.Equal(t, resource.StateAvailable, now.State)
			assert.Equal(t, first.CloudID, now.CloudID)
		}

		op, err := e.Ask("c", "vpc", "second", `{"cidr":"10.1.0.0/16"}`)
		require.NoError(t, err)
		failure := e.Fails(op)
		assert.Equal(t, resource.CodeInternal, failure.Code)
		assert.Contains(t, failure.Message, `answers "vpc-1" for the vpc second, which is recorded as the vpc first: it repeats ids`)
		second, err := e.Get(t.Context(), "c", "vpc", "second")
		require.NoError(t, err)
		assert.Equal(t, resource.StateFailed, second.State)
		assert.Empty(t, second.CloudID)
		unharmed()
		require.NoError(t, e.Refresh(t.Context(), "c", "vpc", 0))
		unharmed()

		op, err = e.Delete(t.Context(), "c", "vpc", "second")
		require.NoError(t, err)
		assert.Contains(t, e.Fails(op).Message, "it repeats ids", "what is another one's is not deleted")
		unharmed()
		op, err = e.ForceDelete(t.Context(), "c", "vpc", "second")
		require.NoError(t, err)
		e.Succeeds(op)
		unharmed()
		assert.Len(t, e.OnCloud("c", "vpc"), 1, "nothing was deleted there")
	})
}
