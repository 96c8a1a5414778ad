package drivers_test

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/drivers"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/repository/repositorytest"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The test's executable is also the driver that it installs: its first argument is
// the driver's name and version.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.Contains(os.Args[1], "@") {
		name, version, _ := strings.Cut(os.Args[1], "@")
		driver.ServeArgs(toy(name, version), os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

func toy(name, version string) *driver.Driver {
	return driver.New(driver.About{Name: name, Title: "Toy " + name, Version: version, Credential: []driver.Field{{Name: "token", Type: driver.TypeString}}}, func(context.Context, driver.Config) (string, error) { return version, nil },
		driver.Kind(resource.VPC, func(version string) driver.Collection[resource.VPCSpec, resource.VPCStatus] { return vpcs{version} }))
}

type (
	vpcs struct{ version string }
	vpc  = driver.Object[resource.VPCSpec, resource.VPCStatus]
)

func (vpcs) List(_ context.Context, _ driver.Filter) iter.Seq2[vpc, error] {
	return func(func(vpc, error) bool) {}
}

func (c vpcs) Get(_ context.Context, id string) (vpc, error) {
	return vpc{ID: id, Name: c.version, State: resource.StateAvailable}, nil
}

// team publishes drivers to a folder.
type team struct {
	t    *testing.T
	key  *repository.PrivateKey
	dir  string
	dist string
}

func newTeam(t *testing.T) *team {
	t.Helper()
	key, err := repository.NewKey()
	require.NoError(t, err)
	return &team{t, key, t.TempDir(), t.TempDir()}
}

func (p *team) description(name, version string) *driver.Description {
	p.t.Helper()
	d, err := toy(name, version).Describe(p.t.Context())
	require.NoError(p.t, err)
	copied := *d
	return &copied
}

// publish publishes a version; change may make the package another one than the driver.
func (p *team) publish(name, version string, change func(d *driver.Description, b *repository.Build)) {
	p.t.Helper()
	self, err := os.Executable()
	require.NoError(p.t, err)
	d := p.description(name, version)
	b := repository.Build{Platform: repository.Platform(), Dir: repositorytest.Script(p.t, name, "exec "+self+" "+name+"@"+version)}
	if change != nil {
		change(d, &b)
	}
	from, err := repository.Open(repository.Spec{Name: "dist", URL: "file://" + p.dist})
	require.NoError(p.t, err)
	_, err = from.Pack(p.t.Context(), d, []repository.Build{b}, "", "")
	require.NoError(p.t, err)
	to, err := repository.Open(repository.Spec{Name: "team", URL: "file://" + p.dir})
	require.NoError(p.t, err)
	_, err = to.Publish(p.t.Context(), from, name, version, p.key, false)
	require.NoError(p.t, err)
}

func (p *team) request(name string, change func(*api.RepositoryRequest)) []byte {
	p.t.Helper()
	r := api.RepositoryRequest{Name: name, URL: "file://" + p.dir, Keys: []api.TrustedKey{{Key: p.key.Public().PEM()}}}
	if change != nil {
		change(&r)
	}
	raw, err := json.Marshal(r)
	require.NoError(p.t, err)
	return raw
}

// site is one server.
type site struct {
	*drivers.Manager
	t    *testing.T
	host *host.Host
	data string
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func newSite(t *testing.T, db *store.Store, data, keyDir string) *site {
	t.Helper()
	h := host.New(host.Config{WorkDir: filepath.Join(data, "work"), StartTimeout: 5 * time.Second})
	t.Cleanup(h.Close)
	shelf, err := repository.OpenShelf(filepath.Join(data, "installed"))
	require.NoError(t, err)
	key, _, err := keys.Source{File: filepath.Join(keyDir, "master.key")}.Make(t.Context())
	require.NoError(t, err)
	m, err := drivers.New(t.Context(), drivers.Config{
		Store: db, Host: h, Sealer: secret.NewSealer(key, nil), Shelf: shelf, Logger: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	return &site{m, t, h, data}
}

// runs starts to bring the site in line, as a server does, until stop is called.
func (s *site) runs() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	s.t.Cleanup(stop)
	return stop
}

// version asks the running driver which version it is, "" if there is none.
func (s *site) version() string {
	item, err := s.host.Session(host.Target{Connection: "c", Revision: "1", Cloud: "toy", Config: func(context.Context) (driver.Config, error) {
		return driver.Config{Region: "r"}, nil
	}}).Get(s.t.Context(), "vpc", "x")
	if err != nil {
		return ""
	}
	return item.Name
}

func (s *site) installed() *resource.DriverInstallation {
	s.t.Helper()
	all, err := s.Annotate(s.t.Context(), nil)
	assert.NoError(s.t, err) // also asked while something is waited for, where require has no place
	for _, d := range all {
		if d.Name == "toy" {
			return d.Installed
		}
	}
	return nil
}

func register(t *testing.T, s *site, raw []byte) {
	t.Helper()
	_, err := s.Register(t.Context(), raw)
	require.NoError(t, err)
}

func TestTheLifeOfADriver(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	p.publish("toy", "1.1.0", nil)
	p.publish("toy", "2.0.0-rc.1", nil)
	dir := t.TempDir()
	s := newSite(t, newStore(t), dir, dir)
	register(t, s, p.request("team", nil))

	found, _, err := s.Search(t.Context(), "TOY vpc", "")
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "1.1.0", found[0].Version, "the newest that is no pre-release")
	assert.Equal(t, []string{"2.0.0-rc.1", "1.1.0", "1.0.0"}, found[0].Versions)
	assert.True(t, found[0].Compatible)
	found, _, err = s.Search(t.Context(), "toy kubernetes", "")
	require.NoError(t, err)
	assert.Empty(t, found)

	d, err := s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", d.Version)
	assert.Equal(t, p.key.Public().Fingerprint(), d.Installed.Key)
	assert.Equal(t, "1.0.0", s.version())
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "1.1.0"})
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	assert.ErrorContains(t, err, "mcic driver upgrade toy --version 1.1.0")

	found, _, err = s.Search(t.Context(), "", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"1.0.0", "1.1.0"}, []string{found[0].Installed, found[0].Upgrade})
	d, err = s.Describe(t.Context(), "team", "toy", "2.0.0-rc.1")
	require.NoError(t, err)
	assert.Equal(t, "2.0.0-rc.1", d.Version)
	assert.Equal(t, "token", d.Credential[0].Name, "a form can be shown before the driver is installed")

	d, err = s.Upgrade(t.Context(), "toy", api.DriverChange{})
	require.NoError(t, err)
	assert.Equal(t, "1.1.0", d.Version)
	assert.Equal(t, "1.0.0", d.Installed.Previous)
	assert.Equal(t, "1.1.0", s.version())
	_, err = s.Upgrade(t.Context(), "toy", api.DriverChange{})
	assert.ErrorContains(t, err, "the newest that the repository team has")
	_, err = s.Upgrade(t.Context(), "toy", api.DriverChange{Version: "1.0.0"})
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))

	v, err := s.Verify(t.Context(), "toy")
	require.NoError(t, err)
	assert.Equal(t, p.key.Public().Fingerprint(), v.Key)

	d, err = s.Downgrade(t.Context(), "toy", api.DriverChange{})
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", d.Version)
	assert.Equal(t, "1.0.0", s.version())
	_, err = s.Downgrade(t.Context(), "toy", api.DriverChange{})
	assert.ErrorContains(t, err, "no older version")

	err = s.Unregister(t.Context(), "team")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	require.NoError(t, s.Remove(t.Context(), "toy"))
	assert.Empty(t, s.version())
	assert.Nil(t, s.installed())
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(s.Remove(t.Context(), "toy")))
	require.NoError(t, s.Unregister(t.Context(), "team"))
	left, err := filepath.Glob(filepath.Join(dir, "installed", "toy-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestTheStepsOfAnInstallationAreTold(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	dir := t.TempDir()
	s := newSite(t, newStore(t), dir, dir)
	var told []api.DriverProgress
	s.Progress = func(p api.DriverProgress) { told = append(told, p) }
	register(t, s, p.request("team", nil))
	_, err := s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err)
	var steps []api.DriverStep
	for i, now := range told {
		assert.Equal(t, told[0].ID, now.ID)
		assert.Equal(t, []string{"install", "toy"}, []string{now.Verb, now.Name})
		assert.Equal(t, i == len(told)-1, now.Ended())
		if now.Step != api.DriverFind {
			assert.Equal(t, []string{"1.0.0", "team"}, []string{now.Version, now.Repository})
		}
		if len(steps) == 0 || steps[len(steps)-1] != now.Step {
			steps = append(steps, now.Step)
		}
		if now.Step == api.DriverDownload && told[i+1].Step != now.Step {
			assert.Positive(t, now.Total)
			assert.Equal(t, now.Total, now.Done, "all of it was told to be there")
		}
	}
	assert.Equal(t, []api.DriverStep{
		api.DriverFind, api.DriverVerify, api.DriverDownload, api.DriverUnpack, api.DriverProbe, api.DriverReady,
	}, steps)

	told = nil
	_, err = s.Upgrade(t.Context(), "toy", api.DriverChange{Version: "3.0.0"})
	require.Error(t, err)
	last := told[len(told)-1]
	assert.Equal(t, api.DriverFailed, last.Step)
	assert.Equal(t, resource.CodeOf(err), last.Error.Code)
}

