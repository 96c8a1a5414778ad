package mock

import (
	"cmp"
	"context"
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
	s      *session
	kind   resource.Type[S, T]
	prefix string                // of ids
	ready  resource.State        // of an object that was created
	built  bool                  // whether machines build it: its deletion lasts, and it may fail on the way
	held   bool                  // whether it cannot be deleted while it is linked to another object
	holds  func(id string) error // says what of its own keeps an object from being deleted; nil for nothing
	drop   func(id string) error // removes all that an object holds, once that is deleted; nil for nothing
	// prepare checks the draft of a creation as the cloud would, completes its spec and sets
	// its status and claims.
	prepare func(*draft[S, T]) error
	// show completes spec and status with what is known only now and returns the
	// cloud's own fields.
	show func(*sight[S, T]) (native any)
}

// draft is an object in the making, or while it is changed.
type draft[S, T any] struct {
	now    time.Time
	id     string
	name   string
	labels map[string]string
	spec   S
	status T
	links  []link
	claims []claim            // what no other object may have
	named  map[string]*object // what the spec refers to, by id, where it is new
	keys   []string           // of a machine, in a cloud without key pairs
	change change
}

// sight is an object at one moment.
type sight[S, T any] struct {
	*object
	at     time.Time
	state  resource.State
	spec   S
	status T
	links  []link
}

// reads and writes are calls of the kind's service.
func (t table[S, T]) reads(ctx context.Context) error { return t.call(ctx, toRead) }

func (t table[S, T]) writes(ctx context.Context) error {
	if t.s.warn != "" {
		driver.Warn(ctx, t.s.warn, "the cloud warns of something about this %s (setting warn), to rehearse that; nothing has to be done", t.kind.Name)
	}
	return t.call(ctx, toWrite)
}

func (t table[S, T]) call(ctx context.Context, do string) error {
	if err := t.s.callRegion(ctx); err != nil {
		return err
	}
	if err := t.s.permit(do, t.kind.Kind); err != nil {
		return err
	}
	if slices.Contains(t.s.down, t.kind.Name) {
		return refuse(resource.CodeUnavailable, "ServiceUnavailable", "the service for the kind %s is out of order (setting down) and did nothing; try again later", t.kind.Name)
	}
	return nil
}

