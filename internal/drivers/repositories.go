package drivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// place is a repository that can be used.
type place struct {
	*repository.Repository
	shown api.Repository
}

// places answers all repositories, the one with the highest priority first.
func (m *Manager) places(ctx context.Context) ([]place, error) {
	rows, err := m.Store.Read().Repositories(ctx)
	if err != nil {
		return nil, err
	}
	var all []place
	add := func(spec repository.Spec, shown api.Repository) error {
		if slices.ContainsFunc(all, func(p place) bool { return p.Name() == spec.Name }) {
			return nil // the configuration has one of the same name, which counts
		}
		r, err := repository.Open(spec)
		if err != nil {
			return fmt.Errorf("the repository %s: %w", spec.Name, err)
		}
		shown.Keys = r.TrustedKeys()
		all = append(all, place{r, shown})
		return nil
	}
	for _, c := range m.Repositories {
		if err := add(c.Spec, api.Repository{
			Name: c.Spec.Name, URL: c.Spec.URL, Priority: c.Priority, Insecure: c.Spec.Insecure,
			PlainHTTP: c.Spec.PlainHTTP, Username: c.Spec.Username, Configured: true,
		}); err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		spec, err := m.spec(ctx, &row)
		if err != nil {
			return nil, err
		}
		if err := add(spec, row.Resource()); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.shown.Priority, a.shown.Priority), strings.Compare(a.Name(), b.Name()))
	})
	return all, nil
}

func (m *Manager) spec(ctx context.Context, row *store.Repository) (repository.Spec, error) {
	spec := repository.Spec{
		Name: row.Name, URL: row.URL, PlainHTTP: row.PlainHTTP, Insecure: row.Insecure, Keys: row.Keys, Username: row.Username,
	}
	if len(row.Sealed) > 0 {
		password, err := m.Sealer.Unseal(ctx, row.Sealed, row.Identity())
		if err != nil {
			return spec, err
		}
		spec.Password = string(password)
	}
	return spec, nil
}

// open opens one repository.
func (m *Manager) open(ctx context.Context, name string) (*repository.Repository, error) {
	p, err := m.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.Repository, nil
}

func (m *Manager) find(ctx context.Context, name string) (place, error) {
	all, err := m.places(ctx)
	if err != nil {
		return place{}, err
	}
	i := slices.IndexFunc(all, func(p place) bool { return p.Name() == name })
	if i < 0 {
		return place{}, resource.Errorf(resource.CodeNotFound, "there is no repository %s; list them with: mcic repository list", name)
	}
	return all[i], nil
}

// List answers the repositories, the one with the highest priority first.
func (m *Manager) List(ctx context.Context) ([]api.Repository, error) {
	all, err := m.places(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]api.Repository, len(all))
	for i, p := range all {
		shown[i] = p.shown
	}
	return shown, nil
}

// Repository answers one.
func (m *Manager) Repository(ctx context.Context, name string) (*api.Repository, error) {
	p, err := m.find(ctx, name)
	if err != nil {
		return nil, err
	}
	return &p.shown, nil
}

// Register records a repository.
func (m *Manager) Register(ctx context.Context, body []byte) (*api.Repository, error) {
	var request api.RepositoryRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	row := &store.Repository{
		Name: request.Name, URL: request.URL, Priority: request.Priority, Keys: request.Keys, Insecure: request.Insecure,
		PlainHTTP: request.PlainHTTP, Username: request.Username, CreatedAt: store.MicrosOf(time.Now()),
	}
	if m.configures(row.Name) {
		return nil, resource.Errorf(resource.CodeAlreadyExists, "the server's configuration has a repository %s already; choose another name", row.Name)
	}
	return m.put(ctx, verbCreate, row, request.Password, func(ctx context.Context, q *store.Queries) error { return q.InsertRepository(ctx, row) })
}

