package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestEveryRouteNeedsTheToken(t *testing.T) {
	a := start(t, enginetest.Options{})
	type target struct{ method, path string }
	targets := []target{
		{http.MethodGet, "/metrics"},
		{http.MethodGet, "/docs"},
		{http.MethodGet, "/docs/"},
		{http.MethodGet, "/docs/swagger-ui.css"},
		{http.MethodGet, "/openapi.json"},
		{http.MethodGet, "/openapi.yaml"},
		{http.MethodGet, "/openapi-3.0.json"},
		{http.MethodHead, "/v1/connections"},
	}
	for _, r := range a.schema.routes {
		targets = append(targets, target{r.method, r.at(map[string]string{"connection": "mock", "name": "mock", "id": "x"})})
	}
	require.Greater(t, len(targets), 40)

	for _, target := range targets {
		for _, wrong := range []string{"", "Bearer", "Bearer wrong", "Bearer " + token + "x", token, "Token " + token, "Basic eDp3cm9uZw=="} {
			r := a.request(target.method, target.path, nil)
			r.Header.Del("Authorization")
			if wrong != "" {
				r.Header.Set("Authorization", wrong)
			}
			got := a.send(r)
			ways := got.header.Values("WWW-Authenticate")
			require.NotEmpty(t, ways, "%s with %q", got.about, wrong)
			assert.True(t, strings.HasPrefix(ways[0], "Bearer "), got.about)
			reads := target.method == http.MethodGet || target.method == http.MethodHead
			assert.Equal(t, reads, len(ways) == 2 && strings.HasPrefix(ways[1], "Basic "), "%s offers %v", got.about, ways)
			if target.method == http.MethodHead {
				assert.Equal(t, http.StatusUnauthorized, got.status)
				continue
			}
			p := isProblem(t, http.StatusUnauthorized, got)
			assert.Equal(t, resource.CodeUnauthenticated, p.Code)
			assert.NotContains(t, string(got.body), token)
		}
	}
}

func TestHealthNeedsNoToken(t *testing.T) {
	db, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	a := start(t, enginetest.Options{Store: db})
	for _, path := range []string{"/healthz", "/readyz"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := a.request(method, path, nil)
			r.Header.Del("Authorization")
			got := a.send(r)
			assert.Equal(t, http.StatusOK, got.status, got.about)
			if method == http.MethodGet {
				assert.Equal(t, "ok\n", string(got.body))
			}
		}
	}
	a.Stop()
	require.NoError(t, db.Close())
	assert.Equal(t, http.StatusOK, a.get("/healthz").status, "the server itself is well")
	isProblem(t, http.StatusServiceUnavailable, a.get("/readyz"))
}

func TestBasicPasswordReadsOnly(t *testing.T) {
	a := start(t, enginetest.Options{})
	for method, status := range map[string]int{
		http.MethodGet: http.StatusOK, http.MethodHead: http.StatusOK, http.MethodPost: http.StatusUnauthorized,
	} {
		r := a.request(method, "/v1/connections", nil)
		r.SetBasicAuth("anyone", token)
		assert.Equal(t, status, a.send(r).status, method)
	}
	r := a.request(http.MethodDelete, "/v1/connections/mock", nil)
	r.SetBasicAuth("anyone", token)
	isProblem(t, http.StatusUnauthorized, a.send(r))
	assert.Contains(t, a.names("/v1/connections"), "mock")
}
