package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/m-cmp/mc-infra-connector/api"
)

// Me returns who the token is of, and what this one may do.
func (c *Client) Me(ctx context.Context) (*api.Me, error) {
	return one[api.Me](ctx, c, http.MethodGet, nil)(path("me"))
}

// Login returns a token for a user who has a password. No token is needed for it.
func (c *Client) Login(ctx context.Context, request api.LoginRequest) (*api.IssuedToken, error) {
	if err := c.private("password"); err != nil {
		return nil, err
	}
	return one[api.IssuedToken](ctx, c, http.MethodPost, request)(path("login"))
}

// LoginWays returns how one can log in at the server. No token is needed for it.
func (c *Client) LoginWays(ctx context.Context) (*api.LoginWays, error) {
	return one[api.LoginWays](ctx, c, http.MethodGet, nil)(path("session", "ways"))
}

// PrepareTOTP makes the secret of a second step for logins of who the token is of.
func (c *Client) PrepareTOTP(ctx context.Context, password string) (*api.TOTPSecret, error) {
	if err := c.private("password"); err != nil {
		return nil, err
	}
	return one[api.TOTPSecret](ctx, c, http.MethodPost, api.TOTPRequest{Password: password})(path("me:totp"))
}

// ConfirmTOTP turns the second step on with a code of it.
func (c *Client) ConfirmTOTP(ctx context.Context, code string) (*api.RecoveryCodes, error) {
	return one[api.RecoveryCodes](ctx, c, http.MethodPost, api.TOTPConfirmation{Code: code})(path("me:totp-confirm"))
}

// RemoveTOTP takes the second step away.
func (c *Client) RemoveTOTP(ctx context.Context, request api.TOTPRemoval) error {
	if err := c.private("password"); err != nil {
		return err
	}
	_, err := one[struct{}](ctx, c, http.MethodPost, request)(path("me:totp-remove"))
	return err
}

// Users iterates over the users.
func (c *Client) Users(ctx context.Context) iter.Seq2[api.User, error] {
	return pages[api.User](ctx, c, "/users", url.Values{}, nil)
}

// User returns one user.
func (c *Client) User(ctx context.Context, name string) (*api.User, error) {
	return one[api.User](ctx, c, http.MethodGet, nil)(path("users", name))
}

// CreateUser records a user.
func (c *Client) CreateUser(ctx context.Context, request api.UserRequest) (*api.User, error) {
	return one[api.User](ctx, c, http.MethodPost, request)(path("users"))
}

// UpdateUser changes a user.
func (c *Client) UpdateUser(ctx context.Context, name string, change api.UserChange) (*api.User, error) {
	return one[api.User](ctx, c, http.MethodPatch, change)(path("users", name))
}

// DeleteUser deletes a user with tokens, grants and logins.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("users", name))
}

// InviteUser makes an invitation to choose a password.
func (c *Client) InviteUser(ctx context.Context, name string) (*api.Invitation, error) {
	return one[api.Invitation](ctx, c, http.MethodPost, nil)(path("users", name+":invite"))
}

// Groups iterates over the groups of users.
func (c *Client) Groups(ctx context.Context) iter.Seq2[api.UserGroup, error] {
	return pages[api.UserGroup](ctx, c, "/groups", url.Values{}, nil)
}

// Group returns one group of users.
func (c *Client) Group(ctx context.Context, name string) (*api.UserGroup, error) {
	return one[api.UserGroup](ctx, c, http.MethodGet, nil)(path("groups", name))
}

// CreateGroup records a group of users.
func (c *Client) CreateGroup(ctx context.Context, request api.UserGroupRequest) (*api.UserGroup, error) {
	return one[api.UserGroup](ctx, c, http.MethodPost, request)(path("groups"))
}

// DeleteGroup deletes a group with its grants.
func (c *Client) DeleteGroup(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("groups", name))
}

// Roles iterates over the roles.
func (c *Client) Roles(ctx context.Context) iter.Seq2[api.Role, error] {
	return pages[api.Role](ctx, c, "/roles", url.Values{}, nil)
}

// Role returns one role.
func (c *Client) Role(ctx context.Context, name string) (*api.Role, error) {
	return one[api.Role](ctx, c, http.MethodGet, nil)(path("roles", name))
}

// CreateRole records a role of one's own.
func (c *Client) CreateRole(ctx context.Context, request api.RoleRequest) (*api.Role, error) {
	return one[api.Role](ctx, c, http.MethodPost, request)(path("roles"))
}

// UpdateRole changes a role of one's own.
func (c *Client) UpdateRole(ctx context.Context, name string, change api.RoleChange) (*api.Role, error) {
	return one[api.Role](ctx, c, http.MethodPatch, change)(path("roles", name))
}

// DeleteRole deletes a role that nobody has.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return none(ctx, c, http.MethodDelete)(path("roles", name))
}

// Grants iterates over who has which role.
func (c *Client) Grants(ctx context.Context) iter.Seq2[api.Grant, error] {
	return pages[api.Grant](ctx, c, "/grants", url.Values{}, nil)
}

// CreateGrant grants a role.
func (c *Client) CreateGrant(ctx context.Context, request api.GrantRequest) (*api.Grant, error) {
	return one[api.Grant](ctx, c, http.MethodPost, request)(path("grants"))
}

// DeleteGrant takes a role away.
func (c *Client) DeleteGrant(ctx context.Context, id string) error {
	return none(ctx, c, http.MethodDelete)(path("grants", id))
}

// Tokens iterates over tokens, without what they are.
func (c *Client) Tokens(ctx context.Context) iter.Seq2[api.APIToken, error] {
	return pages[api.APIToken](ctx, c, "/tokens", url.Values{}, nil)
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, request api.APITokenRequest) (*api.IssuedToken, error) {
	return one[api.IssuedToken](ctx, c, http.MethodPost, request)(path("tokens"))
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return none(ctx, c, http.MethodDelete)(path("tokens", id))
}
