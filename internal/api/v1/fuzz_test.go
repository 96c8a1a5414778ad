package v1_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// recorder ends the request when its answer begins to stream, which only events do.
type recorder struct {
	*httptest.ResponseRecorder
	end context.CancelFunc
}

func (r recorder) Flush() { r.end() }

func (r recorder) SetWriteDeadline(time.Time) error { return nil }

// serve answers a request in process and fails unless it is a success, a redirect
// or a problem of the client's.
func serve(t *testing.T, handler http.Handler, s schema, r *http.Request) {
	t.Helper()
	ctx, end := context.WithCancel(r.Context())
	defer end()
	r.Header.Set("Authorization", "Bearer "+token)
	w := recorder{httptest.NewRecorder(), end}
	handler.ServeHTTP(w, r.WithContext(ctx))
	got := answer{w.Code, w.Header(), w.Body.Bytes(), r.Method + " " + r.URL.String(), ""}
	if got.status >= http.StatusInternalServerError {
		t.Fatalf("%s is answered %d: %s", got.about, got.status, got.body)
	}
	if got.status >= http.StatusBadRequest && !strings.HasPrefix(r.URL.Path, "/docs/") { // those are files for browsers
		isProblem(t, got.status, got)
	}
	if utf8.ValidString(r.URL.Path) {
		s.check(t, r.Method, r.URL.Path, got)
	}
}

// FuzzCreate holds that no body of a create, or of anything else that takes one,
// makes an error of the server.
func FuzzCreate(f *testing.F) {
	e := enginetest.New(f, enginetest.Options{})
	e.Network()
	handler, s := newHandler(f, e), newSchema()
	var paths []string
	for _, r := range s.routes {
		if r.method == http.MethodPost {
			paths = append(paths, r.at(map[string]string{"connection": "mock", "name": "v"}))
		}
	}
	slices.Sort(paths)
	seeds := []string{
		``, ` `, `{}`, `null`, `[]`, `{"name":`, `{"name":"a"} x`, `{"name":"../a","spec":{}}`, "{\"name\":\"a\x00\xff\"}", `{"name":"a","name":"b"}`, `{"NAME":"a"}`,
		`{"name":"a","spec":{"cidr":"10.0.0.0/16"}}`, `{"name":"a","labels":{"b":"c"},"spec":{"vpc":"v","cidr":"10.0.0.0/16"}}`,
		`{"name":"a","spec":{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":65536,"cidr":"0.0.0.0/0"}]}}`,
		`{"name":"a","spec":{"algorithm":"ed25519"}}`, `{"name":"a","spec":{"publicKey":"ssh-ed25519 AAAA"}}`,
		`{"name":"a","spec":` + e.VMSpec() + `}`, `{"rules":[{"direction":"in","protocol":"all","cidr":"0.0.0.0/0"}]}`,
		`{"name":"a","cloud":"mock","values":{"password":"b"}}`, `{"name":"a","cloud":"mock","region":"mock-seoul","settings":{"latency":"1s"}}`,
		`{"name":"a","cloud":"moon","credential":"b"}`, `{"name":1e400}`, `{"spec":{"rootDiskSizeGiB":1e20}}`, strings.Repeat(`[`, 20_000),
	}
	for i := range paths {
		for _, seed := range seeds {
			f.Add(uint(i), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, i uint, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, paths[i%uint(len(paths))]+"?check=false", strings.NewReader(string(body)))
		if !strings.HasSuffix(r.URL.Path, "/connections") {
			r.URL.RawQuery = ""
		}
		serve(t, handler, s, r)
	})
}

// FuzzPath holds that no path and no query makes an error of the server.
func FuzzPath(f *testing.F) {
	e := enginetest.New(f, enginetest.Options{})
	e.Network()
	handler, s := newHandler(f, e), newSchema()
	queries := []string{
		"", "pageSize=1", "pageSize=0&pageToken=x", "filter=name=v", "filter=labels.a!=b&filter=spec.cidr~10", "filter=%00", "filter=%FF", "filter=name=%C3&filter=%A9",
		"sort=-createdAt", "sort=;", "wait=1ns", "wait=99h", "connection=mock&filter=os=ubuntu", "connection=mock&sort=-memoryMiB&pageToken=7", "%zz", "a=b", "filter=spec.$[=1",
	}
	for _, r := range s.routes {
		path := r.at(map[string]string{"connection": "mock", "name": "v", "id": "x"})
		f.Add(r.method == http.MethodDelete, path, "")
		if r.method == http.MethodGet {
			for _, q := range queries {
				f.Add(false, path, q)
			}
		}
	}
	for _, path := range []string{
		"", "/", "//", "/v1", "/v1/connections/../mock", "/v1/connections/\x00", "/v1/connections/\xff/vpcs", "/v1/connections/%00", "/v1/connections/a b", "/v1/connections/mock/vpcs/v:fly",
		"/v1/connections/'/vpcs", "/docs/../openapi.json", "/docs/index.html", "/metrics", "/healthz", "/readyz", "/openapi.yaml", "/v1/operations/\U0001F600", "/" + strings.Repeat("x", 10_000),
	} {
		f.Add(false, path, "")
		f.Add(true, path, "")
	}
	f.Fuzz(func(t *testing.T, remove bool, path, query string) {
		method := http.MethodGet
		if remove {
			method = http.MethodDelete
		}
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		r.URL = &url.URL{Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
		serve(t, handler, s, r)
	})
}
