package engine

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Create records a new resource and the operation that creates it, or several with
// one operation for all. body is the request as the user sent it. Secrets in the
// answer are shown this once.
func (e *Engine) Create(ctx context.Context, connection, kind string, body []byte) (*api.Operation, error) {
	return e.CreateWanted(ctx, connection, Wanted{Kind: kind, Body: body})
}

// CreateWanted is Create for what may have another name for clients of CB-Spider's API.
func (e *Engine) CreateWanted(ctx context.Context, connection string, w Wanted) (*api.Operation, error) {
	creations, then, many, err := e.wanted(ctx, connection, w)
	if err != nil {
		return nil, err
	}
	if many {
		return e.createMany(ctx, connection, creations, nil, store.Creation{})
	}
	one := creations[0]
	if len(then) > 0 {
		return e.createMany(ctx, connection, creations, then, one.change)
	}
	op, err := e.record(ctx, func(ctx context.Context, q *store.Queries) (*store.Resource, *store.Operation, error) {
		op, err := e.insert(ctx, q, one)
		return one.row, op, err
	})
	if err != nil {
		return nil, err
	}
	op.Secrets = one.secrets
	return op, nil
}

// wanted reads a request for new resources: these, and what follows the only one.
func (e *Engine) wanted(ctx context.Context, connection string, w Wanted) (creations []*creation, then []resource.FollowUp, many bool, err error) {
	kind := w.Kind
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, nil, false, err
	}
	requests, many, err := k.ParseCreates(w.Body)
	if err != nil {
		return nil, nil, false, err
	}
	then = requests[0].Then // of several, none has any
	switch {
	case many && len(k.Secrets) > 0:
		return nil, nil, false, resource.Errorf(resource.CodeUnsupported, "several of the kind %s cannot be created at once: each shows a secret once; create them one by one", kind)
	case len(then) > 0 && len(k.Secrets) > 0:
		return nil, nil, false, resource.Errorf(resource.CodeUnsupported, "nothing can follow the creation of the kind %s, which shows a secret once; ask for it when that has ended", kind)
	}
	if err := e.registry.Has(ctx, connection, kind, api.VerbCreate); err != nil {
		return nil, nil, false, err
	}
	if len(k.Secrets) > 0 { // they take a while to make
		if err := e.available(ctx, connection, k, w.FacadeName, requests[0]); err != nil {
			return nil, nil, false, err
		}
	}
	creations = make([]*creation, len(requests))
	for i, r := range requests {
		if creations[i], err = e.prepare(k, connection, w.FacadeName, r); err != nil {
			return nil, nil, false, err
		}
	}
	return creations, then, many, nil
}

// creation is a new resource before it is recorded.
type creation struct {
	kind    *resource.Kind
	row     *store.Resource
	names   []string // that it may have, the best first
	change  store.Creation
	secrets map[string]string
	hidden  map[string]string // of the specification, never shown
	sealed  []store.Secret
}

func (e *Engine) prepare(k *resource.Kind, connection, facadeName string, r *resource.CreateRequest[json.RawMessage]) (*creation, error) {
	whole, secrets, err := k.Complete(r.Spec)
	if err != nil {
		return nil, err
	}
	asked, _, err := k.Hide(r.Spec)
	if err != nil {
		return nil, err
	}
	spec, hidden, err := k.Hide(whole)
	if err != nil {
		return nil, err
	}
	c := &creation{kind: k, secrets: secrets, hidden: hidden, names: []string{r.Name}, row: &store.Resource{
		UID: uuid.Must(uuid.NewV7()).String(), Connection: connection, Kind: k.Name, Name: r.Name, FacadeName: facadeName,
		State: resource.StatePending, Labels: r.Labels, Asked: asked, Effective: spec,
		Status: json.RawMessage("{}"), Native: json.RawMessage("null"),
	}}
	if facadeName != "" {
		c.names = inventory.NamesFrom(c.row)
	}
	c.change = creationOf(r.OnFailure)
	for name, value := range secrets {
		row, err := e.sealed(c.row.UID, name, value)
		if err != nil {
			return nil, err
		}
		c.sealed = append(c.sealed, row)
	}
	return c, nil
}

// creationOf is a creation with what is to become of the resource if it fails.
func creationOf(onFailure resource.OnFailure) store.Creation {
	if onFailure == resource.OnFailureKeep {
		onFailure = ""
	}
	return store.Creation{OnFailure: onFailure}
}

