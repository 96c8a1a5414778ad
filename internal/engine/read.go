package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Version is another one whenever something that is recorded has changed. See
// store.Version.
func (e *Engine) Version(ctx context.Context) (string, error) { return e.store.Version(ctx) }

// Get answers a resource as it was last recorded.
func (e *Engine) Get(ctx context.Context, connection, kind, name string) (*resource.Resource, error) {
	row, err := e.store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return nil, e.store.Read().OrNoConnection(ctx, connection, err)
	}
	return row.Envelope(), nil
}

// At answers what has an IP address or a host name, in a connection or, without one, in
// all.
func (e *Engine) At(ctx context.Context, connection, address string) ([]*resource.Resource, error) {
	if connection != "" {
		if err := e.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
			return nil, err
		}
	}
	rows, err := e.store.Read().ResourcesAt(ctx, connection, address)
	return store.Convert(rows, (*store.Resource).Envelope), err
}

// View asks the cloud for a view of a resource, such as a cluster's kubeconfig, with the
// view's parameters, nil for none.
func (e *Engine) View(ctx context.Context, connection, kind, name, view string, params json.RawMessage) (json.RawMessage, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	v, err := k.View(view)
	if err != nil {
		return nil, err
	}
	if params, err = v.ParseParams(params); err != nil {
		return nil, err
	}
	ctx, c, id, err := e.reach(ctx, connection, kind, name, view)
	if err != nil {
		return nil, err
	}
	answer, err := e.registry.SessionOf(c).View(ctx, kind, id, view, params)
	if err != nil {
		return nil, fmt.Errorf("ask for the %s of the %s %s: %w", view, kind, name, err)
	}
	return v.MapRefs(answer, func(ref resource.Ref) (string, error) {
		target, err := e.store.Read().ResourceByCloudID(ctx, connection, ref.Kind, ref.Name)
		if resource.CodeOf(err) == resource.CodeNotFound {
			return ref.Name, nil // not managed here
		}
		if err != nil {
			return "", err
		}
		return target.Name, nil
	})
}

// reach answers what a call needs for a resource that is on the cloud, if the connection
// offers the call: a context that says which object is meant, the connection and the id.
func (e *Engine) reach(ctx context.Context, connection, kind, name, call string) (context.Context, *store.Connection, string, error) {
	row, err := e.store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return ctx, nil, "", e.store.Read().OrNoConnection(ctx, connection, err)
	}
	c, err := e.registry.Offers(ctx, connection, kind, call)
	if err == nil {
		err = onCloud(ctx, nil, row)
	}
	return driver.WithToken(ctx, row.Token()), c, row.CloudID, err
}

// List answers a page of the resources of a kind, as they were last recorded;
// without a connection those of all.
func (e *Engine) List(ctx context.Context, connection, kind string, query store.Query) ([]*resource.Resource, string, error) {
	rows, next, err := e.store.Read().ListResources(ctx, connection, kind, query)
	if err != nil {
		return nil, "", err
	}
	if len(rows) == 0 && connection != "" {
		if err := e.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
			return nil, "", err
		}
	}
	return store.Convert(rows, (*store.Resource).Envelope), next, nil
}

// Count counts what List would answer on all its pages for all connections, and with a
// field also each of the field's values, the most frequent first.
func (e *Engine) Count(ctx context.Context, kind, field string, query store.Query) (total int, groups []store.Group, err error) {
	return e.store.Read().CountResources(ctx, kind, field, query)
}

// Operation answers one.
func (e *Engine) Operation(ctx context.Context, id string) (*api.Operation, error) {
	row, err := e.store.Read().Operation(ctx, id)
	if err != nil {
		return nil, err
	}
	return row.Resource(), nil
}

// Operations answers a page of the operations, the newest first.
func (e *Engine) Operations(ctx context.Context, query store.Query) ([]*api.Operation, string, error) {
	rows, next, err := e.store.Read().ListOperations(ctx, query)
	return store.Convert(rows, (*store.Operation).Resource), next, err
}

// pollOther is how often the end of an operation that another server works on is
// looked for.
const pollOther = time.Second

// Wait answers an operation when it has ended, or as it is when the time is over.
func (e *Engine) Wait(ctx context.Context, id string, d time.Duration) (*api.Operation, error) {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	tick := time.NewTicker(pollOther)
	defer tick.Stop()
	end, stop := e.events.Ended(id)
	defer stop()
	for {
		op, err := e.Operation(ctx, id)
		if err != nil || op.State.Ended() {
			if e.store.Shared() { // another server may have ended it, and who waits looks at what came out of it
				e.events.Missed()
			}
			return op, err
		}
		select {
		case <-end:
			end = nil // once; the rows say the rest
		case <-tick.C:
		case <-timeout.C:
			return op, nil
		case <-ctx.Done():
			return op, nil
		}
	}
}
