package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// cloud is a session that answers entries, and counts how often it is asked.
type cloud struct {
	driver.Session
	entries []string
	fails   error         // after the entries
	gate    chan struct{} // if there is one, an answer waits for it
	updated time.Time     // when the connection was changed

	mu    sync.Mutex
	asked []driver.Query
}

// Catalog implements driver.Session.
func (c *cloud) Catalog(ctx context.Context, _ string, q driver.Query) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		c.mu.Lock()
		c.asked = append(c.asked, q)
		c.mu.Unlock()
		if c.gate != nil {
			select {
			case <-c.gate:
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
		for _, e := range c.entries {
			if !yield(json.RawMessage(e), nil) {
				return
			}
		}
		if c.fails != nil {
			yield(nil, c.fails)
		}
	}
}

func (c *cloud) catalog() *catalog.Catalog {
	return catalog.New(func(_ context.Context, connection string) (driver.Session, *api.Connection, error) {
		if connection != "c" && connection != "d" {
			return nil, nil, resource.Errorf(resource.CodeNotFound, "there is no connection %s", connection)
		}
		return c, &api.Connection{Name: connection, UpdatedAt: c.updated}, nil
	})
}

func (c *cloud) calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked)
}

// query is one with filters.
func query(t *testing.T, filters ...string) store.Query {
	t.Helper()
	q := store.Query{Limit: 100}
	for _, text := range filters {
		f, err := store.ParseFilter(text)
		require.NoError(t, err)
		q.Filters = append(q.Filters, f)
	}
	return q
}

// names are those of the answered entries.
func names(t *testing.T, items []json.RawMessage) []string {
	t.Helper()
	found := []string{}
	for _, raw := range items {
		var e struct {
			Name string `json:"name"`
		}
		require.NoError(t, json.Unmarshal(raw, &e))
		found = append(found, e.Name)
	}
	return found
}

func specs() []string {
	return []string{
		`{"name":"m4","vcpus":4,"memoryMiB":16384,"architectures":["x86_64"]}`,
		`{"name":"a10","vcpus":10,"memoryMiB":8192,"architectures":["arm64"],"gpuModel":"T4"}`,
		`{"name":"B2","vcpus":2,"memoryMiB":16384,"architectures":["x86_64","arm64"]}`,
	}
}

func TestFiltersAndOrder(t *testing.T) {
	c := (&cloud{entries: specs()}).catalog()
	for _, try := range []struct {
		filters []string
		sort    string
		want    []string
	}{
		{nil, "", []string{"m4", "a10", "B2"}},
		{nil, "name", []string{"B2", "a10", "m4"}},
		{nil, "vcpus", []string{"B2", "m4", "a10"}},
		{nil, "-vcpus", []string{"a10", "m4", "B2"}},
		{nil, "-memoryMiB", []string{"m4", "B2", "a10"}}, // equal ones keep the cloud's order
		{nil, "gpus", []string{"m4", "a10", "B2"}},
		{nil, "-gpuModel", []string{"a10", "m4", "B2"}},
		{[]string{"name=m4"}, "", []string{"m4"}},
		{[]string{"name=M4"}, "", []string{}},
		{[]string{"name~M"}, "", []string{"m4"}},
		{[]string{"name~"}, "", []string{"m4", "a10", "B2"}},
		{[]string{"vcpus=4"}, "", []string{"m4"}},
		{[]string{"vcpus=4.0"}, "", []string{}},
		{[]string{"memoryMiB=16384", "vcpus!=4"}, "", []string{"B2"}},
		{[]string{"memoryMiB~638"}, "name", []string{"B2", "m4"}},
		{[]string{"architectures=arm64"}, "", []string{"a10", "B2"}},
		{[]string{"architectures!=arm64"}, "", []string{"m4"}},
		{[]string{"architectures=arm64", "architectures=x86_64"}, "", []string{"B2"}},
		{[]string{"architectures~ARM"}, "", []string{"a10", "B2"}},
		{[]string{`architectures=["arm64"]`}, "", []string{"a10"}},
		{[]string{"gpuModel="}, "", []string{"m4", "B2"}},
		{[]string{"gpuModel!="}, "", []string{"a10"}},
		{[]string{"name=none"}, "", []string{}},
	} {
		q := query(t, try.filters...)
		q.Sort = try.sort
		items, next, err := c.List(t.Context(), "c", "spec", q)
		require.NoError(t, err)
		assert.Empty(t, next)
		assert.Equal(t, try.want, names(t, items), "%v by %q", try.filters, try.sort)
	}
}

func TestPages(t *testing.T) {
	c := (&cloud{entries: specs()}).catalog()
	for limit := 1; limit <= 4; limit++ {
		var (
			all   []string
			token string
		)
		for {
			items, next, err := c.List(t.Context(), "c", "spec", store.Query{Limit: limit, Token: token})
			require.NoError(t, err)
			require.LessOrEqual(t, len(items), limit)
			all = append(all, names(t, items)...)
			if token = next; next == "" {
				break
			}
		}
		assert.Equal(t, []string{"m4", "a10", "B2"}, all, "pages of %d", limit)
	}
	items, next, err := c.List(t.Context(), "c", "spec", store.Query{Limit: 1, Token: "3"})
	require.NoError(t, err)
	assert.Empty(t, next)
	assert.NotNil(t, items, "an empty list, not null")
	assert.Empty(t, items)
}

