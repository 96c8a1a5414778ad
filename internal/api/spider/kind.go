package spider

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// kind is one of CB-Spider's types of resources: how it differs from the others.
type kind struct {
	of       *resource.Kind
	path     string            // in routes: "securitygroup"
	envelope string            // field of a list: "securitygroup"
	word     string            // in ResourceType: "sg"
	title    string            // in messages: "Security Group"
	fields   map[string]string // CB-Spider's names of our fields that are not just spelled with a capital
	deleted  any               // answer to a deletion; default: {"Result":"true"}
	without  string            // generic routes that CB-Spider does not have: "all csp"
	owner    *kind             // what resources are parts of, and named in: VPCName says which

	// create translates a request. What is created together with the resource, such
	// as a VPC's subnets, follows it.
	create func(*request) ([]wanted, error)
	// info translates a resource. secrets are those of a creation.
	info func(v *view, r *resource.Resource, secrets map[string]string) any
	// changes are the routes of the kind's actions.
	changes []change
}

// kinds are CB-Spider's types of resources, in the order of its documents.
func kinds() []*kind {
	return []*kind{vpc(), securityGroup(), keyPair(), vm(), disk(), myImage(), publicIP(), nic(), nlb(), cluster()}
}

// wanted is a resource to create.
type wanted struct {
	kind   *resource.Kind
	owner  string // what it is to be a part of, if that is there already
	name   string // as the client calls it
	labels map[string]string
	spec   any
	then   []resource.FollowUp
}

// asked is what the engine is asked for.
func (w wanted) asked() (engine.Wanted, error) {
	body, err := json.Marshal(resource.CreateRequest[any]{
		Name: resource.NameFrom(w.name, w.kind.Name), Labels: w.labels, Spec: w.spec, OnFailure: resource.OnFailureDelete, Then: w.then,
	})
	return engine.Wanted{Kind: w.kind.Name, Body: body, FacadeName: w.name}, err
}

// named is what every creation has in its ReqInfo.
type named struct {
	Name    text
	TagList KeyValues
}

// creates makes the creation of a kind with one resource from the translation of its
// ReqInfo, a Req, which embeds named.
func creates[Req interface{ basics() named }, S any](of *resource.Kind, spec func(t *translation, req Req) S) func(*request) ([]wanted, error) {
	return func(r *request) ([]wanted, error) {
		var req Req
		if err := r.decode(&req); err != nil {
			return nil, err
		}
		b := req.basics()
		if err := b.check("Name"); err != nil {
			return nil, err
		}
		t, err := r.translation()
		if err != nil {
			return nil, err
		}
		s := spec(t, req)
		if err := t.done(); err != nil {
			return nil, err
		}
		return []wanted{{kind: of, name: string(b.Name), labels: b.TagList.labels(), spec: s}}, nil
	}
}

func (n named) basics() named { return n }

// check refuses what can be no name.
func (n named) check(field string) error {
	if wrong := resource.CheckFacadeName(string(n.Name)); wrong != "" {
		return invalid(field, "%s", wrong)
	}
	return nil
}

// change is a route that runs an action.
type change struct {
	method, path string // path below that of the resource: "/attach"
	action       string
	params       func(*request) (any, error) // nil: none
	info         bool                        // whether it answers the resource; else {"Result":"true"}

	check  func(*request, *resource.Resource) error               // refuses what makes no sense
	answer func(*request, *view, *resource.Resource) (any, error) // default: as info says
}

// Result is the answer of CB-Spider to what has none.
type Result struct{ Result string }

func done() Result { return Result{"true"} }

