package engine

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Some clouds take several resources in one call. Whoever is about to ask for one takes
// along what waits in the queue for the same; nobody waits for others to come. Each operation
// has its own record, lease and end, so that a call for several that is lost is as many
// calls that are lost.

// alike takes from the queue what can be asked for in the same call.
func (j *job) alike(ctx context.Context) []*job {
	l := j.lane(j.Row.Connection)
	if l.len() == 0 || !j.joins() {
		return nil
	}
	most := j.most(ctx, j.op.Verb)
	if most == 1 {
		return nil
	}
	waiting, err := j.store.Read().Alike(ctx, j.op, most*(j.config.Workers+1)) // other workers take some, too
	if err != nil {
		j.logger.Warn("what could be asked for together cannot be looked up; it is asked for one by one", "connection", j.Row.Connection, "error", err)
	}
	var taken []string
	for i := range waiting {
		if len(taken)+1 == most {
			break
		}
		if j.op.SameChange(&waiting[i]) && l.take(waiting[i].UID) {
			taken = append(taken, waiting[i].UID)
		}
	}
	jobs := make([]*job, len(taken))
	j.each(len(taken), func(i int) {
		other, err := j.load(ctx, taken[i])
		if err == nil && other != nil && other.joins() && j.op.SameChange(other.op) {
			jobs[i] = other
			return
		}
		l.add(taken[i]) // by itself
		l.done(taken[i])
	})
	return slices.DeleteFunc(jobs, func(other *job) bool { return other == nil })
}

func (j *job) most(ctx context.Context, verb string) int {
	return j.Engine.most(ctx, j.at.Cloud, j.Row.Kind, verb)
}

// most is how many resources of a kind a cloud takes at once.
func (e *Engine) most(ctx context.Context, cloud, kind, verb string) int {
	d, err := e.host.Describe(ctx, cloud)
	if err != nil { // which the call itself will say
		return 1
	}
	return d.Most(kind, verb)
}

// joins reports whether the operation can be asked for in one call with others.
func (j *job) joins() bool {
	return !j.op.Creates() && j.op.State == api.OperationQueued && j.op.Pending == "" && j.op.Cancel == "" && j.op.Follows == "" &&
		!j.op.Force() && len(j.op.Hidden) == 0 && j.Row.CloudID != ""
}

// each does something for each of n jobs, several at a time.
func (e *Engine) each(n int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(e.config.Workers)
	for i := range n {
		group.Go(func() error { do(i); return nil })
	}
	_ = group.Wait() // no error ever comes
}

// askTogether asks the cloud for what the operations want, by one call. The others were
// taken from the queue.
func (j *job) askTogether(ctx context.Context, others []*job) {
	jobs := append([]*job{j}, others...)
	defer func() {
		for _, other := range others {
			j.lane(j.Row.Connection).done(other.Row.UID)
		}
	}()
	ready := make([]bool, len(jobs)) // those that the cloud is to be asked for
	looked := j.lookFirst(ctx, jobs)
	j.each(len(jobs), func(i int) {
		one := jobs[i]
		one.together = true
		goesOn, err := one.begin(ctx)
		if goesOn {
			a, no := one.mayBegin(ctx, looked[i])
			if ready[i] = no == nil && !a.done; ready[i] {
				return
			}
			err = one.answered(ctx, a, no)
		}
		one.stepped(ctx, err)
	})
	var asked []*job
	for i := range jobs {
		if ready[i] {
			asked = append(asked, jobs[i])
		}
	}
	if len(asked) == 0 {
		return
	}
	answers, err := j.requestTogether(ctx, asked)
	j.each(len(asked), func(i int) {
		became := driver.Answer{Err: err}
		if err == nil {
			became = answers[i]
		}
		for _, w := range became.Warnings {
			asked[i].op.Warn(w)
		}
		asked[i].stepped(ctx, asked[i].answered(ctx, answer{pending: became.Pending}, became.Err))
	})
}

// lookFirst answers what the cloud shows of what actions are about. A deletion needs no look.
func (j *job) lookFirst(ctx context.Context, jobs []*job) []driver.Answer {
	if j.op.Deletes() {
		return make([]driver.Answer, len(jobs))
	}
	ids := make([]string, len(jobs))
	for i, one := range jobs {
		ids[i] = one.Row.CloudID
	}
	return getAll(ctx, j.session, j.Row.Kind, ids, j.most(ctx, driver.VerbGet))
}

// mayBegin is what is checked before the call; looked is what the cloud shows.
func (j *job) mayBegin(ctx context.Context, looked driver.Answer) (answer, error) {
	if j.op.Deletes() {
		if err := j.usersGone(ctx); err != nil {
			return answer{}, err
		}
		return answer{}, j.onlyHere(ctx)
	}
	action, err := j.Kind.Action(j.op.Verb)
	if err == nil {
		err = looked.Err
	}
	if err != nil {
		return answer{}, err
	}
	done, err := j.mayAct(action, looked.Item.State)
	return answer{item: &looked.Item, done: done}, err
}

// requestTogether makes the call that several operations stand for.
func (j *job) requestTogether(ctx context.Context, jobs []*job) ([]driver.Answer, error) {
	members := make([]driver.Member, len(jobs))
	for i, one := range jobs {
		members[i] = driver.Member{ID: one.Row.CloudID, Operation: one.op.ID, Token: one.Row.Token()}
	}
	change, acts := j.op.Change.(store.Action)
	if !acts {
		return j.session.Batch(ctx, j.Row.Kind, j.op.Verb, members, nil)
	}
	action, err := j.Kind.Action(change.Name)
	if err != nil {
		return nil, err
	}
	params, err := j.params(ctx, action, change)
	if err != nil {
		return nil, err
	}
	return j.session.Batch(ctx, j.Row.Kind, j.op.Verb, members, params)
}

// getAll asks for resources by their ids, as many at once as the cloud takes.
func getAll(ctx context.Context, session driver.Session, kind string, ids []string, most int) []driver.Answer {
	answers := make([]driver.Answer, 0, len(ids))
	for chunk := range slices.Chunk(ids, most) {
		if len(chunk) == 1 {
			item, err := session.Get(ctx, kind, chunk[0])
			answers = append(answers, driver.Answer{Item: item, Err: err})
			continue
		}
		members := make([]driver.Member, len(chunk))
		for i, id := range chunk {
			members[i].ID = id
		}
		some, err := session.Batch(ctx, kind, driver.VerbGet, members, nil)
		if err != nil {
			some = slices.Repeat([]driver.Answer{{Err: err}}, len(chunk))
		}
		answers = append(answers, some...)
	}
	return answers
}
