package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// keyFile makes a master key.
func keyFile(t *testing.T) (path string, key *secret.Key) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	key, err := secret.NewKey()
	require.NoError(t, err)
	require.NoError(t, secret.WriteNew(path, key.Text()))
	return path, key
}

// sealing has servers seal new credentials until it is stopped, of which none may fail.
// It answers how many there are.
func sealing(t *testing.T, prefix string, servers ...*world) (stop func() int64) {
	t.Helper()
	var (
		made  atomic.Int64
		group sync.WaitGroup
	)
	client := &http.Client{Timeout: 30 * time.Second}
	load, end := context.WithCancel(t.Context())
	for n, w := range servers {
		group.Go(func() {
			for i := 0; load.Err() == nil; i++ {
				body := fmt.Sprintf(`{"name":"%s-%d-%d","cloud":"mock","values":{"account":"mine","password":"sealed-and-secret"}}`, prefix, n, i)
				if !assert.NoError(t, w.JSON(t.Context(), client, http.MethodPost, "/v1/credentials", body, nil), "the change disturbs a server") {
					return
				}
				made.Add(1)
			}
		})
	}
	stop = func() int64 { end(); group.Wait(); return made.Load() }
	t.Cleanup(func() { stop() })
	require.Eventually(t, func() bool { return made.Load() > 20 }, 30*time.Second, time.Millisecond)
	return stop
}

// sealedWith checks that everything in a database is sealed with one key, and answers how
// much that is.
func sealedWith(t *testing.T, data, databaseURL string, key *secret.Key) int64 {
	t.Helper()
	s, err := store.OpenBeside(t.Context(), data, databaseURL)
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	counts, err := s.Read().CountSealed(t.Context())
	require.NoError(t, err)
	assert.Len(t, counts, 1)
	return int64(counts[key.ID()])
}

func TestTheMasterKeyIsChangedWhileAServerRuns(t *testing.T) {
	w := newWorld(t)
	w.do("credential create key --cloud mock --set account=mine --set password=sealed-and-secret")
	w.do("connection create c --cloud mock --credential key --region mock-seoul")
	file := filepath.Join(w.data, "master.key")
	old, err := secret.ReadKey(file)
	require.NoError(t, err)
	stop := sealing(t, "first", w)
	out := w.do("server rekey")
	made := stop()
	next, err := secret.ReadKey(file)
	require.NoError(t, err)
	assert.Contains(t, out, next.ID())
	assert.Equal(t, made+1, sealedWith(t, w.data, "", next))
	w.do("connection check c")
	w.do("vpc create v -c c --cidr 10.0.0.0/16 --wait")
	for _, key := range []*secret.Key{old, next} {
		assert.NotContains(t, w.Output()+out, string(key.Text()))
	}

	require.NoError(t, w.Stop())
	_, err = mcic.Start(t.Context(), programs, w.data, "--master-key-file", file+"."+old.ID())
	require.ErrorContains(t, err, "is an old copy")
	w.start()
	w.do("connection check c")
}

func TestTheMasterKeyOfServersThatShareADatabaseIsChanged(t *testing.T) {
	oldFile, old := keyFile(t)
	nextFile, next := keyFile(t)
	strange, stranger := keyFile(t)
	databaseURL := storetest.Postgres(t)
	shared := []string{"--database-url", databaseURL}
	servers := []*world{
		newWorld(t, slices.Concat(shared, []string{"--master-key-file", oldFile})...),
		newWorld(t, slices.Concat(shared, []string{"--master-key-command", "cat " + oldFile})...),
	}
	w := servers[0]
	w.do("credential create key --cloud mock --set account=mine --set password=sealed-and-secret")
	w.do("connection create c --cloud mock --credential key --region mock-seoul --setting latency=3s")
	w.do("vpc create slow -c c --cidr 10.0.0.0/16")

	// One with another key takes no part, also where others have left work.
	_, err := mcic.Start(t.Context(), programs, t.TempDir(), slices.Concat(shared, []string{"--master-key-file", strange})...)
	require.ErrorContains(t, err, "this one is "+stranger.ID())
	assert.NotContains(t, err.Error(), string(stranger.Text()))
	_, err = mcic.Start(t.Context(), programs, t.TempDir(), shared...)
	require.ErrorContains(t, err, "No new one is made")
	require.Eventually(t, func() bool { return strings.Contains(w.do("vpc get slow -c c"), "available") }, 60*time.Second, 100*time.Millisecond)

	stop := sealing(t, "first", servers...)
	w.do("server rekey --database-url %s --master-key-file %s --new-master-key-file %s", databaseURL, oldFile, nextFile)
	assert.Contains(t, w.fails(4, "server rekey --database-url %s --master-key-file %s --finish", databaseURL, oldFile), "give all servers the new one")
	made := stop()
	for i, s := range servers { // with the new key; in the environment, one of them
		require.NoError(t, s.Stop())
		if s.args = shared; i == 0 {
			s.args = slices.Concat(shared, []string{"--master-key-file", nextFile})
		} else {
			t.Setenv("MCIC_MASTER_KEY", string(next.Text()))
		}
		s.start()
	}
	require.NoError(t, os.Unsetenv("MCIC_MASTER_KEY"))
	stop = sealing(t, "second", servers...)
	w.do("server rekey --database-url %s --master-key-file %s --finish", databaseURL, nextFile)
	made += stop()
	assert.Equal(t, made+1, sealedWith(t, "", databaseURL, next))
	for _, s := range servers {
		s.do("connection check c")
		for _, key := range []*secret.Key{old, next} {
			assert.NotContains(t, s.Output(), string(key.Text()))
		}
	}
	_, err = mcic.Start(t.Context(), programs, t.TempDir(), slices.Concat(shared, []string{"--master-key-file", oldFile})...)
	require.ErrorContains(t, err, "is an old copy")
}
