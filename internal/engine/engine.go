// Package engine carries resources through their life.
//
// A request becomes rows, in one transaction: the resource and an operation.
// Workers then take one step after the other towards what the operation wants,
// each derived from the rows alone, so that a restart is nothing special. step.go
// draws the state machine; call.go asks the cloud, together.go for several at once, look.go judges what it shows, end.go
// writes what came of it.
package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Config is what an engine needs. Times may be left out.
type Config struct {
	Store     *store.Store
	Host      *host.Host
	Sealer    *secret.Sealer
	Registry  *registry.Registry
	Inventory *inventory.Inventory
	Once      *once.Requests
	Events    *events.Bus
	Logger    *slog.Logger

	Workers     int           // steps that run at once for one connection
	Lease       time.Duration // how long a server that is gone blocks its work
	PollFirst   time.Duration // first interval of asking the cloud whether something has settled
	PollMax     time.Duration // longest interval
	RetryFirst  time.Duration // first wait after a failure that may pass
	RetryMax    time.Duration // longest wait
	RetryFor    time.Duration // how long the cloud is asked again to accept
	SettleFor   time.Duration // how long a change may take after the cloud has accepted it
	VanishedFor time.Duration // how long an accepted creation may be missing in the cloud
	KeepFor     time.Duration // how long operations that have ended and tombstones are kept
	KeepAudit   time.Duration // how long the audit trail is kept
	ForceFor    time.Duration // how long a forced deletion is tried on the cloud
	LookFor     time.Duration // how long what an unclear creation may have made is looked for before it counts as not made
	DrainFor    time.Duration // how long steps that are under way may take when the engine is to end
	OnOperation func(o *api.Operation)
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&c.Lease, 20*time.Second)
	set(&c.PollFirst, 500*time.Millisecond)
	set(&c.PollMax, 5*time.Second)
	set(&c.RetryFirst, 500*time.Millisecond)
	set(&c.RetryMax, 30*time.Second)
	set(&c.RetryFor, 15*time.Minute)
	set(&c.SettleFor, 30*time.Minute)
	set(&c.VanishedFor, time.Minute)
	set(&c.KeepFor, 30*24*time.Hour)
	set(&c.KeepAudit, 365*24*time.Hour)
	set(&c.ForceFor, 15*time.Second)
	set(&c.LookFor, 20*time.Second)
	set(&c.DrainFor, 10*time.Second)
	if c.Workers == 0 {
		c.Workers = 16
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnOperation == nil {
		c.OnOperation = func(*api.Operation) {}
	}
	return c
}

// Engine carries resources through their life. It is safe for concurrent use.
type Engine struct {
	config Config
	store  *store.Store
	host   *host.Host
	sealer *secret.Sealer
	logger *slog.Logger
	id     string // of this run of this server, as owner of leases

	registry  *registry.Registry
	inventory *inventory.Inventory
	once      *once.Requests
	events    *events.Bus
	settler   *settler

	asked sync.Map // uids of resources for which the cloud was asked and the outcome is not recorded

	mu    sync.Mutex
	lanes map[string]*lane // by connection
	run   context.Context  //nolint:containedctx // while it lasts steps begin; set by Run
	calls context.Context  //nolint:containedctx // while it lasts steps go on; set by Run
	group sync.WaitGroup   // workers, watches of the settler and loops: one group, since workers begin watches
}

// New returns an engine. It answers requests at once and works on operations
// while Run runs.
func New(c Config) *Engine {
	c = c.withDefaults()
	e := &Engine{
		config: c, store: c.Store, host: c.Host, sealer: c.Sealer, logger: c.Logger,
		id: uuid.NewString(), registry: c.Registry, inventory: c.Inventory, once: c.Once, events: c.Events, lanes: map[string]*lane{},
	}
	e.settler = newSettler(e)
	return e
}

// Run works on operations until ctx ends. It then begins no further step, gives
// those that are under way a while to end, and leaves the rest to the next run, or
// to another server at once.
func (e *Engine) Run(ctx context.Context) error {
	if !e.store.Shared() { // nobody else can hold one
		if err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.DropLeases(ctx, "") }); err != nil {
			return err
		}
	}
	ctx = host.Background(ctx) // people go first
	calls, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()
	e.mu.Lock()
	e.run, e.calls = ctx, calls
	for _, l := range e.lanes {
		e.startWorkers(l)
	}
	e.mu.Unlock()
	e.group.Go(func() { e.events.Run(ctx, e.heard) })
	e.group.Go(func() { e.tidyLoop(ctx) })

	tick := time.NewTicker(e.config.Lease / 4)
	defer tick.Stop()
	for n := 0; ; n++ {
		if err := e.takeWork(ctx, n%resyncEvery == 0); err != nil && ctx.Err() == nil {
			e.logger.Error("cannot look for unfinished operations; tried again soon", "error", err)
		}
		select {
		case <-ctx.Done():
			return e.drain(endCalls)
		case <-tick.C:
		}
	}
}

