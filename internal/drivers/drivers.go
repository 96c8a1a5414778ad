// Package drivers keeps the set of installed drivers: it installs, upgrades,
// downgrades and removes them while the server runs. Which versions are wanted is in
// the database; each server brings its own data folder in line with it, so that all
// servers of a cluster run the same packages.
package drivers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what a manager works with.
type Config struct {
	Store  *store.Store
	Host   *host.Host
	Sealer *secret.Sealer
	Shelf  *repository.Shelf
	Logger *slog.Logger

	Progress func(api.DriverProgress) // told of each step of a change; must not wait; may be nil

	Repositories []Configured  // of the server's configuration
	Poll         time.Duration // how often it is looked whether another server has changed something
}

// Configured is a repository of the server's configuration.
type Configured struct {
	Spec     repository.Spec
	Priority int
}

// changeTime is how long a change of the set may take, with what it downloads.
const changeTime = 10 * time.Minute

// Manager keeps the set. It is safe for concurrent use.
type Manager struct {
	Config
	changing chan struct{} // held while the set or the host changes
	stopped  context.Context

	mu       sync.Mutex
	problems map[string]problem // by driver
}

// problem is why a driver could not be brought in line.
type problem struct {
	err   error
	tries int
	again time.Time
}

// New returns a manager, which uses what is installed here already. Nothing is
// started or fetched. ctx is the life of the server.
func New(ctx context.Context, c Config) (*Manager, error) {
	if c.Poll == 0 {
		c.Poll = time.Minute
		if c.Store.Shared() {
			c.Poll = 2 * time.Second
		}
	}
	m := &Manager{Config: c, changing: make(chan struct{}, 1), stopped: ctx, problems: map[string]problem{}}
	wanted, err := c.Store.Read().Drivers(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := c.Shelf.Entries()
	if err != nil {
		return nil, err
	}
	for _, row := range wanted {
		// Until the wanted version is here, the one that ran when this server stopped does.
		var use *repository.Entry
		for i, e := range entries {
			if e.Name == row.Name && (use == nil || e.Digest == row.Digest || use.Digest != row.Digest && e.InstalledAt.After(use.InstalledAt)) {
				use = &entries[i]
			}
		}
		if use != nil {
			c.Host.SetPackage(row.Name, m.pack(*use))
		}
	}
	return m, nil
}

func (m *Manager) pack(e repository.Entry) host.Package {
	return host.Package{Path: m.Shelf.Executable(e), Version: e.Version, Digest: e.Digest, Check: func() error { return m.Shelf.Check(e) }}
}

// Run brings this server in line with what is wanted, now and whenever that changes,
// until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	tick := time.NewTicker(m.Poll)
	defer tick.Stop()
	for {
		if err := m.converge(ctx); err != nil && ctx.Err() == nil {
			m.Logger.Warn("the installed drivers could not be brought in line", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hold waits until nobody else changes the set.
func (m *Manager) hold(ctx context.Context) (release func(), err error) {
	select {
	case m.changing <- struct{}{}:
		return func() { <-m.changing }, nil
	case <-ctx.Done():
		return nil, resource.Errorf(resource.CodeUnavailable, "another change of the drivers is still running: %w", ctx.Err())
	}
}

// change is the context of a change: it goes on when its caller leaves, and ends with
// the server.
func (m *Manager) change(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTime)
	stop := context.AfterFunc(m.stopped, cancel)
	return ctx, func() { stop(); cancel() }
}

// converge does what is missing for this server to run what is wanted.
func (m *Manager) converge(ctx context.Context) error {
	release, err := m.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	wanted, err := m.Store.Read().Drivers(ctx)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, row := range wanted {
		names[row.Name] = true
		if m.Host.Uses(row.Name) == row.Digest || !m.due(row.Name) {
			continue
		}
		m.note(row.Name, m.follow(ctx, &row))
	}
	entries, err := m.Shelf.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if names[e.Name] {
			continue
		}
		m.note(e.Name, nil)
		if err := m.drop(ctx, e.Name); err != nil {
			return err
		}
		m.Logger.Info("a driver was removed", "driver", e.Name, "version", e.Version)
	}
	return nil
}

// follow installs here what was installed on another server, or got lost here.
func (m *Manager) follow(ctx context.Context, row *store.Driver) error {
	e, ok, err := m.Shelf.Find(row.Name, row.Digest)
	if err != nil {
		return err
	}
	if !ok {
		repo, err := m.open(ctx, row.Repository)
		if err != nil {
			return err
		}
		found, err := repo.ReleaseByDigest(ctx, row.Name, row.Version, row.Digest)
		if err != nil {
			return err
		}
		if e, err = m.shelve(ctx, repo, found, func(api.DriverStep, int64, int64) {}); err != nil {
			return err
		}
	}
	if _, err := m.Host.UsePackage(ctx, row.Name, m.pack(e)); err != nil {
		return err
	}
	m.Logger.Info("a driver was brought in line with the other servers", "driver", row.Name, "version", row.Version)
	return m.Shelf.Keep(ctx, row.Name, row.Digest, row.PreviousDigest)
}

// due reports whether a driver that had a problem is to be tried again.
func (m *Manager) due(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !time.Now().Before(m.problems[name].again)
}

// note records how it went; what failed is tried again later and later.
func (m *Manager) note(name string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		delete(m.problems, name)
		return
	}
	p := m.problems[name]
	p.err = err
	p.again = time.Now().Add(min(m.Poll<<min(p.tries, 8), 5*time.Minute))
	p.tries++
	m.problems[name] = p
	m.Logger.Warn("a driver that is wanted cannot be run here", "driver", name, "error", err)
}

// shelve verifies a release and puts it on the shelf.
func (m *Manager) shelve(ctx context.Context, repo *repository.Repository, release *repository.Release, tell repository.Tell) (repository.Entry, error) {
	tell(api.DriverVerify, 0, 0)
	var key *repository.PublicKey
	if repo.Insecure() {
		m.Logger.Warn("a driver is installed without a check of its signature, as its repository is insecure",
			"driver", release.Description.Name, "version", release.Description.Version, "repository", repo.Name(), "digest", release.Digest)
	} else {
		var err error
		if key, err = repo.Verify(ctx, release); err != nil {
			return repository.Entry{}, err
		}
	}
	return m.Shelf.Install(ctx, repo, release, key, tell)
}

// drop takes a driver out of use and off the shelf.
func (m *Manager) drop(ctx context.Context, name string) error {
	return errors.Join(m.Host.DropPackage(ctx, name), m.Shelf.Keep(ctx, name))
}

// Install installs a driver that is not installed.
func (m *Manager) Install(ctx context.Context, request api.DriverRequest) (*driver.Description, error) {
	if err := repository.CheckName(request.Name); err != nil {
		return nil, err
	}
	return m.set(ctx, verbInstall, request.Name, func(ctx context.Context, row *store.Driver) (*repository.Repository, *repository.Release, error) {
		if row != nil && request.Version != "" && row.Version != request.Version {
			return nil, nil, resource.Errorf(resource.CodeConflict, "the driver %s is installed in version %s; move it with: mcic driver %s %[1]s --version %[4]s", row.Name, row.Version, direction(row.Version, request.Version), request.Version)
		}
		if row != nil { // again: what was lost or altered is repaired
			request.Version = row.Version
			if request.Repository == "" {
				request.Repository = row.Repository
			}
		}
		return m.pick(ctx, request.Name, request.Version, request.Repository)
	})
}

// direction is the command that leads from one version to another.
func direction(from, to string) string {
	if repository.CheckVersion(to) == nil && repository.CompareVersions(from, to) > 0 {
		return verbDowngrade
	}
	return verbUpgrade
}

// Upgrade moves an installed driver to a newer version.
func (m *Manager) Upgrade(ctx context.Context, name string, change api.DriverChange) (*driver.Description, error) {
	return m.move(ctx, name, change, verbUpgrade, 1)
}

// Downgrade moves an installed driver to an older version.
func (m *Manager) Downgrade(ctx context.Context, name string, change api.DriverChange) (*driver.Description, error) {
	return m.move(ctx, name, change, verbDowngrade, -1)
}

func (m *Manager) move(ctx context.Context, name string, change api.DriverChange, verb string, sign int) (*driver.Description, error) {
	return m.set(ctx, verb, name, func(ctx context.Context, row *store.Driver) (*repository.Repository, *repository.Release, error) {
		if row == nil {
			return nil, nil, resource.Errorf(resource.CodeNotFound, "the driver %s is not installed from a repository; install it with: mcic driver install %[1]s", name)
		}
		version := change.Version
		if version == "" && sign < 0 {
			if version = row.Previous; version == "" || repository.CompareVersions(version, row.Version) > 0 {
				return nil, nil, resource.Errorf(resource.CodeInvalid, "no older version of the driver %s was installed before; choose one with: mcic driver downgrade %[1]s --version VERSION", name)
			}
		}
		if change.Repository == "" {
			change.Repository = row.Repository
		}
		repo, release, err := m.pick(ctx, name, version, change.Repository)
		if err != nil {
			return nil, nil, err
		}
		if to := release.Description.Version; repository.CompareVersions(to, row.Version)*sign <= 0 {
			if version == "" {
				return nil, nil, resource.Errorf(resource.CodeConflict, "the driver %s %s is the newest that the repository %s has", name, row.Version, repo.Name())
			}
			return nil, nil, resource.Errorf(resource.CodeConflict, "an %s from %s to %s is none; see: mcic driver upgrade --help, mcic driver downgrade --help", verb, row.Version, to)
		}
		return repo, release, nil
	})
}

// set makes a release the one that is wanted, and runs it here. choose is told what
// is wanted so far, nil if nothing is. If anything fails, everything stays as it was.
// Either way it is in the audit trail under the verb.
func (m *Manager) set(ctx context.Context, verb, name string, choose func(context.Context, *store.Driver) (*repository.Repository, *repository.Release, error)) (_ *driver.Description, err error) {
	entry := store.Audit{Who: auth.Who(ctx), Verb: verb, Kind: auditDriver, Name: name}
	way := m.begin(verb, name)
	defer func() {
		way.end(err)
		if err != nil {
			m.Store.NoteAfter(ctx, m.Logger, entry, err)
		}
	}()
	ctx, cancel := m.change(ctx)
	defer cancel()
	release, err := m.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	row, err := m.Store.Read().Driver(ctx, name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		row, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	repo, chosen, err := choose(ctx, row)
	if err != nil {
		return nil, err
	}
	if err := m.fits(ctx, repo, chosen); err != nil {
		return nil, err
	}
	way.Version, way.Repository = chosen.Description.Version, repo.Name()
	e, err := m.shelve(ctx, repo, chosen, way.at)
	if err != nil {
		return nil, err
	}
	way.at(api.DriverProbe, 0, 0)
	d, err := m.Host.UsePackage(ctx, name, m.pack(e))
	if err != nil {
		if row == nil || row.Digest != e.Digest {
			err = errors.Join(err, m.forget(ctx, name, row))
		}
		return nil, err
	}
	next := &store.Driver{
		Name: name, Version: e.Version, Repository: repo.Name(), Digest: e.Digest, Key: e.Key, InstalledAt: store.MicrosOf(time.Now()),
	}
	switch {
	case row == nil:
	case row.Digest == e.Digest:
		next.Previous, next.PreviousDigest = row.Previous, row.PreviousDigest
	default:
		next.Previous, next.PreviousDigest = row.Version, row.Digest
	}
	entry.Detail = origin(e, repo.Name())
	if err := m.Store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		if err := q.PutDriver(ctx, next); err != nil {
			return err
		}
		if err := q.Carry(ctx); err != nil {
			return err
		}
		return q.Note(ctx, entry, nil)
	}); err != nil {
		return nil, err // the host goes back when this server is brought in line
	}
	m.note(name, nil)
	m.Logger.Info("a driver was installed", "driver", name, "version", e.Version, "repository", repo.Name(), "digest", e.Digest, "key", e.Key)
	if err := m.Shelf.Keep(ctx, name, next.Digest, next.PreviousDigest); err != nil {
		m.Logger.Warn("old versions of a driver could not be removed", "driver", name, "error", err)
	}
	answer := *d
	answer.Installed = next.Resource()
	return &answer, nil
}

