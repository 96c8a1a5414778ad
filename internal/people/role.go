package people

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
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
		problems = append(problems, labelTestProblems(at+"labels", r.Labels)...)
		problems = append(problems, labelTestProblems(at+"connectionLabels", r.ConnectionLabels)...)
	}
	return resource.Invalid(problems...)
}

func labelTestProblems(field string, texts []string) (problems []resource.Problem) {
	for i, text := range texts {
		if _, err := parseLabel(text); err != nil {
			problems = append(problems, resource.Problem{Field: fmt.Sprintf("%s[%d]", field, i), Message: err.Error()})
		}
	}
	return problems
}

// Roles answers all, those of every server first.
func (p *People) Roles(context.Context) []api.Role {
	k := p.known.Load()
	roles := BuiltIn()
	for _, row := range k.rows.Roles {
		if role := k.roles[row.Name]; !role.BuiltIn {
			roles = append(roles, role)
		}
	}
	return roles
}

// Role answers one.
func (p *People) Role(_ context.Context, name string) (*api.Role, error) {
	role, there := p.known.Load().roles[name]
	if !there {
		return nil, resource.Errorf(resource.CodeNotFound, "there is no role %s; list them with: mcic role list", name)
	}
	return &role, nil
}

// builtIn refuses to change what every server has.
func builtIn(name string) error {
	if slices.ContainsFunc(BuiltIn(), func(r api.Role) bool { return r.Name == name }) {
		return resource.Errorf(resource.CodeConflict, "the role %s is one that every server has, and stays as it is; make one of your own", name)
	}
	return nil
}

// CreateRole records one.
func (p *People) CreateRole(ctx context.Context, body []byte) (*api.Role, error) {
	var request api.RoleRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if err := builtIn(request.Name); err != nil {
		return nil, err
	}
	if err := checkRules(request.Rules); err != nil {
		return nil, err
	}
	err := p.change(ctx, Create, "role "+request.Name, func(ctx context.Context, q *store.Queries) error {
		return q.InsertRole(ctx, &store.Role{Name: request.Name, Doc: request.Doc, Rules: request.Rules, UpdatedAt: store.MicrosOf(time.Now())})
	})
	if err != nil {
		return nil, err
	}
	return p.Role(ctx, request.Name)
}

// UpdateRole changes one, at once for all who have it.
func (p *People) UpdateRole(ctx context.Context, name string, body []byte) (*api.Role, error) {
	var request api.RoleChange
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if err := builtIn(name); err != nil {
		return nil, err
	}
	if err := checkRules(request.Rules); err != nil {
		return nil, err
	}
	err := p.change(ctx, Update, "role "+name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.Role(ctx, name)
		if err != nil {
			return err
		}
		if request.Doc != nil {
			row.Doc = *request.Doc
		}
		if len(request.Rules) > 0 {
			row.Rules = request.Rules
		}
		row.UpdatedAt = store.MicrosOf(time.Now())
		return q.UpdateRole(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	return p.Role(ctx, name)
}

// DeleteRole removes one that nobody has.
func (p *People) DeleteRole(ctx context.Context, name string) error {
	if err := builtIn(name); err != nil {
		return err
	}
	if name == p.SpiderRole {
		return resource.Errorf(resource.CodeDependency, "the role %s is that of clients of CB-Spider (SPIDER_ROLE)", name)
	}
	return p.change(ctx, Delete, "role "+name, func(ctx context.Context, q *store.Queries) error { return q.DeleteRole(ctx, name) })
}
