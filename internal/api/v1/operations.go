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

// registerOperations registers the routes of operations.
func (s *server) registerOperations(routes *doors) {
	tags := []string{"Operations"}
	answer(routes, ofAny(people.Read), huma.Operation{
		OperationID: "list-operations", Method: http.MethodGet, Path: "/v1/operations", Tags: tags, Summary: "List the operations, the newest first",
	}, func(ctx context.Context, in *ListParams) (list[*api.Operation], error) {
		query, err := in.query(ctx)
		if err != nil {
			return list[*api.Operation]{}, err
		}
		items, next, err := s.Engine.Operations(ctx, query)
		return list[*api.Operation]{Items: items, NextPageToken: next}, err
	})
	answer(routes, ofAll(people.Read, people.Audit), huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"Audit"},
		Summary:     "List who did what, the newest first",
		Description: "Changes of credentials and connections, also those that were refused, operations on resources that have ended, logins, secrets that were read, and calls of extensions and of the clouds' own APIs, without what was sent or answered.",
	}, func(ctx context.Context, in *ListParams) (list[api.AuditEntry], error) {
		query, err := in.query(ctx)
		if err != nil {
			return list[api.AuditEntry]{}, err
		}
		items, next, err := s.Audit.List(ctx, query)
		return list[api.AuditEntry]{Items: items, NextPageToken: next}, err
	})
	answer(routes, ofAll(people.Read, people.Audit), huma.Operation{
		OperationID: "verify-audit", Method: http.MethodGet, Path: "/v1/audit:verify", Tags: []string{"Audit"},
		Summary:     "Verify the audit trail",
		Description: "Reads all of it, and answers up to where it is sealed and whether every sealed entry is there and is what it was. Entries that were old enough to be removed are not needed for that.",
	}, func(ctx context.Context, _ *struct{}) (*api.AuditProof, error) { return s.Audit.Verify(ctx) })
	answer(routes, ofOperation(people.Read), huma.Operation{
		OperationID: "get-operation", Method: http.MethodGet, Path: "/v1/operations/{id}", Tags: tags,
		Summary: "Get an operation", Description: "With wait it answers when the operation has ended or the time is over.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" doc:"Id of the operation." maxLength:"64"`
		WaitParam
	},
	) (*api.Operation, error) {
		wait, err := in.duration()
		if err != nil {
			return nil, err
		}
		return s.Engine.Wait(ctx, in.ID, wait)
	})
	schemas := routes.OpenAPI().Components.Schemas
	for _, change := range []struct {
		name, summary, description string
		needs                      need
		params                     reflect.Type
		do                         func(ctx context.Context, id string, body []byte) (*api.Operation, error)
	}{
		{
			"cancel", "Cancel an operation", "Ends an operation that the cloud has not accepted yet. With thenDelete, what an accepted creation makes is deleted as soon as it has ended.",
			ofCancel(), reflect.TypeFor[Cancel](),
			func(ctx context.Context, id string, body []byte) (*api.Operation, error) {
				var how Cancel
				if err := resource.Decode(body, &how); err != nil {
					return nil, err
				}
				return s.Engine.Cancel(ctx, id, how.ThenDelete)
			},
		},
		{
			"retry", "Try a failed operation again", "Does again, as a new operation, what a failed or cancelled one did not do.",
			ofOperation(""), reflect.TypeFor[struct{}](),
			func(ctx context.Context, id string, body []byte) (*api.Operation, error) {
				if err := resource.Decode(body, &struct{}{}); err != nil {
					return nil, err
				}
				return s.Once.Operation(ctx, func() (*api.Operation, error) { return s.Engine.Retry(ctx, id) })
			},
		},
	} {
		path := "/v1/operations/{id}:" + change.name
		answer(routes, change.needs, huma.Operation{
			OperationID: change.name + "-operation", Method: http.MethodPost, Path: path, Tags: tags, DefaultStatus: http.StatusAccepted,
			Summary: change.summary, Description: change.description,
		}, func(ctx context.Context, in *struct {
			ID string `path:"id" doc:"Id of the operation." maxLength:"64"`
			KeyParam
			JSONBody
		},
		) (*api.Operation, error) {
			return change.do(ctx, in.ID, in.raw)
		})
		if change.params.NumField() == 0 {
			takes(routes, path, nothing(), false)
		} else {
			takes(routes, path, schemas.Schema(change.params, true, ""), false)
		}
	}
}

// Cancel is the body of a cancellation.
type Cancel struct {
	ThenDelete bool `json:"thenDelete,omitempty" doc:"For a creation: delete what it makes if the cloud has accepted it already. Default: false."`
}
