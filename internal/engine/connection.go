package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Drivers describes every driver that is there. One that cannot be started is left
// out and logged.
func (e *Engine) Drivers(ctx context.Context) []*driver.Description {
	var found []*driver.Description
	for _, cloud := range e.host.Clouds() {
		d, err := e.host.Describe(ctx, cloud)
		if err != nil {
			e.logger.Warn("a driver cannot be described", "driver", cloud, "error", err)
			continue
		}
		found = append(found, d)
	}
	return found
}

// Driver describes the driver of a cloud.
func (e *Engine) Driver(ctx context.Context, cloud string) (*driver.Description, error) {
	return e.host.Describe(ctx, cloud)
}

// CreateCredential seals and records a credential.
func (e *Engine) CreateCredential(ctx context.Context, body []byte) (*api.Credential, error) {
	var request api.CredentialRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	d, err := e.driverOf(ctx, request.Cloud)
	if err != nil {
		return nil, err
	}
	if request.Values, err = d.CheckCredential(request.Values); err != nil {
		return nil, err
	}
	return e.insertCredential(ctx, request)
}

func (e *Engine) insertCredential(ctx context.Context, request api.CredentialRequest) (*api.Credential, error) {
	raw, err := json.Marshal(request.Values)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "encode the credential: %w", err)
	}
	row := &store.Credential{
		Name: request.Name, Cloud: request.Cloud, Fields: slices.Sorted(maps.Keys(request.Values)), CreatedAt: store.MicrosOf(time.Now()),
	}
	if row.Sealed, err = e.sealer.Seal(raw, row.Identity()); err != nil {
		return nil, err
	}
	err = e.audited(ctx, VerbCreate, auditCredential, row.Name, func(ctx context.Context, q *store.Queries) error { return q.InsertCredential(ctx, row) })
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// driverOf is the driver of the cloud that a request names.
func (e *Engine) driverOf(ctx context.Context, cloud string) (*driver.Description, error) {
	d, err := e.host.Describe(ctx, cloud)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, resource.Invalid(resource.Problem{Field: "cloud", Message: err.Error(), Rule: resource.RuleMissing, Limit: "driver " + cloud})
	}
	return d, err
}

// Credentials lists the credentials, without their values.
func (e *Engine) Credentials(ctx context.Context) ([]api.Credential, error) {
	rows, err := e.store.Read().Credentials(ctx)
	return convert(rows, (*store.Credential).Resource), err
}

// Credential answers one, without its values.
func (e *Engine) Credential(ctx context.Context, name string) (*api.Credential, error) {
	row, err := e.store.Read().Credential(ctx, name)
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// DeleteCredential forgets a credential that no connection uses.
func (e *Engine) DeleteCredential(ctx context.Context, name string) error {
	return e.audited(ctx, VerbDelete, auditCredential, name, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.Credential(ctx, name); err != nil {
			return err
		}
		users, err := q.Connections(ctx, name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return resource.Errorf(resource.CodeDependency, "the credential %s is used by the connections: %s; delete those first", name, joined(users, func(c store.Connection) string { return c.Name }))
		}
		return q.DeleteCredential(ctx, name)
	})
}