// routes are those that all types of resources have.
func (k *kind) routes(s *server) []route {
	one := "/" + k.path + "/{Name}"
	generic := []route{
		{method: http.MethodPost, path: "/" + k.path, needs: right{people.Create, k.of.Name, connected}, handle: k.createOne},
		{method: http.MethodGet, path: "/" + k.path, needs: right{people.Read, k.of.Name, connected}, handle: k.list},
		{method: http.MethodGet, path: one, needs: right{people.Read, k.of.Name, connected}, handle: k.get},
		{method: http.MethodDelete, path: one, needs: right{people.Delete, k.of.Name, connected}, handle: k.delete},
		{method: http.MethodPost, path: "/reg" + k.path, needs: right{people.Adopt, k.of.Name, connected}, handle: k.register},
		{method: http.MethodDelete, path: "/reg" + k.path + "/{Name}", needs: right{people.Release, k.of.Name, connected}, handle: k.unregister},
		{method: http.MethodGet, path: "/all" + k.path, needs: right{people.Read, k.of.Name, connected}, handle: k.listAll},
		{method: http.MethodGet, path: "/all" + k.path + "info", needs: right{people.Read, k.of.Name, connected}, handle: k.listAllInfo},
		{method: http.MethodDelete, path: "/csp" + k.path + "/{Id}", needs: right{people.Delete, k.of.Name, connected}, handle: k.deleteOnCloud},
		{method: http.MethodGet, path: "/count" + k.path, needs: right{people.Read, k.of.Name, somewhere}, handle: s.count(k.of)},
		{method: http.MethodGet, path: "/count" + k.path + "/{ConnectionName}", needs: right{people.Read, k.of.Name, inPath}, handle: s.count(k.of)},
	}
	var list []route
	for _, r := range generic {
		if without, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), k.path); without == "" || !strings.Contains(k.without, without) {
			list = append(list, r)
		}
	}
	for _, c := range k.changes {
		list = append(list, route{method: c.method, path: one + c.path, needs: right{c.action, k.of.Name, connected}, handle: k.change(c)})
	}
	return list
}

// createOne creates a resource and answers it when it has settled. One that fails
// does not stay.
func (k *kind) createOne(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	items, err := k.create(r)
	if err != nil {
		return nil, err
	}
	op, err := k.record(r, connection, items)
	if err != nil {
		return nil, k.explain(r, connection, items, err)
	}
	if r.async() {
		return accepted(op), nil
	}
	secrets := op.Secrets
	if op, err = r.wait(op); err != nil {
		if op != nil {
			r.untilGone(op)
		}
		return nil, k.rename(err)
	}
	found, err := k.find(r, connection, items[0].owner, items[0].name)
	if err != nil {
		return nil, err
	}
	body, err := k.render(r.view(connection), found, secrets)
	if len(secrets) > 0 {
		return secret(body), err
	}
	return body, err
}

func (k *kind) record(r *request, connection string, items []wanted) (*api.Operation, error) {
	if err := r.mayRecord(connection, items); err != nil {
		return nil, err
	}
	list := make([]engine.Wanted, len(items))
	for i, item := range items {
		var err error
		if list[i], err = item.asked(); err != nil {
			return nil, err
		}
	}
	if len(list) == 1 {
		return r.server.Engine.CreateWanted(r.Context(), connection, list[0])
	}
	return r.server.Engine.CreateTogether(r.Context(), connection, list, resource.OnFailureDelete)
}

// untilGone waits until what a failed creation has left is deleted, so that its name is
// free when the client hears of it.
func (r *request) untilGone(op *api.Operation) {
	parts := []*api.Operation{op}
	if op.Items != nil {
		var err error
		if parts, _, err = r.server.Engine.Operations(r.Context(), partsOf(op.ID)); err != nil && r.Context().Err() == nil {
			r.server.Logger.Warn("the parts of a failed creation cannot be looked up", "operation", op.ID, "error", err)
		}
	}
	for _, part := range parts {
		if part.Verb != api.VerbCreate {
			continue
		}
		found, err := r.server.Inventory.Get(r.Context(), part.Connection, part.Kind, part.Name)
		if err == nil && found.Operation != "" {
			_, err = r.server.Engine.Wait(r.Context(), found.Operation, longest)
		}
		if err != nil && resource.CodeOf(err) != resource.CodeNotFound && r.Context().Err() == nil {
			r.server.Logger.Warn("what a failed creation left cannot be looked at", "connection", part.Connection, "kind", part.Kind, "name", part.Name, "error", err)
		}
	}
}

// explain gives an error of a creation CB-Spider's words: what is there already.
func (k *kind) explain(r *request, connection string, items []wanted, err error) error {
	if resource.CodeOf(err) == resource.CodeAlreadyExists {
		for _, item := range items {
			if _, err := r.server.Inventory.Named(r.Context(), connection, item.kind.Name, item.owner, item.name); err == nil {
				return kindOf(item.kind.Name).exists(item.name, connection)
			}
		}
	}
	return k.rename(err)
}

// kindOf is the type of resources of one of our kinds.
func kindOf(name string) *kind {
	for _, k := range append(kinds(), subnet()) {
		if k.of.Name == name {
			return k
		}
	}
	return &kind{title: name}
}

// answer answers one resource, by its name here, as it is recorded.
func (k *kind) answer(r *request, connection, ours string) (any, error) {
	found, err := r.server.Inventory.Get(r.Context(), connection, k.of.Name, ours)
	if err != nil {
		return nil, err
	}
	return k.render(r.view(connection), found, nil)
}

