package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Adopt records a resource that exists on the cloud and is not managed here, with its
// parts. It changes nothing on the cloud.
func (inv *Inventory) Adopt(ctx context.Context, connection, kind string, body []byte) (*resource.Resource, error) {
	var request api.AdoptRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	return inv.AdoptNamed(ctx, connection, kind, Adopting{AdoptRequest: request})
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
func (inv *Inventory) AdoptNamed(ctx context.Context, connection, kind string, request Adopting) (*resource.Resource, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	if _, err := inv.registry.Offers(ctx, connection, kind, "get"); err != nil {
		return nil, err
	}
	if err := inv.registry.OnlyKept(ctx, connection, kind, "there is nothing to adopt: create it"); err != nil {
		return nil, err
	}
	session, _, err := inv.registry.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	item, err := session.Get(ctx, kind, request.CloudID)
	if err != nil {
		return nil, fmt.Errorf("look for the %s %s on the cloud: %w", kind, request.CloudID, err)
	}
	a := inv.adoption(connection, k, &item)
	a.Row.FacadeName, a.name, a.in = request.FacadeName, request.Name, request.In
	var parts []*adoption
	for _, part := range k.Parts() {
		found, err := inv.partsOnCloud(ctx, connection, part, item.ID)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			p.Row.FacadeName = request.Parts[p.item.ID]
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(a, b *adoption) int { // others find other names
		return cmp.Compare(min(len(b.Row.FacadeName), 1), min(len(a.Row.FacadeName), 1))
	})
	return inv.adopt(ctx, a, parts)
}

// partsOnCloud answers what the cloud has of a kind that is a part of an object.
func (inv *Inventory) partsOnCloud(ctx context.Context, connection string, k *resource.Kind, owner string) ([]*adoption, error) {
	if _, err := inv.registry.Offers(ctx, connection, k.Name, "list"); err != nil {
		if resource.CodeOf(err) == resource.CodeUnsupported {
			return nil, nil
		}
		return nil, err
	}
	session, _, err := inv.registry.Session(ctx, connection)
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
			parts = append(parts, inv.adoption(connection, k, &item))
		}
	}
	return parts, nil
}

