package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// answer is what a call that changes something has come to.
type answer struct {
	item    *driver.Item    // what there is of the resource, where the call tells
	done    bool            // whether the goal is reached already
	pending *driver.Pending // what is waited for before the call is made again
}

// request makes the call that the operation stands for.
func (j *job) request(ctx context.Context) (answer, error) {
	ctx = driver.WithToken(driver.WithWarnings(driver.WithOperation(ctx, j.op.ID), j.op.Warn), j.Row.Token())
	switch change := j.op.Change.(type) {
	case store.Creation:
		spec, err := j.Kind.Completed(j.Row.Spec(), j.Row.Effective)
		if err == nil {
			spec, err = j.Kind.MapRefs(spec, func(ref resource.Ref) (string, error) { return j.cloudID(ctx, ref) })
		}
		if err == nil {
			spec, err = j.reveal(ctx, spec)
		}
		if err != nil {
			return answer{}, err
		}
		made, pending, err := j.session.Create(ctx, j.Row.Kind, driver.ItemRequest{
			Token: j.Row.UID, ID: j.Row.CloudID, Name: j.Row.Name, Labels: j.Row.Labels, Spec: spec, Failed: j.failed(),
		})
		return answer{item: &made, pending: pending}, err
	case store.Deletion:
		if err := j.usersGone(ctx); err != nil {
			return answer{}, err
		}
		if keeps, err := j.registry.Keeps(ctx, j.at.Cloud, j.Row.Kind); keeps || err != nil { // then only the record is to go
			return answer{done: keeps}, err
		}
		if j.Row.CloudID == "" {
			if found, err := j.findByToken(ctx); err != nil || !found {
				return answer{done: true}, err
			}
		}
		if err := j.onlyHere(ctx); err != nil {
			return answer{}, err
		}
		pending, err := j.session.Delete(ctx, j.Row.Kind, j.Row.CloudID)
		return answer{pending: pending}, err
	case store.Action:
		return j.requestAction(ctx, change)
	default:
		return answer{}, resource.Errorf(resource.CodeInternal, "the cloud is not asked to %s", j.op.Verb)
	}
}

// failed is why a creation has failed, while what it has made is removed again; nil if it
// goes on. Nothing else that is pending has an error that no repeat can help.
func (j *job) failed() *resource.Error {
	if !j.op.Creates() || j.op.Pending == "" || j.op.Error == nil || j.op.Error.Retryable {
		return nil
	}
	return j.op.Error
}

// usersGone refuses to delete before what uses the resource, when all of it is to be
// deleted.
func (j *job) usersGone(ctx context.Context) error {
	users, err := j.store.Read().Users(ctx, j.Row.UID)
	if err != nil || len(users) == 0 {
		return err
	}
	staying := slices.DeleteFunc(users, func(r store.Resource) bool { return r.State == resource.StateDeleting && r.Operation != "" })
	if len(staying) > 0 {
		return j.Row.UsedBy(staying)
	}
	return inventory.ErrNotYet
}

// findByToken looks for what a failed creation may have left on the cloud. It looks
// for a while: lists lag behind.
func (j *job) findByToken(ctx context.Context) (bool, error) {
	if !j.Row.Uncertain {
		return false, nil
	}
	for item, err := range j.session.List(ctx, j.Row.Kind, driver.Filter{Token: j.Row.UID}) {
		if err != nil {
			return false, err
		}
		if taken := j.elsewhere(ctx, item.ID); taken != nil {
			return false, taken
		}
		j.Row.CloudID = item.ID
		return true, nil
	}
	if j.since(j.op.CreatedAt) < j.config.LookFor {
		return false, inventory.ErrNotYet
	}
	return false, nil
}

func (j *job) requestAction(ctx context.Context, change store.Action) (answer, error) {
	action, err := j.Kind.Action(change.Name)
	if err != nil {
		return answer{}, err
	}
	if j.op.Pending == "" { // else it has begun, whatever the state is by now
		now, err := j.session.Get(ctx, j.Row.Kind, j.Row.CloudID)
		if err != nil {
			return answer{}, err
		}
		if done, err := j.mayAct(action, now.State); done || err != nil {
			return answer{item: &now, done: done}, err
		}
	}
	params, err := j.params(ctx, action, change)
	if err == nil {
		params, err = j.reveal(ctx, params)
	}
	if err != nil {
		return answer{}, err
	}
	pending, err := j.session.Act(ctx, j.Row.Kind, j.Row.CloudID, action.Name, params)
	return answer{pending: pending}, err
}

// mayAct refuses an action that is not possible in a state; done says that there is
// nothing to do.
func (j *job) mayAct(action *resource.Action, in resource.State) (done bool, err error) {
	allowed, done := action.Allowed(in)
	switch {
	case done || allowed:
		return done, nil
	case !in.Settled():
		return false, inventory.ErrNotYet
	}
	return false, resource.Errorf(resource.CodeConflict, "the %s %s is %s; %s is possible in: %s", j.Row.Kind, j.Row.Name, in, action.Name, fmt.Sprint(action.From))
}

// params are those of an action, with cloud ids.
func (j *job) params(ctx context.Context, action *resource.Action, change store.Action) (json.RawMessage, error) {
	return action.MapRefs(change.Params, func(ref resource.Ref) (string, error) { return j.inventory.CloudID(ctx, j.Row.Connection, ref) })
}

// cloudID turns the name in a reference into the cloud's id.
func (j *job) cloudID(ctx context.Context, ref resource.Ref) (string, error) {
	if ref.Weak {
		return j.inventory.CloudID(ctx, j.Row.Connection, ref)
	}
	for _, target := range j.Uses {
		if target.Kind == ref.Kind && target.Name == ref.Name {
			return inventory.Usable(ref, target)
		}
	}
	return "", resource.Errorf(resource.CodeDependency, "the %s %s that %s names is gone", ref.Kind, ref.Name, ref.Field)
}
