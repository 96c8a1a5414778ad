package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The types of events. The first three are the server's. The others are the client's,
// in place of what the server says of the stream itself.
const (
	EventResource     = "resource"
	EventOperation    = "operation"
	EventDriver       = "driver"
	EventConnected    = "connected"    // from here on nothing is missed; what came before is to be listed
	EventDisconnected = "disconnected" // the stream broke and is being opened again
)

// maxEvent is the longest line of the stream that is read.
const maxEvent = 16 << 20

// Event says that something has changed.
type Event struct {
	ID   string          `json:"id,omitempty"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Resource is the resource as it is now, for an event of type resource.
func (e Event) Resource() (*resource.Resource, error) { return decodeEvent[resource.Resource](e) }

// Operation is the operation as it is now, for an event of type operation.
func (e Event) Operation() (*api.Operation, error) { return decodeEvent[api.Operation](e) }

// Driver is how far a driver is on its way to work, for an event of type driver.
func (e Event) Driver() (*api.DriverProgress, error) {
	return decodeEvent[api.DriverProgress](e)
}

func decodeEvent[T any](e Event) (*T, error) {
	value := new(T)
	if err := json.Unmarshal(e.Data, value); err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "read the event %s: %w", e.ID, err)
	}
	return value, nil
}

// Events iterates over what changes, until the context ends. A stream that breaks is
// opened again where it stopped; the event connected tells the caller to list again
// what may have changed meanwhile. It comes with the first word of the server, which
// is said once nothing is missed any more. Events ends with an error when the
// first attempt to connect fails, and when the server refuses.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var (
			lastID    string
			attempt   int
			connected bool
		)
		for {
			opened, goOn, err := c.stream(ctx, &lastID, yield)
			switch {
			case !goOn:
				return
			case ctx.Err() != nil:
				yield(Event{}, resource.Errorf(resource.CodeUnavailable, "stopped watching: %w", context.Cause(ctx)))
				return
			case err != nil && (!connected && !opened || !resource.AsError(err).Retryable):
				yield(Event{}, err)
				return
			}
			if opened {
				connected, attempt = true, 0
				if !yield(Event{Type: EventDisconnected}, nil) {
					return
				}
			}
			if err := c.pause(ctx, attempt); err != nil {
				yield(Event{}, resource.Errorf(resource.CodeUnavailable, "stopped watching: %w", err))
				return
			}
			attempt++
		}
	}
}

// stream reads one connection to its end. opened says that the server spoke,
// goOn that the caller wants more.
func (c *Client) stream(ctx context.Context, lastID *string, yield func(Event, error) bool) (opened, goOn bool, err error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	header := http.Header{"Accept": {"text/event-stream"}}
	if *lastID != "" {
		header.Set("Last-Event-ID", *lastID)
	}
	late := time.AfterFunc(c.timeout, cancel) // for the beginning of the answer; the stream has no end
	resp, err := c.send(limited, call{method: http.MethodGet, path: "/events", header: header})
	if err != nil {
		return false, true, c.networkError(ctx, limited, err)
	}
	late.Stop()
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return false, true, c.problem(resp, body)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return false, true, resource.Errorf(resource.CodeInternal, "the server at %s answered %q instead of a stream of events", c.Server(), kind)
	}
	// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
	event := Event{ID: *lastID} // an id holds until the next one
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		if !opened {
			opened = true
			if !yield(Event{Type: EventConnected}, nil) {
				return true, false, nil
			}
		}
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if len(line) == 0 { // the event is complete
			*lastID = event.ID
			switch {
			case len(event.Data) == 0, event.Type == "ping":
			case event.Type == "reset": // the server cannot go on where it stopped
				if !yield(Event{Type: EventConnected}, nil) {
					return true, false, nil
				}
			case !yield(event, nil):
				return true, false, nil
			}
			event = Event{ID: event.ID}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) { // empty: a comment that keeps the connection alive
		case "event":
			event.Type = string(value)
		case "id":
			event.ID = string(value)
		case "data":
			if len(event.Data) > 0 {
				event.Data = append(event.Data, '\n')
			}
			event.Data = append(event.Data, value...)
		}
	}
	if err := lines.Err(); err != nil {
		return opened, true, c.networkError(ctx, limited, err)
	}
	return opened, true, nil
}