// heard wakes a worker if another server has changed what this one works on.
func (e *Engine) heard(row *store.Resource) {
	if row.LeaseOwner == e.id && row.Operation != "" {
		e.enqueue(row.Connection, row.UID)
	}
}

// tidyEvery is how often records that are old enough are removed.
const tidyEvery = time.Hour

// tidyLoop removes what has been kept long enough, and has everything found by
// searches and addresses, whichever version wrote it.
func (e *Engine) tidyLoop(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := e.tidy(ctx); err != nil && ctx.Err() == nil {
			e.logger.Error("cannot tidy the records; tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) tidy(ctx context.Context) error {
	if ahead := e.store.Ahead(); ahead.Abs() > clocksDiffer {
		e.logger.Warn("the clock of this server is not that of the database, by which work is timed; set both (NTP)", "ahead", ahead.Round(time.Second))
	}
	held, err := e.store.Forget(ctx, store.Keep{Ended: e.config.KeepFor, Audit: e.config.KeepAudit}, e.store.Now())
	if held > 0 {
		e.logger.Warn("no record is removed for its age: more than a day lay between two looks through the records, by the clocks of the servers; if no server ran for so long all is well, otherwise set the clocks", "for", held.Round(time.Minute))
	}
	for _, fill := range []func(*store.Queries, context.Context) (bool, error){(*store.Queries).FillSearch, (*store.Queries).FillAddresses, (*store.Queries).FillDocuments} {
		for more := err == nil; more && err == nil; {
			err = e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
				more, err = fill(q, ctx)
				return err
			})
		}
	}
	return err
}

// clocksDiffer is by how much clocks may differ without a word.
const clocksDiffer = 10 * time.Second

// now is the time by which work goes on, the same on all servers.
func (e *Engine) now() store.Micros { return store.MicrosOf(e.store.Now()) }

func (e *Engine) since(at store.Micros) time.Duration { return e.store.Now().Sub(at.Time()) }

// resyncEvery is in how many rounds everything that this server works on is looked
// at again, whether or not something has happened: a wake-up that was lost then
// costs time and nothing else.
const resyncEvery = 6

// takeWork renews the leases of this server and takes over what nobody works on.
func (e *Engine) takeWork(ctx context.Context, resync bool) error {
	if err := e.store.ReadClock(ctx); err != nil {
		return err
	}
	for {
		var mine, taken []store.Resource
		err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
			now := e.store.Now()
			until := store.MicrosOf(now.Add(e.config.Lease))
			if mine, err = q.RenewLeases(ctx, e.id, until); err != nil {
				return err
			}
			if err := q.PutBack(ctx, store.MicrosOf(now), until-store.MicrosOf(now)); err != nil {
				return err
			}
			taken, err = q.TakeLeases(ctx, e.id, store.MicrosOf(now), until, takeBatch)
			return err
		})
		if err != nil {
			return err
		}
		full := len(taken) == takeBatch
		if resync {
			taken = append(taken, mine...)
		}
		for _, r := range taken {
			e.enqueue(r.Connection, r.UID)
		}
		if !full {
			return nil
		}
	}
}

const takeBatch = 500

// drain ends the work of this run.
func (e *Engine) drain(endCalls context.CancelFunc) error {
	overdue := time.AfterFunc(e.config.DrainFor, endCalls)
	defer overdue.Stop()
	e.stopWorkers()
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	return e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.DropLeases(ctx, e.id) })
}

// releaseTimeout bounds the last write of a run. Without it the leases run out by
// themselves.
const releaseTimeout = 5 * time.Second

func (e *Engine) lane(connection string) *lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[connection]
	if l == nil {
		l = newLane(connection)
		e.lanes[connection] = l
		if e.run != nil {
			e.startWorkers(l)
		}
	}
	return l
}

// enqueue has a worker look at a resource. Asking twice is asking once.
func (e *Engine) enqueue(connection, uid string) { e.lane(connection).add(uid) }

func (e *Engine) enqueueAfter(connection, uid string, d time.Duration) {
	e.lane(connection).addAfter(uid, d)
}

// startWorkers starts the workers of a lane. e.mu is held.
func (e *Engine) startWorkers(l *lane) {
	if e.run.Err() != nil {
		l.shutDown()
		return
	}
	for range e.config.Workers {
		e.group.Go(func() {
			for {
				uid, ok := l.get()
				if !ok {
					return
				}
				if e.run.Err() == nil {
					e.step(e.calls, l.connection, uid)
				}
				l.done(uid)
			}
		})
	}
}

func (e *Engine) stopWorkers() {
	e.mu.Lock()
	for _, l := range e.lanes {
		l.shutDown()
	}
	e.mu.Unlock()
	e.group.Wait()
}

// Healthy reports whether the engine can do its work.
func (e *Engine) Healthy(ctx context.Context) error { return e.store.Ping(ctx) }

// QueueDepth is the number of resources that wait for a worker.
func (e *Engine) QueueDepth() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	depth := 0
	for _, l := range e.lanes {
		depth += l.len()
	}
	return depth
}
