package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
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
		Name: row.Name, Title: row.Title, Groups: []string{}, Disabled: row.Disabled, Password: row.Password != "", TOTP: row.TOTPOn, SingleSignOn: row.Issuer, CreatedAt: row.CreatedAt.Time(),
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
	if reserved(request.Name) {
		return nil, resource.Invalid(resource.Problem{Field: "name", Message: "is what the audit trail calls somebody else; choose another one"})
	}
	row := &store.User{Name: request.Name, Title: request.Title, CreatedAt: store.MicrosOf(time.Now())}
	if request.Password != "" {
		if err := p.takes(row.Name, request.Password); err != nil {
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
		if err := p.takes(name, *request.Password); err != nil {
			return nil, err
		}
		hash = p.hashing.hash(*request.Password)
	}
	detail := ""
	switch {
	case request.TOTP == nil:
	case !*request.TOTP:
		detail = removedTOTP
	default:
		return nil, resource.Invalid(resource.Problem{Field: "totp", Message: "can only be false, which takes it away; the user alone adds it: mcic totp create"})
	}
	err := p.changeNoted(ctx, Update, name, detail, func(ctx context.Context, q *store.Queries) error {
		row, err := q.User(ctx, name)
		if err != nil {
			return err
		}
		if hash != "" {
			err = local(row, "passwords")
		}
		if request.Groups != nil {
			err = errors.Join(err, local(row, "groups"))
		}
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
		if request.TOTP != nil {
			if err := noTOTP(ctx, q, row); err != nil {
				return err
			}
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

// Me answers who asks, with what he may do.
func (p *People) Me(ctx context.Context) *api.Me {
	who, _ := From(ctx)
	me := &api.Me{Name: who.Name, User: who.User, Rights: []api.Right{}}
	if u := p.known.Load().users[who.User]; u != nil {
		me.Password, me.TOTP = u.password, u.totp
	}
	for _, r := range p.rulesOf(ctx) {
		right := api.Right{Role: r.role, Verbs: r.verbs, Kinds: r.kinds}
		for _, patterns := range r.connections {
			right.Connections = append(right.Connections, strings.Join(patterns, ","))
		}
		for _, t := range r.placed {
			right.ConnectionLabels = append(right.ConnectionLabels, t.String())
		}
		for _, t := range r.labels {
			right.Labels = append(right.Labels, t.String())
		}
		me.Rights = append(me.Rights, right)
	}
	return me
}

// ownOr refuses what is somebody else's, but to those who are in charge of all.
func (p *People) ownOr(ctx context.Context, user string) error {
	if who, _ := From(ctx); who.User == user && who.User != "" {
		return nil
	}
	return p.Allow(ctx, Manage, What{Kind: Person})
}
