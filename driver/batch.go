package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Batcher is implemented by collections whose clouds take several objects in one call.
// Batches says for which verbs: get, delete and actions, by their names. It is also asked
// of a collection without a session.
type Batcher interface {
	Batches() map[string]Batch
}

// Batch is how a verb is done for several objects by one call of the cloud's API.
type Batch struct {
	Most int // how many objects the cloud takes at once, at most [MostMembers]

	// Do does it for two objects or more; it is nil for get ([ManyGetter]). An answer of
	// nil or [Wait] is that of all of them; what differs is answered as [Each]. Any other
	// error says that nothing was done. If one of the objects may be the reason, this package
	// asks for fewer at a time, down to a single one, which goes the way of a single one.
	Do func(ctx context.Context, members []Member, params json.RawMessage) error
}

// Together is the batch of a verb without parameters, whose calls take ids and nothing else.
func Together(most int, do func(ctx context.Context, ids ...string) error) Batch {
	return Batch{Most: most, Do: func(ctx context.Context, members []Member, _ json.RawMessage) error { return do(ctx, IDs(members)...) }}
}

// ManyGetter is implemented by collections with a batch for get. GetMany answers those of
// the objects that exist. What it leaves out counts as gone, so that it is no list that lags.
type ManyGetter[S, T any] interface {
	GetMany(ctx context.Context, ids []string) iter.Seq2[Object[S, T], error]
}

// MostMembers is how many members a batch can have.
const MostMembers = 200

// VerbGet and VerbDelete are the verbs of batches that are no actions.
const (
	VerbGet    = "get"
	VerbDelete = "delete"
)

// Member is one object of a batch.
type Member struct {
	ID        string
	Operation string // names the change of this object, as [Operation] does for a single one
	Token     string // of its creation; see [WithToken]
}

// IDs are the ids of members.
func IDs(members []Member) []string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return ids
}

// Each is what became of the members of a batch, by id, where that differs: an error, or
// [Wait]. What it leaves out is done.
type Each map[string]error

// Error implements error.
func (e Each) Error() string { return fmt.Sprintf("%d of the objects are not done", len(e)) }

// Answer is what became of one member of a batch.
type Answer struct {
	Item    Item // of get
	Pending *Pending
	Err     error

	Warnings []resource.Warning // of a change: what the call for this one, or for several, has warned of
}

// batches are those of a collection, checked against what else it offers.
func (o *offer) batches(c any, described KindOffer) map[string]int {
	b, ok := c.(Batcher)
	if !ok {
		return nil
	}
	most := map[string]int{}
	for verb, batch := range b.Batches() {
		offered := slices.Contains(described.Actions, verb) || (verb == VerbGet || verb == VerbDelete) && slices.Contains(described.Verbs, verb)
		if complete := batch.Do != nil || verb == VerbGet && o.getMany != nil; !offered || !complete || batch.Most < 2 || batch.Most > MostMembers {
			panic(fmt.Sprintf("driver.Kind(%s): the batch %s is of a verb that is not offered, has no Do (get: no GetMany), or takes not 2 to %d", o.kind.Name, verb, MostMembers))
		}
		most[verb] = batch.Most
	}
	return most
}

// batch is a run of one.
type batch struct {
	*offer
	collection any
	verb       string
	params     json.RawMessage
	do         func(context.Context, []Member, json.RawMessage) error
	answers    map[string]Answer // by id
}

func (s *session) Batch(ctx context.Context, kind, verb string, members []Member, params json.RawMessage) ([]Answer, error) {
	o, c, err := s.collection(kind)
	if err != nil {
		return nil, err
	}
	var how Batch
	if batcher, ok := c.(Batcher); ok && o.abilities.Implements(reflect.TypeFor[Batcher]()) {
		how = batcher.Batches()[verb]
	}
	switch {
	case how.Most == 0:
		return nil, resource.Errorf(resource.CodeUnsupported, "this driver does not take several of the kind %s for %.64q", kind, verb)
	case len(members) > how.Most:
		return nil, resource.Errorf(resource.CodeInvalid, "%s takes at most %d of the kind %s at once, not %d", verb, how.Most, kind, len(members))
	}
	b := &batch{offer: o, collection: c, verb: verb, params: params, do: how.Do, answers: map[string]Answer{}}
	if verb == VerbGet {
		b.do = b.getAll
	}
	var once []Member
	for _, m := range members {
		if !slices.ContainsFunc(once, func(other Member) bool { return other.ID == m.ID }) {
			once = append(once, m)
		}
	}
	if len(once) > 0 {
		b.run(ctx, once)
	}
	answers := make([]Answer, len(members))
	for i, m := range members {
		answers[i] = b.answers[m.ID]
	}
	return answers, nil
}

