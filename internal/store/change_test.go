package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What an operation does is read as it was written, by each sort of change.
func TestAChangeIsReadAsItWasWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		row := vm(1)
		for _, change := range []store.Change{
			store.Creation{},
			store.Creation{OnFailure: resource.OnFailureDelete},
			store.Deletion{},
			store.Deletion{Force: true},
			store.Adoption{},
			store.Release{},
			store.Action{Name: "stop"},
			store.Action{Name: "resize", Params: json.RawMessage(`{"spec": "large"}`)},
		} {
			op := s.NewOperation(t.Context(), change, row)
			op.EndedAt = store.MicrosOf(time.Now())
			require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertOperation(ctx, op) }))
			read, err := s.Read().Operation(t.Context(), op.ID)
			require.NoError(t, err)
			assert.Equal(t, change.Verb(), read.Verb)
			want, got := change, read.Change
			if action, is := change.(store.Action); is {
				read, same := got.(store.Action)
				require.True(t, same)
				assert.Equal(t, action.Params == nil, read.Params == nil)
				assert.True(t, action.Params == nil || store.SameJSON(action.Params, read.Params))
				want, got = store.Action{Name: action.Name}, store.Action{Name: read.Name}
			}
			assert.Equal(t, want, got)
			assert.True(t, read.SameChange(op))
		}
	})
}

// What a version before had noted with the parameters is a warning.
func TestWhatAForcedDeletionLeftIsCarriedOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		require.NoError(t, s.Before(t.Context(), 32))
		insert := `INSERT INTO operations (id, verb, kind, connection, name, uid, params, state, attempts, steps, parent, total, ended, failed, cancel, created_at, asked_at, accepted_at, ended_at, warnings) VALUES `
		rest := `'succeeded', 0, '[]', '', 0, 0, 0, '', 1, 1, 1, 2, `
		for _, values := range []string{
			`('alone', 'delete', 'vm', 'c', 'n', 'a', '{"force":true,"left":"it is there"}', ` + rest + `NULL)`,
			`('also', 'delete', 'vm', 'c', 'n', 'b', '{"left":"it''s there","force":true}', ` + rest + `'[{"message":"first"}]')`,
			`('none', 'delete', 'vm', 'c', 'n', 'c', '{"force":true}', ` + rest + `'null')`,
			`('plain', 'delete', 'vm', 'c', 'n', 'd', 'null', ` + rest + `'null')`,
			`('other', 'tag', 'vm', 'c', 'n', 'e', '{"left":"x"}', ` + rest + `'null')`,
		} {
			require.NoError(t, s.Exec(t.Context(), insert+values))
		}
		require.NoError(t, s.Migrate(t.Context()))
		left := func(text string) resource.Warning { return resource.Warning{Rule: resource.WarnLeft, Message: text} }
		for id, want := range map[string]*store.Operation{
			"alone": {Change: store.Deletion{Force: true}, Warnings: []resource.Warning{left("it is there")}},
			"also":  {Change: store.Deletion{Force: true}, Warnings: []resource.Warning{{Message: "first"}, left("it's there")}},
			"none":  {Change: store.Deletion{Force: true}},
			"plain": {Change: store.Deletion{}},
		} {
			op, err := s.Read().Operation(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, want.Change, op.Change, id)
			assert.Equal(t, want.Warnings, op.Warnings, id)
			if op.Force() {
				assert.JSONEq(t, `{"force":true}`, string(op.Params), id)
			}
		}
		op, err := s.Read().Operation(t.Context(), "other")
		require.NoError(t, err)
		assert.JSONEq(t, `{"left":"x"}`, string(op.Params), "an action's parameters are its own")
	})
}
