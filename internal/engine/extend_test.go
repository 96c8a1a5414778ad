package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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

func TestCapabilitiesAreWhatTheConnectionHas(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{}, "lacks", "nlb,price")
	whole, err := e.Capabilities(t.Context(), "catalog-only")
	require.NoError(t, err)
	assert.Equal(t, "mock", whole.Cloud)
	assert.Len(t, whole.Kinds, len(resource.Kinds()))
	assert.Empty(t, whole.Lacks)
	assert.NotEmpty(t, whole.Extensions)
	assert.NotEmpty(t, whole.Native)
	less, err := e.Capabilities(t.Context(), "mock")
	require.NoError(t, err)
	assert.Len(t, less.Kinds, len(resource.Kinds())-1)
	assert.NotContains(t, less.Catalogs, "price")
	require.Len(t, less.Lacks, 2)
	assert.Equal(t, "nlb", less.Lacks[0].Name)
	assert.NotEmpty(t, less.Lacks[0].Reason)
	_, err = e.Capabilities(t.Context(), "nowhere")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))

	// The others go on without what is lacking.
	e.Network()
	refused(t, e, "mock")
	inventory, err := e.Compare(t.Context(), "mock", "")
	require.NoError(t, err)
	assert.Len(t, inventory.Items, 2)
	assert.Empty(t, inventory.Unseen)
	_, err = e.AdoptAll(t.Context(), "mock")
	require.NoError(t, err)
}

// refused asks for what a connection lacks, alone and with others.
func refused(t *testing.T, e *enginetest.Env, connection string) {
	t.Helper()
	_, err := e.Ask(connection, "nlb", "web", `{"vpc":"v","protocol":"tcp","port":80}`)
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	assert.ErrorContains(t, err, "mcic connection check "+connection)
	_, err = e.CreateTogether(t.Context(), connection, []engine.Wanted{
		{Kind: "vpc", Body: []byte(`{"name":"other","spec":{"cidr":"10.0.0.0/16"}}`)},
		{Kind: "nlb", Body: []byte(`{"name":"web","spec":{"vpc":"other","protocol":"tcp","port":80}}`)},
	}, "")
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	_, err = e.Get(t.Context(), connection, "vpc", "other")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "nothing of it is recorded")
}

func TestWhatAConnectionLacksIsRefusedAtOnce(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	const body = `{"name":%q,"cloud":"mock","region":"mock-seoul","settings":{"lacks":"nlb"}}`
	_, err := e.CreateConnection(t.Context(), fmt.Appendf(nil, body, "less"), true)
	require.NoError(t, err)
	refused(t, e, "less")
	_, err = e.Act(t.Context(), "less", "nlb", "web", "label", []byte(`{"set":{"a":"b"}}`))
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))

	// Nobody has looked yet: then it is the cloud that refuses, and what is recorded can go.
	_, err = e.CreateConnection(t.Context(), fmt.Appendf(nil, body, "unseen"), false)
	require.NoError(t, err)
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	op, err := e.CreateTogether(t.Context(), "unseen", []engine.Wanted{
		{Kind: "vpc", Body: []byte(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)},
		{Kind: "nlb", Body: []byte(`{"name":"web","spec":{"vpc":"v","protocol":"tcp","port":80}}`)},
	}, "")
	require.NoError(t, err)
	assert.Equal(t, api.OperationFailed, e.Ends(op).State)
	op, err = e.Delete(t.Context(), "unseen", "nlb", "web")
	require.NoError(t, err)
	e.Succeeds(op)
	refused(t, e, "unseen")

	// Settings that change are looked at anew.
	_, err = e.PutConnection(t.Context(), api.ConnectionRequest{Name: "less", Cloud: "mock", Region: "mock-seoul", Settings: map[string]string{}})
	require.NoError(t, err)
	e.MustCreate("less", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	e.MustCreate("less", "nlb", "web", `{"vpc":"v","protocol":"tcp","port":80}`)
}

