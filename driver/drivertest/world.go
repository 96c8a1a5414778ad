package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// world holds objects that specifications refer to, one for each name of a
// specification, made when it is first needed. What a world inside of another one
// has not made itself it takes from that, unless it would refer to something else.
type world struct {
	suite  *suite
	parent *world
	conn   *conn // session that its objects are made in, nil for the one that checks share

	mu   sync.Mutex
	made map[string]*making
	all  []thing // in the order in which they were made
}

type making struct {
	once  sync.Once
	asked json.RawMessage // the spec
	item  driver.Item
	err   error
}

// thing is an object on the cloud.
type thing struct{ kind, id string }

// inside is a world of the check's own, which ends with it.
func (t *try) inside(parent *world) *world {
	w := &world{suite: t.suite, parent: parent, made: map[string]*making{}}
	t.Cleanup(func() { w.end(t) })
	return w
}

// session is the one that the world's objects are made in.
func (w *world) session(t *try) *conn {
	if w.conn != nil {
		return w.conn
	}
	return t.session()
}

// A name in a world is that of a specification, or with a number after it that of
// another object of the same one: subnet:b#2.

// specOf is the name of the specification of a name in a world.
func specOf(name string) string {
	spec, _, _ := strings.Cut(name, "#")
	return spec
}

// kindOf is the kind of a name: subnet:b is one of subnet.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(specOf(name), ":")
	return kind
}

// refersTo are the names of specifications that one refers to.
func (s *suite) refersTo(name string) ([]resource.Ref, error) {
	kind, err := resource.KindNamed(kindOf(name))
	if err != nil {
		return nil, err
	}
	raw, err := written(s.target.Specs[specOf(name)], 0)
	if err != nil {
		return nil, err
	}
	return kind.Refs(raw)
}

// owner is the world that an object of a specification belongs to.
func (w *world) owner(name string) *world {
	if w.parent == nil || w.has(name) {
		return w
	}
	refs, err := w.suite.refersTo(name)
	if err != nil {
		return w
	}
	for _, ref := range refs {
		if w.owner(ref.Name) == w {
			return w
		}
	}
	return w.parent.owner(name)
}

func (w *world) has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made[name] != nil
}

// need answers the world's object of a specification, settled.
func (w *world) need(t *try, name string) (driver.Item, error) {
	w = w.owner(name)
	w.mu.Lock()
	m := w.made[name]
	if m == nil {
		m = &making{}
		w.made[name] = m
	}
	w.mu.Unlock()
	m.once.Do(func() {
		m.err = fmt.Errorf("the attempt to make it was given up") // unless this ends
		r, err := w.request(t, name, nil)
		if err != nil {
			m.err = err
			return
		}
		m.asked = r.Spec
		m.item, m.err = t.makeSettled(w.session(t), kindOf(name), r)
		if m.item.ID != "" {
			w.mu.Lock()
			w.all = append(w.all, thing{kindOf(name), m.item.ID})
			w.mu.Unlock()
		}
	})
	if m.err != nil {
		return driver.Item{}, fmt.Errorf("make a %s, which is needed: %w", name, m.err)
	}
	return m.item, nil
}

// put takes an object that the check made for the world's object of a specification.
func (w *world) put(name string, item driver.Item) {
	m := &making{item: item}
	m.once.Do(func() {})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made[name] = m
}

// end removes what the world has made, the last one first.
func (w *world) end(t *try) {
	w.mu.Lock()
	all := w.all
	w.all, w.made = nil, map[string]*making{}
	w.mu.Unlock()
	for _, o := range slices.Backward(all) {
		t.dispose(w.session(t), o.kind, o.id)
	}
}