// forget takes off the shelf what is not wanted after all.
func (m *Manager) forget(ctx context.Context, name string, row *store.Driver) error {
	if row == nil {
		return m.Shelf.Keep(ctx, name)
	}
	return m.Shelf.Keep(ctx, name, row.Digest, row.PreviousDigest)
}

// Remove removes an installed driver. One that connections need is kept, unless the
// driver is found elsewhere too.
func (m *Manager) Remove(ctx context.Context, name string) error {
	ctx, cancel := m.change(ctx)
	defer cancel()
	release, err := m.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	entry := store.Audit{Who: auth.Who(ctx), Verb: verbRemove, Kind: auditDriver, Name: name}
	err = m.Store.Audited(ctx, m.Logger, entry, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.Driver(ctx, name); err != nil {
			return err
		}
		connections, err := q.Connections(ctx, "")
		if err != nil {
			return err
		}
		var users []string
		for _, c := range connections {
			if c.Cloud == name {
				users = append(users, c.Name)
			}
		}
		if len(users) > 0 && !m.Host.FoundElsewhere(name) {
			return resource.Errorf(resource.CodeDependency, "the driver %s is used by the connections: %s; delete those first", name, strings.Join(users, ", "))
		}
		return q.DeleteDriver(ctx, name)
	})
	if err != nil {
		return err
	}
	m.note(name, nil)
	m.Logger.Info("a driver was removed", "driver", name)
	return m.drop(ctx, name)
}

