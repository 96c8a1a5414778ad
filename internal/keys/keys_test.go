package keys_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func file(t *testing.T) keys.Source {
	t.Helper()
	return keys.Source{File: filepath.Join(t.TempDir(), "master.key")}
}

func newKey(t *testing.T) *secret.Key {
	t.Helper()
	k, err := secret.NewKey()
	require.NoError(t, err)
	return k
}

func text(k *secret.Key) keys.Source { return keys.Source{Text: string(k.Text())} }

func open(t *testing.T, db *store.Store, from keys.Source) *keys.Keeper {
	t.Helper()
	k, err := keys.Open(t.Context(), db, from, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	k.LookOften()
	return k
}

func refused(t *testing.T, db *store.Store, from keys.Source) string {
	t.Helper()
	_, err := keys.Open(t.Context(), db, from, slog.New(slog.DiscardHandler))
	require.Error(t, err)
	return err.Error()
}

// change runs a transaction.
func change(t *testing.T, db *store.Store, f func(context.Context, *store.Queries) error) {
	t.Helper()
	require.NoError(t, db.Update(t.Context(), f))
}

// seal records a value of each place.
func seal(t *testing.T, db *store.Store, by *secret.Sealer, name string) error {
	t.Helper()
	credential, password, key := &store.Credential{Name: name, Cloud: "mock"}, &store.Repository{Name: name}, store.Secret{UID: name, Name: "privateKey"}
	operation := &store.Operation{ID: name, UID: name}
	for row, to := range map[interface{ Identity() string }]*[]byte{
		credential: &credential.Sealed, password: &password.Sealed, operation: &operation.Hidden, &key: &key.Sealed,
	} {
		var err error
		*to, err = by.Seal([]byte("of "+row.Identity()), row.Identity())
		require.NoError(t, err)
	}
	return db.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		if err := q.InsertCredential(ctx, credential); err != nil {
			return err
		}
		if err := q.InsertRepository(ctx, password); err != nil {
			return err
		}
		if err := q.InsertOperation(ctx, operation); err != nil {
			return err
		}
		return q.InsertSecrets(ctx, []store.Secret{key})
	})
}

// allOpen checks that a sealer opens everything, and answers how much that is.
func allOpen(t *testing.T, db *store.Store, by *secret.Sealer) int {
	t.Helper()
	values, err := db.Read().SealedOtherwise(t.Context(), "00000000", store.Sealed{}, 10_000)
	require.NoError(t, err)
	for _, v := range values {
		back, err := by.Unseal(t.Context(), v.Value, v.Identity())
		require.NoError(t, err)
		assert.Equal(t, "of "+v.Identity(), string(back))
	}
	return len(values)
}

// forget removes the records of master keys by hand.
func forget(ctx context.Context, q *store.Queries) error {
	rows, err := q.MasterKeys(ctx)
	for i := 0; err == nil && i < len(rows); i++ {
		err = q.DeleteMasterKey(ctx, rows[i].ID)
	}
	return err
}

func TestAnotherKeyIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		from := file(t)
		k := open(t, db, from)
		assert.FileExists(t, from.File, "a first start makes one")
		other := newKey(t)
		for range 2 { // with nothing sealed, and with something
			message := refused(t, db, text(other))
			assert.Contains(t, message, other.ID())
			assert.Contains(t, message, k.Given().ID())
			_ = seal(t, db, k.Sealer(), "a")
		}
		open(t, db, from)

		lost := file(t)
		assert.Contains(t, refused(t, db, lost), "No new one is made")
		assert.NoFileExists(t, lost.File)
		require.NoError(t, os.WriteFile(lost.File, nil, 0o600))
		assert.Contains(t, refused(t, db, lost), "the file is empty")
		nothing := keys.Source{Command: "true"}
		assert.Contains(t, refused(t, db, nothing), "No new one is made")
	})
}

func TestACanaryThatWasRemovedByHand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		k := open(t, db, file(t))
		require.NoError(t, seal(t, db, k.Sealer(), "a"))
		change(t, db, forget)
		lost := file(t)
		assert.Contains(t, refused(t, db, lost), "No new one is made")
		assert.NoFileExists(t, lost.File)
		assert.Contains(t, refused(t, db, text(newKey(t))), k.Given().ID())
		open(t, db, text(k.Given()))
		rows, err := db.Read().MasterKeys(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 1, "it is there again")

		// One that somebody has written over.
		change(t, db, func(ctx context.Context, q *store.Queries) error {
			if err := q.DeleteMasterKey(ctx, rows[0].ID); err != nil {
				return err
			}
			rows[0].Canary[10] ^= 1
			return q.InsertMasterKey(ctx, &rows[0])
		})
		assert.Contains(t, refused(t, db, text(k.Given())), "damaged")
	})
}

func TestServersThatStartAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		shared := file(t)
		var group sync.WaitGroup
		for range 8 { // with one folder, and so one key
			group.Go(func() {
				_, err := keys.Open(t.Context(), db, shared, slog.New(slog.DiscardHandler))
				assert.NoError(t, err)
			})
		}
		group.Wait()
		change(t, db, forget)
		folders := make([]keys.Source, 8) // each with its own: one is the first
		started := make(chan int, len(folders))
		for i := range folders {
			folders[i] = file(t)
			group.Go(func() {
				if _, err := keys.Open(t.Context(), db, folders[i], slog.New(slog.DiscardHandler)); err == nil {
					started <- i
				} else {
					assert.NoFileExists(t, folders[i].File, "a key that is of no use is not left")
				}
			})
		}
		group.Wait()
		require.Len(t, started, 1)
		open(t, db, folders[<-started])
	})
}

