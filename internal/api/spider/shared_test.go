package spider_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

// Clients that poll are told that nothing has changed, until something has.
func TestPollingIsAnsweredByNotModified(t *testing.T) {
	a := registered(t, enginetest.Options{})
	a.network()
	poll := func(path, tag string) response {
		t.Helper()
		got := a.call(http.MethodGet, path, in("{}"), "If-None-Match", tag)
		assert.Contains(t, got.header.Values("Vary"), "Accept-Encoding", path)
		return got
	}
	a.ok(http.MethodPost, "/vm", a.vmBody("vm1"))
	for _, path := range []string{"/vm", "/vmstatus", "/vm/vm1", "/vmstatus/vm1", "/allvm"} {
		first := poll(path, "")
		require.Equal(t, http.StatusOK, first.status, "%s: %s", path, first.body)
		for range 2 {
			same := poll(path, first.header.Get("ETag"))
			assert.Equal(t, http.StatusNotModified, same.status, path)
			assert.Empty(t, same.body)
		}
		a.ok(http.MethodGet, "/controlvm/vm1?action=suspend", in("{}"))
		changed := poll(path, first.header.Get("ETag"))
		if path != "/allvm" { // which has names only
			assert.Equal(t, http.StatusOK, changed.status, path)
			assert.NotEqual(t, first.body, changed.body)
		}
		a.ok(http.MethodGet, "/controlvm/vm1?action=resume", in("{}"))
	}
	before := poll("/vm", "")
	a.ok(http.MethodPost, "/vm", a.vmBody("vm2"))
	after := poll("/vm", before.header.Get("ETag"))
	assert.Equal(t, http.StatusOK, after.status)
	assert.Contains(t, after.body, "vm2")
}