// insert writes the row of a new resource and makes its operation.
func (e *Engine) insert(ctx context.Context, q *store.Queries, c *creation) (*store.Operation, error) {
	refs, err := e.resolve(ctx, q, c.kind, c.row)
	if err != nil {
		return nil, err
	}
	if err := inventory.TakeName(ctx, q, c.kind, c.row, c.names, giveWay(ctx, q, e.now())); err != nil {
		return nil, err
	}
	op := e.newOperation(ctx, c.row, c.change)
	if err := e.seal(op, c.hidden); err != nil {
		return nil, err
	}
	c.row.CreatedAt = c.row.UpdatedAt
	if err := q.InsertResource(ctx, c.row, refs); err != nil {
		return nil, err
	}
	return op, q.InsertSecrets(ctx, c.sealed)
}

// resolve finds what a new resource refers to and checks that it fits.
func (e *Engine) resolve(ctx context.Context, q *store.Queries, k *resource.Kind, row *store.Resource) ([]store.Ref, error) {
	if _, err := q.Connection(ctx, row.Connection); err != nil { // locked: it cannot be deleted meanwhile
		return nil, err
	}
	wanted, err := k.Refs(row.Effective)
	if err != nil {
		return nil, err
	}
	var (
		refs     []store.Ref
		problems []resource.Problem
		targets  = map[string]*store.Resource{}
	)
	for _, ref := range wanted {
		target, err := q.Resource(ctx, row.Connection, ref.Kind, ref.Name)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			problems = append(problems, resource.Problem{Field: ref.Field, Message: err.Error(), Rule: resource.RuleMissing, Limit: ref.Kind + " " + ref.Name})
			continue
		case err != nil:
			return nil, err
		case target.State == resource.StateDeleting || target.State == resource.StateDeleted:
			return nil, resource.Errorf(resource.CodeConflict, "the %s %s is %s; it cannot be used any more", ref.Kind, ref.Name, target.State)
		}
		if !ref.Weak {
			refs = append(refs, store.Ref{From: row.UID, Field: ref.Field, To: target.UID})
		}
		targets[ref.Kind+"/"+ref.Name] = target
	}
	if err := resource.Invalid(problems...); err != nil {
		return nil, err
	}
	return refs, fits(ctx, q, row.Connection, targets, func(find resource.Find) error { return k.Against(row.Effective, find) })
}

// fits checks what is asked for against what it refers to, and what that refers to in turn.
// known is what has been read already, by kind/name.
func fits(ctx context.Context, q *store.Queries, connection string, known map[string]*store.Resource, check func(resource.Find) error) error {
	var failed error
	err := check(func(kind, name string) (spec, status json.RawMessage, found bool) {
		row := known[kind+"/"+name]
		if row == nil && name != "" && failed == nil {
			var err error
			if row, err = q.Resource(ctx, connection, kind, name); err != nil {
				if resource.CodeOf(err) != resource.CodeNotFound {
					failed = err
				}
				return nil, nil, false
			}
		}
		if row == nil {
			return nil, nil, false
		}
		return row.Effective, row.Status, true
	})
	if failed != nil {
		return failed
	}
	return err
}

// paramsFit checks the parameters of an action against what they refer to.
func paramsFit(ctx context.Context, q *store.Queries, row *store.Resource, change store.Change) error {
	action, is := change.(store.Action)
	if !is {
		return nil
	}
	k, err := resource.KindNamed(row.Kind)
	if err != nil {
		return err
	}
	a, err := k.Action(action.Name)
	if err != nil {
		return err
	}
	return fits(ctx, q, row.Connection, nil, func(find resource.Find) error { return a.Against(action.Params, find) })
}

// fieldsBelow has the fields that an error names lie below a path.
func fieldsBelow(at string, err error) error {
	if resource.CodeOf(err) != resource.CodeInvalid {
		return err
	}
	problems := slices.Clone(resource.AsError(err).Fields)
	for i := range problems {
		problems[i].Field = at + "." + problems[i].Field
	}
	return resource.Invalid(problems...)
}

// Delete records the operation that deletes a resource. It is refused while
// something uses the resource.
func (e *Engine) Delete(ctx context.Context, connection, kind, name string) (*api.Operation, error) {
	if _, err := resource.KindNamed(kind); err != nil {
		return nil, err
	}
	if _, err := e.registry.Offers(ctx, connection, kind, api.VerbDelete); err != nil {
		return nil, err
	}
	if err := e.inventory.UnusedThere(ctx, connection, []inventory.Named{{Kind: kind, Name: name}}); err != nil {
		return nil, err
	}
	return e.change(ctx, connection, kind, name, store.Deletion{}, mayGo)
}

