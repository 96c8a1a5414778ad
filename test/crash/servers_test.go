package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// longestTakeover is how long the work of a server that was killed may lie.
const longestTakeover = 30 * time.Second

// calm is the connection without troubles, beside those of the load.
const calm = "calm"

// TestServers runs three servers on one database and one cloud, under load, and
// kills each in turn.
func TestServers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel() // most of the time is spent waiting
	f := newFleet(t)
	ctx := t.Context()
	loaded, endLoad := context.WithCancel(ctx)
	defer endLoad()
	var clients sync.WaitGroup
	defer clients.Wait()
	for i, a := range f.accounts {
		if a.name != calm {
			c := &client{
				caller: f.caller, ledger: &f.ledger, machine: f.machine, trees: []*tree{newTree(a.name, 0)},
				r: generator(f.seed, "client", i),
			}
			clients.Go(func() { c.run(loaded) })
		}
	}
	f.takenOver(t, f.killOne(t, 0), f.killOne(t, 1)) // nobody but the third is left
	f.takenOver(t, f.killOne(t, 2))
	f.createTwice(t)
	endLoad()
	clients.Wait()

	require.NoError(t, f.settle(ctx))
	for _, k := range f.keepers {
		require.NoError(t, k.stop())
		assert.Empty(t, k.deaths)
	}
	found, err := read(ctx, func(ctx context.Context) (*store.Store, error) { return store.OpenPostgres(ctx, f.url) }, f.ledger.uids())
	require.NoError(t, err)
	objects, err := onClouds(ctx, host.Config{Override: []string{f.shared}, WorkDir: t.TempDir()}, f.accounts)
	require.NoError(t, err)
	assert.Empty(t, compare(found, objects, f.ledger.accepted))
	assert.Empty(t, f.ledger.unexpected)
	t.Logf("%d changes accepted, %d requests without an answer; %d records, %d of them live, and %d objects on the clouds",
		f.ledger.changes(), f.ledger.lost, len(found.resources), len(found.live()), len(objects))
	assert.NotEmpty(t, objects)
}

// fleet is several servers on one database and one cloud.
type fleet struct {
	crash
	url     string       // of the database
	store   *store.Store // to look past the servers
	shared  string       // folder of the driver that leads to the cloud
	keepers []*keeper
	turn    atomic.Int64
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{url: storetest.Postgres(t)}
	f.seed, f.seen = newSeed(), map[string]bool{}
	dir, err := os.MkdirTemp("", "mcic-servers-") //nolint:usetesting // it is kept if the test fails
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("everything is kept in %s", dir)
			return
		}
		assert.NoError(t, os.RemoveAll(dir))
	})
	bin := filepath.Join(dir, "bin")
	f.shared = filepath.Join(bin, "shared")
	require.NoError(t, mcic.Build(t.Context(), bin, "github.com/m-cmp/mc-infra-connector/cmd/mcic"))
	require.NoError(t, mcic.Build(t.Context(), f.shared, "github.com/m-cmp/mc-infra-connector/test/relay"))
	require.NoError(t, os.Rename(filepath.Join(f.shared, "relay"), filepath.Join(f.shared, host.Prefix+"mock")))
	startCloud(t, bin, f.shared)

	f.accounts = []account{{calm, map[string]string{"latency": "2s"}}}
	for _, a := range accounts(f.seed) {
		delete(a.settings, "crashCreate") // it would be the end of the cloud, not of a driver
		if a.name != "crashy" {
			f.accounts = append(f.accounts, a)
		}
	}
	f.caller = newCaller(f.anyone)
	for i := range 3 {
		k := &keeper{
			bin: bin, data: filepath.Join(dir, fmt.Sprint("data", i)), logs: filepath.Join(dir, fmt.Sprint("logs", i)),
			args: []string{"--database-url", f.url, "--driver-dir", f.shared, "--log-level", "debug"},
		}
		require.NoError(t, os.MkdirAll(k.logs, 0o700))
		if i > 0 { // all need the same token and master key
			require.NoError(t, os.MkdirAll(k.data, 0o700))
			for _, name := range []string{"token", "master.key"} {
				raw, err := os.ReadFile(filepath.Join(f.keepers[0].data, name))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(k.data, name), raw, 0o600))
			}
		}
		require.NoError(t, k.start(t.Context()))
		t.Cleanup(func() { assert.NoError(t, k.kill()) })
		f.keepers = append(f.keepers, k)
	}
	f.store, err = store.OpenPostgres(t.Context(), f.url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.store.Close()) })
	f.machine, err = f.caller.register(t.Context(), f.accounts)
	require.NoError(t, err)
	return f
}

