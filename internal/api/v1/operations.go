package v1

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// registerOperations registers the routes of operations.
func (s *server) registerOperations(api huma.API) {
	tags := []string{"Operations"}
	answer(api, huma.Operation{
		OperationID: "list-operations", Method: http.MethodGet, Path: "/v1/operations", Tags: tags, Summary: "List the operations, the newest first",
	}, func(ctx context.Context, in *ListParams) (list[*resource.Operation], error) {
		query, err := in.query()
		if err != nil {
			return list[*resource.Operation]{}, err
		}
		items, next, err := s.Engine.Operations(ctx, query)
		return list[*resource.Operation]{Items: items, NextPageToken: next}, err
	})
	answer(api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tags: []string{"Audit"},
		Summary:     "List who did what, the newest first",
		Description: "Changes of credentials and connections, also those that were refused, resources that were deleted, released, adopted or logged in to by SSH, and calls of extensions and of the clouds' own APIs, without what was sent or answered.",
	}, func(ctx context.Context, in *ListParams) (list[resource.AuditEntry], error) {
		query, err := in.query()
		if err != nil {
			return list[resource.AuditEntry]{}, err
		}
		items, next, err := s.Engine.Audit(ctx, query)
		return list[resource.AuditEntry]{Items: items, NextPageToken: next}, err
	})
	answer(api, huma.Operation{
		OperationID: "get-operation", Method: http.MethodGet, Path: "/v1/operations/{id}", Tags: tags,
		Summary: "Get an operation", Description: "With wait it answers when the operation has ended or the time is over.",
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" doc:"Id of the operation." maxLength:"64"`
		WaitParam
	},
	) (*resource.Operation, error) {
		wait, err := in.duration()
		if err != nil {
			return nil, err
		}
		return s.Engine.Wait(ctx, in.ID, wait)
	})
	schemas := api.OpenAPI().Components.Schemas
	for _, change := range []struct {
		name, summary, description string
		params                     reflect.Type
		do                         func(ctx context.Context, id string, body []byte) (*resource.Operation, error)
	}{
		{
			"cancel", "Cancel an operation", "Ends an operation that the cloud has not accepted yet. With thenDelete, what an accepted creation makes is deleted as soon as it has ended.",
			reflect.TypeFor[Cancel](),
			func(ctx context.Context, id string, body []byte) (*resource.Operation, error) {
				var how Cancel
				if err := resource.Decode(body, &how); err != nil {
					return nil, err
				}
				return s.Engine.Cancel(ctx, id, how.ThenDelete)
			},
		},
		{
			"retry", "Try a failed operation again", "Does again, as a new operation, what a failed or cancelled one did not do.",
			reflect.TypeFor[struct{}](),
			func(ctx context.Context, id string, body []byte) (*resource.Operation, error) {
				if err := resource.Decode(body, &struct{}{}); err != nil {
					return nil, err
				}
				return s.Engine.Once(ctx, func() (*resource.Operation, error) { return s.Engine.Retry(ctx, id) })
			},
		},
	} {
		path := "/v1/operations/{id}:" + change.name
		answer(api, huma.Operation{
			OperationID: change.name + "-operation", Method: http.MethodPost, Path: path, Tags: tags, DefaultStatus: http.StatusAccepted,
			Summary: change.summary, Description: change.description,
		}, func(ctx context.Context, in *struct {
			ID string `path:"id" doc:"Id of the operation." maxLength:"64"`
			KeyParam
			JSONBody
		},
		) (*resource.Operation, error) {
			return change.do(ctx, in.ID, in.raw)
		})
		if change.params.NumField() == 0 {
			takes(api, path, nothing(), false)
		} else {
			takes(api, path, schemas.Schema(change.params, true, ""), false)
		}
	}
}

// Cancel is the body of a cancellation.
type Cancel struct {
	ThenDelete bool `json:"thenDelete,omitempty" doc:"For a creation: delete what it makes if the cloud has accepted it already. Default: false."`
}

// keepAlive is how often a silent stream of events says that it is alive.
const keepAlive = 15 * time.Second

type (
	resourceEvent  resource.Resource
	operationEvent resource.Operation
	driverEvent    resource.DriverProgress
	resetEvent     struct {
		Reason string `json:"reason" doc:"Why events are missing."`
	}
	pingEvent struct{}
)

// registerEvents registers the stream of what changes.
func (s *server) registerEvents(api huma.API) {
	sse.Register(api, problems(api.OpenAPI().Components.Schemas, huma.Operation{
		OperationID: "watch-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"Events"},
		Summary: "Watch resources, operations and drivers change",
		Description: "A stream of server-sent events: each says what a resource, an operation, or a driver that is being installed or moved is now. After a break, send Last-Event-ID to get what was missed; " +
			"an event reset says that this is not possible any more and everything shown should be read anew.",
	}), map[string]any{"resource": resourceEvent{}, "operation": operationEvent{}, "driver": driverEvent{}, "reset": resetEvent{}, "ping": pingEvent{}},
		func(ctx context.Context, in *struct {
			LastEventID int `header:"Last-Event-ID" doc:"Id of the last event that was seen." minimum:"0"`
		}, send sse.Sender,
		) {
			s.sendEvents(ctx, in.LastEventID, send)
		})
}

// sendEvents sends until the client goes away, the server stops, or the client
// cannot keep up: it then comes back with the last id that it has seen.
func (s *server) sendEvents(ctx context.Context, after int, send sse.Sender) {
	events, complete, stop := s.Engine.Subscribe(after)
	defer stop()
	if !complete && send.Data(resetEvent{"events after the given id are not kept any more; read anew what you show"}) != nil {
		return
	}
	if send.Data(pingEvent{}) != nil { // the client sees at once that it is connected
		return
	}
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-alive.C:
			err = send.Data(pingEvent{})
		case e, ok := <-events:
			if !ok {
				return
			}
			message := sse.Message{ID: e.ID}
			switch {
			case e.Operation != nil:
				message.Data = operationEvent(*e.Operation)
			case e.Driver != nil:
				message.Data = driverEvent(*e.Driver)
			default:
				message.Data = resourceEvent(*e.Resource)
			}
			err = send(message)
		}
		if err != nil {
			return
		}
	}
}
