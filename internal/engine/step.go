package engine

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The life of an operation:
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
	*inventory.Record
	op      *store.Operation
	session driver.Session
	at      *api.Connection
	before  mark
	due     store.Micros // since when the operation could go on

	secrets []store.Secret // told in the answer to the creation, and not recorded yet

	forgotten  bool // whether a forced deletion ends without the cloud
	unrecorded bool // whether the cloud may have been asked before, without a record of what came of it
	together   bool // whether the cloud is asked for others in the same call
}

// mark is what of a job users can see change while its operation goes on.
type mark struct {
	cloudID, cloudState, pending, failure string

	state     resource.State
	operation api.OperationState
	attempts  int
	warnings  int
}

func (j *job) mark() mark {
	m := mark{j.Row.CloudID, j.Row.CloudState, j.op.Pending, "", j.Row.State, j.op.State, j.op.Attempts, len(j.op.Warnings)}
	if j.op.Error != nil {
		m.failure = j.op.Error.Message
	}
	return m
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
	case j.op.State != api.OperationQueued && j.op.Pending == "":
		err = j.look(ctx)
	case j.op.Follows != "" && j.op.Cancel == "":
		err = j.askInTurn(ctx)
	default:
		if others := j.alike(ctx); len(others) > 0 {
			j.askTogether(ctx, others)
			return
		}
		err = j.ask(ctx)
	}
	j.stepped(ctx, err)
}