// request is a new object's, from its specification: checked and completed as the
// server does it, with references to objects of the world. Fields of change replace
// those of the specification.
func (w *world) request(t *try, name string, change map[string]any) (driver.ItemRequest, error) {
	spec, ok := w.suite.target.Specs[specOf(name)]
	if !ok {
		return driver.ItemRequest{}, fmt.Errorf("the target has no specification of a %s", name)
	}
	kind, err := resource.KindNamed(kindOf(name))
	if err != nil {
		return driver.ItemRequest{}, err
	}
	raw, err := written(spec, w.suite.counter.number(specOf(name)))
	if err != nil {
		return driver.ItemRequest{}, err
	}
	if len(change) > 0 {
		if raw, err = changed(raw, change); err != nil {
			return driver.ItemRequest{}, err
		}
	}
	token := w.suite.token()
	body, err := json.Marshal(map[string]any{"name": w.suite.nameOf(name, token), "spec": raw})
	if err != nil {
		return driver.ItemRequest{}, err
	}
	asked, err := kind.ParseCreate(body)
	if err != nil {
		return driver.ItemRequest{}, fmt.Errorf("the target's specification of a %s: %w", name, err)
	}
	if raw, _, err = kind.Complete(asked.Spec); err != nil {
		return driver.ItemRequest{}, err
	}
	_, hidden, err := kind.Hide(raw)
	if err != nil {
		return driver.ItemRequest{}, err
	}
	w.suite.hide(hidden)
	raw, err = kind.MapRefs(raw, func(ref resource.Ref) (string, error) {
		if _, ok := w.suite.target.Specs[specOf(ref.Name)]; !ok || kindOf(ref.Name) != ref.Kind {
			return ref.Name, nil // an id, or what does not exist
		}
		item, err := w.need(t, ref.Name)
		return item.ID, err
	})
	return driver.ItemRequest{Token: token, Name: asked.Name, Spec: raw}, err
}

// token is a new one of this run.
func (s *suite) token() string {
	token := uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = true
	return token
}

// mine reports whether this run has asked with a token.
func (s *suite) mine(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[token]
}

// changed is a specification with other values for some fields.
func changed(raw json.RawMessage, change map[string]any) (json.RawMessage, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	maps.Copy(fields, change)
	return json.Marshal(fields)
}

// ask is request for checks, which ends them if there is none.
func (t *try) ask(w *world, name string, change map[string]any) driver.ItemRequest {
	r, err := w.request(t, name, change)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	return r
}

// make creates an object of the check's own and waits until it has settled. It goes
// when the check has ended.
func (t *try) make(w *world, name string) driver.Item {
	return t.makeAsked(kindOf(name), t.ask(w, name, nil))
}

func (t *try) makeAsked(kind string, r driver.ItemRequest) driver.Item {
	item, err := t.makeSettled(t.session(), kind, r)
	t.disposeOf(kind, item.ID)
	if err != nil {
		t.Fatalf("create a %s: %v", kind, said(err))
	}
	return item
}

// disposeOf removes an object when the check has ended.
func (t *try) disposeOf(kind, id string) {
	if id == "" {
		return
	}
	t.Cleanup(func() { t.dispose(t.session(), kind, id) })
}

// dispose removes an object after a check.
func (t *try) dispose(c *conn, kind, id string) {
	if err := t.remove(c, kind, id); err != nil {
		t.Errorf("remove the %s %s after the check: %v", kind, id, said(err))
	}
}

// create creates an object, and again with the same token while the cloud says that
// this can help, as the server does. It goes when the check has ended.
func (t *try) create(c *conn, kind string, r driver.ItemRequest) driver.Item {
	item, err := t.persist(c, kind, r)
	t.disposeOf(kind, item.ID)
	if err != nil {
		t.Fatalf("create a %s: %v", kind, said(err))
	}
	return item
}

func (t *try) persist(c *conn, kind string, r driver.ItemRequest) (item driver.Item, err error) {
	err = t.again(func() (err error) {
		item, err = c.create(t.ctx, kind, r)
		return err
	})
	return item, err
}