// Change changes a repository. What was installed from it stays as it is, also if its
// key is trusted no more.
func (m *Manager) Change(ctx context.Context, name string, body []byte) (*api.Repository, error) {
	var change api.RepositoryChange
	if err := resource.Decode(body, &change); err != nil {
		return nil, err
	}
	if m.configures(name) {
		return nil, fromConfiguration(name, "change")
	}
	row, err := m.Store.Read().Repository(ctx, name)
	if err != nil {
		return nil, err
	}
	before := *row
	replace(&row.URL, change.URL)
	replace(&row.Priority, change.Priority)
	replace(&row.Insecure, change.Insecure)
	replace(&row.PlainHTTP, change.PlainHTTP)
	replace(&row.Username, change.Username)
	if change.Keys != nil {
		row.Keys = change.Keys
	}
	password := ""
	switch {
	case change.Password != nil:
		row.Sealed, password = nil, *change.Password
	case row.URL != before.URL && len(row.Sealed) > 0:
		return nil, resource.Invalid(resource.Problem{Field: "password", Message: "must be given with another url: the recorded password is not sent to a place that it was not meant for; an empty text removes it"})
	}
	return m.put(ctx, verbUpdate, row, password, func(ctx context.Context, q *store.Queries) error {
		if now, err := q.Repository(ctx, name); err != nil {
			return err
		} else if !reflect.DeepEqual(*now, before) {
			return resource.Errorf(resource.CodeConflict, "the repository %s has just been changed by another request; look at it and try again", name)
		}
		return q.UpdateRepository(ctx, row)
	})
}

// replace replaces a value if there is one to replace it.
func replace[T any](value, by *T) {
	if by != nil {
		*value = *by
	}
}

// put checks a repository and writes it, with a password if one is given.
func (m *Manager) put(ctx context.Context, verb string, row *store.Repository, password string, write func(context.Context, *store.Queries) error) (*api.Repository, error) {
	if len(row.Keys) == 0 && !row.Insecure {
		return nil, resource.Invalid(resource.Problem{Field: "keys", Message: "is required: the public keys of those whose drivers may run here; insecure leaves out all checks", Rule: resource.RuleRequired})
	}
	opened, err := repository.Open(repository.Spec{Name: row.Name, URL: row.URL, PlainHTTP: row.PlainHTTP, Keys: row.Keys})
	if err != nil {
		return nil, err
	}
	for i := range row.Keys {
		row.Keys[i].Fingerprint = "" // it is computed when it is shown
	}
	if password != "" {
		if row.Sealed, err = m.Sealer.Seal([]byte(password), row.Identity()); err != nil {
			return nil, err
		}
	}
	answer := row.Resource()
	answer.Keys = opened.TrustedKeys()
	if err := m.Store.Audited(ctx, m.Logger, store.Audit{
		Who: auth.Who(ctx), Verb: verb, Kind: auditRepository, Name: row.Name, Detail: trust(&answer),
	}, write); err != nil {
		return nil, err
	}
	if row.Insecure {
		m.Logger.Warn("an insecure repository is registered: whoever can write to it can run programs on this server", "repository", row.Name, "url", row.URL)
	}
	return &answer, nil
}

// Unregister forgets a repository that no installed driver came from.
func (m *Manager) Unregister(ctx context.Context, name string) error {
	if m.configures(name) {
		return fromConfiguration(name, "remove")
	}
	return m.Store.Audited(ctx, m.Logger, store.Audit{Who: auth.Who(ctx), Verb: verbDelete, Kind: auditRepository, Name: name}, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.Repository(ctx, name); err != nil {
			return err
		}
		installed, err := q.Drivers(ctx)
		if err != nil {
			return err
		}
		var users []string
		for _, d := range installed {
			if d.Repository == name {
				users = append(users, d.Name)
			}
		}
		if len(users) > 0 {
			return resource.Errorf(resource.CodeDependency, "these drivers were installed from the repository %s: %s; other servers need it to install them too: remove the drivers first", name, strings.Join(users, ", "))
		}
		return q.DeleteRepository(ctx, name)
	})
}

