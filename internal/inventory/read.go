package inventory

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Get answers a resource as it was last recorded.
func (inv *Inventory) Get(ctx context.Context, connection, kind, name string) (*resource.Resource, error) {
	row, err := inv.store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return nil, inv.store.Read().OrNoConnection(ctx, connection, err)
	}
	return row.Envelope(), nil
}

// View asks the cloud for a view of a resource, such as a cluster's kubeconfig, with the
// view's parameters, nil for none.
func (inv *Inventory) View(ctx context.Context, connection, kind, name, view string, params json.RawMessage) (json.RawMessage, error) {
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
	ctx, c, id, err := inv.reach(ctx, connection, kind, name, view)
	if err != nil {
		return nil, err
	}
	answer, err := inv.registry.SessionOf(c).View(ctx, kind, id, view, params)
	if v.Right != "" { // the answer lets in who has it
		if noteErr := inv.noteView(ctx, store.Audit{Verb: view, Kind: kind, Connection: connection, Name: name, CloudID: id}, err); noteErr != nil {
			return nil, noteErr
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the %s of the %s %s: %w", view, kind, name, err)
	}
	return v.MapRefs(answer, func(ref resource.Ref) (string, error) {
		target, err := inv.store.Read().ResourceByCloudID(ctx, connection, ref.Kind, ref.Name)
		if resource.CodeOf(err) == resource.CodeNotFound {
			return ref.Name, nil // not managed here
		}
		if err != nil {
			return "", err
		}
		return target.Name, nil
	})
}

// noteView notes that a secret is read. What cannot be noted is not shown.
func (inv *Inventory) noteView(ctx context.Context, entry store.Audit, cause error) error {
	entry.Who = auth.Who(ctx)
	return inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.Note(ctx, entry, cause) })
}

// reach answers what a call needs for a resource that is on the cloud, if the connection
// offers the call: a context that says which object is meant, the connection and the id.
func (inv *Inventory) reach(ctx context.Context, connection, kind, name, call string) (context.Context, *store.Connection, string, error) {
	row, err := inv.store.Read().Resource(ctx, connection, kind, name)
	if err != nil {
		return ctx, nil, "", inv.store.Read().OrNoConnection(ctx, connection, err)
	}
	c, err := inv.registry.Offers(ctx, connection, kind, call)
	if err == nil {
		err = row.OnCloud()
	}
	return driver.WithToken(ctx, row.Token()), c, row.CloudID, err
}

// List answers a page of the resources of a kind, as they were last recorded;
// without a connection those of all.
func (inv *Inventory) List(ctx context.Context, connection, kind string, query store.Query) ([]*resource.Resource, string, error) {
	rows, next, err := inv.store.Read().ListResources(ctx, connection, kind, query)
	if err != nil {
		return nil, "", err
	}
	if len(rows) == 0 && connection != "" {
		if err := inv.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
			return nil, "", err
		}
	}
	return store.Convert(rows, (*store.Resource).Envelope), next, nil
}

// Document answers a resource as it was last recorded, as it is sent.
func (inv *Inventory) Document(ctx context.Context, connection, kind, name string) (store.Document, error) {
	document, err := inv.store.Read().Document(ctx, connection, kind, name)
	if err != nil {
		return document, inv.store.Read().OrNoConnection(ctx, connection, err)
	}
	return document, nil
}

// Documents answers the page that List answers, as it is sent.
func (inv *Inventory) Documents(ctx context.Context, connection, kind string, query store.Query) ([]store.Document, string, error) {
	documents, next, err := inv.store.Read().ListDocuments(ctx, connection, kind, query)
	if err == nil && len(documents) == 0 && connection != "" {
		err = inv.store.Read().OrNoConnection(ctx, connection, nil)
	}
	return documents, next, err
}

// Count counts what List would answer on all its pages for all connections, and with a
// field also each of the field's values, the most frequent first.
func (inv *Inventory) Count(ctx context.Context, kind, field string, query store.Query) (total int, groups []store.Group, err error) {
	return inv.store.Read().CountResources(ctx, kind, field, query)
}

// At answers what has an IP address or a host name, in a connection or, without one, in
// all.
func (inv *Inventory) At(ctx context.Context, connection, address string) ([]*resource.Resource, error) {
	if connection != "" {
		if err := inv.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
			return nil, err
		}
	}
	rows, err := inv.store.Read().ResourcesAt(ctx, connection, address)
	return store.Convert(rows, (*store.Resource).Envelope), err
}

// ErrNotYet says that something that the request needs has not settled yet.
var ErrNotYet = resource.Errorf(resource.CodeConflict, "something that it needs has not settled")

// CloudID turns a name that the resource does not hold on to into the cloud's id.
func (inv *Inventory) CloudID(ctx context.Context, connection string, ref resource.Ref) (string, error) {
	target, err := inv.store.Read().Resource(ctx, connection, ref.Kind, ref.Name)
	if err != nil {
		return "", err
	}
	return Usable(ref, target)
}

// Usable answers the cloud's id of what a reference names, if it can be used by now.
func Usable(ref resource.Ref, target *store.Resource) (string, error) {
	switch {
	case target.State == resource.StatePending || target.State == resource.StateCreating:
		return "", ErrNotYet
	case target.CloudID == "" || target.DeletedAt != 0 || target.State == resource.StateFailed ||
		target.State == resource.StateDeleting || target.State == resource.StateDeleted:
		return "", resource.Errorf(resource.CodeDependency, "the %s %s that %s names cannot be used: it is %s", ref.Kind, ref.Name, ref.Field, target.State)
	}
	return target.CloudID, nil
}
