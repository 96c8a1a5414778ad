package drivertest

import (
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// lastChecks come when all others have ended.
func (s *suite) lastChecks() []check {
	return []check{
		{"suite", "delete", "nothing-left", true, checkNothingLeft},
		{"suite", "secrets", "untold", true, checkSecretsUntold},
	}
}

// checkNothingLeft removes what the checks shared, and finds what they have lost.
func checkNothingLeft(t *try) {
	t.root.end(t)
	c := t.session()
	for _, kind := range slices.Backward(resource.Kinds()) {
		if !t.description.Offers(kind.Name, "list") {
			continue
		}
		items, err := c.list(t.ctx, kind.Name)
		if err != nil {
			t.Errorf("list %s: %v", kind.Name, said(err))
			continue
		}
		for _, item := range items {
			if !t.mine(item.Token) || item.State == resource.StateDeleted {
				continue
			}
			t.Errorf("the %s %s (%s) is left, made with the token %s", kind.Name, item.ID, item.Name, item.Token)
			if err := t.remove(c, kind.Name, item.ID); err != nil {
				t.Errorf("remove it: %v", said(err))
			}
		}
	}
}

// checkSecretsUntold: whatever a driver says may be seen by people who must not know
// its credentials.
func checkSecretsUntold(t *try) {
	t.search("its log or its output", t.ear.heard())
	t.suite.mu.Lock()
	defer t.suite.mu.Unlock()
	for _, leak := range t.leaks {
		t.Errorf("%s", leak)
	}
}
