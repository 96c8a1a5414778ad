package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Named names something in the path.
type Named struct {
	Name string `path:"name" doc:"Its name." maxLength:"128"`
}

// answer registers a route whose handler returns a body or an error of the engine.
func answer[In, Out any](routes *doors, needs need, o huma.Operation, handle func(context.Context, *In) (Out, error)) {
	register(routes, needs, problems(routes.OpenAPI().Components.Schemas, o), func(ctx context.Context, in *In) (*body[*Out], error) { // pointers share their code
		out, err := handle(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		return &body[*Out]{&out}, nil
	})
}

// remove registers a route that answers nothing.
func (s *server) remove(routes *doors, needs need, o huma.Operation, handle func(context.Context, string) error) {
	o.Method, o.DefaultStatus = http.MethodDelete, http.StatusNoContent
	register(routes, needs, problems(routes.OpenAPI().Components.Schemas, o), func(ctx context.Context, in *struct {
		Named
		ChangeKeyParam
	},
	) (*struct{}, error) {
		gone := func(context.Context) (*struct{}, error) { return nil, nil } //nolint:nilnil // no body
		_, err := once.Change(ctx, s.Once, func(ctx context.Context) (*struct{}, error) { return nil, handle(ctx, in.Name) }, gone)
		if err != nil {
			return nil, problem(err)
		}
		return nil, nil //nolint:nilnil // no body
	})
}

// creates registers a route that records something under a name once, whatever is sent again.
func creates[T any](
	s *server, routes *doors, needs need, o huma.Operation, request reflect.Type,
	create func(ctx context.Context, body []byte) (*T, error), find func(ctx context.Context, name string) (*T, error),
) {
	o.Method, o.DefaultStatus = http.MethodPost, http.StatusCreated
	answer(routes, needs, o, func(ctx context.Context, in *struct {
		JSONBody
		ChangeKeyParam
	},
	) (*T, error) {
		return once.Change(ctx, s.Once, func(ctx context.Context) (*T, error) { return create(ctx, in.raw) },
			func(ctx context.Context) (*T, error) { return find(ctx, nameIn(in.raw)) })
	})
	takes(routes, o.Path, schemasOf(routes, request), true)
}

// nameIn reads the name that a creation gives, from a body that was accepted before.
func nameIn(body []byte) string {
	var named struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(body, &named) // a body that is none has no name
	return named.Name
}

// registerSetup registers credentials and connections.
func (s *server) registerSetup(routes *doors) {
	schemas := routes.OpenAPI().Components.Schemas
	tags := func(tag string, o huma.Operation) huma.Operation {
		o.Tags = []string{tag}
		return o
	}

	const credentials = "Credentials"
	answer(routes, ofAll(people.Read, people.Credential), tags(credentials, huma.Operation{
		OperationID: "list-credentials", Method: http.MethodGet, Path: "/v1/credentials", Summary: "List the credentials, without their values",
	}), func(ctx context.Context, _ *struct{}) (list[api.Credential], error) {
		items, err := s.Registry.Credentials(ctx)
		return list[api.Credential]{Items: items}, err
	})
	creates(s, routes, ofAll(people.Create, people.Credential), tags(credentials, huma.Operation{
		OperationID: "create-credential", Path: "/v1/credentials", Summary: "Seal and record a credential",
	}), reflect.TypeFor[api.CredentialRequest](), s.Registry.CreateCredential, s.Registry.Credential)
	answer(routes, ofAll(people.Read, people.Credential), tags(credentials, huma.Operation{
		OperationID: "get-credential", Method: http.MethodGet, Path: "/v1/credentials/{name}", Summary: "Get a credential, without its values",
	}), func(ctx context.Context, in *Named) (*api.Credential, error) {
		return s.Registry.Credential(ctx, in.Name)
	})
	answer(routes, ofAll(people.Update, people.Credential), tags(credentials, huma.Operation{
		OperationID: "update-credential", Method: http.MethodPatch, Path: "/v1/credentials/{name}", Summary: "Replace values of a credential",
		Description: "What is absent stays as it is. The new values are first tried in every connection that uses the credential, unless check is false; each must lead to the same account as before.",
	}), func(ctx context.Context, in *struct {
		Named
		JSONBody
		ChangeKeyParam
		Check bool `query:"check" doc:"Whether to try it on the cloud first." default:"true"`
	},
	) (*api.Credential, error) {
		return once.Change(ctx, s.Once, func(ctx context.Context) (*api.Credential, error) {
			return s.Registry.UpdateCredential(ctx, in.Name, in.raw, in.Check)
		}, func(ctx context.Context) (*api.Credential, error) { return s.Registry.Credential(ctx, in.Name) })
	})
	takes(routes, "/v1/credentials/{name}", schemas.Schema(reflect.TypeFor[api.CredentialChange](), true, ""), false)
	s.remove(routes, ofAll(people.Delete, people.Credential), tags(credentials, huma.Operation{
		OperationID: "delete-credential", Path: "/v1/credentials/{name}", Summary: "Delete a credential that no connection uses",
	}), func(ctx context.Context, name string) error { return s.Registry.DeleteCredential(ctx, name) })

	const connections = "Connections"
	answer(routes, ofSome(people.Connection), tags(connections, huma.Operation{
		OperationID: "list-connections", Method: http.MethodGet, Path: "/v1/connections", Summary: "List the connections",
	}), func(ctx context.Context, in *FilterParams) (list[api.Connection], error) {
		filters, err := in.filters()
		if err != nil {
			return list[api.Connection]{}, err
		}
		items, err := s.Registry.Connections(ctx, filters...)
		items = slices.DeleteFunc(items, func(c api.Connection) bool {
			return s.People.Decide(ctx, people.Read, people.What{Kind: people.Connection, Connection: c.Name}) != people.Allowed
		})
		return list[api.Connection]{Items: items}, err
	})
	answer(routes, ofAll(people.Create, people.Connection), tags(connections, huma.Operation{
		OperationID: "create-connection", Method: http.MethodPost, Path: "/v1/connections", DefaultStatus: http.StatusCreated,
		Summary: "Try and record a connection", Description: "Its credential, region and settings are tried on the cloud first, unless check is false.",
	}), func(ctx context.Context, in *struct {
		JSONBody
		ChangeKeyParam
		Check bool `query:"check" doc:"Whether to try it on the cloud first." default:"true"`
	},
	) (*api.Connection, error) {
		return once.Change(ctx, s.Once, func(ctx context.Context) (*api.Connection, error) {
			return s.Registry.CreateConnection(ctx, in.raw, in.Check)
		}, func(ctx context.Context) (*api.Connection, error) {
			return s.Registry.Connection(ctx, nameIn(in.raw))
		})
	})
	takes(routes, "/v1/connections", schemas.Schema(reflect.TypeFor[api.ConnectionRequest](), true, ""), true)
	answer(routes, ofConnection(people.Read), tags(connections, huma.Operation{
		OperationID: "get-connection", Method: http.MethodGet, Path: "/v1/connections/{name}", Summary: "Get a connection",
	}), func(ctx context.Context, in *Named) (*api.Connection, error) {
		return s.Registry.Connection(ctx, in.Name)
	})
	answer(routes, ofConnection(people.Update), tags(connections, huma.Operation{
		OperationID: "update-connection", Method: http.MethodPatch, Path: "/v1/connections/{name}", Summary: "Change a connection",
		Description: "What is absent stays as it is. Another credential, zone or settings are first tried on the cloud, unless check is false, and must lead to the same account. Only who may make connections may change these, and only who may change all connections their labels, by which rights are given.",
	}), func(ctx context.Context, in *struct {
		Named
		JSONBody
		Check bool `query:"check" doc:"Whether to try it on the cloud first." default:"true"`
	},
	) (*api.Connection, error) {
		if err := s.mayReplace(ctx, in.raw); err != nil {
			return nil, err
		}
		return s.Registry.UpdateConnection(ctx, in.Name, in.raw, in.Check)
	})
	takes(routes, "/v1/connections/{name}", schemas.Schema(reflect.TypeFor[api.ConnectionChange](), true, ""), false)
	answer(routes, ofConnection(people.Read), tags(connections, huma.Operation{
		OperationID: "check-connection", Method: http.MethodPost, Path: "/v1/connections/{name}:check",
		Summary: "Try a connection on the cloud",
	}), func(ctx context.Context, in *struct {
		Named
		JSONBody
	},
	) (checked, error) {
		if err := resource.Decode(in.raw, &struct{}{}); err != nil {
			return checked{}, err
		}
		return checked{OK: true}, s.Registry.CheckConnection(ctx, in.Name)
	})
	takes(routes, "/v1/connections/{name}:check", nothing(), false)
	s.remove(routes, ofConnection(people.Delete), tags(connections, huma.Operation{
		OperationID: "delete-connection", Path: "/v1/connections/{name}", Summary: "Delete a connection that nothing lives in",
	}), func(ctx context.Context, name string) error { return s.Registry.DeleteConnection(ctx, name) })
}

// mayReplace refuses who may not make connections to change where one leads: that would use
// a credential that is not his, or show one to an endpoint of his own. It refuses who may not
// change all of them to change labels, which would bring one into the reach of rights, or out of it.
func (s *server) mayReplace(ctx context.Context, body []byte) error {
	var change struct{ Credential, Zone, Settings, Labels json.RawMessage }
	if json.Unmarshal(body, &change) != nil {
		return nil //nolint:nilerr // what is not well-formed is refused for that
	}
	all := people.What{Kind: people.Connection}
	if change.Credential != nil || change.Zone != nil || change.Settings != nil {
		if err := s.People.Allow(ctx, people.Create, all); err != nil {
			return err
		}
	}
	if change.Labels != nil {
		return s.People.Allow(ctx, people.Update, all)
	}
	return nil
}

type checked struct {
	OK bool `json:"ok" doc:"Always true; a connection that does not work is answered by a problem."`
}
