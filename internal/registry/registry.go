// Package registry holds what resources live in: credentials and connections, with the
// sessions of drivers that are opened for them, and what clients of CB-Spider's API have
// registered. What needs no record, a driver is asked here: what it offers, extensions,
// requests to a cloud's own API.
package registry

import (
	"context"
	"log/slog"

	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/host"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Config is what a registry needs.
type Config struct {
	Store  *store.Store
	Host   *host.Host
	Sealer *secret.Sealer
	Events *events.Bus
	Logger *slog.Logger
}

// Registry holds what resources live in. It is safe for concurrent use.
type Registry struct {
	store  *store.Store
	host   *host.Host
	sealer *secret.Sealer
	events *events.Bus
	logger *slog.Logger

	known  known
	forget []func(connection string)
	heard  []func(context.Context)
}

// New returns a registry.
func New(c Config) *Registry {
	r := &Registry{store: c.Store, host: c.Host, sealer: c.Sealer, events: c.Events, logger: c.Logger}
	r.known.drop()
	r.events.Watch(func(string, string) {}, r.known.drop)
	return r
}

// WatchConnections has heard told when there are other connections, or when they have other
// labels. It is for those who decide by them, before the registry is used.
func (r *Registry) WatchConnections(heard func(context.Context)) { r.heard = append(r.heard, heard) }

func (r *Registry) tell(ctx context.Context) {
	for _, heard := range r.heard {
		heard(ctx)
	}
}

// WatchForgotten has forget told of connections that are gone: another may take the name. It
// is for those who keep something by it, before the registry is used.
func (r *Registry) WatchForgotten(forget func(connection string)) {
	r.forget = append(r.forget, forget)
}
