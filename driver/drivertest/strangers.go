package drivertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A driver that takes something for its own because of its name destroys what others
// have made. So there is a stranger of each kind: an object of the whole run that nothing
// refers to and no check changes. All of them have one name, and what checks create, change
// and delete gets that too, where the cloud lets names repeat. Afterwards the stranger is
// as it was.

// strangers ends the name in a world of a kind's stranger, which is the second object of it.
const strangers = "#2"

// stranger is the one of a kind.
type stranger struct {
	once    sync.Once
	item    driver.Item
	repeats bool // whether another object can have its name
	err     error
}

// strangerOf answers the stranger of the check's kind, which is made when it is first needed.
func (t *try) strangerOf() *stranger {
	t.suite.mu.Lock()
	s := t.planted[t.kind]
	if s == nil {
		s = &stranger{}
		t.planted[t.kind] = s
	}
	t.suite.mu.Unlock()
	s.once.Do(func() {
		s.err = errors.New("the attempt to make it was given up") // unless this ends
		if s.item, s.err = t.root.need(t, t.kind+strangers); s.err != nil {
			return
		}
		r := t.ask(t.root, t.kind, nil)
		r.Name = s.item.Name
		namesake, err := t.persist(t.session(), t.kind, r)
		t.disposeOf(t.kind, namesake.ID)
		if s.repeats = err == nil; resource.CodeOf(err) != resource.CodeAlreadyExists {
			s.err = err
		}
	})
	if s.err != nil {
		t.Fatalf("plant a stranger: %v", said(s.err))
	}
	return s
}

// askBeside is ask for an object with the name of the stranger, or one that begins so.
func (t *try) askBeside(w *world, change map[string]any) driver.ItemRequest {
	s := t.strangerOf()
	r := t.ask(w, t.kind, change)
	if r.Name = s.item.Name; !s.repeats {
		r.Name += "-" + r.Token[:8]
	}
	t.Cleanup(func() { // after what the check has made is gone
		if err := t.untouched(t.kind, s); err != nil {
			t.Errorf("%v", err)
		}
	})
	return r
}

// makeBeside is make for an object beside the stranger.
func (t *try) makeBeside(w *world) driver.Item { return t.makeAsked(t.kind, t.askBeside(w, nil)) }

// untouched looks whether a stranger is as it was.
func (t *try) untouched(kind string, s *stranger) error {
	return t.until(func() (bool, error) {
		now, err := t.session().get(t.ctx, kind, s.item.ID)
		if err != nil {
			return false, fmt.Errorf("the %s %s (%s), which is not the driver's to touch, is not to be had any more: %w", kind, s.item.ID, s.item.Name, err)
		}
		if was, is := withoutNative(s.item), withoutNative(now); was != is {
			return false, fmt.Errorf("the %s %s (%s), which is not the driver's to touch, has changed\nfrom %s\nto   %s", kind, s.item.ID, s.item.Name, was, is)
		}
		return true, nil
	})
}

// checkStrangers: what was done to one kind has touched no stranger of another one either.
func checkStrangers(t *try) {
	for _, kind := range resource.Kinds() {
		if s := t.planted[kind.Name]; s != nil && s.err == nil { // no other check runs
			if err := t.untouched(kind.Name, s); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
}

// nameOf is the name of a new object of a world.
func (s *suite) nameOf(name, token string) string {
	if strings.HasSuffix(name, strangers) {
		token = s.strange
	}
	return "mcic-" + token[:8]
}
