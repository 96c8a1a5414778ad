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

// params are an action's, checked and completed as the server does it, with
// references to objects of the whole run.
func (t *try) params(action *resource.Action) (json.RawMessage, error) {
	if action.ParamsType() == nil {
		return nil, nil
	}
	var given any = map[string]any{"set": map[string]any{"team": "infra"}}
	if action.Name != resource.ActionLabel {
		var ok bool
		if given, ok = t.target.Params[t.kind+"/"+action.Name]; !ok {
			return nil, fmt.Errorf("the target has no parameters for %s/%s", t.kind, action.Name)
		}
	}
	t.numbering.Do(func() { t.number = t.counter.number(t.kind + " parameters") })
	raw, err := written(given, t.number)
	if err != nil {
		return nil, err
	}
	if raw, err = action.ParseParams(raw); err != nil {
		return nil, fmt.Errorf("the target's parameters for %s/%s: %w", t.kind, action.Name, err)
	}
	return action.MapRefs(raw, t.referred)
}

// referred is the id of what a reference names: an object of the whole run, unless it is an
// id already.
func (t *try) referred(ref resource.Ref) (string, error) {
	if _, ok := t.target.Specs[specOf(ref.Name)]; !ok {
		return ref.Name, nil
	}
	item, err := t.root.need(t, ref.Name)
	return item.ID, err
}

// checkAction: it has the effect that it says, and ends in the state that it says.
func checkAction(t *try, kind *resource.Kind, action *resource.Action) {
	known := reactionTo(t.kind + "/" + action.Name)
	item := t.makeBeside(t.root)
	if known.after != "" {
		before, err := kind.Action(known.after)
		if err != nil || !t.description.Offers(t.kind, known.after) {
			t.Skipf("the driver does not offer %s, which comes before it", known.after)
		}
		t.perform(kind, before, item.ID)
	}
	before := t.bring(kind, action, item.ID)
	raw, params := t.perform(kind, action, item.ID)
	shows := func() (shown, error) {
		after, err := t.settled(t.session(), t.kind, item.ID)
		if err != nil {
			return nil, err
		}
		if !action.Ends(after.State) {
			return nil, fmt.Errorf("after %s it is %s (%s)", action.Name, after.State, after.CloudState)
		}
		return asShown(after)
	}
	var after shown
	err := t.until(func() (done bool, err error) {
		after, err = shows()
		return err == nil && (known.shows == nil || known.shows(before, after, params)), err
	})
	switch {
	case err != nil:
		t.Errorf("%v", said(err))
	case known.shows != nil && !known.shows(before, after, params):
		t.Errorf("%s with %s shows no effect; before: %s, after: %s", action.Name, compact(params), compact(before), compact(after))
	default:
		asked, err := action.Asked([]byte(compact(before["spec"])), raw)
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.specAsAsked(asked, []byte(compact(after["spec"])))
	}
	if len(action.Until) == 0 && !known.once { // such actions are no error if there is nothing to do
		if err := t.act(action, item.ID, raw); err != nil {
			t.Errorf("%s for the second time: %v", action.Name, said(err))
		}
		after, err := shows()
		if err != nil || known.shows != nil && !known.shows(before, after, params) {
			t.Errorf("%s for the second time has another effect: %s, after: %s", action.Name, said(err), compact(after))
		}
	}
}

// asShown is an object's JSON for looking into.
func asShown(item driver.Item) (shown, error) {
	raw, err := json.Marshal(map[string]json.RawMessage{"spec": item.Spec, "status": item.Status})
	if err != nil {
		return nil, err
	}
	s := shown{}
	return s, json.Unmarshal(raw, &s)
}

// act runs an action while the cloud says that a repetition can help.
func (t *try) act(action *resource.Action, id string, params json.RawMessage) error {
	return t.again(func() error { return t.session().act(t.ctx, t.kind, id, action.Name, params) })
}

