package drivertest

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Kinds that the server keeps are kept by the suite, which stands for the server here: their
// objects are made and removed without the driver, and travel with what names them.

// keeper has what the suite keeps.
type keeper struct {
	description *driver.Description

	mu    sync.Mutex
	items map[thing]driver.Item
}

// Keeps implements driver.Keeper.
func (k *keeper) Keeps(_ context.Context, kind string) (bool, error) {
	return k.description.Keeps(kind), nil
}

// All implements driver.Keeper.
func (k *keeper) All(_ context.Context, kind string) (all []driver.Item, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for of, item := range k.items {
		if of.kind == kind {
			all = append(all, item)
		}
	}
	return all, nil
}

// Find implements driver.Keeper.
func (k *keeper) Find(_ context.Context, kind, id string) (driver.Item, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	item, ok := k.items[thing{kind, id}]
	if !ok {
		return item, resource.Errorf(resource.CodeNotFound, "the suite keeps no %s %s", kind, id)
	}
	return item, nil
}

// keeping is a session with what the suite keeps.
type keeping struct {
	driver.Session
	keeper *keeper
}

func (s *suite) keeping(opened driver.Session) driver.Session {
	return keeping{driver.Keep(opened, s.keeper), s.keeper}
}

// Create implements driver.Session.
func (s keeping) Create(ctx context.Context, kind string, r driver.ItemRequest) (driver.Item, *driver.Pending, error) {
	item, pending, err := s.Session.Create(ctx, kind, r)
	if err == nil && s.keeper.description.Keeps(kind) {
		s.keeper.mu.Lock()
		defer s.keeper.mu.Unlock()
		s.keeper.items[thing{kind, item.ID}] = item
	}
	return item, pending, err
}

// Delete implements driver.Session.
func (s keeping) Delete(ctx context.Context, kind, id string) (*driver.Pending, error) {
	pending, err := s.Session.Delete(ctx, kind, id)
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	delete(s.keeper.items, thing{kind, id})
	return pending, err
}

// keptKindChecks are all those of a kind that the server keeps.
func keptKindChecks(kind *resource.Kind) []check {
	return []check{{kind.Name, "kept", "uncalled", false, checkUncalled}}
}

// checkUncalled: what the server keeps has no calls, so that nothing of it can come to be on
// the cloud, unseen.
func checkUncalled(t *try) {
	c := t.session()
	r := t.ask(t.root, t.kind, nil)
	for verb, call := range map[string]func(context.Context) error{
		"list": func(ctx context.Context) error {
			for _, err := range c.bare.List(ctx, t.kind, driver.Filter{}) {
				return err
			}
			return nil
		},
		"get":    func(ctx context.Context) error { _, err := c.bare.Get(ctx, t.kind, wrongValue); return err },
		"create": func(ctx context.Context) error { _, _, err := c.bare.Create(ctx, t.kind, r); return err },
		"delete": func(ctx context.Context) error { _, err := c.bare.Delete(ctx, t.kind, wrongValue); return err },
	} {
		if err := c.call(t.ctx, t.kind+"/"+verb, call); resource.CodeOf(err) != resource.CodeUnsupported {
			t.Errorf("%s of what the server keeps answers %s; want unsupported", verb, said(err))
		}
	}
}