// configures reports whether the server's configuration has a repository.
func (m *Manager) configures(name string) bool {
	return slices.ContainsFunc(m.Repositories, func(c Configured) bool { return c.Spec.Name == name })
}

func fromConfiguration(name, verb string) error {
	return resource.Errorf(resource.CodeConflict, "the repository %s comes from the server's configuration; %s it there", name, verb)
}

// candidates is how many versions are looked at to find one that fits.
const candidates = 20

// pick finds a release: of the repository that is named, or else of the first that
// has the driver; the version that is given, or else the newest that fits.
func (m *Manager) pick(ctx context.Context, name, version, from string) (*repository.Repository, *repository.Release, error) {
	all, err := m.places(ctx)
	if err != nil {
		return nil, nil, err
	}
	if from != "" {
		p, err := m.find(ctx, from)
		if err != nil {
			return nil, nil, err
		}
		all = []place{p}
	}
	if len(all) == 0 {
		return nil, nil, resource.Errorf(resource.CodeNotFound, "no repository is registered; register one with: mcic repository create")
	}
	var silent []error
	names := make([]string, 0, len(all))
	for _, p := range all {
		names = append(names, p.Name())
		versions, err := p.Versions(ctx, name)
		if err != nil {
			silent = append(silent, err)
			continue
		}
		if len(versions) == 0 || version != "" && !slices.Contains(versions, version) {
			continue
		}
		if version == "" {
			if version, err = m.newest(ctx, p.Repository, name, versions); err != nil {
				return nil, nil, err
			}
		}
		release, err := p.Release(ctx, name, version)
		return p.Repository, release, err
	}
	if len(silent) > 0 {
		return nil, nil, errors.Join(silent...)
	}
	what := name
	if version != "" {
		what += " " + version
	}
	return nil, nil, resource.Errorf(resource.CodeNotFound, "no repository has the driver %s (asked: %s); see what there is with: mcic driver search", what, strings.Join(names, ", "))
}

// newest answers the newest version that fits, a pre-release only if there is nothing
// else; the newest of all if none fits, so that the reason can be told.
func (m *Manager) newest(ctx context.Context, repo *repository.Repository, name string, versions []string) (string, error) {
	pre := ""
	for _, v := range versions[:min(len(versions), candidates)] {
		release, err := repo.Release(ctx, name, v)
		if err != nil {
			return "", err
		}
		switch {
		case !m.runs(release):
		case repository.Stable(v):
			return v, nil
		case pre == "":
			pre = v
		}
	}
	return cmp.Or(pre, versions[0]), nil
}

// runs reports whether this server can run a release.
func (m *Manager) runs(r *repository.Release) bool {
	return repository.Compatible(r.Description, m.Host.Protocols()) && slices.Contains(r.Platforms, repository.Platform())
}

// fits refuses a release that this server cannot run, and says which would do.
func (m *Manager) fits(ctx context.Context, repo *repository.Repository, r *repository.Release) error {
	if m.runs(r) {
		return nil
	}
	d := r.Description
	reason := fmt.Sprintf("is built for %s, and this server runs on %s", strings.Join(r.Platforms, ", "), repository.Platform())
	if !repository.Compatible(d, m.Host.Protocols()) {
		reason = fmt.Sprintf("speaks version %s of the driver protocol, and this server speaks %s", numbers(d.ProtocolVersions), numbers(m.Host.Protocols()))
	}
	would := "no version of it in the repository would do; upgrade the server, or ask the driver's publisher"
	versions, err := repo.Versions(ctx, d.Name)
	if err != nil {
		return err
	}
	var good []string
	for _, v := range versions[:min(len(versions), candidates)] {
		other, err := repo.Release(ctx, d.Name, v)
		if err != nil || !m.runs(other) {
			continue
		}
		if _, err := repo.Verify(ctx, other); err == nil || repo.Insecure() {
			good = append(good, v)
		}
	}
	if len(good) > 0 {
		would = "these versions would do: " + strings.Join(good, ", ")
	}
	return resource.Errorf(resource.CodeUnsupported, "the driver %s %s %s; %s", d.Name, d.Version, reason, would)
}

