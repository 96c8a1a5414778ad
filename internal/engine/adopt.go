package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Inventory compares what a cloud has with what is recorded here, of one kind or,
// with "", of every kind that the connection has.
func (e *Engine) Inventory(ctx context.Context, connection, kind string) (*api.Inventory, error) {
	found := &api.Inventory{Items: []api.InventoryItem{}}
	if kind != "" {
		if _, err := resource.KindNamed(kind); err != nil {
			return nil, err
		}
		items, err := e.inventory(ctx, connection, kind)
		found.Items = append(found.Items, items...)
		return found, err
	}
	var err error
	found.Unseen, err = eachKind(ctx, func(k *resource.Kind) error {
		items, err := e.inventory(ctx, connection, k.Name)
		found.Items = append(found.Items, items...)
		return err
	})
	return found, err
}

// eachKind looks at all kinds. A service that is down only takes its own kinds with it:
// they are answered with the reasons. What no kind can do without is an error, and so is
// it if not one could be looked at.
func eachKind(ctx context.Context, look func(*resource.Kind) error) ([]api.Unseen, error) {
	var unseen []api.Unseen
	seen := false
	for _, k := range resource.Kinds() {
		err := look(k)
		switch resource.CodeOf(err) {
		case "":
			seen = true
		case resource.CodeUnsupported: // by the driver, or where the connection is
		case resource.CodeUnauthenticated: // clouds lock out whoever tries often
			return nil, err
		default:
			if ctx.Err() != nil {
				return nil, err
			}
			unseen = append(unseen, api.Unseen{Kind: k.Name, Error: resource.AsError(err)})
		}
	}
	if !seen && len(unseen) > 0 {
		return nil, unseen[0].Error
	}
	return unseen, nil
}

func (e *Engine) inventory(ctx context.Context, connection, kind string) ([]api.InventoryItem, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	c, err := e.registry.Offers(ctx, connection, kind, "list")
	if err != nil {
		return nil, err
	}
	both, err := e.whereBoth(ctx, c.Cloud, kind)
	if err != nil {
		return nil, err
	}
	session, _, err := e.registry.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	here := map[string]*store.Resource{} // by cloud id
	var found []api.InventoryItem
	rows, err := e.store.Read().ResourcesIn(ctx, connection, kind)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].CloudID != "" {
			here[rows[i].CloudID] = &rows[i]
		}
	}
	elsewhere := sync.OnceValues(func() (map[string]*store.Resource, error) { // once the session is open, which says what it shares
		return recordedElsewhere(ctx, e.store.Read(), connection, kind)
	})
	for item, err := range e.list(ctx, session, connection, k, func(id string) bool { return here[id] != nil }) {
		if err != nil {
			return nil, fmt.Errorf("list the %ss of %s: %w", kind, connection, err)
		}
		one := api.InventoryItem{Kind: kind, CloudID: item.ID, CloudName: item.Name, State: item.State, Where: api.InCloud}
		if row := here[item.ID]; row != nil {
			one.Name, one.Where = row.Name, both
			delete(here, item.ID)
		} else if others, err := elsewhere(); err != nil {
			return nil, err
		} else if row := others[item.ID]; row != nil {
			one.Name, one.Connection, one.Where = row.Name, row.Connection, api.InOther
		}
		found = append(found, one)
	}
	for i := range rows {
		if rows[i].CloudID == "" || here[rows[i].CloudID] != nil {
			found = append(found, api.InventoryItem{Kind: kind, Name: rows[i].Name, CloudID: rows[i].CloudID, State: rows[i].State, Where: api.InHere})
		}
	}
	return found, nil
}

// Adopt records a resource that exists on the cloud and is not managed here, with its
// parts. It changes nothing on the cloud.
func (e *Engine) Adopt(ctx context.Context, connection, kind string, body []byte) (*resource.Resource, error) {
	var request api.AdoptRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	return e.AdoptNamed(ctx, connection, kind, Adopting{AdoptRequest: request})
}

// Adopting is what is to be adopted, with names for clients of CB-Spider's API. The names
// here are then made from those.
type Adopting struct {
	api.AdoptRequest
	FacadeName string
	In         Named             // what it must refer to, if its kind refers to such, as to its VPC; zero for anything
	Parts      map[string]string // the same of its parts, by cloud id
}

