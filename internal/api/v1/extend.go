package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/people"
)

// registerExtensions registers what a connection offers and what only its cloud has.
func (s *server) registerExtensions(routes *doors) {
	schemas := routes.OpenAPI().Components.Schemas
	tags := []string{"Connections"}
	const (
		connection = "/v1/connections/{connection}"
		extension  = connection + "/extensions/{name}"
		native     = connection + "/native"
	)
	answer(routes, inConnection(people.Read, people.Connection), huma.Operation{
		OperationID: "get-capabilities", Method: http.MethodGet, Path: connection + "/capabilities", Tags: tags,
		Summary:     "Get what a connection offers",
		Description: "What its driver offers, without what the cloud does not have in the region or the installation, with the reasons.",
	}, func(ctx context.Context, in *InConnection) (*driver.Capabilities, error) {
		return s.Registry.Capabilities(ctx, in.Connection)
	})
	answer(routes, inConnection(people.Read, people.Connection), huma.Operation{
		OperationID: "list-permissions", Method: http.MethodGet, Path: connection + "/permissions", Tags: tags,
		Summary:     "List the permissions that a connection's driver needs, with whether its credential has them",
		Description: "Asked of the cloud each time and kept nowhere.",
	}, func(ctx context.Context, in *InConnection) (list[driver.Permission], error) {
		items, err := s.Registry.Permissions(ctx, in.Connection)
		return list[driver.Permission]{Items: items}, err
	})
	object := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	answer(routes, inConnection(people.Extend, people.Connection), huma.Operation{
		OperationID: "run-extension", Method: http.MethodPost, Path: extension, Tags: tags,
		Summary:     "Run an operation that only one driver has",
		Description: "The input and the answer are as the capabilities of the connection say. It is not tried again, and only the audit trail says that it was called, and by whom.",
		Responses: map[string]*huma.Response{"200": {
			Description: "What the extension answers.", Content: map[string]*huma.MediaType{"application/json": {Schema: object}},
		}},
	}, func(ctx context.Context, in *struct {
		InConnection
		Name string `path:"name" doc:"Name of the extension." maxLength:"64"`
		JSONBody
	},
	) (json.RawMessage, error) {
		return s.Registry.Extend(ctx, in.Connection, in.Name, in.raw)
	})
	takes(routes, extension, object, true)
	answer(routes, inConnection(people.Native, people.Connection), huma.Operation{
		OperationID: "call-native", Method: http.MethodPost, Path: native, Tags: tags,
		Summary:     "Pass a request to the cloud's own API",
		Description: "The driver signs the request with the connection's credential. Whatever the cloud answers is the answer, with its status inside. It is not tried again, and only the audit trail says that it was called, and by whom.",
	}, func(ctx context.Context, in *struct {
		InConnection
		JSONBody
	},
	) (*driver.NativeResponse, error) {
		return s.Registry.Native(ctx, in.Connection, in.raw)
	})
	takes(routes, native, schemas.Schema(reflect.TypeFor[driver.NativeRequest](), true, ""), true)
}
