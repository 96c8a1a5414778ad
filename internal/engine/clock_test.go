package engine_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Work that a server has left whose clock was ahead by a year goes on, and ends, by the
// clock that is right.
func TestWorkOfAClockThatWasAheadGoesOn(t *testing.T) {
	dir := t.TempDir()
	db, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	work := filepath.Join(dir, "work")
	before := enginetest.New(t, enginetest.Options{Store: db, Work: work})
	changed := before.MustCreate("mock", "vpc", "changed", `{"cidr":"10.1.0.0/16"}`)
	reconnect(t, before, func(c *store.Connection) { c.Settings = map[string]string{"latency": "1h"} })
	never, err := before.Ask("mock", "vpc", "never", `{"cidr":"10.0.0.0/16"}`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		op, err := before.Operation(t.Context(), never.ID)
		return err == nil && op.State == api.OperationRunning
	}, 10*time.Second, time.Millisecond)
	before.Stop()
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(dir, store.SQLiteFile)+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	for table, columns := range map[string][]string{
		"operations":  {"created_at", "asked_at", "accepted_at"},
		"resources":   {"synced_at", "lease_until"},
		"connections": {"synced_at"},
	} {
		for _, column := range columns {
			_, err := raw.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET %s = ?", table, column), store.MicrosOf(time.Now().AddDate(1, 0, 0)))
			require.NoError(t, err)
		}
	}
	_, err = raw.ExecContext(t.Context(), "UPDATE resources SET lease_owner = 'before' WHERE operation <> ''")
	require.NoError(t, err)
	require.NoError(t, raw.Close())

	after := enginetest.Start(t, enginetest.Options{Store: db, Work: work, Engine: engine.Config{SettleFor: 2 * time.Second}, Inventory: inventory.Config{SyncEvery: 200 * time.Millisecond}})
	e := after.Fails(never)
	assert.Equal(t, resource.CodeUnavailable, e.Code, "%s", e.Message)
	op, err := after.Operation(t.Context(), never.ID)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), op.CreatedAt, time.Minute)
	require.Eventually(t, func() bool {
		now, err := after.Get(t.Context(), "mock", "vpc", "changed")
		return err == nil && now.SyncedAt != nil && now.SyncedAt.Before(changed.CreatedAt.AddDate(0, 6, 0))
	}, 20*time.Second, 20*time.Millisecond, "the cloud is looked at")
}
