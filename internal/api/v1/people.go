package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerPeople registers users and what they may do.
func (s *server) registerPeople(routes *doors) {
	operation := func(id, method, path, summary, description string) huma.Operation {
		o := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: description, Tags: []string{"Users"}}
		if method == http.MethodPost {
			o.DefaultStatus = http.StatusCreated
		}
		return o
	}
	takesA := func(path string, t reflect.Type) { takes(routes, path, schemasOf(routes, t), true) }
	read, manage := ofAll(people.Read, people.Person), ofAll(people.Manage, people.Person)

	answer(routes, anybody(), operation("get-me", http.MethodGet, "/v1/me", "Get who asks, and what this one may do", ""),
		func(ctx context.Context, _ *struct{}) (*api.Me, error) { return s.People.Me(ctx), nil })
	ofMe(routes, operation("change-my-password", http.MethodPost, "/v1/me:password", "Change the password of who asks", "It ends all logins in browsers. Tokens stay."),
		reflect.TypeFor[api.PasswordChange](), func(ctx context.Context, raw []byte) (checked, error) {
			return checked{OK: true}, s.People.ChangePassword(ctx, raw)
		})
	ofMe(routes, operation("prepare-my-totp", http.MethodPost, "/v1/me:totp", "Make the secret of a second step for logins of who asks", "Logins with the password ask for codes once it is confirmed. Tokens are not asked for codes."),
		reflect.TypeFor[api.TOTPRequest](), s.People.PrepareTOTP)
	ofMe(routes, operation("confirm-my-totp", http.MethodPost, "/v1/me:totp-confirm", "Turn the second step on with a code", ""),
		reflect.TypeFor[api.TOTPConfirmation](), s.People.ConfirmTOTP)
	ofMe(routes, operation("remove-my-totp", http.MethodPost, "/v1/me:totp-remove", "Take the second step of who asks away", ""),
		reflect.TypeFor[api.TOTPRemoval](), func(ctx context.Context, raw []byte) (checked, error) {
			return checked{OK: true}, s.People.RemoveTOTP(ctx, raw)
		})

	answer(routes, read, operation("list-users", http.MethodGet, "/v1/users", "List the users", ""),
		func(ctx context.Context, _ *struct{}) (list[api.User], error) {
			return list[api.User]{Items: s.People.Users(ctx)}, nil
		})
	answer(routes, manage, operation("create-user", http.MethodPost, "/v1/users", "Record a user", "A user may do nothing until a role is granted to it, or to a group that it is in."),
		func(ctx context.Context, in *struct{ JSONBody }) (*api.User, error) {
			return s.People.CreateUser(ctx, in.raw)
		})
	takesA("/v1/users", reflect.TypeFor[api.UserRequest]())
	answer(routes, read, operation("get-user", http.MethodGet, "/v1/users/{name}", "Get a user", ""),
		func(ctx context.Context, in *Named) (*api.User, error) { return s.People.User(ctx, in.Name) })
	answer(routes, manage, operation("update-user", http.MethodPatch, "/v1/users/{name}", "Change a user", "What is absent stays as it is. A new password, and being disabled, end all logins in browsers."),
		func(ctx context.Context, in *struct {
			Named
			JSONBody
		},
		) (*api.User, error) {
			return s.People.UpdateUser(ctx, in.Name, in.raw)
		})
	takesA("/v1/users/{name}", reflect.TypeFor[api.UserChange]())
	s.remove(routes, manage, operation("delete-user", "", "/v1/users/{name}", "Delete a user with tokens, grants and logins", ""), s.People.DeleteUser)
	answer(routes, manage, operation("invite-user", http.MethodPost, "/v1/users/{name}:invite", "Make an invitation to choose a password", "It is good once, for three days, and takes the place of those before. Hand it to the user in a way that you trust."),
		func(ctx context.Context, in *struct {
			Named
			JSONBody
		},
		) (*api.Invitation, error) {
			if err := resource.Decode(in.raw, &struct{}{}); err != nil {
				return nil, err
			}
			return s.People.Invite(ctx, in.Name)
		})
	takes(routes, "/v1/users/{name}:invite", nothing(), false)

	answer(routes, read, operation("list-groups", http.MethodGet, "/v1/groups", "List the groups of users", ""),
		func(ctx context.Context, _ *struct{}) (list[api.UserGroup], error) {
			return list[api.UserGroup]{Items: s.People.Groups(ctx)}, nil
		})
	answer(routes, manage, operation("create-group", http.MethodPost, "/v1/groups", "Record a group of users", "Who is in it is said of the users."),
		func(ctx context.Context, in *struct{ JSONBody }) (*api.UserGroup, error) {
			return s.People.CreateGroup(ctx, in.raw)
		})
	takesA("/v1/groups", reflect.TypeFor[api.UserGroupRequest]())
	answer(routes, read, operation("get-group", http.MethodGet, "/v1/groups/{name}", "Get a group with its members", ""),
		func(ctx context.Context, in *Named) (*api.UserGroup, error) { return s.People.Group(ctx, in.Name) })
	s.remove(routes, manage, operation("delete-group", "", "/v1/groups/{name}", "Delete a group with its grants", "Its members stay."), s.People.DeleteGroup)

	answer(routes, read, operation("list-roles", http.MethodGet, "/v1/roles", "List the roles", ""),
		func(ctx context.Context, _ *struct{}) (list[api.Role], error) {
			return list[api.Role]{Items: s.People.Roles(ctx)}, nil
		})
	answer(routes, manage, operation("create-role", http.MethodPost, "/v1/roles", "Record a role of one's own", ""),
		func(ctx context.Context, in *struct{ JSONBody }) (*api.Role, error) {
			return s.People.CreateRole(ctx, in.raw)
		})
	takesA("/v1/roles", reflect.TypeFor[api.RoleRequest]())
	answer(routes, read, operation("get-role", http.MethodGet, "/v1/roles/{name}", "Get a role", ""),
		func(ctx context.Context, in *Named) (*api.Role, error) { return s.People.Role(ctx, in.Name) })
	answer(routes, manage, operation("update-role", http.MethodPatch, "/v1/roles/{name}", "Change a role", "At once for all who have it."),
		func(ctx context.Context, in *struct {
			Named
			JSONBody
		},
		) (*api.Role, error) {
			return s.People.UpdateRole(ctx, in.Name, in.raw)
		})
	takesA("/v1/roles/{name}", reflect.TypeFor[api.RoleChange]())
	s.remove(routes, manage, operation("delete-role", "", "/v1/roles/{name}", "Delete a role that nobody has", ""), s.People.DeleteRole)

	answer(routes, read, operation("list-grants", http.MethodGet, "/v1/grants", "List who has which role", ""),
		func(ctx context.Context, _ *struct{}) (list[api.Grant], error) {
			return list[api.Grant]{Items: s.People.Grants(ctx)}, nil
		})
	answer(routes, manage, operation("create-grant", http.MethodPost, "/v1/grants", "Grant a role to a user or a group", "Everywhere, or in some connections."),
		func(ctx context.Context, in *struct{ JSONBody }) (*api.Grant, error) {
			return s.People.CreateGrant(ctx, in.raw)
		})
	takesA("/v1/grants", reflect.TypeFor[api.GrantRequest]())
	s.remove(routes, manage, operation("delete-grant", "", "/v1/grants/{name}", "Take a role away", ""), s.People.DeleteGrant)

	answer(routes, anybody(), operation("list-tokens", http.MethodGet, "/v1/tokens", "List tokens, without what they are", "One's own; of all, for who may see who may do what."),
		func(ctx context.Context, _ *struct{}) (list[api.APIToken], error) {
			who, _ := people.From(ctx)
			user := who.User
			if s.People.Decide(ctx, people.Read, people.What{Kind: people.Person}) == people.Allowed {
				user = ""
			} else if user == "" {
				return list[api.APIToken]{Items: []api.APIToken{}}, nil
			}
			items, err := s.People.Tokens(ctx, user)
			return list[api.APIToken]{Items: items}, err
		})
	answer(routes, anybody(), operation("create-token", http.MethodPost, "/v1/tokens", "Make a token", "For oneself, or for a user of whom one is in charge. The answer alone has it."),
		func(ctx context.Context, in *struct{ JSONBody }) (*api.IssuedToken, error) {
			return s.People.CreateToken(ctx, in.raw)
		})
	takesA("/v1/tokens", reflect.TypeFor[api.APITokenRequest]())
	s.remove(routes, anybody(), operation("revoke-token", "", "/v1/tokens/{name}", "Revoke a token, at once on all servers", "By its id."), s.People.RevokeToken)
}

