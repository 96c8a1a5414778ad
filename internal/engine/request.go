package engine

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The verbs that every kind can have.
const (
	VerbCreate = "create"
	VerbDelete = "delete"
)

// Create records a new resource and the operation that creates it. body is the
// request as the user sent it. Secrets in the answer are shown this once.
func (e *Engine) Create(ctx context.Context, connection, kind string, body []byte) (*resource.Operation, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	request, err := k.ParseCreate(body)
	if err != nil {
		return nil, err
	}
	if err := e.offers(ctx, connection, kind, VerbCreate); err != nil {
		return nil, err
	}
	spec, secrets, err := k.Complete(request.Spec)
	if err != nil {
		return nil, err
	}
	row := &store.Resource{
		UID: uuid.Must(uuid.NewV7()).String(), Connection: connection, Kind: kind, Name: request.Name,
		State: resource.StatePending, Labels: request.Labels, Spec: spec,
		Status: json.RawMessage("{}"), Native: json.RawMessage("null"),
	}
	var sealed []store.Secret
	for name, value := range secrets {
		box, err := e.sealer.Seal([]byte(value), secretIdentity(row.UID, name))
		if err != nil {
			return nil, err
		}
		sealed = append(sealed, store.Secret{UID: row.UID, Name: name, Sealed: box})
	}
	op, err := e.record(ctx, row, VerbCreate, nil, func(ctx context.Context, q *store.Queries) error {
		refs, err := e.resolve(ctx, q, k, row)
		if err != nil {
			return err
		}
		if err := e.makeRoom(ctx, q, row); err != nil {
			return err
		}
		if err := q.InsertResource(ctx, row, refs); err != nil {
			return err
		}
		return q.InsertSecrets(ctx, sealed)
	})
	if err != nil {
		return nil, err
	}
	op.Secrets = secrets
	return op, nil
}

func secretIdentity(uid, name string) string { return "resource/" + uid + "/" + name }

// resolve finds what a new resource refers to and checks that it fits.
func (e *Engine) resolve(ctx context.Context, q *store.Queries, k *resource.Kind, row *store.Resource) ([]store.Ref, error) {
	if _, err := q.Connection(ctx, row.Connection); err != nil { // locked: it cannot be deleted meanwhile
		return nil, err
	}
	wanted, err := k.Refs(row.Spec)
	if err != nil {
		return nil, err
	}
	var (
		refs     []store.Ref
		problems []resource.Problem
		specs    = map[string]json.RawMessage{}
	)
	for _, ref := range wanted {
		target, err := q.Resource(ctx, row.Connection, ref.Kind, ref.Name)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			problems = append(problems, resource.Problem{Field: ref.Field, Message: err.Error()})
			continue
		case err != nil:
			return nil, err
		case target.State == resource.StateDeleting:
			return nil, resource.Errorf(resource.CodeConflict, "the %s %s is being deleted; it cannot be used any more", ref.Kind, ref.Name)
		}
		refs = append(refs, store.Ref{From: row.UID, Field: ref.Field, To: target.UID})
		specs[ref.Kind+"/"+ref.Name] = target.Spec
	}
	if err := resource.Invalid(problems...); err != nil {
		return nil, err
	}
	return refs, k.Against(row.Spec, func(kind, name string) (json.RawMessage, bool) {
		spec, known := specs[kind+"/"+name]
		return spec, known
	})
}

// makeRoom lets a new resource take the name of one whose creation failed without
// leaving anything on the cloud.
func (e *Engine) makeRoom(ctx context.Context, q *store.Queries, row *store.Resource) error {
	old, err := q.Resource(ctx, row.Connection, row.Kind, row.Name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil
	}
	if err != nil || old.CloudID != "" || old.Operation != "" || old.State != resource.StateFailed || old.Uncertain {
		return err // the unique index refuses the new one
	}
	e.bury(old)
	if err := q.DeleteSecrets(ctx, old.UID); err != nil {
		return err
	}
	if err := q.ReplaceRefs(ctx, old.UID, nil); err != nil {
		return err
	}
	return q.UpdateResource(ctx, old, old.LeaseOwner)
}

// bury makes a tombstone of a row.
func (e *Engine) bury(row *store.Resource) {
	row.State, row.CloudState, row.Operation, row.LeaseOwner, row.LeaseUntil = resource.StateDeleted, "", "", "", 0
	row.DeletedAt = store.MicrosOf(time.Now())
	row.UpdatedAt = row.DeletedAt
}

