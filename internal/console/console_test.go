package console

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func get(t *testing.T, files fstest.MapFS, path string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := handler(files)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w
}

func built() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep":           {},
		"index.html":         {Data: []byte(`<script nonce="CSP_NONCE" src="/assets/a-1.js"></script>`)},
		"assets/a-1.js":      {Data: []byte(strings.Repeat("let a = 1;", 200))},
		"icon.svg":           {Data: []byte("<svg/>")},
		"assets/style-2.css": {Data: []byte("a{}")},
	}
}

func TestEveryPathHasThePageWithANonceOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, path := range []string{"/", "/resources/vms", "/index.html", "/.gitkeep", "/../go.mod", "/assets"} {
		w := get(t, built(), path)
		assert.Equal(t, http.StatusOK, w.Code, path)
		assert.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"), path)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), path)
		_, rest, _ := strings.Cut(w.Body.String(), `nonce="`)
		nonce, _, _ := strings.Cut(rest, `"`)
		assert.GreaterOrEqual(t, len(nonce), 20)
		assert.False(t, seen[nonce], "each answer has another nonce")
		seen[nonce] = true
		policy := w.Header().Get("Content-Security-Policy")
		assert.Contains(t, policy, "'nonce-"+nonce+"'")
		assert.NotContains(t, policy, "unsafe")
	}
}

func TestHashedFilesAreKept(t *testing.T) {
	w := get(t, built(), "/assets/a-1.js")
	assert.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	assert.Contains(t, w.Header().Get("Content-Type"), "javascript")
	assert.Contains(t, get(t, built(), "/assets/style-2.css").Header().Get("Content-Type"), "text/css")
	assert.Equal(t, "no-cache", get(t, built(), "/icon.svg").Header().Get("Cache-Control"))
	assert.Equal(t, http.StatusNotFound, get(t, built(), "/assets/old-9.js").Code)
}

func TestFilesThatTheBuildHasCompressed(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(built()["assets/a-1.js"].Data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	h, err := handler(fstest.MapFS{"index.html": {}, "assets/a-1.js.gz": {Data: packed.Bytes()}})
	require.NoError(t, err)
	for accepted, encoding := range map[string]string{"gzip, br": "gzip", "": ""} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/assets/a-1.js", http.NoBody)
		r.Header.Set("Accept-Encoding", accepted)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, encoding, w.Header().Get("Content-Encoding"))
		assert.Contains(t, w.Header().Get("Content-Type"), "javascript")
		assert.Contains(t, w.Header().Get("Vary"), "Accept-Encoding")
		want := packed.Bytes()
		if encoding == "" {
			want = built()["assets/a-1.js"].Data
		}
		assert.Equal(t, want, w.Body.Bytes())
	}
}

func TestWithoutABuildThePageSaysHowToMakeOne(t *testing.T) {
	w := get(t, fstest.MapFS{".gitkeep": {}}, "/")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), "make build")
	assert.NotContains(t, w.Body.String(), nonceMark)
}

func TestTheEmbeddedFilesAreServed(t *testing.T) {
	_, err := Handler()
	require.NoError(t, err)
}