// Verify checks the files of an installed driver, and the signature of its package
// in the repository.
func (m *Manager) Verify(ctx context.Context, name string) (*api.DriverVerification, error) {
	row, err := m.Store.Read().Driver(ctx, name)
	if err != nil {
		return nil, err
	}
	e, ok, err := m.Shelf.Find(name, row.Digest)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, resource.Errorf(resource.CodeUnavailable, "the driver %s %s is not on this server yet%s", name, row.Version, m.because(name))
	}
	if err := m.Shelf.Check(e); err != nil {
		return nil, err
	}
	v := &api.DriverVerification{Name: name, Version: row.Version, Digest: row.Digest, Files: e.Files}
	repo, err := m.open(ctx, row.Repository)
	if err != nil || repo.Insecure() {
		return v, err
	}
	release, err := repo.ReleaseByDigest(ctx, name, row.Version, row.Digest)
	if err != nil {
		return nil, err
	}
	key, err := repo.Verify(ctx, release)
	if err != nil {
		return nil, err
	}
	v.Key = key.Fingerprint()
	return v, nil
}

func (m *Manager) because(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.problems[name].err; err != nil {
		return ": " + err.Error()
	}
	return ""
}

// Annotate adds to descriptions how the drivers were installed, and what is wanted
// but cannot be described here.
func (m *Manager) Annotate(ctx context.Context, found []*driver.Description) ([]*driver.Description, error) {
	wanted, err := m.Store.Read().Drivers(ctx)
	if err != nil {
		return nil, err
	}
	answer := slices.Clone(found)
	for _, row := range wanted {
		i := slices.IndexFunc(answer, func(d *driver.Description) bool { return d.Name == row.Name })
		if i < 0 {
			i = len(answer)
			answer = append(answer, &driver.Description{About: driver.About{Name: row.Name, Title: row.Name, Version: row.Version}})
		}
		d := *answer[i]
		d.Installed = row.Resource()
		d.Installed.Problem = strings.TrimPrefix(m.because(row.Name), ": ")
		if d.Installed.Problem == "" && m.Host.Uses(row.Name) == row.Digest {
			if e, ok, err := m.Shelf.Find(row.Name, row.Digest); err == nil && ok && d.Version != row.Version {
				d.Installed.Problem = fmt.Sprintf("version %s from a folder of --driver-dir is used instead of %s", d.Version, e.Version)
			}
		}
		answer[i] = &d
	}
	slices.SortFunc(answer, func(a, b *driver.Description) int { return strings.Compare(a.Name, b.Name) })
	return answer, nil
}