// ForceDelete records an operation that deletes a resource and forgets it here even if
// the cloud refuses, or cannot be asked for a while; the operation then says what may
// be left there. What is used here is not deleted with force either.
func (e *Engine) ForceDelete(ctx context.Context, connection, kind, name string) (*api.Operation, error) {
	if _, err := resource.KindNamed(kind); err != nil {
		return nil, err
	}
	return e.change(ctx, connection, kind, name, store.Deletion{Force: true}, mayGo)
}

// Act records the operation that runs an action. body holds its parameters as the
// user sent them.
func (e *Engine) Act(ctx context.Context, connection, kind, name, action string, body []byte) (*api.Operation, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	a, err := k.Action(action)
	if err != nil {
		return nil, err
	}
	change := store.Action{Name: action}
	if change.Params, err = a.ParseParams(body); err != nil {
		return nil, err
	}
	if action == resource.ActionLabel {
		if _, err := e.registry.Offers(ctx, connection, kind, action); resource.CodeOf(err) == resource.CodeUnsupported {
			return e.inventory.Label(ctx, connection, kind, name, change)
		}
	}
	if err := e.registry.Has(ctx, connection, kind, action); err != nil {
		return nil, err
	}
	return e.change(ctx, connection, kind, name, change, onCloud)
}

// onCloud refuses an action on what the cloud does not have.
func onCloud(_ context.Context, _ *store.Queries, row *store.Resource) error { return row.OnCloud() }

// Cancel ends an operation that the cloud has not accepted yet, or those parts of one for which
// that is so. If a creation has been accepted, thenDelete has what it creates deleted as soon
// as it has ended.
func (e *Engine) Cancel(ctx context.Context, id string, thenDelete bool) (*api.Operation, error) {
	want := store.CancelEarly
	if thenDelete {
		want = store.CancelDelete
	}
	before, err := e.store.Read().Operation(ctx, id)
	if err != nil {
		return nil, err
	}
	var (
		op    *store.Operation
		ended []store.Operation // that are to end
	)
	err = e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if before.Total > 0 { // they come first, as where one ends and is counted
			if ended, err = q.CancelParts(ctx, id, want); err != nil {
				return err
			}
		}
		if op, err = q.Operation(ctx, id); err != nil {
			return err
		}
		if err := mayCancel(op, want, ended); err != nil {
			return err
		}
		if op.Total == 0 {
			ended = []store.Operation{*op}
		}
		op.Cancel = want
		return q.SetCancel(ctx, id, want)
	})
	if err != nil {
		return nil, err
	}
	for i := range ended {
		e.enqueue(ended[i].Connection, ended[i].UID)
	}
	e.events.Tell(events.Event{Operation: op.Resource()})
	return op.Resource(), nil
}

// mayCancel refuses what cannot be taken back; parts are those of it that can.
func mayCancel(op *store.Operation, want store.Cancel, parts []store.Operation) error {
	switch {
	case op.State.Ended():
		return resource.Errorf(resource.CodeConflict, "the operation %s has ended (%s); there is nothing to cancel", op.ID, op.State)
	case want == store.CancelDelete && !op.Creates():
		return resource.Invalid(resource.Problem{Field: "thenDelete", Message: "is for creations; this operation is: " + op.Verb})
	case op.Total > 0 && len(parts) == 0:
		return resource.Errorf(resource.CodeConflict, "nothing of the operation %s can be cancelled: all of it has ended, or the cloud has accepted it", op.ID)
	case op.Total == 0 && op.State == api.OperationRunning && want != store.CancelDelete:
		return resource.Errorf(resource.CodeConflict, "the cloud has accepted the %s already; it cannot be taken back. What a creation makes can be deleted with thenDelete", op.Verb)
	}
	return nil
}

// Retry does again, as a new operation, what an operation failed to do, or its parts.
func (e *Engine) Retry(ctx context.Context, id string) (*api.Operation, error) {
	old, err := e.store.Read().Operation(ctx, id)
	if err != nil {
		return nil, err
	}
	if old.Total > 0 {
		return e.retryParts(ctx, old)
	}
	if err := mayRetry(old); err != nil {
		return nil, err
	}
	return e.change(ctx, old.Connection, old.Kind, old.Name, old.Change, sameAgain(old))
}

