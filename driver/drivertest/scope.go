package drivertest

import (
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// shares reports whether two sessions say that they see the same objects of the check's kind.
func (c *conn) shares(t *try, other *conn) bool {
	var scopes [2]string
	for i, each := range []*conn{c, other} {
		place, err := each.open.Place(t.ctx)
		if err != nil {
			t.Fatalf("%v", said(err))
		}
		for kind := range place.Scopes {
			if !t.description.Offers(kind, "list") || t.description.Keeps(kind) {
				t.Errorf("the session names a scope of the kind %s, of which the cloud has no objects", kind)
			}
		}
		scopes[i] = place.Scopes[t.kind]
	}
	return scopes[0] != "" && scopes[0] == scopes[1]
}

// sharedWith looks at an object in another session that sees the same ones: there it is the same,
// with the same token, and one deletion is enough.
func (t *try) sharedWith(other *conn, item driver.Item) {
	seen, err := other.get(t.ctx, t.kind, item.ID)
	if err != nil || seen.Token != item.Token || seen.Name != item.Name {
		t.Errorf("%s, which both sessions share, is %q with the token %q in the other one, %s; it was made as %q with %q", item.ID, seen.Name, seen.Token, said(err), item.Name, item.Token)
	}
	if !t.comes(func() bool { _, ok := find(t.listed(other), item.ID); return ok }) {
		t.Errorf("%s, which both sessions share, is not listed in the other one", item.ID)
	}
	if err := t.remove(t.session(), t.kind, item.ID); err != nil {
		t.Fatalf("delete: %v", said(err))
	}
	if _, err := other.get(t.ctx, t.kind, item.ID); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("after its deletion it is in the other session: got %s; want not_found", said(err))
	}
}
