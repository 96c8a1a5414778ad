package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
	pgtest "github.com/m-cmp/mc-infra-connector/test/postgres"
)

// Sizes of the load.
const (
	treesOfAccount   = 2
	clientsOfAccount = 2
	killsOfRound     = 50
	clustersOfHalt   = 20 // clusters for each that is cancelled between two parts, at the most
)

// patience is how long work may take to end once nothing disturbs it any more: the
// longest pause between two attempts, a lease that has to run out, and then some.
const patience = 3 * time.Minute

// crash is one run.
type crash struct {
	report
	out      io.Writer
	began    time.Time
	keeper   *keeper
	pg       *pgtest.Server // nil on SQLite
	caller   *caller
	killer   *killer
	ledger   ledger
	accounts []account
	machine  machine
	trees    map[string][]*tree // by connection
	seen     map[string]bool    // entries of the audit trail about releases that adoptReleased is done with
}

// run makes one run and prints what it comes to. The error says why it could not be
// made; what it has found is in the report.
func run(ctx context.Context, o options, out io.Writer) (_ *report, err error) {
	c := &crash{report: report{options: o}, out: out, began: time.Now(), trees: map[string][]*tree{}, seen: map[string]bool{}}
	c.say("seed %d; replay with: go run ./test/crash %s", o.seed, o.replay())
	dir, err := os.MkdirTemp("", "mcic-crash-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil && !c.failed() {
			err = os.RemoveAll(dir)
		}
	}()
	if o.database == postgres {
		if c.pg, err = pgtest.New(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, c.pg.Close(err != nil || c.failed())) }()
	}
	if err := c.prepare(ctx, dir); err != nil {
		return nil, err
	}
	err = errors.Join(c.rounds(ctx), c.end(ctx))
	if err != nil || c.failed() {
		c.folders = append(c.folders, dir)
		if c.pg != nil {
			c.folders = append(c.folders, c.pg.Dir)
		}
	}
	c.total = time.Since(c.began)
	c.print(out)
	return &c.report, err
}

