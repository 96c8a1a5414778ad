package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Pending says that the cloud has accepted or begun what was asked for and that more
// is to be done: the same call is to be made again. It is no failure. Whoever asked sees
// the change going on, with the reason, for as long as the kind may take to settle.
type Pending struct {
	Reason string        // what is being waited for, for people
	After  time.Duration // when to call again; 0 leaves it to the caller

	// Failed is why a creation has failed for good, while what it has made is removed again.
	// The next call is to have it: whoever goes on must know how this ends.
	Failed *resource.Error
}

// Wait answers that a call is pending, in the place of its error: Make, Complete,
// Delete and actions return it where they would otherwise have to sleep or to poll.
// Callers of a driver never see it as an error.
func Wait(after time.Duration, format string, args ...any) error {
	return wait{Pending{Reason: fmt.Sprintf(format, args...), After: after}}
}

// Then ends a step that others follow: it answers why the step has failed, and otherwise Wait.
func Then(err error, after time.Duration, format string, args ...any) error {
	if err != nil {
		return err
	}
	return Wait(after, format, args...)
}

// wait is how a Pending travels from a collection to this package.
type wait struct{ Pending }

func (w wait) Error() string { return "pending: " + w.Reason }

// pendingIn takes a Pending out of what a collection returned.
func pendingIn(err error) (*Pending, error) {
	if w, ok := errors.AsType[wait](err); ok {
		return &w.Pending, nil
	}
	return nil, err
}

func pendingFrom(p *driverv1.Pending) *Pending {
	if p == nil {
		return nil
	}
	after := min(max(p.GetAfterMs(), 0), time.Hour.Milliseconds())
	pending := &Pending{Reason: storable(p.GetReason()), After: time.Duration(after) * time.Millisecond}
	if p.GetFailure() != nil {
		pending.Failed = resource.AsError(fromFailure(p.GetFailure()))
	}
	return pending
}

type operationKey struct{}

// WithOperation names the change that calls with the context belong to. A repeat of a
// call has the same name.
func WithOperation(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, operationKey{}, id)
}

// Operation is the name of the change that a Delete or an action belongs to, "" if it has
// none. It is for client tokens: a repeat must not become a second change.
func Operation(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}