// startCloud starts the Mock cloud in a process of its own, with its socket in a folder.
func startCloud(t *testing.T, bin, dir string) {
	t.Helper()
	handshake := driver.Handshake()
	cmd := exec.Command(filepath.Join(bin, "mcic"), "driver-mock") //nolint:noctx // it outlives the test's context
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = []string{handshake.MagicCookieKey + "=" + handshake.MagicCookieValue, driver.EnvSocketDir + "=" + dir, driver.EnvExitWithStdin + "=1", driver.EnvLogLevel + "=error"}
	stdin, err := cmd.StdinPipe() // its end is the end of the process
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		assert.NoError(t, cmd.Wait())
	})
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	parts := strings.Split(line, "|")
	require.Greater(t, len(parts), 3, line)
	require.NoError(t, os.Rename(parts[3], filepath.Join(dir, "cloud.sock")))
}

// anyone is one of the servers that run, another one each time.
func (f *fleet) anyone() *mcic.Server {
	for range f.keepers {
		if k := f.keepers[int(f.turn.Add(1))%len(f.keepers)]; k.isRunning() {
			return k.current()
		}
	}
	return f.keepers[0].current()
}

// create asks a server for a VPC on the calm connection.
func (f *fleet) create(ctx context.Context, s *mcic.Server, name string) answer {
	ask := create(target{resource.VPC.Name, name}, `{"cidr":"10.0.0.0/16"}`)
	method, path := ask.request(calm)
	got := f.caller.requestOf(ctx, s, method, path, ask.body)
	f.ledger.note(calm, ask, got)
	return got
}

// left is what a server that was killed was working on.
type left struct {
	keeper    *keeper
	vpc       string
	operation string
	owner     string // of the lease
	at        time.Time
}

// killOne kills a server that is at work and watched. Those who watch must be told
// by the next server that they have missed something.
func (f *fleet) killOne(t *testing.T, i int) left {
	t.Helper()
	ctx := t.Context()
	victim, other := f.keepers[i], f.keepers[(i+1)%len(f.keepers)]
	before := watch(t, victim.current(), "")
	require.Equal(t, "ping", before.next(t).event)
	l := left{keeper: victim, vpc: fmt.Sprint("work-", i)}
	work := f.create(ctx, victim.current(), l.vpc)
	require.True(t, work.accepted, work.detail)
	last := before.until(t, work.operation)
	require.NotEmpty(t, last.id)

	l.at, l.operation = time.Now(), work.operation
	require.NoError(t, victim.kill())
	before.untilEnd(t)
	require.False(t, f.operation(t, work.operation).State.Ended(), "it had ended before the server was killed, which shows nothing")
	l.owner = f.owner(t, l.vpc)
	require.NotEmpty(t, l.owner)

	missed := f.create(ctx, other.current(), fmt.Sprint("missed-", i))
	require.True(t, missed.accepted, missed.detail)
	after := watch(t, other.current(), last.id)
	require.Equal(t, "reset", after.next(t).event, "the ids of another server's events mean nothing here")
	for _, name := range []string{l.vpc, fmt.Sprint("missed-", i)} {
		got := f.caller.requestOf(ctx, other.current(), http.MethodGet, kindPath(calm, resource.VPC.Name)+"/"+name, "")
		require.True(t, got.accepted, "who reads anew sees all: %s", got.detail)
	}
	after.stop()
	return l
}

