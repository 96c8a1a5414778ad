package drivertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Patient is a session for a driver's own tests. As the server does, it makes a call that
// is pending again until it is not.
type Patient struct {
	driver.Session
	Pass func(time.Duration) // has the time pass until the next call, where the clock is the test's; nil waits
}

// patience is how long a call of a Patient may be pending.
const patience = 2 * time.Minute

// List answers all objects of a kind.
func (p Patient) List(ctx context.Context, kind string) iter.Seq2[driver.Item, error] {
	return p.Session.List(ctx, kind, driver.Filter{})
}

// Create creates an object and completes it.
func (p Patient) Create(ctx context.Context, kind string, r driver.ItemRequest) (item driver.Item, err error) {
	err = again(ctx, patience, p.Pass, func(ctx context.Context) (pending *driver.Pending, err error) {
		item, pending, err = p.Session.Create(ctx, kind, r)
		if pending != nil {
			r = r.Again(item.ID, pending)
		}
		return pending, err
	})
	return item, err
}

// Delete deletes an object.
func (p Patient) Delete(ctx context.Context, kind, id string) error {
	return again(ctx, patience, p.Pass, func(ctx context.Context) (*driver.Pending, error) { return p.Session.Delete(ctx, kind, id) })
}

// Act runs an action.
func (p Patient) Act(ctx context.Context, kind, id, action string, params json.RawMessage) error {
	return again(ctx, patience, p.Pass, func(ctx context.Context) (*driver.Pending, error) {
		return p.Session.Act(ctx, kind, id, action, params)
	})
}

// longestPause is how long is waited at most before a pending call is made again.
const longestPause = time.Second

// again makes a call until it is not pending any more: each time with the same operation,
// when the driver wants it.
func again(ctx context.Context, limit time.Duration, pass func(time.Duration), call func(context.Context) (*driver.Pending, error)) error {
	ctx = driver.WithOperation(ctx, uuid.NewString())
	ends := time.NewTimer(limit)
	defer ends.Stop()
	for {
		pending, err := call(ctx)
		if err != nil || pending == nil {
			return err
		}
		if strings.TrimSpace(pending.Reason) == "" {
			return errors.New("the call is pending, without a reason")
		}
		after := min(max(pending.After, soonest), longestPause)
		if pass != nil {
			pass(after)
			continue
		}
		pause := time.NewTimer(after)
		select {
		case <-pause.C:
		case <-ends.C:
			pause.Stop()
			return resource.Errorf(resource.CodeUnavailable, "still pending after %s: %s", limit, pending.Reason)
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("wait for what is pending (%s): %w", pending.Reason, ctx.Err())
		}
	}
}
