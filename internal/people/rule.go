package people

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The verbs that are no actions of kinds.
const (
	Read    = "read"
	Create  = "create"
	Update  = "update"
	Delete  = "delete"
	Adopt   = "adopt"
	Release = "release"

	// Those of which each is a right of its own, which change does not have.
	Kubeconfig  = "kubeconfig"  // see what opens a cluster
	Login       = "login"       // log in by SSH
	Password    = "password"    // set passwords, and see first ones
	Data        = "data"        // reach objects and messages
	Native      = "native"      // use the cloud's own API
	Extend      = "extend"      // run what only one driver has
	Credentials = "credentials" // take temporary credentials of the cloud
	Cost        = "cost"        // see what things cost
	Manage      = "manage"      // drivers, or people
)

// The words that stand for several verbs or kinds.
const (
	Change    = "change"   // every verb but read and those of a right of their own
	Resources = "resource" // every kind of resources
	Catalogs  = "catalog"  // every catalog and feed
	All       = "*"        // everything
)

// The kinds of what the server has beside resources and catalogs.
const (
	Connection = "connection"
	Credential = "credential"
	Driver     = "driver"
	Repository = "repository"
	Audit      = "audit"
	Person     = "person" // users, groups, roles, grants and tokens
	Server     = "server" // its metrics
)

// ownRights are the verbs that change does not have.
func ownRights() []string {
	return []string{Kubeconfig, Login, Password, Data, Native, Extend, Credentials, Cost, Manage}
}

// rule is one of a role as it was granted to somebody.
type rule struct {
	role         string
	verbs, kinds []string
	connections  [][]string        // of each, one pattern fits
	placed       []store.LabelTest // what the labels of the connection must be
	labels       []store.LabelTest
	known        places
}

// places are the labels of all connections.
type places map[string]map[string]string

// scope is where something is granted, everywhere by default.
type scope struct{ connections, labels []string }

// newRule reads one of a role, granted in some of the connections.
func newRule(role string, r api.RoleRule, granted scope, known places) (made rule, err error) {
	made = rule{role: role, verbs: r.Verbs, kinds: r.Kinds, known: known}
	for _, patterns := range [][]string{r.Connections, granted.connections} {
		if len(patterns) > 0 && !slices.Contains(patterns, All) {
			made.connections = append(made.connections, patterns)
		}
	}
	if made.placed, err = parseLabels(slices.Concat(r.ConnectionLabels, granted.labels)); err != nil {
		return rule{}, err
	}
	made.labels, err = parseLabels(r.Labels)
	return made, err
}

func parseLabels(texts []string) (tests []store.LabelTest, err error) {
	for _, text := range texts {
		test, err := parseLabel(text)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return tests, nil
}

// label is what a test of a label looks like.
var label = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._/-]*)(!?=)(.+)$`) // compiled once, never changed

func parseLabel(text string) (store.LabelTest, error) {
	parts := label.FindStringSubmatch(text)
	if parts == nil {
		return store.LabelTest{}, fmt.Errorf("%.64q is not key=value or key!=value", text)
	}
	return store.LabelTest{Key: parts[1], Value: parts[3], Not: parts[2] == "!="}, nil
}

// covers reports whether the rule is about a verb of a kind at all.
func (r rule) covers(verb, kind string) bool {
	return (slices.Contains(r.verbs, verb) || slices.Contains(r.verbs, All) || slices.Contains(r.verbs, Change) && changes(verb)) &&
		(slices.Contains(r.kinds, kind) || slices.Contains(r.kinds, All) || slices.Contains(r.kinds, groupOf(kind)))
}

func changes(verb string) bool {
	return verb != Read && verb != All && !slices.Contains(ownRights(), verb)
}

// groupOf is the word that stands for all kinds that are like one.
func groupOf(kind string) string {
	if _, err := resource.KindNamed(kind); err == nil || kind == Resources {
		return Resources
	}
	for _, c := range resource.Catalogs() {
		if c.Name == kind {
			return Catalogs
		}
	}
	for _, f := range resource.Feeds() {
		if f.Name == kind {
			return Catalogs
		}
	}
	return kind
}

// in reports whether the rule holds in a connection, "" for all of them. One that is not known
// here yet has no labels that could be right.
func (r rule) in(connection string) bool {
	if len(r.placed) > 0 {
		if labels, there := r.known[connection]; !there || !pass(r.placed, labels) {
			return false
		}
	}
	for _, patterns := range r.connections {
		if connection == "" || !slices.ContainsFunc(patterns, func(p string) bool { return fits(p, connection) }) {
			return false
		}
	}
	return true
}

// fits reports whether a name is one that a pattern stands for, in which * is any text.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, All)
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = rest
	}
	return true
}

// names are those of the connections that the rule holds in, nil for all. A name that is in the
// rule is one even if there is no such connection, any more or yet.
func (r rule) names() []string {
	if len(r.connections)+len(r.placed) == 0 {
		return nil
	}
	names := slices.Collect(maps.Keys(r.known))
	for _, patterns := range r.connections {
		names = append(names, patterns...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, All) || !r.in(name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// has reports whether labels are those that the rule is about.
func (r rule) has(labels map[string]string) bool { return pass(r.labels, labels) }

// pass reports whether labels pass all tests.
func pass(tests []store.LabelTest, labels map[string]string) bool {
	return !slices.ContainsFunc(tests, func(t store.LabelTest) bool { return (labels[t.Key] == t.Value) == t.Not })
}

// What is what a decision is about, whatever its labels are.
type What struct {
	Kind       string // Resources for all kinds of them together
	Connection string // "" for all of them together
}

// Decision is whether something is allowed.
type Decision int

// The decisions.
const (
	Denied Decision = iota
	Partly          // to what has some labels; of all connections, in some
	Allowed
)

// decide is the only decision.
func decide(rules []rule, verb string, what What) Decision {
	best := Denied
	for _, r := range rules {
		switch {
		case !r.covers(verb, what.Kind):
		case r.in(what.Connection) && len(r.labels) == 0:
			return Allowed
		case r.in(what.Connection) || what.Connection == "":
			best = Partly
		}
	}
	return best
}

// decideLabels is decide for what has these labels.
func decideLabels(rules []rule, verb string, what What, labels map[string]string) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.covers(verb, what.Kind) && r.in(what.Connection) && r.has(labels) })
}

// sees is what of some kinds somebody sees, nil for all of it.
func sees(rules []rule, verb string, kinds ...string) *store.Sees {
	found, whole := &store.Sees{}, 0
	for _, kind := range kinds {
		if decide(rules, verb, What{Kind: kind}) == Allowed {
			found.Any = append(found.Any, store.Part{Kind: kind})
			whole++
			continue
		}
		for _, r := range rules {
			if r.covers(verb, kind) {
				part := store.Part{Kind: kind, Connections: r.names(), Labels: r.labels}
				if len(r.placed) == 0 {
					part.Patterns = r.connections
				}
				found.Any = append(found.Any, part)
			}
		}
	}
	if whole == len(kinds) {
		return nil
	}
	return found
}
