package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The life of an operation, all of it:
//
//	           ask the cloud                        look at the cloud
//	queued ───────────────────▶ running ──────────────────────────────▶ succeeded
//	  │ ▲   accepted              │ ▲   settled in a state that ends it
//	  │ └── retryable: later      │ ├── pending: the cloud is asked again
//	  │                           │ └── not yet: looked at again
//	  └──── a clear no ───────────┴──── settled elsewhere, or too late ▶ failed
//
// A step is ask while the operation is queued or pending and look while it is running
// otherwise. Both start from the rows and end with one transaction that writes them.

// job is one resource with the operation that is changing it.
type job struct {
	*Engine
	kind    *resource.Kind
	row     *store.Resource
	op      *store.Operation
	refs    map[string]string          // field to uid
	uses    map[string]*store.Resource // by uid
	session driver.Session
	before  mark
	due     store.Micros // since when the operation could go on
}

// mark is what of a job users can see change while its operation goes on.
type mark struct {
	cloudID, cloudState, pending, failure string

	state     resource.State
	operation resource.OperationState
	attempts  int
}

func (j *job) mark() mark {
	m := mark{j.row.CloudID, j.row.CloudState, j.op.Pending, "", j.row.State, j.op.State, j.op.Attempts}
	if j.op.Error != nil {
		m.failure = j.op.Error.Message
	}
	return m
}

// sighting is what the cloud showed of a resource when it was last looked at.
type sighting struct {
	item *driver.Item // nil: it was not there
	err  error        // it could not be looked at
}

// sight looks at one resource.
func sight(ctx context.Context, session driver.Session, kind, cloudID string) sighting {
	item, err := session.Get(ctx, kind, cloudID)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return sighting{}
	case err != nil:
		return sighting{err: err}
	}
	return sighting{item: &item}
}

// step takes the next step for a resource.
func (e *Engine) step(ctx context.Context, connection, uid string) {
	j, err := e.load(ctx, uid)
	if err != nil {
		if ctx.Err() == nil {
			e.logger.Error("cannot read an operation; tried again soon", "uid", uid, "error", err)
			e.enqueueAfter(connection, uid, e.config.RetryMax)
		}
		return
	}
	if j == nil {
		e.settler.forget(uid)
		e.asked.Delete(uid) // whoever works on it takes nothing for granted
		return
	}
	switch {
	case j.op.State != resource.OperationQueued && j.op.Pending == "":
		err = j.look(ctx)
	case j.op.Follows != "" && j.op.Cancel == "":
		err = j.askInTurn(ctx)
	default:
		err = j.ask(ctx)
	}
	if err != nil && ctx.Err() == nil {
		j.logger.Error("a step failed; it is taken again", "operation", j.op.ID, "verb", j.op.Verb, "kind", j.row.Kind, "name", j.row.Name, "error", err)
		j.enqueueAfter(j.row.Connection, uid, j.config.RetryFirst)
	}
}

// load reads what a step needs. It answers nil when there is nothing for this
// server to do.
func (e *Engine) load(ctx context.Context, uid string) (*job, error) {
	q := e.store.Read()
	row, err := q.ResourceByUID(ctx, uid)
	if err != nil {
		return nil, err
	}
	if row.Operation == "" || row.LeaseOwner != e.id || row.LeaseUntil.Time().Before(time.Now()) {
		return nil, nil //nolint:nilnil // nothing to do is no error
	}
	j := &job{Engine: e, row: row, refs: map[string]string{}}
	if j.kind, err = resource.KindNamed(row.Kind); err != nil {
		return nil, err
	}
	if j.op, err = q.Operation(ctx, row.Operation); err != nil {
		return nil, err
	}
	refs, err := q.Refs(ctx, uid)
	if err != nil {
		return nil, err
	}
	for _, r := range refs {
		j.refs[r.Field] = r.To
	}
	if len(refs) > 0 {
		if j.uses, err = q.Uses(ctx, uid); err != nil {
			return nil, err
		}
	}
	j.before, j.due = j.mark(), j.op.CreatedAt
	j.session, err = e.session(ctx, row.Connection)
	return j, err
}