func TestWhatAConnectionLacksIsKnownAfterARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		first := enginetest.New(t, enginetest.Options{Store: open()}, "lacks", "nlb") // recorded without looking
		_, err := first.CreateConnection(t.Context(), []byte(`{"name":"looked","cloud":"mock","region":"mock-seoul","settings":{"lacks":"nlb"}}`), true)
		require.NoError(t, err)
		first.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
		first.Stop()

		calls := atomic.Int64{}
		e := enginetest.Start(t, enginetest.Options{Store: first.Store, Inventory: inventory.Config{SyncEvery: time.Hour}, Observe: func(_, verb string, _ resource.Code, _ time.Duration) {
			if verb != "describe" {
				calls.Add(1)
			}
		}})
		refused(t, e, "mock")
		refused(t, e, "looked")
		assert.Zero(t, calls.Load(), "the cloud is not asked for it")

		// What is recorded is out of date: the cloud has one by now.
		e.Connect("whole")
		e.MustCreate("whole", "vpc", "v", `{"cidr":"10.0.0.0/16"}`) // a session is open
		row, err := e.Store.Read().Connection(t.Context(), "whole")
		require.NoError(t, err)
		assert.Equal(t, "default", row.Account, "as the session has said")
		row.Account, row.Lacks = "", map[string]string{"nlb": "there was none"}
		require.NoError(t, e.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.SetPlace(ctx, row) }))
		refused(t, e, "whole")
		require.NoError(t, e.CheckConnection(t.Context(), "whole"))
		e.MustCreate("whole", "nlb", "web", `{"vpc":"v","protocol":"tcp","port":80}`)
	})
}

func TestAConnectionThatFailsHasNoCapabilities(t *testing.T) {
	e := enginetest.Start(t, enginetest.Options{})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"bad","cloud":"mock","region":"moon"}`), false)
	require.NoError(t, err)
	_, err = e.Capabilities(t.Context(), "bad")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.ErrorContains(t, err, "moon")
}

func TestExtensionsReachTheDriver(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	output, err := e.Extend(t.Context(), "mock", "countAll", []byte(`{"rsType":"subnet"}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"Count":1}`, string(output))
	for _, test := range []struct{ extension, input, field, code string }{
		{"echo", ``, "text", "invalid"},
		{"echo", `{"text":"x","color":1}`, "color", "invalid"},
		{"echo", `{"text":1}`, "text", "invalid"},
		{"echo", `{"text":"a","text":"b"}`, "text", "invalid"},
		{"echo", `[]`, "body", "invalid"},
		{"echo", `{`, "body", "invalid"},
		{"echo", `{"text":"x","fail":"quota"}`, "", "quota"},
		{"dance", `{}`, "", "not_found"},
	} {
		_, err := e.Extend(t.Context(), "mock", test.extension, []byte(test.input))
		assert.Equal(t, resource.Code(test.code), resource.CodeOf(err), test.input)
		if test.field != "" {
			require.NotEmpty(t, resource.AsError(err).Fields, test.input)
			assert.Equal(t, test.field, resource.AsError(err).Fields[0].Field, test.input)
		}
	}
	_, err = e.Extend(t.Context(), "mock", "dance", nil)
	assert.ErrorContains(t, err, "countAll, echo")
	_, err = e.Extend(t.Context(), "nowhere", "echo", []byte(`{"text":"x"}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestNativeCallsReachTheCloud(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	answer, err := e.Native(t.Context(), "mock", []byte(`{"service":"mock","path":"/vpcs"}`))
	require.NoError(t, err)
	assert.Equal(t, 200, answer.Status)
	assert.Contains(t, answer.Body, e.OnCloud("mock", "vpc")[0].ID)
	answer, err = e.Native(t.Context(), "mock", []byte(`{"service":"mock","method":"DELETE","path":"/vpcs"}`))
	require.NoError(t, err, "what the cloud answers is no error")
	assert.Equal(t, 405, answer.Status)
	assert.NotEmpty(t, answer.Headers)
	for body, field := range map[string]string{
		``: "service", `{"service":"mock","method":"BREW"}`: "method", `{"service":"moon"}`: "service", `{"service":"mock","color":1}`: "color", `[]`: "body",
	} {
		_, err := e.Native(t.Context(), "mock", []byte(body))
		require.Equal(t, resource.CodeInvalid, resource.CodeOf(err), body)
		assert.Equal(t, field, resource.AsError(err).Fields[0].Field, body)
	}
	_, err = e.Native(t.Context(), "nowhere", []byte(`{"service":"mock"}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}
