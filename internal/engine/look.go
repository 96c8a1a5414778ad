package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// look works with what the settler has seen of the resource, or has it look.
func (j *job) look(ctx context.Context) error {
	seen, ok := j.settler.take(j.Row.UID)
	if !ok {
		j.settler.add(j)
		return nil
	}
	return j.judge(ctx, seen)
}

// judge decides what the state of the resource on the cloud means for the
// operation that the cloud has accepted.
func (j *job) judge(ctx context.Context, seen inventory.Sight) error {
	waited := j.since(j.op.AcceptedAt)
	settleFor := j.settleFor()
	seen.Item = inventory.Own(j.Row, seen.Item)
	if j.op.Force() && (seen.Item == nil || seen.Item.State != resource.StateDeleting) {
		settleFor = j.config.ForceFor + j.config.VanishedFor // what the cloud has accepted mostly goes
	}
	switch {
	case seen.Err != nil:
		j.op.Error = resource.AsError(seen.Err)
		if waited > settleFor {
			return j.fail(ctx, api.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the cloud could not be asked for %s: %w", settleFor, seen.Err))
		}
		return j.settleLater(ctx)
	case j.op.Deletes() && seen.Item == nil:
		return j.succeed(ctx)
	case seen.Item == nil && waited > j.config.VanishedFor:
		return j.fail(ctx, api.OperationFailed, j.vanished())
	case seen.Item == nil: // lists lag behind
		return j.settleLater(ctx)
	}
	j.op.Error = nil
	broken, err := j.brokenPart(seen.Item)
	if err != nil {
		return err
	}
	if err := j.Observe(ctx, seen.Item); err != nil {
		return err
	}
	state := seen.Item.State
	switch {
	case j.op.Deletes() && state != resource.StateDeleting && waited > j.config.VanishedFor &&
		j.since(j.op.CreatedAt) < settleFor: // a deletion is repeated until the cloud does it
		return j.pend(ctx, seen.Item, &driver.Pending{Reason: fmt.Sprintf("the cloud has accepted the deletion, but shows that it is %s", state)})
	case j.op.Deletes():
		j.Row.State = resource.StateDeleting
	case state == resource.StateFailed && !j.ends(state):
		return j.fail(ctx, api.OperationFailed, resource.Errorf(cmp.Or(seen.Item.Code, resource.CodeUnavailable), "the cloud reports that the %s %s failed (%s): %s", j.Row.Kind, j.Row.Name, seen.Item.CloudState, cmp.Or(seen.Item.Reason, "it does not say why")))
	case broken != nil:
		return j.fail(ctx, api.OperationFailed, broken)
	case j.ends(state):
		return j.succeed(ctx)
	}
	if waited > settleFor {
		return j.fail(ctx, api.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the %s %s is still %s after %s; the cloud may finish it yet", j.Row.Kind, j.Row.Name, state, settleFor))
	}
	return j.settleLater(ctx)
}

// brokenPart is the failure of a part that the record does not show as failed yet, nil if
// there is none. What failed before is not the operation's.
func (j *job) brokenPart(item *driver.Item) (*resource.Error, error) {
	before, err := j.Kind.PartsShown(j.Row.Status)
	if err != nil {
		return nil, err
	}
	parts, err := j.Kind.PartsShown(item.Status)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		known := func(was resource.NamedPart) bool {
			return was.Word == p.Word && was.Name == p.Name && was.State == resource.StateFailed
		}
		if p.State == resource.StateFailed && !slices.ContainsFunc(before, known) {
			return resource.Errorf(cmp.Or(p.Code, resource.CodeUnavailable), "the cloud reports that the %s %s of the %s %s failed (%s): %s", p.Word, p.Name, j.Row.Kind, j.Row.Name, cmp.Or(p.CloudState, string(p.State)), cmp.Or(p.Reason, "it does not say why")), nil
		}
	}
	return nil, nil //nolint:nilnil // none is no error
}

// ends reports whether a state is what the operation wants.
func (j *job) ends(state resource.State) bool {
	if action, err := j.Kind.Action(j.op.Verb); err == nil {
		return action.Ends(state)
	}
	return state.Settled() && state != resource.StateFailed
}

// settleLater records how far the operation is and has the settler look again.
func (j *job) settleLater(ctx context.Context) error {
	if err := j.save(ctx); err != nil {
		return err
	}
	j.settler.add(j)
	return nil
}
