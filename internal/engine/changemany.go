package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// manyChange is a change of several resources of a kind, each as by a request of its own.
type manyChange struct {
	kind    *resource.Kind
	change  store.Change
	rows    []store.Resource // as they were before
	refused map[string]error // what is known before anything is recorded, by uid
	labels  *resource.LabelChange
	here    map[string]bool // connections whose labels are only here
}

// ChangeMany records an action on several resources of a kind, or their deletion, with one
// operation for all, which has one on each as parts. What cannot be begun is a part that has
// failed; where nothing can, nothing is recorded. Without a connection they are of any. body is
// an api.ManyRequest as the user sent it.
func (e *Engine) ChangeMany(ctx context.Context, connection, kind, verb string, body []byte) (*api.Operation, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	var request api.ManyRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	m := &manyChange{kind: k, here: map[string]bool{}}
	if err := m.parse(verb, &request); err != nil {
		return nil, err
	}
	if m.rows, err = e.meant(ctx, connection, k, &request); err != nil {
		return nil, err
	}
	if err := e.refuse(ctx, m); err != nil {
		return nil, err
	}
	return e.recordMany(ctx, m.common(), func(ctx context.Context, q *store.Queries) ([]member, error) { return e.members(ctx, q, m) })
}

// common is the change of the operation for all.
func (m *manyChange) common() store.Change {
	if action, is := m.change.(store.Action); is {
		return store.Action{Name: action.Name}
	}
	return m.change
}

// parse reads what each is asked for.
func (m *manyChange) parse(verb string, r *api.ManyRequest) error {
	if verb == api.VerbDelete {
		if len(r.Params) > 0 {
			return resource.Invalid(resource.Problem{Field: "params", Message: "is for actions; leave it out", Rule: resource.RuleUnknown})
		}
		m.change = store.Deletion{Force: r.Force}
		return nil
	}
	if r.Force {
		return resource.Invalid(resource.Problem{Field: "force", Message: "is for deletions; leave it out", Rule: resource.RuleUnknown})
	}
	a, err := m.kind.Action(verb)
	if err != nil {
		return err
	}
	change := store.Action{Name: verb}
	if change.Params, err = a.ParseParams(r.Params); err != nil {
		return fieldsBelow("params", err)
	}
	return m.as(change)
}

// as has each be asked for an action.
func (m *manyChange) as(change store.Action) (err error) {
	m.change = change
	if change.Name == resource.ActionLabel {
		m.labels, err = change.Labels()
	}
	return err
}

// meant answers the resources that a request is about.
func (e *Engine) meant(ctx context.Context, connection string, k *resource.Kind, r *api.ManyRequest) ([]store.Resource, error) {
	field, other, given := "items", "names", r.Items
	if connection != "" {
		if err := e.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
			return nil, err
		}
		field, other, given = "names", "items", nil
		for _, name := range r.Names {
			given = append(given, api.Target{Connection: connection, Name: name})
		}
	}
	switch wrong := len(r.Names) > 0 && connection == "" || len(r.Items) > 0 && connection != ""; {
	case wrong:
		return nil, resource.Invalid(resource.Problem{Field: other, Message: "is not for this path; give " + field, Rule: resource.RuleUnknown})
	case (r.Matching == nil) == (len(given) == 0):
		return nil, resource.Invalid(resource.Problem{Field: field, Message: "give either " + field + " or matching", Rule: resource.RuleExclusive, Limit: "matching"})
	case r.Matching != nil:
		return e.matching(ctx, connection, k, r.Matching)
	}
	first, names := map[api.Target]int{}, map[string][]string{} // by connection
	for i, t := range given {
		if _, twice := first[t]; !twice {
			first[t], names[t.Connection] = i, append(names[t.Connection], t.Name)
		}
	}
	var rows []store.Resource
	there := map[api.Target]bool{}
	for in, some := range names {
		found, err := e.store.Read().ResourcesNamed(ctx, in, k.Name, some)
		if err != nil {
			return nil, err
		}
		for i := range found {
			there[targetOf(&found[i])] = true
		}
		rows = append(rows, found...)
	}
	var problems []resource.Problem
	for i, t := range given {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch before := first[t]; {
		case len(problems) == maxProblems:
		case before != i:
			problems = append(problems, resource.Problem{Field: at, Message: fmt.Sprintf("the same as %s[%d]; leave one out", field, before), Rule: resource.RuleDuplicate, Limit: fmt.Sprintf("%s[%d]", field, before)})
		case !there[t]:
			missing := e.store.Read().OrNoConnection(ctx, t.Connection, store.NoResource(k.Name, t.Name, t.Connection))
			problems = append(problems, resource.Problem{Field: at, Message: missing.Error(), Rule: resource.RuleMissing, Limit: k.Name + " " + t.Name})
		}
	}
	return inOrder(rows), resource.Invalid(problems...)
}

