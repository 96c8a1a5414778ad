package spider

import (
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// right is what a route needs: to do something with a kind, by default in the connection that
// the request names. Rights that depend on labels are of no use here: what is answered of a
// connection is made for all who may see it.
type right struct {
	verb, kind string
	in         place
}

// place is where a right is needed.
type place int

// The places.
const (
	connected  place = iota // in the connection that the request names
	ofType                  // there, for the kind that ResourceType names
	itself                  // for the connection that the path names
	inPath                  // in the connection that the path names by {ConnectionName}
	everywhere              // in all connections
	somewhere               // in any connection: the handler answers, and does, what may be
)

// admit refuses a request that may not do what its route needs.
func (r *request) admit(n right) error {
	kind, connection := n.kind, ""
	var err error
	switch n.in {
	case ofType:
		k, typeErr := r.typed()
		if typeErr != nil {
			return typeErr
		}
		kind = k.of.Name
		connection, err = r.need("ConnectionName")
	case connected:
		connection, err = r.need("ConnectionName")
	case itself:
		connection, err = r.param("Name")
	case inPath:
		connection, err = r.param("ConnectionName")
	case somewhere:
		if r.people().Decide(r.Context(), n.verb, people.What{Kind: kind}) == people.Denied {
			return r.people().Refusal(r.Context(), n.verb, people.What{Kind: kind})
		}
		return nil
	case everywhere:
	}
	if err != nil {
		return err
	}
	return r.may(n.verb, kind, connection)
}

func (r *request) people() *people.People { return r.server.People }

// may refuses who may not do something with a kind in a connection, "" for all.
func (r *request) may(verb, kind, connection string) error {
	return r.people().Allow(r.Context(), verb, people.What{Kind: kind, Connection: connection})
}

// sees answers which resources of a kind may be counted.
func (r *request) sees(kind string) *store.Sees {
	return r.people().Sees(r.Context(), people.Read, kind).WithoutLabels()
}

// mayRecord refuses a creation of what must not be created, with a password that must not be
// set, or followed by what must not be done.
func (r *request) mayRecord(connection string, items []wanted) error {
	for _, item := range items {
		if err := r.may(people.Create, item.kind.Name, connection); err != nil {
			return err
		}
		raw, err := json.Marshal(item.spec)
		if err != nil {
			return err
		}
		_, hidden, err := item.kind.Hide(raw)
		if err == nil && len(hidden) > 0 {
			err = r.may(people.Password, item.kind.Name, connection)
		}
		if err != nil {
			return err
		}
		for _, f := range item.then {
			if err := r.may(f.Action, f.Kind, connection); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDoors panics if a route says nowhere what it needs, so that no server starts with one.
func checkDoors(all []route) {
	for _, r := range all {
		if r.needs.verb == "" && !r.public && r.missing == "" && r.refused == "" {
			panic("the route " + r.method + " " + r.path + " does not say what it needs")
		}
	}
}
