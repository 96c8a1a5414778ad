package v1_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Rights that are given by the labels of connections hold in those that have them now, in all that
// is shown; and labels are changed only by who may change every connection.
func TestRightsAreGivenByTheLabelsOfConnections(t *testing.T) {
	e := enginetest.New(t, enginetest.Options{})
	handler, _ := open(t, e)
	a := served(t, e, handler)
	connection := func(name string, labels map[string]string) {
		a.made("/v1/connections", map[string]any{"name": name, "cloud": "mock", "region": "mock-seoul", "labels": labels})
	}
	connection("one", map[string]string{"stage": "test"})
	connection("two", map[string]string{"stage": "prod", "site": "kr"})
	anna := a.user("anna", "")
	a.made("/v1/grants", map[string]any{"user": "anna", "role": people.RoleOperator, "connectionLabels": []string{"stage=test", "site!=us"}})
	a.made("/v1/roles", map[string]any{"name": "placed", "rules": []any{map[string]any{
		"verbs": []string{"read"}, "kinds": []string{"*"}, "connectionLabels": []string{"stage=prod"}, "connections": []string{"t*"},
	}}})
	kim := a.user("kim", "placed")
	connection("three", map[string]string{"stage": "test", "site": "us"})
	connection("four", nil)
	all := []string{"one", "two", "three", "four"}
	for _, c := range all {
		a.create(c, "vpc", "of-"+c, `{"cidr":"10.0.0.0/16"}`)
	}
	sees := func(who string, want ...string) {
		t.Helper()
		var connections, vpcs, operations []string
		for _, c := range into[page[api.Connection]](t, a.as(who, http.MethodGet, "/v1/connections", "")).Items {
			connections = append(connections, c.Name)
		}
		for _, r := range into[page[resource.Resource]](t, a.as(who, http.MethodGet, "/v1/vpcs", "")).Items {
			vpcs = append(vpcs, r.Connection)
		}
		for _, o := range into[page[api.Operation]](t, a.as(who, http.MethodGet, "/v1/operations?filter=verb=create", "")).Items {
			operations = append(operations, o.Connection)
		}
		count := into[struct{ Total int }](t, a.as(who, http.MethodGet, "/v1/vpcs:count", ""))
		assert.ElementsMatch(t, want, connections)
		assert.ElementsMatch(t, want, vpcs)
		assert.ElementsMatch(t, want, operations)
		assert.Equal(t, len(want), count.Total)
		for _, c := range all {
			status := http.StatusForbidden
			for _, in := range want {
				if in == c {
					status = http.StatusOK
				}
			}
			assert.Equal(t, status, a.as(who, http.MethodGet, "/v1/connections/"+c+"/vpcs/of-"+c, "").status, c)
		}
	}
	sees(anna, "one")
	sees(kim, "two")
	relabel := func(who, name, labels string) int {
		return a.as(who, http.MethodPatch, "/v1/connections/"+name, `{"labels":`+labels+`}`).status
	}
	require.Equal(t, http.StatusOK, relabel(token, "two", `{"stage":"test"}`))
	sees(anna, "one", "two")
	sees(kim)
	require.Equal(t, http.StatusOK, relabel(token, "one", `{}`))
	sees(anna, "two")
	assert.Equal(t, http.StatusUnprocessableEntity, relabel(token, "one", `{"mcic/x":"y"}`))

	// Who has all rights in one connection, or may change some, does not bring others into reach.
	a.made("/v1/roles", map[string]any{"name": "changer", "rules": []any{map[string]any{"verbs": []string{"read", "update"}, "kinds": []string{"connection"}}}})
	for who, want := range map[string]int{
		a.user("here", people.RoleAdmin, "two"):            http.StatusForbidden,
		a.user("pattern", people.RoleAdmin, "t*", "o*"):    http.StatusForbidden,
		a.user("operator", people.RoleOperator):            http.StatusForbidden,
		a.user("partly", "changer", "one", "two", "three"): http.StatusForbidden,
		a.user("everywhere", "changer"):                    http.StatusOK,
	} {
		assert.Equal(t, want, relabel(who, "two", `{"stage":"test"}`))
	}
	byLabel := a.user("by-label", "")
	a.made("/v1/grants", map[string]any{"user": "by-label", "role": people.RoleAdmin, "connectionLabels": []string{"stage=test"}})
	assert.Equal(t, http.StatusForbidden, relabel(byLabel, "two", `{"stage":"test"}`))
	assert.Equal(t, http.StatusOK, a.as(byLabel, http.MethodPatch, "/v1/connections/two", `{"patience":{"cluster":"2h"}}`).status)

	found := into[page[api.Connection]](t, a.get("/v1/connections?filter=labels.stage=test&filter=cloud=mock")).Items
	assert.Len(t, found, 2)
	isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/connections?filter=color=red"))
	isProblem(t, http.StatusUnprocessableEntity, a.post("/v1/grants", `{"user":"kim","role":"viewer","connectionLabels":["stage"]}`))
}
