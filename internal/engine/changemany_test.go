package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestOneRequestChangesMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		e.Network()
		for i := range 4 {
			e.MustCreate("mock", "vm", fmt.Sprintf("vm%d", i), e.VMSpec())
		}
		e.MustCreate("mock", "nlb", "lb", `{"vpc":"v","protocol":"tcp","port":80,"members":["vm0"]}`)

		op, err := e.ChangeMany(t.Context(), "mock", "vm", "stop", []byte(`{"names":["vm3","vm1","vm2"]}`))
		require.NoError(t, err)
		assert.Equal(t, "vm1 … vm3", op.Name)
		e.Succeeds(op)
		for _, p := range partsOf(t, e, op) {
			assert.Equal(t, api.OperationSucceeded, p.State)
		}

		// One that is used costs only itself, and is deleted by another try.
		op, err = e.ChangeMany(t.Context(), "mock", "vm", api.VerbDelete, []byte(`{"matching":{"q":"vm","expected":4}}`))
		require.NoError(t, err)
		assert.Equal(t, &api.Progress{Total: 4, Ended: 1, Failed: 1}, op.Items, "it is refused at once")
		assert.Nil(t, op.Error, "while others go on")
		failure := e.Fails(op)
		assert.Equal(t, resource.CodeDependency, failure.Code)
		assert.Contains(t, failure.Message, "1 of 4 failed")
		assert.Contains(t, failure.Message, "nlb lb")
		left, _, err := e.List(t.Context(), "mock", "vm", store.Query{Limit: 10})
		require.NoError(t, err)
		require.Len(t, left, 1)
		assert.Equal(t, "vm0", left[0].Name)
		_, err = e.ChangeMany(t.Context(), "mock", "vm", api.VerbDelete, []byte(`{"names":["vm0"]}`))
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
		_, err = e.Retry(t.Context(), op.ID)
		assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "where nothing can be begun, nothing is recorded")
		gone, err := e.Delete(t.Context(), "mock", "nlb", "lb")
		require.NoError(t, err)
		e.Succeeds(gone)
		again, err := e.Retry(t.Context(), op.ID)
		require.NoError(t, err)
		e.Succeeds(again)
		assert.Empty(t, e.OnCloud("mock", "vm"))
	})
}

func TestManyOfSeveralConnections(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Connect("other")
	for _, c := range []string{"mock", "other"} {
		e.MustCreate(c, "disk", "d", `{"sizeGiB":10}`)
	}
	both := `"items":[{"connection":"mock","name":"d"},{"connection":"other","name":"d"}]`
	key := store.Key{Text: "k1", Request: "r"}
	label := func() (*api.Operation, error) {
		ctx := store.WithKey(t.Context(), key)
		return e.Once.Operation(ctx, func() (*api.Operation, error) {
			return e.ChangeMany(ctx, "", "disk", "label", []byte(`{`+both+`,"params":{"set":{"a":"b"}}}`))
		})
	}
	op, err := label()
	require.NoError(t, err)
	assert.Empty(t, op.Connection)
	e.Succeeds(op)
	for _, c := range []string{"mock", "other"} {
		d, err := e.Get(t.Context(), c, "disk", "d")
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"a": "b"}, d.Labels)
	}
	same, err := label()
	require.NoError(t, err)
	assert.Equal(t, op.ID, same.ID)

	op, err = e.ChangeMany(t.Context(), "", "disk", api.VerbDelete, []byte(`{"matching":{"filter":["labels.a=b"],"expected":2}}`))
	require.NoError(t, err)
	e.Succeeds(op)
	assert.Empty(t, e.OnCloud("mock", "disk"))
	assert.Empty(t, e.OnCloud("other", "disk"))
}

