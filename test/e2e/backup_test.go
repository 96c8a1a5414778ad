package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// restored is a server on a data folder that was restored.
func restored(t *testing.T, data string) *world {
	t.Helper()
	w := &world{t: t, data: data, home: t.TempDir()}
	w.start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the restored server's output:\n%s", w.Output())
		}
		assert.NoError(t, w.Stop())
	})
	return w
}

func TestABackupOfABusyServerIsRestored(t *testing.T) {
	w := newWorld(t)
	w.do("credential create key --cloud mock --set account=mine --set password=sealed-and-secret")
	w.do("connection create c --cloud mock --credential key --region mock-seoul")
	w.do("credential create bad-key --cloud mock --set password=wrong")
	w.do("connection create bad --cloud mock --credential bad-key --region mock-seoul --no-check")
	w.do("vpc create first -c c --cidr 10.0.0.0/16 --wait")

	var (
		accepted atomic.Int64
		group    sync.WaitGroup
	)
	client := &http.Client{Timeout: 30 * time.Second}
	load, stop := context.WithCancel(t.Context())
	for lane := range 4 {
		group.Go(func() {
			for i := 0; load.Err() == nil; i++ {
				body := fmt.Sprintf(`{"name":"v-%d-%d","spec":{"cidr":"10.0.0.0/16"}}`, lane, i)
				if !assert.NoError(t, w.JSON(t.Context(), client, http.MethodPost, "/v1/connections/c/vpcs", body, nil), "the backup disturbs the server") {
					return
				}
				accepted.Add(1)
			}
		})
	}
	defer group.Wait()
	defer stop()
	require.Eventually(t, func() bool { return accepted.Load() > 50 }, 30*time.Second, time.Millisecond)
	before := read[resource.Resource](w, "vpc get v-0-0 -c c")
	w.do("server backup plain.tar.gz")
	accepted.Store(0)
	require.Eventually(t, func() bool { return accepted.Load() > 50 }, 30*time.Second, time.Millisecond, "the server does not go on")
	w.do("server backup whole.tar.gz --with-master-key")
	stop()
	group.Wait()

	assert.Contains(t, w.fails(4, "server backup plain.tar.gz"), "--force")
	assert.Contains(t, w.fails(1, "server restore whole.tar.gz"), "another server uses the data folder")

	// The key is in the file.
	whole := filepath.Join(t.TempDir(), "restored")
	w.do("server restore whole.tar.gz --data %s", whole)
	assert.Contains(t, w.fails(4, "server restore whole.tar.gz --data %s", whole), "is there already")
	r := restored(t, whole)
	assert.Equal(t, w.Token, r.Token)
	assert.Equal(t, "first", read[resource.Resource](r, "vpc get first -c c").Name)
	assert.Equal(t, before.UID, read[resource.Resource](r, "vpc get v-0-0 -c c").UID)
	r.do("connection check c")
	assert.Contains(t, r.fails(5, "connection check bad"), "password", "the cloud was asked with what was sealed")
	r.do("vpc create later -c c --cidr 10.0.0.0/16 --wait")
	noSecretOnDisk(t, whole, "sealed-and-secret")

	// The key is kept apart.
	plain := filepath.Join(t.TempDir(), "restored")
	assert.Contains(t, w.do("server restore plain.tar.gz --data %s", plain), "The master key is missing")
	key, err := os.ReadFile(filepath.Join(w.data, "master.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(plain, "master.key"), key, 0o600))
	p := restored(t, plain)
	p.do("connection check c")
	assert.Equal(t, before.UID, read[resource.Resource](p, "vpc get v-0-0 -c c").UID)

	// Without the key nothing opens.
	sealed := filepath.Join(t.TempDir(), "restored")
	w.do("server restore plain.tar.gz --data %s", sealed)
	_, err = mcic.Start(t.Context(), programs, sealed)
	require.ErrorContains(t, err, "No new one is made")
	assert.NoFileExists(t, filepath.Join(sealed, "master.key"))
}
