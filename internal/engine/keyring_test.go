package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type (
	keyPair = driver.Object[resource.KeyPairSpec, resource.KeyPairStatus]
	// keyring is the driver of a cloud whose key pairs have names as ids, and that tells a
	// secret of each once.
	keyring struct {
		mu   sync.Mutex
		made int
		keys map[string]keyPair
	}
)

// losesAnswer is the name of a key pair the first answer about which is lost.
const losesAnswer = "lost"

func newKeyring() *driver.Driver {
	cloud := &keyring{keys: map[string]keyPair{}}
	return driver.New(driver.About{Name: "keyring", Title: "Keyring", Version: "1.0.0"},
		func(context.Context, driver.Config) (*keyring, error) { return cloud, nil },
		driver.Kind(resource.KeyPair, func(k *keyring) driver.Managed[resource.KeyPairSpec, resource.KeyPairStatus] { return k }, driver.ByName, driver.ReusedIDs, driver.TellsOnce))
}

func (k *keyring) List(context.Context, driver.Filter) iter.Seq2[keyPair, error] {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Collect(maps.Values(k.keys))
	return func(yield func(keyPair, error) bool) {
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (k *keyring) Get(_ context.Context, id string) (keyPair, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if o, ok := k.keys[id]; ok {
		return o, nil
	}
	return keyPair{}, resource.Errorf(resource.CodeNotFound, "there is no %s", id)
}

func (k *keyring) Make(_ context.Context, r driver.Request[resource.KeyPairSpec]) (keyPair, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, taken := k.keys[r.Name]; taken {
		return keyPair{}, resource.Errorf(resource.CodeAlreadyExists, "the name %s is taken", r.Name)
	}
	k.made++
	o := keyPair{ID: r.Name, Name: r.Name, Token: r.Token, State: resource.StateAvailable, Spec: r.Spec, CreatedAt: new(time.Unix(int64(k.made), 0))}
	k.keys[o.ID] = o
	if r.Name == losesAnswer && k.made == 1 {
		return keyPair{}, resource.Errorf(resource.CodeUnavailable, "the answer is lost")
	}
	o.Secrets = map[string]string{"privateKey": fmt.Sprint("told-", k.made)}
	return o, nil
}

func (k *keyring) Delete(_ context.Context, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, id)
	return nil
}

// publicKey is one that the server need not make.
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0n6Ck0MTF4oLr4Z9e7hU0bJ4o0aHfJfQ8y8p0Wc5tq"

func withKeyring(t *testing.T, s *store.Store) *enginetest.Env {
	t.Helper()
	e := enginetest.Start(t, enginetest.Options{Store: s, Others: []string{"keyring"}})
	_, err := e.CreateConnection(t.Context(), []byte(`{"name":"c","cloud":"keyring"}`), false)
	require.NoError(t, err)
	return e
}

// What is made by others under the id of a resource is not that resource.
func TestANamesakeIsLeftAlone(t *testing.T) {
	e := withKeyring(t, nil)
	e.MustCreate("c", "keypair", "k", fmt.Sprintf(`{"publicKey":%q}`, publicKey))
	session, _, err := e.Session(t.Context(), "c")
	require.NoError(t, err)
	_, err = session.Delete(t.Context(), "keypair", "k")
	require.NoError(t, err)
	_, _, err = session.Create(t.Context(), "keypair", driver.ItemRequest{Token: "of-another-server", Name: "k", Spec: json.RawMessage(`{}`)})
	require.NoError(t, err)

	require.NoError(t, e.Refresh(t.Context(), "c", "keypair", 0))
	shown, err := e.Get(t.Context(), "c", "keypair", "k")
	require.NoError(t, err)
	assert.Equal(t, resource.StateDeleted, shown.State, "the one that was recorded is gone")
	op, err := e.Delete(t.Context(), "c", "keypair", "k")
	require.NoError(t, err)
	ended := e.Ends(op)
	require.Equal(t, api.OperationSucceeded, ended.State)
	if assert.Len(t, ended.Warnings, 1) {
		assert.Equal(t, resource.WarnLeft, ended.Warnings[0].Rule)
	}
	left := e.OnCloud("c", "keypair")
	require.Len(t, left, 1)
	assert.Equal(t, "of-another-server", left[0].Token)
}

// What the cloud tells once is recorded, sealed; if it was lost, the object is made anew.
func TestASecretThatIsToldOnceIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		e := withKeyring(t, s)
		ctx := store.WithKey(t.Context(), store.Key{Text: "once", Request: "r"})
		create := func() *api.Operation {
			op, err := e.Once.Operation(ctx, func() (*api.Operation, error) {
				return e.Create(ctx, "c", "keypair", fmt.Appendf(nil, `{"name":%q,"spec":{"publicKey":%q}}`, losesAnswer, publicKey))
			})
			require.NoError(t, err)
			return op
		}
		e.Succeeds(create())
		assert.Equal(t, map[string]string{"privateKey": "told-2"}, create().Secrets, "which the repeated request answers")
		left := e.OnCloud("c", "keypair")
		require.Len(t, left, 1, "the first one, of which nobody knows the secret, is gone")
		row, err := s.Read().Resource(t.Context(), "c", "keypair", losesAnswer)
		require.NoError(t, err)
		assert.Equal(t, row.UID, left[0].Token)
		raw, err := json.Marshal(row)
		require.NoError(t, err)
		assert.NotContains(t, string(raw), "told-")
	})
}

// What is given and never shown is in no record, and there for as long as the cloud may have
// to be asked again.
func TestWhatIsOnlyWrittenIsHidden(t *testing.T) {
	const password = "Only-written-1"
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		e := enginetest.New(t, enginetest.Options{Store: s}, "failCall", "0.5") // so that it takes several calls
		e.Network()
		spec := func(image string) string {
			return fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s","adminPassword":%q}`, image, e.Spec, password)
		}
		records := func(op *api.Operation) string {
			t.Helper()
			row, err := s.Read().ResourceByUID(t.Context(), op.UID)
			require.NoError(t, err)
			operation, err := s.Read().Operation(t.Context(), op.ID)
			require.NoError(t, err)
			raw, err := json.Marshal([]any{row, operation, op})
			require.NoError(t, err)
			assert.NotContains(t, string(raw), password)
			assert.NotContains(t, string(raw), "adminPassword")
			if operation.EndedAt != 0 {
				assert.Equal(t, store.Wiped, string(operation.Hidden))
			}
			return string(row.Native)
		}
		for i := range 3 { // the first call may be the last one
			op, err := e.Ask("mock", "vm", fmt.Sprint("v", i), spec(e.Image))
			require.NoError(t, err)
			records(op)
			e.Succeeds(op)
			assert.Contains(t, strings.ReplaceAll(records(op), " ", ""), `"passwordLogin":true`, "the cloud was given it")
		}

		// What has ended is forgotten.
		op, err := e.Ask("mock", "vm", "w", spec("none"))
		require.NoError(t, err)
		assert.NotContains(t, e.Fails(op).Error(), password)
		records(op)
		_, err = e.Retry(t.Context(), op.ID)
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
		assert.ErrorContains(t, err, "never shown")
	})
}