// maxProblems is how many wrong names one answer has.
const maxProblems = 20

func targetOf(r *store.Resource) api.Target {
	return api.Target{Connection: r.Connection, Name: r.Name}
}

// inOrder is the order of the parts of a change.
func inOrder(rows []store.Resource) []store.Resource {
	slices.SortFunc(rows, func(a, b store.Resource) int {
		return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Name, b.Name))
	})
	return rows
}

// matching looks up what matches. If that is more than somebody has seen, it is not what is
// meant.
func (e *Engine) matching(ctx context.Context, connection string, k *resource.Kind, m *api.Matching) ([]store.Resource, error) {
	sees, _ := store.SeesOf(ctx)
	query := store.Query{Search: m.Search, Limit: m.Expected, Sees: sees}
	for _, text := range m.Filter {
		f, err := store.ParseFilter(text)
		if err != nil {
			return nil, err
		}
		query.Filters = append(query.Filters, f)
	}
	if len(query.Filters) == 0 && query.Search == "" && connection == "" {
		return nil, resource.Invalid(resource.Problem{Field: "matching", Message: "says nothing, and would mean all of all connections; give a filter or words", Rule: resource.RuleRequired})
	}
	rows, next, err := e.store.Read().ListResources(ctx, connection, k.Name, query)
	switch {
	case err != nil:
		return nil, err
	case next != "":
		return nil, resource.Errorf(resource.CodeConflict, "more than %d %ss match by now; look again and give the new number as expected", m.Expected, k.Name)
	case len(rows) == 0:
		return nil, e.store.Read().OrNoConnection(ctx, connection, resource.Errorf(resource.CodeNotFound, "no %s matches any more", k.Name))
	}
	return inOrder(rows), nil
}

// refuse finds what is refused without a look at the records: what connections do not offer,
// and what is used by what only their clouds have.
func (e *Engine) refuse(ctx context.Context, m *manyChange) (err error) {
	m.refused = map[string]error{}
	if m.change == (store.Deletion{}) {
		if m.refused, err = e.inventory.UsedThere(ctx, m.rows); err != nil {
			return err
		}
	}
	offered := map[string]error{}
	for i := range m.rows {
		in := m.rows[i].Connection
		err, known := offered[in]
		if !known {
			err = e.offeredTo(ctx, in, m)
			if err != nil && !refusal(err) {
				return err
			}
			offered[in] = err
		}
		if err != nil {
			m.refused[m.rows[i].UID] = err
		}
	}
	return nil
}

// offeredTo refuses a change that a connection does not offer.
func (e *Engine) offeredTo(ctx context.Context, connection string, m *manyChange) error {
	verb := m.change.Verb()
	switch deletion, deletes := m.change.(store.Deletion); {
	case deletion.Force:
		return nil
	case deletes:
		_, err := e.registry.Offers(ctx, connection, m.kind.Name, verb)
		return err
	case verb == resource.ActionLabel:
		if _, err := e.registry.Offers(ctx, connection, m.kind.Name, verb); resource.CodeOf(err) == resource.CodeUnsupported {
			m.here[connection] = true
			return nil
		}
	}
	return e.registry.Has(ctx, connection, m.kind.Name, verb)
}

// refusal reports whether an error is about one resource, so that others can be changed.
func refusal(err error) bool {
	switch resource.CodeOf(err) {
	case resource.CodeConflict, resource.CodeDependency, resource.CodeNotFound, resource.CodeUnsupported:
		return true
	}
	return false
}