// askInTurn asks when the operation that this one begins after has succeeded.
func (j *job) askInTurn(ctx context.Context) error {
	before, err := j.store.Read().Operation(ctx, j.op.Follows)
	switch {
	case err != nil:
		return err
	case !before.State.Ended(): // its end is heard of at once, unless another server works on it
		j.enqueueAfter(j.row.Connection, j.row.UID, j.config.PollMax)
		return nil
	case before.State != resource.OperationSucceeded:
		return j.fail(ctx, resource.OperationFailed, resource.Errorf(resource.CodeDependency, "not begun: the %s of the %s %s, which comes before, is %s", before.Verb, before.Kind, before.Name, before.State))
	}
	j.due = before.EndedAt
	return j.ask(ctx)
}

// ask asks the cloud for what the operation wants, unless that is not wanted any
// more.
func (j *job) ask(ctx context.Context) error {
	_, unrecorded := j.asked.LoadOrStore(j.row.UID, true)
	if unrecorded && j.op.Verb == VerbCreate {
		j.row.Uncertain = true
	}
	if j.op.Cancel == store.CancelDelete || j.op.Cancel != "" && j.op.State == resource.OperationQueued {
		return j.fail(ctx, resource.OperationCancelled, j.cancelled())
	}
	if j.op.AskedAt == 0 {
		j.op.AskedAt = store.MicrosOf(time.Now())
	}
	if j.op.Concerned == nil {
		shows, err := shown(j.kind, j.row.Status)
		if err != nil {
			return err
		}
		j.op.Concerned = shows
	}
	a, err := j.request(ctx)
	switch {
	case err == nil && a.done:
		if a.item != nil {
			if err := j.observe(ctx, a.item); err != nil {
				return err
			}
		}
		return j.succeed(ctx)
	case err == nil && a.pending != nil:
		return j.pend(ctx, a.item, a.pending)
	case err == nil:
		j.op.State, j.op.AcceptedAt, j.op.Pending, j.op.Error = resource.OperationRunning, store.MicrosOf(time.Now()), "", nil
		j.note("accepted", nil)
		if a.item != nil {
			return j.judge(ctx, sighting{item: a.item})
		}
		return j.judge(ctx, sight(ctx, j.session, j.row.Kind, j.row.CloudID)) // much is done at once
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the server stops; the next one asks again
	}
	e := resource.AsError(err)
	if errors.Is(err, errNotYet) && time.Since(j.due.Time()) < j.config.SettleFor {
		j.op.AskedAt = 0 // nobody was asked
		if !unrecorded {
			j.asked.Delete(j.row.UID)
		}
		j.enqueueAfter(j.row.Connection, j.row.UID, min(max(time.Since(j.due.Time()), j.config.PollFirst), j.config.PollMax))
		return nil
	}
	if j.op.Pending != "" && j.op.Error == nil { // until now the cloud was working on it
		j.op.AskedAt = store.MicrosOf(time.Now())
	}
	age := time.Since(j.op.AskedAt.Time())
	j.op.Attempts++
	if j.op.Verb == VerbCreate {
		j.noteLeft(ctx, a.item, e)
	}
	retryFor := j.config.RetryFor
	if j.op.Force() {
		retryFor = j.config.ForceFor
	}
	if age < retryFor && (e.Retryable || j.mayFree(ctx, e)) {
		return j.retry(ctx, e)
	}
	return j.fail(ctx, resource.OperationFailed, e)
}

// retry has the cloud asked again in a while.
func (j *job) retry(ctx context.Context, e *resource.Error) error {
	j.op.Error = e
	j.note("asked", e)
	wait := min(j.config.RetryFirst<<max(0, min(j.op.Attempts-1, 16)), j.config.RetryMax)
	switch e.Code {
	case resource.CodeThrottled: // the limit on calls spreads them already
		wait = j.config.RetryFirst
	case resource.CodeDependency: // it may end at any moment
		wait = min(wait, j.config.PollMax)
	}
	if err := j.save(ctx); err != nil {
		return err
	}
	j.enqueueAfter(j.row.Connection, j.row.UID, wait/2+rand.N(wait)) //nolint:gosec // jitter is no secret
	return nil
}

// cancelled says how far the operation was.
func (j *job) cancelled() *resource.Error {
	switch {
	case j.op.Pending != "":
		return resource.Errorf(resource.CodeConflict, "cancelled while the cloud was working on it; what there is of it is deleted")
	case j.row.Uncertain && j.op.Cancel == store.CancelDelete:
		return resource.Errorf(resource.CodeConflict, "cancelled before it was known whether the cloud accepted it; what it may have made is looked for and deleted")
	case j.row.Uncertain:
		return resource.Errorf(resource.CodeConflict, "cancelled before it was known whether the cloud accepted it; delete the %s to have what it may have made looked for and deleted", j.row.Kind)
	}
	return resource.Errorf(resource.CodeConflict, "cancelled before the cloud accepted it")
}

