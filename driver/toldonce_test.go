package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// vault is a cloud of keys that tells a secret of each when it makes it.
type vault struct {
	keys map[string]vaultKey
	made int
	tell string // the name of the secret
}

type (
	vaultKeys struct{ *vault }
	vaultKey  = Object[resource.KeyPairSpec, resource.KeyPairStatus]
)

func (v vaultKeys) List(context.Context, Filter) iter.Seq2[vaultKey, error] {
	return func(yield func(vaultKey, error) bool) {
		for _, o := range v.keys {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (v vaultKeys) Get(_ context.Context, id string) (vaultKey, error) {
	o, ok := v.keys[id]
	if !ok {
		return o, resource.Errorf(resource.CodeNotFound, "there is no %s", id)
	}
	return o, nil
}

func (v vaultKeys) Make(_ context.Context, r Request[resource.KeyPairSpec]) (vaultKey, error) {
	v.made++
	o := vaultKey{ID: fmt.Sprint("key-", v.made), Token: r.Token, State: resource.StateAvailable}
	v.keys[o.ID] = o
	o.Secrets = map[string]string{v.tell: fmt.Sprint("told-once-", v.made)}
	return o, nil
}

func (v vaultKeys) Delete(_ context.Context, id string) error {
	delete(v.keys, id)
	return nil
}

func (v *vault) driver(found Found) *Driver {
	return New(About{Name: "vault", Title: "Vault"}, func(context.Context, Config) (*vault, error) { return v, nil },
		Kind(resource.KeyPair, func(v *vault) Managed[resource.KeyPairSpec, resource.KeyPairStatus] { return vaultKeys{v} }, found, TellsOnce))
}

func (v *vault) opened(t *testing.T, found Found) Session {
	t.Helper()
	client, end, err := Pipe(v.driver(found), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(end)
	s, err := client.Connect(t.Context(), Config{})
	require.NoError(t, err)
	return s
}

func TestASecretIsToldWithTheID(t *testing.T) {
	for _, found := range []Found{ByTag, ByName} {
		v := &vault{keys: map[string]vaultKey{}, tell: "privateKey"}
		s := v.opened(t, found)
		r := ItemRequest{Token: "t-1", Name: "k", Spec: json.RawMessage(`{}`)}
		item, pending, err := s.Create(t.Context(), "keypair", r)
		require.NoError(t, err)
		require.NotNil(t, pending, "so that nothing can fail in the call that tells it")
		assert.Equal(t, map[string]string{"privateKey": "told-once-1"}, item.Secrets)
		again, pending, err := s.Create(t.Context(), "keypair", r.Again(item.ID, pending))
		require.NoError(t, err)
		assert.Nil(t, pending)
		assert.Equal(t, item.ID, again.ID)
		got, err := s.Get(t.Context(), "keypair", item.ID)
		require.NoError(t, err)
		assert.Empty(t, got.Secrets)
	}
}

func TestAnObjectWhoseSecretIsLostIsMadeAnew(t *testing.T) {
	v := &vault{keys: map[string]vaultKey{}, tell: "privateKey"}
	s := v.opened(t, ByTag)
	r := ItemRequest{Token: "t-1", Name: "k", Spec: json.RawMessage(`{}`)}
	_, _, err := s.Create(t.Context(), "keypair", r) // of which nobody hears
	require.NoError(t, err)
	item, pending, err := s.Create(t.Context(), "keypair", r)
	require.NoError(t, err)
	require.NotNil(t, pending)
	assert.Empty(t, item.ID, "it would say that the secret is known")
	assert.Contains(t, pending.Reason, "made again")
	item, _, err = s.Create(t.Context(), "keypair", r)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"privateKey": "told-once-2"}, item.Secrets)
	assert.Len(t, v.keys, 1)

	v.tell = "password"
	_, _, err = s.Create(t.Context(), "keypair", ItemRequest{Token: "t-2", Name: "k", Spec: json.RawMessage(`{}`)})
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err), "the kind has no such secret")
	assert.NotContains(t, err.Error(), "told-once")
	assert.Panics(t, func() { v.driver(ByToken) }, "nothing would say whether the secret was told")
}