// List implements driver.Collection.
func (t table[S, T]) List(ctx context.Context, _ driver.Filter) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		var at time.Time
		load := func() []*object {
			t.s.cloud.catchUp()
			at = t.s.cloud.time()
			return t.snapshot(at)
		}
		for o, err := range pages(ctx, t.reads, t.s.pageSize, load) {
			if err != nil {
				yield(driver.Object[S, T]{}, err)
				return
			}
			state, _ := o.listed(at)
			if !yield(t.view(o, state, at), nil) {
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
	o, now, err := t.read(ctx, id)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	return t.view(o, o.Change.state(now), now), nil
}

// GetMany implements driver.ManyGetter for the kinds that offer it.
func (t table[S, T]) GetMany(ctx context.Context, ids []string) iter.Seq2[driver.Object[S, T], error] {
	return func(yield func(driver.Object[S, T], error) bool) {
		if err := t.reads(ctx); err != nil {
			yield(driver.Object[S, T]{}, err)
			return
		}
		c := t.s.cloud
		c.catchUp()
		c.mu.RLock()
		now := c.time()
		var found []*object
		for _, id := range ids {
			if o := c.find(t.key(), id, now); o != nil {
				found = append(found, o)
			}
		}
		c.mu.RUnlock()
		for _, o := range found {
			if !yield(t.view(o, o.Change.state(now), now), nil) {
				return
			}
		}
	}
}

// read does what is left for all that ask for one object.
func (t table[S, T]) read(ctx context.Context, id string) (o *object, now time.Time, err error) {
	if err := t.reads(ctx); err != nil {
		return nil, now, err
	}
	return t.look(id)
}

// look is an object as it is now.
func (t table[S, T]) look(id string) (o *object, now time.Time, err error) {
	c := t.s.cloud
	c.catchUp()
	c.mu.RLock()
	defer c.mu.RUnlock()
	now = c.time()
	if o = c.find(t.key(), id, now); o == nil {
		return nil, now, t.missing(id)
	}
	return o, now, nil
}

// Make implements driver.Maker.
func (t table[S, T]) Make(ctx context.Context, r driver.Request[S]) (driver.Object[S, T], error) {
	if err := t.writes(ctx); err != nil {
		return driver.Object[S, T]{}, err
	}
	if t.built && t.s.hang {
		return driver.Object[S, T]{}, t.s.stay(ctx)
	}
	o, made, err := t.make(ctx, r)
	if err != nil {
		return driver.Object[S, T]{}, err
	}
	if made && t.s.chance(t.s.crashCreate, "crashCreate", r.Token) {
		t.s.cloud.exit(crashed)
	}
	if made && t.s.chance(t.s.ambiguousCreate, "ambiguousCreate", r.Token) {
		return driver.Object[S, T]{}, refuse(resource.CodeUnavailable, "RequestTimeout", "the answer of the cloud was lost (setting ambiguousCreate); whether the %s was created is unknown; try again with the same token", t.kind.Name)
	}
	now := t.s.cloud.time()
	return t.view(o, o.Change.state(now), now), nil
}

// Check implements driver.Checker. What the settings let fail by chance it does not know.
func (t table[S, T]) Check(ctx context.Context, r driver.Request[S]) error {
	if err := t.writes(ctx); err != nil {
		return err
	}
	t.s.cloud.mu.Lock()
	defer t.s.cloud.mu.Unlock()
	_, _, err := t.drafted(ctx, r)
	return err
}

// crashed is the exit code of a process that the setting crashCreate ended.
const crashed = 3

// make returns the object of the request's token, and whether it is new.
func (t table[S, T]) make(ctx context.Context, r driver.Request[S]) (o *object, made bool, err error) {
	c := t.s.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	o, d, err := t.drafted(ctx, r)
	if o != nil || err != nil {
		return o, false, err
	}
	if t.s.chance(t.s.failCreate, "failCreate", r.Token) {
		return nil, false, refuse(resource.CodeCapacity, "InsufficientCapacity", "the cloud has no room for the %s (setting failCreate) and will not succeed with this token; create it anew", t.kind.Name)
	}
	if t.built && t.s.chance(t.s.failSettle, "failSettle", r.Token) {
		d.change.Then = resource.StateFailed
	}
	o = &object{ID: d.id, Token: r.Token, CreatedAt: d.now, ListedFrom: d.now.Add(t.s.consistencyDelay)}
	if err := t.become(o, d); err != nil {
		return nil, false, err
	}
	return o, true, t.s.cloud.commit(t.s.log, t.key(), o)
}

// drafted returns the object of the request's token, or else what a creation would make.
// The cloud is held.
func (t table[S, T]) drafted(ctx context.Context, r driver.Request[S]) (*object, *draft[S, T], error) {
	if r.Token == "" || len(r.Token) > 36 {
		return nil, nil, refuseField("token", "InvalidClientToken", "the token must have 1 to 36 characters; use a fresh UUID for each new %s", t.kind.Name)
	}
	c := t.s.cloud
	now := c.time()
	c.pass(now)
	id := newID(t.prefix, t.key(), r.Token)
	if o := c.find(t.key(), id, now); o != nil {
		return o, nil, nil
	}
	named, err := t.s.findRefs(ctx, t.kind.Kind, r.Spec, now)
	if err != nil {
		return nil, nil, err
	}
	d := &draft[S, T]{
		now: now, id: id, name: r.Name, labels: maps.Clone(r.Labels), spec: r.Spec, named: named,
		change: t.s.change(now, resource.StateCreating, resource.StateCreating, t.ready),
	}
	if err := t.prepare(d); err != nil {
		return nil, nil, err
	}
	if err := t.s.checkQuota(t.kind.Kind); err != nil {
		return nil, nil, err
	}
	return nil, d, t.unclaimed(d)
}

// unclaimed refuses a draft if another object has what it claims.
func (t table[S, T]) unclaimed(d *draft[S, T]) error {
	for _, claim := range d.claims {
		if holder := t.s.cloud.claims[claim.Scope][claim.Value]; holder != "" && holder != d.id {
			return refuse(resource.CodeAlreadyExists, "Invalid"+t.noun()+".Duplicate", "the name %.64q is taken by the %s %s; choose another name, or adopt that one", d.name, t.kind.Name, holder)
		}
	}
	return nil
}

// become makes what was drafted the object, unless another one has what it claims.
func (t table[S, T]) become(o *object, d *draft[S, T]) (err error) {
	if err := t.unclaimed(d); err != nil {
		return err
	}
	o.Name, o.Labels, o.shape, o.Claims, o.Keys, o.Change = d.name, d.labels, shape{d.spec, d.status, d.links}, d.claims, d.keys, d.change
	o.Refs, err = needs(t.kind.Kind, d.spec)
	return err
}

// Delete implements driver.Deleter.
func (t table[S, T]) Delete(ctx context.Context, id string) error {
	err := t.deleteAll(ctx, id)
	if err == nil && t.drop != nil && t.s.cloud.stateOf(t.key(), id, t.s.cloud.time()) == resource.StateDeleted {
		err = t.drop(id)
	}
	return err
}

// deleteAll deletes several objects, or none if one of them cannot be deleted.
func (t table[S, T]) deleteAll(ctx context.Context, ids ...string) error {
	return t.changeAll(ctx, ids, t.deleted)
}

// changeAll replaces several objects by what change makes of each, or none if it refuses
// one. What it answers as nil stays as it is.
func (t table[S, T]) changeAll(ctx context.Context, ids []string, change func(id string, now time.Time) (*object, error)) error {
	if err := t.writes(ctx); err != nil {
		return err
	}
	return t.changeNow(ids, change)
}

// changeNow is changeAll for what the cloud does by itself.
func (t table[S, T]) changeNow(ids []string, change func(id string, now time.Time) (*object, error)) error {
	c := t.s.cloud
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.time()
	c.pass(now)
	var changed []*object
	for _, id := range ids {
		o, err := change(id, now)
		if err != nil {
			return err
		}
		if o != nil {
			changed = append(changed, o)
		}
	}
	for _, o := range changed {
		if err := c.commit(t.s.log, t.key(), o); err != nil {
			return err
		}
	}
	return nil
}

// deleted is an object whose deletion begins; nil if there is nothing to do.
func (t table[S, T]) deleted(id string, now time.Time) (*object, error) {
	c := t.s.cloud
	o := c.find(t.key(), id, now)
	if o == nil || o.Change.Then == resource.StateDeleted {
		return nil, nil //nolint:nilnil // nothing to do is no error
	}
	if len(c.users[id]) > 0 {
		return nil, refuse(resource.CodeDependency, "DependencyViolation", "the %s %s is used by %s; delete that first", t.kind.Name, o.called(), c.usersOf(id))
	}
	if len(o.Links) > 0 && t.held {
		return nil, refuse(resource.CodeDependency, "ResourceInUse", "the %s %s belongs to the %s %s now; take it from there first", t.kind.Name, o.called(), o.Links[0].Kind, o.Links[0].ID)
	}
	if t.holds != nil {
		if err := t.holds(id); err != nil {
			return nil, err
		}
	}
	if t.s.chance(t.s.forgetDelete, "forgetDelete", id) {
		if _, again := t.s.forgotten.LoadOrStore(id, true); !again {
			return nil, nil //nolint:nilnil // what is forgotten is no error
		}
	}
	deleted := *o
	deleted.Before = nil
	deleted.Change = t.s.change(now, o.Change.state(now), resource.StateDeleting, resource.StateDeleted)
	if !t.built {
		deleted.Change.Until = now
	}
	deleted.ListedUntil = deleted.Change.Until.Add(t.s.consistencyDelay)
	return &deleted, nil
}

// Label implements resource.Labeler.
func (t table[S, T]) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return t.alter(ctx, id, resource.ActionLabel, "", func(d *draft[S, T]) error {
		d.labels = change.Apply(d.labels)
		return nil
	})
}