// AdoptNamed is Adopt for what may have another name for clients of CB-Spider's API.
func (e *Engine) AdoptNamed(ctx context.Context, connection, kind string, request Adopting) (*resource.Resource, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	if _, err := e.registry.Offers(ctx, connection, kind, "get"); err != nil {
		return nil, err
	}
	if err := e.registry.OnlyKept(ctx, connection, kind, "there is nothing to adopt: create it"); err != nil {
		return nil, err
	}
	session, _, err := e.registry.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	item, err := session.Get(ctx, kind, request.CloudID)
	if err != nil {
		return nil, fmt.Errorf("look for the %s %s on the cloud: %w", kind, request.CloudID, err)
	}
	a := e.adoption(connection, k, &item)
	a.row.FacadeName, a.name, a.in = request.FacadeName, request.Name, request.In
	var parts []*adoption
	for _, part := range k.Parts() {
		found, err := e.partsOnCloud(ctx, connection, part, item.ID)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			p.row.FacadeName = request.Parts[p.item.ID]
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(a, b *adoption) int { // others find other names
		return cmp.Compare(min(len(b.row.FacadeName), 1), min(len(a.row.FacadeName), 1))
	})
	return e.adopt(ctx, a, parts)
}

// partsOnCloud answers what the cloud has of a kind that is a part of an object.
func (e *Engine) partsOnCloud(ctx context.Context, connection string, k *resource.Kind, owner string) ([]*adoption, error) {
	if _, err := e.registry.Offers(ctx, connection, k.Name, "list"); err != nil {
		if resource.CodeOf(err) == resource.CodeUnsupported {
			return nil, nil
		}
		return nil, err
	}
	session, _, err := e.registry.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	var parts []*adoption
	for item, err := range session.List(ctx, k.Name, driver.Filter{}) {
		if err != nil {
			return nil, fmt.Errorf("list the %ss of %s: %w", k.Name, connection, err)
		}
		of, err := k.Owner(item.Spec)
		if err != nil {
			return nil, err
		}
		if of == owner {
			parts = append(parts, e.adoption(connection, k, &item))
		}
	}
	return parts, nil
}

// AdoptAll records everything of a connection that is not managed here, what is
// used before what uses it.
func (e *Engine) AdoptAll(ctx context.Context, connection string) (*api.Adoption, error) {
	adopted := &api.Adoption{Items: []*resource.Resource{}}
	var err error
	adopted.Unseen, err = eachKind(ctx, func(k *resource.Kind) error {
		if _, err := e.registry.Offers(ctx, connection, k.Name, "list"); err != nil {
			return err
		}
		session, _, err := e.registry.Session(ctx, connection)
		if err != nil {
			return err
		}
		for item, err := range session.List(ctx, k.Name, driver.Filter{}) {
			if err != nil {
				return fmt.Errorf("list the %ss of %s: %w", k.Name, connection, err)
			}
			one, err := e.adopt(ctx, e.adoption(connection, k, &item), nil)
			switch resource.CodeOf(err) {
			case "":
				adopted.Items = append(adopted.Items, one)
			case resource.CodeAlreadyExists, resource.CodeConflict: // managed here already, or about to be
			default:
				return err
			}
		}
		return nil
	})
	return adopted, err
}

// adoption is an object of the cloud that comes under management.
type adoption struct {
	*job
	item *driver.Item
	name string // that it is to have here; "" for its own
	in   Named  // what it must refer to; zero for anything
}

func (e *Engine) adoption(connection string, k *resource.Kind, item *driver.Item) *adoption {
	return &adoption{item: item, job: &job{
		Engine: e, kind: k, refs: map[string]string{}, uses: map[string]*store.Resource{},
		row: &store.Resource{UID: uuid.Must(uuid.NewV7()).String(), Connection: connection, Kind: k.Name},
	}}
}