// perform runs an action with the target's parameters and waits until the object has
// settled.
func (t *try) perform(kind *resource.Kind, action *resource.Action, id string) (raw json.RawMessage, params map[string]any) {
	raw, err := t.params(action)
	if err != nil {
		t.Skipf("%v", err)
	}
	t.undo(kind, action, id)
	if err := t.act(action, id, raw); err != nil {
		t.Fatalf("%s of the %s %s: %v", action.Name, kind.Name, id, said(err))
	}
	if _, err := t.settled(t.session(), t.kind, id); err != nil {
		t.Errorf("after %s: %v", action.Name, said(err))
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &params); err != nil {
			t.Fatalf("%v", err)
		}
	}
	return raw, params
}

// bring brings an object to a state in which an action makes sense, by other actions.
func (t *try) bring(kind *resource.Kind, action *resource.Action, id string) shown {
	for range len(kind.Actions) {
		item, err := t.settled(t.session(), t.kind, id)
		if err != nil {
			t.Fatalf("%v", said(err))
		}
		if len(action.From) == 0 || slices.Contains(action.From, item.State) {
			s, err := asShown(item)
			if err != nil {
				t.Fatalf("%v", err)
			}
			return s
		}
		i := slices.IndexFunc(kind.Actions, func(a resource.Action) bool {
			return t.description.Offers(t.kind, a.Name) && slices.Contains(a.From, item.State) &&
				slices.ContainsFunc(a.Until, func(s resource.State) bool { return slices.Contains(action.From, s) })
		})
		if i < 0 {
			t.Skipf("no action brings it from %s to %v", item.State, action.From)
		}
		t.perform(kind, &kind.Actions[i], id)
	}
	t.Fatalf("the actions do not bring it to %v", action.From)
	return nil
}

// undo takes away, when the check has ended, what an action has tied to objects of the
// whole run, so that all of them can go. Until then no other check ties one of the kind to
// them: a VM may have only one public IP.
func (t *try) undo(kind *resource.Kind, action *resource.Action, id string) {
	for i := range kind.Actions {
		if undo := &kind.Actions[i]; reactionTo(t.kind+"/"+undo.Name).after == action.Name && undo.ParamsType() == nil && t.description.Offers(t.kind, undo.Name) {
			t.tie.Do(func() {
				t.tying.Lock()
				t.Cleanup(t.tying.Unlock)
			})
			t.Cleanup(func() {
				if err := t.act(undo, id, nil); err != nil {
					t.Errorf("%s after the check: %v", undo.Name, said(err))
				}
				if _, err := t.settled(t.session(), t.kind, id); err != nil {
					t.Errorf("after %s: %v", undo.Name, said(err))
				}
			})
		}
	}
}

// checkLabelAction: labels are set and removed, and the others stay.
func checkLabelAction(t *try) {
	kind, err := resource.KindNamed(t.kind)
	if err != nil {
		t.Fatalf("%v", err)
	}
	action, err := kind.Action(resource.ActionLabel)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := t.askBeside(t.root, nil)
	r.Labels = map[string]string{"stays": "as it is", "changes": "before", "goes": "x"}
	item := t.create(t.session(), t.kind, r)
	if _, err := t.settled(t.session(), t.kind, item.ID); err != nil {
		t.Fatalf("%v", said(err))
	}
	change := resource.LabelChange{Set: map[string]string{"changes": "나중", "new": "Zoë"}, Remove: []string{"goes", "never-there"}}
	raw, err := json.Marshal(change)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for range 2 {
		if err := t.act(action, item.ID, raw); err != nil {
			t.Fatalf("label: %v", said(err))
		}
		t.labelled(item.ID, change.Apply(r.Labels))
	}
	after, err := t.settled(t.session(), t.kind, item.ID)
	if err != nil || after.Token != r.Token || after.Name != r.Name {
		t.Errorf("afterwards the token is %q and the name %q, %s; they were %q and %q", after.Token, after.Name, said(err), r.Token, r.Name)
	}
}

// checkView: what only the cloud knows is answered in the view's form.
func checkView(t *try, view *resource.View) {
	if answer := t.viewed(view, nil); answer != nil && view.Plain != "" && answer[view.Plain] == "" {
		t.Errorf("the answer has no %s: %v", view.Plain, answer)
	}
}

