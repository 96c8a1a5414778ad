package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// trail is the audit trail, the oldest entry first.
func trail(t *testing.T, e *enginetest.Env) []api.AuditEntry {
	t.Helper()
	entries, _, err := e.Trail.List(t.Context(), store.Query{Sort: "id", Limit: 1000})
	require.NoError(t, err)
	return entries
}

func TestTheAuditTrailSaysWhoDidWhat(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		e := enginetest.New(t, enginetest.Options{Store: open()})
		ctx := auth.From(auth.As(t.Context(), "kim"), "192.0.2.7")
		before := len(trail(t, e))
		_, err := e.CreateConnection(ctx, []byte(`{"name":"c","cloud":"mock","region":"mock-seoul"}`), false)
		require.NoError(t, err)
		_, err = e.CreateConnection(ctx, []byte(`{"name":"c","cloud":"mock","region":"mock-seoul"}`), false)
		require.Equal(t, resource.CodeAlreadyExists, resource.CodeOf(err))
		created, err := e.Create(ctx, "c", "vpc", []byte(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`))
		require.NoError(t, err)
		op := created
		assert.Equal(t, "kim", op.By)
		e.Succeeds(op)
		vpc, err := e.Get(ctx, "c", "vpc", "v")
		require.NoError(t, err)
		assert.Equal(t, []string{"kim", "kim"}, []string{vpc.CreatedBy, vpc.UpdatedBy})
		released, err := e.Release(ctx, "c", "vpc", "v")
		require.NoError(t, err)
		_, err = e.Adopt(auth.As(ctx, "lee"), "c", "vpc", []byte(`{"cloudId":"`+vpc.CloudID+`","name":"again"}`))
		require.NoError(t, err)
		op, err = e.Act(ctx, "c", "vpc", "again", "label", []byte(`{"set":{"a":"b"}}`))
		require.NoError(t, err)
		e.Succeeds(op)
		again, err := e.Get(ctx, "c", "vpc", "again")
		require.NoError(t, err)
		assert.Equal(t, []string{"lee", "kim"}, []string{again.CreatedBy, again.UpdatedBy})
		labelled := op
		op, err = e.Delete(ctx, "c", "vpc", "again")
		require.NoError(t, err)
		e.Succeeds(op)
		require.NoError(t, e.DeleteConnection(ctx, "c"))

		type said struct{ who, verb, kind, connection, name, cloudID, operation, outcome string }
		var got []said
		for _, a := range trail(t, e)[before:] {
			got = append(got, said{a.Who, a.Verb, a.Kind, a.Connection, a.Name, a.CloudID, a.Operation, a.Outcome})
			assert.WithinDuration(t, time.Now(), a.At, time.Minute)
			assert.Equal(t, "192.0.2.7", a.Address, a)
		}
		require.Len(t, got, 8)
		adopted := got[4].operation
		assert.NotEmpty(t, adopted)
		assert.Equal(t, []said{
			{"kim", "create", "connection", "", "c", "", "", "ok"},
			{"kim", "create", "connection", "", "c", "", "", "already_exists"},
			{"kim", "create", "vpc", "c", "v", vpc.CloudID, created.ID, "ok"},
			{"kim", "release", "vpc", "c", "v", vpc.CloudID, released.ID, "ok"},
			{"lee", "adopt", "vpc", "c", "again", vpc.CloudID, adopted, "ok"},
			{"kim", "label", "vpc", "c", "again", vpc.CloudID, labelled.ID, "ok"},
			{"kim", "delete", "vpc", "c", "again", vpc.CloudID, op.ID, "ok"},
			{"kim", "delete", "connection", "", "c", "", "", "ok"},
		}, got)
		deleted, _, err := e.Trail.List(ctx, store.Query{Limit: 10, Filters: []store.Filter{{Field: "cloudId", Op: store.FilterEqual, Value: vpc.CloudID}}})
		require.NoError(t, err)
		assert.Len(t, deleted, 5)
	})
}

func TestADeletionThatTheCloudRefusesIsInTheAuditTrail(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	foreignSubnet(t, e, "mock", "v", "10.0.1.0/24")
	op, err := e.Delete(auth.As(t.Context(), "kim"), "mock", "vpc", "v")
	require.NoError(t, err)
	failure := e.Fails(op)
	require.Equal(t, resource.CodeDependency, failure.Code, "the cloud has a subnet in it")
	all := trail(t, e)
	last := all[len(all)-1]
	assert.Equal(t, []string{"kim", "delete", "v", op.ID, "dependency"}, []string{last.Who, last.Verb, last.Name, last.Operation, last.Outcome})
	assert.Contains(t, last.Detail, failure.Message)
}

func TestTheAuditTrailHasCallsOfWhatOnlyOneCloudHas(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	before := len(trail(t, e))
	ctx := auth.As(t.Context(), "kim")
	_, err := e.Extend(ctx, "mock", "echo", []byte(`{"text":"hush-hush"}`))
	require.NoError(t, err)
	_, err = e.Extend(ctx, "mock", "echo", []byte(`{"text":"hush-hush","fail":"quota"}`))
	require.Equal(t, resource.CodeQuota, resource.CodeOf(err))
	_, err = e.Native(ctx, "mock", []byte(`{"service":"mock","path":"/vpcs","query":{"key":["hush-hush"]},"headers":{"x-key":"hush-hush"}}`))
	require.NoError(t, err)
	_, err = e.Native(ctx, "mock", []byte(`{"service":"mock","method":"DELETE","path":"/vpcs","body":"hush-hush"}`))
	require.NoError(t, err)
	_, err = e.Native(ctx, "mock", []byte(`{"service":"moon","body":"hush-hush"}`))
	require.Equal(t, resource.CodeInvalid, resource.CodeOf(err))

	type said struct{ who, verb, kind, connection, name, detail, outcome string }
	var got []said
	for _, a := range trail(t, e)[before:] {
		got = append(got, said{a.Who, a.Verb, a.Kind, a.Connection, a.Name, a.Detail, a.Outcome})
	}
	assert.Equal(t, []said{
		{"kim", "call", "extension", "mock", "echo", "", "ok"},
		{"kim", "call", "extension", "mock", "echo", "", "quota"},
		{"kim", "call", "native", "mock", "mock", "GET /vpcs: 200", "ok"},
		{"kim", "call", "native", "mock", "mock", "DELETE /vpcs: 405", "ok"},
		{"kim", "call", "native", "mock", "moon", "GET /", "invalid"},
	}, got)
}

func TestTheAuditTrailIsForgotten(t *testing.T) {
	db := enginetest.Opened(t)
	e := enginetest.New(t, enginetest.Options{Store: db})
	require.NotEmpty(t, trail(t, e))
	e.Stop()
	later := enginetest.Start(t, enginetest.Options{Store: db, Engine: engine.Config{KeepAudit: time.Nanosecond}})
	require.Eventually(t, func() bool { return len(trail(t, later)) == 0 }, 10*time.Second, 5*time.Millisecond)
}

func TestAForcedDeletionForgetsWhatTheCloudKeeps(t *testing.T) {
	db := enginetest.Opened(t)
	work := t.TempDir()
	e := enginetest.New(t, enginetest.Options{Store: db, Work: work})
	e.Network()
	subnet, err := e.Get(t.Context(), "mock", "subnet", "s")
	require.NoError(t, err)
	_, err = e.ForceDelete(t.Context(), "mock", "vpc", "v")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err), "what is used here stays")
	e.Stop()
	e.Host.Close()

	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("mock", "failCall", "1")))
	later := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Engine: engine.Config{ForceFor: time.Second}})
	_, err = later.Driver(t.Context(), "mock") // its start is no part of what is tried
	require.NoError(t, err)
	op, err := later.ForceDelete(auth.As(t.Context(), "kim"), "mock", "subnet", "s")
	require.NoError(t, err)
	assert.True(t, op.Force)
	ended := later.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State)
	require.Len(t, ended.Warnings, 1)
	assert.Equal(t, resource.WarnLeft, ended.Warnings[0].Rule)
	assert.Contains(t, ended.Warnings[0].Message, subnet.CloudID)
	assert.Greater(t, ended.Attempts, 1, "it was tried")
	_, err = later.Get(t.Context(), "mock", "subnet", "s")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	last := trail(t, later)
	entry := last[len(last)-1]
	assert.Equal(t, "kim", entry.Who)
	assert.Equal(t, subnet.CloudID, entry.CloudID)
	assert.Equal(t, ended.Warnings[0].Message, entry.Detail)
	later.Stop()
	later.Host.Close()

	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("mock", "latency", "0s")))
	well := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Engine: engine.Config{ForceFor: 300 * time.Millisecond}})
	assert.Len(t, well.OnCloud("mock", "subnet"), 1, "it is still there, as was said")
	op, err = well.ForceDelete(t.Context(), "mock", "vpc", "v")
	require.NoError(t, err)
	ended = well.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State)
	assert.Contains(t, ended.Warnings[0].Message, "it may be left there", "the cloud refuses: the subnet uses it")
}

// Whoever follows the operation for several is told what any of them may have left.
func TestWhatPartsWarnOfIsSaidAbove(t *testing.T) {
	db := enginetest.Opened(t)
	work := t.TempDir()
	e := enginetest.New(t, enginetest.Options{Store: db, Work: work})
	e.Network()
	e.Stop()
	e.Host.Close()
	require.NoError(t, db.Update(t.Context(), enginetest.StoreSetting("mock", "failCall", "1")))
	later := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Engine: engine.Config{ForceFor: 300 * time.Millisecond}})
	op, err := later.DeleteTogether(t.Context(), "mock", []inventory.Named{{Kind: "subnet", Name: "s"}, {Kind: "vpc", Name: "v"}}, true)
	require.NoError(t, err)
	ended := later.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State)
	require.Len(t, ended.Warnings, 2)
	assert.Contains(t, ended.Warnings[0].Message, "the subnet s was forgotten here")
	assert.Contains(t, ended.Warnings[1].Message, "the vpc v was forgotten here")
}

func TestAForcedDeletionThatTheCloudDoesIsLikeAnyOther(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Network()
	op, err := e.ForceDelete(t.Context(), "mock", "subnet", "s")
	require.NoError(t, err)
	ended := e.Ends(op)
	assert.Equal(t, api.OperationSucceeded, ended.State)
	assert.Empty(t, ended.Warnings)
	assert.Empty(t, e.OnCloud("mock", "subnet"))
}

func TestWhatPassesElsewhereIsSeenSoon(t *testing.T) {
	db := enginetest.Opened(t)
	e := enginetest.New(t, enginetest.Options{Store: db, Inventory: inventory.Config{SyncEvery: time.Hour, SyncPassing: 100 * time.Millisecond}})
	e.Network()
	vm := e.MustCreate("mock", "vm", "vm1", e.VMSpec())
	require.NoError(t, db.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { // as a look from outside would find it
		row, err := q.ResourceByUID(ctx, vm.UID)
		if err != nil {
			return err
		}
		row.State = resource.StateStopping
		return q.UpdateResource(ctx, row, "")
	}))
	stream, _ := e.Subscribe(0)
	defer stream.Stop()
	require.Eventually(t, func() bool {
		now, err := e.Get(t.Context(), "mock", "vm", "vm1")
		return err == nil && now.State == resource.StateRunning
	}, 15*time.Second, 10*time.Millisecond)
	event := enginetest.NextBatch(t, stream).Events[0]
	require.NotNil(t, event.Resource)
	assert.Equal(t, vm.UID, event.Resource.UID)
}
