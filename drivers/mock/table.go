package mock

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// table is what the collections of all kinds have in common: how their objects are
// listed, made, changed and removed. What an object refers to is known from the
// kind's specification, and so is what must not be deleted because it is used.
type table[S, T any] struct {
	s       *session
	kind    resource.Type[S, T]
	prefix  string         // of ids
	ready   resource.State // of an object that was created
	lingers bool           // whether a deletion lasts as long as other changes
	freely  bool           // whether it can be deleted while it is used
	// show completes the status with what is known only now and returns the
	// cloud's own fields.
	show func(o *object, state resource.State, spec S, status *T) (native any)
	// made runs when an object was made, before that is answered. May be nil.
	made func(token string)
}

// draft is an object in the making.
type draft[S, T any] struct {
	name   string
	spec   S
	status T
	claims []claim // what no other object may have
	fails  bool    // whether it will end in the state failed
}

// List implements driver.Collection.
func (t table[S, T]) List(ctx context.Context) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		var at time.Time
		load := func() []*object {
			at = t.s.cloud.time()
			return t.snapshot(at)
		}
		for o, err := range pages(ctx, t.s.callRegion, t.s.pageSize, load) {
			if err != nil {
				yield(driver.Object[S, T]{}, err)
				return
			}
			state, _ := o.listed(at)
			if !yield(t.view(o, state), nil) {
				return
			}
		}
	}
}

// snapshot is what a list shows. Only collecting it holds the cloud up.
func (t table[S, T]) snapshot(at time.Time) []*object {
	c := t.s.cloud
	c.mu.RLock()
	var objects []*object
	if s := c.shelves[t.key()]; s != nil {
		objects = make([]*object, 0, len(s.live)+len(s.stale))
		for _, o := range s.live {
			objects = append(objects, o)
		}
		for _, o := range s.stale {
			objects = append(objects, o)
		}
	}
	c.mu.RUnlock()
	objects = slices.DeleteFunc(objects, func(o *object) bool { _, shown := o.listed(at); return !shown })
	slices.SortFunc(objects, func(a, b *object) int { return strings.Compare(a.ID, b.ID) })
	return objects
}

// Get implements driver.Collection.
func (t table[S, T]) Get(ctx context.Context, id string) (driver.Object[S, T], error) {
	if err := t.s.callRegion(ctx); err != nil {
		return driver.Object[S, T]{}, err
	}
	c := t.s.cloud
	c.mu.RLock()
	now := c.time()
	o := c.find(t.key(), id, now)
	c.mu.RUnlock()
	if o == nil {
		return driver.Object[S, T]{}, t.missing(id)
	}
	return t.view(o, o.Change.state(now)), nil
}

// create does what is left for the kinds' Create: prepare checks the draft as the
// cloud would, completes its spec and sets its status and claims.
func (t table[S, T]) create(ctx context.Context, r driver.Request[S], prepare func(*draft[S, T]) error) (driver.Object[S, T], error) {
	if err := t.s.callRegion(ctx); err != nil {
		return driver.Object[S, T]{}, err
	}
	o, made, err := t.make(r, prepare)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	if made && t.made != nil {
		t.made(r.Token)
	}
	if made && t.s.chance(t.s.ambiguousCreate, "ambiguousCreate", r.Token) {
		return driver.Object[S, T]{}, refuse(resource.CodeUnavailable, "RequestTimeout", "the answer of the cloud was lost (setting ambiguousCreate); whether the %s was created is unknown; try again with the same token", t.kind.Name)
	}
	return t.view(o, o.Change.state(t.s.cloud.time())), nil
}

// make returns the object of the request's token, and whether it is new.
func (t table[S, T]) make(r driver.Request[S], prepare func(*draft[S, T]) error) (o *object, made bool, err error) {
	if r.Token == "" || len(r.Token) > 36 {
		return nil, false, refuseField("token", "InvalidClientToken", "the token must have 1 to 36 characters; use a fresh UUID for each new %s", t.kind.Name)
	}
	c := t.s.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.time()
	c.pass(now)
	id := newID(t.prefix, t.key(), r.Token)
	if o := c.find(t.key(), id, now); o != nil {
		return o, false, nil
	}
	refs, err := t.refs(r.Spec, now)
	if err != nil {
		return nil, false, err
	}
	d := &draft[S, T]{name: r.Name, spec: r.Spec}
	if err := prepare(d); err != nil {
		return nil, false, err
	}
	for _, claim := range d.claims {
		if holder := c.claims[claim.Scope][claim.Value]; holder != "" {
			return nil, false, refuse(resource.CodeAlreadyExists, "Invalid"+t.noun()+".Duplicate", "the name %.64q is taken by the %s %s; choose another name, or adopt that one", r.Name, t.kind.Name, holder)
		}
	}
	if t.s.chance(t.s.failCreate, "failCreate", r.Token) {
		return nil, false, refuse(resource.CodeInternal, "InternalError", "the cloud failed to create the %s (setting failCreate) and will not succeed with this token; create it anew", t.kind.Name)
	}
	o = &object{
		ID: id, Name: r.Name, Token: r.Token, Labels: maps.Clone(r.Labels), Spec: d.spec, Status: d.status, Refs: refs, Claims: d.claims,
		Change:    t.s.change(now, resource.StateCreating, resource.StateCreating, t.ready),
		CreatedAt: now, ListedFrom: now.Add(t.s.consistencyDelay),
	}
	if d.fails {
		o.Change.Then = resource.StateFailed
	}
	return o, true, c.commit(t.s.log, t.key(), o)
}

