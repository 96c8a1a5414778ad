package spider_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/people"
)

// TestEveryRouteAndEveryRole walks every route as everybody, in a connection in which one of them
// has a role and in another one, and compares who is let in with what is recorded, which people
// have read. Neither connection is there, so that nothing is changed.
func TestEveryRouteAndEveryRole(t *testing.T) {
	var who *people.People
	a := startWith(t, enginetest.Options{}, func(c *spider.Config) { who = c.People })
	admin := people.As(t.Context(), people.Who{Name: "admin"})
	made := func(name, role, connections string) string {
		_, err := who.CreateUser(admin, []byte(`{"name":"`+name+`"}`))
		require.NoError(t, err)
		if role != "" {
			_, err = who.CreateGrant(admin, []byte(`{"user":"`+name+`","role":"`+role+`","connections":[`+connections+`]}`))
			require.NoError(t, err)
		}
		token, err := who.CreateToken(admin, []byte(`{"user":"`+name+`","name":"t"}`))
		require.NoError(t, err)
		return token.Token
	}
	_, err := who.CreateRole(admin, []byte(`{"name":"labelled","rules":[{"verbs":["*"],"kinds":["*"],"labels":["team=a"]}]}`))
	require.NoError(t, err)
	tokens := map[string]string{
		"admin": token, "operator": made("o", "operator", ""), "viewer": made("v", "viewer", ""), "auditor": made("u", "auditor", ""),
		"operator-here": made("h", "operator", `"here"`), "labelled": made("l", "labelled", ""), "nobody": made("n", "", ""),
	}
	var lines []string
	for _, r := range spider.Routes() {
		if r.Missing != "" || r.Refused != "" || r.Public {
			continue
		}
		for _, connection := range []string{"here", "there"} {
			path := strings.ReplaceAll(r.Path, "{ConnectionName}", connection)
			if strings.Contains(path, "/connectionconfig/") {
				path = strings.ReplaceAll(path, "{Name}", connection)
			}
			path = strings.TrimPrefix(regexp.MustCompile(`\{[A-Za-z]+\}`).ReplaceAllString(path, "x"), spider.Prefix) + "?ConnectionName=" + connection + "&ResourceType=vm&action=suspend"
			var in []string
			for name, token := range tokens {
				got := a.call(r.Method, path, "", "Authorization", "Bearer "+token)
				if got.status != http.StatusForbidden {
					in = append(in, name)
				}
			}
			slices.Sort(in)
			lines = append(lines, fmt.Sprintf("%s %s | %s: %s", r.Method, r.Path, connection, strings.Join(in, " ")))
		}
	}
	golden, text := filepath.Join("testdata", "rights.txt"), strings.Join(lines, "\n")+"\n"
	if os.Getenv("MCIC_UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), text, "with MCIC_UPDATE=1 it is recorded anew, to be read")
}

// Who may use one connection is told of no other, and does nothing in it, whatever a request
// names.
func TestOneConnectionAlone(t *testing.T) {
	var who *people.People
	a := registeredWith(t, enginetest.Options{}, func(c *spider.Config) { who = c.People })
	a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"other","ProviderName":"MOCK","DriverName":"mock-driver01","CredentialName":"mock-credential01","RegionName":"mock-region01"}`)
	admin := people.As(t.Context(), people.Who{Name: "admin"})
	_, err := who.CreateUser(admin, []byte(`{"name":"one"}`))
	require.NoError(t, err)
	_, err = who.CreateGrant(admin, []byte(`{"user":"one","role":"operator","connections":["`+connection+`"]}`))
	require.NoError(t, err)
	var key *api.IssuedToken
	key, err = who.CreateToken(admin, []byte(`{"user":"one","name":"t"}`))
	require.NoError(t, err)
	one := func(method, path, body string) response {
		return a.call(method, path, body, "Authorization", "Bearer "+key.Token)
	}
	vpc := `,"ReqInfo":{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}}`
	a.ok(http.MethodPost, "/vpc", `{"ConnectionName":"other"`+vpc)
	got := one(http.MethodPost, "/vpc", `{"ConnectionName":"`+connection+`"`+vpc)
	assert.Equal(t, http.StatusOK, got.status, got.body)
	assert.Equal(t, http.StatusForbidden, one(http.MethodPost, "/vpc", `{"ConnectionName":"other"`+vpc).status)
	assert.Equal(t, http.StatusForbidden, one(http.MethodDelete, "/vpc/v", `{"ConnectionName":"other"}`).status)
	assert.Equal(t, http.StatusForbidden, one(http.MethodDelete, "/destroy?ConnectionName=other", "").status)
	assert.JSONEq(t, `{"count":1}`, one(http.MethodGet, "/countvpc", "").body)
	for _, name := range []string{"other", "nothing"} { // which has the same answer, whether it is there or not
		assert.Equal(t, http.StatusForbidden, one(http.MethodGet, "/countvpc/"+name, "").status)
	}
	for range 20 { // whichever spelling comes first
		assert.Equal(t, http.StatusBadRequest, one(http.MethodGet, "/vpc?ConnectionName="+connection+"&connectionname=other", "").status)
	}
	assert.JSONEq(t, `{"count":1}`, one(http.MethodGet, "/countconnectionconfig", "").body)
	assert.NotContains(t, one(http.MethodGet, "/connectionconfig", "").body, `"other"`)
	assert.Equal(t, http.StatusForbidden, one(http.MethodGet, "/connectionconfig/other", "").status)
	assert.Equal(t, http.StatusForbidden, one(http.MethodGet, "/credential", "").status)
	assert.Equal(t, http.StatusForbidden, one(http.MethodPost, "/anycall", in(`{"FID":"x"}`)).status)
}

// A right to make or to do something is no right to what that names, nor to take in what the cloud
// alone knows.
func TestNoRightComesWithAnother(t *testing.T) {
	var who *people.People
	a := registeredWith(t, enginetest.Options{}, func(c *spider.Config) { who = c.People })
	admin := people.As(t.Context(), people.Who{Name: "admin"})
	_, err := who.CreateRole(admin, []byte(`{"name":"maker","rules":[{"verbs":["create","delete"],"kinds":["securitygroup","disk"]},{"verbs":["attach"],"kinds":["disk"]},{"verbs":["read"],"kinds":["*"],"labels":["team=a"]}]}`))
	require.NoError(t, err)
	_, err = who.CreateUser(admin, []byte(`{"name":"one"}`))
	require.NoError(t, err)
	_, err = who.CreateGrant(admin, []byte(`{"user":"one","role":"maker"}`))
	require.NoError(t, err)
	key, err := who.CreateToken(admin, []byte(`{"user":"one","name":"t"}`))
	require.NoError(t, err)
	a.ok(http.MethodPost, "/vpc", in(`{"Name":"v","IPv4_CIDR":"10.0.0.0/16","SubnetInfoList":[{"Name":"s","IPv4_CIDR":"10.0.1.0/24"}]}`))
	a.ok(http.MethodPost, "/disk", in(`{"Name":"d","DiskType":"default","DiskSize":"10"}`))
	for request, what := range map[string]string{
		"POST /securitygroup":     `{"Name":"g","VPCName":"v","SecurityRules":[{"FromPort":"22","ToPort":"22","IPProtocol":"tcp","Direction":"inbound","CIDR":"0.0.0.0/0"}]}`,
		"PUT /disk/d/attach":      `{"VMName":"nothing"}`,
		"DELETE /cspdisk/unknown": `{}`,
	} {
		method, path, _ := strings.Cut(request, " ")
		got := a.call(method, path, in(what), "Authorization", "Bearer "+key.Token)
		assert.Equal(t, http.StatusForbidden, got.status, "%s: %s", request, got.body)
	}
}