// noteLeft records what a creation that failed has left on the cloud: what the driver
// says, and otherwise what the cloud shows of what was there before. The failure may be of
// a call that never came to the driver. An unclear failure says nothing at all.
func (j *job) noteLeft(ctx context.Context, left *driver.Item, e *resource.Error) {
	unclear := e.Code == resource.CodeUnavailable || e.Code == resource.CodeInternal
	switch {
	case left != nil && left.ID != "":
		j.row.CloudID, j.row.Uncertain = left.ID, false
	case unclear:
		j.row.Uncertain = true
	case !e.Retryable && j.row.CloudID != "":
		seen := sight(ctx, j.session, j.row.Kind, j.row.CloudID)
		if seen.err == nil && (seen.item == nil || seen.item.State == resource.StateDeleting || seen.item.State == resource.StateDeleted) {
			j.row.CloudID = ""
		}
	}
}

// mostAfter bounds when a driver may want to be called again.
const mostAfter = 5 * time.Minute

// pend records that the cloud has accepted the change and is to be asked again, and has it
// asked when its driver wants it.
func (j *job) pend(ctx context.Context, item *driver.Item, p *driver.Pending) error {
	now := store.MicrosOf(time.Now())
	if j.op.State == resource.OperationQueued {
		j.op.State, j.op.AcceptedAt = resource.OperationRunning, now
		j.note("accepted", nil)
	}
	seen := item != nil && item.ID != ""
	if seen {
		asked := j.row.Spec
		if err := j.observe(ctx, item); err != nil {
			return err
		}
		if j.op.Verb == VerbCreate { // of which only a part may be there yet
			j.row.Spec = asked
		}
	} else if j.op.Verb == VerbCreate && j.row.CloudID == "" { // only its token says what it is
		j.row.Uncertain = true
	}
	if j.row.State.Settled() { // as it is, but that is not all of it
		j.row.State = onTheWay(j.op.Verb)
	}
	waited := time.Since(j.op.AcceptedAt.Time())
	reason := cmp.Or(p.Reason, "the cloud is working on it")
	if reason != j.op.Pending {
		j.op.AskedAt = now
	}
	switch {
	case j.op.Verb == VerbCreate && !seen && j.row.CloudID != "" && time.Since(j.op.AskedAt.Time()) > j.config.VanishedFor:
		return j.fail(ctx, resource.OperationFailed, j.vanished())
	case waited > j.settleFor():
		return j.fail(ctx, resource.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the cloud has not done it after %s: %s", j.settleFor(), p.Reason))
	}
	j.op.Pending, j.op.Error, j.op.Attempts = reason, nil, 0
	if err := j.save(ctx); err != nil {
		return err
	}
	after := min(p.After, mostAfter)
	if after <= 0 {
		after = min(max(waited/4, j.config.PollFirst), j.config.PollMax)
	}
	j.enqueueAfter(j.row.Connection, j.row.UID, after)
	return nil
}

// onTheWay is the state of a resource while a verb that takes several steps goes on.
func onTheWay(verb string) resource.State {
	switch verb {
	case VerbCreate:
		return resource.StateCreating
	case VerbDelete:
		return resource.StateDeleting
	}
	return resource.StateUpdating
}

// settleFor is how long the change may take once the cloud has accepted it.
func (j *job) settleFor() time.Duration {
	return j.config.SettleFor * time.Duration(max(j.kind.Patience, 1))
}

func (j *job) vanished() *resource.Error {
	return resource.Errorf(resource.CodeNotFound, "the cloud accepted the %s, but the %s %s (%s) is not there; it was probably deleted elsewhere", j.op.Verb, j.row.Kind, j.row.Name, j.row.CloudID)
}

// maxSteps is how many steps an operation keeps.
const maxSteps = 20

// note adds to the operation's steps.
func (j *job) note(what string, e *resource.Error) {
	step := resource.Step{At: time.Now().UTC(), What: what}
	if e != nil {
		step.Code, step.Message = e.Code, e.Message
		if e.Cloud != nil {
			step.RequestID = e.Cloud.RequestID
		}
	}
	j.op.Steps = append(j.op.Steps, step)
	if extra := len(j.op.Steps) - maxSteps; extra > 0 {
		j.op.Steps = j.op.Steps[extra:]
	}
}

// errNotYet says that something that the request needs has not settled yet.
var errNotYet = resource.Errorf(resource.CodeConflict, "something that it needs has not settled")

// answer is what a call that changes something has come to.
type answer struct {
	item    *driver.Item    // what there is of the resource, where the call tells
	done    bool            // whether the goal is reached already
	pending *driver.Pending // what is waited for before the call is made again
}

// request makes the call that the operation stands for.
func (j *job) request(ctx context.Context) (answer, error) {
	ctx = driver.WithOperation(ctx, j.op.ID)
	switch j.op.Verb {
	case VerbCreate:
		spec, err := j.kind.MapRefs(j.row.Spec, func(ref resource.Ref) (string, error) {
			if ref.Weak {
				return j.named(ctx, ref)
			}
			return j.cloudID(ref)
		})
		if err != nil {
			return answer{}, err
		}
		made, pending, err := j.session.Create(ctx, j.row.Kind, driver.ItemRequest{
			Token: j.row.UID, ID: j.row.CloudID, Name: j.row.Name, Labels: j.row.Labels, Spec: spec,
		})
		return answer{item: &made, pending: pending}, err
	case VerbDelete:
		if err := j.usersGone(ctx); err != nil {
			return answer{}, err
		}
		if j.row.CloudID == "" {
			if found, err := j.findByToken(ctx); err != nil || !found {
				return answer{done: true}, err
			}
		}
		pending, err := j.session.Delete(ctx, j.row.Kind, j.row.CloudID)
		return answer{pending: pending}, err
	default:
		return j.requestAction(ctx)
	}
}

// usersGone refuses to delete before what uses the resource, when all of it is to be
// deleted.
func (j *job) usersGone(ctx context.Context) error {
	users, err := j.store.Read().Users(ctx, j.row.UID)
	if err != nil || len(users) == 0 {
		return err
	}
	staying := slices.DeleteFunc(users, func(r store.Resource) bool { return r.State == resource.StateDeleting && r.Operation != "" })
	if len(staying) > 0 {
		return usedBy(j.row, staying)
	}
	return errNotYet
}

// findByToken looks for what a failed creation may have left on the cloud. It looks
// for a while: lists lag behind.
func (j *job) findByToken(ctx context.Context) (bool, error) {
	if !j.row.Uncertain {
		return false, nil
	}
	for item, err := range j.session.List(ctx, j.row.Kind, driver.Filter{Token: j.row.UID}) {
		if err != nil {
			return false, err
		}
		j.row.CloudID = item.ID
		return true, nil
	}
	if time.Since(j.op.CreatedAt.Time()) < j.config.LookFor {
		return false, errNotYet
	}
	return false, nil
}

func (j *job) requestAction(ctx context.Context) (answer, error) {
	action, err := j.kind.Action(j.op.Verb)
	if err != nil {
		return answer{}, err
	}
	if j.op.Pending == "" { // else it has begun, whatever the state is by now
		now, err := j.session.Get(ctx, j.row.Kind, j.row.CloudID)
		if err != nil {
			return answer{}, err
		}
		allowed, done := action.Allowed(now.State)
		switch {
		case done:
			return answer{item: &now, done: true}, nil
		case !allowed && !now.State.Settled():
			return answer{}, errNotYet
		case !allowed:
			return answer{}, resource.Errorf(resource.CodeConflict, "the %s %s is %s; %s is possible in: %s", j.row.Kind, j.row.Name, now.State, action.Name, fmt.Sprint(action.From))
		}
	}
	params, err := action.MapRefs(j.op.Params, func(ref resource.Ref) (string, error) { return j.named(ctx, ref) })
	if err != nil {
		return answer{}, err
	}
	pending, err := j.session.Act(ctx, j.row.Kind, j.row.CloudID, action.Name, params)
	return answer{pending: pending}, err
}

// cloudID turns the name in a reference into the cloud's id.
func (j *job) cloudID(ref resource.Ref) (string, error) {
	target := j.uses[j.refs[ref.Field]]
	if target == nil {
		return "", resource.Errorf(resource.CodeDependency, "the %s %s that %s names is gone", ref.Kind, ref.Name, ref.Field)
	}
	return usable(ref, target)
}

// named turns a name that the resource does not hold on to into the cloud's id.
func (j *job) named(ctx context.Context, ref resource.Ref) (string, error) {
	target, err := j.store.Read().Resource(ctx, j.row.Connection, ref.Kind, ref.Name)
	if err != nil {
		return "", err
	}
	return usable(ref, target)
}

func usable(ref resource.Ref, target *store.Resource) (string, error) {
	switch {
	case target.State == resource.StatePending || target.State == resource.StateCreating:
		return "", errNotYet
	case target.CloudID == "" || target.DeletedAt != 0 || target.State == resource.StateFailed ||
		target.State == resource.StateDeleting || target.State == resource.StateDeleted:
		return "", resource.Errorf(resource.CodeDependency, "the %s %s that %s names cannot be used: it is %s", ref.Kind, ref.Name, ref.Field, target.State)
	}
	return target.CloudID, nil
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
	if j.op.Force() && (seen.item == nil || seen.item.State != resource.StateDeleting) {
		settleFor = j.config.ForceFor + j.config.VanishedFor // what the cloud has accepted mostly goes
	}
	switch {
	case seen.err != nil:
		j.op.Error = resource.AsError(seen.err)
		if waited > settleFor {
			return j.fail(ctx, resource.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the cloud could not be asked for %s: %w", settleFor, seen.err))
		}
		return j.settleLater(ctx)
	case j.op.Verb == VerbDelete && seen.item == nil:
		return j.succeed(ctx)
	case seen.item == nil && waited > j.config.VanishedFor:
		return j.fail(ctx, resource.OperationFailed, j.vanished())
	case seen.item == nil: // lists lag behind
		return j.settleLater(ctx)
	}
	j.op.Error = nil
	if err := j.observe(ctx, seen.item); err != nil {
		return err
	}
	state := seen.item.State
	switch {
	case j.op.Verb == VerbDelete && state != resource.StateDeleting && waited > j.config.VanishedFor &&
		time.Since(j.op.CreatedAt.Time()) < settleFor: // a deletion is repeated until the cloud does it
		return j.pend(ctx, seen.item, &driver.Pending{Reason: fmt.Sprintf("the cloud has accepted the deletion, but shows that it is %s", state)})
	case j.op.Verb == VerbDelete:
		j.row.State = resource.StateDeleting
	case state == resource.StateFailed && !j.ends(state):
		return j.fail(ctx, resource.OperationFailed, resource.Errorf(cmp.Or(seen.item.Code, resource.CodeUnavailable), "the cloud reports that the %s %s failed (%s): %s", j.row.Kind, j.row.Name, seen.item.CloudState, cmp.Or(seen.item.Reason, "it does not say why")))
	case j.ends(state):
		return j.succeed(ctx)
	}
	if waited > settleFor {
		return j.fail(ctx, resource.OperationFailed, resource.Errorf(resource.CodeUnavailable, "the %s %s is still %s after %s; the cloud may finish it yet", j.row.Kind, j.row.Name, state, settleFor))
	}
	return j.settleLater(ctx)
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
	byCloudID := map[string]*store.Resource{}
	for _, used := range j.uses {
		byCloudID[used.Kind+"/"+used.CloudID] = used
	}
	asked := map[string]string{}
	if len(j.row.Spec) > 0 {
		known, err := j.kind.Refs(j.row.Spec)
		if err != nil {
			return err
		}
		for _, ref := range known {
			asked[ref.Field] = ref.Name
		}
	}
	refs := map[string]string{}
	name := func(ref resource.Ref) (string, error) {
		target := byCloudID[ref.Kind+"/"+ref.Name]
		if target == nil {
			var err error
			target, err = j.store.Read().ResourceByCloudID(ctx, j.row.Connection, ref.Kind, ref.Name)
			if resource.CodeOf(err) == resource.CodeNotFound {
				if ref.Weak && asked[ref.Field] != "" { // gone by now: it keeps the name that it had
					return asked[ref.Field], nil
				}
				if !ref.Weak {
					delete(j.refs, ref.Field) // what was there before in a list is not any more
				}
				return ref.Name, nil // not managed here: the cloud's id stays
			}
			if err != nil {
				return "", err
			}
		}
		if !ref.Weak {
			refs[ref.Field] = target.UID
		}
		return target.Name, nil
	}
	spec, err := j.kind.MapRefs(item.Spec, name)
	if err != nil {
		return err
	}
	status, err := j.kind.MapStatusRefs(item.Status, func(ref resource.Ref) (string, error) {
		ref.Weak = true // only shown
		return name(ref)
	})
	if err != nil {
		return err
	}
	if j.row.Spec, err = resource.Overlay(j.row.Spec, spec); err != nil {
		return err
	}
	for field, uid := range refs {
		j.refs[field] = uid
	}
	if j.row.Native, err = json.Marshal(item.Native); err != nil {
		return resource.Errorf(resource.CodeInternal, "keep the cloud's own fields: %w", err)
	}
	j.row.CloudID, j.row.State, j.row.CloudState = item.ID, item.State, item.CloudState
	j.row.Uncertain = false
	j.row.Status = status
	if item.Labels != nil {
		j.row.Labels = item.Labels
	}
	j.row.SyncedAt = store.MicrosOf(time.Now())
	return nil
}

// succeed ends the operation at its goal.
func (j *job) succeed(ctx context.Context) error {
	j.op.State, j.op.Error = resource.OperationSucceeded, nil
	if j.row.State != resource.StateFailed { // otherwise it still says why
		j.row.Error = nil
	}
	return j.end(ctx)
}

// fail ends the operation short of its goal, as failed or cancelled. The resource
// then shows what is true of it, as far as the cloud tells.
func (j *job) fail(ctx context.Context, as resource.OperationState, e *resource.Error) error {
	if j.op.Force() && as == resource.OperationFailed {
		return j.forget(ctx, e)
	}
	if j.row.CloudID != "" && j.op.Verb != VerbCreate {
		now, err := j.session.Get(ctx, j.row.Kind, j.row.CloudID)
		switch {
		case err == nil:
			if err := j.observe(ctx, &now); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return err
		case j.op.Verb != VerbDelete: // it stays as it was seen
		case resource.CodeOf(err) == resource.CodeNotFound: // it is gone all the same
			return j.succeed(ctx)
		case (j.op.State == resource.OperationQueued || j.op.Pending != "") && resource.AsError(err).Retryable && time.Since(j.op.CreatedAt.Time()) < j.config.RetryFor:
			return j.retry(ctx, e) // what is true of it will be seen
		default: // unclear: it stays until the cloud says that it is gone
			j.row.State = resource.StateFailed
		}
	}
	j.logger.Warn("operation did not reach its goal", "as", as, "operation", j.op.ID, "verb", j.op.Verb, "kind", j.row.Kind, "name", j.row.Name, "connection", j.row.Connection, "code", e.Code, "error", e)
	j.op.State, j.op.Error, j.row.Error = as, e, e
	switch {
	case j.op.Verb == VerbCreate && !j.row.Uncertain && j.row.CloudID == "" &&
		(as == resource.OperationCancelled || j.op.OnFailure() == resource.OnFailureDelete):
		j.bury(j.row) // nothing came of it
	case j.row.CloudID == "" || j.op.Verb == VerbCreate:
		j.row.State = resource.StateFailed
	}
	return j.end(ctx)
}

// forget ends a forced deletion that the cloud did not do.
func (j *job) forget(ctx context.Context, e *resource.Error) error {
	left := fmt.Sprintf("the %s %s was forgotten here, but the cloud did not delete it; it may be left there, as %s: %s", j.row.Kind, j.row.Name, j.row.CloudID, e.Message)
	if j.row.CloudID == "" {
		left = fmt.Sprintf("the %s %s was forgotten here; whether the cloud has one with the token %s is not known: %s", j.row.Kind, j.row.Name, j.row.UID, e.Message)
	}
	params, err := json.Marshal(store.Forced{Force: true, Left: left})
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode what is left: %w", err)
	}
	j.op.Params = params
	j.note("asked", e)
	return j.succeed(ctx)
}

// end records the end of the operation and frees the resource.
func (j *job) end(ctx context.Context) error {
	j.lookAgain(ctx)
	j.op.EndedAt, j.op.Pending = store.MicrosOf(time.Now()), ""
	j.note(string(j.op.State), j.op.Error)
	if j.op.Verb == VerbDelete && j.op.State == resource.OperationSucceeded {
		j.bury(j.row)
	}
	j.row.Operation, j.row.LeaseOwner, j.row.LeaseUntil = "", "", 0
	j.settler.forget(j.row.UID)
	users, err := j.write(ctx)
	if err != nil {
		return err
	}
	for i := range users { // they may have waited for this
		if users[i].Operation != "" {
			j.enqueue(users[i].Connection, users[i].UID)
		}
	}
	if j.op.Verb == VerbDelete || j.row.DeletedAt != 0 {
		for _, used := range j.uses { // their deletion may have waited for this
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
	if j.op.EndedAt == 0 || j.op.Verb != VerbCreate || j.row.DeletedAt != 0 || j.row.CloudID == "" && !j.row.Uncertain {
		return nil, nil //nolint:nilnil // there is nothing
	}
	if j.op.State == resource.OperationSucceeded || j.op.OnFailure() != resource.OnFailureDelete {
		op, err := q.Operation(ctx, j.op.ID) // anew: it may have been asked for just now
		if err != nil || op.Cancel != store.CancelDelete {
			return nil, err
		}
	}
	then := j.newOperation(auth.As(ctx, j.op.AskedBy), j.row, VerbDelete, nil)
	j.row.State = resource.StateDeleting
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
		if part.Verb != VerbCreate { // it follows one
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
			if err := j.entomb(ctx, q, row); err != nil {
				return nil, err
			}
			all = append(all, left{row: row})
			continue
		}
		owner := row.LeaseOwner
		row.State = resource.StateDeleting
		op := j.newOperation(auth.As(ctx, parent.AskedBy), row, VerbDelete, nil)
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

// save records the job while its operation goes on, if it has moved.
func (j *job) save(ctx context.Context) error {
	if j.mark() == j.before {
		return nil
	}
	_, err := j.write(ctx)
	return err
}

// write writes the rows, provided that this server still holds the lease. At the
// end of an operation it answers what uses the resource.
func (j *job) write(ctx context.Context) (users []store.Resource, err error) {
	j.row.UpdatedAt = store.MicrosOf(time.Now())
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
		if err := q.UpdateResource(ctx, j.row, j.id); err != nil {
			return err
		}
		if err := j.writeRefs(ctx, q); err != nil {
			return err
		}
		if j.row.DeletedAt != 0 {
			if err := forgetSecrets(ctx, q, j.row.UID); err != nil {
				return err
			}
		}
		if j.op.EndedAt != 0 {
			if users, err = q.Users(ctx, j.row.UID); err != nil {
				return err
			}
		}
		if j.op.Verb == VerbDelete && j.op.EndedAt != 0 {
			if err := q.Note(ctx, entryOf(j.op, j.row), failureOf(j.op)); err != nil {
				return err
			}
		}
		if err := q.UpdateOperation(ctx, j.op); err != nil {
			return err
		}
		if j.op.EndedAt != 0 && j.op.Parent != "" {
			if parent, err = q.CountPart(ctx, j.op.Parent, j.op.State != resource.OperationSucceeded, j.op.EndedAt); err != nil {
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
	j.asked.Delete(j.row.UID)
	j.publish(j.row, j.op)
	if parent != nil {
		j.tell(Event{Operation: parent.Resource()})
	}
	if then != nil {
		j.tell(Event{Operation: then.Resource()})
		j.enqueue(j.row.Connection, j.row.UID)
	}
	for _, b := range back {
		j.publish(b.row, b.op)
		if b.op != nil {
			j.enqueue(b.row.Connection, b.row.UID)
		}
	}
	return users, nil
}

// writeRefs records what the resource uses where that has changed.
func (j *job) writeRefs(ctx context.Context, q *store.Queries) error {
	if j.row.DeletedAt != 0 {
		return q.ReplaceRefs(ctx, j.row.UID, nil)
	}
	wanted, err := j.kind.Refs(j.row.Spec)
	if err != nil {
		return err
	}
	var rows []store.Ref
	changed := false
	before, err := q.Refs(ctx, j.row.UID)
	if err != nil {
		return err
	}
	had := map[string]string{}
	for _, r := range before {
		had[r.Field] = r.To
	}
	for _, ref := range wanted {
		if uid := j.refs[ref.Field]; uid != "" {
			rows = append(rows, store.Ref{From: j.row.UID, Field: ref.Field, To: uid})
			changed = changed || had[ref.Field] != uid
		}
	}
	if !changed && len(rows) == len(before) {
		return nil
	}
	return q.ReplaceRefs(ctx, j.row.UID, rows)
}
