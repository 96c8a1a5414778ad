package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Wanted is a resource to create: a kind and the request as a user sends it.
type Wanted struct {
	Kind       string
	Body       json.RawMessage
	FacadeName string // name for clients of CB-Spider's API; the name in the body is then one that may be changed
}

// CreateTogether records several new resources of a connection, all or none, with
// one operation for all. What is used comes before what uses it. If the creation of one
// fails, all of them are deleted when onFailure says so. Kinds that show a secret once
// cannot be among them.
func (e *Engine) CreateTogether(ctx context.Context, connection string, items []Wanted, onFailure resource.OnFailure) (*api.Operation, error) {
	creations := make([]*creation, len(items))
	for i, item := range items {
		k, err := resource.KindNamed(item.Kind)
		if err != nil {
			return nil, err
		}
		if len(k.Secrets) > 0 {
			return nil, resource.Errorf(resource.CodeUnsupported, "the kind %s shows a secret once; create it by itself", k.Name)
		}
		request, err := k.ParseCreate(item.Body)
		if err != nil {
			return nil, err
		}
		if err := e.registry.Has(ctx, connection, k.Name, api.VerbCreate); err != nil {
			return nil, err
		}
		if creations[i], err = e.prepare(k, connection, item.FacadeName, request); err != nil {
			return nil, err
		}
	}
	return e.createMany(ctx, connection, creations, nil, creationOf(onFailure))
}

// createMany records several resources and what follows the last of them, all or none,
// each with an operation, and one that counts those.
func (e *Engine) createMany(ctx context.Context, connection string, creations []*creation, then []resource.FollowUp, all store.Creation) (*api.Operation, error) {
	thenParams, err := e.followUps(ctx, connection, then)
	if err != nil {
		return nil, err
	}
	return e.recordMany(ctx, all, func(ctx context.Context, q *store.Queries) ([]member, error) {
		return e.insertMany(ctx, q, connection, creations, then, thenParams)
	})
}

// member is one of several that are changed together: its operation, and its row unless
// nothing of it is changed.
type member struct {
	row *store.Resource
	op  *store.Operation
}

// recordMany records operations on several resources, and one that counts those.
// Where each of them has failed already, it records nothing.
func (e *Engine) recordMany(
	ctx context.Context, all store.Change, begin func(context.Context, *store.Queries) ([]member, error),
) (*api.Operation, error) {
	var (
		parent  *store.Operation
		members []member
	)
	err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if members, err = begin(ctx, q); err != nil {
			return err
		}
		parent = e.newParent(ctx, all, members)
		if parent.Failed == parent.Total {
			return members[0].op.Error
		}
		for _, m := range members {
			m.op.Parent = parent.ID
			if m.op.EndedAt != 0 { // at once; of the others it is noted when they have
				row := m.row
				if row == nil {
					row = &store.Resource{}
				}
				if err := q.Note(ctx, m.op.Entry(row), failureOf(m.op)); err != nil {
					return err
				}
			}
			if err := q.InsertOperation(ctx, m.op); err != nil {
				return err
			}
		}
		return q.InsertOperation(ctx, parent)
	})
	if err != nil {
		return nil, err
	}
	e.events.Tell(events.Event{Operation: parent.Resource()})
	for _, m := range members {
		if m.row == nil {
			e.events.Tell(events.Event{Operation: m.op.Resource()})
			continue
		}
		e.events.Changed(m.row, m.op)
		if m.op.EndedAt == 0 {
			e.enqueue(m.row.Connection, m.row.UID)
		}
	}
	return parent.Resource(), nil
}

// followUps reads the parameters of what follows a creation.
func (e *Engine) followUps(ctx context.Context, connection string, then []resource.FollowUp) ([]json.RawMessage, error) {
	params := make([]json.RawMessage, len(then))
	for i, f := range then {
		if err := e.registry.Has(ctx, connection, f.Kind, f.Action); err != nil {
			return nil, err
		}
		var err error
		if params[i], err = f.ParseParams(); err != nil {
			return nil, err
		}
	}
	return params, nil
}

