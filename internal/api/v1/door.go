package v1

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// doors registers routes, each with what it needs. It is no huma.API, so that nothing is
// registered without; what is served otherwise is found by checkDoors.
type doors struct {
	api    huma.API
	server *server
	needs  map[string]need // by method and path
}

// OpenAPI is the document of what was registered.
func (d *doors) OpenAPI() *huma.OpenAPI { return d.api.OpenAPI() }

// register registers a route with what it needs.
func register[In, Out any](d *doors, needs need, o huma.Operation, handle func(context.Context, *In) (*Out, error)) {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		allowed, err := d.server.admit(ctx.Context(), needs, parts(r), ctx.Param)
		if err != nil {
			problem(err).write(w)
			return
		}
		next(huma.WithContext(ctx, allowed))
	})
	o.Extensions = map[string]any{"x-right": needs.String()}
	d.needs[o.Method+" "+o.Path] = needs
	huma.Register(d.api, o, handle)
}

// handle serves a route that is no operation of the API's document.
func (d *doors) handle(router chi.Router, method, path string, needs need, next http.Handler) {
	d.needs[method+" "+path] = needs
	router.MethodFunc(method, path, func(w http.ResponseWriter, r *http.Request) {
		allowed, err := d.server.admit(r.Context(), needs, parts(r), func(name string) string { return chi.URLParam(r, name) })
		if err != nil {
			problem(err).write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(allowed))
	})
}

// public reports whether a route is open to everybody: what tells of the server alone, logs in or
// out, or is of the console, and what checks its requests itself.
func public(route string) bool {
	switch route {
	case "/", "/assets/*", "/icon.svg", "/healthz", "/readyz", sessionPath, waysPath, ssoPath, ssoCallbackPath, ssoLogoutPath, invitePath, loginPath, SpiderPrefix, SpiderPrefix + "/", SpiderPrefix + "/*":
		return true
	}
	return strings.HasPrefix(route, SpiderPrefix+"/")
}

// check panics if a route says nowhere what it needs, so that no server starts with one.
func (d *doors) check(method, route string) {
	route = documentedPath(route)
	_, declared := d.needs[method+" "+route]
	if !declared && !public(route) && !strings.HasPrefix(route, "/openapi") { // which is the document of the others
		panic("the route " + method + " " + route + " does not say what it needs; register it with doors")
	}
}

// parts reads the body of a request, which is small, and leaves it as it was.
func parts(r *http.Request) func(query string) (string, []byte) {
	return func(query string) (string, []byte) {
		if query != "" {
			return r.URL.Query().Get(query), nil
		}
		raw, _ := io.ReadAll(r.Body) // it is in memory
		r.Body = io.NopCloser(bytes.NewReader(raw))
		return "", raw
	}
}

// need is what a route needs: the right to do something, to what the request names.
type need struct {
	verb, kind string
	of         scope
	query      string // parameter that names what the path does not
	body       func(s *server, ctx context.Context, connection, name string, raw []byte) error
}

// scope is what a right is needed for.
type scope string

// What it is.
const (
	byLogin      scope = "logged in"                    // who is logged in; what is shown depends on nothing, or is looked at piece by piece
	byKind       scope = "everywhere"                   // the kind as a whole
	bySome       scope = "anywhere"                     // the kind in some connection: the answer has what may be seen
	byKinds      scope = "of any kind"                  // some kind in some connection, likewise
	byConnection scope = "in the connection"            // the kind in the connection of the path
	byList       scope = "in the connection, by labels" // the same, of which the answer has what may be seen
	byResource   scope = "of the resource"              // the resource of the path
	byOperation  scope = "of the operation"             // what the operation of the path is about
)

// String says it for documents.
func (n need) String() string {
	if n.of == byLogin {
		return string(byLogin)
	}
	verb := n.verb
	if verb == "" {
		verb = "the operation's verb"
	}
	return verb + " " + n.kind + " " + string(n.of)
}

