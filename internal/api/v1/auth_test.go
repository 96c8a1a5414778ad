package v1_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	v1 "github.com/m-cmp/mc-infra-connector/internal/api/v1"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
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
		targets = append(targets, target{r.method, r.at(map[string]string{"connection": "mock", "name": "mock", "id": "x", "driver": "mock", "receipt": "eA"})})
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

func TestABrowserLogsIn(t *testing.T) {
	a := start(t, enginetest.Options{})
	var cookie string
	do := func(method, path, body string) answer {
		r := a.request(method, path, strings.NewReader(body))
		r.Header.Del("Authorization")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set(auth.SessionHeader, "1")
		r.Header.Set("Cookie", cookie)
		return a.exchange(r)
	}
	const session = "/v1/session"
	got := do(http.MethodGet, "/v1/connections", "")
	isProblem(t, http.StatusUnauthorized, got)
	assert.Len(t, got.header.Values("WWW-Authenticate"), 1, "the browser would ask for a password")
	isProblem(t, http.StatusUnauthorized, do(http.MethodGet, session, ""))
	isProblem(t, http.StatusUnauthorized, do(http.MethodPost, session, `{"token":"wrong"}`))
	isProblem(t, http.StatusUnprocessableEntity, do(http.MethodPost, session, `token`))

	got = do(http.MethodPost, session, `{"token":"`+token+`"}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	cookie, _, _ = strings.Cut(got.header.Get("Set-Cookie"), ";")
	assert.Equal(t, http.StatusOK, do(http.MethodGet, session, "").status)
	assert.Equal(t, http.StatusOK, do(http.MethodGet, "/v1/connections", "").status)
	assert.Equal(t, http.StatusAccepted, do(http.MethodPost, "/v1/connections/mock/vpcs", `{"name":"v1","spec":{"cidr":"10.0.0.0/16"}}`).status)

	forged := a.request(http.MethodPost, "/v1/connections/mock/vpcs", strings.NewReader(`{"name":"v2","spec":{"cidr":"10.0.0.0/16"}}`))
	forged.Header.Del("Authorization")
	forged.Header.Set("Cookie", cookie)
	isProblem(t, http.StatusUnauthorized, a.exchange(forged))

	assert.Equal(t, http.StatusNoContent, do(http.MethodDelete, session, "").status)
	isProblem(t, http.StatusUnauthorized, do(http.MethodGet, "/v1/connections", ""))
}

func TestTheConsoleAnswersWhatIsNotTheAPIs(t *testing.T) {
	a := start(t, enginetest.Options{})
	open := func(path, accept string) answer {
		r := a.request(http.MethodGet, path, nil)
		r.Header.Del("Authorization")
		r.Header.Set("Accept", accept)
		return a.exchange(r)
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, path := range []string{"/", "/resources/vms", "/assets/index-1.js", "/v2"} {
		assert.Equal(t, consolePage, string(open(path, browser).body), path)
	}
	for _, path := range []string{"/", "/assets/index-1.js", "/icon.svg"} {
		assert.Equal(t, consolePage, string(open(path, "*/*").body), path)
	}
	for _, path := range []string{"/v1", "/v1/nothing", "/healthz/x", "/openapi.json/x"} {
		isProblem(t, http.StatusNotFound, open(path, browser))
	}
	isProblem(t, http.StatusNotFound, open("/v2/vms", "application/json"))
	isProblem(t, http.StatusNotFound, a.post("/resources/vms", "{}"))
}

func TestEveryKindAndCatalogIsDescribed(t *testing.T) {
	a := start(t, enginetest.Options{})
	var kinds struct{ Items []v1.KindInfo }
	require.NoError(t, json.Unmarshal(a.get("/v1/kinds").body, &kinds))
	require.Len(t, kinds.Items, len(resource.Kinds()))
	for _, k := range kinds.Items {
		for _, v := range k.Views {
			assert.Equal(t, map[string]string{"kubeconfig": "kubeconfig", "token": "kubeconfig", "password": "password"}[v.Name], v.Right, v.Name)
		}
		if k.Name == resource.VM.Name {
			assert.Contains(t, string(k.Create), `"x-kind":"subnet"`)
			assert.Contains(t, string(k.Create), `"x-catalog":"image"`)
			assert.Contains(t, string(k.Create), `"x-order":["name","labels","spec","onFailure","then","count"]`)
			assert.Equal(t, []resource.State{resource.StateStopped}, k.Actions[0].From)
		}
	}
	var catalogs struct{ Items []v1.CatalogInfo }
	require.NoError(t, json.Unmarshal(a.get("/v1/catalogs").body, &catalogs))
	assert.Len(t, catalogs.Items, len(resource.Catalogs()))
}

// Who knows the password of a user with a second step is asked for the code by the name of its
// field, in a browser and elsewhere.
func TestALoginWithASecondStepIsAskedForTheCode(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.post("/v1/users", `{"name":"anna","password":"correct horse battery"}`)
	made := into[api.IssuedToken](t, a.post("/v1/tokens", `{"name":"ci","user":"anna"}`))
	r := a.request(http.MethodPost, "/v1/me:totp", strings.NewReader(`{"password":"correct horse battery"}`))
	r.Header.Set("Authorization", "Bearer "+made.Token)
	require.Len(t, into[api.TOTPSecret](t, a.exchange(r)).Secret, 32)
	require.NoError(t, a.Store.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, "anna")
		row.TOTPOn = true
		sum := sha256.Sum256([]byte("ABCDEFGH"))
		return errors.Join(err, q.SetTOTP(ctx, row, []string{hex.EncodeToString(sum[:])}))
	}))
	login := func(path, body string) answer {
		r := a.request(http.MethodPost, path, strings.NewReader(body))
		r.Header.Del("Authorization")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set(auth.SessionHeader, "1")
		return a.exchange(r)
	}
	for path, rest := range map[string]string{"/v1/session": "", "/v1/login": `,"name":"cli"`} {
		p := isProblem(t, http.StatusUnauthorized, login(path, `{"user":"anna","password":"correct horse battery"`+rest+`}`))
		require.Len(t, p.Fields, 1, path)
		assert.Equal(t, "code", p.Fields[0].Field)
		p = isProblem(t, http.StatusUnauthorized, login(path, `{"user":"anna","password":"correct horse battery","code":"12345678"`+rest+`}`))
		require.Len(t, p.Fields, 1, path)
		assert.Contains(t, p.Fields[0].Message, "wrong")
	}
	assert.Equal(t, http.StatusOK, login("/v1/session", `{"user":"anna","password":"correct horse battery","code":"abcd-efgh"}`).status)
	r = a.request(http.MethodGet, "/v1/me", nil)
	r.Header.Set("Authorization", "Bearer "+made.Token)
	assert.Equal(t, http.StatusOK, a.exchange(r).status, "tokens are not asked for codes")
}