// stepped has a step that failed taken again.
func (j *job) stepped(ctx context.Context, err error) {
	if errors.Is(err, store.ErrTaken) {
		err = j.failTaken(ctx)
	}
	if err != nil && ctx.Err() == nil {
		j.logger.Error("a step failed; it is taken again", "operation", j.op.ID, "verb", j.op.Verb, "kind", j.Row.Kind, "name", j.Row.Name, "error", err)
		j.enqueueAfter(j.Row.Connection, j.Row.UID, j.config.RetryFirst)
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
	if row.Operation == "" || row.LeaseOwner != e.id || row.LeaseUntil < e.now() {
		return nil, nil //nolint:nilnil // nothing to do is no error
	}
	k, err := resource.KindNamed(row.Kind)
	if err != nil {
		return nil, err
	}
	j := &job{Engine: e, Record: e.inventory.Record(k, row)}
	if j.op, err = q.Operation(ctx, row.Operation); err != nil {
		return nil, err
	}
	refs, err := q.Refs(ctx, uid)
	if err != nil {
		return nil, err
	}
	for _, r := range refs {
		j.Refs[r.Field] = r.To
	}
	if len(refs) > 0 {
		if j.Uses, err = q.Uses(ctx, uid); err != nil {
			return nil, err
		}
	}
	j.before, j.due = j.mark(), j.op.CreatedAt
	j.session, j.at, err = e.registry.Session(ctx, row.Connection)
	return j, err
}

// askInTurn asks when the operation that this one begins after has succeeded.
func (j *job) askInTurn(ctx context.Context) error {
	before, err := j.store.Read().Operation(ctx, j.op.Follows)
	switch {
	case err != nil:
		return err
	case !before.State.Ended(): // its end is heard of at once, unless another server works on it
		j.enqueueAfter(j.Row.Connection, j.Row.UID, j.config.PollMax)
		return nil
	case before.State != api.OperationSucceeded:
		return j.fail(ctx, api.OperationFailed, resource.Errorf(resource.CodeDependency, "not begun: the %s of the %s %s, which comes before, is %s", before.Verb, before.Kind, before.Name, before.State))
	}
	j.due = before.EndedAt
	return j.ask(ctx)
}

// ask asks the cloud for what the operation wants, unless that is not wanted any
// more.
func (j *job) ask(ctx context.Context) error {
	if goesOn, err := j.begin(ctx); !goesOn || err != nil {
		return err
	}
	a, err := j.request(ctx)
	return j.answered(ctx, a, err)
}

// begin notes that the cloud is asked now, unless that is not wanted any more.
func (j *job) begin(ctx context.Context) (goesOn bool, err error) {
	_, j.unrecorded = j.asked.LoadOrStore(j.Row.UID, true)
	if j.unrecorded && j.op.Creates() {
		j.Row.Uncertain = true
	}
	if j.op.Cancel == store.CancelDelete || j.op.Cancel != "" && j.op.State == api.OperationQueued {
		return false, j.fail(ctx, api.OperationCancelled, j.cancelled())
	}
	if j.op.AskedAt == 0 {
		j.op.AskedAt = j.now()
	}
	if j.op.Concerned == nil {
		j.op.Concerned, err = shown(j.Kind, j.Row.Status)
	}
	return err == nil, err
}

// answered goes on with what the cloud has answered.
func (j *job) answered(ctx context.Context, a answer, err error) error {
	if err == nil && a.item != nil {
		if err := j.told(a.item.Secrets); err != nil {
			return err
		}
	}
	switch {
	case err == nil && a.done:
		if a.item != nil {
			if err := j.Observe(ctx, a.item); err != nil {
				return err
			}
		}
		return j.succeed(ctx)
	case err == nil && a.pending != nil:
		return j.pend(ctx, a.item, a.pending)
	case err == nil:
		j.op.State, j.op.AcceptedAt, j.op.Pending, j.op.Error = api.OperationRunning, j.now(), "", nil
		j.note("accepted", nil)
		if a.item != nil {
			return j.judge(ctx, inventory.Sight{Item: a.item})
		}
		if j.together { // and looked at together
			return j.settleLater(ctx)
		}
		return j.judge(ctx, inventory.Look(ctx, j.session, j.Row.Kind, j.Row.CloudID)) // much is done at once
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the server stops; the next one asks again
	}
	e := resource.AsError(err)
	if errors.Is(err, inventory.ErrNotYet) && j.since(j.due) < j.waitFor() {
		j.op.AskedAt = 0 // nobody was asked
		if !j.unrecorded {
			j.asked.Delete(j.Row.UID)
		}
		j.enqueueAfter(j.Row.Connection, j.Row.UID, min(max(j.since(j.due), j.config.PollFirst), j.config.PollMax))
		return nil
	}
	if j.op.Pending != "" && j.op.Error == nil { // until now the cloud was working on it
		j.op.AskedAt = j.now()
	}
	age := j.since(j.op.AskedAt)
	j.op.Attempts++
	known := true
	if j.op.Creates() {
		known = j.noteLeft(ctx, a.item, e)
	}
	retryFor := j.config.RetryFor
	if j.op.Force() {
		retryFor = j.config.ForceFor
	}
	if age < retryFor && (e.Retryable || !known || effectOf(callOf(j.op.Change), e) == freed && j.mayFree(ctx, e)) {
		return j.retry(ctx, e)
	}
	return j.fail(ctx, api.OperationFailed, j.firstOf(j.takenElsewhere(ctx, e)))
}

// firstOf is the reason why the operation fails: of a creation that is being undone the one
// for that, and not what may come in its way.
func (j *job) firstOf(e *resource.Error) *resource.Error {
	first := j.failed()
	if first == nil || strings.HasPrefix(e.Message, first.Message) {
		return e
	}
	both := *first
	both.Message += "; what was created before may be left: " + e.Message
	return &both
}

// retry has the cloud asked again in a while.
func (j *job) retry(ctx context.Context, e *resource.Error) error {
	if j.failed() == nil {
		j.op.Error = e
	}
	j.note("asked", e)
	wait := min(j.config.RetryFirst<<max(0, min(j.op.Attempts-1, 16)), j.config.RetryMax)
	switch effectOf(callOf(j.op.Change), e) {
	case steadily:
		wait = j.config.RetryFirst
	case freed:
		wait = min(wait, j.config.PollMax)
	}
	if err := j.save(ctx); err != nil {
		return err
	}
	j.enqueueAfter(j.Row.Connection, j.Row.UID, wait/2+rand.N(wait)) //nolint:gosec // jitter is no secret
	return nil
}

// cancelled says how far the operation was.
func (j *job) cancelled() *resource.Error {
	switch {
	case j.op.Pending != "":
		return resource.Errorf(resource.CodeConflict, "cancelled while the cloud was working on it; what there is of it is deleted")
	case j.Row.Uncertain && j.op.Cancel == store.CancelDelete:
		return resource.Errorf(resource.CodeConflict, "cancelled before it was known whether the cloud accepted it; what it may have made is looked for and deleted")
	case j.Row.Uncertain:
		return resource.Errorf(resource.CodeConflict, "cancelled before it was known whether the cloud accepted it; delete the %s to have what it may have made looked for and deleted", j.Row.Kind)
	}
	return resource.Errorf(resource.CodeConflict, "cancelled before the cloud accepted it")
}

// noteLeft records what a creation that failed has left on the cloud: what the driver
// says, and otherwise what the cloud shows of what was there before. The failure may be of
// a call that never came to the driver. An unclear failure says nothing at all. It answers whether
// that much is known.
func (j *job) noteLeft(ctx context.Context, left *driver.Item, e *resource.Error) (known bool) {
	switch {
	case left != nil && left.ID != "":
		j.Row.CloudID, j.Row.Uncertain = left.ID, false
	case effectOf(creates, e).isUnclear():
		j.Row.Uncertain = true
	case !e.Retryable && j.Row.CloudID != "":
		seen := inventory.Look(ctx, j.session, j.Row.Kind, j.Row.CloudID)
		if seen.Err != nil {
			return !resource.AsError(seen.Err).Retryable // if it may pass, the creation is asked for again, and then this
		}
		if seen.Item == nil || seen.Item.State == resource.StateDeleting || seen.Item.State == resource.StateDeleted {
			j.Row.CloudID = ""
		}
	}
	return true
}

// mostAfter bounds when a driver may want to be called again.
const mostAfter = 5 * time.Minute

// pend records that the cloud has accepted the change and is to be asked again, and has it
// asked when its driver wants it.
func (j *job) pend(ctx context.Context, item *driver.Item, p *driver.Pending) error {
	now := j.now()
	if j.op.State == api.OperationQueued {
		j.op.State, j.op.AcceptedAt = api.OperationRunning, now
		j.note("accepted", nil)
	}
	seen := item != nil && item.ID != ""
	if seen {
		broken, err := j.brokenPart(item)
		if err != nil {
			return err
		}
		observe := j.Observe
		if j.op.Creates() { // of whose spec only a part may be there yet
			observe = j.ObserveStatus
		}
		if err := observe(ctx, item); err != nil {
			return err
		}
		if broken != nil {
			return j.fail(ctx, api.OperationFailed, broken)
		}
	} else if j.op.Creates() && j.Row.CloudID == "" { // only its token says what it is
		j.Row.Uncertain = true
	}
	if j.Row.State.Settled() { // as it is, but that is not all of it
		j.Row.State = onTheWay(j.op.Change)
	}
	waited := j.since(j.op.AcceptedAt)
	reason := cmp.Or(p.Reason, "the cloud is working on it")
	if reason != j.op.Pending {
		j.op.AskedAt = now
	}
	switch {
	case p.Failed == nil && j.op.Creates() && !seen && j.Row.CloudID != "" && j.since(j.op.AskedAt) > j.config.VanishedFor:
		return j.fail(ctx, api.OperationFailed, j.vanished())
	case waited > j.settleFor():
		return j.fail(ctx, api.OperationFailed, j.firstOf(resource.Errorf(resource.CodeUnavailable, "the cloud has not done it after %s: %s", j.settleFor(), p.Reason)))
	}
	if p.Failed != nil && j.failed() == nil {
		j.note("asked", p.Failed)
	}
	j.op.Pending, j.op.Error, j.op.Attempts = reason, p.Failed, 0
	if err := j.save(ctx); err != nil {
		return err
	}
	after := min(p.After, mostAfter)
	if after <= 0 {
		after = min(max(waited/4, j.config.PollFirst), j.config.PollMax)
	}
	j.enqueueAfter(j.Row.Connection, j.Row.UID, after)
	return nil
}

// onTheWay is the state of a resource while a change that takes several steps goes on.
func onTheWay(change store.Change) resource.State {
	switch change.(type) {
	case store.Creation:
		return resource.StateCreating
	case store.Deletion:
		return resource.StateDeleting
	}
	return resource.StateUpdating
}

// settleFor is how long the change may take once the cloud has accepted it.
func (j *job) settleFor() time.Duration { return j.patience(j.Kind) }

// patience is how long a change of a kind may take in the connection.
func (j *job) patience(k *resource.Kind) time.Duration {
	return cmp.Or(j.at.Patience.For(k.Name), j.config.SettleFor*time.Duration(max(k.Patience, 1)))
}

// waitFor is how long the operation may wait for others: as long as any of them may take.
func (j *job) waitFor() time.Duration {
	var most time.Duration
	for _, k := range resource.Kinds() {
		most = max(most, j.patience(k))
	}
	return most
}

func (j *job) vanished() *resource.Error {
	return resource.Errorf(resource.CodeNotFound, "the cloud accepted the %s, but the %s %s (%s) is not there; it was probably deleted elsewhere", j.op.Verb, j.Row.Kind, j.Row.Name, j.Row.CloudID)
}

// maxSteps is how many steps an operation keeps.
const maxSteps = 20

// note adds to the operation's steps.
func (j *job) note(what string, e *resource.Error) {
	step := api.Step{At: j.store.Now().UTC(), What: what}
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
