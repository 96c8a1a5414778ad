package v1

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerInventory registers the routes that compare a connection's cloud with
// what is recorded here, for all kinds.
func (s *server) registerInventory(routes *doors) {
	tags := []string{"Connections"}
	answer(routes, ofKindInQuery(people.Read), huma.Operation{
		OperationID: "list-inventory", Method: http.MethodGet, Path: "/v1/connections/{connection}/inventory", Tags: tags,
		Summary: "Compare what the cloud has with what is recorded here", Description: "The cloud is asked anew. A service of it that is down takes only its own kinds with it.",
	}, func(ctx context.Context, in *struct {
		InConnection
		Kind string `query:"kind" doc:"Only this kind. Default: every kind that the driver offers." maxLength:"64"`
	},
	) (*api.Inventory, error) {
		return s.Inventory.Compare(ctx, in.Connection, in.Kind)
	})
	const all = "/v1/connections/{connection}:adopt"
	answer(routes, inConnection(people.Adopt, people.Resources), huma.Operation{
		OperationID: "adopt-all", Method: http.MethodPost, Path: all, Tags: tags,
		Summary: "Record everything that the cloud has", Description: "What is used is recorded before what uses it, under its own names. The cloud is not touched. A service of it that is down takes only its own kinds with it.",
	}, func(ctx context.Context, in *struct {
		InConnection
		JSONBody
	},
	) (*api.Adoption, error) {
		if err := resource.Decode(in.raw, &struct{}{}); err != nil {
			return nil, err
		}
		return s.Inventory.AdoptAll(ctx, in.Connection)
	})
	takes(routes, all, nothing(), false)
	const destroy = "/v1/connections/{connection}:destroy"
	answer(routes, inConnection(people.Delete, people.Resources), huma.Operation{
		OperationID: "destroy-connection", Method: http.MethodPost, Path: destroy, Tags: tags,
		Summary: "Delete everything that is recorded of a connection", Description: "On the cloud, too, in the order of who uses what. Answers what it is and the operation, ended with wait. The connection itself stays.",
	}, func(ctx context.Context, in *struct {
		InConnection
		WaitParam
		KeyParam
		JSONBody
	},
	) (*api.Destruction, error) {
		wait, err := in.duration()
		if err != nil {
			return nil, err
		}
		var request api.DestroyRequest
		if err := resource.Decode(in.raw, &request); err != nil {
			return nil, err
		}
		d, err := s.Engine.Destroy(ctx, in.Connection, request.DryRun)
		if err == nil && d.Operation != nil && wait > 0 {
			d.Operation, err = s.Engine.Wait(ctx, d.Operation.ID, wait)
		}
		return d, err
	})
	takes(routes, destroy, schemasOf(routes, reflect.TypeFor[api.DestroyRequest]()), true)
}

func schemasOf(routes *doors, t reflect.Type) *huma.Schema {
	return routes.OpenAPI().Components.Schemas.Schema(t, true, "")
}

// registerAdoption registers the routes with which one resource of a kind comes
// under management and leaves it.
func (s *server) registerAdoption(routes *doors, k *resource.Kind) {
	base := "/v1/connections/{connection}/" + k.Plural()
	schemas := routes.OpenAPI().Components.Schemas
	answer(routes, inConnection(people.Adopt, k.Name), huma.Operation{
		OperationID: "adopt-" + k.Name, Method: http.MethodPost, Path: base + ":adopt", Tags: []string{k.Title}, DefaultStatus: http.StatusCreated,
		Summary: "Record one that exists on the cloud", Description: "Its parts, such as the subnets of a VPC, are recorded with it, under their own names, if they are not managed here. The cloud is not touched.",
	}, func(ctx context.Context, in *struct {
		InConnection
		JSONBody
	},
	) (*resource.Resource, error) {
		return s.Inventory.Adopt(ctx, in.Connection, k.Name, in.raw)
	})
	takes(routes, base+":adopt", schemas.Schema(reflect.TypeFor[api.AdoptRequest](), true, ""), true)
	answer(routes, ofOne(people.Release, k.Name), huma.Operation{
		OperationID: "release-" + k.Name, Method: http.MethodPost, Path: base + "/{name}:release", Tags: []string{k.Title},
		Summary: "Forget one and leave it on the cloud", Description: "Its parts, such as the subnets of a VPC, are forgotten with it. Refused while something else uses it or one of them. The cloud is not touched.",
	}, func(ctx context.Context, in *struct {
		OneResource
		JSONBody
	},
	) (*api.Operation, error) {
		if err := resource.Decode(in.raw, &struct{}{}); err != nil {
			return nil, err
		}
		return s.Inventory.Release(ctx, in.Connection, k.Name, in.Name)
	})
	takes(routes, base+"/{name}:release", nothing(), false)
}