// alter does what is left for the kinds' actions: it changes an object that is in
// the state from, "" for every state but those of a deletion.
func (t table[S, T]) alter(ctx context.Context, id, action string, from resource.State, alter func(*draft[S, T]) error) error {
	return t.alterAll(ctx, []string{id}, action, from, alter)
}

// alterAll alters several objects, or none if one of them refuses it.
func (t table[S, T]) alterAll(ctx context.Context, ids []string, action string, from resource.State, alter func(*draft[S, T]) error) error {
	return t.changeAll(ctx, ids, func(id string, now time.Time) (*object, error) {
		o := t.s.cloud.find(t.key(), id, now)
		if o == nil {
			return nil, t.missing(id)
		}
		switch state := o.Change.state(now); {
		case from == "" && o.Change.Then == resource.StateDeleted:
			return nil, refuse(resource.CodeConflict, "IncorrectState", "%s is not possible any more, %s is %s", action, o.called(), state)
		case from != "" && state != from:
			return nil, refuse(resource.CodeConflict, "IncorrectState", "%s needs a %s that is %s, but %s is %s; wait until it is %s, or bring it there", action, t.kind.Name, from, o.called(), state, from)
		}
		d := &draft[S, T]{
			now: now, id: id, name: o.Name, labels: o.Labels, spec: o.Spec.(S), status: o.Status.(T),
			links: slices.Clone(o.Links), claims: slices.Clone(o.Claims), keys: o.Keys, change: o.Change,
		}
		if err := alter(d); err != nil {
			return nil, err
		}
		altered := *o
		if d.change != o.Change {
			before := o.shape
			altered.Before = &before
		}
		return &altered, t.become(&altered, d)
	})
}