func TestADriverInUseIsKept(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	db, dir := newStore(t), t.TempDir()
	s := newSite(t, db, dir, dir)
	register(t, s, p.request("team", nil))
	_, err := s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err)
	require.NoError(t, db.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		return q.InsertConnection(ctx, &store.Connection{Name: "mine", Cloud: "toy"})
	}))
	err = s.Remove(t.Context(), "toy")
	assert.Equal(t, resource.CodeDependency, resource.CodeOf(err))
	assert.ErrorContains(t, err, "mine")
	assert.Equal(t, "1.0.0", s.version())
}

func TestABrokenVersionChangesNothing(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	p.publish("toy", "1.1.0", func(_ *driver.Description, b *repository.Build) {
		b.Dir = repositorytest.Script(t, "toy", "exit 3")
	})
	dir := t.TempDir()
	s := newSite(t, newStore(t), dir, dir)
	register(t, s, p.request("team", nil))
	_, err := s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "1.1.0"})
	require.Error(t, err)
	assert.Nil(t, s.installed())
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "1.0.0"})
	require.NoError(t, err)
	_, err = s.Upgrade(t.Context(), "toy", api.DriverChange{})
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	assert.Equal(t, "1.0.0", s.version())
	assert.Equal(t, "1.0.0", s.installed().Version)
	left, err := filepath.Glob(filepath.Join(dir, "installed", "toy-*"))
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestWhatCannotRunHereIsRefusedWithWhatWould(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	p.publish("toy", "2.0.0", func(d *driver.Description, _ *repository.Build) { d.ProtocolVersions = []int{7, 8} })
	p.publish("toy", "3.0.0", func(_ *driver.Description, b *repository.Build) { b.Platform = "plan9/arm" })
	dir := t.TempDir()
	db := newStore(t)
	s := newSite(t, db, dir, dir)
	register(t, s, p.request("team", nil))
	_, err := s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "2.0.0"})
	assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err))
	assert.EqualError(t, err, "the driver toy 2.0.0 speaks version 7, 8 of the driver protocol, and this server speaks 1; these versions would do: 1.0.0")
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "3.0.0"})
	assert.ErrorContains(t, err, "is built for plan9/arm")
	d, err := s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", d.Version, "the newest that fits")

	// What fits is what the server speaks: a later one takes what this one refuses.
	h := host.New(host.Config{WorkDir: t.TempDir(), Protocols: driver.Versions{6: nil, 7: nil}})
	t.Cleanup(h.Close)
	config := s.Config
	config.Host = h
	later, err := drivers.New(t.Context(), config)
	require.NoError(t, err)
	found, _, err := later.Search(t.Context(), "", "")
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", found[0].Version)
	assert.Equal(t, "2.0.0", found[0].Upgrade)
	_, err = later.Upgrade(t.Context(), "toy", api.DriverChange{Version: "3.0.0"})
	assert.ErrorContains(t, err, "these versions would do: 2.0.0")
}

