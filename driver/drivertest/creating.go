package drivertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// checkLife: an object is created, settles, is shown as it was asked for, and goes.
func checkLife(t *try) {
	r := t.askBeside(t.root, nil)
	accepted := t.create(t.session(), t.kind, r)
	if accepted.ID == "" {
		t.Fatalf("the creation answers no id")
	}
	item, err := t.settled(t.session(), t.kind, accepted.ID)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	if item.State != resource.StateAvailable && item.State != resource.StateRunning {
		t.Errorf("it ends up %s (%s): %s", item.State, item.CloudState, item.Reason)
	}
	t.asAsked(r, item)
	if err := t.remove(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("delete: %v", said(err))
	}
	if still, ok := find(t.listed(t.session()), item.ID); ok && still.State != resource.StateDeleted {
		err := t.until(func() (bool, error) {
			still, ok := find(t.listed(t.session()), item.ID)
			return !ok || still.State == resource.StateDeleted, fmt.Errorf("%s is gone, but listed as %s", item.ID, still.State)
		})
		if still, ok := find(t.listed(t.session()), item.ID); ok && still.State != resource.StateDeleted {
			t.Errorf("%v", err)
		}
	}
}

// asAsked compares what is shown with what was asked for. What the specification left
// out the cloud may have chosen.
func (t *try) asAsked(r driver.ItemRequest, item driver.Item) {
	if item.Token != r.Token {
		t.Errorf("it shows the token %q, asked was %q", item.Token, r.Token)
	}
	if item.Name != r.Name {
		t.Errorf("it shows the name %q, asked was %q", item.Name, r.Name)
	}
	t.specAsAsked(r.Spec, item.Spec)
}

// specAsAsked compares the fields of both specifications.
func (t *try) specAsAsked(spec, shown json.RawMessage) {
	var asked, shows map[string]any
	if err := json.Unmarshal(spec, &asked); err != nil {
		t.Fatalf("%v", err)
	}
	if err := json.Unmarshal(shown, &shows); err != nil {
		t.Fatalf("the spec is no object: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if value, ok := shows[name]; ok && !agrees(asked[name], value) {
			t.Errorf("it shows spec.%s as %s, asked was %s", name, compact(value), compact(asked[name]))
		}
	}
}

// agrees reports whether a value shown has all of a value asked for: fields of
// objects, elements of lists in any order. Lists of the cloud may be longer, such as
// by a security group's default rules.
func agrees(asked, shows any) bool {
	switch asked := asked.(type) {
	case map[string]any:
		fields, ok := shows.(map[string]any)
		for name, value := range asked {
			if shown, given := fields[name]; ok && given && !agrees(value, shown) {
				return false
			}
		}
		return ok
	case []any:
		items, ok := shows.([]any)
		for _, value := range asked {
			if !slices.ContainsFunc(items, func(shown any) bool { return agrees(value, shown) }) {
				return false
			}
		}
		return ok || len(asked) == 0
	default:
		return reflect.DeepEqual(asked, shows)
	}
}

func compact(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}

// checkSameToken: the server asks again after a lost answer, before and after the
// object has settled, and from another session.
func checkSameToken(t *try) {
	c := t.session()
	r := t.ask(t.root, t.kind, nil)
	first := t.create(c, t.kind, r)
	again := func(c *conn, when string) {
		item, err := t.persist(c, t.kind, r)
		switch {
		case err != nil:
			t.Errorf("create again %s: %v", when, said(err))
		case item.ID != first.ID:
			t.disposeOf(t.kind, item.ID)
			t.Errorf("create again %s: the same token made %s and %s", when, first.ID, item.ID)
		}
	}
	again(c, "at once")
	if _, err := t.settled(c, t.kind, first.ID); err != nil {
		t.Errorf("%v", said(err))
	}
	again(c, "after it has settled")
	again(t.connectTo(t.target.Config), "in another session")
	t.onlyOne(c, r.Token, first.ID)
}

// atOnce is how many creations with one token run at the same time.
const atOnce = 6

