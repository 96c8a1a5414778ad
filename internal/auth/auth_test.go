package auth_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
)

const known = "0123456789abcdef"

// folder is a data folder with a token file.
func folder(t *testing.T, content string, mode fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, auth.TokenFile)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return dir
}

func TestTheTokenIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first, created, err := auth.OpenToken(dir)
	require.NoError(t, err)
	assert.True(t, created)
	path := filepath.Join(dir, auth.TokenFile)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	text := strings.TrimSpace(string(content))
	assert.Regexp(t, "^[0-9a-f]{64}$", text)
	assert.True(t, first.Matches(text))

	second, created, err := auth.OpenToken(dir)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, first, second)
	other, _, err := auth.OpenToken(t.TempDir())
	require.NoError(t, err)
	assert.False(t, other.Matches(text))
}

func TestServersThatStartAtOnceShareAToken(t *testing.T) {
	dir := t.TempDir()
	tokens := make([]auth.Token, 16)
	var (
		group sync.WaitGroup
		made  atomic.Int32
	)
	for i := range tokens {
		group.Go(func() {
			token, created, err := auth.OpenToken(dir)
			assert.NoError(t, err)
			tokens[i] = token
			if created {
				made.Add(1)
			}
		})
	}
	group.Wait()
	assert.Equal(t, int32(1), made.Load())
	for _, token := range tokens {
		assert.Equal(t, tokens[0], token)
	}
}

func TestATokenFileOfNoUse(t *testing.T) {
	for what, dir := range map[string]string{
		"readable by the group": folder(t, known, 0o640),
		"readable by all":       folder(t, known, 0o604),
		"writable by all":       folder(t, known, 0o602),
		"short":                 folder(t, known[1:], 0o600),
		"short but for spaces":  folder(t, "  "+known[1:]+" \n\n", 0o600),
		"empty":                 folder(t, "", 0o600),
		"missing folder":        filepath.Join(t.TempDir(), "none"),
	} {
		token, created, err := auth.OpenToken(dir)
		require.ErrorContains(t, err, dir, what)
		assert.NotContains(t, err.Error(), known[1:], what)
		assert.False(t, created, what)
		assert.Equal(t, auth.Token{}, token, what)
	}
}

func TestWhoIsAllowed(t *testing.T) {
	token, _, err := auth.OpenToken(folder(t, " "+known+"\r\n", 0o600))
	require.NoError(t, err)
	basic := func(user, password string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for header, allowed := range map[string]struct{ read, change bool }{
		"":                                 {},
		known:                              {},
		"Bearer":                           {},
		"Bearer ":                          {},
		"Bearer " + known[1:]:              {},
		"Bearer " + known + "x":            {},
		"Bearer " + strings.ToUpper(known): {},
		"Token " + known:                   {},
		"Bearer" + known:                   {},
		"Bearer " + known:                  {true, true},
		"bearer " + known:                  {true, true},
		"Bearer  " + known + " ":           {true, true},
		basic("", known):                   {true, false},
		basic("anyone", known):             {true, false},
		basic(known, ""):                   {},
		basic("anyone", known+"x"):         {},
		"Basic " + known:                   {},
		"Basic !":                          {},
		"Basic OmFiYzo=":                   {},
	} {
		for method, want := range map[string]bool{
			http.MethodGet: allowed.read, http.MethodHead: allowed.read, http.MethodPost: allowed.change, http.MethodPut: allowed.change,
			http.MethodPatch: allowed.change, http.MethodDelete: allowed.change, http.MethodOptions: allowed.change,
		} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
			r.Header.Set("Authorization", header)
			assert.Equal(t, want, token.Allows(r), "%s with %q", method, header)
		}
	}
	assert.False(t, auth.Token{}.Matches(""), "a token that was not opened opens nothing")
}
