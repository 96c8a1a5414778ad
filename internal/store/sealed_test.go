package store_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sealedBytes are the columns for bytes but those about master keys: whatever else is kept
// as bytes is sealed.
func sealedBytes(t *testing.T, s *store.Store) map[string][][]byte {
	t.Helper()
	all, err := s.Bytes(t.Context())
	require.NoError(t, err)
	for name := range all {
		if strings.HasPrefix(name, "master_keys.") {
			delete(all, name)
		}
	}
	return all
}

func TestAnOlderDatabaseSaysWhatIsSealedInIt(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		return q.InsertCredential(ctx, &store.Credential{Name: "a", Cloud: "mock", Sealed: []byte("sealed")})
	}))
	require.NoError(t, s.Before(t.Context(), 21))
	require.NoError(t, s.Close())
	ids, sealed, err := store.SealedInSQLite(t.Context(), filepath.Join(dir, store.SQLiteFile))
	require.NoError(t, err)
	assert.Empty(t, ids)
	assert.Equal(t, 1, sealed)
}

func TestEverySealedColumnSurvivesAChangeOfTheMasterKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		old, err := secret.NewKey()
		require.NoError(t, err)
		next, err := secret.NewKey()
		require.NoError(t, err)
		credential, repository := &store.Credential{Name: "a", Cloud: "mock"}, &store.Repository{Name: "b"}
		login := &store.UserLogin{Hash: "e", Until: store.MicrosOf(time.Now().Add(time.Hour))}
		operation, value := &store.Operation{ID: "c", State: api.OperationQueued}, store.Secret{UID: "d", Name: "privateKey"}
		user := &store.User{Name: "f"}
		for row, sealed := range map[interface{ Identity() string }]*[]byte{
			user: &user.TOTP, credential: &credential.Sealed, repository: &repository.Sealed, operation: &operation.Hidden, &value: &value.Sealed, login: &login.Sealed,
		} {
			*sealed, err = old.Seal([]byte("of "+row.Identity()), row.Identity())
			require.NoError(t, err)
		}
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			require.NoError(t, q.InsertCredential(ctx, credential))
			require.NoError(t, q.InsertRepository(ctx, repository))
			require.NoError(t, q.InsertOperation(ctx, operation))
			require.NoError(t, q.InsertLogin(ctx, login))
			require.NoError(t, q.InsertUser(ctx, user))
			return q.InsertSecrets(ctx, []store.Secret{value})
		}))
		for column, values := range sealedBytes(t, s) {
			require.NotEmpty(t, values, "%s is a new place for what is sealed: write a value there in this test, and name it in places()", column)
		}
		quiet := slog.New(slog.DiscardHandler)
		keeper, err := keys.Open(t.Context(), s, keys.Source{Text: string(old.Text())}, quiet)
		require.NoError(t, err)
		require.NoError(t, keeper.Change(t.Context(), next))
		done, err := keeper.Reseal(t.Context())
		require.NoError(t, err)
		assert.Empty(t, done.Lost)
		for column, values := range sealedBytes(t, s) {
			for _, v := range values {
				assert.Equal(t, next.ID(), secret.KeyID(v), "%s is not sealed anew; name it in places()", column)
			}
		}
		left, err := s.Read().SealedWith(t.Context(), next.ID(), 100)
		require.NoError(t, err)
		assert.Len(t, left, done.Values)
		for _, v := range left {
			text, err := next.Unseal(v.Value, v.Identity())
			require.NoError(t, err)
			assert.Equal(t, "of "+v.Identity(), string(text))
		}

		// A server that goes on with what it has read before writes nothing back.
		operation.State = api.OperationRunning
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateOperation(ctx, operation) }))
		counts, err := s.Read().CountSealed(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{next.ID(): done.Values}, counts)

		// What is wiped is nothing that is sealed.
		operation.Hidden = []byte(store.Wiped)
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateOperation(ctx, operation) }))
		counts, err = s.Read().CountSealed(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{next.ID(): done.Values - 1}, counts)
	})
}

// Every way to record a sealed value refuses one whose key the database has forgotten.
func TestNothingIsRecordedThatAForgottenKeySealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		old, err := secret.NewKey()
		require.NoError(t, err)
		now, err := secret.NewKey()
		require.NoError(t, err)
		_, err = keys.Open(t.Context(), s, keys.Source{Text: string(now.Text())}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		write := map[string]func(context.Context, *store.Queries, []byte) error{
			"InsertLogin": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.InsertLogin(ctx, &store.UserLogin{Hash: "a", Sealed: v})
			},
			"RenewLogin": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.RenewLogin(ctx, &store.UserLogin{Hash: "a", Sealed: v})
			},
			"InsertCredential": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.InsertCredential(ctx, &store.Credential{Name: "a", Cloud: "mock", Sealed: v})
			},
			"UpdateCredential": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.UpdateCredential(ctx, &store.Credential{Name: "a", Sealed: v})
			},
			"InsertRepository": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.InsertRepository(ctx, &store.Repository{Name: "a", Sealed: v})
			},
			"UpdateRepository": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.UpdateRepository(ctx, &store.Repository{Name: "a", Sealed: v})
			},
			"InsertOperation": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.InsertOperation(ctx, &store.Operation{ID: "a", UID: "a", Hidden: v})
			},
			"InsertSecrets": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.InsertSecrets(ctx, []store.Secret{{UID: "a", Name: "privateKey", Sealed: v}})
			},
			"Reseal": func(ctx context.Context, q *store.Queries, v []byte) error {
				return q.Reseal(ctx, &store.Sealed{Place: "credentials", Key: "a"}, v)
			},
		}
		for name, record := range write {
			for key, code := range map[*secret.Key]resource.Code{old: resource.CodeUnavailable, now: ""} {
				value, err := key.Seal([]byte("x"), "a")
				require.NoError(t, err)
				err = s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return record(ctx, q, value) })
				assert.Equal(t, code, resource.CodeOf(err), "%s: %v", name, err)
			}
		}
	})
}

// Who seals and who ends a change of the master key lock the two keys in the same order, or
// each could wait for the other.
func TestSealingAndChangingTheKeyDoNotBlockEachOther(t *testing.T) {
	s, err := store.OpenPostgres(t.Context(), storetest.Postgres(t))
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	before, err := secret.NewKey()
	require.NoError(t, err)
	next, err := secret.NewKey()
	require.NoError(t, err)
	keeper, err := keys.Open(t.Context(), s, keys.Source{Text: string(before.Text())}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, keeper.Change(t.Context(), next))
	rows, err := s.Read().MasterKeys(t.Context())
	require.NoError(t, err)
	value, err := next.Seal([]byte("x"), "credential/a")
	require.NoError(t, err)

	held, release := make(chan struct{}), make(chan struct{})
	var group errgroup.Group
	group.Go(func() error {
		return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			err := q.UpdateMasterKey(ctx, &rows[0])
			close(held)
			<-release
			return err
		})
	})
	<-held
	for i, change := range []func(context.Context, *store.Queries) error{
		func(ctx context.Context, q *store.Queries) error {
			_, err := q.MasterKeys(ctx)
			return err
		},
		func(ctx context.Context, q *store.Queries) error {
			return q.InsertCredential(ctx, &store.Credential{Name: "a", Cloud: "mock", Sealed: value})
		},
	} {
		group.Go(func() error { return s.Update(t.Context(), change) })
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			blocked, err := s.Blocked(t.Context())
			require.NoError(c, err)
			assert.Equal(c, i+1, blocked)
		}, 30*time.Second, 10*time.Millisecond)
	}
	close(release)
	require.NoError(t, group.Wait())
}