// ofMe registers a route by which who asks changes how he gets in.
func ofMe[T any](routes *doors, o huma.Operation, request reflect.Type, do func(context.Context, []byte) (T, error)) {
	o.DefaultStatus = http.StatusOK
	answer(routes, anybody(), o, func(ctx context.Context, in *struct{ JSONBody }) (T, error) { return do(ctx, in.raw) })
	takes(routes, o.Path, schemasOf(routes, request), true)
}

// The paths for who is not let in yet: to choose a password by an invitation, and to get a token
// for a password.
const (
	invitePath = "/v1/invitation"
	loginPath  = "/v1/login"
)

// strangerRoutes serve who is not let in yet. They are no part of the OpenAPI document, which is
// of what is done by who is.
func (s *server) strangerRoutes(r chi.Router) {
	stranger(r, invitePath, s.People.Accept)
	stranger(r, loginPath, s.People.LogIn)
}

func stranger[T any](r chi.Router, path string, do func(context.Context, []byte) (T, error)) {
	r.With(bufferBody).Post(path, func(w http.ResponseWriter, r *http.Request) {
		_, raw := parts(r)("")
		made, err := do(r.Context(), raw)
		if err != nil {
			problem(err).write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", noStore)
		_ = json.NewEncoder(w).Encode(made) // the client is gone if this fails
	})
}