// CreateConnection records a connection. With check its credential, region and
// settings are tried on the cloud first.
func (e *Engine) CreateConnection(ctx context.Context, body []byte, check bool) (*api.Connection, error) {
	var request api.ConnectionRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if err := resource.Invalid(request.Patience.Problems("patience")...); err != nil {
		return nil, err
	}
	d, err := e.driverOf(ctx, request.Cloud)
	if err != nil {
		return nil, err
	}
	if request.Settings, err = d.CheckSettings(request.Settings); err != nil {
		return nil, err
	}
	now := store.MicrosOf(time.Now())
	row := &store.Connection{
		Name: request.Name, Cloud: request.Cloud, Credential: request.Credential, Region: request.Region, Zone: request.Zone,
		Settings: request.Settings, Patience: request.Patience, CreatedAt: now, UpdatedAt: now,
	}
	if row.Credential == "" {
		if _, err := d.CheckCredential(nil); err != nil { // it has required fields
			return nil, resource.Invalid(resource.Problem{Field: "credential", Message: "is required for the cloud " + row.Cloud + "; make one with: mcic credential create", Rule: resource.RuleRequired})
		}
	} else if err := e.fits(ctx, e.store.Read(), row); err != nil {
		return nil, err
	}
	if check {
		if err := e.store.Read().FreeConnection(ctx, row.Name); err != nil { // before the cloud is asked
			return nil, err
		}
		t := e.target(row)
		t.Opened = func(_ context.Context, place driver.Place) { placed(row, place) } // recorded with the rest
		if err := e.host.Check(ctx, t); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", row.Cloud, err)
		}
	}
	err = e.audited(ctx, VerbCreate, auditConnection, row.Name, func(ctx context.Context, q *store.Queries) error {
		if row.Credential != "" { // again: it may have gone meanwhile
			if err := e.fits(ctx, q, row); err != nil {
				return err
			}
		}
		return q.InsertConnection(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// LookUp answers a catalog of a connection that is not recorded, so that people can
// choose its region. body is a api.ConnectionDraft. Nothing of it is kept, neither
// here nor in the driver.
func (e *Engine) LookUp(ctx context.Context, cloud string, body []byte, catalog string, q driver.Query) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		t, err := e.draft(ctx, cloud, body)
		if err != nil {
			yield(nil, err)
			return
		}
		e.host.LookUp(ctx, t, catalog, q)(yield)
	}
}

// draft is a connection that is not recorded as the host needs it.
func (e *Engine) draft(ctx context.Context, cloud string, body []byte) (host.Target, error) {
	var request api.ConnectionDraft
	if err := resource.Decode(body, &request); err != nil {
		return host.Target{}, err
	}
	d, err := e.host.Describe(ctx, cloud)
	if err != nil {
		return host.Target{}, err
	}
	if request.Settings, err = d.CheckSettings(request.Settings); err != nil {
		return host.Target{}, err
	}
	row := &store.Connection{Cloud: cloud, Credential: request.Credential, Region: request.Region, Zone: request.Zone, Settings: request.Settings}
	t := e.target(row)
	t.Opened = nil // there is no row
	if row.Credential != "" {
		if len(request.Values) > 0 {
			return host.Target{}, resource.Invalid(resource.Problem{Field: "values", Message: "give either credential or values, not both", Rule: resource.RuleExclusive, Limit: "credential"})
		}
		return t, e.fits(ctx, e.store.Read(), row)
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
func (e *Engine) fits(ctx context.Context, q *store.Queries, row *store.Connection) error {
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

// Connections lists the connections.
func (e *Engine) Connections(ctx context.Context) ([]api.Connection, error) {
	rows, err := e.store.Read().Connections(ctx, "")
	return convert(rows, (*store.Connection).Resource), err
}

// Connection answers one.
func (e *Engine) Connection(ctx context.Context, name string) (*api.Connection, error) {
	row, err := e.store.Read().Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// CheckConnection tries a connection's credential, region and settings on the
// cloud, and learns anew what it lacks.
func (e *Engine) CheckConnection(ctx context.Context, name string) error {
	row, err := e.store.Read().Connection(ctx, name)
	if err != nil {
		return err
	}
	t := e.target(row)
	record := t.Opened
	t.Opened = func(ctx context.Context, place driver.Place) {
		record(ctx, place)
		if !maps.Equal(row.Lacks, place.Lacks) { // an open session goes by what was
			e.host.Reopen(row.Cloud, row.Name)
		}
	}
	if err := e.host.Check(ctx, t); err != nil {
		return fmt.Errorf("connect to %s: %w", row.Cloud, err)
	}
	return nil
}

// UpdateConnection changes a connection. body is a api.ConnectionChange.
func (e *Engine) UpdateConnection(ctx context.Context, name string, body []byte) (*api.Connection, error) {
	var change api.ConnectionChange
	if err := resource.Decode(body, &change); err != nil {
		return nil, err
	}
	if err := resource.Invalid(change.Patience.Problems("patience")...); err != nil {
		return nil, err
	}
	var answer api.Connection
	err := e.audited(ctx, verbUpdate, auditConnection, name, func(ctx context.Context, q *store.Queries) error {
		row, err := q.Connection(ctx, name)
		if err != nil {
			return err
		}
		if change.Patience != nil {
			row.Patience = change.Patience
		}
		answer = row.Resource()
		return q.SetPatience(ctx, row)
	})
	if err != nil {
		return nil, err
	}
	return &answer, nil
}

// DeleteConnection forgets a connection that nothing lives in.
func (e *Engine) DeleteConnection(ctx context.Context, name string) error {
	var row *store.Connection
	err := e.audited(ctx, VerbDelete, auditConnection, name, func(ctx context.Context, q *store.Queries) (err error) {
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
	e.host.Forget(row.Cloud, name)
	e.looks.forget(name)
	e.snapshots.dropAll()
	return nil
}

// Session opens a session of a connection, for catalogs.
func (e *Engine) Session(ctx context.Context, connection string) (driver.Session, *api.Connection, error) {
	row, err := e.store.Read().Connection(ctx, connection)
	if err != nil {
		return nil, nil, err
	}
	c := row.Resource()
	return e.keeping(row), &c, nil
}

func (e *Engine) session(ctx context.Context, connection string) (driver.Session, error) {
	s, _, err := e.Session(ctx, connection)
	return s, err
}

// target is a connection as the host needs it. The credential is unsealed only
// when a session is opened.
func (e *Engine) target(row *store.Connection) host.Target {
	return host.Target{
		Connection: row.Name,
		Revision:   fmt.Sprint(int64(row.UpdatedAt)),
		Cloud:      row.Cloud,
		Config: func(ctx context.Context) (driver.Config, error) {
			c := driver.Config{Region: row.Region, Zone: row.Zone, Settings: row.Settings}
			if row.Credential == "" {
				return c, nil
			}
			credential, err := e.store.Read().Credential(ctx, row.Credential)
			if err != nil {
				return c, err
			}
			raw, err := e.sealer.Unseal(ctx, credential.Sealed, credential.Identity())
			if err != nil {
				return c, resource.Errorf(resource.CodeInternal, "open the credential: %w", err)
			}
			if err := json.Unmarshal(raw, &c.Credential); err != nil {
				return c, resource.Errorf(resource.CodeInternal, "the credential %s is damaged", credential.Name)
			}
			d, err := e.host.Describe(ctx, row.Cloud)
			if err == nil {
				c.Credential = d.Named(c.Credential) // it may be older than the driver
			}
			return c, err
		},
		Opened: func(ctx context.Context, place driver.Place) {
			now := *row
			if !placed(&now, place) {
				return
			}
			err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.SetPlace(ctx, &now) })
			if err != nil { // the next session says it again
				e.logger.Warn("what a session found out cannot be recorded", "connection", row.Name, "error", err)
			}
		},
	}
}

// placed notes what a session has found out, and reports whether it is something new.
func placed(row *store.Connection, place driver.Place) bool {
	same := row.Account == place.Account && maps.Equal(row.Lacks, place.Lacks) && maps.Equal(row.Scopes, place.Scopes)
	row.Account, row.Lacks, row.Scopes = place.Account, place.Lacks, place.Scopes
	return !same
}

func convert[Row, T any](rows []Row, one func(*Row) T) []T {
	items := make([]T, len(rows))
	for i := range rows {
		items[i] = one(&rows[i])
	}
	return items
}

func joined[T any](items []T, name func(T) string) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	return strings.Join(names, ", ")
}