// fresh reads one resource as its cloud shows it, together with others who read.
func (k *kind) fresh(r *request) (*resource.Resource, error) {
	at, err := k.target(r)
	if err != nil {
		return nil, err
	}
	if _, err := k.seen(r, at); err != nil { // before the cloud is asked
		return nil, err
	}
	if err := r.server.Inventory.Refresh(r.Context(), at.connection, k.of.Name, r.server.Fresh); err != nil {
		return nil, err
	}
	return k.seen(r, at)
}

func (k *kind) seen(r *request, at target) (*resource.Resource, error) {
	snapshot, err := r.server.Inventory.Snapshot(r.Context(), at.connection, k.of.Name)
	if err != nil {
		return nil, err
	}
	found := snapshot.Called(at.owner, at.name)
	if found == nil || !exists(found) {
		return nil, k.missing(at.name, at.connection)
	}
	return found, nil
}

func (k *kind) render(v *view, found *resource.Resource, secrets map[string]string) (any, error) {
	info := k.info(v, found, secrets)
	return info, v.err
}

func (k *kind) get(r *request) (any, error) {
	found, err := k.fresh(r)
	if err != nil {
		return nil, err
	}
	return k.render(r.view(found.Connection), found, nil)
}

func (k *kind) list(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	return r.server.shared(r, connection, k.path, func(v *view) (any, error) {
		return map[string]any{k.envelope: k.infos(v, func(*resource.Resource) bool { return true })}, nil
	})
}

// infos answers the fresh resources that are wanted.
func (k *kind) infos(v *view, wanted func(*resource.Resource) bool) []any {
	v.look(k.of.Name)
	infos := []any{}
	for _, item := range v.all(k.of.Name) {
		if wanted(item) {
			infos = append(infos, k.info(v, item, nil))
		}
	}
	return infos
}

// delete deletes a resource, with its parts, and answers when it is gone.
func (k *kind) delete(r *request) (any, error) {
	at, err := k.target(r)
	if err != nil {
		return nil, err
	}
	found, err := k.lookUp(r, at.connection, at.owner, at.name)
	if err != nil {
		return nil, err
	}
	return k.deleteOne(r, found)
}

func (k *kind) deleteOne(r *request, found *resource.Resource) (any, error) {
	op, err := k.recordDeletion(r, found)
	if err == nil && r.async() {
		return accepted(op), nil
	}
	if err == nil {
		_, err = r.wait(op)
	}
	switch {
	case err != nil:
		return nil, err
	case k.deleted != nil:
		return k.deleted, nil
	}
	return done(), nil
}

func (k *kind) recordDeletion(r *request, found *resource.Resource) (op *api.Operation, err error) {
	connection, one := found.Connection, inventory.Named{Kind: k.of.Name, Name: found.Name}
	parts, err := r.server.Inventory.PartsOf(r.Context(), connection, one.Kind, one.Name)
	for _, part := range append(parts, one) {
		err = cmp.Or(err, r.may(people.Delete, part.Kind, connection))
	}
	switch {
	case err != nil:
		return nil, err
	case len(parts) > 0:
		op, err = r.server.Engine.DeleteTogether(r.Context(), connection, append(parts, one), r.forced())
	case r.forced():
		op, err = r.server.Engine.ForceDelete(r.Context(), connection, one.Kind, one.Name)
	default:
		op, err = r.server.Engine.Delete(r.Context(), connection, one.Kind, one.Name)
	}
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, k.missing(called(found), connection)
	}
	return op, err
}

// AllList is where the resources of a kind are known.
type AllList struct {
	AllList struct{ MappedList, OnlySpiderList, OnlyCSPList []IID }
}

func (k *kind) listAll(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	inventory, err := r.server.Inventory.Compare(r.Context(), connection, k.of.Name)
	if err != nil {
		return nil, err
	}
	var all AllList
	lists := &all.AllList
	lists.MappedList, lists.OnlySpiderList, lists.OnlyCSPList = []IID{}, []IID{}, []IID{}
	v := r.view(connection)
	for _, item := range inventory.Items {
		switch item.Where {
		case api.InBoth, api.InKept:
			lists.MappedList = append(lists.MappedList, v.iid(k.of.Name, item.Name))
		case api.InHere:
			if item.CloudID != "" || item.State != resource.StateFailed {
				lists.OnlySpiderList = append(lists.OnlySpiderList, v.iid(k.of.Name, item.Name))
			}
		case api.InCloud, api.InOther:
			lists.OnlyCSPList = append(lists.OnlyCSPList, IID{cmp.Or(item.CloudName, item.CloudID), item.CloudID})
		}
	}
	return all, v.err
}