// refs returns the ids of what a spec refers to, all of which must be ready.
func (t table[S, T]) refs(spec S, now time.Time) ([]string, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "encode the spec of a %s: %w", t.kind.Name, err)
	}
	refs, err := t.kind.Refs(raw)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		o := t.s.cloud.find(shelfKey{t.s.place, ref.Kind}, ref.Name, now)
		if o == nil {
			kind, err := resource.KindNamed(ref.Kind)
			if err != nil {
				return nil, err
			}
			return nil, refuseField(ref.Field, "Invalid"+noun(kind)+"ID.NotFound", "there is no %s %.64q in the region %s of the account %s; create it first", ref.Kind, ref.Name, t.s.Region, t.s.Account)
		}
		if state := o.Change.state(now); !state.Usable() {
			e := refuse(resource.CodeDependency, "IncorrectState", "the %s %s is %s; wait until it is ready", ref.Kind, o.called(), state)
			e.Retryable = state == resource.StateCreating
			return nil, e
		}
		ids = append(ids, ref.Name)
	}
	return ids, nil
}

// Delete implements driver.Deleter.
func (t table[S, T]) Delete(ctx context.Context, id string) error {
	if err := t.s.callRegion(ctx); err != nil {
		return err
	}
	c := t.s.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.time()
	c.pass(now)
	o := c.find(t.key(), id, now)
	if o == nil || o.Change.Then == resource.StateDeleted {
		return nil
	}
	if len(c.users[id]) > 0 && !t.freely {
		return refuse(resource.CodeDependency, "DependencyViolation", "the %s %s is used by %s; delete that first", t.kind.Name, o.called(), c.usersOf(id))
	}
	deleted := *o
	deleted.Change = t.s.change(now, o.Change.state(now), resource.StateDeleting, resource.StateDeleted)
	if !t.lingers {
		deleted.Change.Until = now
	}
	deleted.ListedUntil = deleted.Change.Until.Add(t.s.consistencyDelay)
	return c.commit(t.s.log, t.key(), &deleted)
}

// alter does what is left for the kinds' actions: it changes an object that is in
// the state from.
func (t table[S, T]) alter(ctx context.Context, id, action string, from resource.State, alter func(o *object, now time.Time)) error {
	if err := t.s.callRegion(ctx); err != nil {
		return err
	}
	c := t.s.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.time()
	c.pass(now)
	o := c.find(t.key(), id, now)
	if o == nil {
		return t.missing(id)
	}
	if state := o.Change.state(now); state != from {
		return refuse(resource.CodeConflict, "IncorrectState", "%s needs a %s that is %s, but %s is %s; wait until it is %s, or bring it there", action, t.kind.Name, from, o.called(), state, from)
	}
	altered := *o
	alter(&altered, now)
	return c.commit(t.s.log, t.key(), &altered)
}

// change is one that begins now.
func (s *session) change(now time.Time, was, during, then resource.State) change {
	return change{Was: was, During: during, Then: then, At: now, Until: now.Add(s.latency)}
}

// view is an object as the API shows it.
func (t table[S, T]) view(o *object, state resource.State) driver.Object[S, T] {
	spec, status, created := o.Spec.(S), o.Status.(T), o.CreatedAt
	native := t.show(o, state, spec, &status)
	return driver.Object[S, T]{
		ID: o.ID, Name: o.Name, Token: o.Token, State: state, CloudState: cloudState(state), Labels: maps.Clone(o.Labels),
		Spec: spec, Status: status, Native: native, CreatedAt: &created,
	}
}

func (t table[S, T]) key() shelfKey { return shelfKey{t.s.place, t.kind.Name} }

func (t table[S, T]) missing(id string) error {
	return refuse(resource.CodeNotFound, "Invalid"+t.noun()+"ID.NotFound", "there is no %s %.64q in the region %s of the account %s", t.kind.Name, id, t.s.Region, t.s.Account)
}

// noun is the kind as the cloud's error codes call it, such as SecurityGroup.
func (t table[S, T]) noun() string { return noun(t.kind.Kind) }

func noun(kind *resource.Kind) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(kind.Title) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// find returns the object with the id, or nil if there is none.
func (c *cloud) find(key shelfKey, id string, now time.Time) *object {
	s := c.shelves[key]
	if s == nil {
		return nil
	}
	if o := s.live[id]; o != nil && !o.gone(now) {
		return o
	}
	return nil
}

// specOf is the spec of an object that is known to exist.
func specOf[S, T any](s *session, kind resource.Type[S, T], id string) S {
	return s.cloud.shelf(shelfKey{s.place, kind.Name}).live[id].Spec.(S)
}
