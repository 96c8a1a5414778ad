// Package inventory compares what the clouds show with what is recorded here: it reads the
// records, has them say what the clouds show, brings objects under management and lets them
// go. It asks clouds and changes nothing there.
//
// sight.go is what a cloud shows of a resource, record.go how a record takes that over,
// which the engine does, too; strangers.go what on a cloud uses something of ours.
package inventory

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Config is what an inventory needs. Times may be left out.
type Config struct {
	Store    *store.Store
	Registry *registry.Registry
	Events   *events.Bus
	Logger   *slog.Logger

	SyncEvery   time.Duration // how often the clouds are asked what changed without this server
	SyncPassing time.Duration // how often, of kinds of which something is in a passing state without an operation of ours
	FreshFor    time.Duration // how long clouds may take to answer when a list is to be fresh
	OnOperation func(o *api.Operation)
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.SyncEvery, 5*time.Minute)
	set(&c.SyncPassing, 30*time.Second)
	set(&c.FreshFor, 15*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnOperation == nil {
		c.OnOperation = func(*api.Operation) {}
	}
	return c
}

// Inventory compares clouds with records. It is safe for concurrent use.
type Inventory struct {
	config   Config
	store    *store.Store
	registry *registry.Registry
	events   *events.Bus
	logger   *slog.Logger

	looks     *looks
	snapshots *snapshots
	group     sync.WaitGroup // looks that the loops began
}

// key is a kind in a connection.
type key struct{ connection, kind string }

// New returns an inventory. It answers at once, and looks at the clouds by itself while Run
// runs.
func New(c Config) *Inventory {
	c = c.withDefaults()
	inv := &Inventory{
		config: c, store: c.Store, registry: c.Registry, events: c.Events, logger: c.Logger,
		looks: newLooks(), snapshots: newSnapshots(),
	}
	inv.events.Watch(inv.snapshots.drop, inv.snapshots.dropAll)
	inv.registry.WatchForgotten(inv.looks.forget)
	return inv
}

// Run notices what changes on the clouds without this server, until ctx ends and the looks
// that it began are over.
func (inv *Inventory) Run(ctx context.Context) {
	ctx = host.Background(ctx) // people go first
	inv.group.Go(func() { inv.syncLoop(ctx) })
	inv.group.Go(func() { inv.syncPassingLoop(ctx) })
	inv.group.Wait()
}
