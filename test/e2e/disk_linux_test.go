package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED ON A FULL DISK: a disk for it cannot be mounted: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, 0)) })
	w := &world{t: t, data: filepath.Join(disk, "data"), args: []string{"--dev"}, home: t.TempDir()}
	w.start()
	t.Cleanup(func() { assert.NoError(t, w.Stop()) })
	w.do("connection create slow --cloud mock --region mock-seoul --setting latency=3s")
	w.do("vpc create before -c slow --cidr 10.0.0.0/16 --wait")

	w.do("vpc create under-way -c slow --cidr 10.3.0.0/16")
	require.Eventually(t, func() bool { return read[resource.Resource](w, "vpc get under-way -c slow").CloudID != "" }, 10*time.Second, 20*time.Millisecond)
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	accepted := []string{"under-way"}
	refused := ""
	for i := 0; refused == ""; i++ {
		require.Less(t, i, 5000, "the disk is not full")
		name := "v" + time.Now().Format("150405.000000")
		switch status, code := w.ask(http.MethodPost, vpcsOfSlow, `{"name":"`+name+`","spec":{"cidr":"10.1.0.0/16"}}`); status {
		case http.StatusAccepted:
			accepted = append(accepted, name)
		default:
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Equal(t, resource.CodeUnavailable, code)
			refused = name
		}
	}
	ready := func(want int) func() bool {
		return func() bool { status, _ := w.ask(http.MethodGet, "/readyz", ""); return status == want }
	}
	require.Eventually(t, ready(http.StatusServiceUnavailable), 20*time.Second, 50*time.Millisecond)
	status, _ := w.ask(http.MethodGet, vpcsOfSlow+"/before", "")
	assert.Equal(t, http.StatusOK, status, "what is recorded can be read")
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(read[[]api.InventoryItem](w, "connection inventory slow"), func(i api.InventoryItem) bool {
			return i.Name == "under-way" && i.State == resource.StateAvailable
		})
	}, 20*time.Second, 100*time.Millisecond, "the cloud is ready")
	assert.NotEqual(t, resource.StateAvailable, read[resource.Resource](w, "vpc get under-way -c slow").State, "that cannot be recorded")

	require.NoError(t, os.Remove(filler))
	require.Eventually(t, ready(http.StatusOK), 20*time.Second, 50*time.Millisecond)
	w.do("vpc create after -c slow --cidr 10.2.0.0/16 --wait")
	w.fails(3, "vpc get %s -c slow", refused)
	for _, name := range accepted {
		require.Eventually(t, func() bool {
			return read[resource.Resource](w, "vpc get %s -c slow", name).State == resource.StateAvailable
		}, time.Minute, 200*time.Millisecond, "the work goes on by itself")
	}
	for _, item := range read[[]api.InventoryItem](w, "connection inventory slow") {
		assert.Equal(t, api.InBoth, item.Where, "%+v", item)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 16; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			size /= 16
		}
	}
	require.NoError(t, f.Close())
}
