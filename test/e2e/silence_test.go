package e2e

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// stopped stops a server that is to be started again, or not to be.
func (w *world) stopped() {
	w.t.Helper()
	require.NoError(w.t, w.Stop())
}

// refused has a start refused, and answers what was said.
func (w *world) refused(args ...string) string {
	w.t.Helper()
	_, err := mcic.Start(w.t.Context(), programs, w.data, append(w.args, args...)...)
	require.Error(w.t, err)
	return err.Error()
}

func TestTheDataFolderIsTheServersAlone(t *testing.T) {
	before := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(before) })
	w := newWorld(t, "--dev")
	w.do("vpc create v -c mock --cidr 10.0.0.0/16 --wait")
	require.NoError(t, filepath.WalkDir(w.data, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if !strings.HasPrefix(path, filepath.Join(w.data, "run")+"/") { // sockets, in a folder that only this user enters
			assert.Zero(t, info.Mode().Perm()&0o077, "%s has mode %s", path, info.Mode())
		}
		return nil
	}))

	w.stopped()
	database := filepath.Join(w.data, store.SQLiteFile)
	require.NoError(t, os.Chmod(w.data, 0o755))   // as an older version left it
	require.NoError(t, os.Chmod(database, 0o644)) // as above
	w.start()
	assert.Contains(t, w.Output(), "others could read what is in the data folder")
	info, err := os.Stat(database)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	w.stopped()
	require.NoError(t, os.Chmod(database, 0o666)) // what is tested
	assert.Contains(t, w.refused(), database+" can be written by everybody (mode 0666)")
	require.NoError(t, os.Chmod(database, 0o600))
	w.start()
}

func TestADatabaseThatIsMissingIsNoFirstStart(t *testing.T) {
	w := newWorld(t)
	w.do("credential create key --cloud mock --set account=mine --set password=sealed-and-secret")
	w.stopped()
	database, elsewhere := filepath.Join(w.data, store.SQLiteFile), filepath.Join(t.TempDir(), "mcic.db")
	require.NoError(t, os.Rename(database, elsewhere))
	assert.Contains(t, w.refused(), "is empty or not there, but a server has used the data folder before")
	assert.NoFileExists(t, database, "nothing is begun")
	require.NoError(t, os.WriteFile(database, nil, 0o600))
	assert.Contains(t, w.refused(), "start the server once with --new-database")

	require.NoError(t, os.Rename(elsewhere, database))
	w.start()
	assert.Contains(t, w.do("credential list"), "key")
	w.stopped()
	require.NoError(t, os.Remove(database))
	w.args = []string{"--new-database"}
	w.start()
	assert.NotContains(t, w.do("credential list"), "key")
	w.args = nil
	w.stopped()
	w.start()
}

func TestADatabaseThatIsTakenAwayUnderTheServer(t *testing.T) {
	w := newWorld(t, "--dev")
	w.do("vpc create v -c mock --cidr 10.0.0.0/16 --wait")
	require.NoError(t, os.Remove(filepath.Join(w.data, store.SQLiteFile+"-wal")))
	require.ErrorContains(t, w.end(), "All that was recorded is in mcic.db now: start the server again")
	w.start()
	w.do("vpc get v -c mock")

	w.do("vpc create w -c mock --cidr 10.1.0.0/16 --wait")
	require.NoError(t, os.Remove(filepath.Join(w.data, store.SQLiteFile)))
	require.ErrorContains(t, w.end(), "All that was recorded is in "+filepath.Join(w.data, store.SQLiteFile+".saved-"))
	assert.Contains(t, w.refused(), "to go on with it, remove", "nothing is begun before somebody has decided")
	saved, err := store.Saved(w.data)
	require.NoError(t, err)
	require.Len(t, saved, 1)
	for _, name := range store.SQLiteFiles() {
		if err := os.Remove(filepath.Join(w.data, name)); err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	}
	require.NoError(t, os.Rename(saved[0], filepath.Join(w.data, store.SQLiteFile)))
	w.start()
	w.do("vpc get v -c mock")
	w.do("vpc get w -c mock")
}

func TestADatabaseThatIsDamagedUnderTheServer(t *testing.T) {
	w := newWorld(t, "--dev")
	w.do("vpc create v -c mock --cidr 10.0.0.0/16 --wait")
	backup := filepath.Join(t.TempDir(), "backup.tar.gz")
	w.do("server backup %s", backup)
	w.stopped()
	w.start() // with everything in the file
	database := filepath.Join(w.data, store.SQLiteFile)
	f, err := os.OpenFile(database, os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, info.Size()-4096), 4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Eventually(t, func() bool {
		status, _ := w.ask(http.MethodPost, "/v1/connections/mock/vpcs", `{"name":"x","spec":{"cidr":"10.1.0.0/16"}}`)
		ready, _ := w.ask(http.MethodGet, "/readyz", "")
		return status == http.StatusServiceUnavailable && ready == http.StatusServiceUnavailable
	}, 30*time.Second, 50*time.Millisecond)
	status, _ := w.ask(http.MethodGet, "/healthz", "")
	assert.Equal(t, http.StatusOK, status, "it is not to be ended and started for it")
	w.Kill()
	assert.Contains(t, w.refused(), "mcic server restore FILE --data "+w.data)
	for _, name := range store.SQLiteFiles() {
		if err := os.Remove(filepath.Join(w.data, name)); err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	}
	w.do("server restore %s", backup)
	w.start()
	w.do("vpc get v -c mock")
}

// end waits for a server that ends by itself, and answers why it did.
func (w *world) end() error {
	w.t.Helper()
	require.Eventually(w.t, w.Ended, 30*time.Second, 10*time.Millisecond)
	return w.Stop()
}