func TestWhatManyCannotMean(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	for _, d := range []string{"d1", "d2"} {
		e.MustCreate("mock", "disk", d, `{"sizeGiB":10}`)
	}
	for _, bad := range []struct {
		connection, verb, body string
		code                   resource.Code
		says                   string
	}{
		{"mock", "delete", `{}`, resource.CodeInvalid, "names"},
		{"mock", "delete", `{"names":["d1"],"matching":{"q":"d","expected":2}}`, resource.CodeInvalid, "names"},
		{"mock", "delete", `{"items":[{"connection":"mock","name":"d1"}]}`, resource.CodeInvalid, "items"},
		{"", "delete", `{"names":["d1"]}`, resource.CodeInvalid, "names"},
		{"mock", "delete", `{"names":["d1","none"]}`, resource.CodeInvalid, "names[1]"},
		{"none", "delete", `{"names":["d1"]}`, resource.CodeNotFound, "no connection none"},
		{"mock", "delete", `{"names":["d1","d2","d1"]}`, resource.CodeInvalid, "names[2]"},
		{"mock", "delete", `{"names":["d1"],"params":{}}`, resource.CodeInvalid, "params"},
		{"mock", "resize", `{"names":["d1"],"params":{"sizeGiB":-1}}`, resource.CodeInvalid, "params.sizeGiB"},
		{"mock", "resize", `{"names":["d1"],"force":true,"params":{"sizeGiB":20}}`, resource.CodeInvalid, "force"},
		{"mock", "fly", `{"names":["d1"]}`, resource.CodeUnsupported, "fly"},
		{"", "delete", `{"matching":{"expected":2}}`, resource.CodeInvalid, "all connections"},
		{"mock", "delete", `{"matching":{"filter":["nonsense"],"expected":2}}`, resource.CodeInvalid, "filter"},
		{"mock", "delete", `{"matching":{"q":"d","expected":1}}`, resource.CodeConflict, "more than 1"},
		{"mock", "delete", `{"matching":{"q":"nothing","expected":1}}`, resource.CodeNotFound, "no disk matches"},
		{"mock", "detach", `{"names":["d1"],"params":{"color":"red"}}`, resource.CodeInvalid, "params"},
	} {
		_, err := e.ChangeMany(t.Context(), bad.connection, "disk", bad.verb, []byte(bad.body))
		require.Error(t, err, bad.body)
		assert.Equal(t, bad.code, resource.CodeOf(err), "%s: %v", bad.body, err)
		said := err.Error()
		for _, f := range resource.AsError(err).Fields {
			said += " " + f.Field
		}
		assert.Contains(t, said, bad.says, bad.body)
	}
	assert.Len(t, e.OnCloud("mock", "disk"), 2)
	ops, _, err := e.Operations(t.Context(), store.Query{Limit: 10, Filters: []store.Filter{{Field: "verb", Op: store.FilterNotEqual, Value: "create"}}})
	require.NoError(t, err)
	assert.Empty(t, ops, "nothing was recorded")
}

// A cancellation ends what the cloud was not asked for yet, and nothing else.
func TestManyAreCancelled(t *testing.T) {
	const many = 30
	e := enginetest.New(t, enginetest.Options{Engine: engine.Config{Workers: 1}}, "latency", "50ms")
	made, err := e.Create(t.Context(), "mock", "disk", []byte(fmt.Sprintf(`{"name":"d","count":%d,"spec":{"sizeGiB":10}}`, many)))
	require.NoError(t, err)
	e.Succeeds(made)
	told, _ := e.Subscribe(0)
	defer told.Stop()
	op, err := e.ChangeMany(t.Context(), "mock", "disk", "resize", []byte(fmt.Sprintf(`{"matching":{"q":"d-","expected":%d},"params":{"sizeGiB":20}}`, many)))
	require.NoError(t, err)
	enginetest.UntilTold(t, told, func(ev events.Event) bool {
		return ev.Operation != nil && ev.Operation.Parent == op.ID && ev.Operation.State == api.OperationRunning
	})
	cancelled, err := e.Cancel(t.Context(), op.ID, false)
	require.NoError(t, err)
	assert.True(t, cancelled.Cancelling)
	ended := e.Ends(op)
	assert.Equal(t, api.OperationCancelled, ended.State)
	states := map[api.OperationState]int{}
	for _, p := range partsOf(t, e, op) {
		states[p.State]++
		d, err := e.Get(t.Context(), "mock", "disk", p.Name)
		require.NoError(t, err)
		assert.Equal(t, p.State == api.OperationSucceeded, strings.Contains(string(d.Effective), `"sizeGiB":20`), p.Name)
	}
	assert.Positive(t, states[api.OperationSucceeded])
	assert.Positive(t, states[api.OperationCancelled])
	assert.Equal(t, many, states[api.OperationSucceeded]+states[api.OperationCancelled])
	assert.Equal(t, states[api.OperationCancelled], ended.Items.Failed)
	again, err := e.Retry(t.Context(), op.ID)
	require.NoError(t, err)
	e.Succeeds(again)
}