// run does the verb for members by one call if that is possible.
func (b *batch) run(ctx context.Context, members []Member) {
	if b.reused && b.verb != VerbGet { // each may be another one by now
		for _, m := range members {
			b.answers[m.ID] = b.single(ctx, m)
		}
		return
	}
	if len(members) == 1 {
		b.answers[members[0].ID] = b.single(ctx, members[0])
		return
	}
	asks, warned := collect(ctx)
	err := b.do(asks, members, b.params)
	each, differs := errors.AsType[Each](err)
	if !differs && b.mayBeOne(ctx, err) {
		half := len(members) / 2
		b.run(ctx, members[:half])
		b.run(ctx, members[half:])
		return
	}
	for _, m := range members {
		became := b.answers[m.ID] // which get has filled
		if differs {
			err = each[m.ID]
		}
		became.Pending, became.Err = pendingIn(err)
		became.Warnings = warned.all()
		b.answers[m.ID] = became
	}
}

// mayBeOne reports whether a single member may be why the cloud has refused all.
func (b *batch) mayBeOne(ctx context.Context, err error) bool {
	pending, err := pendingIn(err)
	return pending == nil && err != nil && ctx.Err() == nil && !classified(err).Retryable && resource.CodeOf(err) != resource.CodeUnauthenticated
}

// single does the verb for one object, as without a batch.
func (b *batch) single(ctx context.Context, m Member) (became Answer) {
	ctx, warned := collect(WithToken(WithOperation(ctx, m.Operation), m.Token))
	defer func() { became.Warnings = warned.all() }()
	switch b.verb {
	case VerbGet:
		became.Item, became.Err = b.get(ctx, b.collection, m.ID)
	case VerbDelete:
		became.Pending, became.Err = pendingIn(b.remove(ctx, b.collection, m.ID))
	default:
		action, err := b.kind.Action(b.verb)
		if err == nil {
			err = b.act(ctx, b.collection, action, m.ID, b.params)
		}
		became.Pending, became.Err = pendingIn(err)
	}
	return became
}

// getAll is what Do is for other verbs.
func (b *batch) getAll(ctx context.Context, members []Member, _ json.RawMessage) error {
	each := Each{}
	for _, m := range members {
		each[m.ID] = resource.Errorf(resource.CodeNotFound, "the cloud has no %s %s", b.kind.Name, m.ID)
	}
	for item, err := range b.getMany(ctx, b.collection, IDs(members)) {
		if err != nil {
			return err
		}
		delete(each, item.ID)
		b.answers[item.ID] = Answer{Item: item}
	}
	return each
}

func (s *remoteSession) Batch(ctx context.Context, kind, verb string, members []Member, params json.RawMessage) ([]Answer, error) {
	contents, err := encodeContents(ctx)
	if err != nil {
		return nil, err
	}
	request := &driverv1.BatchRequest{Session: s.id, Kind: kind, Verb: verb, Params: params, Contents: contents}
	for _, m := range members {
		request.Members = append(request.Members, &driverv1.Member{Id: m.ID, Operation: m.Operation, Token: m.Token})
	}
	answer, err := s.rpc.Batch(ctx, request)
	if err != nil {
		return nil, fromStatus(err)
	}
	if got := len(answer.GetAnswers()); got != len(members) {
		return nil, nonsense("answer to a batch", fmt.Errorf("it has %d answers of %d members", got, len(members)))
	}
	answers := make([]Answer, len(members))
	for i, w := range answer.GetAnswers() {
		became := &answers[i]
		switch {
		case w.GetFailure() != nil:
			became.Err = fromFailure(w.GetFailure())
		case verb == VerbGet:
			if became.Item, became.Err = decodeItem(kind, w.GetObject()); became.Err == nil && became.Item.ID != members[i].ID {
				*became = Answer{Err: nonsense("answer to a batch", fmt.Errorf("it has %.64q in the place of %.64q", became.Item.ID, members[i].ID))}
			}
		default:
			became.Pending = pendingFrom(w.GetPending())
		}
		became.Warnings = warningsFrom(w.GetWarnings())
	}
	return answers, nil
}

func (s *server) Batch(ctx context.Context, r *driverv1.BatchRequest) (*driverv1.BatchResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	members := make([]Member, len(r.GetMembers()))
	for i, m := range r.GetMembers() {
		members[i] = Member{m.GetId(), m.GetOperation(), m.GetToken()}
	}
	if ctx, err = decodeContents(ctx, r.GetContents()); err != nil {
		return nil, err
	}
	s.hear(r.GetKind(), r.GetVerb(), r.GetParams())
	answers, err := opened.Batch(ctx, r.GetKind(), r.GetVerb(), members, r.GetParams())
	if err != nil {
		return nil, err
	}
	answer := &driverv1.BatchResponse{}
	for _, became := range answers {
		w := &driverv1.Answer{Pending: s.pending(became.Pending), Warnings: s.warnings(became.Warnings)}
		switch {
		case became.Err != nil:
			w.Failure = failureOf(resource.AsError(redacted(classified(became.Err), s.secrets)), false, "")
		case r.GetVerb() == VerbGet:
			if w.Object, err = encode(became.Item); err != nil {
				return nil, err
			}
		}
		answer.Answers = append(answer.Answers, w)
	}
	return answer, nil
}
