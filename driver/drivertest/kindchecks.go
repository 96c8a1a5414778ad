package drivertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// kindChecks are those of one kind, as far as the driver offers what they need.
func (s *suite) kindChecks(kind *resource.Kind, offer driver.KindOffer) []check {
	var checks []check
	add := func(verb, name string, run func(*try)) {
		checks = append(checks, check{kind.Name, verb, name, false, run})
	}
	add("list", "shape", checkShape)
	add("list", "references", checkReferences)
	add("get", "unknown", checkGetUnknown)
	creates, deletes := s.description.Offers(kind.Name, "create"), s.description.Offers(kind.Name, "delete")
	if deletes {
		add("delete", "unknown", checkDeleteUnknown)
	}
	for _, action := range kind.Actions {
		if slices.Contains(offer.Actions, action.Name) {
			add(action.Name, "unknown", func(t *try) { checkActionUnknown(t, &action) })
		}
	}
	for _, view := range offer.Views {
		add(view, "unknown", checkViewUnknown)
		add(view, "wrong-params", checkViewWrongParams)
	}
	if s.target.Outside != nil {
		add("list", "made-outside", checkOutside)
	}
	if !creates || !deletes { // nothing can be made that could also be removed
		return checks
	}
	add("create", "life", checkLife)
	add("create", "asked", checkAsked)
	add("create", "same-token", checkSameToken)
	add("create", "same-token-at-once", checkSameTokenAtOnce)
	checks = append(checks, check{kind.Name, "create", "same-token-after-crash", s.description.LocalState, checkSameTokenAfterCrash})
	add("create", "two-processes", checkTwoProcesses)
	add("create", "same-name", checkSameName)
	add("create", "names", checkNames)
	add("create", "labels", checkLabels)
	if _, ok := fieldOf(kind.SpecType(), "description"); ok {
		add("create", "free-text", checkFreeText)
	}
	add("create", "wrong-type", checkWrongType)
	for _, change := range slices.Sorted(maps.Keys(invalidSpecs(kind.Name))) {
		add("create", change, func(t *try) { checkInvalid(t, invalidSpecs(kind.Name)[change]) })
	}
	for i, spec := range s.target.Invalid[kind.Name] {
		add("create", fmt.Sprintf("invalid-%d", i+1), func(t *try) { checkInvalidSpec(t, spec) })
	}
	refs, err := s.refersTo(kind.Name)
	if err == nil {
		for _, field := range refFieldsOf(refs) {
			add("create", "unknown-"+field, func(t *try) { checkUnknownReference(t, field) })
		}
		for _, kept := range s.keptIn(refs) {
			add("create", "kept-"+kept, func(t *try) { checkKept(t, kept) })
		}
	}
	if _, ok := s.target.Quota[kind.Name]; ok {
		add("create", "quota", checkQuota)
	}
	if s.description.Offers(kind.Name, "check") {
		checks = append(checks, s.beforehandChecks(kind, refFieldsOf(refs))...)
	}
	add("list", "filter", checkNarrowList)
	add("list", "complete", func(t *try) { checkComplete(t, nil) })
	for _, size := range []int{1, 2, s.target.Objects} {
		name := fmt.Sprintf("pages-of-%d", size)
		add("list", name, func(t *try) { checkPages(t, size) })
	}
	add("list", "other-account", checkOtherAccount)
	add("get", "as-listed", checkAsListed)
	add("get", "gone", checkGetGone)
	add("delete", "gone", checkDelete)
	add("delete", "namesake", func(t *try) { checkNamesake(t, offer) })
	if user := s.userOf(kind.Name); user != "" {
		add("delete", "in-use", func(t *try) { checkInUse(t, user) })
	}
	for _, action := range kind.Actions {
		if !slices.Contains(offer.Actions, action.Name) {
			continue
		}
		if action.Name == resource.ActionLabel {
			add(action.Name, "works", checkLabelAction)
			add(action.Name, "last", checkLastLabel)
			continue
		}
		add(action.Name, "works", func(t *try) { checkAction(t, kind, &action) })
		for _, kept := range s.keptInParams(kind, &action) {
			add(action.Name, "kept-"+kept, func(t *try) { checkKeptInAction(t, &action, kept) })
		}
	}
	for _, view := range kind.Views {
		if slices.Contains(offer.Views, view.Name) {
			add(view.Name, "answer", func(t *try) { checkView(t, &view) })
			if view.ParamsType() != nil {
				add(view.Name, "params", func(t *try) { checkViewParams(t, &view) })
			}
		}
	}
	checks = append(checks, s.callChecks(kind, offer)...)
	checks = append(checks, s.dataChecks(kind, offer)...)
	return append(checks, s.manyChecks(kind, offer)...)
}