// members begins the change of each.
func (e *Engine) members(ctx context.Context, q *store.Queries, m *manyChange) ([]member, error) {
	uids := store.Convert(m.rows, func(r *store.Resource) string { return r.UID })
	rows, err := q.ResourcesByUID(ctx, uids)
	if err != nil {
		return nil, err
	}
	check := onCloud
	if _, deletes := m.change.(store.Deletion); deletes {
		used, err := q.Used(ctx, uids)
		if err != nil {
			return nil, err
		}
		check = func(ctx context.Context, q *store.Queries, row *store.Resource) error {
			if used[row.UID] {
				return mayGo(ctx, q, row)
			}
			row.State = resource.StateDeleting
			return nil
		}
	}
	members := make([]member, len(uids))
	for i, uid := range uids {
		row, err := rows[uid], m.refused[uid]
		if row == nil || row.DeletedAt != 0 {
			row, err = &m.rows[i], store.NoResource(m.kind.Name, m.rows[i].Name, m.rows[i].Connection)
		}
		if err == nil {
			err = mayBegin(ctx, q, row, check)
		}
		if members[i], err = e.member(ctx, q, m, row, err); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// member begins the change of one, unless that is refused.
func (e *Engine) member(ctx context.Context, q *store.Queries, m *manyChange, row *store.Resource, refused error) (member, error) {
	switch {
	case refusal(refused):
		shown, hidden, err := hide(row.Kind, m.change)
		op := e.inventory.EndedOperation(ctx, row, shown, resource.AsError(refused))
		if len(hidden) > 0 {
			wipe(op)
		}
		return member{op: op}, err
	case refused != nil:
		return member{}, refused
	case m.here[row.Connection]:
		row.Labels = m.labels.Apply(row.Labels)
		row.UpdatedAt, row.UpdatedBy = e.now(), auth.Who(ctx)
		return member{row, e.inventory.EndedOperation(ctx, row, m.change, nil)}, q.UpdateResource(ctx, row, row.LeaseOwner)
	}
	op, err := e.beginOn(ctx, q, row, m.change)
	return member{row, op}, fieldsBelow("params", err)
}

// retryParts does again what parts of an operation failed to do.
func (e *Engine) retryParts(ctx context.Context, old *store.Operation) (*api.Operation, error) {
	parts, err := e.store.Read().Parts(ctx, old.ID)
	if err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(part store.Operation) bool { return mayRetry(&part) != nil })
	if len(parts) == 0 {
		return nil, resource.Errorf(resource.CodeConflict, "nothing of the operation %s failed so that it could be tried again", old.ID)
	}
	m := &manyChange{here: map[string]bool{}}
	if m.kind, err = resource.KindNamed(old.Kind); err != nil {
		return nil, err
	}
	if action, is := parts[0].Change.(store.Action); is && action.Name == resource.ActionLabel {
		if err := m.as(action); err != nil {
			return nil, err
		}
		for _, part := range parts {
			if err := e.offeredTo(ctx, part.Connection, m); err != nil && !refusal(err) {
				return nil, err
			}
		}
	}
	return e.recordMany(ctx, old.Change, func(ctx context.Context, q *store.Queries) ([]member, error) {
		members := make([]member, len(parts))
		became := map[string]string{} // ids of the new operations, by those of the old ones
		for i := range parts {
			part, one := &parts[i], *m
			one.change = part.Change
			row, err := q.Resource(ctx, part.Connection, part.Kind, part.Name)
			switch resource.CodeOf(err) {
			case "":
				err = mayBegin(ctx, q, row, sameAgain(part))
			case resource.CodeNotFound:
				row = &store.Resource{UID: part.UID, Connection: part.Connection, Kind: part.Kind, Name: part.Name}
			}
			if members[i], err = e.member(ctx, q, &one, row, err); err != nil {
				return nil, err
			}
			became[part.ID] = members[i].op.ID
			members[i].op.Follows = became[part.Follows]
		}
		return members, nil
	})
}
