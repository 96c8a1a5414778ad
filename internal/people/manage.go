package people

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Users answers all.
func (p *People) Users(context.Context) []api.User {
	k := p.known.Load()
	users := []api.User{}
	for i := range k.rows.Users {
		users = append(users, k.user(&k.rows.Users[i]))
	}
	return users
}

// User answers one, with how the last logins went.
func (p *People) User(ctx context.Context, name string) (*api.User, error) {
	row, err := p.Store.Read().User(ctx, name)
	if err != nil {
		return nil, err
	}
	user := p.known.Load().user(row)
	return &user, nil
}

// user converts to what users see.
func (k *known) user(row *store.User) api.User {
	made := api.User{
		Name: row.Name, Title: row.Title, Groups: []string{}, Disabled: row.Disabled, Password: row.Password != "", CreatedAt: row.CreatedAt.Time(),
	}
	if u := k.users[row.Name]; u != nil {
		made.Groups = append(made.Groups, u.groups...)
	}
	if at := row.LockedUntil.Time(); time.Now().Before(at) {
		made.LockedUntil = &at
	}
	if at := row.LoginAt.Time(); row.LoginAt != 0 {
		made.LastLoginAt = &at
	}
	return made
}

// CreateUser records one.
func (p *People) CreateUser(ctx context.Context, body []byte) (*api.User, error) {
	var request api.UserRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if slices.Contains([]string{auth.Admin, auth.Spider, auth.System}, request.Name) {
		return nil, resource.Invalid(resource.Problem{Field: "name", Message: "is what the audit trail calls somebody else; choose another one"})
	}
	row := &store.User{Name: request.Name, Title: request.Title, CreatedAt: store.MicrosOf(time.Now())}
	if request.Password != "" {
		if err := checkPassword(row.Name, request.Password); err != nil {
			return nil, err
		}
		row.Password = p.hashing.hash(request.Password)
	}
	err := p.change(ctx, Create, row.Name, func(ctx context.Context, q *store.Queries) error {
		if err := q.InsertUser(ctx, row); err != nil {
			return err
		}
		return q.SetGroups(ctx, row.Name, request.Groups)
	})
	if err != nil {
		return nil, err
	}
	return p.User(ctx, row.Name)
}