// fieldOf is the field of a struct with a JSON name.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		if resource.JSONName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// refFieldsOf are the fields of a specification that hold references, as names of
// checks.
func refFieldsOf(refs []resource.Ref) []string {
	var fields []string
	for _, ref := range refs {
		field := strings.TrimPrefix(ref.Field, "spec.")
		if !strings.ContainsAny(field, ".[") && !slices.Contains(fields, field) {
			fields = append(fields, field)
		} else if name, _, list := strings.Cut(field, "["); list && !strings.Contains(field, ".") && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	return fields
}

// userOf is the first kind that can be made and that refers to another one so that
// the cloud must not delete this.
func (s *suite) userOf(name string) string {
	for _, kind := range resource.Kinds() {
		if !s.description.Offers(kind.Name, "create") || !s.description.Offers(kind.Name, "delete") || s.target.Specs[kind.Name] == nil {
			continue
		}
		refs, err := s.refersTo(kind.Name)
		if err == nil && slices.ContainsFunc(refs, func(r resource.Ref) bool { return r.Name == name && !r.Weak && !r.Loose }) {
			return kind.Name
		}
	}
	return ""
}

// find answers the entry of a list with an id.
func find(items []driver.Item, id string) (driver.Item, bool) {
	i := slices.IndexFunc(items, func(item driver.Item) bool { return item.ID == id })
	if i < 0 {
		return driver.Item{}, false
	}
	return items[i], true
}

// withToken are the objects of a list that a token has made, without those that are
// gone or going.
func withToken(items []driver.Item, token string) []string {
	var ids []string
	for _, item := range items {
		if item.Token == token && item.State != resource.StateDeleted && item.State != resource.StateDeleting {
			ids = append(ids, item.ID)
		}
	}
	return ids
}

// listed lists the check's kind.
func (t *try) listed(c *conn) []driver.Item {
	items, err := t.list(c, t.kind)
	if err != nil {
		t.Fatalf("list %s: %v", t.kind, said(err))
	}
	return items
}

// onlyOne waits until a list shows exactly one object with a token: the one with the
// id.
func (t *try) onlyOne(c *conn, token, id string) {
	var ids []string
	_ = t.until(func() (bool, error) { // a list may lag behind, but never show two
		ids = withToken(t.listed(c), token)
		return len(ids) != 0, nil
	})
	if !slices.Equal(ids, []string{id}) {
		t.Errorf("the token of %s has made %v", id, ids)
		for _, other := range ids {
			if other != id {
				t.disposeOf(t.kind, other)
			}
		}
	}
}

// checkShape: whatever a list shows has the kind's form.
func checkShape(t *try) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if t.target.Specs[t.kind] != nil && t.description.Offers(t.kind, "create") {
		if _, err := t.root.need(t, t.kind); err != nil {
			t.Fatalf("%v", err)
		}
	}
	seen := map[string]bool{}
	for _, item := range t.listed(t.session()) {
		if seen[item.ID] {
			t.Errorf("%s is listed twice", item.ID)
		}
		seen[item.ID] = true
		for what, part := range map[string]struct {
			raw json.RawMessage
			typ reflect.Type
		}{"spec": {item.Spec, kind.SpecType()}, "status": {item.Status, kind.StatusType()}} {
			if err := strictly(part.raw, part.typ); err != nil {
				t.Errorf("the %s of %s is not that of a %s: %v: %s", what, item.ID, t.kind, err, part.raw)
			}
		}
		if keeps := t.description.Offers(t.kind, resource.ActionLabel); keeps != (item.Labels != nil) {
			t.Errorf("%s shows the labels %#v; a kind with the action label always has them, another kind never", item.ID, item.Labels)
		}
		parts, err := kind.PartsShown(item.Status)
		if err != nil {
			t.Errorf("%v", err)
		}
		for _, p := range parts {
			if p.Name == "" || !slices.Contains(resource.States(), p.State) || p.State == resource.StateFailed && p.Reason == "" {
				t.Errorf("%s shows the %s %q in the state %q with the reason %q; every part has a name and a state, and a failed one a reason", item.ID, p.Word, p.Name, p.State, p.Reason)
			}
			if p.Code != "" && !slices.Contains(resource.Codes(), p.Code) {
				t.Errorf("%s shows the %s %s with the code %q, which there is not", item.ID, p.Word, p.Name, p.Code)
			}
		}
		for key := range item.Labels {
			if strings.HasPrefix(strings.ToLower(key), "mcic") {
				t.Errorf("%s shows the connector's own tag %s as a label", item.ID, key)
			}
		}
	}
}