func TestWhatIsInstalledAndWhomItTrustsIsInTheAuditTrail(t *testing.T) {
	p, stranger := newTeam(t), newTeam(t)
	stranger.dir = p.dir
	p.publish("toy", "1.0.0", nil)
	p.publish("toy", "1.1.0", nil)
	stranger.publish("toy", "6.6.6", nil)
	db, dir := newStore(t), t.TempDir()
	s := newSite(t, db, dir, dir)
	kim := auth.As(t.Context(), "kim")
	_, err := s.Register(kim, p.request("team", nil))
	require.NoError(t, err)
	d, err := s.Install(kim, api.DriverRequest{Name: "toy", Version: "1.0.0"})
	require.NoError(t, err)
	first := d.Installed.Digest
	_, err = s.Upgrade(kim, "toy", api.DriverChange{Version: "6.6.6"})
	require.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	d, err = s.Upgrade(kim, "toy", api.DriverChange{Version: "1.1.0"})
	require.NoError(t, err)
	_, err = s.Downgrade(auth.As(t.Context(), "lee"), "toy", api.DriverChange{})
	require.NoError(t, err)
	require.Equal(t, resource.CodeDependency, resource.CodeOf(s.Unregister(kim, "team")))
	require.NoError(t, s.Remove(kim, "toy"))
	_, err = s.Change(kim, "team", []byte(`{"insecure":true}`))
	require.NoError(t, err)
	_, err = s.Install(kim, api.DriverRequest{Name: "toy", Version: "6.6.6"})
	require.NoError(t, err)
	require.NoError(t, s.Remove(kim, "toy"))
	require.NoError(t, s.Unregister(kim, "team"))

	rows, _, err := db.Read().ListAudit(t.Context(), store.Query{Sort: "id", Limit: 100})
	require.NoError(t, err)
	key := p.key.Public().Fingerprint()
	by := func(who, verb, kind, name, outcome string, details ...string) {
		t.Helper()
		require.NotEmpty(t, rows)
		a := rows[0]
		rows = rows[1:]
		assert.Equal(t, []string{who, verb, kind, name, outcome}, []string{a.Who, a.Verb, a.Kind, a.Name, a.Outcome})
		for _, d := range details {
			assert.Contains(t, a.Detail, d)
		}
	}
	by("kim", "create", "repository", "team", "ok", "file://"+p.dir, key)
	by("kim", "install", "driver", "toy", "ok", "1.0.0", first, "team", key)
	by("kim", "upgrade", "driver", "toy", "denied", "6.6.6", "no valid signature")
	by("kim", "upgrade", "driver", "toy", "ok", "1.1.0", d.Installed.Digest, key)
	by("lee", "downgrade", "driver", "toy", "ok", "1.0.0", first)
	by("kim", "delete", "repository", "team", "dependency")
	by("kim", "remove", "driver", "toy", "ok")
	by("kim", "update", "repository", "team", "ok", "INSECURE")
	by("kim", "install", "driver", "toy", "ok", "6.6.6", "NOT SIGNED")
	by("kim", "remove", "driver", "toy", "ok")
	by("kim", "delete", "repository", "team", "ok")
	assert.Empty(t, rows)
}

