package v1

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	keepAlive   = 15 * time.Second // how often a silent stream of events says that it is alive
	streamStall = 30 * time.Second // after which a client that takes nothing is dropped
)

type (
	resourceEvent  resource.Resource
	operationEvent api.Operation
	driverEvent    api.DriverProgress
	resetEvent     struct {
		Reason string `json:"reason" doc:"Why events are missing."`
	}
	pingEvent struct{}
)

// registerEvents registers the stream of what changes.
func (s *server) registerEvents(routes *doors) {
	register(routes, anybody(), problems(routes.OpenAPI().Components.Schemas, huma.Operation{
		OperationID: "watch-events", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"Events"},
		Summary: "Watch resources, operations and drivers change",
		Description: "A stream of server-sent events: each says what a resource, an operation, or a driver that is being installed or moved is now. After a break, send Last-Event-ID to get what was missed: " +
			"the id of the last event that came, of which also the first ping has one. An event reset says that this is not possible any more and everything shown should be read anew; its id is the one to go on from. A client that takes nothing for 30 seconds is dropped.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: eventStream(routes.OpenAPI().Components.Schemas, map[string]any{
			"resource": resourceEvent{}, "operation": operationEvent{}, "driver": driverEvent{}, "reset": resetEvent{}, "ping": pingEvent{},
		})}}}},
	}), func(_ context.Context, in *struct {
		LastEventID int `header:"Last-Event-ID" doc:"Id of the last event that was seen." minimum:"0"`
	},
	) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			ctx.SetHeader("Content-Type", "text/event-stream")
			if ctx.Method() == http.MethodHead { // which has no end to wait for
				return
			}
			r, w := humachi.Unwrap(ctx)
			s.sendEvents(ctx.Context(), in.LastEventID, w, r)
		}}, nil
	})
}

// eventStream is the schema of a stream of such events.
func eventStream(schemas huma.Registry, data map[string]any) *huma.Schema {
	var events []*huma.Schema
	for _, name := range slices.Sorted(maps.Keys(data)) {
		events = append(events, &huma.Schema{
			Title: "Event " + name, Type: huma.TypeObject, Required: []string{"data", "event"},
			Properties: map[string]*huma.Schema{
				"id":    {Type: huma.TypeInteger, Description: "The event's id."},
				"event": {Type: huma.TypeString, Description: "The event's name.", Extensions: map[string]any{"const": name}},
				"data":  schemas.Schema(reflect.TypeOf(data[name]), true, name),
			},
		})
	}
	return &huma.Schema{
		Title: "Server-sent events", Type: huma.TypeArray, Description: "Each is one event of the stream, written as text/event-stream says.",
		Items: &huma.Schema{OneOf: events},
	}
}

// sendEvents sends until the client goes away, the server stops, the client is not let in any
// more, or it takes nothing any more: it then comes back with the last id that it has seen.
func (s *server) sendEvents(ctx context.Context, after int, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	send := func(text []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(streamStall)) // a test's recorder knows no deadlines
		_, err := w.Write(text)
		return err == nil && control.Flush() == nil
	}
	watch, complete := s.Events.Subscribe(after)
	defer watch.Stop()
	var first []byte
	if !complete {
		first = reset(watch.After())
	}
	if !send(append(first, frame("ping", watch.After(), pingEvent{})...)) { // the client sees at once that it is connected
		return
	}
	silent := frame("ping", 0, pingEvent{})
	checked := time.Now()
	for ctx.Err() == nil {
		if time.Since(checked) > loginCheck {
			if _, ok, err := s.People.Identify(r); !ok || err != nil {
				return
			}
			checked = time.Now()
		}
		wait, cancel := context.WithTimeout(ctx, keepAlive)
		batch := watch.Next(wait)
		cancel()
		text := silent
		if batch != nil {
			text = s.textFor(ctx, batch)
		}
		if ctx.Err() != nil || !send(text) {
			return
		}
	}
}

// textFor is what is sent of a batch to who asks: the same to all who see everything, to others
// what they see.
func (s *server) textFor(ctx context.Context, batch *events.Batch) []byte {
	whole := s.People.Decide(ctx, people.Read, people.What{Kind: people.Resources}) == people.Allowed && s.People.Decide(ctx, people.Read, people.What{Kind: people.Driver}) != people.Denied
	if whole || batch.Lost {
		return batch.Text(func() []byte { return batchText(batch) })
	}
	var texts [][]byte
	for _, e := range batch.Events {
		if s.seesEvent(ctx, e) {
			texts = append(texts, e.Text(func() []byte { return eventText(e) }))
		}
	}
	return bytes.Join(texts, nil)
}

func (s *server) seesEvent(ctx context.Context, e events.Event) bool {
	switch {
	case e.Driver != nil:
		return s.People.Decide(ctx, people.Read, people.What{Kind: people.Driver}) != people.Denied
	case e.Resource != nil:
		return s.People.AllowLabels(ctx, people.Read, people.What{Kind: e.Resource.Kind, Connection: e.Resource.Connection}, e.Resource.Labels) == nil
	}
	switch s.People.Decide(ctx, people.Read, people.What{Kind: e.Operation.Kind, Connection: e.Operation.Connection}) {
	case people.Allowed:
		return true
	case people.Denied:
		return false
	}
	sees, err := s.People.Store.Read().SeesOperation(ctx, s.People.Sees(ctx, people.Read, e.Operation.Kind), e.Operation.ID)
	return sees && err == nil
}

func batchText(batch *events.Batch) []byte {
	if batch.Lost {
		return reset(batch.Last)
	}
	texts := make([][]byte, 0, len(batch.Events))
	for _, e := range batch.Events {
		texts = append(texts, e.Text(func() []byte { return eventText(e) }))
	}
	return bytes.Join(texts, nil)
}

func eventText(e events.Event) []byte {
	switch {
	case e.Operation != nil:
		return frame("operation", e.ID, e.Operation)
	case e.Driver != nil:
		return frame("driver", e.ID, e.Driver)
	default:
		return frame("resource", e.ID, e.Resource)
	}
}

func reset(last int) []byte {
	return frame("reset", last, resetEvent{"events after the given id are not kept any more; read anew what you show"})
}

// frame writes an event as text/event-stream, without an id if that is 0.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
func frame(name string, id int, data any) []byte {
	raw, err := json.Marshal(data)
	if err != nil { // what the server itself has written is JSON
		return nil
	}
	var head string
	if id > 0 {
		head = fmt.Sprintf("id: %d\n", id)
	}
	return fmt.Appendf(nil, "%sevent: %s\ndata: %s\n\n", head, name, raw)
}