// checkReferences: in a driver a reference is a cloud id, always.
func checkReferences(t *try) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if t.target.Specs[t.kind] != nil && t.description.Offers(t.kind, "create") {
		if _, err := t.root.need(t, t.kind); err != nil {
			t.Fatalf("%v", err)
		}
	}
	known := map[string]map[string]bool{} // ids by kind
	look := func(id string) func(resource.Ref) (string, error) {
		return func(ref resource.Ref) (string, error) {
			if ref.Weak || !t.description.Offers(ref.Kind, "list") {
				return ref.Name, nil
			}
			if known[ref.Kind] == nil {
				known[ref.Kind] = map[string]bool{}
				items, err := t.list(t.session(), ref.Kind)
				if err != nil {
					t.Fatalf("list %s: %v", ref.Kind, said(err))
				}
				for _, item := range items {
					known[ref.Kind][item.ID] = true
				}
			}
			if !known[ref.Kind][ref.Name] {
				if _, err := t.get(t.session(), ref.Kind, ref.Name); err != nil {
					t.Errorf("%s of %s is %q, which is not the id of a %s: %v", ref.Field, id, ref.Name, ref.Kind, said(err))
				}
			}
			return ref.Name, nil
		}
	}
	for _, item := range t.listed(t.session()) {
		if item.State == resource.StateDeleted || item.State == resource.StateDeleting {
			continue // what it referred to may be gone
		}
		if _, err := kind.MapRefs(item.Spec, look(item.ID)); err != nil {
			t.Errorf("%v", err)
		}
		if _, err := kind.MapStatusRefs(item.Status, look(item.ID)); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// checkGetUnknown: what makes no sense as an id may be called invalid.
func checkGetUnknown(t *try) {
	item, err := t.get(t.session(), t.kind, wrongValue)
	if code := resource.CodeOf(err); code != resource.CodeNotFound && code != resource.CodeInvalid {
		t.Errorf("got %+v, %s; want not_found or invalid", item, said(err))
	}
}

// checkDeleteUnknown: that is how a repeated call ends.
func checkDeleteUnknown(t *try) {
	if err := t.delete(t.session(), t.kind, wrongValue); err != nil {
		t.Errorf("got %s; want no error", said(err))
	}
}

func checkActionUnknown(t *try, action *resource.Action) {
	params, err := t.params(action)
	if err != nil {
		t.Skipf("%v", err)
	}
	err = t.act(action, wrongValue, params)
	if code := resource.CodeOf(err); code != resource.CodeNotFound && code != resource.CodeInvalid {
		t.Errorf("got %s; want not_found or invalid", said(err))
	}
}

func checkViewUnknown(t *try) {
	_, err := t.view(t.session(), wrongValue, t.verb, nil)
	if code := resource.CodeOf(err); code != resource.CodeNotFound && code != resource.CodeInvalid {
		t.Errorf("got %s; want not_found or invalid", said(err))
	}
}

// checkViewWrongParams: what a schema does not have is refused.
func checkViewWrongParams(t *try) {
	if _, err := t.view(t.session(), wrongValue, t.verb, json.RawMessage(`{"mcicNoSuchField":1}`)); resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("got %s; want invalid", said(err))
	}
}

// checkOutside: the server adopts what others have made.
func checkOutside(t *try) {
	id, remove, err := t.target.Outside(t.ctx, t.kind)
	if err != nil {
		t.Fatalf("make a %s outside: %v", t.kind, err)
	}
	if id == "" {
		t.Skipf("the target does not make a %s outside", t.kind)
	}
	t.Cleanup(func() {
		if err := remove(t.ctx); err != nil {
			t.Errorf("remove the %s that was made outside: %v", t.kind, err)
		}
	})
	item, ok := find(t.listed(t.session()), id)
	if !ok {
		t.Fatalf("%s, which was made outside, is not listed", id)
	}
	if item.Token != "" {
		t.Errorf("%s, which was made outside, has the token %q", id, item.Token)
	}
	if _, err := t.get(t.session(), t.kind, id); err != nil {
		t.Errorf("get what was made outside: %v", said(err))
	}
}