func numbers(n []int) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(n), " ", ", "), "[]") }

// asks is how many drivers are looked up at once during a search.
const asks = 8

// Search answers the drivers that repositories have, and that a text is found in:
// name, title, description or kinds. Only descriptions are fetched, no programs. A
// repository that cannot be searched is an error only if it was asked for by its
// name; otherwise it is among the problems.
func (m *Manager) Search(ctx context.Context, text, from string) ([]api.DriverRelease, []api.RepositoryProblem, error) {
	all, err := m.places(ctx)
	if err != nil {
		return nil, nil, err
	}
	if from != "" {
		p, err := m.find(ctx, from)
		if err != nil {
			return nil, nil, err
		}
		all = []place{p}
	}
	installed, err := m.Store.Read().Drivers(ctx)
	if err != nil {
		return nil, nil, err
	}
	found := []api.DriverRelease{}
	var problems []api.RepositoryProblem
	for _, p := range all {
		names, err := p.Names(ctx)
		if err != nil {
			if from != "" {
				return nil, nil, err
			}
			problems = append(problems, api.RepositoryProblem{Repository: p.Name(), Message: err.Error()})
			m.Logger.Warn("a repository cannot be searched", "repository", p.Name(), "error", err)
			continue
		}
		releases := make([]*api.DriverRelease, len(names))
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(asks)
		for i, name := range names {
			group.Go(func() (err error) {
				releases[i], err = m.describe(groupCtx, p, name)
				if err != nil && groupCtx.Err() == nil {
					m.Logger.Warn("a package cannot be read", "repository", p.Name(), "driver", name, "error", err)
					err = nil
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, nil, err
		}
		for _, r := range releases {
			if r == nil || !matches(r, text) {
				continue
			}
			if i := slices.IndexFunc(installed, func(d store.Driver) bool { return d.Name == r.Name }); i >= 0 {
				r.Installed = installed[i].Version
				if r.Compatible && installed[i].Repository == r.Repository && repository.CompareVersions(r.Version, r.Installed) > 0 {
					r.Upgrade = r.Version
				}
			}
			found = append(found, *r)
		}
	}
	slices.SortStableFunc(found, func(a, b api.DriverRelease) int { return strings.Compare(a.Name, b.Name) })
	return found, problems, nil
}

// describe answers what a repository has of a driver, nil if nothing.
func (m *Manager) describe(ctx context.Context, p place, name string) (*api.DriverRelease, error) {
	versions, err := p.Versions(ctx, name)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	version, err := m.newest(ctx, p.Repository, name, versions)
	if err != nil {
		return nil, err
	}
	release, err := p.Release(ctx, name, version)
	if err != nil {
		return nil, err
	}
	d := release.Description
	r := &api.DriverRelease{
		Name: d.Name, Title: d.Title, Doc: d.Doc, Version: version, Versions: versions, Repository: p.Name(), Digest: release.Digest,
		Platforms: release.Platforms, Protocols: d.ProtocolVersions, Compatible: m.runs(release), Source: release.Source, Licenses: release.Licenses, Kinds: []string{},
	}
	for _, k := range d.Kinds {
		r.Kinds = append(r.Kinds, k.Name)
	}
	return r, nil
}

// Describe answers what a driver in a repository is and offers, without fetching its
// program; of the newest version that fits this server unless one is given.
func (m *Manager) Describe(ctx context.Context, from, name, version string) (*driver.Description, error) {
	if err := repository.CheckName(name); err != nil {
		return nil, err
	}
	_, release, err := m.pick(ctx, name, version, from)
	if err != nil {
		return nil, err
	}
	return release.Description, nil
}

// matches reports whether every word of a text is somewhere in a release.
func matches(r *api.DriverRelease, text string) bool {
	all := strings.ToLower(strings.Join(append([]string{r.Name, r.Title, r.Doc}, r.Kinds...), " "))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(text)), func(word string) bool { return !strings.Contains(all, word) })
}