func TestTheKeyIsChanged(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		old, next := newKey(t), newKey(t)
		first := open(t, db, text(old))
		for i := range 120 { // more than one batch
			require.NoError(t, seal(t, db, first.Sealer(), fmt.Sprint("v", i)))
		}
		running := open(t, db, text(old)) // another server, which does not hear of it yet

		// It is killed after a part: each of the keys goes on to open all.
		require.NoError(t, first.Change(t.Context(), next))
		cut, kill := context.WithCancel(t.Context())
		kill()
		_, err := first.Reseal(cut)
		require.Error(t, err)
		values, err := db.Read().SealedOtherwise(t.Context(), next.ID(), store.Sealed{}, 50)
		require.NoError(t, err)
		change(t, db, func(ctx context.Context, q *store.Queries) error {
			for i := range values {
				v, err := next.Seal([]byte("of "+values[i].Identity()), values[i].Identity())
				require.NoError(t, err)
				if err := q.Reseal(ctx, &values[i], v); err != nil {
					return err
				}
			}
			return nil
		})
		for _, key := range []*secret.Key{old, next} {
			assert.Equal(t, 480, allOpen(t, db, open(t, db, text(key)).Sealer()))
		}
		assert.Equal(t, 480, allOpen(t, db, running.Sealer()), "a server that runs learns the new key")
		assert.Contains(t, refused(t, db, text(newKey(t))), next.ID())
		err = first.Change(t.Context(), newKey(t))
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "one change at a time")

		// The same again goes on.
		second := open(t, db, text(old))
		require.NoError(t, second.Change(t.Context(), next))
		done, err := second.Reseal(t.Context())
		require.NoError(t, err)
		assert.Equal(t, keys.Resealed{Values: 430}, done)
		counts, err := db.Read().CountSealed(t.Context())
		require.NoError(t, err)
		assert.Equal(t, map[string]int{next.ID(): 480}, counts)

		// A server that has not heard yet seals with the old one, until that is forgotten.
		unaware := secret.NewSealer(old, nil)
		require.NoError(t, seal(t, db, unaware, "late"))
		_, err = second.Finish(t.Context())
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), "not while the servers are given the old one")
		last := open(t, db, text(next))
		done, err = last.Finish(t.Context())
		require.NoError(t, err)
		assert.Equal(t, keys.Resealed{Values: 4}, done)
		assert.Equal(t, 484, allOpen(t, db, open(t, db, text(next)).Sealer()))
		assert.Contains(t, refused(t, db, text(old)), "an old copy")
		err = seal(t, db, unaware, "too late")
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "nothing is written that nobody can open")
		rows, err := db.Read().MasterKeys(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 1)
		assert.Empty(t, rows[0].Handed)
		_, err = last.Finish(t.Context())
		require.NoError(t, err, "it may be said twice")
		require.Error(t, last.Change(t.Context(), next), "that is no change")
	})
}

func TestAServerThatRunsHearsOfAChange(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		old, next, third := newKey(t), newKey(t), newKey(t)
		server := open(t, db, text(old))
		ended := make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { ended <- server.Run(ctx) }()

		require.NoError(t, open(t, db, text(old)).Change(t.Context(), next))
		require.Eventually(t, func() bool { return server.Sealer().Ring().Current.ID() == next.ID() }, 10*time.Second, 10*time.Millisecond)
		_, err := open(t, db, text(next)).Finish(t.Context())
		require.NoError(t, err)
		require.NoError(t, seal(t, db, server.Sealer(), "a"))

		// A database of another key, which nothing hands over.
		change(t, db, func(ctx context.Context, q *store.Queries) error {
			if err := forget(ctx, q); err != nil {
				return err
			}
			return q.InsertMasterKey(ctx, &store.MasterKey{ID: third.ID(), Canary: []byte("of another one"), Current: true})
		})
		select {
		case err := <-ended:
			require.ErrorContains(t, err, third.ID())
		case <-time.After(10 * time.Second):
			t.Fatal("the server goes on with a key that is not the database's")
		}
	})
}

func TestWhatNoKeyOpensIsNamed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, again func() *store.Store) {
		db := again()
		old, next := newKey(t), newKey(t)
		require.NoError(t, seal(t, db, secret.NewSealer(newKey(t), nil), "stranger"))
		require.NoError(t, seal(t, db, secret.NewSealer(old, nil), "own"))
		k := open(t, db, text(old)) // of an older version: no record yet
		require.NoError(t, k.Change(t.Context(), next))
		done, err := k.Reseal(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 4, done.Values)
		assert.ElementsMatch(t, []string{"credential/stranger", "operation/stranger", "repository/stranger", "resource/stranger/privateKey"}, done.Lost)
		_, err = open(t, db, text(next)).Finish(t.Context())
		require.NoError(t, err)
	})
}
