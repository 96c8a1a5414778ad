package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// CreateConnection records a connection. With check its credential, region and
// settings are tried on the cloud first.
func (r *Registry) CreateConnection(ctx context.Context, body []byte, check bool) (*api.Connection, error) {
	var request api.ConnectionRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if err := resource.Invalid(append(request.Patience.Problems("patience"), resource.LabelProblems("labels", request.Labels)...)...); err != nil {
		return nil, err
	}
	d, err := r.driverOf(ctx, request.Cloud)
	if err != nil {
		return nil, err
	}
	if request.Settings, err = d.CheckSettings(request.Settings); err != nil {
		return nil, err
	}
	now := store.MicrosOf(time.Now())
	row := &store.Connection{
		Name: request.Name, Cloud: request.Cloud, Credential: request.Credential, Region: request.Region, Zone: request.Zone,
		Settings: request.Settings, Patience: request.Patience, Labels: request.Labels, CreatedAt: now, UpdatedAt: now,
	}
	if err := r.mayUse(ctx, r.store.Read(), d, row); err != nil {
		return nil, err
	}
	if check {
		if err := r.store.Read().FreeConnection(ctx, row.Name); err != nil { // before the cloud is asked
			return nil, err
		}
		t := r.Target(row)
		t.Opened = func(_ context.Context, place driver.Place) { placed(row, place) } // recorded with the rest
		if err := r.host.Check(ctx, t); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", row.Cloud, err)
		}
	}
	err = r.audited(ctx, api.VerbCreate, auditConnection, row.Name, func(ctx context.Context, q *store.Queries) error {
		if err := r.mayUse(ctx, q, d, row); err != nil { // again: it may have gone meanwhile
			return err
		}
		return q.InsertConnection(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	r.tell(ctx)
	answer := row.Resource()
	return &answer, nil
}

// LookUp answers a catalog of a connection that is not recorded, so that people can
// choose its region. body is a api.ConnectionDraft. Nothing of it is kept, neither
// here nor in the driver.
func (r *Registry) LookUp(ctx context.Context, cloud string, body []byte, catalog string, q driver.Query) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		t, err := r.draft(ctx, cloud, body)
		if err != nil {
			yield(nil, err)
			return
		}
		r.host.LookUp(ctx, t, catalog, q)(yield)
	}
}

// draft is a connection that is not recorded as the host needs it.
func (r *Registry) draft(ctx context.Context, cloud string, body []byte) (host.Target, error) {
	var request api.ConnectionDraft
	if err := resource.Decode(body, &request); err != nil {
		return host.Target{}, err
	}
	d, err := r.host.Describe(ctx, cloud)
	if err != nil {
		return host.Target{}, err
	}
	if request.Settings, err = d.CheckSettings(request.Settings); err != nil {
		return host.Target{}, err
	}
	row := &store.Connection{Cloud: cloud, Credential: request.Credential, Region: request.Region, Zone: request.Zone, Settings: request.Settings}
	t := r.Target(row)
	t.Opened = nil // there is no row
	if row.Credential != "" {
		if len(request.Values) > 0 {
			return host.Target{}, resource.Invalid(resource.Problem{Field: "values", Message: "give either credential or values, not both", Rule: resource.RuleExclusive, Limit: "credential"})
		}
		return t, r.fits(ctx, r.store.Read(), row)
	}
	if request.Values, err = d.CheckCredential(request.Values); err != nil {
		return host.Target{}, err
	}
	t.Config = func(context.Context) (driver.Config, error) {
		return driver.Config{Region: row.Region, Zone: row.Zone, Settings: row.Settings, Credential: request.Values}, nil
	}
	return t, nil
}

// fits checks that the connection's credential is there and for its cloud.
func (r *Registry) fits(ctx context.Context, q *store.Queries, row *store.Connection) error {
	credential, err := q.Credential(ctx, row.Credential)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return resource.Invalid(resource.Problem{Field: "credential", Message: err.Error(), Rule: resource.RuleMissing, Limit: "credential " + row.Credential})
	case err != nil:
		return err
	case credential.Cloud != row.Cloud:
		return resource.Invalid(resource.Problem{Field: "credential", Message: fmt.Sprintf("%s is for the cloud %s, not %s", credential.Name, credential.Cloud, row.Cloud)})
	}
	return nil
}

// Connections lists the connections that fit all of the filters.
func (r *Registry) Connections(ctx context.Context, filters ...store.Filter) ([]api.Connection, error) {
	rows, err := r.store.Read().Connections(ctx, "", filters...)
	return store.Convert(rows, (*store.Connection).Resource), err
}

// Connection answers one.
func (r *Registry) Connection(ctx context.Context, name string) (*api.Connection, error) {
	row, err := r.store.Read().Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// CheckConnection tries a connection's credential, region and settings on the
// cloud, and learns anew what it lacks.
func (r *Registry) CheckConnection(ctx context.Context, name string) error {
	row, err := r.store.Read().Connection(ctx, name)
	if err != nil {
		return err
	}
	t := r.Target(row)
	record := t.Opened
	t.Opened = func(ctx context.Context, place driver.Place) {
		record(ctx, place)
		if !maps.Equal(row.Lacks, place.Lacks) { // an open session goes by what was
			r.host.Reopen(row.Cloud, row.Name)
		}
	}
	if err := r.host.Check(ctx, t); err != nil {
		return fmt.Errorf("connect to %s: %w", row.Cloud, err)
	}
	return nil
}

// DeleteConnection forgets a connection that nothing lives in.
func (r *Registry) DeleteConnection(ctx context.Context, name string) error {
	var row *store.Connection
	err := r.audited(ctx, api.VerbDelete, auditConnection, name, func(ctx context.Context, q *store.Queries) (err error) {
		if row, err = q.Connection(ctx, name); err != nil {
			return err
		}
		has, err := q.HasResources(ctx, name)
		if err != nil {
			return err
		}
		if has {
			return resource.Errorf(resource.CodeDependency, "resources live in the connection %s; delete them first", name)
		}
		return q.DeleteConnection(ctx, name)
	})
	if err != nil {
		return err
	}
	r.tell(ctx)
	r.host.Forget(row.Cloud, name)
	for _, forget := range r.forget {
		forget(name)
	}
	r.events.Missed()
	return nil
}