// AdoptAll records everything of a connection that is not managed here, what is
// used before what uses it.
func (inv *Inventory) AdoptAll(ctx context.Context, connection string) (*api.Adoption, error) {
	adopted := &api.Adoption{Items: []*resource.Resource{}}
	var err error
	adopted.Unseen, err = eachKind(ctx, func(k *resource.Kind) error {
		if _, err := inv.registry.Offers(ctx, connection, k.Name, "list"); err != nil {
			return err
		}
		session, _, err := inv.registry.Session(ctx, connection)
		if err != nil {
			return err
		}
		for item, err := range session.List(ctx, k.Name, driver.Filter{}) {
			if err != nil {
				return fmt.Errorf("list the %ss of %s: %w", k.Name, connection, err)
			}
			one, err := inv.adopt(ctx, inv.adoption(connection, k, &item), nil)
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
	*Record
	item *driver.Item
	name string // that it is to have here; "" for its own
	in   Named  // what it must refer to; zero for anything
}

func (inv *Inventory) adoption(connection string, k *resource.Kind, item *driver.Item) *adoption {
	return &adoption{item: item, Record: inv.Record(k, &store.Resource{UID: uuid.Must(uuid.NewV7()).String(), Connection: connection, Kind: k.Name})}
}

// leaving reports whether the cloud is deleting it, as what is left of a creation that has failed.
func (a *adoption) leaving() bool {
	return a.item.State == resource.StateDeleting || a.item.State == resource.StateDeleted
}

// adopt records an object of the cloud with those of its parts that are not managed here.
func (inv *Inventory) adopt(ctx context.Context, a *adoption, parts []*adoption) (*resource.Resource, error) {
	if a.leaving() {
		return nil, resource.Errorf(resource.CodeConflict, "the cloud is deleting the %s %s; there is nothing to adopt", a.Row.Kind, a.item.ID)
	}
	parts = slices.DeleteFunc(parts, (*adoption).leaving)
	if err := a.Observe(ctx, a.item); err != nil {
		return nil, err
	}
	if err := Placed(a.Row.Envelope(), a.in); err != nil {
		return nil, err
	}
	var joined []*store.Resource
	_, err := inv.recordEnded(ctx, store.Adoption{}, func(ctx context.Context, q *store.Queries) ([]*store.Resource, error) {
		if err := hold(ctx, q, a.Row.Connection, a.Row.Kind); err != nil {
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
				rows = append(rows, p.Row)
			case resource.CodeConflict: // it is being created from here
			default:
				return nil, err
			}
		}
		return append(rows, a.Row), nil
	})
	if err != nil {
		return nil, err
	}
	for _, row := range joined {
		inv.events.Changed(row, nil)
	}
	return a.Row.Envelope(), nil
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
		p.Uses[a.Row.UID] = a.Row
		row, err := q.ResourceByCloudID(ctx, p.Row.Connection, p.Row.Kind, p.item.ID)
		switch {
		case resource.CodeOf(err) == resource.CodeNotFound:
			if err := p.Observe(ctx, p.item); err != nil {
				return nil, nil, err
			}
			left = append(left, p)
		case err != nil:
			return nil, nil, err
		case row.Operation == "": // an operation looks for itself
			p.Row = row
			if err := p.Observe(ctx, p.item); err != nil {
				return nil, nil, err
			}
			row.UpdatedAt = store.MicrosOf(a.store.Now())
			if err := q.UpdateResource(ctx, row, row.LeaseOwner); err != nil {
				return nil, nil, err
			}
			if err := p.WriteRefs(ctx, q); err != nil {
				return nil, nil, err
			}
			joined = append(joined, row)
		}
	}
	return left, joined, nil
}

// record writes the row of an object that was looked at, under a name that is free.
func (a *adoption) record(ctx context.Context, q *store.Queries) error {
	if err := unmanaged(ctx, q, a.Row.Connection, a.Row.Kind, a.item); err != nil {
		return err
	}
	names := []string{a.name}
	switch {
	case a.Row.FacadeName != "":
		names = NamesFrom(a.Row)
	case a.name == "":
		names = namesFor(a.item)
		if err := a.keepName(ctx, q); err != nil {
			return err
		}
	}
	if err := TakeName(ctx, q, a.Kind, a.Row, names, Taken); err != nil {
		return err
	}
	a.Row.CreatedAt = store.MicrosOf(a.store.Now())
	refs := make([]store.Ref, 0, len(a.Refs))
	for field, uid := range a.Refs {
		refs = append(refs, store.Ref{From: a.Row.UID, Field: field, To: uid})
	}
	return q.InsertResource(ctx, a.Row, refs)
}

// keepName has clients of CB-Spider's API call an object as the cloud does, where that can
// be.
func (a *adoption) keepName(ctx context.Context, q *store.Queries) error {
	owner, err := a.Kind.Owner(a.Row.Effective)
	if err != nil || resource.CheckFacadeName(a.item.Name) != "" {
		return err
	}
	taken, err := q.Named(ctx, a.Row.Connection, a.Row.Kind, owner, a.item.Name, 1)
	if err == nil && len(taken) == 0 {
		a.Row.FacadeName = a.item.Name
	}
	return err
}

// unmanaged refuses an object that is recorded here, or is being created from here.
func unmanaged(ctx context.Context, q *store.Queries, connection, kind string, item *driver.Item) error {
	known, err := q.ResourceByCloudID(ctx, connection, kind, item.ID)
	switch {
	case err == nil:
		return resource.Errorf(resource.CodeAlreadyExists, "the %s %s is managed here already, as the %s", known.Kind, item.ID, known.Called())
	case resource.CodeOf(err) != resource.CodeNotFound:
		return err
	}
	other, err := ManagedElsewhere(ctx, q, connection, kind, item.ID)
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
	case known.Connection == connection:
		return resource.Errorf(resource.CodeConflict, "the %s %s is being created from here, as the %s", known.Kind, item.ID, known.Called())
	}
	others, err := sharers(ctx, q, connection, kind)
	if slices.ContainsFunc(others, func(c store.Connection) bool { return c.Name == known.Connection }) {
		err = resource.Errorf(resource.CodeConflict, "the %s %s is being created in the connection %s, as the %s", known.Kind, item.ID, known.Connection, known.Called())
	}
	return err
}