// checkComplete: a short list would look like deleted objects.
func checkComplete(t *try, settings driver.Values) {
	ids := t.several()
	c := t.session()
	if settings != nil {
		c = t.connectTo(with(t.target.Config, settings))
	}
	var missing []string
	_ = t.until(func() (bool, error) { // a list may lag behind
		missing = nil
		items := t.listed(c)
		for _, id := range ids {
			if _, ok := find(items, id); !ok {
				missing = append(missing, id)
			}
		}
		return len(missing) == 0, nil
	})
	if len(missing) > 0 {
		t.Errorf("of %v the list lacks %v", ids, missing)
	}
	counts := map[string]int{}
	for _, item := range t.listed(c) {
		counts[item.ID]++
	}
	for id, n := range counts {
		if n > 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
}

// several answers as many objects of the whole run as lists are tested with.
func (t *try) several() []string {
	ids := make([]string, t.target.Objects)
	for n := range ids {
		name := t.kind
		if n > 0 {
			name = fmt.Sprintf("%s#%d", t.kind, n+1)
		}
		item, err := t.root.need(t, name)
		if err != nil {
			t.Fatalf("%v", said(err))
		}
		ids[n] = item.ID
	}
	return ids
}

func checkPages(t *try, size int) {
	if t.target.PageSize == "" {
		t.Skipf("the target has no setting for the size of a page")
	}
	checkComplete(t, driver.Values{t.target.PageSize: fmt.Sprint(size)})
}

// checkOtherAccount: connections never mix, but for what both of them say that they share.
func checkOtherAccount(t *try) {
	if t.target.Other == nil {
		t.Skipf("the target has no second account or region")
	}
	item := t.make(t.root, t.kind)
	other := t.connectTo(*t.target.Other)
	if t.session().shares(t, other) {
		t.sharedWith(other, item)
		return
	}
	if _, ok := find(t.listed(other), item.ID); ok {
		t.Errorf("%s is listed in the other account", item.ID)
	}
	if _, err := t.get(other, t.kind, item.ID); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("get in the other account: got %s; want not_found", said(err))
	}
	if err := t.delete(other, t.kind, item.ID); err != nil {
		t.Errorf("delete in the other account: got %s; want no error, as of what is not there", said(err))
	}
	if _, err := t.get(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("after the deletion in the other account: %v", said(err))
	}
}

// checkAsListed: what a list shows of an object and what Get shows are the same.
func checkAsListed(t *try) {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	var got, listed string
	err = t.until(func() (bool, error) { // both may change meanwhile
		one, err := t.get(t.session(), t.kind, item.ID)
		if err != nil {
			return false, err
		}
		entry, ok := find(t.listed(t.session()), item.ID)
		if !ok {
			return false, fmt.Errorf("%s is not listed", item.ID)
		}
		got, listed = withoutNative(one), withoutNative(entry)
		return got == listed, nil
	})
	if err != nil || got != listed {
		t.Errorf("%s\nget  shows %s\nlist shows %s", said(err), got, listed)
	}
}

// withoutNative is an object's JSON without the cloud's own fields, of which a list
// may show fewer.
func withoutNative(item driver.Item) string {
	item.Native = nil
	return compact(item)
}

// checkGetGone: an id that is well-formed and unknown is not_found.
func checkGetGone(t *try) {
	item := t.make(t.root, t.kind)
	if err := t.remove(t.session(), t.kind, item.ID); err != nil {
		t.Fatalf("delete: %v", said(err))
	}
	got, err := t.get(t.session(), t.kind, item.ID)
	if resource.CodeOf(err) != resource.CodeNotFound && (err != nil || got.State != resource.StateDeleted) {
		t.Errorf("got %+v, %s; want not_found, or the state deleted", got, said(err))
	}
}

// checkDelete: a deletion that is repeated ends like the first one.
func checkDelete(t *try) {
	item := t.makeBeside(t.root)
	for range 2 {
		if err := t.delete(t.session(), t.kind, item.ID); err != nil && resource.CodeOf(err) != resource.CodeConflict {
			t.Errorf("delete: %v", said(err))
		}
	}
	if err := t.gone(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("%v", said(err))
	}
	if err := t.delete(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("delete what is gone: got %s; want no error", said(err))
	}
}

// checkInUse: what is used stays, and so do its users.
func checkInUse(t *try, user string) {
	subject := t.make(t.root, t.kind)
	w := t.inside(t.root) // ends before the subject does
	w.put(t.kind, subject)
	on, err := w.need(t, user)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	err = t.delete(t.session(), t.kind, subject.ID)
	if resource.CodeOf(err) != resource.CodeDependency {
		t.Errorf("the deletion of what the %s %s uses: got %s; want dependency", user, on.ID, said(err))
	}
	if item, err := t.get(t.session(), t.kind, subject.ID); err != nil || !item.State.Usable() {
		t.Errorf("afterwards it is %q, %s", item.State, said(err))
	}
	if item, err := t.get(t.session(), user, on.ID); err != nil || item.State != on.State {
		t.Errorf("afterwards the %s that uses it is %q, %s; it was %q", user, item.State, said(err), on.State)
	}
}
