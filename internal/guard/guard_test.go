package guard_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/guard"
)

// write makes a file with a mode, whatever the umask.
func write(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestWhatOthersCouldReadIsClosed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	db, program := write(t, filepath.Join(dir, "mcic.db"), 0o644), write(t, filepath.Join(dir, "drivers", "mcic-driver-x"), 0o755)
	token := write(t, filepath.Join(dir, "token"), 0o644)
	closed, err := guard.Folder(dir, "mcic.db", "mcic.db-wal")
	require.NoError(t, err)
	assert.Len(t, closed, 2)
	assert.Equal(t, os.FileMode(0o700), modeOf(t, dir))
	assert.Equal(t, os.FileMode(0o600), modeOf(t, db))
	assert.Equal(t, os.FileMode(0o755), modeOf(t, program), "nobody can come to it")
	assert.Equal(t, os.FileMode(0o644), modeOf(t, token), "who reads it refuses it: others may know it")
	closed, err = guard.Folder(dir, "mcic.db")
	require.NoError(t, err)
	assert.Empty(t, closed)
}

func TestWhatOthersCanWriteIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string) (path string){
		"the folder": func(t *testing.T, dir string) string {
			t.Helper()
			require.NoError(t, os.Chmod(dir, 0o777))
			return dir
		},
		"the database": func(t *testing.T, dir string) string {
			t.Helper()
			return write(t, filepath.Join(dir, "mcic.db"), 0o666)
		},
		"the master key": func(t *testing.T, dir string) string {
			t.Helper()
			return write(t, filepath.Join(dir, "master.key"), 0o602)
		},
		"a driver": func(t *testing.T, dir string) string {
			t.Helper()
			return write(t, filepath.Join(dir, "drivers", "mcic-driver-x"), 0o777)
		},
		"a package": func(t *testing.T, dir string) string {
			t.Helper()
			return write(t, filepath.Join(dir, "installed", "aws", "1", "driver"), 0o757)
		},
		"the folder of drivers": func(t *testing.T, dir string) string {
			t.Helper()
			path := filepath.Dir(write(t, filepath.Join(dir, "drivers", "mcic-driver-x"), 0o755))
			require.NoError(t, os.Chmod(path, 0o777))
			return path
		},
		"a group": func(t *testing.T, dir string) string {
			t.Helper()
			path := write(t, filepath.Join(dir, "mcic.db"), 0o660)
			giveTo(t, path, -1, 65531)
			return path
		},
		"another user": func(t *testing.T, dir string) string {
			t.Helper()
			path := write(t, filepath.Join(dir, "mcic.db"), 0o600)
			giveTo(t, path, 65531, -1)
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "work", "mock", "state"), 0o666) // a driver's own business
			path := spoil(t, dir)
			before := modeOf(t, path)
			_, err := guard.Folder(dir, "mcic.db")
			require.ErrorContains(t, err, path+" ")
			assert.Equal(t, before, modeOf(t, path), "it is to be looked at first")
		})
	}
}

func TestAProgramThatOthersCanChangeIsRefused(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "bin", "mcic-driver-x"), 0o755)
	link := filepath.Join(t.TempDir(), "mcic-driver-x")
	require.NoError(t, os.Symlink(path, link))
	require.NoError(t, guard.Program(link))
	dir := filepath.Dir(path)
	require.NoError(t, os.Chmod(dir, 0o777))
	require.ErrorContains(t, guard.Program(link), dir+" can be written by everybody (mode 0777)")
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))
	require.NoError(t, guard.Program(link), "nobody else can replace it there")
	require.NoError(t, os.Chmod(path, 0o757))
	require.ErrorContains(t, guard.Program(link), path+" can be written by everybody")
}

func TestNewFilesAreTheUsersAlone(t *testing.T) {
	before := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(before) })
	guard.Only()
	path := filepath.Join(t.TempDir(), "new")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, os.FileMode(0o600), modeOf(t, path))
}

// giveTo gives a file to somebody else, which only root can.
func giveTo(t *testing.T, path string, uid, gid int) {
	t.Helper()
	if err := os.Chown(path, uid, gid); err != nil {
		t.Skipf("SKIPPED, NOT TESTED WITH ANOTHER OWNER: %v", err)
	}
}