// adopt records an object of the cloud with those of its parts that are not managed here.
func (e *Engine) adopt(ctx context.Context, a *adoption, parts []*adoption) (*resource.Resource, error) {
	if err := a.observe(ctx, a.item); err != nil {
		return nil, err
	}
	if err := Placed(a.row.Envelope(), a.in); err != nil {
		return nil, err
	}
	var joined []*store.Resource
	_, err := e.recordEnded(ctx, api.VerbAdopt, func(ctx context.Context, q *store.Queries) ([]*store.Resource, error) {
		if err := hold(ctx, q, a.row.Connection, a.row.Kind); err != nil {
			return nil, err
		}
		if err := a.record(ctx, q); err != nil {
			return nil, err
		}
		var (
			rows []*store.Resource
			err  error
		)
		if parts, joined, err = a.join(ctx, q, parts); err != nil {
			return nil, err
		}
		for _, p := range parts {
			err := p.record(ctx, q)
			switch resource.CodeOf(err) {
			case "":
				rows = append(rows, p.row)
			case resource.CodeConflict: // it is being created from here
			default:
				return nil, err
			}
		}
		return append(rows, a.row), nil
	})
	if err != nil {
		return nil, err
	}
	for _, row := range joined {
		e.events.Changed(row, nil)
	}
	return a.row.Envelope(), nil
}

// Placed refuses a resource that does not refer to one that it must, if its kind refers to
// such. The zero Named stands for anything.
func Placed(r *resource.Resource, in Named) error {
	k, err := resource.KindNamed(r.Kind)
	if err != nil {
		return err
	}
	refs, err := k.Refs(r.Effective)
	if err != nil {
		return err
	}
	refs = slices.DeleteFunc(refs, func(ref resource.Ref) bool { return ref.Kind != in.Kind })
	if len(refs) == 0 || slices.ContainsFunc(refs, func(ref resource.Ref) bool { return ref.Name == in.Name }) {
		return nil
	}
	return resource.Errorf(resource.CodeInvalid, "the %s %s belongs to the %s %s, not to %s", r.Kind, r.CloudID, in.Kind, refs[0].Name, in.Name)
}

// join has the parts that are managed here refer to what they are parts of. It answers
// those that are not managed, and the rows of those that are.
func (a *adoption) join(ctx context.Context, q *store.Queries, parts []*adoption) (left []*adoption, joined []*store.Resource, err error) {
	for _, p := range parts {
		p.uses[a.row.UID] = a.row
		row, err := q.ResourceByCloudID(ctx, p.row.Connection, p.row.Kind, p.item.ID)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			if err := p.observe(ctx, p.item); err != nil {
				return nil, nil, err
			}
			left = append(left, p)
		case err != nil:
			return nil, nil, err
		case row.Operation == "": // an operation looks for itself
			p.row = row
			if err := p.observe(ctx, p.item); err != nil {
				return nil, nil, err
			}
			row.UpdatedAt = store.MicrosOf(time.Now())
			if err := q.UpdateResource(ctx, row, row.LeaseOwner); err != nil {
				return nil, nil, err
			}
			if err := p.writeRefs(ctx, q); err != nil {
				return nil, nil, err
			}
			joined = append(joined, row)
		}
	}
	return left, joined, nil
}

// record writes the row of an object that was looked at, under a name that is free.
func (a *adoption) record(ctx context.Context, q *store.Queries) error {
	if err := a.unmanaged(ctx, q, a.item); err != nil {
		return err
	}
	names := []string{a.name}
	switch {
	case a.row.FacadeName != "":
		names = namesFrom(a.row)
	case a.name == "":
		names = namesFor(a.item)
		if err := a.keepName(ctx, q); err != nil {
			return err
		}
	}
	if err := a.takeName(ctx, q, a.kind, a.row, names, false); err != nil {
		return err
	}
	a.row.CreatedAt = store.MicrosOf(time.Now())
	refs := make([]store.Ref, 0, len(a.refs))
	for field, uid := range a.refs {
		refs = append(refs, store.Ref{From: a.row.UID, Field: field, To: uid})
	}
	return q.InsertResource(ctx, a.row, refs)
}

// keepName has clients of CB-Spider's API call an object as the cloud does, where that can
// be.
func (a *adoption) keepName(ctx context.Context, q *store.Queries) error {
	owner, err := a.kind.Owner(a.row.Effective)
	if err != nil || resource.CheckFacadeName(a.item.Name) != "" {
		return err
	}
	taken, err := q.Named(ctx, a.row.Connection, a.row.Kind, owner, a.item.Name, 1)
	if err == nil && len(taken) == 0 {
		a.row.FacadeName = a.item.Name
	}
	return err
}