// checkSameTokenAtOnce: two servers may ask at the same time for a moment.
func checkSameTokenAtOnce(t *try) {
	c := t.session()
	r := t.askBeside(t.root, nil)
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		ids  = map[string]bool{}
	)
	for range atOnce {
		work.Go(func() {
			item, err := t.persist(c, t.kind, r)
			if err != nil {
				t.Errorf("create: %v", said(err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[item.ID] = true
		})
	}
	work.Wait()
	for id := range ids {
		t.disposeOf(t.kind, id)
	}
	if len(ids) != 1 {
		t.Fatalf("%d creations with one token made %v", atOnce, slices.Sorted(maps.Keys(ids)))
	}
	for id := range ids {
		t.onlyOne(c, r.Token, id)
	}
}

// checkSameTokenAfterCrash: what a token has made is known to the cloud, not to the
// driver's memory.
func checkSameTokenAfterCrash(t *try) {
	t.mortal()
	r := t.ask(t.root, t.kind, nil)
	first := t.create(t.connectTo(t.target.Config), t.kind, r)
	t.crash()
	again, err := t.persist(t.connectTo(t.target.Config), t.kind, r)
	if err != nil {
		t.Fatalf("create again: %v", said(err))
	}
	if again.ID != first.ID {
		t.disposeOf(t.kind, again.ID)
		t.Errorf("the same token made %s before the driver was started anew and %s after", first.ID, again.ID)
	}
	t.onlyOne(t.session(), r.Token, first.ID)
}

// checkSameName: names may be unique on a cloud, but are never taken for tokens.
func checkSameName(t *try) {
	r := t.ask(t.root, t.kind, nil)
	first := t.create(t.session(), t.kind, r)
	if _, err := t.settled(t.session(), t.kind, first.ID); err != nil {
		t.Errorf("%v", said(err))
	}
	other := t.ask(t.root, t.kind, nil)
	other.Name = r.Name
	second, err := t.persist(t.session(), t.kind, other)
	switch code := resource.CodeOf(err); {
	case code == resource.CodeAlreadyExists:
	case err != nil:
		t.Errorf("got %s; want another object, or already_exists", said(err))
	case second.ID == first.ID:
		t.Errorf("another token with the same name got the same object %s", first.ID)
	default:
		t.disposeOf(t.kind, second.ID)
	}
	if item, err := t.settled(t.session(), t.kind, first.ID); err != nil || item.Token != r.Token {
		t.Errorf("the first object has the token %q and %s; its token was %q", item.Token, said(err), r.Token)
	}
}

// longestName is the length of the longest name that the API takes.
const longestName = 128

// checkNames: whatever the API takes as a name must be possible, or clearly refused.
func checkNames(t *try) {
	for _, name := range []string{"x", "sg-1.Default_name", strings.Repeat("n", longestName)} {
		r := t.ask(t.root, t.kind, nil)
		r.Name = name
		item, err := t.persist(t.session(), t.kind, r)
		if err != nil {
			if resource.CodeOf(err) != resource.CodeInvalid {
				t.Errorf("the name %s: got %s; want an object, or invalid", name, said(err))
			}
			continue
		}
		t.disposeOf(t.kind, item.ID)
		settled, err := t.settled(t.session(), t.kind, item.ID)
		if err != nil || settled.Name != name {
			t.Errorf("the name %q is shown as %q, %s", name, settled.Name, said(err))
		}
	}
}

// checkLabels: they are kept as they are, whatever the script; where the cloud has no
// tags, none are shown.
func checkLabels(t *try) {
	r := t.ask(t.root, t.kind, nil)
	r.Labels = map[string]string{"team": "infra", "owner": "김하늘, Zoë & 李", "example.com/empty": ""}
	item := t.create(t.session(), t.kind, r)
	if _, err := t.settled(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("%v", said(err))
	}
	t.labelled(item.ID, r.Labels)
}

// labelled waits until an object shows labels.
func (t *try) labelled(id string, labels map[string]string) {
	keeps := t.description.Offers(t.kind, resource.ActionLabel)
	var shows map[string]string
	fits := func() bool { return maps.Equal(shows, labels) || !keeps && len(shows) == 0 }
	err := t.until(func() (bool, error) {
		item, err := t.session().get(t.ctx, t.kind, id)
		shows = item.Labels
		return err == nil && fits(), err
	})
	if err != nil || !fits() {
		t.Errorf("the labels %q are shown as %q, %s", labels, shows, said(err))
	}
}

// checkFreeText: a cloud may replace what it does not take, but not garble it.
func checkFreeText(t *try) {
	const text = "여름 – Zoë's «test» 東京"
	r := t.ask(t.root, t.kind, map[string]any{"description": text})
	item := t.create(t.session(), t.kind, r)
	settled, err := t.settled(t.session(), t.kind, item.ID)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	var spec struct{ Description *string }
	if err := json.Unmarshal(settled.Spec, &spec); err != nil {
		t.Fatalf("%v", err)
	}
	if spec.Description == nil || *spec.Description == text {
		return
	}
	ascii := !strings.ContainsFunc(*spec.Description, func(r rune) bool { return r > unicode.MaxASCII })
	if !ascii || utf8.RuneCountInString(*spec.Description) != utf8.RuneCountInString(text) {
		t.Errorf("the description %q is shown as %q", text, *spec.Description)
	}
}

// checkWrongType: drivers get checked specifications, but must not panic on others.
func checkWrongType(t *try) {
	for _, spec := range []string{`[]`, `"text"`, `7`} {
		r := driver.ItemRequest{Token: t.token(), Name: "mcic-wrong", Spec: json.RawMessage(spec)}
		_ = t.refusedToCreate(r, resource.CodeInvalid)
	}
}

// refusedToCreate creates what must be refused, and makes sure that nothing is left
// behind. It answers the refusal.
func (t *try) refusedToCreate(r driver.ItemRequest, codes ...resource.Code) error {
	item, err := t.persist(t.session(), t.kind, r)
	if err == nil {
		t.disposeOf(t.kind, item.ID)
		t.Errorf("%s was created with %s; want a code of %v", item.ID, r.Spec, codes)
		return nil
	}
	if code := resource.CodeOf(err); !slices.Contains(codes, code) {
		t.Errorf("got %s for %s; want a code of %v", said(err), r.Spec, codes)
	}
	for _, id := range withToken(t.listed(t.session()), r.Token) {
		t.disposeOf(t.kind, id)
		t.Errorf("the refused creation has left %s behind", id)
	}
	return err
}

func checkInvalid(t *try, change map[string]any) {
	_ = t.refusedToCreate(t.askBeside(t.root, change), resource.CodeInvalid, resource.CodeNotFound)
}

func checkInvalidSpec(t *try, spec any) { checkInvalid(t, t.changeOf(spec)) }

// changeOf is a specification of the target as the change of another one.
func (t *try) changeOf(spec any) map[string]any {
	raw, err := json.Marshal(spec)
	if err != nil {
		t.Fatalf("%v", err)
	}
	change := map[string]any{}
	if err := json.Unmarshal(raw, &change); err != nil {
		t.Fatalf("%v", err)
	}
	return change
}

// checkUnknownReference: what a reference names may have been deleted a moment ago.
func checkUnknownReference(t *try, field string) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	_ = t.refusedToCreate(t.askBeside(t.root, unknownIn(kind, field)), resource.CodeInvalid, resource.CodeNotFound, resource.CodeDependency)
}

// unknownIn is the change of a specification whose reference names nothing.
func unknownIn(kind *resource.Kind, field string) map[string]any {
	if f, ok := fieldOf(kind.SpecType(), field); ok && f.Type.Kind() == reflect.Slice {
		return map[string]any{field: []string{wrongValue}}
	}
	return map[string]any{field: wrongValue}
}

// mostOfQuota is how many objects a quota for tests may allow.
const mostOfQuota = 10

// checkQuota: a limit is no failure of the cloud, and waiting does not help.
func checkQuota(t *try) {
	limited := t.connectTo(t.target.Quota[t.kind])
	w := t.inside(nil)
	w.conn = limited
	for range mostOfQuota + 1 {
		r := t.ask(w, t.kind, nil)
		item, err := t.persist(limited, t.kind, r)
		if err == nil {
			t.Cleanup(func() { t.dispose(limited, t.kind, item.ID) })
			continue
		}
		if resource.CodeOf(err) != resource.CodeQuota || resource.AsError(err).Retryable {
			t.Errorf("got %s, retryable: %v; want the code quota, which a retry does not help", said(err), resource.AsError(err).Retryable)
		}
		return
	}
	t.Errorf("%d objects were created; the target's quota should allow at most %d", mostOfQuota+1, mostOfQuota)
}
