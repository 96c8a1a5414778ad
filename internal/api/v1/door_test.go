package v1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// user makes a user with a role in some connections, none for all, and answers its token. Without
// a role it may do nothing.
func (a *routes) user(name, role string, connections ...string) string {
	a.t.Helper()
	a.made("/v1/users", map[string]any{"name": name})
	if role != "" {
		a.made("/v1/grants", map[string]any{"user": name, "role": role, "connections": connections})
	}
	got := a.made("/v1/tokens", map[string]any{"user": name, "name": "test"})
	made := into[api.IssuedToken](a.t, got)
	require.True(a.t, strings.HasPrefix(made.Token, "mcic_"))
	return made.Token
}

func (a *routes) made(path string, body any) answer {
	a.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(a.t, err)
	got := a.post(path, string(raw))
	require.Equal(a.t, http.StatusCreated, got.status, "%s: %s", path, got.body)
	return got
}

// as sends a request as somebody else.
func (a *routes) as(token, method, path, body string) answer {
	a.t.Helper()
	r := a.request(method, path, strings.NewReader(body))
	if body == "" {
		r = a.request(method, path, nil)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return a.exchange(r)
}

// TestEveryRouteAndEveryRole walks every route as everybody, in a connection in which one of them
// has a role and in another one, and compares who is let in with what is recorded, which people
// have read. Nothing that is named is there, so that nothing is changed.
func TestEveryRouteAndEveryRole(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler, needs := open(t, e)
	a := served(t, e, handler)
	a.made("/v1/roles", map[string]any{"name": "labelled", "rules": []any{map[string]any{"verbs": []string{"*"}, "kinds": []string{"*"}, "labels": []string{"team=a"}}}})
	tokens := map[string]string{
		"admin": token, "operator": a.user("o", people.RoleOperator), "viewer": a.user("v", people.RoleViewer), "auditor": a.user("u", people.RoleAuditor),
		"operator-here": a.user("h", people.RoleOperator, "here*"), "admin-here": a.user("d", people.RoleAdmin, "here*"),
		"labelled": a.user("l", "labelled"), "nobody": a.user("n", ""),
	}
	var lines []string
	for _, route := range slices.Sorted(maps.Keys(needs)) {
		method, path, _ := strings.Cut(route, " ")
		for _, connection := range []string{"here-1", "there-1"} {
			at := strings.NewReplacer("{connection}", connection, "{id}", "x", "{driver}", "x", "{receipt}", "x", "/*", "/").Replace(path)
			if strings.HasPrefix(at, "/v1/connections/{name}") {
				at = strings.Replace(at, "{name}", connection, 1)
			}
			at = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(at, "x")
			if strings.HasPrefix(at, "/v1/catalog/") {
				at += "?connection=" + connection
			}
			if at == "/v1/events" {
				method = http.MethodHead // a GET would not end
			}
			var in []string
			for _, who := range slices.Sorted(maps.Keys(tokens)) {
				body := ""
				if method != http.MethodGet && method != http.MethodHead && method != http.MethodDelete {
					body = "{}"
				}
				got := a.as(tokens[who], method, at, body)
				require.Less(t, got.status, 500, "%s as %s: %s", at, who, got.body)
				if got.status != http.StatusForbidden {
					in = append(in, who)
				}
			}
			where := strings.TrimSuffix(connection, "-1")
			lines = append(lines, fmt.Sprintf("%s %s | %s | %s: %s", method, path, needs[route], where, strings.Join(in, " ")))
			if !strings.Contains(at, connection) { // it is the same in both
				lines[len(lines)-1] = strings.Replace(lines[len(lines)-1], "| here:", "|", 1)
				break
			}
		}
	}
	golden := filepath.Join("testdata", "rights.txt")
	text := strings.Join(lines, "\n") + "\n"
	if os.Getenv("MCIC_UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(bytes.TrimSpace(want)), strings.TrimSpace(text), "with MCIC_UPDATE=1 it is recorded anew, to be read")

	for _, method := range []string{http.MethodGet, http.MethodPost} { // without any right to be let in there is no way either
		for route := range needs {
			path := strings.TrimPrefix(route, method+" ")
			if path == route {
				continue
			}
			r := httptest.NewRequestWithContext(t.Context(), method, regexp.MustCompile(`\{[a-z]+\}|\*`).ReplaceAllString(path, "x"), nil)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			assert.Equal(t, http.StatusUnauthorized, w.Code, route)
		}
	}
}

// What somebody sees is what he may read, in lists, counts, operations and events, and nothing
// else tells of the rest.
func TestWhatSomebodySees(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	e.Connect("other")
	handler, _ := open(t, e)
	a := served(t, e, handler)
	a.made("/v1/roles", map[string]any{"name": "team-a", "rules": []any{
		map[string]any{"verbs": []string{"read", "change"}, "kinds": []string{"vpc"}, "labels": []string{"team=a"}},
		map[string]any{"verbs": []string{"read", "create"}, "kinds": []string{"subnet"}},
	}})
	here, team := a.user("here", people.RoleOperator, "mock"), a.user("team", "team-a")
	watch := a.watchAs(here, "")
	defer watch.stop()
	for connection, names := range map[string][]string{"mock": {"m1", "m2"}, "other": {"o1"}} {
		for _, name := range names {
			label := map[string]string{"m1": "a"}[name]
			got := a.post("/v1/connections/"+connection+"/vpcs?wait=30s", `{"name":"`+name+`","labels":{"team":"`+label+`"},"spec":{"cidr":"10.0.0.0/16"}}`)
			require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
		}
	}
	names := func(who, path string) []string {
		got := a.as(who, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
		var names []string
		for _, r := range into[struct{ Items []struct{ Name string } }](t, got).Items {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		return names
	}
	total := func(who string) int {
		return into[struct{ Total int }](t, a.as(who, http.MethodGet, "/v1/vpcs:count?groupBy=connection", "")).Total
	}
	for range 2 { // the second answer is from memory
		assert.Equal(t, []string{"m1", "m2", "o1"}, names(token, "/v1/vpcs"))
		assert.Equal(t, []string{"m1", "m2"}, names(here, "/v1/vpcs"))
		assert.Equal(t, []string{"m1"}, names(team, "/v1/vpcs"))
		assert.Equal(t, []string{"m1"}, names(team, "/v1/connections/mock/vpcs"))
		assert.Empty(t, names(team, "/v1/connections/other/vpcs"))
		assert.Empty(t, names(here, "/v1/vpcs?q=o1"))
		assert.Equal(t, []string{"m1", "m2"}, names(here, "/v1/operations"))
		assert.Equal(t, []string{"m1"}, names(team, "/v1/operations"))
		assert.Equal(t, []string{"mock"}, names(here, "/v1/connections"))
		assert.Equal(t, []int{3, 2, 1}, []int{total(token), total(here), total(team)})
	}
	id := func(name string) string {
		got := into[struct{ Items []api.Operation }](t, a.get("/v1/operations?filter=name="+name))
		require.NotEmpty(t, got.Items)
		return got.Items[0].ID
	}
	for who, want := range map[string]map[string]int{
		here: {"m1": 200, "m2": 200, "o1": 404}, team: {"m1": 200, "m2": 404, "o1": 404},
	} {
		for name, status := range want {
			assert.Equal(t, status, a.as(who, http.MethodGet, "/v1/operations/"+id(name), "").status, name)
		}
	}
	for path, want := range map[string]map[string]int{
		"/v1/connections/mock/vpcs/m1": {here: 200, team: 200}, "/v1/connections/mock/vpcs/m2": {here: 200, team: 404},
		"/v1/connections/other/vpcs/o1": {here: 403, team: 404}, "/v1/connections/other/vpcs/none": {here: 403, team: 404},
	} {
		for who, status := range want {
			assert.Equal(t, status, a.as(who, http.MethodGet, path, "").status, path)
		}
	}
	// Changes are bound as reading is, with all that a request names.
	for request, want := range map[string]int{
		`POST /v1/connections/mock/vpcs {"name":"n1","labels":{"team":"b"},"spec":{"cidr":"10.9.0.0/16"}}`:                                                                                        403,
		`POST /v1/connections/mock/vpcs {"items":[{"name":"n1","labels":{"team":"a"},"spec":{"cidr":"10.9.0.0/16"}},{"name":"n2","spec":{"cidr":"10.8.0.0/16"}}]}`:                                403,
		`POST /v1/connections/mock/vpcs {"name":"n1","labels":{"team":"a"},"spec":{"cidr":"10.9.0.0/16"},"then":[{"kind":"vpc","name":"m2","action":"addcidr","params":{"cidr":"10.7.0.0/16"}}]}`: 404,
		`POST /v1/connections/mock/vpcs:check {"name":"n1","labels":{"team":"b"},"spec":{"cidr":"10.9.0.0/16"}}`:                                                                                  403,
		`POST /v1/connections/mock/subnets {"name":"s2","spec":{"vpc":"m2","cidr":"10.0.1.0/24"}}`:                                                                                                422,
		`POST /v1/connections/mock/subnets {"name":"s1","spec":{"vpc":"m1","cidr":"10.0.1.0/24"}}`:                                                                                                202,
		`POST /v1/connections/mock/vpcs/m1:label {"remove":["team"]}`:                                                                                                                             403,
		`POST /v1/connections/mock/vpcs:delete {"names":["m1","m2"]}`:                                                                                                                             404,
		`POST /v1/vpcs:delete {"items":[{"connection":"other","name":"o1"}]}`:                                                                                                                     404,
		`POST /v1/connections/mock/vpcs:label {"names":["m1"],"params":{"remove":["team"]}}`:                                                                                                      403,
		`POST /v1/connections/other/vpcs:delete {"matching":{"q":"o1","expected":1}}`:                                                                                                             404,
		`POST /v1/vpcs:label {"matching":{"filter":["name=m1"],"expected":1},"params":{"set":{"a":"b"}}}`:                                                                                         404,
		`DELETE /v1/connections/mock/vpcs/m2`:           404,
		`POST /v1/connections/mock:destroy {}`:          403,
		`POST /v1/connections/mock:adopt {}`:            403,
		`GET /v1/connections/mock/inventory?kind=vpc`:   403,
		`POST /v1/operations/` + id("m2") + `:retry {}`: 404,
		`POST /v1/operations/` + id("m1") + `:retry {}`: 409,
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		got := a.as(team, method, path, body)
		assert.Equal(t, want, got.status, "%s: %s", request, got.body)
	}
	assert.Equal(t, []string{"m1", "m2", "o1"}, names(token, "/v1/vpcs"), "nothing was made")

	// Who sees one connection is told of that alone.
	deadline := time.After(20 * time.Second)
	for seen := 0; seen < 2; {
		select {
		case ev := <-watch.events:
			assert.NotContains(t, ev.data, `"other"`)
			if strings.Contains(ev.data, `"state":"available"`) {
				seen++
			}
		case <-deadline:
			t.Fatal("the events did not come")
		}
	}

	// What is taken away is gone at once.
	grants := into[struct{ Items []api.Grant }](t, a.get("/v1/grants"))
	for _, g := range grants.Items {
		require.Equal(t, http.StatusNoContent, a.send(a.request(http.MethodDelete, "/v1/grants/"+g.ID, nil)).status)
	}
	assert.Equal(t, http.StatusForbidden, a.as(here, http.MethodGet, "/v1/vpcs", "").status)
	assert.Equal(t, http.StatusForbidden, a.as(team, http.MethodGet, "/v1/vpcs", "").status)
}

// The keys of requests are each one's own: nobody is answered what somebody else has made.
func TestKeysOfRequestsAreOnesOwn(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler, _ := open(t, e)
	a := served(t, e, handler)
	body := `{"name":"k1","spec":{}}`
	send := func(who string) answer {
		r := a.request(http.MethodPost, "/v1/connections/mock/keypairs", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+who)
		r.Header.Set("Idempotency-Key", "same")
		return a.exchange(r)
	}
	one, two := a.user("one", people.RoleOperator), a.user("two", people.RoleOperator)
	first := send(one)
	require.Equal(t, http.StatusAccepted, first.status, "%s", first.body)
	assert.Contains(t, string(first.body), "PRIVATE KEY")
	again := send(one)
	assert.Contains(t, string(again.body), "PRIVATE KEY", "%s", again.body)
	other := send(two)
	assert.Equal(t, http.StatusConflict, other.status)
	assert.NotContains(t, string(other.body), "PRIVATE KEY")
}

// Every view and action that shows or takes a secret has a right of its own.
func TestRightsOfTheirOwn(t *testing.T) {
	rights := map[string]string{}
	for _, k := range resource.Kinds() {
		for _, v := range k.Views {
			rights[k.Name+" "+v.Name] = v.Right
		}
	}
	assert.Equal(t, map[string]string{
		"cluster kubeconfig": people.Kubeconfig, "cluster token": people.Kubeconfig, "vm password": people.Password, "vm console": "", "nlb health": "", "bucket usage": "",
		"alb health": "", "vpnconnection peerconfig": "", "database databases": "",
	}, rights, "a view that is new says whether it needs a right of its own")
}

// Where a connection leads is changed by who may make connections: else it would use
// somebody else's credential, or show it to an endpoint of one's own.
func TestWhereAConnectionLeadsIsNotForAll(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler, _ := open(t, e)
	a := served(t, e, handler)
	a.made("/v1/credentials", map[string]any{"name": "other", "cloud": "mock", "values": map[string]string{"account": "default", "password": "x"}})
	here := a.user("here", people.RoleAdmin, "mock")
	assert.Equal(t, http.StatusOK, a.as(here, http.MethodPatch, "/v1/connections/mock", `{"patience":{"cluster":"2h"}}`).status)
	for _, body := range []string{`{"credential":"other"}`, `{"settings":{"latency":"1ms"}}`, `{"zone":"mock-seoul-a"}`} {
		assert.Equal(t, http.StatusForbidden, a.as(here, http.MethodPatch, "/v1/connections/mock", body).status, body)
		got := a.as(token, http.MethodPatch, "/v1/connections/mock", body)
		assert.Equal(t, http.StatusOK, got.status, "%s: %s", body, got.body)
	}
}

// What a request names is bound by the right that it would else take by a side door: the data of
// another bucket by a copy, a deletion by a cancellation, a password by the right to change all.
func TestNoRightComesWithAnother(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler, _ := open(t, e)
	a := served(t, e, handler)
	rule := func(verbs, kind string, labels ...string) map[string]any {
		return map[string]any{"verbs": strings.Split(verbs, ","), "kinds": []string{kind}, "labels": labels}
	}
	a.made("/v1/roles", map[string]any{"name": "data-a", "rules": []any{rule("read,data", "bucket", "team=a"), rule("read", "bucket", "team=b")}})
	a.made("/v1/roles", map[string]any{"name": "maker", "rules": []any{rule("read,create", "vpc")}})
	a.made("/v1/roles", map[string]any{"name": "changer", "rules": []any{rule("change", "*")}})
	data, maker, changer := a.user("data", "data-a"), a.user("maker", "maker"), a.user("changer", "changer")

	for _, team := range []string{"a", "b", "c"} {
		got := a.post("/v1/connections/mock/buckets?wait=30s", `{"name":"`+team+`","labels":{"team":"`+team+`"},"spec":{}}`)
		require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
		got = a.content(http.MethodPut, "/v1/connections/mock/buckets/"+team+"/object?key=x", "of "+team)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	copied := func(rest, query string) int {
		return a.as(data, http.MethodPost, "/v1/connections/mock/buckets/a/object:copy"+query, `{"key":"x","toKey":"y"`+rest+`}`).status
	}
	assert.Equal(t, http.StatusOK, copied(``, ""))
	assert.Equal(t, http.StatusForbidden, copied(`,"fromBucket":"b"`, ""), "its data are not for all who see it")
	assert.Equal(t, http.StatusForbidden, copied(``, "?fromBucket=b"))
	assert.Equal(t, http.StatusNotFound, copied(`,"fromBucket":"c"`, ""))

	got := a.as(maker, http.MethodPost, "/v1/connections/mock/vpcs?wait=30s", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	op := into[struct{ Items []api.Operation }](t, a.as(maker, http.MethodGet, "/v1/operations", "")).Items[0].ID
	assert.Equal(t, http.StatusConflict, a.as(maker, http.MethodPost, "/v1/operations/"+op+":cancel", `{}`).status, "it has ended")
	assert.Equal(t, http.StatusForbidden, a.as(maker, http.MethodPost, "/v1/operations/"+op+":cancel", `{"thenDelete":true}`).status)
	assert.Equal(t, http.StatusConflict, a.post("/v1/operations/"+op+":cancel", `{"thenDelete":true}`).status)

	got = a.as(changer, http.MethodPost, "/v1/connections/mock/subnets", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.1.0/24"}}`)
	assert.Equal(t, http.StatusForbidden, got.status, "who may not read may not refer to what is there: %s", got.body)
}
