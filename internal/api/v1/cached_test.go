package v1_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What is answered once more is what would be read and encoded now, for every kind, and a
// client that has it is told so until something changes.
func TestWhatIsCachedIsWhatIsRecorded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		a := start(t, enginetest.Options{Store: open()})
		ordinary := func(value any) string {
			var raw bytes.Buffer
			require.NoError(t, huma.DefaultJSONFormat.Marshal(&raw, value))
			return raw.String()
		}
		known := func(path, tag string) answer {
			r := a.request(http.MethodGet, path, nil)
			r.Header.Set("If-None-Match", tag)
			return a.exchange(r)
		}
		for _, k := range resource.Kinds() {
			row := &store.Resource{
				UID: "uid-" + k.Name, Connection: "mock", Kind: k.Name, Name: "a", CloudID: "id-" + k.Name, State: "available",
				Labels: map[string]string{"b": "<é&\u2028>", "a": ""}, Effective: []byte(`{ "x": "<&>", "n": 1.50 }`), Status: []byte(`{}`), Native: []byte(`null`),
				Error: resource.Errorf(resource.CodeInternal, "a \"quote\""), CreatedAt: store.MicrosOf(time.Now()),
			}
			require.NoError(t, a.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.InsertResource(ctx, row, nil) }))
			base := "/v1/connections/mock/" + k.Plural()
			var tags []string
			for _, state := range []resource.State{"available", "error"} {
				row.State = state
				require.NoError(t, a.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error { return q.UpdateResource(ctx, row, "") }))
				found, err := a.Get(t.Context(), "mock", k.Name, "a")
				require.NoError(t, err)
				for path, value := range map[string]any{
					base + "/a": found, base: map[string]any{"items": []*resource.Resource{found}}, base + "?filter=name=none": map[string]any{"items": []*resource.Resource{}},
				} {
					for range 2 {
						got := a.exchange(a.request(http.MethodGet, path, nil))
						assert.JSONEq(t, ordinary(value), string(got.body), path) // databases order and escape anew what they read as JSON
						assert.Truef(t, bytes.HasSuffix(got.body, []byte("}\n")), "%q", got.body)
						assert.Equal(t, "application/json", got.header.Get("Content-Type"))
						tag := got.header.Get("ETag")
						same := known(path, tag)
						assert.Equal(t, http.StatusNotModified, same.status, path)
						assert.Empty(t, same.body)
						if path == base {
							tags = append(tags, tag)
						}
					}
				}
			}
			assert.Equal(t, tags[0], tags[1])
			assert.NotEqual(t, tags[1], tags[2], "it has changed")
			assert.Equal(t, http.StatusOK, known(base, tags[0]).status)
		}
	})
}

// HEAD says what GET would, and 304 as well. Who asks for a range gets the whole.
func TestHeadAndRangeOfWhatIsCached(t *testing.T) {
	a := start(t, enginetest.Options{})
	for i := range 20 {
		a.MustCreate("mock", "vpc", fmt.Sprint("v", i), `{"cidr":"10.0.0.0/16"}`)
	}
	const path = "/v1/connections/mock/vpcs"
	for _, coding := range []string{"identity", "zstd", "gzip"} {
		ask := func(method string, headers ...string) answer {
			r := a.request(method, path, nil)
			r.Header.Set("Accept-Encoding", coding)
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			return a.exchange(r)
		}
		got := ask(http.MethodGet)
		for what, other := range map[string]answer{"head": ask(http.MethodHead), "range": ask(http.MethodGet, "Range", "bytes=0-9")} {
			assert.Equal(t, http.StatusOK, other.status, what)
			for _, name := range []string{"ETag", "Vary", "Cache-Control", "Content-Encoding", "Content-Type", "Content-Length"} {
				assert.Equal(t, got.header.Values(name), other.header.Values(name), "%s %s", what, name)
			}
		}
		assert.Equal(t, got.body, ask(http.MethodGet, "Range", "bytes=0-9").body)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			same := ask(method, "If-None-Match", got.header.Get("ETag"))
			assert.Equal(t, http.StatusNotModified, same.status)
			assert.Equal(t, []string{"Accept-Encoding"}, same.header.Values("Vary"))
			assert.Equal(t, got.header.Get("ETag"), same.header.Get("ETag"))
			assert.Empty(t, same.body)
		}
	}
}