// power turns objects on or off, or both.
func (t table[S, T]) power(ctx context.Context, ids []string, action string, from, during, then resource.State) error {
	return t.alterAll(ctx, ids, action, from, func(d *draft[S, T]) error {
		d.change = t.s.change(d.now, from, during, then)
		return nil
	})
}

// deleteAfterParts deletes an object; with the setting parts its parts go first.
func (t table[S, T]) deleteAfterParts(ctx context.Context, id, parts string, has func(S) bool, remove func(*draft[S, T])) error {
	if !t.s.parts {
		return t.Delete(ctx, id)
	}
	o, err := t.Get(ctx, id)
	if err == nil && o.State == resource.StateAvailable && has(o.Spec) {
		if err := t.alter(ctx, id, "delete", resource.StateAvailable, func(d *draft[S, T]) error {
			remove(d)
			d.change = t.s.update(d.now, resource.StateAvailable)
			return nil
		}); err != nil {
			return err
		}
		o, err = t.Get(ctx, id)
	}
	switch {
	case err != nil:
		return driver.Except(err, resource.CodeNotFound)
	case o.State == resource.StateUpdating:
		return driver.Wait(0, "the %s of the %s %s are being removed or changed; it follows", parts, t.kind.Name, cmp.Or(o.Name, id))
	}
	return t.Delete(ctx, id)
}

// unlink does what is left for the kinds that take an object from the one that it is
// linked to.
func (t table[S, T]) unlink(ctx context.Context, id, action string) error {
	return t.alter(ctx, id, action, resource.StateAvailable, func(d *draft[S, T]) error {
		if len(d.links) > 0 {
			d.links, d.change = nil, t.s.update(d.now, resource.StateAvailable)
		}
		return nil
	})
}

// change is one that begins now.
func (s *session) change(now time.Time, was, during, then resource.State) change {
	return change{Was: was, During: during, Then: then, At: now, Until: now.Add(s.latency)}
}

// update is a change of something else than the state, which stays.
func (s *session) update(now time.Time, state resource.State) change {
	return s.change(now, state, resource.StateUpdating, state)
}

// view is an object as the API shows it.
func (t table[S, T]) view(o *object, state resource.State, at time.Time) driver.Object[S, T] {
	now := o.shapeAt(at)
	seen := &sight[S, T]{object: o, at: at, state: state, spec: now.Spec.(S), status: now.Status.(T), links: now.Links}
	native, created := t.show(seen), o.CreatedAt
	return driver.Object[S, T]{
		ID: o.ID, Name: o.Name, Token: o.Token, State: state, CloudState: cloudState(state), Reason: reasonOf(state), Code: codeOf(state), Labels: maps.Clone(o.Labels),
		Spec: seen.spec, Status: seen.status, Native: native, CreatedAt: &created,
	}
}

func (t table[S, T]) key() shelfKey { return t.s.shelfOf(t.kind.Name) }

// shelfOf is where the session's objects of a kind are.
func (s *session) shelfOf(kind string) shelfKey {
	if slices.Contains(s.accountWide, kind) {
		return shelfKey{place{Account: s.Account}, kind}
	}
	return shelfKey{s.place, kind}
}

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

// specNow is the spec of an object, if there is one.
func (t table[S, T]) specNow(id string) (spec S, err error) {
	o, now, err := t.look(id)
	if err == nil {
		spec = o.shapeAt(now).Spec.(S)
	}
	return spec, err
}

// specOf is the spec of an object that is known to exist.
func specOf[S, T any](s *session, kind resource.Type[S, T], id string) S {
	return s.cloud.shelf(s.shelfOf(kind.Name)).live[id].Spec.(S)
}

// statusOf is the same for the status.
func statusOf[S, T any](s *session, kind resource.Type[S, T], id string) T {
	return s.cloud.shelf(s.shelfOf(kind.Name)).live[id].Status.(T)
}
