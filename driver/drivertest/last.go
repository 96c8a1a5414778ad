package drivertest

import (
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// lastChecks come when all others have ended.
func (s *suite) lastChecks() []check {
	return []check{
		{"suite", "delete", "strangers", true, checkStrangers},
		{"suite", "delete", "nothing-left", true, checkNothingLeft},
		{"suite", "secrets", "untold", true, checkSecretsUntold},
	}
}

// look notes what is on the cloud before anything is made.
func (s *suite) look(ctx context.Context) error {
	c, err := s.connect(ctx, s.target.Config)
	if err != nil {
		return err
	}
	s.before = map[thing]bool{}
	for _, offer := range s.description.Kinds {
		items, err := c.list(ctx, offer.Name)
		if err != nil {
			return fmt.Errorf("list %s: %w", offer.Name, err)
		}
		for _, item := range items {
			s.before[thing{offer.Name, item.ID}] = true
		}
	}
	return c.open.Close()
}

// checkNothingLeft removes what the checks shared, and finds what they have lost.
func checkNothingLeft(t *try) {
	t.root.end(t)
	c := t.session()
	for _, kind := range slices.Backward(resource.Kinds()) {
		if !t.description.Offers(kind.Name, "list") {
			continue
		}
		items, err := t.list(c, kind.Name)
		if err != nil {
			t.Errorf("list %s: %v", kind.Name, said(err))
			continue
		}
		for _, item := range items {
			switch {
			case item.State == resource.StateDeleted, t.before[thing{kind.Name, item.ID}]:
				continue
			case !t.mine(item.Token): // in an account of its own nobody else has made it; all the same it stays
				if t.target.Type != driver.TestedService {
					t.Errorf("the %s %s (%s) has come into being, and nobody knows of it", kind.Name, item.ID, item.Name)
				}
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