func anybody() need                       { return need{of: byLogin} }
func ofAll(verb, kind string) need        { return need{verb: verb, kind: kind, of: byKind} }
func ofSome(kind string) need             { return need{verb: people.Read, kind: kind, of: bySome} }
func inConnection(verb, kind string) need { return need{verb: verb, kind: kind, of: byConnection} }
func ofList(verb, kind string) need       { return need{verb: verb, kind: kind, of: byList} }
func ofOne(verb, kind string) need        { return need{verb: verb, kind: kind, of: byResource} }
func ofAny(verb string) need              { return need{verb: verb, kind: people.Resources, of: byKinds} }

func ofOperation(verb string) need { return need{verb: verb, kind: people.Resources, of: byOperation} }

// ofConnection is about the connection that the path names by {name}.
func ofConnection(verb string) need {
	return need{verb: verb, kind: people.Connection, of: byConnection, query: "{name}"}
}

// inQuery is about the connection that the query names.
func inQuery(verb, kind string) need {
	return need{verb: verb, kind: kind, of: byConnection, query: "connection"}
}

// ofKindInQuery is about the kind that the query names, or else all kinds.
func ofKindInQuery(verb string) need {
	return need{verb: verb, kind: people.Resources, of: byConnection, query: "kind"}
}

// ofCreation is about new resources, with what they name.
func ofCreation(k *resource.Kind) need {
	return need{verb: people.Create, kind: k.Name, of: byList, body: func(s *server, ctx context.Context, connection, _ string, raw []byte) error {
		return s.mayCreate(ctx, k, connection, raw)
	}}
}

// ofAction is about an action, with what its parameters name.
func ofAction(k *resource.Kind, a resource.Action) need {
	return need{verb: a.Name, kind: k.Name, of: byResource, body: func(s *server, ctx context.Context, connection, name string, raw []byte) error {
		params, err := a.ParseParams(raw)
		if err != nil {
			return nil //nolint:nilerr // who reads it says what is wrong
		}
		return s.mayAct(ctx, &a, people.What{Kind: k.Name, Connection: connection}, name, params, nil)
	}}
}

// ofMany is about a verb for several resources, with what its parameters name.
func ofMany(k *resource.Kind, verb string, in scope) need {
	return need{verb: verb, kind: k.Name, of: in, body: func(s *server, ctx context.Context, connection, _ string, raw []byte) error {
		return s.mayChangeMany(ctx, k, verb, connection, raw)
	}}
}

// ofCancel is about the operation's own verb, and about deleting what it makes if that is wanted.
func ofCancel() need {
	n := ofOperation("")
	n.body = func(s *server, ctx context.Context, _, id string, raw []byte) error {
		var how Cancel
		if err := resource.Decode(raw, &how); err != nil || !how.ThenDelete {
			return nil //nolint:nilerr // who reads it says what is wrong
		}
		return s.mayFollow(ctx, people.Delete, id)
	}
	return n
}

// seen answers what whoever asks may see in the list that a route answers.
func seen(ctx context.Context) *store.Sees {
	if s, said := store.SeesOf(ctx); said {
		return s
	}
	return &store.Sees{} // nothing
}

// admit is the door: it lets a request pass that may do what its route needs.
func (s *server) admit(ctx context.Context, n need, given func(string) (string, []byte), param func(string) string) (context.Context, error) {
	what, name := people.What{Kind: n.kind}, param("name")
	switch n.of {
	case byLogin:
		return ctx, nil
	case byOperation:
		err := s.mayFollow(ctx, n.verb, param("id"))
		if err == nil && n.body != nil {
			_, raw := given("")
			err = n.body(s, ctx, "", param("id"), raw)
		}
		return ctx, err
	case byKinds:
		sees := s.People.Sees(ctx, n.verb, kindNames()...)
		if sees != nil && len(sees.Any) == 0 {
			return ctx, s.People.Refusal(ctx, n.verb, what)
		}
		return store.WithSees(ctx, sees), nil
	case byKind, bySome:
	default:
		what.Connection = param("connection")
	}
	switch n.query {
	case "":
	case "{name}":
		what.Connection = name
	case "kind":
		if kind, _ := given(n.query); kind != "" {
			what.Kind = kind
		}
	default:
		what.Connection, _ = given(n.query)
	}
	decision := s.People.Decide(ctx, n.verb, what)
	var err error
	switch {
	case decision == people.Denied:
		return ctx, s.People.Refusal(ctx, n.verb, what)
	case decision == people.Allowed:
	case n.of == bySome, n.of == byList:
	case n.of == byResource:
		err = s.mayReach(ctx, n.verb, what, name)
	default:
		err = s.People.Refusal(ctx, n.verb, what)
	}
	if err == nil && n.body != nil && !s.mayEverything(ctx, what.Connection) {
		_, raw := given("")
		err = n.body(s, ctx, what.Connection, name, raw)
	}
	if err != nil || n.of != bySome && n.of != byList {
		return ctx, err
	}
	return store.WithSees(ctx, s.People.Sees(ctx, n.verb, what.Kind)), nil
}