// Each server has a data folder and a database connection of its own, as on machines of
// their own.
func TestServersOfAClusterConverge(t *testing.T) {
	database := storetest.Postgres(t)
	open := func() *store.Store {
		db, err := store.OpenPostgres(t.Context(), database)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	p.publish("toy", "1.1.0", nil)
	keyDir := t.TempDir()
	one, two := newSite(t, open(), t.TempDir(), keyDir), newSite(t, open(), t.TempDir(), keyDir)
	one.runs()
	two.runs()
	register(t, one, p.request("team", func(r *api.RepositoryRequest) { r.Password = "sealed with the key that they share" }))
	same := func(version string) {
		t.Helper()
		require.Eventually(t, func() bool { return one.version() == version && two.version() == version }, 30*time.Second, 10*time.Millisecond, version)
	}
	_, err := one.Install(t.Context(), api.DriverRequest{Name: "toy", Version: "1.0.0"})
	require.NoError(t, err)
	same("1.0.0")
	_, err = two.Upgrade(t.Context(), "toy", api.DriverChange{})
	require.NoError(t, err)
	same("1.1.0")

	// One that comes later, and one that lost its folder.
	three := newSite(t, open(), t.TempDir(), keyDir)
	three.runs()
	require.Eventually(t, func() bool { return three.version() == "1.1.0" }, 30*time.Second, 10*time.Millisecond)
	again := newSite(t, open(), three.data, keyDir)
	assert.Equal(t, "1.1.0", again.version(), "a restart needs no repository")

	// Without the repository the newcomer says why, and catches up when it is back.
	require.NoError(t, os.Rename(p.dir, p.dir+"-away"))
	late := newSite(t, open(), t.TempDir(), keyDir)
	stop := late.runs()
	require.Eventually(t, func() bool { i := late.installed(); return i != nil && strings.Contains(i.Problem, "toy") }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, os.Rename(p.dir+"-away", p.dir))
	require.Eventually(t, func() bool {
		i := late.installed()
		return late.version() == "1.1.0" && i != nil && i.Problem == ""
	}, 30*time.Second, 10*time.Millisecond)

	// One that was down meanwhile uses what it has until it has looked.
	stop()
	late.host.Close()
	_, err = one.Downgrade(t.Context(), "toy", api.DriverChange{})
	require.NoError(t, err)
	same("1.0.0")
	back := newSite(t, open(), late.data, keyDir)
	assert.Equal(t, "1.1.0", back.version())
	back.runs()
	require.Eventually(t, func() bool { return back.version() == "1.0.0" }, 30*time.Second, 10*time.Millisecond)

	require.NoError(t, one.Remove(t.Context(), "toy"))
	same("")
	require.Eventually(t, func() bool { return back.version() == "" && three.version() == "" }, 30*time.Second, 10*time.Millisecond)
}

func TestAnAlteredDriverIsNotStartedAndRepaired(t *testing.T) {
	p := newTeam(t)
	p.publish("toy", "1.0.0", nil)
	db, dir := newStore(t), t.TempDir()
	s := newSite(t, db, dir, dir)
	register(t, s, p.request("team", nil))
	_, err := s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err)
	s.host.Close()
	files, err := filepath.Glob(filepath.Join(dir, "installed", "toy-*", "mcic-driver-toy"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	raw, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.NoError(t, os.Chmod(files[0], 0o700))
	require.NoError(t, os.WriteFile(files[0], append(raw, "# evil\n"...), 0o700))

	s = newSite(t, db, dir, dir)
	_, err = s.host.Describe(t.Context(), "toy")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.ErrorContains(t, err, "are not those that were installed")
	_, err = s.Verify(t.Context(), "toy")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err, "installing it again repairs it")
	assert.Equal(t, "1.0.0", s.version())
}
