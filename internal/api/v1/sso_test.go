package v1_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/sso/ssotest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// withSSO serves the API with a provider at which anna is logged in, who may see all of mock.
func withSSO(t *testing.T) (*routes, *ssotest.Provider) {
	t.Helper()
	played := ssotest.New(t, map[string]any{"sub": "1", "preferred_username": "anna", "groups": []string{"team-a"}})
	provider, err := sso.New(sso.Config{Issuer: played.URL, Title: "Main", Client: ssotest.Client, Secret: ssotest.Secret, CommandLine: ssotest.CommandLine})
	require.NoError(t, err)
	e := enginetest.New(t, enginetest.Options{})
	e.Connect("other")
	handler, _ := openWith(t, e, provider)
	a := served(t, e, handler)
	a.made("/v1/groups", map[string]any{"name": "team-a"})
	a.made("/v1/grants", map[string]any{"group": "team-a", "role": "viewer", "connections": []string{"mock"}})
	return a, played
}

// browse has a browser open addresses, and follow where they lead.
func (a *routes) browse() func(method, path string) answer {
	a.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(a.t, err)
	client := *a.client
	client.Jar, client.CheckRedirect = jar, nil
	return func(method, path string) answer {
		r := a.request(method, path, nil)
		r.Header.Del("Authorization")
		r.Header.Set("Accept", "text/html")
		r.Header.Set(auth.SessionHeader, "1")
		return a.exchangeBy(&client, r)
	}
}

func TestABrowserLogsInAtTheProvider(t *testing.T) {
	a, played := withSSO(t)
	browse := a.browse()
	assert.JSONEq(t, `{"passwords":true,"singleSignOn":{"name":"Main","path":"/v1/session/sso","issuer":"`+played.URL+`","client":"mcic-cli"}}`, string(browse(http.MethodGet, "/v1/session/ways").body))
	got := browse(http.MethodGet, "/v1/session/sso?return=/resources/vms%3Fq%3D1")
	assert.Equal(t, consolePage, string(got.body), "it goes on where it wanted to")
	assert.Equal(t, "/resources/vms?q=1", got.at)
	assert.Contains(t, string(browse(http.MethodGet, "/v1/session").body), `"user":"anna"`)
	connections := string(browse(http.MethodGet, "/v1/connections").body)
	assert.Contains(t, connections, `"mock"`)
	assert.NotContains(t, connections, `"other"`)
	isProblem(t, http.StatusForbidden, browse(http.MethodGet, "/v1/users"))

	out := browse(http.MethodDelete, "/v1/session")
	assert.Equal(t, http.StatusOK, out.status)
	assert.Contains(t, string(out.body), `{"logoutAt":"`+played.URL+`/end?`)
	isProblem(t, http.StatusUnauthorized, browse(http.MethodGet, "/v1/session"))
	assert.Equal(t, http.StatusNoContent, browse(http.MethodDelete, "/v1/session").status)
}

func TestALoginAtTheProviderLeadsNowhereElse(t *testing.T) {
	a, played := withSSO(t)
	browse := a.browse()
	for _, page := range []string{"https://other.example.com/", "//other.example.com", `/\other.example.com`, `\\other.example.com`, "other", "javascript:alert(1)", "http:/x", "/%0a/x", "/\t/other.example.com"} {
		got := browse(http.MethodGet, "/v1/session/sso?return="+url.QueryEscape(page))
		if page == "/%0a/x" {
			continue // a path with an escaped character is one
		}
		assert.Equal(t, http.StatusBadRequest, got.status, page)
	}
	got := browse(http.MethodGet, "/v1/session/sso/callback?code=x&state=x&error=%3Cscript%3E")
	assert.Equal(t, http.StatusUnauthorized, got.status)
	assert.Contains(t, string(got.body), "log in again")
	assert.NotContains(t, string(got.body), "<script>")
	assert.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'")
	isProblem(t, http.StatusUnauthorized, a.exchange(a.request(http.MethodGet, "/v1/session/sso/callback", nil)))
	assert.Contains(t, string(a.get("/v1/audit?filter=verb=login").body), "not the browser")

	played.Down(true)
	require.Eventually(t, func() bool { // that it was there is known for a moment
		got = browse(http.MethodGet, "/v1/session/sso")
		return got.status == http.StatusServiceUnavailable
	}, 20*time.Second, 200*time.Millisecond)
	assert.Contains(t, string(got.body), "cannot be used at the moment")
	assert.Equal(t, http.StatusOK, browse(http.MethodGet, "/v1/session/ways").status)
}

func TestTheProviderTellsOfALogout(t *testing.T) {
	a, played := withSSO(t)
	browse := a.browse()
	browse(http.MethodGet, "/v1/session/sso")
	require.Equal(t, http.StatusOK, browse(http.MethodGet, "/v1/session").status)
	tell := func(token string) answer {
		r := a.request(http.MethodPost, "/v1/session/sso/logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		r.Header.Del("Authorization")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return a.exchange(r)
	}
	for _, wrong := range []string{"", "x", played.Logout(map[string]any{"aud": "shop"}), strings.Repeat("x", 1<<20)} {
		isProblem(t, http.StatusBadRequest, tell(wrong))
	}
	assert.Equal(t, http.StatusOK, browse(http.MethodGet, "/v1/session").status)
	assert.Equal(t, http.StatusOK, tell(played.Logout(nil)).status)
	isProblem(t, http.StatusUnauthorized, browse(http.MethodGet, "/v1/session"))
}

func TestATokenOfTheProviderIsTaken(t *testing.T) {
	a, played := withSSO(t)
	assert.Contains(t, string(a.as(played.Access(nil), http.MethodGet, "/v1/me", "").body), `"name":"anna"`)
	p := isProblem(t, http.StatusUnauthorized, a.as(played.Access(map[string]any{"aud": "account"}), http.MethodGet, "/v1/me", ""))
	assert.Equal(t, resource.CodeUnauthenticated, p.Code)
	assert.Contains(t, p.Detail, "made for account and not for mcic")
}

func TestWithoutAProviderThereIsNoSingleSignOn(t *testing.T) {
	a := start(t, enginetest.Options{})
	assert.JSONEq(t, `{"passwords":true}`, string(a.exchange(a.request(http.MethodGet, "/v1/session/ways", nil)).body))
	for _, path := range []string{"/v1/session/sso", "/v1/session/sso/callback"} {
		assert.Equal(t, resource.CodeUnsupported, isProblem(t, http.StatusUnprocessableEntity, a.exchange(a.request(http.MethodGet, path, nil))).Code)
	}
	assert.GreaterOrEqual(t, a.exchange(a.request(http.MethodPost, "/v1/session/sso/logout", nil)).status, 400)
}