// What is gone by the time of another try is a part that has failed, and says what it was.
func TestManyAreTriedAgainWithoutWhatIsGone(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	for _, name := range []string{"a", "b", "c"} {
		e.MustCreate("mock", "vm", name, e.VMSpec())
	}
	e.MustCreate("mock", "nlb", "lb", `{"vpc":"v","protocol":"tcp","port":80,"members":["a","b"]}`)
	op, err := e.ChangeMany(t.Context(), "mock", "vm", api.VerbDelete, []byte(`{"names":["a","b","c"]}`))
	require.NoError(t, err)
	require.Equal(t, resource.CodeDependency, e.Fails(op).Code)
	gone, err := e.Delete(t.Context(), "mock", "nlb", "lb")
	require.NoError(t, err)
	e.Succeeds(gone)
	_, err = e.Release(t.Context(), "mock", "vm", "a")
	require.NoError(t, err)
	again, err := e.Retry(t.Context(), op.ID)
	require.NoError(t, err)
	assert.Equal(t, "1 of 2 failed, the first because: there is no vm a in the connection mock; see: mcic operation list --filter parent="+again.ID, e.Fails(again).Message)
	parts := partsOf(t, e, again)
	require.Len(t, parts, 2)
	slices.SortFunc(parts, func(a, b *api.Operation) int { return strings.Compare(a.Name, b.Name) })
	assert.Equal(t, []string{"vm", "mock", "a", "failed"}, []string{parts[0].Kind, parts[0].Connection, parts[0].Name, string(parts[0].State)})
	assert.Equal(t, "b", parts[1].Name)
	assert.Equal(t, api.OperationSucceeded, parts[1].State)
}

// A cancellation does not hold what a part that is ending needs, nor does it cancel that.
func TestACancellationOfManyWaitsForWhatEnds(t *testing.T) {
	url := storetest.Postgres(t)
	s, err := store.OpenPostgres(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	e := enginetest.New(t, enginetest.Options{Store: s})
	for _, name := range []string{"a", "b", "c"} {
		e.MustCreate("mock", "disk", name, `{"sizeGiB":10}`)
	}
	e.Stop() // nobody works on it
	op, err := e.ChangeMany(t.Context(), "mock", "disk", api.VerbDelete, []byte(`{"names":["a","b","c"]}`))
	require.NoError(t, err)
	parts, err := s.Read().Parts(t.Context(), op.ID)
	require.NoError(t, err)
	observer, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = observer.Close(t.Context()) }()
	cancelled := make(chan error, 1)
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		parts[1].State, parts[1].EndedAt = api.OperationSucceeded, store.MicrosOf(time.Now())
		if err := q.UpdateOperation(ctx, &parts[1]); err != nil {
			return err
		}
		go func() {
			_, err := e.Cancel(t.Context(), op.ID, false)
			cancelled <- err
		}()
		require.Eventually(t, func() (waits bool) {
			require.NoError(t, observer.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").Scan(&waits))
			return waits
		}, 10*time.Second, 5*time.Millisecond)
		_, err := q.CountPart(ctx, &parts[1])
		return err
	}))
	require.NoError(t, <-cancelled)
	parts, err = s.Read().Parts(t.Context(), op.ID)
	require.NoError(t, err)
	assert.Equal(t, []store.Cancel{store.CancelEarly, "", store.CancelEarly}, store.Convert(parts, func(o *store.Operation) store.Cancel { return o.Cancel }))
	_, err = e.Cancel(t.Context(), op.ID, true)
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "it is no creation")
}
