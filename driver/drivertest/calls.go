package drivertest

import (
	"cmp"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/drivertest/faultproxy"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// proxy starts a proxy before the cloud, which ends with the check.
func (t *try) proxy() *faultproxy.Proxy {
	upstream := ""
	switch {
	case t.target.Endpoint != "":
		upstream = t.target.Config.Settings[t.target.Endpoint]
	case t.target.Proxy == "":
		t.Skipf("the target has no setting through which a proxy could be put before the cloud")
	}
	proxy, err := faultproxy.New(upstream)
	if err != nil {
		t.Fatalf("start the proxy: %v", err)
	}
	t.Cleanup(proxy.Close)
	return proxy
}

// through is the target's configuration with a proxy before the cloud.
func (t *try) through(proxy *faultproxy.Proxy) driver.Config {
	return with(t.target.Config, driver.Values{cmp.Or(t.target.Endpoint, t.target.Proxy): proxy.URL})
}

// proxied opens a session whose calls go through a proxy of its own, and answers both.
func (t *try) proxied() (*conn, *faultproxy.Proxy) {
	proxy := t.proxy()
	c := t.connectTo(t.through(proxy))
	c.proxy = proxy
	return c, proxy
}

// counted opens a session whose calls can be counted.
func (t *try) counted() (c *conn, calls func() int) {
	if t.target.Calls != nil {
		return t.session(), t.target.Calls
	}
	c, proxy := t.proxied()
	return c, proxy.Distinct
}

// costs compares what a verb costs with the budget, which is a ceiling: a cloud that is slow
// has a driver do less in one go.
func (t *try) costs(calls int) {
	if t.budget.file == "" {
		return
	}
	verb := t.kind + "/" + t.verb
	if of, _, many := strings.Cut(t.name, "-calls"); many { // not that of a single one
		verb += "/" + of
	}
	may, known := t.budget.note(verb, calls)
	if !t.target.Update && (!known || calls > may) {
		t.Errorf("it costs %d calls of the cloud's API; %s says %d; %s", calls, t.budget.file, may, anew)
	}
	if problem := t.budget.unreasoned(t.kind+"/"+t.verb, calls); problem != "" {
		t.Errorf("%s", problem)
	}
}

// callChecks count what each verb costs.
func (s *suite) callChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	alone := s.target.Calls != nil // which counts those of all; a proxy counts those of its session
	checks := []check{
		{kind.Name, "list", "calls", true, checkListCalls}, // of more objects in the meantime it would cost more
		{kind.Name, "get", "calls", alone, checkGetCalls},
		{kind.Name, "create", "calls", alone, checkCreateCalls},
		{kind.Name, "delete", "calls", alone, checkDeleteCalls},
	}
	if s.description.Offers(kind.Name, "check") {
		checks = append(checks, check{kind.Name, "check", "calls", alone, checkCheckCalls})
	}
	for _, action := range kind.Actions {
		for _, offered := range offer.Actions {
			if offered == action.Name {
				checks = append(checks, check{kind.Name, action.Name, "calls", alone, func(t *try) { checkActionCalls(t, kind, &action) }})
			}
		}
	}
	return checks
}

// checkListCalls: more objects cost no more calls as long as they fit on a page.
func checkListCalls(t *try) {
	c, calls := t.counted()
	if _, err := t.root.need(t, t.kind); err != nil {
		t.Fatalf("%v", said(err))
	}
	measure := func() int {
		before := calls()
		t.listed(c)
		return calls() - before
	}
	few := measure()
	for range t.target.Objects {
		t.make(t.root, t.kind)
	}
	if many := measure(); many > few {
		t.Errorf("listing %d more objects costs %d calls instead of %d; one call for each object is too much", t.target.Objects, many, few)
	}
	t.costs(few)
}

func checkGetCalls(t *try) {
	c, calls := t.counted()
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	before := calls()
	if _, err := c.get(t.ctx, t.kind, item.ID); err != nil {
		t.Fatalf("get: %v", said(err))
	}
	t.costs(calls() - before)
}

func checkCreateCalls(t *try) {
	c, calls := t.counted()
	t.count(c, calls, func() func() error {
		r := t.ask(t.root, t.kind, nil)
		return func() error {
			item, err := c.create(t.ctx, t.kind, r)
			t.disposeOf(t.kind, item.ID)
			if err != nil && resource.AsError(err).Retryable { // it may be there all the same
				t.create(t.session(), t.kind, r)
			}
			return err
		}
	})
}

func checkCheckCalls(t *try) {
	c, calls := t.counted()
	t.count(c, calls, func() func() error {
		r := t.ask(t.root, t.kind, nil)
		return func() error { return c.check(t.ctx, t.kind, r) }
	})
}

func checkDeleteCalls(t *try) {
	c, calls := t.counted()
	t.count(c, calls, func() func() error {
		item := t.make(t.root, t.kind)
		return func() error { return c.delete(t.ctx, t.kind, item.ID) }
	})
}

func checkActionCalls(t *try, kind *resource.Kind, action *resource.Action) {
	c, calls := t.counted()
	var item driver.Item
	t.count(c, calls, func() func() error {
		item = t.make(t.root, t.kind)
		if before := reactionTo(t.kind + "/" + action.Name).after; before != "" && t.description.Offers(t.kind, before) {
			first, err := kind.Action(before)
			if err != nil {
				t.Fatalf("%v", err)
			}
			t.perform(kind, first, item.ID)
		}
		t.bring(kind, action, item.ID)
		params, err := t.params(action)
		if err != nil {
			t.Skipf("%v", err)
		}
		t.undo(kind, action, item.ID)
		return func() error { return c.act(t.ctx, t.kind, item.ID, action.Name, params) }
	})
	if _, err := t.settled(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("%v", said(err))
	}
}

// count compares with the budget what a call costs. One that the cloud wants to be
// repeated is counted anew, on another object.
func (t *try) count(c *conn, calls func() int, prepare func() (call func() error)) {
	costs := 0
	err := t.again(func() error {
		call := prepare()
		if c.proxy != nil {
			c.proxy.Begin()
		}
		before := calls()
		err := call()
		costs = calls() - before
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", t.verb, said(err))
	}
	t.costs(costs)
}