// Delete records the operation that deletes a resource. It is refused while
// something uses the resource.
func (e *Engine) Delete(ctx context.Context, connection, kind, name string) (*resource.Operation, error) {
	if _, err := resource.KindNamed(kind); err != nil {
		return nil, err
	}
	if err := e.offers(ctx, connection, kind, VerbDelete); err != nil {
		return nil, err
	}
	return e.change(ctx, connection, kind, name, VerbDelete, nil, func(ctx context.Context, q *store.Queries, row *store.Resource) error {
		users, err := q.Users(ctx, row.UID)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			names := make([]string, len(users))
			for i := range users {
				names[i] = users[i].Kind + " " + users[i].Name
			}
			return resource.Errorf(resource.CodeDependency, "the %s %s is used by: %s; delete those first", kind, name, strings.Join(names, ", "))
		}
		row.State = resource.StateDeleting
		return nil
	})
}

// Act records the operation that runs an action. body holds its parameters as the
// user sent them.
func (e *Engine) Act(ctx context.Context, connection, kind, name, action string, body []byte) (*resource.Operation, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	a, err := k.Action(action)
	if err != nil {
		return nil, err
	}
	params, err := a.ParseParams(body)
	if err != nil {
		return nil, err
	}
	if err := e.offers(ctx, connection, kind, action); err != nil {
		return nil, err
	}
	return e.change(ctx, connection, kind, name, action, params, func(_ context.Context, _ *store.Queries, row *store.Resource) error {
		if row.CloudID == "" {
			return resource.Errorf(resource.CodeConflict, "the %s %s does not exist on the cloud: it is %s", kind, name, row.State)
		}
		return nil
	})
}

// change records an operation on a resource that exists, if none is running.
func (e *Engine) change(
	ctx context.Context, connection, kind, name, verb string, params json.RawMessage,
	check func(context.Context, *store.Queries, *store.Resource) error,
) (*resource.Operation, error) {
	row := &store.Resource{Connection: connection, Kind: kind, Name: name}
	return e.record(ctx, row, verb, params, func(ctx context.Context, q *store.Queries) error {
		found, err := q.Resource(ctx, connection, kind, name)
		if err != nil {
			return err
		}
		if found.Operation != "" {
			return resource.Errorf(resource.CodeConflict, "the operation %s is changing the %s %s; wait for it with: mcic operation wait %s", found.Operation, kind, name, found.Operation)
		}
		if err := check(ctx, q, found); err != nil {
			return err
		}
		id, owner := row.Operation, found.LeaseOwner
		lease := row.LeaseUntil
		*row = *found
		row.Operation, row.LeaseOwner, row.LeaseUntil = id, e.id, lease
		row.UpdatedAt = store.MicrosOf(time.Now())
		return q.UpdateResource(ctx, row, owner)
	})
}

// record writes a resource's row, by means of write, and the operation on it in one
// transaction, and has it worked on at once.
func (e *Engine) record(
	ctx context.Context, row *store.Resource, verb string, params json.RawMessage,
	write func(context.Context, *store.Queries) error,
) (*resource.Operation, error) {
	now := time.Now()
	if params == nil {
		params = json.RawMessage("null")
	}
	row.Operation = uuid.Must(uuid.NewV7()).String()
	row.CreatedAt, row.UpdatedAt = store.MicrosOf(now), store.MicrosOf(now)
	row.LeaseOwner, row.LeaseUntil = e.id, store.MicrosOf(now.Add(e.config.Lease))
	var op *store.Operation
	err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		if err := write(ctx, q); err != nil {
			return err
		}
		op = &store.Operation{
			ID: row.Operation, Verb: verb, Kind: row.Kind, Connection: row.Connection, Name: row.Name, UID: row.UID,
			Params: params, State: resource.OperationQueued, CreatedAt: store.MicrosOf(now),
		}
		return q.InsertOperation(ctx, op)
	})
	if err != nil {
		return nil, err
	}
	e.publish(row, op)
	e.enqueue(row.Connection, row.UID)
	return op.Resource(), nil
}

func (e *Engine) publish(row *store.Resource, op *store.Operation) {
	e.events.publish(Event{Resource: row.Envelope()})
	if op != nil {
		e.events.publish(Event{Operation: op.Resource()})
	}
}

// offers refuses what the connection's driver does not have.
func (e *Engine) offers(ctx context.Context, connection, kind, verb string) error {
	c, err := e.store.Read().Connection(ctx, connection)
	if err != nil {
		return err
	}
	d, err := e.host.Describe(ctx, c.Cloud)
	if err != nil {
		return err
	}
	if !d.Offers(kind, verb) {
		return resource.Errorf(resource.CodeUnsupported, "the driver %s does not offer %s for the kind %s; see: mcic driver get %s", c.Cloud, verb, kind, c.Cloud)
	}
	return nil
}