func kindNames() []string {
	var names []string
	for _, k := range resource.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// mayEverything reports whether nothing in a connection is kept from who asks.
func (s *server) mayEverything(ctx context.Context, connection string) bool {
	return s.People.Decide(ctx, people.All, people.What{Kind: people.All, Connection: connection}) == people.Allowed
}

// mayReach refuses who may not do something to one resource. What somebody may not see is not
// there for him.
func (s *server) mayReach(ctx context.Context, verb string, what people.What, name string) error {
	switch s.People.Decide(ctx, verb, what) {
	case people.Allowed:
		return nil
	case people.Denied:
		return s.People.Refusal(ctx, verb, what)
	}
	q := s.People.Store.Read()
	for _, v := range []string{people.Read, verb} {
		seen, err := q.SeesResource(ctx, s.People.Sees(ctx, v, what.Kind), what.Connection, what.Kind, name)
		switch {
		case err != nil:
			return err
		case !seen && v == people.Read:
			return store.NoResource(what.Kind, name, what.Connection)
		case !seen:
			return s.People.Refusal(ctx, verb, what)
		}
	}
	return nil
}

// mayFollow refuses who may not do something with an operation: what may be done to what it is
// about, to delete to what it creates. Without a verb that is the operation's own.
func (s *server) mayFollow(ctx context.Context, verb, id string) error {
	op, err := s.Engine.Operation(ctx, id)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil // which the route says in its own way
	}
	if err != nil {
		return err
	}
	q := s.People.Store.Read()
	seen, err := q.SeesOperation(ctx, s.People.Sees(ctx, people.Read, op.Kind), id)
	if err != nil || !seen {
		if err == nil {
			err = store.NoOperation(id)
		}
		return err
	}
	if verb == people.Read {
		return nil
	}
	parts, err := q.Parts(ctx, id)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		parts = []store.Operation{{ID: id, Verb: op.Verb, Kind: op.Kind, Connection: op.Connection}}
	}
	for _, part := range parts {
		if verb == people.Delete && part.Verb != api.VerbCreate {
			continue
		}
		needed := cmp.Or(verb, part.Verb)
		sees := s.People.Sees(ctx, needed, part.Kind)
		if sees != nil {
			sees.Who = "" // who began it may not go on for that
		}
		if seen, err = q.SeesOperation(ctx, sees, part.ID); err == nil && !seen {
			err = s.People.Refusal(ctx, needed, people.What{Kind: part.Kind, Connection: part.Connection})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayCreate refuses a creation with labels, secrets or references that it must not have, or
// that is followed by what may not be done. What is no creation is left to who reads it.
func (s *server) mayCreate(ctx context.Context, k *resource.Kind, connection string, raw []byte) error {
	requests, _, err := k.ParseCreates(raw)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	what := people.What{Kind: k.Name, Connection: connection}
	created := map[string]bool{}
	for _, r := range requests {
		if err := s.People.AllowLabels(ctx, people.Create, what, r.Labels); err != nil {
			return err
		}
		refs, err := k.Refs(r.Spec)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if err := s.mayName(ctx, connection, ref); err != nil {
				return err
			}
		}
		_, hidden, err := k.Hide(r.Spec)
		if err == nil && len(hidden) > 0 {
			err = s.People.AllowLabels(ctx, people.Password, what, r.Labels)
		}
		if err != nil {
			return err
		}
		created[k.Name+"/"+r.Name] = true
	}
	for _, f := range requests[0].Then {
		other := people.What{Kind: f.Kind, Connection: connection}
		if err := s.mayReach(ctx, f.Action, other, f.Name); err != nil {
			return err
		}
		params, err := f.ParseParams()
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		kind, err := resource.KindNamed(f.Kind)
		if err != nil {
			return err
		}
		a, err := kind.Action(f.Action)
		if err == nil {
			err = s.mayAct(ctx, a, other, f.Name, params, created)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayChangeMany refuses a change of several resources of which one may not be changed. Those that
// are meant by what they have in common are looked for among those that may.
func (s *server) mayChangeMany(ctx context.Context, k *resource.Kind, verb, connection string, raw []byte) error {
	var request api.ManyRequest
	if err := resource.Decode(raw, &request); err != nil {
		return nil //nolint:nilerr // who reads it says what is wrong
	}
	targets := request.Items
	for _, name := range request.Names {
		targets = append(targets, api.Target{Connection: connection, Name: name})
	}
	for _, t := range targets {
		if err := s.mayReach(ctx, verb, people.What{Kind: k.Name, Connection: t.Connection}, t.Name); err != nil {
			return err
		}
	}
	a, err := k.Action(verb)
	if err != nil { // a deletion names nothing else
		return nil //nolint:nilerr // as above
	}
	params, err := a.ParseParams(request.Params)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	if request.Matching != nil {
		targets = append(targets, api.Target{Connection: connection})
	}
	for _, t := range targets {
		if err := s.mayAct(ctx, a, people.What{Kind: k.Name, Connection: t.Connection}, t.Name, params, nil); err != nil {
			return err
		}
	}
	return nil
}

// mayAct refuses an action with secrets or references that it must not have, or after which the
// labels would be out of reach of who acts.
func (s *server) mayAct(ctx context.Context, a *resource.Action, what people.What, name string, params json.RawMessage, created map[string]bool) error {
	_, hidden, err := a.Hide(params)
	if err == nil && len(hidden) > 0 {
		err = s.mayReach(ctx, people.Password, what, name)
	}
	if err == nil && a.Name == resource.ActionLabel {
		err = s.mayLabel(ctx, what, name, params)
	}
	if err != nil {
		return err
	}
	return eachRef(a.MapRefs, params, func(ref resource.Ref) error {
		if created[ref.Kind+"/"+ref.Name] {
			return nil
		}
		return s.mayName(ctx, what.Connection, ref)
	})
}

// eachRef asks may of what parameters refer to, until one is refused.
func eachRef(mapRefs func(json.RawMessage, func(resource.Ref) (string, error)) (json.RawMessage, error), params json.RawMessage, may func(resource.Ref) error) error {
	var refused error
	_, err := mapRefs(params, func(ref resource.Ref) (string, error) {
		if refused == nil {
			refused = may(ref)
		}
		return ref.Name, nil
	})
	return cmp.Or(refused, err)
}

func (s *server) mayLabel(ctx context.Context, what people.What, name string, params json.RawMessage) error {
	if s.People.Decide(ctx, resource.ActionLabel, what) == people.Allowed {
		return nil
	}
	var change resource.LabelChange
	if err := json.Unmarshal(params, &change); err != nil {
		return err
	}
	row, err := s.People.Store.Read().Resource(ctx, what.Connection, what.Kind, name)
	if err != nil {
		return err
	}
	return s.People.AllowLabels(ctx, resource.ActionLabel, what, change.Apply(row.Labels))
}

// mayName refuses a reference to what somebody may not see, as one to what is not there.
func (s *server) mayName(ctx context.Context, connection string, ref resource.Ref) error {
	err := s.mayReach(ctx, people.Read, people.What{Kind: ref.Kind, Connection: connection}, ref.Name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return resource.Invalid(resource.Problem{Field: ref.Field, Message: err.Error(), Rule: resource.RuleMissing, Limit: ref.Kind + " " + ref.Name})
	}
	return err
}
