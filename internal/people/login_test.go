package people

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// A login that is refused takes the same work whoever it names, so that its time tells nobody
// who there is.
func TestARefusedLoginTakesTheSameWork(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, err := New(t.Context(), Config{Store: s})
	require.NoError(t, err)
	_, err = p.CreateUser(As(t.Context(), Who{Name: "admin"}), []byte(`{"name":"anna","password":"correct horse battery"}`))
	require.NoError(t, err)
	p.hashing = make(hashers) // each hash asks here
	hashes := 0
	try := func(name string) int {
		before, ended := hashes, make(chan error)
		go func() { ended <- p.CheckLogin(t.Context(), name, "wrong", "") }()
		for {
			select {
			case <-p.hashing:
				hashes++
				p.hashing <- struct{}{}
			case err := <-ended:
				require.Error(t, err)
				return hashes - before
			}
		}
	}
	assert.Equal(t, 1, try("nobody"))
	for i := range freeTries + 2 { // the last ones find it locked
		assert.Equal(t, 1, try("anna"), i)
	}
}