// makeSettled creates an object and waits for it. If there is one, it is answered
// even with an error.
func (t *try) makeSettled(c *conn, kind string, r driver.ItemRequest) (driver.Item, error) {
	item, err := t.persist(c, kind, r)
	if err != nil {
		return item, err
	}
	settled, err := t.settled(c, kind, item.ID)
	if err != nil {
		return item, err
	}
	if settled.State != resource.StateAvailable && settled.State != resource.StateRunning {
		return item, fmt.Errorf("the %s %s ended up %s (%s): %s", kind, item.ID, settled.State, settled.CloudState, settled.Reason)
	}
	return settled, nil
}

// settled waits until an object has.
func (t *try) settled(c *conn, kind, id string) (item driver.Item, err error) {
	err = t.until(func() (bool, error) {
		item, err = c.get(t.ctx, kind, id)
		switch {
		case err != nil:
			return !resource.AsError(err).Retryable, err
		case !item.State.Settled():
			return false, fmt.Errorf("the %s %s does not settle: it is still %s (%s)", kind, id, item.State, item.CloudState)
		}
		return true, nil
	})
	return item, err
}

// remove deletes an object and waits until it is gone. What depends on something
// that is just going is tried again, as the server does.
func (t *try) remove(c *conn, kind, id string) error {
	if !t.description.Offers(kind, "delete") {
		return nil
	}
	err := t.until(func() (bool, error) {
		err := c.delete(t.ctx, kind, id)
		if err == nil {
			return true, nil
		}
		e := resource.AsError(err)
		return !e.Retryable && e.Code != resource.CodeDependency && e.Code != resource.CodeConflict, err
	})
	if err != nil {
		return err
	}
	return t.gone(c, kind, id)
}

// gone waits until the cloud says that an object does not exist.
func (t *try) gone(c *conn, kind, id string) error {
	return t.until(func() (bool, error) {
		item, err := c.get(t.ctx, kind, id)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			return true, nil
		case err != nil:
			return !resource.AsError(err).Retryable, err
		case item.State == resource.StateDeleted:
			return true, nil
		}
		return false, fmt.Errorf("the %s %s was deleted and is still %s (%s)", kind, id, item.State, item.CloudState)
	})
}

// again makes a call, and makes it again while the cloud says that this can help.
func (t *try) again(call func() error) error {
	return t.until(func() (bool, error) {
		err := call()
		return err == nil || !resource.AsError(err).Retryable, err
	})
}

// get answers an object.
func (t *try) get(c *conn, kind, id string) (item driver.Item, err error) {
	err = t.again(func() (err error) {
		item, err = c.get(t.ctx, kind, id)
		return err
	})
	return item, err
}

// list answers the objects of a kind.
func (t *try) list(c *conn, kind string) (items []driver.Item, err error) {
	err = t.again(func() (err error) {
		items, err = c.list(t.ctx, kind)
		return err
	})
	return items, err
}

// delete deletes an object.
func (t *try) delete(c *conn, kind, id string) error {
	return t.again(func() error { return c.delete(t.ctx, kind, id) })
}

// view asks a view.
func (t *try) view(c *conn, id, view string, params json.RawMessage) (answer json.RawMessage, err error) {
	err = t.again(func() (err error) {
		answer, err = c.view(t.ctx, t.kind, id, view, params)
		return err
	})
	return answer, err
}

// comes waits until something is so, and reports whether it came to be.
func (t *try) comes(so func() bool) bool {
	came := false
	_ = t.until(func() (bool, error) { // there is no error but that it does not come
		came = so()
		return came, nil
	})
	return came
}

// soonest is how long after the first look comes the second one.
const soonest = 10 * time.Millisecond

// until repeats f, later and later, until it is done or the time to settle is over.
func (t *try) until(f func() (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(t.ctx, t.target.Settle)
	defer cancel()
	for wait := soonest; ; wait = min(2*wait, time.Second) {
		done, err := f()
		if done {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}