// AllInfoList is the same with all that is known of each.
type AllInfoList struct {
	ResourceType string
	AllListInfo  struct {
		MappedInfoList  []any
		OnlySpiderList  []IID
		OnlyCSPInfoList []any
	}
}

func (k *kind) listAllInfo(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	v := r.onCloud(connection)
	found := v.survey(k.of.Name)
	if found.err != nil {
		return nil, found.err
	}
	all := AllInfoList{ResourceType: k.word}
	lists := &all.AllListInfo
	if len(found.cloud)+len(found.here) > 0 { // CB-Spider answers null if there is nothing
		lists.MappedInfoList, lists.OnlySpiderList, lists.OnlyCSPInfoList = []any{}, []IID{}, []any{}
	}
	for _, object := range found.cloud {
		info := k.info(v, object, nil)
		if object.UID != "" {
			lists.MappedInfoList = append(lists.MappedInfoList, info)
		} else {
			lists.OnlyCSPInfoList = append(lists.OnlyCSPInfoList, info)
		}
	}
	for _, one := range found.here {
		if exists(one) {
			lists.OnlySpiderList = append(lists.OnlySpiderList, IID{called(one), one.CloudID})
		}
	}
	return all, v.err
}

// deleteOnCloud deletes what is known by its cloud id alone: it comes under
// management for the time of its deletion.
func (k *kind) deleteOnCloud(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	id, err := r.param("Id")
	if err != nil {
		return nil, err
	}
	found, err := k.managed(r, connection, id)
	if err != nil {
		return nil, err
	}
	return k.deleteOne(r, found)
}

// Count is how many there are.
type Count struct {
	Count int `json:"count"`
}

// count counts what is recorded of a kind, in one connection or in all.
func (s *server) count(of *resource.Kind) func(*request) (any, error) {
	return func(r *request) (any, error) {
		connection, err := r.param("ConnectionName")
		if err != nil {
			return nil, err
		}
		n := 0
		query := store.Query{Limit: pageSize, Sees: r.sees(of.Name)}
		for {
			items, next, err := s.Inventory.List(r.Context(), connection, of.Name, query)
			if resource.CodeOf(err) == resource.CodeNotFound {
				return nil, noConnection(connection)
			}
			if err != nil {
				return nil, err
			}
			for _, item := range items {
				if exists(item) {
					n++
				}
			}
			if next == "" {
				return Count{n}, nil
			}
			query.Token = next
		}
	}
}

// change runs an action and answers when it has ended.
func (k *kind) change(c change) func(*request) (any, error) {
	return func(r *request) (any, error) {
		at, err := k.target(r)
		if err != nil {
			return nil, err
		}
		var params any
		if c.params != nil {
			if params, err = c.params(r); err != nil {
				return nil, err
			}
		}
		found, err := k.find(r, at.connection, at.owner, at.name)
		if err != nil {
			return nil, err
		}
		if c.check != nil {
			if err := c.check(r, found); err != nil {
				return nil, err
			}
		}
		op, err := k.act(r, found, c.action, params)
		if err != nil {
			return nil, err
		}
		if r.async() {
			return accepted(op), nil
		}
		if _, err := r.wait(op); err != nil {
			return nil, k.rename(err)
		}
		switch {
		case c.answer != nil:
			if found, err = k.find(r, at.connection, at.owner, at.name); err != nil {
				return nil, err
			}
			v := r.view(at.connection)
			answer, err := c.answer(r, v, found)
			if err == nil {
				err = v.err
			}
			return answer, err
		case c.info:
			return k.answer(r, at.connection, found.Name)
		}
		return done(), nil
	}
}

// act records an action on a resource.
func (k *kind) act(r *request, found *resource.Resource, action string, params any) (*api.Operation, error) {
	if err := r.may(action, k.of.Name, found.Connection); err != nil {
		return nil, err
	}
	var body []byte
	if params != nil {
		var err error
		if body, err = json.Marshal(params); err != nil {
			return nil, err
		}
	}
	op, err := r.server.Engine.Act(r.Context(), found.Connection, k.of.Name, found.Name, action, body)
	return op, k.rename(err)
}

// longest is how long a client is let wait; it goes away before.
const longest = 24 * time.Hour