func TestWhatIsWrongIsNamedBeforeTheCloudIsAsked(t *testing.T) {
	session := &cloud{entries: specs()}
	c := session.catalog()
	for field, q := range map[string]store.Query{
		"filter":    query(t, "color=red"),
		"sort":      {Limit: 1, Sort: "color"},
		"pageToken": {Limit: 1, Token: "-1"},
	} {
		_, _, err := c.List(t.Context(), "c", "spec", q)
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
		assert.Equal(t, field, resource.AsError(err).Fields[0].Field)
	}
	_, _, err := c.List(t.Context(), "nowhere", "spec", query(t))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	_, _, err = c.List(t.Context(), "c", "rocket", query(t))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	assert.Zero(t, session.calls())
}

func TestTheCloudIsAskedOnceInTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := &cloud{entries: specs()}
		c := session.catalog()
		costs := func(calls int, what, connection, catalog string, q store.Query) {
			t.Helper()
			before := session.calls()
			_, _, err := c.List(t.Context(), connection, catalog, q)
			require.NoError(t, err)
			assert.Equal(t, calls, session.calls()-before, what)
		}
		sorted := store.Query{Limit: 1, Sort: "-name", Token: "1"}
		costs(1, "first", "c", "spec", query(t))
		costs(0, "again", "c", "spec", query(t))
		costs(0, "other order and page", "c", "spec", sorted)
		costs(0, "what the driver cannot narrow", "c", "spec", query(t, "name~m", "vcpus!=4"))
		costs(1, "what the driver can narrow", "c", "spec", query(t, "name=m4", "vcpus!=4"))
		assert.Equal(t, driver.Query{"name": "m4"}, session.asked[len(session.asked)-1])
		costs(0, "again", "c", "spec", query(t, "name=m4"))
		costs(1, "another catalog", "c", "image", query(t))
		costs(1, "another connection", "d", "spec", query(t))
		<-time.After(10*time.Minute - time.Second)
		costs(0, "just before it is too old", "c", "spec", query(t))
		<-time.After(2 * time.Second)
		costs(1, "too old", "c", "spec", query(t))
		session.updated = time.Now()
		costs(1, "the connection has changed", "c", "spec", query(t))
	})
}

func TestAFailureIsNotKept(t *testing.T) {
	session := &cloud{entries: specs(), fails: resource.Errorf(resource.CodeThrottled, "slow down")}
	c := session.catalog()
	_, _, err := c.List(t.Context(), "c", "spec", query(t))
	require.Equal(t, resource.CodeThrottled, resource.CodeOf(err))
	assert.ErrorContains(t, err, "ask c for its specs", "what was going on is said")
	session.fails = nil
	items, _, err := c.List(t.Context(), "c", "spec", query(t))
	require.NoError(t, err)
	assert.Len(t, items, 3)
	for _, nonsense := range []string{`[]`, `"x"`, `1`, `{`} {
		_, _, err = (&cloud{entries: []string{nonsense}}).catalog().List(t.Context(), "c", "spec", query(t))
		assert.Equal(t, resource.CodeInternal, resource.CodeOf(err), nonsense)
	}
}

func TestWhatIsKeptIsLimited(t *testing.T) {
	many := func(n int) []string {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf(`{"name":"s%d"}`, i)
		}
		return entries
	}
	synctest.Test(t, func(t *testing.T) {
		session := &cloud{entries: many(20_001)}
		c := session.catalog()
		ask := func(filters ...string) {
			t.Helper()
			_, _, err := c.List(t.Context(), "c", "spec", query(t, filters...))
			require.NoError(t, err)
			<-time.After(time.Second)
		}
		ask()
		ask()
		assert.Equal(t, 2, session.calls(), "too large to be kept")
		session.entries = many(9_000)
		ask("name=a")
		ask("name=b")
		ask("name=a")
		assert.Equal(t, 4, session.calls(), "both are kept")
		ask("name=c")
		ask("name=b")
		ask("name=c")
		assert.Equal(t, 5, session.calls(), "the oldest made room")
		ask("name=a")
		assert.Equal(t, 6, session.calls())
	})
}

// listed is what a reader got.
type listed struct {
	items []json.RawMessage
	err   error
}

// reader lists in the background.
func reader(ctx context.Context, c *catalog.Catalog) <-chan listed {
	result := make(chan listed, 1)
	go func() {
		items, _, err := c.List(ctx, "c", "spec", store.Query{Limit: 10})
		result <- listed{items, err}
	}()
	return result
}

func TestManyReadersAtOnceCostOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := &cloud{entries: specs(), gate: make(chan struct{})}
		c := session.catalog()
		var readers []<-chan listed
		for range 10 {
			readers = append(readers, reader(t.Context(), c))
		}
		synctest.Wait() // all wait for the one call
		close(session.gate)
		for _, r := range readers {
			got := <-r
			require.NoError(t, got.err)
			assert.Len(t, got.items, 3)
		}
		assert.Equal(t, 1, session.calls())
	})
}

func TestAReaderThatLeavesBreaksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session := &cloud{entries: specs(), gate: make(chan struct{})}
		c := session.catalog()
		ctx, leave := context.WithCancel(t.Context())
		first := reader(ctx, c) // whose call it is
		synctest.Wait()
		second := reader(t.Context(), c)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		third := reader(hurried, c)
		synctest.Wait()

		leave()
		left := (<-first).err
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(left))
		assert.True(t, errors.Is(left, context.Canceled), "%v", left)
		late := (<-third).err
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(late))
		assert.True(t, errors.Is(late, context.DeadlineExceeded), "%v", late)
		close(session.gate)
		got := <-second
		require.NoError(t, got.err)
		assert.Len(t, got.items, 3)
		again := <-reader(t.Context(), c)
		require.NoError(t, again.err)
		assert.Equal(t, 1, session.calls(), "the call of the one that left served all")
	})
}