func (c *crash) say(format string, args ...any) {
	fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// prepare builds the programs, starts the server and registers the clouds.
func (c *crash) prepare(ctx context.Context, dir string) (err error) {
	var args []string
	if c.pg != nil {
		args = []string{"--database-url", c.pg.URL}
	}
	if c.keeper, err = newKeeper(dir, args...); err != nil {
		return err
	}
	if err := mcic.Build(ctx, c.keeper.bin, "github.com/m-cmp/mc-infra-connector/cmd/mcic"); err != nil {
		return err
	}
	c.caller = newCaller(c.keeper.current)
	c.killer = &killer{keeper: c.keeper, database: c.pg, r: generator(c.seed, "killer", 0)}
	c.accounts = accounts(c.seed)
	for _, a := range c.accounts {
		c.say("connection %-7s %v", a.name, a.settings)
		for n := range treesOfAccount {
			t := newTree(a.name, n)
			if c.clusters > 0 {
				t.clusters = onlyClusters
			}
			c.trees[a.name] = append(c.trees[a.name], t)
		}
	}
	if err := c.keeper.start(ctx); err != nil {
		return err
	}
	if c.machine, err = c.caller.register(ctx, c.accounts); err != nil {
		return errors.Join(err, c.keeper.kill())
	}
	return nil
}

// rounds loads and compares until enough was killed and changed, or something was
// found. A round ends with nothing going on, so that what a kill has left behind
// cannot be set right by a kill of a later round.
func (c *crash) rounds(ctx context.Context) error {
	n := max(1, (c.options.kills+killsOfRound-1)/killsOfRound)
	for i := range n {
		if c.enough() {
			break
		}
		goal := options{kills: c.options.kills * (i + 1) / n, changes: c.changes * (i + 1) / n, clusters: c.clusters * (i + 1) / n}
		if err := c.round(ctx, i, goal); err != nil || c.failed() {
			return err
		}
	}
	return c.tearDown(ctx)
}

// enough reports whether the time for the load is over.
func (c *crash) enough() bool { return c.duration > 0 && c.load >= c.duration }

// round loads and kills until so much was reached, waits for all work to end, and
// compares.
func (c *crash) round(ctx context.Context, n int, goal options) error {
	c.report.rounds++
	if err := c.keeper.start(ctx); err != nil {
		return err
	}
	if err := c.disturb(ctx, n, goal); err != nil {
		return err
	}
	made, halted := c.ledger.madeClusters()
	c.say("round %d: %d kills, %d changes accepted, %d of them new clusters, %d cancelled between two parts; waiting for the work to end",
		n+1, c.killer.done.processes(), c.ledger.changes(), made, halted)
	if err := c.settle(ctx); err != nil {
		return err
	}
	return c.compare(ctx)
}

// disturb runs clients and the killer until both have done their part.
func (c *crash) disturb(ctx context.Context, n int, goal options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drawn := ctx
	if c.duration > 0 {
		var cancel context.CancelFunc
		drawn, cancel = context.WithTimeout(ctx, c.duration-c.load)
		defer cancel()
	}
	began := time.Now()
	defer func() { c.load += time.Since(began) }()
	var clients sync.WaitGroup
	for i, a := range c.accounts {
		for j := range clientsOfAccount {
			one := &client{
				caller: c.caller, ledger: &c.ledger, machine: c.machine, trees: c.trees[a.name],
				r: generator(c.seed, fmt.Sprint("client", n), i*clientsOfAccount+j),
			}
			clients.Go(func() { one.run(ctx) })
		}
	}
	defer clients.Wait()
	defer stop()
	err := c.killer.run(drawn, func() bool {
		made, halted := c.ledger.madeClusters()
		return c.killer.done.processes() >= goal.kills && c.ledger.changes() >= goal.changes && made >= goal.clusters && halted >= goal.clusters/clustersOfHalt
	})
	if err != nil {
		return err
	}
	return c.killer.complete(ctx)
}

// settle waits until nothing goes on, has what was released adopted and what failed
// deleted, and waits again.
// What does not end is for compare to find.
func (c *crash) settle(ctx context.Context) error {
	if err := c.quiet(ctx); err != nil {
		return err
	}
	if err := c.adoptReleased(ctx); err != nil {
		return err
	}
	if err := c.checkFailures(ctx); err != nil {
		return err
	}
	return c.deleteAll(ctx, "state="+string(resource.StateFailed))
}

// checkFailures finds VMs and clusters whose creation failed and was to leave nothing, and
// that nobody has tried to delete.
func (c *crash) checkFailures(ctx context.Context) error {
	var failed []resource.Resource
	for _, kind := range []string{resource.VM.Name, resource.Cluster.Name} {
		some, err := list[resource.Resource](ctx, c.caller, "/v1/"+kind+"s", "state="+string(resource.StateFailed))
		if err != nil {
			return err
		}
		failed = append(failed, some...)
	}
	for _, one := range failed {
		operations, err := list[api.Operation](ctx, c.caller, "/v1/operations", "uid="+one.UID)
		if err != nil {
			return err
		}
		doomed, tried := false, false
		for _, op := range operations {
			doomed = doomed || op.Verb == verbCreate && op.State == api.OperationFailed && op.OnFailure == resource.OnFailureDelete
			tried = tried || op.Verb == verbDelete
		}
		if doomed && !tried {
			return fmt.Errorf("the %s %s of %s (uid %s) was to be deleted when its creation failed, and nobody has tried", one.Kind, one.Name, one.Connection, one.UID)
		}
	}
	return nil
}

// adoptReleased adopts what was released, unless somebody has adopted it again or it
// is gone. What cannot be adopted is for compare to find.
func (c *crash) adoptReleased(ctx context.Context) error {
	entries, err := list[api.AuditEntry](ctx, c.caller, "/v1/audit", "verb="+verbRelease)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, entry := range entries {
		for !c.seen[entry.ID] && time.Since(began) < patience {
			got, err := c.caller.insist(ctx, http.MethodPost, kindPath(entry.Connection, entry.Kind)+":adopt", fmt.Sprintf(`{"cloudId":%q}`, entry.CloudID))
			if err != nil {
				return err
			}
			c.seen[entry.ID] = got.accepted || got.code == resource.CodeAlreadyExists || got.code == resource.CodeNotFound
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// quiet waits until no operation goes on, or patience ends.
func (c *crash) quiet(ctx context.Context) error {
	began := time.Now()
	for {
		busy := 0
		for _, state := range []api.OperationState{api.OperationQueued, api.OperationRunning} {
			operations, err := list[api.Operation](ctx, c.caller, "/v1/operations", "state="+string(state))
			if err != nil {
				return err
			}
			busy += len(operations)
		}
		if busy == 0 || time.Since(began) > patience {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// deleteAll deletes what fits a filter, users before what they use. What cannot be
// deleted is for compare to find.
func (c *crash) deleteAll(ctx context.Context, filters ...string) error {
	for _, kind := range usersFirst() {
		began := time.Now()
		for {
			items, err := list[resource.Resource](ctx, c.caller, "/v1/"+kind+"s", filters...)
			if err != nil {
				return err
			}
			if len(items) == 0 || time.Since(began) > patience {
				break
			}
			for _, item := range items {
				if item.Operation == "" {
					ask := change{target: target{kind, item.Name}, verb: verbDelete}
					c.ledger.note(item.Connection, ask, c.caller.request(ctx, http.MethodDelete, kindPath(item.Connection, kind)+"/"+item.Name, ""))
				}
			}
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
		if err := c.quiet(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open opens the database, which the server must not use.
func (c *crash) open(ctx context.Context) (*store.Store, error) {
	if c.pg != nil {
		return store.OpenPostgres(ctx, c.pg.URL)
	}
	return store.OpenSQLite(ctx, c.keeper.data)
}

// compare stops the server, as only one process may play the clouds, and compares.
func (c *crash) compare(ctx context.Context) error {
	if err := c.keeper.stop(); err != nil {
		return err
	}
	var err error
	if c.records, err = read(ctx, c.open, c.ledger.uids()); err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	objects, err := onClouds(ctx, host.Config{
		BuiltIn: map[string][]string{"mock": {filepath.Join(c.keeper.bin, "mcic"), "driver-mock"}},
		WorkDir: filepath.Join(c.keeper.data, "work"),
	}, c.accounts)
	if err != nil {
		return fmt.Errorf("ask the clouds: %w", err)
	}
	found := compare(c.records, objects, c.ledger.accepted)
	c.findings = append(c.findings, found...)
	c.say("compared %d records, %d of them live, with %d objects on the clouds: %d findings", len(c.records.resources), len(c.records.live()), len(objects), len(found))
	return nil
}

// tearDown deletes everything and looks whether the clouds are empty.
func (c *crash) tearDown(ctx context.Context) error {
	if err := c.keeper.start(ctx); err != nil {
		return err
	}
	if err := c.deleteAll(ctx); err != nil {
		return err
	}
	if err := c.compare(ctx); err != nil {
		return err
	}
	for _, row := range c.records.live() {
		c.findings.add(checkStuck, "%s could not be deleted at the end", shown(row))
	}
	return nil
}

// end leaves nothing running and takes down what happened on the way.
func (c *crash) end(ctx context.Context) error {
	err := c.keeper.kill()
	c.kills, c.lost = c.killer.done, c.ledger.lost
	c.cancels, c.retries = c.ledger.cancels, c.ledger.retries
	for _, text := range c.keeper.deaths {
		c.findings.add(checkDeath, "%s", text)
	}
	for _, text := range c.ledger.unexpected {
		c.findings.add(checkAnswer, "%s", text)
	}
	left, listErr := c.keeper.leftovers(context.WithoutCancel(ctx))
	for _, text := range left {
		c.findings.add(checkLeft, "%s", text)
	}
	if ctx.Err() != nil { // what was found may come from the interruption
		c.say("interrupted; everything is kept in %s", filepath.Dir(c.keeper.data))
	}
	return errors.Join(err, listErr)
}
