package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// filled is a data folder with a database of some size, which nobody has open.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	for i := range 400 {
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			return q.InsertResource(ctx, &store.Resource{
				UID: fmt.Sprintf("uid-%04d", i), Connection: "c", Kind: "vpc", Name: fmt.Sprintf("vpc-%04d", i), CloudID: fmt.Sprintf("id-%d", i),
				State: resource.StateAvailable, Effective: []byte(`{"cidr":"10.0.0.0/16"}`), Status: []byte(`{}`), Native: []byte(`{}`), CreatedAt: store.Micros(i + 1),
			}, nil)
		}))
	}
	require.NoError(t, s.Close())
	return dir
}

func TestADamagedDatabaseIsNotStartedWith(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(filled(t), store.SQLiteFile))
	require.NoError(t, err)
	const page = 4096
	pages := len(whole) / page
	require.Greater(t, pages, 50)
	spoiled := map[string][]byte{}
	for _, size := range []int{1, 99, 100, 600, page, page + 1, len(whole) / 2, len(whole) - page, len(whole) - 1} {
		spoiled[fmt.Sprintf("cut to %d bytes", size)] = whole[:size]
	}
	noise := rand.New(rand.NewPCG(1, 2)) // the same every time
	for i := range 12 {
		at := i * (pages - 1) / 11 * page
		other := append([]byte{}, whole...)
		for j := range page {
			other[at+j] = byte(noise.Uint32()) // any byte
		}
		spoiled[fmt.Sprintf("page %d garbled", at/page+1)] = other
	}
	for name, content := range spoiled {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, store.SQLiteFile)
			require.NoError(t, os.WriteFile(path, content, 0o600))
			_, err := store.OpenSQLite(t.Context(), dir)
			require.ErrorContains(t, err, "mcic server restore FILE --data "+dir, "the way out is said")
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, content, left, "it is left as it is")
		})
	}
}

// watched is a store that is looked after, and what that ends with.
func watched(t *testing.T, dir string) (s *store.Store, ended <-chan error) {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- s.Watch(ctx) }()
	t.Cleanup(func() { stop(); _ = s.Close() }) // a test may have closed it
	require.NoError(t, s.Ping(t.Context()))
	return s, end
}

func regions(t *testing.T, s *store.Store) (names []string) {
	t.Helper()
	rows, err := s.Read().Registrations(t.Context(), "region", "")
	require.NoError(t, err)
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names
}

func put(t *testing.T, s *store.Store, name string) error {
	t.Helper()
	return s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return putRegion(ctx, q, name) })
}

func TestFilesThatAreTakenAwayAreNoticedAndWhatIsRecordedIsSaved(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Remove(path)) },
		"replaced": func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.WriteFile(path+".other", []byte("another one"), 0o600))
			require.NoError(t, os.Rename(path+".other", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, ended := watched(t, dir)
			require.NoError(t, put(t, s, "before"))
			take(t, filepath.Join(dir, store.SQLiteFile))
			var end error
			select {
			case end = <-ended:
			case <-time.After(patience):
				t.Fatal("nobody has noticed")
			}
			require.ErrorContains(t, end, "/"+store.SQLiteFile+" was removed or replaced while the server ran")
			assert.ErrorContains(t, s.Ping(t.Context()), "nothing is changed any more")
			assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(put(t, s, "after")))

			saved, err := store.Saved(dir)
			require.NoError(t, err)
			require.Len(t, saved, 1)
			next := t.TempDir()
			require.NoError(t, os.Rename(saved[0], filepath.Join(next, store.SQLiteFile)))
			s, err = store.OpenSQLite(t.Context(), next)
			require.NoError(t, err)
			assert.Equal(t, []string{"before"}, regions(t, s))
			require.NoError(t, s.Close())
		})
	}
}

func TestALogThatVanishesIsNoticedAndNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	s, ended := watched(t, dir)
	require.NoError(t, put(t, s, "before"))
	require.NoError(t, os.Remove(filepath.Join(dir, store.SQLiteFile+"-wal")))
	select {
	case end := <-ended:
		require.ErrorContains(t, end, "All that was recorded is in mcic.db now")
	case <-time.After(patience):
		t.Fatal("nobody has noticed")
	}
	require.Error(t, put(t, s, "after"))
	require.NoError(t, s.Close())
	s, err := store.OpenSQLite(t.Context(), dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"before"}, regions(t, s))
	require.NoError(t, s.Close())
}

func TestDamageUnderARunningServerEndsItsChanges(t *testing.T) {
	dir := filled(t)
	s, _ := watched(t, dir)
	require.Eventually(t, func() bool { return s.CheckNow(t.Context()) == nil }, patience, time.Millisecond)
	f, err := os.OpenFile(filepath.Join(dir, store.SQLiteFile), os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, info.Size()-8*4096), 8*4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Error(t, s.CheckNow(t.Context()))
	require.ErrorContains(t, s.Ping(t.Context()), "mcic server restore FILE")
	assert.ErrorContains(t, put(t, s, "after"), "is damaged")
}

func TestAFullDiskIsSeenInHealthUntilThereIsRoom(t *testing.T) {
	s, _ := watched(t, t.TempDir())
	require.NoError(t, s.Fill(t.Context(), true))
	full := func() bool {
		for i := range 100 {
			_ = put(t, s, fmt.Sprintf("%d-%d", i, time.Now().UnixNano()))
		}
		return s.Ping(t.Context()) != nil
	}
	require.Eventually(t, full, patience, time.Millisecond)
	require.ErrorContains(t, s.Ping(t.Context()), "full")
	require.NoError(t, s.Fill(t.Context(), false))
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, patience, 10*time.Millisecond, "it returns by itself")
}
