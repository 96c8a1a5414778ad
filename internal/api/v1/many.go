package v1

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerMany registers the routes that change several resources of a kind by one request,
// those of a connection or of any.
func (s *server) registerMany(routes *doors, k *resource.Kind, title string) {
	s.registerManyVerb(routes, k, api.VerbDelete, "Delete several "+title+"s")
	for _, a := range k.Actions {
		s.registerManyVerb(routes, k, a.Name, "For several "+title+"s: "+strings.ToLower(a.Doc[:1])+a.Doc[1:])
	}
}

func (s *server) registerManyVerb(routes *doors, k *resource.Kind, verb, summary string) {
	schemas := routes.OpenAPI().Components.Schemas
	operation := map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(reflect.TypeFor[api.Operation](), true, "")}}
	describedAt := func(id, path string) huma.Operation {
		return problems(schemas, huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Tags: []string{k.Title},
			Summary:     summary,
			Description: "Answers one operation, whose parts are those on each (filter operations by parent). What cannot be begun is a part that has failed; where nothing can, the request is refused. A cancellation of the operation is one of its parts, and so is another try.",
			Responses: map[string]*huma.Response{
				"200": {Description: describe("200"), Content: operation}, "202": {Description: describe("202"), Content: operation},
			},
		})
	}
	start := func(ctx context.Context, connection string, wait WaitParam, body []byte) (*changed, error) {
		return s.change(ctx, wait, http.StatusOK, func() (*api.Operation, error) {
			return s.Engine.ChangeMany(ctx, connection, k.Name, verb, body)
		})
	}
	in, all := "/v1/connections/{connection}/"+k.Plural()+":"+verb, "/v1/"+k.Plural()+":"+verb
	register(routes, ofMany(k, verb, byList), describedAt(verb+"-"+k.Plural(), in), func(ctx context.Context, in *struct {
		InConnection
		WaitParam
		KeyParam
		JSONBody
	},
	) (*changed, error) {
		return start(ctx, in.Connection, in.WaitParam, in.raw)
	})
	register(routes, ofMany(k, verb, bySome), describedAt(verb+"-all-"+k.Plural(), all), func(ctx context.Context, in *struct {
		WaitParam
		KeyParam
		JSONBody
	},
	) (*changed, error) {
		return start(ctx, "", in.WaitParam, in.raw)
	})
	for _, path := range []string{in, all} {
		takes(routes, path, schemas.Schema(reflect.TypeFor[api.ManyRequest](), true, ""), true)
	}
}
