package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// sighting is what the cloud showed of a resource when it was last looked at.
type sighting struct {
	item *driver.Item // nil: it was not there
	err  error        // it could not be looked at
}

// sight looks at one resource.
func sight(ctx context.Context, session driver.Session, kind, cloudID string) sighting {
	item, err := session.Get(ctx, kind, cloudID)
	return sightingOf(item, err)
}

// sightingOf is what the cloud answers when it is asked for one resource.
func sightingOf(item driver.Item, err error) sighting {
	switch {
	case err == nil:
		return sighting{item: &item}
	case effectOf(reads, resource.AsError(err)) == gone:
		return sighting{}
	}
	return sighting{err: err}
}

// own is what the cloud shows of a resource, without another object that has its id by now:
// one that carries another token.
func own(row *store.Resource, item *driver.Item) *driver.Item {
	if token := row.Token(); item != nil && token != "" && item.Token != "" && item.Token != token {
		return nil
	}
	return item
}

// look works with what the settler has seen of the resource, or has it look.
func (j *job) look(ctx context.Context) error {
	seen, ok := j.settler.take(j.row.UID)
	if !ok {
		j.settler.add(j)
		return nil
	}
	return j.judge(ctx, seen)
}

// judge decides what the state of the resource on the cloud means for the
// operation that the cloud has accepted.
func (j *job) judge(ctx context.Context, seen sighting) error {
	waited := time.Since(j.op.AcceptedAt.Time())
	settleFor := j.settleFor()
	seen.item = own(j.row, seen.item)
	if j.op.Force() && (seen.item == nil || seen.item.State != resource.StateDeleting) {
		settleFor = j.config.ForceFor + j.config.VanishedFor // what the cloud has accepted mostly goes
	}
	switch {
	case seen.err != nil:
		j.op.Error = resource.AsError(seen.err)
		if waited > settleFor {
			return j.fail(ctx, api.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the cloud could not be asked for %s: %w", settleFor, seen.err))
		}
		return j.settleLater(ctx)
	case j.op.Verb == api.VerbDelete && seen.item == nil:
		return j.succeed(ctx)
	case seen.item == nil && waited > j.config.VanishedFor:
		return j.fail(ctx, api.OperationFailed, j.vanished())
	case seen.item == nil: // lists lag behind
		return j.settleLater(ctx)
	}
	j.op.Error = nil
	broken, err := j.brokenPart(seen.item)
	if err != nil {
		return err
	}
	if err := j.observe(ctx, seen.item); err != nil {
		return err
	}
	state := seen.item.State
	switch {
	case j.op.Verb == api.VerbDelete && state != resource.StateDeleting && waited > j.config.VanishedFor &&
		time.Since(j.op.CreatedAt.Time()) < settleFor: // a deletion is repeated until the cloud does it
		return j.pend(ctx, seen.item, &driver.Pending{Reason: fmt.Sprintf("the cloud has accepted the deletion, but shows that it is %s", state)})
	case j.op.Verb == api.VerbDelete:
		j.row.State = resource.StateDeleting
	case state == resource.StateFailed && !j.ends(state):
		return j.fail(ctx, api.OperationFailed, resource.Errorf(cmp.Or(seen.item.Code, resource.CodeUnavailable), "the cloud reports that the %s %s failed (%s): %s", j.row.Kind, j.row.Name, seen.item.CloudState, cmp.Or(seen.item.Reason, "it does not say why")))
	case broken != nil:
		return j.fail(ctx, api.OperationFailed, broken)
	case j.ends(state):
		return j.succeed(ctx)
	}
	if waited > settleFor {
		return j.fail(ctx, api.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the %s %s is still %s after %s; the cloud may finish it yet", j.row.Kind, j.row.Name, state, settleFor))
	}
	return j.settleLater(ctx)
}

// brokenPart is the failure of a part that the record does not show as failed yet, nil if
// there is none. What failed before is not the operation's.
func (j *job) brokenPart(item *driver.Item) (*resource.Error, error) {
	before, err := j.kind.PartsShown(j.row.Status)
	if err != nil {
		return nil, err
	}
	parts, err := j.kind.PartsShown(item.Status)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		known := func(was resource.NamedPart) bool {
			return was.Word == p.Word && was.Name == p.Name && was.State == resource.StateFailed
		}
		if p.State == resource.StateFailed && !slices.ContainsFunc(before, known) {
			return resource.Errorf(cmp.Or(p.Code, resource.CodeUnavailable), "the cloud reports that the %s %s of the %s %s failed (%s): %s", p.Word, p.Name, j.row.Kind, j.row.Name, cmp.Or(p.CloudState, string(p.State)), cmp.Or(p.Reason, "it does not say why")), nil
		}
	}
	return nil, nil //nolint:nilnil // none is no error
}

// ends reports whether a state is what the operation wants.
func (j *job) ends(state resource.State) bool {
	if action, err := j.kind.Action(j.op.Verb); err == nil {
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

// observe takes over what the cloud shows.
func (j *job) observe(ctx context.Context, item *driver.Item) error {
	if err := j.observeSpec(ctx, item.Spec); err != nil {
		return err
	}
	return j.observeStatus(ctx, item)
}

// observeSpec takes over what there is. What was asked for stays as it is.
func (j *job) observeSpec(ctx context.Context, shown json.RawMessage) error {
	before := map[string]string{}
	if len(j.row.Effective) > 0 {
		known, err := j.kind.Refs(j.row.Effective)
		if err != nil {
			return err
		}
		for _, ref := range known {
			before[ref.Field] = ref.Name
		}
	}
	refs := map[string]string{}
	spec, err := j.kind.MapRefs(shown, func(ref resource.Ref) (string, error) {
		target, err := j.shown(ctx, ref)
		switch {
		case err != nil:
			return "", err
		case target == nil && ref.Weak && before[ref.Field] != "": // gone by now: it keeps the name that it had
			return before[ref.Field], nil
		case target == nil:
			if !ref.Weak {
				delete(j.refs, ref.Field) // what was there before in a list is not any more
			}
			return ref.Name, nil // not managed here: the cloud's id stays
		case !ref.Weak:
			refs[ref.Field] = target.UID
		}
		return target.Name, nil
	})
	if err != nil {
		return err
	}
	if j.row.Effective, err = resource.Overlay(j.row.Effective, spec); err != nil {
		return err
	}
	maps.Copy(j.refs, refs)
	return nil
}

// observeStatus takes over everything but the spec.
func (j *job) observeStatus(ctx context.Context, item *driver.Item) (err error) {
	j.row.Status, err = j.kind.MapStatusRefs(item.Status, func(ref resource.Ref) (string, error) {
		target, err := j.shown(ctx, ref)
		if err != nil || target == nil {
			return ref.Name, err
		}
		return target.Name, nil
	})
	if err != nil {
		return err
	}
	if j.row.Native, err = json.Marshal(item.Native); err != nil {
		return resource.Errorf(resource.CodeInternal, "keep the cloud's own fields: %w", err)
	}
	j.row.CloudID, j.row.State, j.row.CloudState = item.ID, item.State, item.CloudState
	j.row.Uncertain = false
	if item.Labels != nil {
		j.row.Labels = item.Labels
	}
	j.row.SyncedAt = store.MicrosOf(time.Now())
	return nil
}

// shown answers the resource whose cloud id is in a reference, nil if none is managed here.
func (j *job) shown(ctx context.Context, ref resource.Ref) (*store.Resource, error) {
	for _, used := range j.uses {
		if used.Kind == ref.Kind && used.CloudID == ref.Name {
			return used, nil
		}
	}
	target, err := j.store.Read().ResourceByCloudID(ctx, j.row.Connection, ref.Kind, ref.Name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, nil //nolint:nilnil // that is no error
	}
	return target, err
}
