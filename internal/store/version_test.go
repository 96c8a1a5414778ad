package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
)

// What another server of the same database changes makes another version, too.
func TestEveryChangeMakesAnotherVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		writer := s
		if s.Shared() {
			writer = open()
		}
		version := func() string {
			t.Helper()
			v, err := s.Version(t.Context())
			require.NoError(t, err)
			return v
		}
		before := version()
		assert.NotEmpty(t, before)
		assert.Equal(t, before, version(), "nothing has changed")
		for _, name := range []string{"a", "b"} {
			require.NoError(t, writer.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
				return q.InsertCredential(ctx, &store.Credential{Name: name, Cloud: "mock", Sealed: []byte("x")})
			}))
			after := version()
			assert.NotEqual(t, before, after)
			before = after
		}
		_ = writer.Update(t.Context(), func(context.Context, *store.Queries) error { return errors.New("no") })
		rows, err := s.Read().Credentials(t.Context())
		require.NoError(t, err)
		assert.Len(t, rows, 2)
	})
}

// While a change becomes visible, some have read it already and others have not: what is
// read then holds for no version.
func TestACommitHasNoVersion(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	before, err := s.Version(t.Context())
	require.NoError(t, err)
	s.Commit()
	during, err := s.Version(t.Context())
	require.NoError(t, err)
	assert.Empty(t, during)
	s.Commit()
	after, err := s.Version(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, []string{"", before}, after)
}
