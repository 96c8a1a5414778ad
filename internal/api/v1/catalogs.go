package v1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerCatalogs registers the lists of what a connection offers.
func (s *server) registerCatalogs(api huma.API) {
	for _, c := range resource.Catalogs() {
		entry := api.OpenAPI().Components.Schemas.Schema(c.EntryType(), true, "")
		huma.Register(api, problems(api.OpenAPI().Components.Schemas, huma.Operation{
			OperationID: "list-" + c.Plural(), Method: http.MethodGet, Path: "/v1/catalog/" + c.Plural(), Tags: []string{"Catalog"},
			Summary: "List the " + c.Plural() + " that a connection offers", Description: c.Doc + " Answers of the cloud are used again for ten minutes.",
			Responses: map[string]*huma.Response{"200": {Description: "Done.", Content: map[string]*huma.MediaType{"application/json": {
				Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"items"}, Properties: map[string]*huma.Schema{
					"items":         {Type: huma.TypeArray, Items: entry},
					"nextPageToken": {Type: huma.TypeString},
				}},
			}}}},
		}), func(ctx context.Context, in *struct {
			Connection string `query:"connection" required:"true" doc:"Name of the connection." minLength:"1" maxLength:"128"`
			ListParams
		},
		) (*body[list[json.RawMessage]], error) {
			query, err := in.query()
			if err != nil {
				return nil, problem(err)
			}
			items, next, err := s.Catalog.List(ctx, in.Connection, c.Name, query)
			if err != nil {
				return nil, problem(err)
			}
			return &body[list[json.RawMessage]]{list[json.RawMessage]{Items: items, NextPageToken: next}}, nil
		})
	}
}