// What another server of the same database changes is seen here at once.
func TestNothingCachedOutlivesAChangeByAnotherServer(t *testing.T) {
	url := storetest.Postgres(t)
	open := func() *store.Store {
		s, err := store.OpenPostgres(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	}
	a, other := start(t, enginetest.Options{Store: open()}), open()
	for i := range 20 {
		require.NoError(t, other.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			return q.InsertResource(ctx, &store.Resource{
				UID: fmt.Sprint("uid-", i), Connection: "mock", Kind: "vpc", Name: fmt.Sprint("v", i), CloudID: fmt.Sprint("id-", i), State: "available",
				Effective: []byte(`{"cidr":"10.0.0.0/16"}`), Status: []byte(`{}`), Native: []byte(`null`), CreatedAt: store.MicrosOf(time.Now()),
			}, nil)
		}))
		assert.Len(t, a.names("/v1/connections/mock/vpcs"), i+1)
	}
}

// A kubeconfig stands beside names that others choose: it is stored by nobody, and its
// length tells nothing.
func TestViewsAreNotCompressed(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.network()
	r := a.request(http.MethodGet, "/v1/connections/mock/vms", nil)
	r.Header.Set("Accept-Encoding", "zstd")
	assert.NotEmpty(t, a.exchange(r).header.Get("ETag"))
	r = a.request(http.MethodGet, "/v1/connections/mock/vms/vm1/console", nil)
	r.Header.Set("Accept-Encoding", "zstd, gzip")
	got := a.exchange(r)
	assert.Equal(t, http.StatusOK, got.status, "%s", got.body)
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	assert.Empty(t, got.header.Get("Content-Encoding")+got.header.Get("ETag"))
}

// Whatever a GET answers that may be a secret is no-store, which the document says: it then
// is neither compressed nor cached. A new route with a secret is found by the names of what
// it answers, one that answers whatever a cloud says by having none.
func TestEveryAnswerWithASecretIsNoStore(t *testing.T) {
	d := documented(t)
	secret := regexp.MustCompile(`(?i)password|secret|token|kubeconfig|privatekey|passphrase`)
	known := []string{
		"nextPageToken", // where a list goes on
		"tokenId",       // by which token something was asked for
		"tokenName",
		"secrets", // of an operation, which only who asked for a creation is answered
	}
	var names func(schema any, seen map[string]bool) (all, secrets []string)
	names = func(schema any, seen map[string]bool) (all, secrets []string) {
		inner := func(value any) {
			a, s := names(value, seen)
			all, secrets = append(all, a...), append(secrets, s...)
		}
		switch v := schema.(type) {
		case []any:
			for _, value := range v {
				inner(value)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && !seen[ref] {
				seen[ref] = true
				inner(at(d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
			}
			properties, _ := v["properties"].(map[string]any)
			for name, p := range properties {
				all = append(all, name)
				if secret.MatchString(name) && !slices.Contains(known, name) && at(p, "writeOnly") != true && at(p, "type") != "boolean" {
					secrets = append(secrets, name)
				}
			}
			for _, value := range v {
				inner(value)
			}
		}
		return all, secrets
	}
	paths, _ := at(d, "paths").(map[string]any)
	unstored := 0
	for path, item := range paths {
		answer := at(item, "get", "responses", "200")
		body := at(answer, "content", jsonType, "schema")
		switch {
		case body == nil:
		case at(answer, "headers", "Cache-Control") != nil:
			unstored++
		default:
			all, secrets := names(body, map[string]bool{})
			assert.NotEmpty(t, all, "%s answers anything", path)
			assert.Empty(t, secrets, "%s", path)
		}
	}
	assert.NotZero(t, unstored)
}
