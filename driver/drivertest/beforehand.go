package drivertest

import (
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// beforehandChecks are those of the verb check of a kind whose specification has the
// reference fields.
func (s *suite) beforehandChecks(kind *resource.Kind, refs []string) []check {
	checks := []check{{kind.Name, "check", "works", false, checkBeforehand}}
	if len(invalidSpecs(kind.Name))+len(s.target.Invalid[kind.Name])+len(refs) > 0 {
		checks = append(checks, check{kind.Name, "check", "refused", false, func(t *try) { checkRefusedBeforehand(t, kind, refs) }})
	}
	if _, ok := s.target.Quota[kind.Name]; ok {
		checks = append(checks, check{kind.Name, "check", "quota", true, checkQuotaBeforehand}) // nobody else may use up the quota meanwhile, or give it back
	}
	return checks
}

// checkBeforehand: what passes can be created, and the check has made nothing.
func checkBeforehand(t *try) {
	r := t.ask(t.root, t.kind, nil)
	for range 2 {
		if err := t.checked(t.session(), r); err != nil {
			t.Fatalf("check what can be created: %v", said(err))
		}
	}
	if made := withToken(t.listed(t.session()), r.Token); len(made) > 0 {
		for _, id := range made {
			t.disposeOf(t.kind, id)
		}
		t.Fatalf("the check has made %v", made)
	}
	item := t.create(t.session(), t.kind, r)
	t.onlyOne(t.session(), r.Token, item.ID)
}

// checked checks a creation, and again while the cloud says that this can help.
func (t *try) checked(c *conn, r driver.ItemRequest) error {
	return t.again(func() error { return c.check(t.ctx, t.kind, r) })
}

// checkRefusedBeforehand: what the creation refuses the check refuses in the same way.
func checkRefusedBeforehand(t *try, kind *resource.Kind, refs []string) {
	var changes []map[string]any
	for _, change := range invalidSpecs(t.kind) {
		changes = append(changes, change)
	}
	for _, spec := range t.target.Invalid[t.kind] {
		changes = append(changes, t.changeOf(spec))
	}
	for _, field := range refs {
		changes = append(changes, unknownIn(kind, field))
	}
	for _, change := range changes {
		r := t.ask(t.root, t.kind, change)
		before := t.checked(t.session(), r)
		t.sameRefusal(before, t.refusedToCreate(r, resource.CodeInvalid, resource.CodeNotFound, resource.CodeDependency))
	}
}

// sameRefusal: who checked a creation before knows what will be said of it.
func (t *try) sameRefusal(before, created error) {
	fields := func(err error) (names []string) {
		for _, p := range resource.AsError(err).Fields {
			names = append(names, p.Field)
		}
		return names
	}
	switch {
	case created == nil: // told already
	case before == nil:
		t.Errorf("the check passes what the creation refuses with %s", said(created))
	case resource.CodeOf(before) != resource.CodeOf(created) || !slices.Equal(fields(before), fields(created)):
		t.Errorf("the check refuses with %s, fields %q; the creation with %s, fields %q", said(before), fields(before), said(created), fields(created))
	}
}

// checkQuotaBeforehand: a quota that is reached is known before.
func checkQuotaBeforehand(t *try) {
	limited := t.connectTo(t.target.Quota[t.kind])
	w := t.inside(nil)
	w.conn = limited
	for range mostOfQuota + 1 {
		r := t.ask(w, t.kind, nil)
		before := t.checked(limited, r)
		item, err := t.persist(limited, t.kind, r)
		if err == nil {
			t.Cleanup(func() { t.dispose(limited, t.kind, item.ID) })
			if before != nil {
				t.Errorf("the check refuses with %s what can be created", said(before))
			}
			continue
		}
		t.sameRefusal(before, err)
		return
	}
	t.Errorf("%d objects were created; the target's quota should allow at most %d", mostOfQuota+1, mostOfQuota)
}