// viewed is what a view answers of an object of the whole run, nil if there may be nothing
// and is nothing.
func (t *try) viewed(view *resource.View, params json.RawMessage) shown {
	item, err := t.root.need(t, t.kind)
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	answer, err := t.view(t.session(), item.ID, view.Name, params)
	if mayLack(t.kind+"/"+view.Name) && resource.CodeOf(err) == resource.CodeNotFound {
		return nil
	}
	if err != nil {
		t.Fatalf("%v", said(err))
	}
	if err := strictly(answer, view.AnswerType()); err != nil {
		t.Errorf("the answer is not that of %s: %v: %s", view.Name, err, answer)
	}
	var fields shown
	if err := json.Unmarshal(answer, &fields); err != nil {
		t.Fatalf("read the answer %s: %v", answer, err)
	}
	return fields
}

// checkViewParams: parameters have the effect that they say.
func checkViewParams(t *try, view *resource.View) {
	given, ok := t.target.Params[t.kind+"/"+view.Name]
	if !ok {
		t.Skipf("the target has no parameters for %s/%s", t.kind, view.Name)
	}
	raw, err := written(given, 0)
	if err == nil {
		raw, err = view.ParseParams(raw)
	}
	var params map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &params)
	}
	if err != nil {
		t.Fatalf("the target's parameters for %s/%s: %v", t.kind, view.Name, err)
	}
	before, after := t.viewed(view, nil), t.viewed(view, raw)
	if known := reactionTo(t.kind + "/" + view.Name); after != nil && known.shows != nil && !known.shows(before, after, params) {
		t.Errorf("with %s it answers %v, without %v", raw, after, before)
	}
}

// extensionChecks are those of what only this driver has.
func (s *suite) extensionChecks() []check {
	var checks []check
	for _, e := range s.description.Extensions {
		checks = append(checks,
			check{"extension", e.Name, "answer", false, func(t *try) { checkExtension(t, e) }},
			check{"extension", e.Name, "unknown-field", false, func(t *try) { checkExtensionInput(t, e) }})
	}
	if s.description.Native != "" {
		checks = append(checks, check{"extension", "native", "answer", false, checkNative})
	}
	return checks
}

func (t *try) extend(name string, input json.RawMessage) (output json.RawMessage, err error) {
	c := t.session()
	err = c.call(t.ctx, "extension "+name, func(ctx context.Context) (err error) {
		output, err = c.open.Extend(ctx, name, input)
		return err
	})
	return output, err
}

func checkExtension(t *try, e driver.ExtensionOffer) {
	input, ok := t.target.Extensions[e.Name]
	if !ok {
		t.Skipf("the target has no input for the extension %s", e.Name)
	}
	raw, err := json.Marshal(input)
	if err != nil {
		t.Fatalf("%v", err)
	}
	output, err := t.extend(e.Name, raw)
	if err != nil || !json.Valid(output) {
		t.Errorf("got %s, %s", output, said(err))
	}
}

// checkExtensionInput: what a schema does not have is refused before anything is done.
func checkExtensionInput(t *try, e driver.ExtensionOffer) {
	output, err := t.extend(e.Name, json.RawMessage(`{"mcicNoSuchField":1}`))
	if resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("got %s, %s; want invalid", output, said(err))
	}
}

func checkNative(t *try) {
	if len(t.target.Native) == 0 {
		t.Skipf("the target has no native request")
	}
	c := t.session()
	for _, r := range t.target.Native {
		var answer driver.NativeResponse
		err := c.call(t.ctx, "native", func(ctx context.Context) (err error) {
			answer, err = c.open.Native(ctx, r)
			return err
		})
		if err != nil || answer.Status < 200 || answer.Status > 299 {
			t.Errorf("%s %s %s: got %d, %s: %.300s", r.Service, r.Method, r.Path, answer.Status, said(err), answer.Body)
		}
		t.search("the answer to a native request", answer.Body+compact(maps.Clone(answer.Headers)))
	}
}
