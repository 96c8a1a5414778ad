package v1

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerCatalogs registers the lists of what a connection offers.
func (s *server) registerCatalogs(routes *doors) {
	schemas := routes.OpenAPI().Components.Schemas
	for _, c := range resource.Catalogs() {
		entry := schemas.Schema(c.EntryType(), true, "")
		answers := map[string]*huma.Response{"200": {Description: "Done.", Content: map[string]*huma.MediaType{"application/json": {
			Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"items"}, Properties: map[string]*huma.Schema{
				"items":         {Type: huma.TypeArray, Items: entry},
				"nextPageToken": {Type: huma.TypeString},
			}},
		}}}}
		answer(routes, inQuery(people.Read, c.Name), huma.Operation{
			OperationID: "list-" + c.Plural(), Method: http.MethodGet, Path: "/v1/catalog/" + c.Plural(), Tags: []string{"Catalog"},
			Summary: "List the " + c.Plural() + " that a connection offers", Description: c.Doc + " Answers of the cloud are used again for ten minutes.",
			Responses: answers,
		}, func(ctx context.Context, in *struct {
			Connection string `query:"connection" required:"true" doc:"Name of the connection." minLength:"1" maxLength:"128"`
			ListParams
		},
		) (list[json.RawMessage], error) {
			query, err := in.query(ctx)
			if err != nil {
				return list[json.RawMessage]{}, err
			}
			items, next, err := s.Catalog.List(ctx, in.Connection, c.Name, query)
			return list[json.RawMessage]{Items: items, NextPageToken: next}, err
		})
		path := "/v1/drivers/{name}/catalog/" + c.Plural()
		answer(routes, ofAll(people.Create, people.Connection), huma.Operation{
			OperationID: "look-up-" + c.Plural(), Method: http.MethodPost, Path: path, Tags: []string{"Catalog"},
			Summary:     "Look up the " + c.Plural() + " that a connection would offer",
			Description: c.Doc + " For a connection that is not recorded yet, with a credential that may not be either. Nothing of the request is kept, and the cloud is asked for each page.",
			Responses:   answers,
		}, func(ctx context.Context, in *struct {
			Named
			ListParams
			JSONBody
		},
		) (list[json.RawMessage], error) {
			query, err := in.query(ctx)
			if err != nil {
				return list[json.RawMessage]{}, err
			}
			items, next, err := catalog.LookUp(c.Name, query, func(q driver.Query) iter.Seq2[json.RawMessage, error] {
				return s.Registry.LookUp(ctx, in.Name, in.raw, c.Name, q)
			})
			return list[json.RawMessage]{Items: items, NextPageToken: next}, err
		})
		takes(routes, path, schemas.Schema(reflect.TypeFor[api.ConnectionDraft](), true, ""), true)
	}
}
