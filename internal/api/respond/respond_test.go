package respond

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask has next answer a GET with these headers, given as name, value, ….
func ask(t *testing.T, next http.Handler, headers ...string) *http.Response {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	new(Codings).Represent(next).ServeHTTP(w, r)
	return w.Result()
}

func answers(body, kind, control string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		if control != "" {
			w.Header().Set("Cache-Control", control)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// unpacked is what was compressed.
func unpacked(t *testing.T, coding string, r io.Reader) string {
	t.Helper()
	switch coding {
	case "gzip":
		gz, err := gzip.NewReader(r)
		require.NoError(t, err)
		r = gz
	case "zstd":
		z, err := zstd.NewReader(r)
		require.NoError(t, err)
		defer z.Close()
		r = z
	}
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(raw)
}

func TestAnAnswerIsTheSameInEveryForm(t *testing.T) {
	body := `{"items":["` + strings.Repeat("abc", 1000) + `"]}`
	handler := answers(body, "application/json", "", http.StatusOK)
	tags := map[string]bool{}
	for header, coding := range map[string]string{
		"": "", "identity": "", "br": "", "gzip": "gzip", "gzip, deflate, br, zstd": "zstd", "GZIP;q=0.5 , zstd;q=0.1": "gzip", "gzip;q=0": "", "zstd;q=x": "",
	} {
		got := ask(t, handler, "Accept-Encoding", header)
		assert.Equal(t, coding, got.Header.Get("Content-Encoding"), header)
		assert.Equal(t, "Accept-Encoding", got.Header.Get("Vary"))
		tag := got.Header.Get("ETag")
		assert.Equal(t, coding != "", strings.HasPrefix(tag, "W/"), "compressed it is other bytes")
		tags[strings.TrimPrefix(tag, "W/")] = true
		assert.Equal(t, body, unpacked(t, coding, got.Body), header)
		require.NoError(t, got.Body.Close())

		for _, known := range []string{tag, `"other", ` + tag, "W/" + strings.TrimPrefix(tag, "W/"), "*"} {
			same := ask(t, handler, "Accept-Encoding", header, "If-None-Match", known)
			raw, err := io.ReadAll(same.Body)
			require.NoError(t, err)
			require.NoError(t, same.Body.Close())
			assert.Equal(t, http.StatusNotModified, same.StatusCode, known)
			assert.Empty(t, raw)
			assert.Equal(t, tag, same.Header.Get("ETag"))
		}
		other := ask(t, answers(body+" ", "application/json", "", http.StatusOK), "If-None-Match", tag)
		require.NoError(t, other.Body.Close())
		assert.Equal(t, http.StatusOK, other.StatusCode)
	}
	assert.Len(t, tags, 1)
}

// What has a secret, above all, is not compressed beside what somebody else may have
// chosen.
func TestWhatIsNotRepresented(t *testing.T) {
	long := strings.Repeat("abc", 1000)
	for name, handler := range map[string]http.Handler{
		"a secret": answers(long, "application/json", "no-store", http.StatusOK),
		"an error": answers(long, "application/problem+json", "", http.StatusNotFound),
		"no JSON":  answers(long, "text/event-stream", "", http.StatusOK),
		"packed": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "x")
			answers(long, "application/json", "", http.StatusOK)(w, r)
		}),
		"a created": answers(long, "application/json", "", http.StatusCreated),
	} {
		got := ask(t, handler, "Accept-Encoding", "zstd, gzip")
		raw, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		assert.Equal(t, long, string(raw), name)
		assert.Empty(t, strings.TrimPrefix(got.Header.Get("Content-Encoding"), "x")+got.Header.Get("ETag"), name)
	}
	short := ask(t, answers(`{}`, "application/json", "", http.StatusOK), "Accept-Encoding", "gzip")
	require.NoError(t, short.Body.Close())
	assert.Empty(t, short.Header.Get("Content-Encoding"))
	assert.NotEmpty(t, short.Header.Get("ETag"))
}

// Tables are used again, by one at a time.
func TestCompressingTakesLittleMemory(t *testing.T) {
	var codings Codings
	for _, coding := range []string{zstdCoding, gzipCoding} {
		var group sync.WaitGroup
		packed := make([][]byte, 50)
		body := func(i int) string { return strings.Repeat(strconv.Itoa(i)+" ", 2000) }
		for i := range packed {
			group.Go(func() { packed[i] = codings.compress(coding, []byte(body(i))) })
		}
		group.Wait()
		for i := range packed {
			assert.Equal(t, body(i), unpacked(t, coding, bytes.NewReader(packed[i])), coding)
		}
		raw := []byte(body(1))
		fresh := testing.AllocsPerRun(100, func() {
			var none Codings
			none.compress(coding, raw)
		})
		again := testing.AllocsPerRun(100, func() { codings.compress(coding, raw) })
		assert.Less(t, again, fresh*3/4, "%s: under the race detector, one of four is dropped", coding)
	}
}

func TestAnAnswerIsMadeOncePerVersion(t *testing.T) {
	var codings Codings
	var c Cache
	made := 0
	get := func(version, key string) {
		t.Helper()
		a, err := c.Get(version, key, func() (*Answer, error) {
			made++
			return codings.New([]byte(version+key), "application/json"), nil
		})
		require.NoError(t, err)
		assert.Equal(t, version+key, string(a.raw))
	}
	for range 3 {
		get("1", "a")
		get("1", "b")
	}
	assert.Equal(t, 2, made)
	get("2", "a")
	assert.Equal(t, 3, made)
	_, err := c.Get("2", "c", func() (*Answer, error) { return nil, errors.New("no") })
	require.Error(t, err)
	get("2", "c")

	for range 2 {
		get("", "a")
	}
	assert.Equal(t, 6, made, "of no version nothing is cached")
}

// What is cached is bounded with all that it takes: keys, which clients choose, and the forms
// in which it may be asked for.
func TestWhatIsCachedIsBounded(t *testing.T) {
	var codings Codings
	var c Cache
	add := func(key string, length int) {
		t.Helper()
		_, err := c.Get("1", key, func() (*Answer, error) { return codings.New(make([]byte, length), "application/json"), nil })
		require.NoError(t, err)
	}
	long := strings.Repeat("k", most/3)
	for _, key := range []string{"x", "y", "z", "w"} {
		add(key+long, 2)
	}
	assert.Len(t, c.answers, 2)
	for _, key := range []string{"x", "y", "z", "w"} {
		add(key, most/7)
	}
	assert.Len(t, c.answers, 2)
	add("too large", most/2)
	assert.Len(t, c.answers, 2)
	assert.NotContains(t, c.answers, "too large")
	assert.LessOrEqual(t, c.size, most)
}
