package v1_test

import (
	"bytes"
	"context"
	"net/http"
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
func TestWhatIsKeptIsWhatIsRecorded(t *testing.T) {
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
						assert.Equal(t, ordinary(value), string(got.body), path)
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

// A kubeconfig stands beside names that others choose: it is kept by nobody, and its
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
