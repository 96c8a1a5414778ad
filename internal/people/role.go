package people

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The roles that every server has.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleViewer   = "viewer"
	RoleAuditor  = "auditor"
)

// BuiltIn answers the roles that every server has.
func BuiltIn() []api.Role {
	lives := []string{Resources, Catalogs, Connection, Driver}
	return []api.Role{
		{Name: RoleAdmin, BuiltIn: true, Doc: "Everything.", Rules: []api.RoleRule{{Verbs: []string{All}, Kinds: []string{All}}}},
		{
			Name: RoleOperator, BuiltIn: true, Doc: "Everything with resources, but the cloud's own API, what only one driver has, temporary credentials and costs.",
			Rules: []api.RoleRule{
				{Verbs: []string{Read}, Kinds: lives},
				{Verbs: []string{Change, Kubeconfig, Login, Password, Data}, Kinds: []string{Resources}},
			},
		},
		{Name: RoleViewer, BuiltIn: true, Doc: "Sees resources, and what is to choose from.", Rules: []api.RoleRule{{Verbs: []string{Read}, Kinds: lives}}},
		{
			Name: RoleAuditor, BuiltIn: true, Doc: "Sees everything, also who did what, who may do what, and costs, and changes nothing.",
			Rules: []api.RoleRule{{Verbs: []string{Read, Cost}, Kinds: []string{All}}},
		},
	}
}

// Verbs are all that a rule can name.
func Verbs() []string {
	verbs := append([]string{All, Change, Read, Create, Update, Delete, Adopt, Release}, ownRights()...)
	for _, k := range resource.Kinds() {
		for _, a := range k.Actions {
			verbs = append(verbs, a.Name)
		}
	}
	slices.Sort(verbs)
	return slices.Compact(verbs)
}

// Kinds are all that a rule can name.
func Kinds() []string {
	kinds := []string{All, Resources, Catalogs, Connection, Credential, Driver, Repository, Audit, Person, Server}
	for _, k := range resource.Kinds() {
		kinds = append(kinds, k.Name)
	}
	for _, c := range resource.Catalogs() {
		kinds = append(kinds, c.Name)
	}
	for _, f := range resource.Feeds() {
		kinds = append(kinds, f.Name)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// checkRules refuses what no decision could ever be about, which would be a typing error.
func checkRules(rules []api.RoleRule) error {
	var problems []resource.Problem
	known := func(field string, given, known []string) {
		for i, name := range given {
			if !slices.Contains(known, name) {
				problems = append(problems, resource.Problem{Field: fmt.Sprintf("%s[%d]", field, i), Message: fmt.Sprintf("%.64q is none of: %s", name, strings.Join(known, ", "))})
			}
		}
	}
	for i, r := range rules {
		at := fmt.Sprintf("rules[%d].", i)
		known(at+"verbs", r.Verbs, Verbs())
		known(at+"kinds", r.Kinds, Kinds())
		for j, text := range r.Labels {
			if _, err := parseLabel(text); err != nil {
				problems = append(problems, resource.Problem{Field: fmt.Sprintf("%slabels[%d]", at, j), Message: err.Error()})
			}
		}
	}
	return resource.Invalid(problems...)
}
