package drivertest

import (
	"encoding/json"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// checkNamesake: where an id is a name, another object has it once the first is gone. What
// was meant for that one, and comes late or again, does nothing to this one.
func checkNamesake(t *try, offer driver.KindOffer) {
	if !offer.ReusedIDs {
		item, err := t.root.need(t, t.kind)
		if err != nil {
			t.Fatalf("%v", said(err))
		}
		if item.ID == item.Name || strings.HasSuffix(item.ID, "/"+item.Name) {
			t.Errorf("the id %s is the name %s, which another object can have later; offer the kind with driver.ReusedIDs", item.ID, item.Name)
		}
		return
	}
	item := t.makeBeside(t.root)
	before := t.token() // of one that had the id before
	gone := driver.WithToken(t.ctx, before)
	if err := t.session().delete(gone, t.kind, item.ID); err != nil {
		t.Errorf("delete one that is gone, when another has its id: %v", said(err))
	}
	for _, name := range offer.Actions {
		if name != resource.ActionLabel {
			continue
		}
		err := t.session().act(gone, t.kind, item.ID, name, json.RawMessage(`{"set":{"mcic":"namesake"}}`))
		if resource.CodeOf(err) != resource.CodeNotFound {
			t.Errorf("%s of one that is gone, when another has its id: %v, want not_found", name, said(err))
		}
	}
	for _, name := range offer.Views {
		if _, err := t.session().view(gone, t.kind, item.ID, name, nil); resource.CodeOf(err) != resource.CodeNotFound {
			t.Errorf("%s of one that is gone, when another has its id: %v, want not_found", name, said(err))
		}
	}
	now, err := t.session().get(t.ctx, t.kind, item.ID)
	if err != nil {
		t.Fatalf("what has the id now is not to be had any more: %v", said(err))
	}
	if was, is := withoutNative(item), withoutNative(now); was != is {
		t.Errorf("what has the id now has changed\nfrom %s\nto   %s", was, is)
	}
	own := driver.WithToken(t.ctx, item.Token)
	if err := t.again(func() error { return t.session().delete(own, t.kind, item.ID) }); err != nil {
		t.Errorf("delete it with its own token: %v", said(err))
	}
	if err := t.gone(t.session(), t.kind, item.ID); err != nil {
		t.Errorf("%v", said(err))
	}
}
