// Package enginetest gives tests a whole engine over the Mock cloud, whose driver
// runs as a process as it does in the server.
package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/drivers/mock"
	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// keyless is what the executable is told to be the driver of a Mock cloud without key pairs.
const keyless = "keyless"

// driverArg makes a test's executable the driver whose name follows.
const driverArg = "driver-"

// Main is the TestMain of a package that uses this one: the test's executable is
// also the Mock driver, and those that the package has for its own tests, by name.
func Main(m *testing.M, others map[string]func() *driver.Driver) {
	if len(os.Args) > 1 {
		switch name, isDriver := strings.CutPrefix(os.Args[1], driverArg); {
		case isDriver && name == "mock":
			driver.ServeArgs(mock.New(), os.Args[2:])
			return
		case isDriver && name == keyless:
			driver.ServeArgs(mock.NewKeyless(), os.Args[2:])
			return
		case isDriver && others[name] != nil:
			driver.ServeArgs(others[name](), os.Args[2:])
			return
		}
	}
	os.Exit(m.Run())
}

// Env is an engine with what is below it.
type Env struct {
	*engine.Engine
	*registry.Registry
	*inventory.Inventory
	*events.Bus
	Store  *store.Store
	Host   *host.Host
	Sealer *secret.Sealer
	Once   *once.Requests
	Trail  *audit.Trail
	Image  string // an image and a spec of the Mock cloud that fit each other
	Spec   string

	t    testing.TB
	stop func()
}

// Options change what New makes.
type Options struct {
	Store     *store.Store // default: SQLite in a folder of the test
	Work      string       // working folder of the drivers; default: one of the test
	Engine    engine.Config
	Inventory inventory.Config
	Others    []string // drivers that Main was given

	Keyless bool // whether the Mock cloud has no key pairs, so that the server keeps them

	Observe func(cloud, verb string, code resource.Code, took time.Duration) // each call to the driver
}

// New starts an engine with the connection mock, whose settings are given as
// name, value, … It ends with the test.
func New(t testing.TB, o Options, settings ...string) *Env {
	t.Helper()
	e := Start(t, o)
	e.Connect("mock", settings...)
	e.chooseSpec()
	return e
}

// Start starts an engine without a connection.
func Start(t testing.TB, o Options) *Env {
	t.Helper()
	dir := t.TempDir()
	if o.Store == nil {
		o.Store = Opened(t)
	}
	if o.Work == "" {
		o.Work = filepath.Join(dir, "work")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	drivers := map[string][]string{}
	for _, name := range append(o.Others, "mock") {
		drivers[name] = []string{self, driverArg + name}
	}
	if o.Keyless {
		drivers["mock"] = []string{self, driverArg + keyless}
	}
	h := host.New(host.Config{BuiltIn: drivers, WorkDir: o.Work, Logger: logger, CallTimeout: 10 * time.Second, Observe: o.Observe})
	t.Cleanup(h.Close)
	key, err := secret.NewKey()
	require.NoError(t, err)

	sealer, bus := secret.NewSealer(key, nil), events.New(o.Store, logger)
	reg := registry.New(registry.Config{Store: o.Store, Host: h, Sealer: sealer, Events: bus, Logger: logger})
	i := o.Inventory
	i.Store, i.Registry, i.Events, i.Logger = o.Store, reg, bus, logger
	inv := inventory.New(i)
	requests := once.New(o.Store, sealer)
	c := o.Engine
	c.Store, c.Host, c.Sealer, c.Registry, c.Inventory, c.Once, c.Events, c.Logger = o.Store, h, sealer, reg, inv, requests, bus, logger
	if c.PollFirst == 0 {
		c.PollFirst, c.PollMax, c.RetryFirst, c.RetryMax = 10*time.Millisecond, 100*time.Millisecond, 10*time.Millisecond, 100*time.Millisecond
	}
	if c.LookFor == 0 {
		c.LookFor = 300 * time.Millisecond
	}
	eng := engine.New(c)
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // t.Context ends before the cleanups, which need the engine
	ended := make(chan error, 1)
	go func() {
		var group sync.WaitGroup
		group.Go(func() { inv.Run(ctx) })
		err := eng.Run(ctx)
		group.Wait()
		ended <- err
	}()
	e := &Env{Engine: eng, Registry: reg, Inventory: inv, Bus: bus, Store: o.Store, Host: h, Sealer: sealer, Once: requests, t: t}
	e.Trail = audit.New(audit.Config{Store: o.Store, Logger: logger})
	stopped := false
	e.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
			e.checkDocuments()
		}
	}
	t.Cleanup(e.stop)
	return e
}

