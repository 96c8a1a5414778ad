package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// succeed ends the operation at its goal.
func (j *job) succeed(ctx context.Context) error {
	j.op.State, j.op.Error = api.OperationSucceeded, nil
	if change, is := j.op.Change.(store.Action); is && len(j.Row.Asked) > 0 {
		action, err := j.Kind.Action(change.Name)
		if err == nil {
			j.Row.Asked, err = action.Asked(j.Row.Asked, change.Params)
		}
		if err != nil {
			return err
		}
	}
	if j.Row.State != resource.StateFailed { // otherwise it still says why
		j.Row.Error = nil
	}
	return j.end(ctx)
}

// fail ends the operation short of its goal, as failed or cancelled. The resource
// then shows what is true of it, as far as the cloud tells.
func (j *job) fail(ctx context.Context, as api.OperationState, e *resource.Error) error {
	if j.op.Force() && as == api.OperationFailed {
		return j.forget(ctx, e)
	}
	if j.Row.CloudID != "" && !j.op.Creates() {
		now, err := j.session.Get(ctx, j.Row.Kind, j.Row.CloudID)
		switch {
		case err == nil:
			if err := j.Observe(ctx, &now); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return err
		case !j.op.Deletes(): // it stays as it was seen
		case resource.CodeOf(err) == resource.CodeNotFound: // it is gone all the same
			return j.succeed(ctx)
		case (j.op.State == api.OperationQueued || j.op.Pending != "") && resource.AsError(err).Retryable && j.since(j.op.CreatedAt) < j.config.RetryFor:
			return j.retry(ctx, e) // what is true of it will be seen
		default: // unclear: it stays until the cloud says that it is gone
			j.Row.State = resource.StateFailed
		}
	}
	j.logger.Warn("operation did not reach its goal", "as", as, "operation", j.op.ID, "verb", j.op.Verb, "kind", j.Row.Kind, "name", j.Row.Name, "connection", j.Row.Connection, "code", e.Code, "error", e)
	j.op.State, j.op.Error, j.Row.Error = as, e, e
	switch {
	case j.op.Creates() && !j.Row.Uncertain && j.Row.CloudID == "" &&
		(as == api.OperationCancelled || j.op.OnFailure() == resource.OnFailureDelete):
		j.Row.Bury(j.now()) // nothing came of it
	case j.Row.CloudID == "" || j.op.Creates():
		j.Row.State = resource.StateFailed
	}
	return j.end(ctx)
}

// forget ends a forced deletion that the cloud did not do.
func (j *job) forget(ctx context.Context, e *resource.Error) error {
	left := fmt.Sprintf("the %s %s was forgotten here, but the cloud did not delete it; it may be left there, as %s: %s", j.Row.Kind, j.Row.Name, j.Row.CloudID, e.Message)
	if j.Row.CloudID == "" {
		left = fmt.Sprintf("the %s %s was forgotten here; whether the cloud has one with the token %s is not known: %s", j.Row.Kind, j.Row.Name, j.Row.UID, e.Message)
	}
	j.op.Warnings = append(j.op.Warnings, resource.Warning{Rule: resource.WarnLeft, Message: left})
	j.forgotten = true
	j.note("asked", e)
	return j.succeed(ctx)
}

// end records the end of the operation and frees the resource.
func (j *job) end(ctx context.Context) error {
	j.lookAgain(ctx)
	j.op.EndedAt, j.op.Pending = j.now(), ""
	if len(j.op.Hidden) > 0 {
		wipe(j.op)
	}
	j.note(string(j.op.State), j.op.Error)
	if j.op.Deletes() && j.op.State == api.OperationSucceeded {
		j.Row.Bury(j.now())
	}
	j.Row.Operation, j.Row.LeaseOwner, j.Row.LeaseUntil = "", "", 0
	j.settler.forget(j.Row.UID)
	users, err := j.write(ctx)
	if err != nil {
		return err
	}
	for i := range users { // they may have waited for this
		if users[i].Operation != "" {
			j.enqueue(users[i].Connection, users[i].UID)
		}
	}
	if j.op.Deletes() || j.Row.DeletedAt != 0 {
		for _, used := range j.Uses { // their deletion may have waited for this
			if used.Operation != "" {
				j.enqueue(used.Connection, used.UID)
			}
		}
	}
	if j.op.Parent != "" {
		followers, err := j.store.Read().Followers(ctx, j.op.ID)
		if err != nil { // it is recorded; they look again by themselves
			j.logger.Warn("what follows an operation cannot be looked up", "operation", j.op.ID, "error", err)
		}
		for i := range followers {
			j.enqueue(followers[i].Connection, followers[i].UID)
		}
	}
	j.config.OnOperation(j.op.Resource())
	return nil
}

// unwanted answers the operation that deletes what was created although its
// creation was to be cancelled, or what a creation has left that failed and was to leave
// nothing; or nil.
func (j *job) unwanted(ctx context.Context, q *store.Queries) (*store.Operation, error) {
	if j.op.EndedAt == 0 || !j.op.Creates() || j.Row.DeletedAt != 0 || j.Row.CloudID == "" && !j.Row.Uncertain {
		return nil, nil //nolint:nilnil // there is nothing
	}
	if j.op.State == api.OperationSucceeded || j.op.OnFailure() != resource.OnFailureDelete {
		op, err := q.Operation(ctx, j.op.ID) // anew: it may have been asked for just now
		if err != nil || op.Cancel != store.CancelDelete {
			return nil, err
		}
	}
	then := j.newOperation(auth.For(ctx, j.op.Asked), j.Row, store.Deletion{})
	j.Row.State = resource.StateDeleting
	return then, nil
}