// unmanaged refuses an object that is recorded here, or is being created from here.
func (j *job) unmanaged(ctx context.Context, q *store.Queries, item *driver.Item) error {
	known, err := q.ResourceByCloudID(ctx, j.row.Connection, j.row.Kind, item.ID)
	switch {
	case err == nil:
		return resource.Errorf(resource.CodeAlreadyExists, "the %s %s is managed here already, as the %s", known.Kind, item.ID, known.Called())
	case resource.CodeOf(err) != resource.CodeNotFound:
		return err
	}
	other, err := managedElsewhere(ctx, q, j.row.Connection, j.row.Kind, item.ID)
	switch {
	case err != nil:
		return err
	case other != nil:
		return resource.Errorf(resource.CodeAlreadyExists, "the %s %s is managed already, in the connection %s as the %s", other.Kind, item.ID, other.Connection, other.Called())
	case item.Token == "":
		return nil
	}
	known, err = q.ResourceByUID(ctx, item.Token)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound: // made by another server, or forgotten here
		return nil
	case err != nil:
		return err
	case known.DeletedAt != 0 || known.CloudID != "":
		return nil
	case known.Connection == j.row.Connection:
		return resource.Errorf(resource.CodeConflict, "the %s %s is being created from here, as the %s", known.Kind, item.ID, known.Called())
	}
	others, err := sharers(ctx, q, j.row.Connection, j.row.Kind)
	if slices.ContainsFunc(others, func(c store.Connection) bool { return c.Name == known.Connection }) {
		err = resource.Errorf(resource.CodeConflict, "the %s %s is being created in the connection %s, as the %s", known.Kind, item.ID, known.Connection, known.Called())
	}
	return err
}

// Release forgets a resource that is not used here, with its parts. It changes nothing on
// the cloud.
func (e *Engine) Release(ctx context.Context, connection, kind, name string) (*api.Operation, error) {
	return e.ReleaseTogether(ctx, connection, []Named{{kind, name}})
}

// ReleaseTogether forgets several resources of a connection with their parts, all or none,
// which nothing but themselves uses. It answers the operation of the last one.
func (e *Engine) ReleaseTogether(ctx context.Context, connection string, items []Named) (*api.Operation, error) {
	for _, item := range items {
		if _, err := resource.KindNamed(item.Kind); err != nil {
			return nil, err
		}
		if err := e.registry.OnlyKept(ctx, connection, item.Kind, "nothing of it would stay, so that it cannot be released: delete it"); err != nil {
			return nil, err
		}
	}
	var left []leftThere
	op, err := e.recordEnded(ctx, api.VerbRelease, func(ctx context.Context, q *store.Queries) ([]*store.Resource, error) {
		left = nil
		rows, err := withParts(ctx, q, connection, items)
		if err != nil {
			return nil, err
		}
		if err := onlyUseEachOther(ctx, q, rows); err != nil {
			return nil, err
		}
		for _, row := range rows {
			l, err := leaveThere(ctx, q, row)
			if err != nil {
				return nil, err
			}
			left = append(left, l)
			if err := e.entomb(ctx, q, row); err != nil {
				return nil, err
			}
		}
		return rows, nil
	})
	if err == nil {
		e.looks.leave(connection, left)
	}
	return op, err
}