// UpdateUser changes one.
func (p *People) UpdateUser(ctx context.Context, name string, body []byte) (*api.User, error) {
	var request api.UserChange
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	var hash string
	if request.Password != nil {
		if err := checkPassword(name, *request.Password); err != nil {
			return nil, err
		}
		hash = p.hashing.hash(*request.Password)
	}
	err := p.change(ctx, Update, name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, name)
		if err != nil {
			return err
		}
		if request.Title != nil {
			row.Title = *request.Title
		}
		if request.Disabled != nil {
			row.Disabled = *request.Disabled
		}
		if request.Unlock || hash != "" {
			row.Failures, row.LockedUntil = 0, 0
		}
		if hash != "" {
			row.Password = hash
		}
		if err := q.UpdateUser(ctx, row, "title", "disabled", "failures", "locked_until", "password"); err != nil {
			return err
		}
		if request.Groups != nil {
			if err := q.SetGroups(ctx, name, *request.Groups); err != nil {
				return err
			}
		}
		if hash != "" || row.Disabled {
			return q.EndLogins(ctx, name, "")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.User(ctx, name)
}

// DeleteUser removes one, with tokens, grants and logins.
func (p *People) DeleteUser(ctx context.Context, name string) error {
	return p.change(ctx, Delete, name, func(ctx context.Context, q *store.Queries) error { return q.DeleteUser(ctx, name) })
}

// Groups answers all.
func (p *People) Groups(context.Context) []api.UserGroup {
	k := p.known.Load()
	groups := []api.UserGroup{}
	for _, row := range k.rows.Groups {
		group := api.UserGroup{Name: row.Name, Doc: row.Doc, Members: []string{}}
		for _, m := range k.rows.Members {
			if m.Group == row.Name {
				group.Members = append(group.Members, m.User)
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// Group answers one.
func (p *People) Group(ctx context.Context, name string) (*api.UserGroup, error) {
	groups := p.Groups(ctx)
	if i := slices.IndexFunc(groups, func(g api.UserGroup) bool { return g.Name == name }); i >= 0 {
		return &groups[i], nil
	}
	_, err := p.Store.Read().Group(ctx, name)
	return nil, err
}

// CreateGroup records one.
func (p *People) CreateGroup(ctx context.Context, body []byte) (*api.UserGroup, error) {
	var request api.UserGroupRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	err := p.change(ctx, Create, "group "+request.Name, func(ctx context.Context, q *store.Queries) error {
		return q.InsertGroup(ctx, &store.UserGroup{Name: request.Name, Doc: request.Doc})
	})
	if err != nil {
		return nil, err
	}
	return p.Group(ctx, request.Name)
}

// DeleteGroup removes one with its grants; its members stay.
func (p *People) DeleteGroup(ctx context.Context, name string) error {
	return p.change(ctx, Delete, "group "+name, func(ctx context.Context, q *store.Queries) error { return q.DeleteGroup(ctx, name) })
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

// Grants answers all, the oldest first.
func (p *People) Grants(context.Context) []api.Grant {
	grants := []api.Grant{}
	for _, row := range p.known.Load().rows.Grants {
		grants = append(grants, row.Resource())
	}
	return grants
}

// CreateGrant gives a role to a user or a group.
func (p *People) CreateGrant(ctx context.Context, body []byte) (*api.Grant, error) {
	var request api.GrantRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if (request.User == "") == (request.Group == "") {
		return nil, resource.Invalid(resource.Problem{Field: "user", Message: "name a user or a group, and one of them"})
	}
	if _, err := p.Role(ctx, request.Role); err != nil {
		return nil, resource.Invalid(resource.Problem{Field: "role", Message: err.Error()})
	}
	row := &store.Grant{
		ID: uuid.Must(uuid.NewV7()).String(), User: request.User, Group: request.Group, Role: request.Role, Connections: request.Connections,
		GrantedBy: auth.Who(ctx), CreatedAt: store.MicrosOf(time.Now()),
	}
	err := p.change(ctx, Create, grantName(row), func(ctx context.Context, q *store.Queries) error {
		if row.User != "" {
			if _, err := q.User(ctx, row.User); err != nil {
				return err
			}
		}
		return q.InsertGrant(ctx, row)
	})
	made := row.Resource()
	return &made, err
}

// grantName is what the audit trail calls a grant.
func grantName(g *store.Grant) string {
	name := "grant of " + g.Role + " to "
	if g.Group != "" {
		return name + "the group " + g.Group
	}
	return name + g.User
}

// DeleteGrant takes a role away.
func (p *People) DeleteGrant(ctx context.Context, id string) error {
	return p.change(ctx, Delete, "grant "+id, func(ctx context.Context, q *store.Queries) error { return q.DeleteGrant(ctx, id) })
}

// Tokens answers those of a user, or of all. When they were last used is as it was recorded.
func (p *People) Tokens(ctx context.Context, user string) ([]api.APIToken, error) {
	if err := p.recordUse(ctx); err != nil {
		return nil, err
	}
	rows, err := p.Store.Read().Tokens(ctx, user)
	tokens := []api.APIToken{}
	for i := range rows {
		tokens = append(tokens, rows[i].Resource())
	}
	return tokens, err
}

// How long tokens let in.
const (
	usualToken   = 90 * 24 * time.Hour
	longestToken = 5 * 366 * 24 * time.Hour
)

// CreateToken makes one. Whose it is, is who asks, or somebody of whom who asks is in charge.
func (p *People) CreateToken(ctx context.Context, body []byte) (*api.IssuedToken, error) {
	var request api.APITokenRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	who, _ := From(ctx)
	if request.User == "" {
		request.User = who.User
	}
	if request.User == "" {
		return nil, resource.Invalid(resource.Problem{Field: "user", Message: "is required: whose token it is; who has the admin token is no user"})
	}
	if err := p.ownOr(ctx, request.User); err != nil {
		return nil, err
	}
	lasts := usualToken
	if request.ExpiresIn != "" {
		var err error
		if lasts, err = time.ParseDuration(request.ExpiresIn); err != nil || lasts < time.Minute || lasts > longestToken {
			return nil, resource.Invalid(resource.Problem{Field: "expiresIn", Message: "is not a duration between 1m and 43920h, such as 720h"})
		}
	}
	k := p.known.Load()
	if who.Token != "" { // it makes none that can do more, or lives on
		by := k.tokens[who.Token]
		if by == nil {
			return nil, noLogin()
		}
		if len(request.Roles) == 0 {
			request.Roles = by.row.Roles
		}
		if len(by.row.Roles) > 0 && slices.ContainsFunc(request.Roles, func(r string) bool { return !slices.Contains(by.row.Roles, r) }) {
			return nil, resource.Errorf(resource.CodeDenied, "a token makes none that has more roles than it has: %s", strings.Join(by.row.Roles, ", "))
		}
		if left := time.Until(by.row.ExpiresAt.Time()); by.row.ExpiresAt != 0 {
			lasts = min(lasts, left)
		}
	}
	for i, role := range request.Roles {
		if _, there := k.roles[role]; !there {
			return nil, resource.Invalid(resource.Problem{Field: fmt.Sprintf("roles[%d]", i), Message: "is no role; list them with: mcic role list"})
		}
	}
	return p.issue(ctx, &store.APIToken{User: request.User, Name: request.Name, Roles: request.Roles}, lasts, false)
}

// RevokeToken ends one at once.
func (p *People) RevokeToken(ctx context.Context, id string) error {
	row, err := p.Store.Read().Token(ctx, id)
	if err != nil {
		return err
	}
	if p.ownOr(ctx, row.User) != nil { // which is not there for others
		return store.NoToken(id)
	}
	return p.change(ctx, Delete, "token "+row.User+"/"+row.Name, func(ctx context.Context, q *store.Queries) error { return q.DeleteToken(ctx, id) })
}

// ownOr refuses what is somebody else's, but to those who are in charge of all.
func (p *People) ownOr(ctx context.Context, user string) error {
	if who, _ := From(ctx); who.User == user && who.User != "" {
		return nil
	}
	return p.Allow(ctx, Manage, What{Kind: Person})
}

// ChangePassword changes the password of who asks and knows the old one.
func (p *People) ChangePassword(ctx context.Context, body []byte) error {
	var request api.PasswordChange
	if err := resource.Decode(body, &request); err != nil {
		return err
	}
	who, _ := From(ctx)
	if who.User == "" {
		return resource.Errorf(resource.CodeUnsupported, "who has the admin token has no password here; the token is changed with its file")
	}
	if err := p.CheckLogin(ctx, who.User, request.Old); err != nil {
		return err
	}
	if err := checkPassword(who.User, request.New); err != nil {
		return err
	}
	hash := p.hashing.hash(request.New)
	return p.change(ctx, Update, who.User, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, who.User)
		if err != nil {
			return err
		}
		row.Password = hash
		if err := q.UpdateUser(ctx, row, "password"); err != nil {
			return err
		}
		return q.EndLogins(ctx, who.User, "")
	})
}

// inviteLife is how long an invitation is good.
const inviteLife = 72 * time.Hour

// Invite makes an invitation to choose a password, in the place of those before. Whoever has it
// can do so once.
func (p *People) Invite(ctx context.Context, name string) (*api.Invitation, error) {
	text, until := rand.Text()+rand.Text(), time.Now().Add(inviteLife).Truncate(time.Second)
	err := p.change(ctx, Update, "invitation of "+name, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.User(ctx, name); err != nil {
			return err
		}
		if err := q.EndInvitations(ctx, name); err != nil {
			return err
		}
		return q.InsertLogin(ctx, &store.UserLogin{Hash: hashed(text), User: name, Purpose: store.PurposeInvite, Until: store.MicrosOf(until)})
	})
	if err != nil {
		return nil, err
	}
	return &api.Invitation{User: name, Code: text, Path: "/invite#" + text, ExpiresAt: until}, nil
}

// Accept lets who has an invitation choose a password. It tells whose.
func (p *People) Accept(ctx context.Context, body []byte) (*api.Accepted, error) {
	var request api.Acceptance
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	invited, err := p.Store.Read().UserLogin(ctx, hashed(request.Code), store.PurposeInvite)
	if err != nil {
		return nil, err
	}
	if err := checkPassword(invited.User, request.Password); err != nil {
		return nil, err
	}
	hash := p.hashing.hash(request.Password)
	err = p.change(auth.As(ctx, invited.User), Update, invited.User, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.UserLogin(ctx, invited.Hash, store.PurposeInvite); err != nil { // somebody was first
			return err
		}
		row, err := q.User(ctx, invited.User)
		if err != nil {
			return err
		}
		row.Password, row.Failures, row.LockedUntil = hash, 0, 0
		if err := q.UpdateUser(ctx, row, "password", "failures", "locked_until"); err != nil {
			return err
		}
		return q.EndLogins(ctx, row.Name, "")
	})
	return &api.Accepted{User: invited.User}, err
}

// Me answers who asks, with what he may do.
func (p *People) Me(ctx context.Context) *api.Me {
	who, _ := From(ctx)
	me := &api.Me{Name: who.Name, User: who.User, Rights: []api.Right{}}
	for _, r := range p.rulesOf(ctx) {
		right := api.Right{Role: r.role, Verbs: r.verbs, Kinds: r.kinds}
		for _, patterns := range r.connections {
			right.Connections = append(right.Connections, strings.Join(patterns, ","))
		}
		for _, t := range r.labels {
			right.Labels = append(right.Labels, t.String())
		}
		me.Rights = append(me.Rights, right)
	}
	return me
}

// How long a token lasts that a program got for a password.
const (
	usualLogin   = 12 * time.Hour
	longestLogin = 720 * time.Hour
)

// LogIn makes a token for who knows a user's password, in the place of one of the same name.
func (p *People) LogIn(ctx context.Context, body []byte) (*api.IssuedToken, error) {
	var request api.LoginRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	lasts := usualLogin
	if request.ExpiresIn != "" {
		var err error
		if lasts, err = time.ParseDuration(request.ExpiresIn); err != nil || lasts < time.Minute || lasts > longestLogin {
			return nil, resource.Invalid(resource.Problem{Field: "expiresIn", Message: "is not a duration between 1m and 720h, such as 12h"})
		}
	}
	if err := p.CheckLogin(ctx, request.User, request.Password); err != nil {
		return nil, err
	}
	return p.issue(auth.As(ctx, request.User), &store.APIToken{User: request.User, Name: request.Name}, lasts, true)
}

// issue makes a token and records it, in the place of one of the same name if it may.
func (p *People) issue(ctx context.Context, row *store.APIToken, lasts time.Duration, replace bool) (*api.IssuedToken, error) {
	text, now := tokenPrefix+rand.Text()+rand.Text(), time.Now()
	row.ID, row.Hash = uuid.Must(uuid.NewV7()).String(), hashed(text)
	row.CreatedAt, row.ExpiresAt = store.MicrosOf(now), store.MicrosOf(now.Add(lasts))
	err := p.change(ctx, Create, "token "+row.User+"/"+row.Name, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.User(ctx, row.User); err != nil {
			return err
		}
		if replace {
			if err := q.DeleteTokenNamed(ctx, row.User, row.Name); err != nil {
				return err
			}
		}
		return q.InsertToken(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	return &api.IssuedToken{APIToken: row.Resource(), Token: text}, nil
}