// checkDocuments sees that whatever has happened to a resource, what is sent of it is what is recorded.
func (e *Env) checkDocuments() {
	e.t.Helper()
	ctx := context.Background()
	if e.Store.Ping(ctx) != nil { // a test has closed or damaged it
		return
	}
	differing := func(kind string) (text string) {
		rows, _, err := e.Store.Read().ListResources(ctx, "", kind, store.Query{Limit: 1000})
		require.NoError(e.t, err)
		documents, _, err := e.Store.Read().ListDocuments(ctx, "", kind, store.Query{Limit: 1000})
		require.NoError(e.t, err)
		if len(rows) != len(documents) {
			return fmt.Sprintf("%d rows and %d documents", len(rows), len(documents))
		}
		for i := range rows {
			recorded, err := json.Marshal(rows[i].Envelope())
			require.NoError(e.t, err)
			if sent := documents[i].Append(nil); !store.SameJSON(recorded, sent) {
				text += fmt.Sprintf("recorded: %s\nsent:     %s\n", recorded, sent)
			}
		}
		return text
	}
	for _, k := range resource.Kinds() {
		deadline := time.Now().Add(5 * time.Second) // another server of the same database may go on
		for text := differing(k.Name); text != ""; text = differing(k.Name) {
			require.True(e.t, time.Now().Before(deadline), text)
		}
	}
}

// Stop stops the engine, as a server does that is told to.
func (e *Env) Stop() { e.stop() }

// Connect registers a connection to the Mock cloud.
func (e *Env) Connect(name string, settings ...string) {
	e.t.Helper()
	values := map[string]string{}
	for i := 0; i+1 < len(settings); i += 2 {
		values[settings[i]] = settings[i+1]
	}
	body, err := json.Marshal(api.ConnectionRequest{Name: name, Cloud: "mock", Region: "mock-seoul", Settings: values})
	require.NoError(e.t, err)
	_, err = e.CreateConnection(e.t.Context(), body, false)
	require.NoError(e.t, err)
}

func (e *Env) chooseSpec() {
	e.t.Helper()
	e.Connect("catalog-only")
	session, _, err := e.Session(e.t.Context(), "catalog-only")
	require.NoError(e.t, err)
	first := func(catalog string, fits func(raw json.RawMessage) string) string {
		for raw, err := range session.Catalog(e.t.Context(), catalog, nil) {
			require.NoError(e.t, err)
			if id := fits(raw); id != "" {
				return id
			}
		}
		e.t.Fatalf("no %s fits", catalog)
		return ""
	}
	e.Image = first("image", func(raw json.RawMessage) string {
		var i resource.Image
		require.NoError(e.t, json.Unmarshal(raw, &i))
		if i.OS == "ubuntu" && i.Architecture == "x86_64" {
			return i.ID
		}
		return ""
	})
	e.Spec = first("spec", func(raw json.RawMessage) string {
		var s resource.Spec
		require.NoError(e.t, json.Unmarshal(raw, &s))
		if len(s.Architectures) == 1 && s.Architectures[0] == "x86_64" {
			return s.Name
		}
		return ""
	})
}

// Network creates the VPC v with the subnet s.
func (e *Env) Network() {
	e.t.Helper()
	e.MustCreate("mock", "vpc", "v", `{"cidr":"10.0.0.0/8"}`)
	e.MustCreate("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.0.0/12"}`)
}

// VMSpec is the spec of a VM in the network of Network.
func (e *Env) VMSpec() string {
	return fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s"}`, e.Image, e.Spec)
}

