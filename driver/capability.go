package driver

import (
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Capability is one verb of one kind on one cloud: whether it is there, and what it
// was tested against.
type Capability struct {
	Kind    string           `json:"kind" doc:"Kind, catalog or feed."`
	Verb    string           `json:"verb" doc:"Verb, action, view or data call."`
	Offered bool             `json:"offered" doc:"Whether the driver has it. A connection may still lack it, if its installation has no such service."`
	Kept    bool             `json:"kept,omitempty" doc:"Whether the server has it in the place of the driver: it keeps the resources of the kind, because the cloud has no such object."`
	Reason  string           `json:"reason,omitempty" doc:"Why the driver does not have it, if it says so."`
	Tested  []CapabilityTest `json:"tested,omitempty" doc:"What it was tested against. Absent if it was not." nullable:"false"`
}

// CapabilityTest is a test of a capability.
type CapabilityTest struct {
	Against string   `json:"against" doc:"What stood for the cloud, with its version."`
	Type    string   `json:"type" doc:"service: the cloud's own; emulator: written by others; simulator: written by this project." enum:"service,emulator,simulator"`
	Passed  int      `json:"passed" doc:"Number of checks that passed."`
	Reasons []string `json:"reasons,omitempty" doc:"Why other checks were left out, or fail on what it was tested against." nullable:"false"`
}

// Capabilities are all kinds with their verbs, actions and views, all catalogs and
// all feeds, offered or not.
func (d *Description) Capabilities() []Capability {
	var all []Capability
	add := func(kind, verb string, offered bool) {
		c := Capability{Kind: kind, Verb: verb, Offered: offered, Kept: offered && d.Keeps(kind)}
		if !offered {
			c.Reason = d.WhyNot(kind, verb)
		}
		for _, t := range d.Tested {
			for _, v := range t.Verbs {
				if offered && v.Kind == kind && v.Verb == verb {
					c.Tested = append(c.Tested, CapabilityTest{Against: t.Against, Type: t.Type, Passed: v.Passed, Reasons: v.Reasons})
				}
			}
		}
		all = append(all, c)
	}
	for _, kind := range resource.Kinds() {
		verbs := []string{"list", "get", "create", "check", "delete"}
		for _, action := range kind.Actions {
			verbs = append(verbs, action.Name)
		}
		for _, view := range kind.Views {
			verbs = append(verbs, view.Name)
		}
		for _, call := range kind.Data {
			verbs = append(verbs, call.Name)
		}
		for _, verb := range verbs {
			add(kind.Name, verb, d.Offers(kind.Name, verb))
		}
	}
	for _, catalog := range resource.Catalogs() {
		add(catalog.Name, "list", slices.Contains(d.Catalogs, catalog.Name))
	}
	for _, feed := range resource.Feeds() {
		add(feed.Name, "read", d.offersFeed(feed.Name))
	}
	return all
}