// insertMany writes the rows of several resources and of what follows the last of them,
// and makes the operation of each.
func (e *Engine) insertMany(
	ctx context.Context, q *store.Queries, connection string, creations []*creation, then []resource.FollowUp, thenParams []json.RawMessage,
) (members []member, err error) {
	renamed := renames{}
	for _, c := range creations {
		for _, spec := range []*json.RawMessage{&c.row.Asked, &c.row.Effective} {
			if *spec, err = c.kind.MapRefs(*spec, renamed.of); err != nil {
				return nil, err
			}
		}
		asked := c.row.Name
		called := cmp.Or(c.row.FacadeName, c.row.Name)
		op, err := e.insert(ctx, q, c)
		if resource.CodeOf(err) == resource.CodeAlreadyExists && slices.ContainsFunc(members, func(m member) bool {
			return m.row.Kind == c.kind.Name && cmp.Or(m.row.FacadeName, m.row.Name) == called
		}) {
			err = resource.Errorf(resource.CodeInvalid, "the request has two %ss of this name; give each its own", c.kind.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", called, err)
		}
		members = append(members, member{c.row, op})
		renamed[inventory.Named{Kind: c.kind.Name, Name: asked}] = c.row.Name
	}
	for i, f := range then {
		params, err := f.MapRefs(thenParams[i], renamed.of)
		if err != nil {
			return nil, err
		}
		row, op, err := e.begin(ctx, q, connection, f.Kind, f.Name, store.Action{Name: f.Action, Params: params}, onCloud)
		if resource.CodeOf(err) == resource.CodeNotFound {
			return nil, resource.Invalid(resource.Problem{Field: fmt.Sprintf("then[%d].name", i), Message: err.Error()})
		}
		if err != nil {
			return nil, fieldsBelow(fmt.Sprintf("then[%d].params", i), err)
		}
		op.Follows = members[len(members)-1].op.ID
		members = append(members, member{row, op})
	}
	return members, nil
}

// renames are the names that resources got that are created together, by those that were
// asked for.
type renames map[inventory.Named]string

// of is the name to which a reference leads now.
func (n renames) of(ref resource.Ref) (string, error) {
	return cmp.Or(n[inventory.Named{Kind: ref.Kind, Name: ref.Name}], ref.Name), nil
}

// DeleteTogether records the deletion of several resources of a connection, all or
// none, with one operation for all. They may use each other: what is used waits for
// what uses it. Whatever is used by others is refused. With force each is forgotten here
// even if the cloud does not delete it, as by ForceDelete.
func (e *Engine) DeleteTogether(ctx context.Context, connection string, items []inventory.Named, force bool) (*api.Operation, error) {
	if !force {
		if err := e.inventory.MeetStrangers(ctx, connection, items); err != nil {
			return nil, err
		}
		if err := e.inventory.UnusedThere(ctx, connection, items); err != nil {
			return nil, err
		}
	}
	return e.deleteTogether(ctx, connection, items, force)
}

func (e *Engine) deleteTogether(ctx context.Context, connection string, items []inventory.Named, force bool) (*api.Operation, error) {
	for _, item := range items {
		if _, err := e.registry.Offers(ctx, connection, item.Kind, api.VerbDelete); err != nil && !force {
			return nil, err
		}
	}
	deletion := store.Deletion{Force: force}
	return e.recordMany(ctx, deletion, func(ctx context.Context, q *store.Queries) (_ []member, err error) {
		rows := make([]*store.Resource, len(items))
		for i, item := range items {
			if rows[i], err = q.Resource(ctx, connection, item.Kind, item.Name); err != nil {
				return nil, err
			}
			if err := rows[i].Unchanging(); err != nil {
				return nil, err
			}
		}
		if err := q.OnlyUseEachOther(ctx, rows); err != nil {
			return nil, err
		}
		members := make([]member, len(rows))
		for i, row := range rows {
			row.State = resource.StateDeleting
			members[i].row = row
			if members[i].op, err = e.beginOn(ctx, q, row, deletion); err != nil {
				return nil, err
			}
		}
		return members, nil
	})
}

// newParent makes the operation that counts those on several resources.
func (e *Engine) newParent(ctx context.Context, all store.Change, members []member) *store.Operation {
	first, last := members[0].op, members[0].op
	connection := first.Connection
	var failure *resource.Error // of the first that has failed already
	for _, m := range members {
		if m.op.Follows == "" { // else it is about something else
			last = m.op
		}
		if m.op.Connection != connection {
			connection = ""
		}
		failure = cmp.Or(failure, m.op.Error)
	}
	name := first.Name
	if last != first {
		name = fmt.Sprintf("%s … %s", name, last.Name)
	}
	parent := store.Keyed(ctx, e.store.NewOperation(ctx, all, &store.Resource{Kind: first.Kind, Connection: connection, Name: name}))
	parent.State, parent.Total = api.OperationRunning, len(members)
	for _, m := range members {
		if m.op.EndedAt != 0 {
			parent.Count(m.op, failure)
		}
	}
	return parent
}

// Destroy records the deletion of everything that is recorded of a connection, with
// one operation for all; dry only tells what that would be. What is being changed
// refuses it; wait for that.
func (e *Engine) Destroy(ctx context.Context, connection string, dry bool) (*api.Destruction, error) {
	var d *api.Destruction
	op, err := e.once.Operation(ctx, func() (*api.Operation, error) {
		doomed, err := e.doomed(ctx, connection)
		if err != nil {
			return nil, err
		}
		d = &api.Destruction{Items: doomed}
		if dry || len(doomed) == 0 {
			return nil, nil //nolint:nilnil // nothing is recorded
		}
		items := make([]inventory.Named, len(doomed))
		for i, r := range doomed {
			items[i] = inventory.Named{Kind: r.Kind, Name: r.Name}
		}
		return e.deleteTogether(ctx, connection, items, false) // each that can go
	})
	if err == nil && d == nil { // the same request came before
		d = &api.Destruction{}
		d.Items, err = e.partsOf(ctx, op)
	}
	if err != nil {
		return nil, err
	}
	d.Operation = op
	return d, nil
}

// partsOf answers the resources that an operation for several is about.
func (e *Engine) partsOf(ctx context.Context, op *api.Operation) ([]resource.Resource, error) {
	parts, err := e.store.Read().Parts(ctx, op.ID)
	if err != nil {
		return nil, err
	}
	items := make([]resource.Resource, 0, len(parts))
	for _, part := range parts {
		row, err := e.store.Read().ResourceByUID(ctx, part.UID)
		if err != nil {
			return nil, err
		}
		items = append(items, *row.Envelope())
	}
	return items, nil
}

// doomed answers what Destroy would delete, what uses others before what it uses.
func (e *Engine) doomed(ctx context.Context, connection string) ([]resource.Resource, error) {
	if err := e.store.Read().OrNoConnection(ctx, connection, nil); err != nil {
		return nil, err
	}
	kinds := resource.Kinds()
	slices.Reverse(kinds)
	doomed := []resource.Resource{}
	for _, k := range kinds {
		rows, err := e.store.Read().ResourcesIn(ctx, connection, k.Name)
		if err != nil {
			return nil, err
		}
		doomed = append(doomed, store.Convert(rows, func(r *store.Resource) resource.Resource { return *r.Envelope() })...)
	}
	return doomed, nil
}
