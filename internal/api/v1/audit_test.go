package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

func TestTheAuditTrailHasLoginsAndSecretsThatAreRead(t *testing.T) {
	a := start(t, enginetest.Options{})
	browser := func(method, cookie, body string) answer {
		r := a.request(method, "/v1/session", strings.NewReader(body))
		r.Header.Del("Authorization")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set(auth.SessionHeader, "1")
		r.Header.Set("Cookie", cookie)
		return a.exchange(r)
	}
	isProblem(t, http.StatusUnauthorized, browser(http.MethodPost, "", `{"token":"wrong"}`))
	cookie, _, _ := strings.Cut(browser(http.MethodPost, "", `{"token":"`+token+`"}`).header.Get("Set-Cookie"), ";")
	require.Equal(t, http.StatusNoContent, browser(http.MethodDelete, cookie, "").status)
	browser(http.MethodDelete, cookie, "") // is out already
	wrong := a.request(http.MethodGet, "/v1/connections", nil)
	wrong.Header.Set("Authorization", "Bearer "+strings.ToUpper(token))
	isProblem(t, http.StatusUnauthorized, a.exchange(wrong))
	a.get("/v1/connections/mock/clusters/none/kubeconfig")
	a.network()
	a.create("mock", "cluster", "k8s", `{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":"`+a.Spec+`"}]}`)
	a.get("/v1/connections/mock/clusters/k8s/kubeconfig")

	var got []string
	for _, e := range into[page[api.AuditEntry]](t, a.get("/v1/audit?sort=id&filter=kind=session")).Items {
		got = append(got, e.Who+" "+e.Verb+" "+e.Outcome)
	}
	assert.Equal(t, []string{"nobody login unauthenticated", "admin login ok", "admin logout ok", "nobody login unauthenticated"}, got)
	read := into[page[api.AuditEntry]](t, a.get("/v1/audit?filter=verb=kubeconfig")).Items
	require.Len(t, read, 1, "of what is not there nothing is read")
	assert.Equal(t, []string{"admin", "cluster", "mock", "k8s", "ok"}, []string{read[0].Who, read[0].Kind, read[0].Connection, read[0].Name, read[0].Outcome})

	require.NoError(t, a.Store.SealAudit(t.Context()))
	proof := into[api.AuditProof](t, a.get("/v1/audit:verify"))
	assert.True(t, proof.Holds, proof.Broken)
	assert.Positive(t, proof.Last)
}

// An entry says by which token something was asked for, also when it ends later, and nothing of a
// login in a browser.
func TestTheAuditTrailHasTheTokenThatWasUsed(t *testing.T) {
	a := start(t, enginetest.Options{})
	into[api.User](t, a.post("/v1/users", `{"name":"anna","password":"correct horse battery"}`))
	into[api.Grant](t, a.post("/v1/grants", `{"user":"anna","role":"operator"}`))
	made := into[api.IssuedToken](t, a.post("/v1/tokens", `{"name":"ci","user":"anna"}`))
	ask := func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		got := a.exchange(r)
		require.Equal(t, http.StatusCreated, got.status, string(got.body))
	}
	byToken := a.request(http.MethodPost, "/v1/connections/mock/vpcs?wait=30s", strings.NewReader(`{"name":"one","spec":{"cidr":"10.0.0.0/16"}}`))
	byToken.Header.Set("Authorization", "Bearer "+made.Token)
	ask(byToken)
	login := a.request(http.MethodPost, "/v1/session", strings.NewReader(`{"user":"anna","password":"correct horse battery"}`))
	browser := func(r *http.Request) *http.Request {
		r.Header.Del("Authorization")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set(auth.SessionHeader, "1")
		return r
	}
	cookie, _, _ := strings.Cut(a.exchange(browser(login)).header.Get("Set-Cookie"), ";")
	byCookie := browser(a.request(http.MethodPost, "/v1/connections/mock/vpcs?wait=30s", strings.NewReader(`{"name":"two","spec":{"cidr":"10.0.0.0/16"}}`)))
	byCookie.Header.Set("Cookie", cookie)
	ask(byCookie)

	entries := into[page[api.AuditEntry]](t, a.get("/v1/audit?sort=id&filter=who=anna&filter=kind=vpc")).Items
	require.Len(t, entries, 2)
	assert.Equal(t, []string{"one", made.ID, "ci", "two", "", ""}, []string{
		entries[0].Name, entries[0].TokenID, entries[0].TokenName, entries[1].Name, entries[1].TokenID, entries[1].TokenName,
	})
	assert.Len(t, into[page[api.AuditEntry]](t, a.get("/v1/audit?filter=tokenId="+made.ID)).Items, 1)
	byAdmin := into[page[api.AuditEntry]](t, a.get("/v1/audit?filter=tokenName~admin&filter=verb=create&filter=kind=person")).Items
	require.NotEmpty(t, byAdmin)
	assert.Equal(t, auth.Admin, byAdmin[0].TokenID)
}
