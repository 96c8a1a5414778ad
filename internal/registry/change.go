package registry

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// UpdateCredential replaces values of a credential. With check they are first tried in all
// connections that use it, which must lead where they did before: what is recorded of them is
// there. body is an api.CredentialChange.
func (r *Registry) UpdateCredential(ctx context.Context, name string, body []byte, check bool) (*api.Credential, error) {
	var change api.CredentialChange
	if err := resource.Decode(body, &change); err != nil {
		return nil, err
	}
	old, err := r.store.Read().Credential(ctx, name)
	if err != nil {
		return nil, err
	}
	row, changes := *old, len(change.Values) > 0
	if changes {
		values, err := r.replaced(ctx, old, change.Values)
		if err != nil {
			return nil, err
		}
		if err := r.sealInto(&row, values); err != nil {
			return nil, err
		}
		if check {
			tried, err := r.store.Read().Connections(ctx, name)
			if err != nil {
				return nil, err
			}
			if err := r.tryAll(ctx, tried, func(c *driver.Config) { c.Credential = values }); err != nil {
				return nil, err
			}
		}
	}
	if change.ExpiresAt != nil {
		row.ExpiresAt = endOf(*change.ExpiresAt)
	}
	var users []store.Connection
	err = r.audited(ctx, verbUpdate, auditCredential, name, func(ctx context.Context, q *store.Queries) error {
		now, err := q.Credential(ctx, name)
		if err != nil {
			return err
		}
		if !bytes.Equal(now.Sealed, old.Sealed) {
			return resource.Errorf(resource.CodeConflict, "the credential %s has just been changed by another request; look whether that is what you want, and try again", name)
		}
		if err := q.UpdateCredential(ctx, &row); err != nil || !changes {
			return err
		}
		users, err = q.RenewSessions(ctx, name, store.MicrosOf(time.Now())) // also those that have come meanwhile
		return err
	})
	if err != nil {
		return nil, err
	}
	r.reopen(users...)
	answer := row.Resource()
	return &answer, nil
}

// endOf is when a credential ends; the zero time stands for never.
func endOf(at time.Time) store.Micros {
	if at.IsZero() {
		return 0
	}
	return store.MicrosOf(at)
}

// replaced are the values of a credential with some in place of others; an empty one is left
// out.
func (r *Registry) replaced(ctx context.Context, old *store.Credential, changed map[string]string) (driver.Values, error) {
	d, err := r.driverOf(ctx, old.Cloud)
	if err != nil {
		return nil, err
	}
	values, err := r.opened(ctx, old)
	if err != nil {
		return nil, err
	}
	values = d.Named(values)
	for key, value := range changed {
		if value == "" {
			delete(values, key)
		} else {
			values[key] = value
		}
	}
	return d.CheckCredential(values)
}

// checksAtOnce is how many connections are tried at the same time.
const checksAtOnce = 4

// tryAll tries connections on their clouds as they will be. Each must lead to the account that
// it is known to lead to. What a session finds out is noted in the rows.
func (r *Registry) tryAll(ctx context.Context, rows []store.Connection, changed func(*driver.Config)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checksAtOnce)
	for i := range rows {
		row := &rows[i]
		group.Go(func() error {
			t := r.Target(row)
			config := t.Config
			t.Config = func(ctx context.Context) (driver.Config, error) {
				c, err := config(ctx)
				changed(&c)
				return c, err
			}
			before, found := row.Account, driver.Place{}
			t.Opened = func(_ context.Context, place driver.Place) { found = place }
			if err := r.host.Check(ctx, t); err != nil {
				return fmt.Errorf("the connection %s would not work: %w", row.Name, err)
			}
			if before != "" && found.Account != "" && found.Account != before {
				return resource.Errorf(resource.CodeConflict, "the connection %s would lead to the account %s, but what is recorded in it is in %s; make another credential and connection for that account", row.Name, found.Account, before)
			}
			placed(row, found)
			return nil
		})
	}
	return group.Wait()
}

// reopen has changed connections open new sessions at once; other servers see the revision.
func (r *Registry) reopen(rows ...store.Connection) {
	r.events.Missed()
	for i := range rows {
		r.host.Reopen(rows[i].Cloud, rows[i].Name)
	}
}

// UpdateConnection changes a connection. With check it is first tried on the cloud as it will
// be, unless nothing changes there. body is an api.ConnectionChange.
func (r *Registry) UpdateConnection(ctx context.Context, name string, body []byte, check bool) (*api.Connection, error) {
	var change api.ConnectionChange
	if err := resource.Decode(body, &change); err != nil {
		return nil, err
	}
	if err := resource.Invalid(append(change.Patience.Problems("patience"), resource.LabelProblems("labels", change.Labels)...)...); err != nil {
		return nil, err
	}
	old, err := r.store.Read().Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	d, err := r.driverOf(ctx, old.Cloud)
	if err != nil {
		return nil, err
	}
	row := *old
	if change.Patience != nil {
		row.Patience = change.Patience
	}
	if change.Labels != nil {
		row.Labels = change.Labels
	}
	if change.Settings != nil {
		if row.Settings, err = d.CheckSettings(change.Settings); err != nil {
			return nil, err
		}
	}
	if change.Zone != nil {
		row.Zone = *change.Zone
	}
	if change.Credential != nil {
		row.Credential = *change.Credential
	}
	there := row.Credential != old.Credential || row.Zone != old.Zone || !maps.Equal(row.Settings, old.Settings)
	if there {
		if err := r.mayUse(ctx, r.store.Read(), d, &row); err != nil {
			return nil, err
		}
		if check {
			rows := []store.Connection{row}
			if err := r.tryAll(ctx, rows, func(*driver.Config) {}); err != nil {
				return nil, err
			}
			row = rows[0]
		}
		row.UpdatedAt = store.MicrosOf(time.Now())
	}
	err = r.audited(ctx, verbUpdate, auditConnection, name, func(ctx context.Context, q *store.Queries) error {
		now, err := q.Connection(ctx, name)
		switch {
		case err != nil:
			return err
		case there && now.UpdatedAt != old.UpdatedAt:
			return resource.Errorf(resource.CodeConflict, "the connection %s has just been changed by another request; look whether that is what you want, and try again", name)
		case there:
			if err := r.mayUse(ctx, q, d, &row); err != nil { // again: it may have gone meanwhile
				return err
			}
			if err := q.UpdateConnection(ctx, &row); err != nil {
				return err
			}
		}
		if change.Labels == nil { // another request may have changed them meanwhile
			row.Labels = now.Labels
		} else if err := q.LabelConnection(ctx, &row); err != nil {
			return err
		}
		if change.Patience == nil { // likewise
			row.Patience = now.Patience
			return nil
		}
		return q.SetPatience(ctx, &row)
	})
	if err != nil {
		return nil, err
	}
	if change.Labels != nil {
		r.tell(ctx)
	}
	if there {
		r.reopen(row)
	}
	answer := row.Resource()
	return &answer, nil
}

// mayUse checks that a connection has a credential that fits, or needs none.
func (r *Registry) mayUse(ctx context.Context, q *store.Queries, d *driver.Description, row *store.Connection) error {
	if row.Credential != "" {
		return r.fits(ctx, q, row)
	}
	if _, err := d.CheckCredential(nil); err != nil { // it has required fields
		return resource.Invalid(resource.Problem{Field: "credential", Message: "is required for the cloud " + row.Cloud + "; make one with: mcic credential create", Rule: resource.RuleRequired})
	}
	return nil
}
