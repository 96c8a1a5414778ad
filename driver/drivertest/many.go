package drivertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// manyChecks are those of verbs that a driver does for several objects in one call.
func (s *suite) manyChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	var checks []check
	for _, verb := range slices.Sorted(maps.Keys(offer.Many)) {
		checks = append(checks,
			check{kind.Name, verb, "many", false, func(t *try) { checkMany(t, kind) }},
			check{kind.Name, verb, "many-and-a-bad-one", false, func(t *try) { checkManyAndABadOne(t, kind) }},
			check{kind.Name, verb, "many-too-many", false, func(t *try) { checkTooMany(t, offer.Many[verb]) }},
			check{kind.Name, verb, "many-calls", s.target.Calls != nil, func(t *try) { checkManyCalls(t, kind) }})
	}
	return checks
}

func (c *conn) batch(ctx context.Context, kind, verb string, ids []string, params json.RawMessage) (answers []driver.Answer, err error) {
	members := make([]driver.Member, len(ids))
	for i, id := range ids {
		members[i] = driver.Member{ID: id, Operation: fmt.Sprint("batch-", id)}
	}
	err = c.call(ctx, kind+"/"+verb, func(ctx context.Context) (err error) {
		answers, err = c.open.Batch(ctx, kind, verb, members, params)
		return err
	})
	for _, a := range answers {
		c.searchItem(kind+"/"+verb, a.Item)
		if a.Err != nil {
			c.suite.search("the error of "+kind+"/"+verb, wholly(a.Err))
		}
	}
	return answers, err
}

// lot is some objects for which the check's verb is to be done.
type lot struct {
	ids    []string
	before []shown
	action *resource.Action // nil for get and delete
	params json.RawMessage
}

// lot makes objects for which the verb is possible.
func (t *try) lot(kind *resource.Kind, n int) lot {
	var l lot
	if t.verb != driver.VerbGet && t.verb != driver.VerbDelete {
		var err error
		if l.action, err = kind.Action(t.verb); err != nil {
			t.Fatalf("%v", err)
		}
		if l.params, err = t.params(l.action); err != nil {
			t.Skipf("%v", err)
		}
	}
	for range n {
		item := t.make(t.root, t.kind)
		l.ids = append(l.ids, item.ID)
		if l.action != nil {
			l.before = append(l.before, t.bring(kind, l.action, item.ID))
		}
	}
	return l
}

// together does the verb for ids, as the server does: what may succeed later is tried again,
// and what is pending goes on by itself.
func (t *try) together(l lot, ids []string) []error {
	errs := make([]error, len(ids))
	err := t.until(func() (bool, error) {
		answers, err := t.session().batch(t.ctx, t.kind, t.verb, ids, l.params)
		if err != nil {
			return !resource.AsError(err).Retryable, err
		}
		for i, a := range answers {
			errs[i] = a.Err
			switch {
			case a.Err != nil && resource.AsError(a.Err).Retryable:
				return false, a.Err
			case a.Err == nil && t.verb == driver.VerbGet && a.Item.ID != ids[i]:
				errs[i] = fmt.Errorf("got %q", a.Item.ID)
			case a.Pending != nil && t.verb == driver.VerbDelete:
				errs[i] = t.session().delete(t.ctx, t.kind, ids[i])
			case a.Pending != nil:
				errs[i] = t.session().act(t.ctx, t.kind, ids[i], t.verb, l.params)
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%s of %v: %v", t.verb, ids, said(err))
	}
	return errs
}

// done checks that the verb was done for an object.
func (t *try) done(l lot, i int) {
	switch {
	case t.verb == driver.VerbDelete:
		if err := t.gone(t.session(), t.kind, l.ids[i]); err != nil {
			t.Errorf("%v", said(err))
		}
	case l.action != nil:
		var params map[string]any
		if len(l.params) > 0 {
			if err := json.Unmarshal(l.params, &params); err != nil {
				t.Fatalf("%v", err)
			}
		}
		shows := reactionTo(t.kind + "/" + t.verb).shows
		err := t.until(func() (bool, error) {
			after, err := t.settled(t.session(), t.kind, l.ids[i])
			if err != nil {
				return false, err
			}
			now, err := asShown(after)
			if err != nil || !l.action.Ends(after.State) || shows != nil && !shows(l.before[i], now, params) {
				return false, fmt.Errorf("%s shows no effect of %s: it is %s, %w", l.ids[i], t.verb, after.State, err)
			}
			return true, nil
		})
		if err != nil {
			t.Errorf("%v", said(err))
		}
	}
}

// checkMany: what is done for several is done for each, also for one that is named twice.
func checkMany(t *try, kind *resource.Kind) {
	l := t.lot(kind, 2)
	for i, err := range t.together(l, []string{l.ids[0], l.ids[1], l.ids[0]}) {
		if err != nil {
			t.Errorf("%s of number %d of several: %v", t.verb, i+1, said(err))
		}
	}
	t.done(l, 0)
	t.done(l, 1)
}

// checkManyAndABadOne: whatever is wrong with one is that one's failure, the same as alone.
func checkManyAndABadOne(t *try, kind *resource.Kind) {
	l := t.lot(kind, 2)
	errs := t.together(l, []string{l.ids[0], wrongValue, l.ids[1]})
	for _, i := range []int{0, 2} {
		if errs[i] != nil {
			t.Errorf("%s beside a bad one: %v", t.verb, said(errs[i]))
		}
	}
	t.done(l, 0)
	t.done(l, 1)
	switch code := resource.CodeOf(errs[1]); {
	case t.verb == driver.VerbDelete && errs[1] != nil:
		t.Errorf("the bad one: got %s; want no error", said(errs[1]))
	case t.verb != driver.VerbDelete && code != resource.CodeNotFound && code != resource.CodeInvalid:
		t.Errorf("the bad one: got %s; want not_found or invalid", said(errs[1]))
	}
}

// checkTooMany: what the description does not allow is refused before anything is done.
func checkTooMany(t *try, most int) {
	ids := make([]string, most+1)
	for i := range ids {
		ids[i] = fmt.Sprint(wrongValue, i)
	}
	_, err := t.session().batch(t.ctx, t.kind, t.verb, ids, nil)
	if resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("%d at once, where the description says %d: got %s; want invalid", len(ids), most, said(err))
	}
}

// checkManyCalls counts what three cost together.
func checkManyCalls(t *try, kind *resource.Kind) {
	c, calls := t.counted()
	t.count(c, calls, func() func() error {
		l := t.lot(kind, 3)
		return func() error {
			answers, err := c.batch(t.ctx, t.kind, t.verb, l.ids, l.params)
			for _, a := range answers {
				if err == nil {
					err = a.Err
				}
			}
			return err
		}
	})
}