// mayRetry refuses what did not fail, or can be done only with what is not kept.
func mayRetry(old *store.Operation) error {
	if old.State != api.OperationFailed && old.State != api.OperationCancelled {
		return resource.Errorf(resource.CodeConflict, "the operation %s is %s; only a failed or cancelled one can be tried again", old.ID, old.State)
	}
	if len(old.Hidden) > 0 {
		return resource.Errorf(resource.CodeConflict, "the operation %s was given what is never shown, and is not kept beyond its end; ask for it anew, with that", old.ID)
	}
	return nil
}

// sameAgain refuses to try again what an operation was for if it is not as that left it.
func sameAgain(old *store.Operation) func(context.Context, *store.Queries, *store.Resource) error {
	return func(ctx context.Context, q *store.Queries, row *store.Resource) error {
		switch {
		case row.UID != old.UID:
			return resource.Errorf(resource.CodeConflict, "the %s %s is another one now; the operation %s was for one that is gone", old.Kind, old.Name, old.ID)
		case old.Deletes():
			return mayGo(ctx, q, row)
		case old.Creates() && row.CloudID != "":
			return resource.Errorf(resource.CodeConflict, "the %s %s exists on the cloud, as %s; delete it and create it anew", old.Kind, old.Name, row.State)
		case old.Creates():
			row.State, row.Error = resource.StatePending, nil
		}
		return nil
	}
}

// mayGo refuses the deletion of what is used.
func mayGo(ctx context.Context, q *store.Queries, row *store.Resource) error {
	users, err := q.Users(ctx, row.UID)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return row.UsedBy(users)
	}
	row.State = resource.StateDeleting
	return nil
}

// change records an operation on a resource that exists, if none is running.
func (e *Engine) change(
	ctx context.Context, connection, kind, name string, change store.Change,
	check func(context.Context, *store.Queries, *store.Resource) error,
) (*api.Operation, error) {
	return e.record(ctx, func(ctx context.Context, q *store.Queries) (*store.Resource, *store.Operation, error) {
		return e.begin(ctx, q, connection, kind, name, change, check)
	})
}

// begin makes an operation on a resource that exists, if none is running.
func (e *Engine) begin(
	ctx context.Context, q *store.Queries, connection, kind, name string, change store.Change,
	check func(context.Context, *store.Queries, *store.Resource) error,
) (*store.Resource, *store.Operation, error) {
	row, err := q.Resource(ctx, connection, kind, name)
	if err != nil {
		return nil, nil, err
	}
	if err := mayBegin(ctx, q, row, check); err != nil {
		return nil, nil, err
	}
	op, err := e.beginOn(ctx, q, row, change)
	return row, op, err
}

// mayBegin refuses a change while another goes on, or that check refuses.
func mayBegin(ctx context.Context, q *store.Queries, row *store.Resource, check func(context.Context, *store.Queries, *store.Resource) error) error {
	if err := row.Unchanging(); err != nil {
		return err
	}
	return check(ctx, q, row)
}

// beginOn makes an operation and notes it in the row of its resource, so that nothing else
// changes that.
func (e *Engine) beginOn(ctx context.Context, q *store.Queries, row *store.Resource, change store.Change) (*store.Operation, error) {
	if err := paramsFit(ctx, q, row, change); err != nil {
		return nil, err
	}
	shown, hidden, err := hide(row.Kind, change)
	if err != nil {
		return nil, err
	}
	owner := row.LeaseOwner
	op := e.newOperation(ctx, row, shown)
	if err := e.seal(op, hidden); err != nil {
		return nil, err
	}
	return op, q.UpdateResource(ctx, row, owner)
}

// newOperation makes an operation and notes it, under a lease of this server, in
// the row of the resource.
func (e *Engine) newOperation(ctx context.Context, row *store.Resource, change store.Change) *store.Operation {
	op := e.store.NewOperation(ctx, change, row)
	row.Operation, row.UpdatedAt, row.UpdatedBy = op.ID, op.CreatedAt, op.Asked.By
	row.LeaseOwner, row.LeaseUntil = e.id, store.MicrosOf(op.CreatedAt.Time().Add(e.config.Lease))
	return op
}

// record writes a resource's row, by means of write, and the operation on it in one
// transaction, and has it worked on at once.
func (e *Engine) record(
	ctx context.Context, write func(context.Context, *store.Queries) (*store.Resource, *store.Operation, error),
) (*api.Operation, error) {
	var (
		row *store.Resource
		op  *store.Operation
	)
	err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if row, op, err = write(ctx, q); err != nil {
			return err
		}
		return q.InsertOperation(ctx, store.Keyed(ctx, op))
	})
	if err != nil {
		return nil, err
	}
	e.events.Changed(row, op)
	e.enqueue(row.Connection, row.UID)
	return op.Resource(), nil
}
