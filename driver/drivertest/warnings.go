package drivertest

import (
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// warningChecks are those of what a change is warned of.
func (s *suite) warningChecks() []check {
	if s.target.Warning == nil {
		return nil
	}
	return []check{{"connection", "warnings", "told", false, checkWarnings}}
}

// note keeps what a call has warned of.
func (c *conn) note(what string, w resource.Warning) {
	c.suite.search("a warning of "+what, w.Message)
	c.suite.mu.Lock()
	defer c.suite.mu.Unlock()
	c.warned = append(c.warned, w)
}

// warnings are those of the calls since the last time.
func (c *conn) warnings() []resource.Warning {
	c.suite.mu.Lock()
	defer c.suite.mu.Unlock()
	warned := c.warned
	c.warned = nil
	return warned
}

// checkWarnings: what a change is done with is told beside it, and is no error.
func checkWarnings(t *try) {
	c := t.connectTo(*t.target.Warning)
	kinds := resource.Kinds()
	i := slices.IndexFunc(kinds, func(k *resource.Kind) bool {
		return t.description.Offers(k.Name, "create") && t.description.Offers(k.Name, "delete") && t.target.Specs[k.Name] != nil
	})
	if i < 0 {
		t.Skipf("nothing can be made that could also be removed")
	}
	kind := kinds[i].Name
	told := func(doing string) {
		warned := c.warnings()
		if len(warned) == 0 {
			t.Errorf("nothing is told of %s in a connection that is warned of everything", doing)
		}
		for _, w := range warned {
			if w.Message == "" {
				t.Errorf("a warning of %s says nothing: %+v", doing, w)
			}
		}
	}
	item := t.create(c, kind, t.ask(t.root, kind, nil))
	told("a creation")
	if _, err := t.settled(c, kind, item.ID); err != nil {
		t.Fatalf("%v", said(err))
	}
	if t.description.Offers(kind, resource.ActionLabel) {
		if err := c.act(t.ctx, kind, item.ID, resource.ActionLabel, []byte(`{"set":{"team":"infra"}}`)); err != nil {
			t.Errorf("label: %v", said(err))
		}
		told("an action")
	}
	if err := c.delete(t.ctx, kind, item.ID); err != nil {
		t.Errorf("delete: %v", said(err))
	}
	told("a deletion")
	if _, err := c.list(t.ctx, kind); err != nil || len(c.warnings()) > 0 {
		t.Errorf("a list warns, or fails: %s", said(err))
	}
}