// keptIn are the kinds among those of references that the server keeps.
func (s *suite) keptIn(refs []resource.Ref) []string {
	kinds := map[string]bool{}
	for _, ref := range refs {
		if s.description.Keeps(ref.Kind) {
			kinds[ref.Kind] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// keptInParams are those in the target's parameters of an action.
func (s *suite) keptInParams(kind *resource.Kind, action *resource.Action) []string {
	given, ok := s.target.Params[kind.Name+"/"+action.Name]
	if !ok {
		return nil
	}
	raw, err := written(given, 0)
	if err != nil { // which the action's own check says
		return nil
	}
	var refs []resource.Ref
	_, _ = action.MapRefs(raw, func(ref resource.Ref) (string, error) {
		refs = append(refs, ref)
		return ref.Name, nil
	})
	return s.keptIn(refs)
}

// checkKept: what the server keeps comes with the creation of what names it, as often as it
// is named. A driver that looks at it refuses what makes no sense.
func checkKept(t *try, kept string) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for range 2 {
		t.make(t.root, t.kind)
	}
	r := t.ask(t.root, t.kind, nil)
	refs, err := kind.Refs(r.Spec)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c, fields := t.garbled(kept, refs)
	item, err := t.persist(c, t.kind, r)
	t.disposeOf(t.kind, item.ID)
	t.refusedAt(err, fields)
	if t.description.Offers(t.kind, "check") {
		t.sameRefusal(t.checked(c, r), err)
	}
	for _, id := range withToken(t.listed(t.session()), r.Token) {
		t.disposeOf(t.kind, id)
		t.Errorf("the refused creation has left %s behind", id)
	}
}

// checkKeptInAction is the same for the parameters of an action, of which its own check says
// that it works.
func checkKeptInAction(t *try, action *resource.Action, kept string) {
	item := t.make(t.root, t.kind)
	params, err := t.params(action)
	if err != nil {
		t.Skipf("%v", err)
	}
	var refs []resource.Ref
	if _, err := action.MapRefs(params, func(ref resource.Ref) (string, error) {
		refs = append(refs, ref)
		return ref.Name, nil
	}); err != nil {
		t.Fatalf("%v", err)
	}
	c, fields := t.garbled(kept, refs)
	err = t.again(func() error { return c.act(t.ctx, t.kind, item.ID, action.Name, params) })
	t.refusedAt(err, fields)
	if _, err := t.settled(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("%v", said(err))
	}
}

// refusedAt wants an error that names the fields.
func (t *try) refusedAt(err error, fields []string) {
	var named []string
	for _, p := range resource.AsError(err).Fields {
		named = append(named, p.Field)
	}
	if resource.CodeOf(err) != resource.CodeInvalid || !slices.ContainsFunc(named, func(field string) bool { return slices.Contains(fields, field) }) {
		t.Errorf("what it names makes no sense: got %s, fields %q; want invalid and one of %q", said(err), named, fields)
	}
}

// garbled is a session in which what the server keeps of a kind makes no sense, and the fields
// that name such.
func (t *try) garbled(kept string, refs []resource.Ref) (c *conn, fields []string) {
	contents := driver.Contents{}
	for _, ref := range refs {
		if !t.description.Keeps(ref.Kind) {
			continue
		}
		item, err := t.keeper.Find(t.ctx, ref.Kind, ref.Name)
		if err != nil {
			t.Fatalf("%v", said(err))
		}
		if ref.Kind == kept {
			fields = append(fields, ref.Field)
			if item.Spec, err = garbledSpec(item.Spec); err != nil {
				t.Fatalf("%v", err)
			}
		}
		contents[ref.Kind] = append(contents[ref.Kind], item)
	}
	return &conn{suite: t.suite, open: garbling{t.session().bare, contents}}, fields
}

// garbledSpec has no text that means anything.
func garbledSpec(spec json.RawMessage) (json.RawMessage, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(spec, &fields); err != nil {
		return nil, err
	}
	for name, value := range fields {
		if _, text := value.(string); text {
			fields[name] = wrongValue
		}
	}
	return json.Marshal(fields)
}

// garbling is a session whose calls have other contents than they should.
type garbling struct {
	driver.Session
	contents driver.Contents
}

// Create implements driver.Session.
func (s garbling) Create(ctx context.Context, kind string, r driver.ItemRequest) (driver.Item, *driver.Pending, error) {
	return s.Session.Create(driver.WithContents(ctx, s.contents), kind, r)
}

// Check implements driver.Session.
func (s garbling) Check(ctx context.Context, kind string, r driver.ItemRequest) error {
	return s.Session.Check(driver.WithContents(ctx, s.contents), kind, r)
}

// Act implements driver.Session.
func (s garbling) Act(ctx context.Context, kind, id, action string, params json.RawMessage) (*driver.Pending, error) {
	return s.Session.Act(driver.WithContents(ctx, s.contents), kind, id, action, params)
}
