package registry

import (
	"context"
	"time"
)

// Warner answers what warns of credentials that end, as Run has it do at a time.
func (r *Registry) Warner() func(context.Context, time.Time) error {
	warned := map[string]warning{}
	return func(ctx context.Context, now time.Time) error { return r.warn(ctx, warned, now) }
}