// takenOver waits until other servers have taken over what was left and done it, and
// starts those that were killed again.
func (f *fleet) takenOver(t *testing.T, all ...left) {
	t.Helper()
	for waiting := slices.Clone(all); len(waiting) > 0; {
		require.NoError(t, pause(t.Context(), 100*time.Millisecond))
		waiting = slices.DeleteFunc(waiting, func(l left) bool {
			took := time.Since(l.at)
			require.Less(t, took, longestTakeover, "nobody has taken over %s", l.vpc)
			if f.owner(t, l.vpc) == l.owner {
				return false
			}
			t.Logf("%s was taken over %s after its server was killed", l.vpc, took.Round(100*time.Millisecond))
			return true
		})
	}
	for _, l := range all {
		op := f.operation(t, l.operation)
		for ; !op.State.Ended(); op = f.operation(t, l.operation) {
			require.Less(t, time.Since(l.at), patience, "%s was taken over, and does not end", l.vpc)
			require.NoError(t, pause(t.Context(), 100*time.Millisecond))
		}
		require.Equal(t, api.OperationSucceeded, op.State, "%v", op.Error)
		require.NoError(t, l.keeper.start(t.Context()))
	}
}

// owner is the server that works on a VPC of the calm connection, "" for none.
func (f *fleet) owner(t *testing.T, vpc string) string {
	t.Helper()
	row, err := f.store.Read().Resource(t.Context(), calm, resource.VPC.Name, vpc)
	require.NoError(t, err)
	return row.LeaseOwner
}

// createTwice asks two servers for the same name at the same moment, again and again.
func (f *fleet) createTwice(t *testing.T) {
	t.Helper()
	for round := range 20 {
		var (
			answers [2]answer
			ready   sync.WaitGroup
			done    sync.WaitGroup
		)
		ready.Add(len(answers))
		for i := range answers {
			s := f.keepers[(round+i)%len(f.keepers)].current()
			done.Go(func() {
				ready.Done()
				ready.Wait()
				answers[i] = f.create(t.Context(), s, fmt.Sprint("twice-", round))
			})
		}
		done.Wait()
		winner, loser := answers[0], answers[1]
		if loser.accepted {
			winner, loser = loser, winner
		}
		assert.True(t, winner.accepted, "nobody wins: %s; %s", winner.detail, loser.detail)
		assert.False(t, loser.accepted, "both win")
		assert.Equal(t, resource.CodeAlreadyExists, loser.code, loser.detail)
	}
}

func (f *fleet) operation(t *testing.T, id string) api.Operation {
	t.Helper()
	got, err := f.caller.insist(t.Context(), http.MethodGet, "/v1/operations/"+id, "")
	require.NoError(t, err)
	require.True(t, got.accepted, got.detail)
	var op api.Operation
	require.NoError(t, json.Unmarshal(got.body, &op))
	return op
}

// watcher is an open stream of events.
type watcher struct {
	events chan event // closed when the stream ends
	stop   func()
}

type event struct{ id, event, data string }

// watch opens a stream of events, after one if its id is given.
func watch(t *testing.T, s *mcic.Server, after string) *watcher {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Address+"/v1/events", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.Token)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response, err := (&http.Client{Timeout: patience}).Do(r) //nolint:bodyclose // the reader below closes it
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	w := &watcher{events: make(chan event), stop: stop}
	go func() {
		defer close(w.events)
		defer func() { _ = response.Body.Close() }()
		w.read(ctx, response.Body)
	}()
	return w
}

func (w *watcher) read(ctx context.Context, stream io.Reader) {
	var e event
	lines := bufio.NewScanner(stream)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			e.data = value
		case "":
			select {
			case w.events <- e:
			case <-ctx.Done():
				return
			}
			e = event{}
		}
	}
}

// next is the next event.
func (w *watcher) next(t *testing.T) event {
	t.Helper()
	select {
	case e, ok := <-w.events:
		require.True(t, ok, "the stream has ended")
		return e
	case <-time.After(longestTakeover):
		require.Fail(t, "no event came")
		return event{}
	}
}

// until reads until an event is about an operation, and answers that event.
func (w *watcher) until(t *testing.T, operation string) event {
	t.Helper()
	for {
		if e := w.next(t); e.event == "operation" && strings.Contains(e.data, operation) {
			return e
		}
	}
}

// untilEnd reads until the stream ends.
func (w *watcher) untilEnd(t *testing.T) {
	t.Helper()
	late := time.After(longestTakeover)
	for {
		select {
		case _, ok := <-w.events:
			if !ok {
				return
			}
		case <-late:
			require.Fail(t, "the stream does not end with its server")
		}
	}
}