// Ask asks for a creation.
func (e *Env) Ask(connection, kind, name, spec string) (*api.Operation, error) {
	return e.Create(e.t.Context(), connection, kind, fmt.Appendf(nil, `{"name":%q,"spec":%s}`, name, spec))
}

// MustCreate creates and waits for success.
func (e *Env) MustCreate(connection, kind, name, spec string) *resource.Resource {
	e.t.Helper()
	op, err := e.Ask(connection, kind, name, spec)
	require.NoError(e.t, err)
	e.Succeeds(op)
	r, err := e.Get(e.t.Context(), connection, kind, name)
	require.NoError(e.t, err)
	return r
}

// Ends waits for the end of an operation.
func (e *Env) Ends(op *api.Operation) *api.Operation {
	e.t.Helper()
	ended, err := e.Wait(e.t.Context(), op.ID, 30*time.Second)
	require.NoError(e.t, err)
	require.True(e.t, ended.State.Ended(), "%s of the %s %s is still %s: %v", ended.Verb, ended.Kind, ended.Name, ended.State, ended.Error)
	return ended
}

// Succeeds waits for the success of an operation.
func (e *Env) Succeeds(op *api.Operation) {
	e.t.Helper()
	ended := e.Ends(op)
	require.Equal(e.t, api.OperationSucceeded, ended.State, "%s of the %s %s: %v", ended.Verb, ended.Kind, ended.Name, ended.Error)
}

// Fails waits for the failure of an operation and returns its error.
func (e *Env) Fails(op *api.Operation) *resource.Error {
	e.t.Helper()
	ended := e.Ends(op)
	require.Equal(e.t, api.OperationFailed, ended.State)
	require.NotNil(e.t, ended.Error)
	return ended.Error
}

// OnCloud lists what the cloud itself has of a kind.
func (e *Env) OnCloud(connection, kind string) []driver.Item {
	e.t.Helper()
	session, _, err := e.Session(e.t.Context(), connection)
	require.NoError(e.t, err)
	var items []driver.Item
	for item, err := range session.List(e.t.Context(), kind, driver.Filter{}) {
		require.NoError(e.t, err)
		items = append(items, item)
	}
	return items
}

// SubnetRequest asks a cloud for a subnet that this server knows nothing of.
func SubnetRequest(name, vpcID, cidr string) driver.ItemRequest {
	return driver.ItemRequest{Token: name, Name: name, Spec: fmt.Appendf(nil, `{"vpc":%q,"cidr":%q}`, vpcID, cidr)}
}

// told is how long something that happens soon is waited for.
const told = 30 * time.Second

// NextBatch waits for what a subscriber gets next.
func NextBatch(t testing.TB, stream *events.Subscription) *events.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), told)
	defer cancel()
	batch := stream.Next(ctx)
	require.NotNil(t, batch, "nothing happens")
	return batch
}

// UntilTold waits for an event that fits.
func UntilTold(t testing.TB, stream *events.Subscription, fits func(events.Event) bool) {
	t.Helper()
	for !slices.ContainsFunc(NextBatch(t, stream).Events, fits) {
	}
}

// StoreSetting changes a setting of a connection.
func StoreSetting(connection, name, value string) func(context.Context, *store.Queries) error {
	return func(ctx context.Context, q *store.Queries) error {
		row, err := q.Connection(ctx, connection)
		if err != nil {
			return err
		}
		if err := q.DeleteConnection(ctx, connection); err != nil {
			return err
		}
		row.Settings = map[string]string{name: value}
		row.UpdatedAt++
		return q.InsertConnection(ctx, row)
	}
}

// Places counts where the resources of a kind are known.
func (e *Env) Places(connection, kind string) map[api.Where]int {
	e.t.Helper()
	found, err := e.Compare(e.t.Context(), connection, kind)
	require.NoError(e.t, err)
	count := map[api.Where]int{}
	for _, item := range found.Items {
		count[item.Where]++
	}
	return count
}

// Opened is a store on SQLite, which ends with the test.
func Opened(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
