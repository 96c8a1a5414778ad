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
	if who.Bearer != nil { // which would end with what it was made by
		return nil, resource.Errorf(resource.CodeDenied, "a token of single sign-on makes no others; make one in the console, or have whoever manages users make it: mcic token create NAME --user %s", request.User)
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
	if err := p.CheckLogin(ctx, request.User, request.Password, request.Code); err != nil {
		return nil, err
	}
	return p.issue(auth.As(ctx, request.User), &store.APIToken{User: request.User, Name: request.Name}, lasts, true)
}