// withParts reads resources that no operation is changing, each after its parts.
func withParts(ctx context.Context, q *store.Queries, connection string, items []Named) ([]*store.Resource, error) {
	var rows []*store.Resource
	seen := map[string]bool{}
	add := func(row *store.Resource) error {
		if seen[row.UID] {
			return nil
		}
		seen[row.UID], rows = true, append(rows, row)
		return unchanging(row)
	}
	for _, item := range items {
		row, err := q.Resource(ctx, connection, item.Kind, item.Name)
		if err != nil {
			return nil, err
		}
		parts, err := ownedBy(ctx, q, connection, item.Kind, item.Name)
		if err != nil {
			return nil, err
		}
		for i := range parts {
			if err := add(&parts[i]); err != nil {
				return nil, err
			}
		}
		if err := add(row); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// recordEnded writes the rows of resources, by means of write, with the record that it
// was done. It answers the operation of the last one, which has the request's key.
func (e *Engine) recordEnded(ctx context.Context, verb string, write func(context.Context, *store.Queries) ([]*store.Resource, error)) (*api.Operation, error) {
	var (
		rows []*store.Resource
		ops  []*store.Operation
	)
	err := e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if rows, err = write(ctx, q); err != nil {
			return err
		}
		ops = nil
		for i, row := range rows {
			op := endedOperation(ctx, row, verb, nil, nil)
			if i == len(rows)-1 {
				op = keyed(ctx, op)
			}
			if err := q.Note(ctx, entryOf(op, row), nil); err != nil {
				return err
			}
			if err := q.InsertOperation(ctx, op); err != nil {
				return err
			}
			ops = append(ops, op)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var last *api.Operation
	for i, row := range rows {
		e.events.Changed(row, ops[i])
		last = ops[i].Resource()
		e.config.OnOperation(last)
	}
	return last, nil
}

// endedOperation makes an operation on a resource that has ended at once: it failed, or there
// was nothing to ask the cloud for.
func endedOperation(ctx context.Context, row *store.Resource, verb string, params json.RawMessage, failure *resource.Error) *store.Operation {
	now := store.MicrosOf(time.Now())
	op := &store.Operation{
		ID: uuid.Must(uuid.NewV7()).String(), Verb: verb, Kind: row.Kind, Connection: row.Connection, Name: row.Name, UID: row.UID,
		Params: params, State: api.OperationSucceeded, Error: failure, CreatedAt: now, EndedAt: now, AskedBy: auth.Who(ctx),
	}
	if failure != nil {
		op.State = api.OperationFailed
	}
	if params == nil {
		op.Params = json.RawMessage("null")
	}
	return op
}

// Survey answers what a connection's cloud has of a kind now, as resources: what is
// managed here under its name, the rest under the cloud's name, or its id if it has none,
// and without uid. here is what the cloud does not have. Nothing is recorded.
func (e *Engine) Survey(ctx context.Context, connection, kind string) (cloud, here []*resource.Resource, err error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, nil, err
	}
	if _, err := e.registry.Offers(ctx, connection, kind, "list"); err != nil {
		return nil, nil, err
	}
	session, _, err := e.registry.Session(ctx, connection)
	if err != nil {
		return nil, nil, err
	}
	rows, err := e.store.Read().ResourcesIn(ctx, connection, kind)
	if err != nil {
		return nil, nil, err
	}
	managed := map[string]*store.Resource{} // by cloud id
	for i := range rows {
		if rows[i].CloudID != "" {
			managed[rows[i].CloudID] = &rows[i]
		}
	}
	for item, err := range e.list(ctx, session, connection, k, func(id string) bool { return managed[id] != nil }) {
		if err != nil {
			return nil, nil, fmt.Errorf("list the %ss of %s: %w", kind, connection, err)
		}
		row := managed[item.ID]
		if row == nil {
			row = &store.Resource{Connection: connection, Kind: kind, Name: cmp.Or(item.Name, item.ID)}
			if item.CreatedAt != nil {
				row.CreatedAt = store.MicrosOf(*item.CreatedAt)
			}
		}
		delete(managed, item.ID)
		j := &job{Engine: e, kind: k, row: row, refs: map[string]string{}}
		if err := j.observe(ctx, &item); err != nil {
			return nil, nil, err
		}
		cloud = append(cloud, row.Envelope())
	}
	for i := range rows {
		if rows[i].CloudID == "" || managed[rows[i].CloudID] != nil {
			here = append(here, rows[i].Envelope())
		}
	}
	return cloud, here, nil
}

// whereBoth is where a resource is that the server and the cloud, or what stands for it, have.
func (e *Engine) whereBoth(ctx context.Context, cloud, kind string) (api.Where, error) {
	keeps, err := e.registry.Keeps(ctx, cloud, kind)
	if keeps {
		return api.InKept, err
	}
	return api.InBoth, err
}
