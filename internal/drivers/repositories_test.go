package drivers_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/drivers"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestTheRepositoryWithTheHighestPriorityIsUsed(t *testing.T) {
	one, two := newTeam(t), newTeam(t)
	one.publish("toy", "1.0.0", nil)
	one.publish("toy", "3.0.0", nil)
	two.publish("toy", "2.0.0", nil)
	dir := t.TempDir()
	s := newSite(t, newStore(t), dir, dir)
	register(t, s, one.request("low", nil))
	register(t, s, two.request("high", func(r *api.RepositoryRequest) { r.Priority = 10 }))
	register(t, s, two.request("gone", func(r *api.RepositoryRequest) { r.Priority = 20; r.URL = "file:///does/not/exist" }))
	found, problems, err := s.Search(t.Context(), "", "")
	require.NoError(t, err)
	assert.Len(t, found, 2)
	require.Len(t, problems, 1, "what cannot be searched is told")
	assert.Equal(t, "gone", problems[0].Repository)
	assert.Contains(t, problems[0].Message, "/does/not/exist")
	d, err := s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", d.Version)
	assert.Equal(t, "high", d.Installed.Repository)
	_, err = s.Upgrade(t.Context(), "toy", api.DriverChange{Version: "3.0.0"})
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "another repository's keys are not asked for it")
	d, err = s.Upgrade(t.Context(), "toy", api.DriverChange{Version: "3.0.0", Repository: "low"})
	require.NoError(t, err)
	assert.Equal(t, "low", d.Installed.Repository)
	shown, err := s.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"gone", "high", "low"}, []string{shown[0].Name, shown[1].Name, shown[2].Name})
}

func TestTrustMustBeGivenOrWaived(t *testing.T) {
	p, stranger := newTeam(t), newTeam(t)
	stranger.dir = p.dir
	stranger.publish("toy", "1.0.0", nil)
	dir := t.TempDir()
	s := newSite(t, newStore(t), dir, dir)
	_, err := s.Register(t.Context(), p.request("team", func(r *api.RepositoryRequest) { r.Keys = nil }))
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	_, err = s.Register(t.Context(), p.request("team", func(r *api.RepositoryRequest) { r.Keys[0].Key = "no key" }))
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	register(t, s, p.request("team", nil))
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	register(t, s, p.request("wild", func(r *api.RepositoryRequest) { r.Keys = nil; r.Insecure = true }))
	d, err := s.Install(t.Context(), api.DriverRequest{Name: "toy", Repository: "wild"})
	require.NoError(t, err)
	assert.Empty(t, d.Installed.Key, "it is seen that nobody vouches for it")
}

func TestARepositoryIsChanged(t *testing.T) {
	p, other := newTeam(t), newTeam(t)
	db, dir := newStore(t), t.TempDir()
	s := newSite(t, db, dir, dir)
	register(t, s, p.request("team", func(r *api.RepositoryRequest) { r.Username, r.Password = "u", "hush" }))
	change := func(c api.RepositoryChange) (*api.Repository, error) {
		raw, err := json.Marshal(c)
		require.NoError(t, err)
		return s.Change(t.Context(), "team", raw)
	}
	sealed := func() string {
		row, err := db.Read().Repository(t.Context(), "team")
		require.NoError(t, err)
		if len(row.Sealed) == 0 {
			return ""
		}
		spec, err := s.Sealer.Unseal(t.Context(), row.Sealed, "repository/team")
		require.NoError(t, err)
		return string(spec)
	}
	priority, yes, no, none := 7, true, false, ""

	before, err := s.Repository(t.Context(), "team")
	require.NoError(t, err)
	assert.Equal(t, p.key.Public().Fingerprint(), before.Keys[0].Fingerprint)
	after, err := change(api.RepositoryChange{Priority: &priority})
	require.NoError(t, err)
	before.Priority = 7
	assert.Equal(t, before, after, "the rest stays")
	assert.Equal(t, "hush", sealed())

	// What was shown can be sent back, and a fingerprint that is made up shows nothing.
	key := other.key.Public()
	after, err = change(api.RepositoryChange{Keys: []api.TrustedKey{{Key: key.PEM(), Prefix: "to", Fingerprint: before.Keys[0].Fingerprint}}})
	require.NoError(t, err)
	assert.Equal(t, []api.TrustedKey{{Key: key.PEM(), Prefix: "to", Fingerprint: key.Fingerprint()}}, after.Keys)
	shown, err := s.Repository(t.Context(), "team")
	require.NoError(t, err)
	assert.Equal(t, after, shown)

	_, err = change(api.RepositoryChange{Keys: []api.TrustedKey{}})
	assert.ErrorContains(t, err, "keys")
	_, err = change(api.RepositoryChange{Keys: []api.TrustedKey{{Key: "no key"}}})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	elsewhere := "file://" + other.dir
	_, err = change(api.RepositoryChange{URL: &elsewhere})
	assert.ErrorContains(t, err, "password")
	assert.Equal(t, "hush", sealed())
	after, err = change(api.RepositoryChange{URL: &elsewhere, Password: &none, Username: &none})
	require.NoError(t, err)
	assert.Equal(t, elsewhere, after.URL)
	assert.Empty(t, sealed())

	other.publish("toy", "1.0.0", nil)
	_, err = s.Install(t.Context(), api.DriverRequest{Name: "toy"})
	require.NoError(t, err, "the new place and the new key count at once")
	after, err = change(api.RepositoryChange{Insecure: &yes, Keys: []api.TrustedKey{}})
	require.NoError(t, err)
	assert.True(t, after.Insecure)
	_, err = change(api.RepositoryChange{Insecure: &no})
	assert.ErrorContains(t, err, "keys")

	s.Repositories = []drivers.Configured{{Spec: repository.Spec{Name: "fixed", URL: elsewhere, Insecure: true}}}
	_, err = s.Change(t.Context(), "fixed", []byte(`{"priority":1}`))
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	_, err = s.Change(t.Context(), "unknown", []byte(`{"priority":1}`))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}
