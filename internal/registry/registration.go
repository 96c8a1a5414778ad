package registry

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Registration is something that a client has named, such as a region with a zone,
// and that connections are made from. Value is the client's own; it holds no secret.
type Registration struct {
	Type  string
	Name  string
	Cloud string
	Value json.RawMessage
}

func registration(r *store.Registration) Registration {
	return Registration{Type: r.Type, Name: r.Name, Cloud: r.Cloud, Value: r.Value}
}

// Register records a registration, in place of one of the same type and name. One
// that is there already costs no write: clients register everything at each start.
func (r *Registry) Register(ctx context.Context, one Registration) error {
	old, err := r.store.Read().Registration(ctx, one.Type, one.Name)
	if err == nil && old.Cloud == one.Cloud && store.SameJSON(old.Value, one.Value) {
		return nil
	}
	if err != nil && resource.CodeOf(err) != resource.CodeNotFound {
		return err
	}
	return r.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		return q.PutRegistration(ctx, &store.Registration{
			Type: one.Type, Name: one.Name, Cloud: one.Cloud, Value: one.Value, CreatedAt: store.MicrosOf(time.Now()),
		})
	})
}

// Registration answers one.
func (r *Registry) Registration(ctx context.Context, typ, name string) (Registration, error) {
	row, err := r.store.Read().Registration(ctx, typ, name)
	if err != nil {
		return Registration{}, err
	}
	return registration(row), nil
}

// Registrations answers those of a type, by name; with a cloud only that cloud's.
func (r *Registry) Registrations(ctx context.Context, typ, cloud string) ([]Registration, error) {
	rows, err := r.store.Read().Registrations(ctx, typ, cloud)
	return store.Convert(rows, registration), err
}

// Unregister forgets a registration. One that is not there is no error.
func (r *Registry) Unregister(ctx context.Context, typ, name string) error {
	return r.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.DeleteRegistration(ctx, typ, name) })
}

// PutCredential records a credential, or gives one that is there other values. The
// same values once more change nothing. Connections that use it reconnect. d is the
// cloud's description, which need not be a driver's: what is recorded for a cloud
// without one is there when it comes, if it knows the fields by name, key or alias.
func (r *Registry) PutCredential(ctx context.Context, d *driver.Description, request api.CredentialRequest) (*api.Credential, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "encode the credential: %w", err)
	}
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if request.Values, err = d.CheckCredential(request.Values); err != nil {
		return nil, err
	}
	old, err := r.store.Read().Credential(ctx, request.Name)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return r.insertCredential(ctx, request)
	case err != nil:
		return nil, err
	case old.Cloud != request.Cloud:
		return nil, resource.Errorf(resource.CodeAlreadyExists, "the credential %s exists already, for the cloud %s; choose another name or delete it first", old.Name, old.Cloud)
	}
	if r.holds(ctx, old, request.Values) {
		answer := old.Resource()
		return &answer, nil
	}
	if err := r.sealInto(old, request.Values); err != nil {
		return nil, err
	}
	err = r.audited(ctx, verbUpdate, auditCredential, old.Name, func(ctx context.Context, q *store.Queries) error {
		if err := q.UpdateCredential(ctx, old); err != nil {
			return err
		}
		return q.TouchConnections(ctx, old.Name, store.MicrosOf(time.Now()))
	})
	if err != nil {
		return nil, err
	}
	answer := old.Resource()
	return &answer, nil
}

// holds reports whether a credential has these values. One that cannot be opened
// has not.
func (r *Registry) holds(ctx context.Context, row *store.Credential, values map[string]string) bool {
	raw, err := r.sealer.Unseal(ctx, row.Sealed, row.Identity())
	var have map[string]string
	return err == nil && json.Unmarshal(raw, &have) == nil && maps.Equal(have, values)
}

// PutConnection records a connection without trying it on the cloud, or changes one
// that is there; its settings stay unless others are given. A connection that
// resources live in keeps its cloud and region.
func (r *Registry) PutConnection(ctx context.Context, request api.ConnectionRequest) (*api.Connection, error) {
	old, err := r.store.Read().Connection(ctx, request.Name)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		body, err := json.Marshal(request)
		if err != nil {
			return nil, resource.Errorf(resource.CodeInternal, "encode the connection: %w", err)
		}
		return r.CreateConnection(ctx, body, false)
	case err != nil:
		return nil, err
	}
	answer := old.Resource()
	if request.Settings == nil {
		request.Settings = old.Settings
	}
	if old.Cloud == request.Cloud && old.Credential == request.Credential && old.Region == request.Region && old.Zone == request.Zone &&
		maps.Equal(old.Settings, request.Settings) {
		return &answer, nil
	}
	moved := old.Cloud != request.Cloud || old.Region != request.Region
	d, err := r.driverOf(ctx, request.Cloud)
	if err != nil {
		return nil, err
	}
	if request.Settings, err = d.CheckSettings(request.Settings); err != nil {
		return nil, err
	}
	err = r.audited(ctx, verbUpdate, auditConnection, request.Name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.Connection(ctx, request.Name)
		if err != nil {
			return err
		}
		if moved {
			has, err := q.HasResources(ctx, row.Name)
			if err != nil {
				return err
			}
			if has {
				return resource.Errorf(resource.CodeConflict, "resources live in the connection %s (cloud %s, region %s); make another connection for %s, %s", row.Name, row.Cloud, row.Region, request.Cloud, request.Region)
			}
		}
		row.Cloud, row.Credential, row.Region, row.Zone, row.Settings = request.Cloud, request.Credential, request.Region, request.Zone, request.Settings
		if row.Credential != "" {
			if err := r.fits(ctx, q, row); err != nil {
				return err
			}
		}
		row.Account, row.Lacks, row.Scopes = "", nil, nil // until somebody has looked
		row.UpdatedAt = store.MicrosOf(time.Now())
		answer = row.Resource()
		return q.UpdateConnection(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	r.events.Missed()
	return &answer, nil
}
