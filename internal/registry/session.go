package registry

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Session opens a session of a connection, for catalogs.
func (r *Registry) Session(ctx context.Context, connection string) (driver.Session, *api.Connection, error) {
	row, err := r.store.Read().Connection(ctx, connection)
	if err != nil {
		return nil, nil, err
	}
	c := row.Resource()
	return r.SessionOf(row), &c, nil
}

// Target is a connection as the host needs it. The credential is unsealed only
// when a session is opened.
func (r *Registry) Target(row *store.Connection) host.Target {
	return host.Target{
		Connection: row.Name,
		Revision:   fmt.Sprint(int64(row.UpdatedAt)),
		Cloud:      row.Cloud,
		Config: func(ctx context.Context) (driver.Config, error) {
			c := driver.Config{Region: row.Region, Zone: row.Zone, Settings: row.Settings}
			if row.Credential == "" {
				return c, nil
			}
			credential, err := r.store.Read().Credential(ctx, row.Credential)
			if err != nil {
				return c, err
			}
			if c.Credential, err = r.opened(ctx, credential); err != nil {
				return c, err
			}
			d, err := r.host.Describe(ctx, row.Cloud)
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
			err := r.store.Update(ctx, func(ctx context.Context, q *store.Queries) error { return q.SetPlace(ctx, &now) })
			if err != nil { // the next session says it again
				r.logger.Warn("what a session found out cannot be recorded", "connection", row.Name, "error", err)
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

// Send has a connection's driver sign a request for data of a resource, and sends it. See
// host.Send.
func (r *Registry) Send(ctx context.Context, c *store.Connection, kind, id string, request resource.SignRequest, body io.Reader) (*http.Response, resource.SignedRequest, error) {
	return r.host.Send(ctx, r.Target(c), kind, id, request, body)
}
