package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/sso/ssotest"
)

// ssoServer is a server of the API that tells who asks, by tokens of a provider.
func ssoServer(t *testing.T, ways api.LoginWays, issuer string) string {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /v1/session/ways", func(w http.ResponseWriter, _ *http.Request) { answer(w, ways) })
	provider, err := sso.New(sso.Config{Issuer: issuer, Client: ssotest.Client})
	require.NoError(t, err)
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) {
		id, _, err := provider.Bearer(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{"code": "unauthenticated", "detail": err.Error()})
			return
		}
		answer(w, api.Me{Name: id.Name})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheCommandLineLogsInAtTheProvider(t *testing.T) {
	played := ssotest.New(t, map[string]any{"sub": "1", "preferred_username": "anna"})
	played.Approve()
	played.Lasts(10 * time.Minute)
	server := ssoServer(t, api.LoginWays{SingleSignOn: &api.SingleSignOn{Issuer: played.URL, Client: ssotest.CommandLine}}, played.URL)
	s := newShell(t, nil)
	delete(s.env, "MCIC_TOKEN")
	var later atomic.Int64
	s.adapt = func(e *Env) { e.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) } }
	s.env["MCIC_CONFIG"] = s.path("config.yaml")
	assert.Contains(t, s.ok("login lab --sso --server "+server), "as anna")
	assert.Contains(t, s.err.String(), played.URL+"/device")
	assert.Contains(t, s.err.String(), "ABCD-EFGH")
	info, err := os.Stat(s.path("config.yaml"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	assert.Contains(t, s.ok("whoami -o name"), "anna")
	_, renewed, _ := played.Count()
	assert.Zero(t, renewed)

	// A token that has run out is renewed, and what is new is kept.
	for i := range 2 {
		later.Store(int64(time.Duration(i+1) * 11 * time.Minute))
		assert.Contains(t, s.ok("whoami -o name"), "anna")
	}
	_, renewed, _ = played.Count()
	assert.Equal(t, 2, renewed)
	assert.NotContains(t, s.ok("context list -o json"), "eyJ")

	assert.NotZero(t, s.run("login lab --sso --user anna"))
	s.ok("logout")
	_, _, revoked := played.Count()
	assert.Equal(t, 1, revoked)
	raw, err := os.ReadFile(s.path("config.yaml"))
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "eyJ")
	assert.NotZero(t, s.run("logout"), "nobody is logged in")

	s.ok("login lab --sso")
	played.User(nil)
	later.Store(int64(time.Hour))
	assert.NotZero(t, s.run("whoami"))
	assert.Contains(t, s.err.String(), "mcic login lab --sso")
}

func TestASingleSignOnThatIsNotThere(t *testing.T) {
	played := ssotest.New(t, nil)
	s := newShell(t, nil)
	for server, says := range map[string]string{
		ssoServer(t, api.LoginWays{Passwords: true}, played.URL):                                                          "has no single sign-on",
		ssoServer(t, api.LoginWays{SingleSignOn: &api.SingleSignOn{Issuer: played.URL}}, played.URL):                      "--sso-cli-client",
		ssoServer(t, api.LoginWays{SingleSignOn: &api.SingleSignOn{Issuer: "http://192.0.2.1", Client: "x"}}, played.URL): "needs https://",
	} {
		assert.NotZero(t, s.run("login lab --sso --server "+server))
		assert.Contains(t, s.err.String(), says)
	}
	played.NoDevices()
	assert.NotZero(t, s.run("login lab --sso --server "+ssoServer(t, api.LoginWays{SingleSignOn: &api.SingleSignOn{Issuer: played.URL, Client: "x"}}, played.URL)))
	assert.Contains(t, s.err.String(), "make a token there")
}
