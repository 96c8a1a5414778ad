package registry

import (
	"context"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// How often credentials are looked at that end, and how often one is warned of.
const (
	lookForExpiry = time.Hour
	warnOfExpiry  = 24 * time.Hour
)

// warning is what was said of a credential that ends, and when.
type warning struct {
	expiry api.Expiry
	at     time.Time
}

// Run warns of credentials that end, until ctx ends.
func (r *Registry) Run(ctx context.Context) {
	tick := time.NewTicker(lookForExpiry)
	defer tick.Stop()
	warned := map[string]warning{}
	for {
		if err := r.warn(ctx, warned, time.Now()); err != nil && ctx.Err() == nil {
			r.logger.Warn("cannot look for credentials that end; tried again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// warn logs which credentials end soon or have ended, each once a day.
func (r *Registry) warn(ctx context.Context, warned map[string]warning, now time.Time) error {
	rows, err := r.store.Read().Credentials(ctx)
	if err != nil {
		return err
	}
	for i := range rows {
		c := rows[i].Resource()
		last, expiry := warned[c.Name], api.ExpiryOf(c.ExpiresAt, now)
		if expiry == last.expiry && now.Sub(last.at).Abs() < warnOfExpiry {
			continue
		}
		warned[c.Name] = warning{expiry, now}
		if expiry == "" {
			continue
		}
		users, err := r.store.Read().Connections(ctx, c.Name)
		if err != nil {
			return err
		}
		r.logger.Warn("a credential ends soon or has ended; give it new values with: mcic credential update", "credential", c.Name, "cloud", c.Cloud,
			"expiry", expiry, "ends", c.ExpiresAt, "connections", strings.Join(store.Convert(users, func(c *store.Connection) string { return c.Name }), ", "))
	}
	return nil
}