// left is a resource of a creation of several that is deleted because not all of them
// could be created.
type left struct {
	row *store.Resource
	op  *store.Operation // nil: nothing is left of it but the record
}

// takeBack records the deletion of everything that the creations have left which an
// operation stands for. What is used waits for what uses it.
func (j *job) takeBack(ctx context.Context, q *store.Queries, parent *store.Operation) ([]left, error) {
	parts, err := q.Parts(ctx, parent.ID)
	if err != nil {
		return nil, err
	}
	slices.Reverse(parts)
	var all []left
	for _, part := range parts {
		if !part.Creates() { // it follows one
			continue
		}
		row, err := q.ResourceByUID(ctx, part.UID)
		if err != nil {
			return nil, err
		}
		switch {
		case row.DeletedAt != 0 || row.Operation != "": // by somebody else, meanwhile
			continue
		case row.CloudID == "" && !row.Uncertain:
			if err := q.Entomb(ctx, row, j.now()); err != nil {
				return nil, err
			}
			all = append(all, left{row: row})
			continue
		}
		owner := row.LeaseOwner
		row.State = resource.StateDeleting
		op := j.newOperation(auth.For(ctx, parent.Asked), row, store.Deletion{})
		if err := q.UpdateResource(ctx, row, owner); err != nil {
			return nil, err
		}
		if err := q.InsertOperation(ctx, op); err != nil {
			return nil, err
		}
		all = append(all, left{row, op})
	}
	return all, nil
}

// chosen is the recent choice that a creation which succeeds makes, or nil.
func (j *job) chosen(ctx context.Context) (*store.Recent, error) {
	if !j.op.Creates() || j.op.State != api.OperationSucceeded || len(j.Kind.Recent) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	choice, err := j.Kind.Choice(j.Row.Effective)
	if err != nil {
		return nil, err
	}
	c, err := j.store.Read().Connection(ctx, j.Row.Connection)
	if err != nil {
		return nil, err
	}
	return &store.Recent{
		Kind: j.Kind.Name, Cloud: c.Cloud, Region: c.Region, Zone: c.Zone, Choice: choice,
		Times: 1, Took: j.op.EndedAt.Time().Sub(j.op.CreatedAt.Time()).Microseconds(), LastAt: j.op.EndedAt,
	}, nil
}

// failureOf is why an operation has failed, nil if it has not.
func failureOf(op *store.Operation) error {
	if op.Error == nil || op.State == api.OperationSucceeded {
		return nil
	}
	return op.Error
}

// save records the job while its operation goes on, if it has moved.
func (j *job) save(ctx context.Context) error {
	if j.mark() == j.before && len(j.secrets) == 0 {
		return nil
	}
	_, err := j.write(ctx)
	return err
}

// write writes the rows, provided that this server still holds the lease. At the
// end of an operation it answers what uses the resource.
func (j *job) write(ctx context.Context) (users []store.Resource, err error) {
	j.Row.UpdatedAt = j.now()
	var (
		then, parent *store.Operation
		back         []left
	)
	chosen, err := j.chosen(ctx)
	if err != nil {
		return nil, err
	}
	err = j.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if then, err = j.unwanted(ctx, q); err != nil {
			return err
		}
		if err := q.UpdateResource(ctx, j.Row, j.id); err != nil {
			return err
		}
		if err := j.WriteRefs(ctx, q); err != nil {
			return err
		}
		if err := q.InsertSecrets(ctx, j.secrets); err != nil {
			return err
		}
		if j.Row.DeletedAt != 0 {
			if err := q.ForgetSecrets(ctx, j.Row.UID); err != nil {
				return err
			}
		}
		if j.op.EndedAt != 0 {
			if users, err = q.Users(ctx, j.Row.UID); err != nil {
				return err
			}
		}
		if j.op.EndedAt != 0 {
			if err := q.Note(ctx, j.op.Entry(j.Row), failureOf(j.op)); err != nil {
				return err
			}
		}
		if err := q.UpdateOperation(ctx, j.op); err != nil {
			return err
		}
		if j.op.EndedAt != 0 && j.op.Parent != "" {
			if parent, err = q.CountPart(ctx, j.op); err != nil {
				return err
			}
			if parent.Failed > 0 && parent.State.Ended() && parent.OnFailure() == resource.OnFailureDelete {
				if back, err = j.takeBack(ctx, q, parent); err != nil {
					return err
				}
			}
		}
		if then != nil {
			if err := q.InsertOperation(ctx, then); err != nil {
				return err
			}
		}
		if chosen != nil { // last: other creations wait for this row
			return q.CountRecent(ctx, chosen)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	j.secrets = nil
	j.asked.Delete(j.Row.UID)
	j.events.Changed(j.Row, j.op)
	if parent != nil {
		j.events.Tell(events.Event{Operation: parent.Resource()})
	}
	if then != nil {
		j.events.Tell(events.Event{Operation: then.Resource()})
		j.enqueue(j.Row.Connection, j.Row.UID)
	}
	for _, b := range back {
		j.events.Changed(b.row, b.op)
		if b.op != nil {
			j.enqueue(b.row.Connection, b.row.UID)
		}
	}
	return users, nil
}
