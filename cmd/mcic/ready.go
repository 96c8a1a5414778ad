package main

import (
	"context"
	"sync/atomic"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// readiness is whether the server can do what it was started for.
type readiness struct {
	healthy func(context.Context) error
	door    *door
	fault   atomic.Pointer[error] // why it is not there yet
}

// set notes what is missing, or with nil that nothing is.
func (r *readiness) set(err error) {
	if err == nil {
		r.fault.Store(nil)
		return
	}
	r.fault.Store(&err)
}

// ready answers what is wrong though the server works, and why it does not.
func (r *readiness) ready(ctx context.Context) (notice string, err error) {
	if err := r.healthy(ctx); err != nil {
		return "", err
	}
	if fault := r.fault.Load(); fault != nil {
		return "", *fault
	}
	return r.door.notice(), nil
}

// errStarting is why a server with --dev is not ready at first.
func errStarting() error {
	return resource.Errorf(resource.CodeUnavailable, "the connection %s of --dev is not registered yet; ask again", devConnection)
}
