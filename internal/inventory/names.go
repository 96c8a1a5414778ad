package inventory

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Named is one resource of a connection.
type Named struct{ Kind, Name string }

// Named answers the resource that clients of CB-Spider's API call by a name, among the
// parts of an owner. Without an owner it must be the only one of that name.
func (inv *Inventory) Named(ctx context.Context, connection, kind, owner, name string) (*resource.Resource, error) {
	rows, err := inv.store.Read().Named(ctx, connection, kind, owner, name, 2)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, inv.store.Read().OrNoConnection(ctx, connection, resource.Errorf(resource.CodeNotFound, "there is no %s '%s' in the connection %s", kind, name, connection))
	case len(rows) > 1:
		return nil, resource.Errorf(resource.CodeConflict, "several %ss of the connection %s are called '%s', such as those of %s and of %s; say which", kind, connection, name, rows[0].Owner, rows[1].Owner)
	}
	return rows[0].Envelope(), nil
}

// PartsOf answers the resources that are parts of another one, the oldest first.
func (inv *Inventory) PartsOf(ctx context.Context, connection, kind, name string) ([]Named, error) {
	rows, err := ownedBy(ctx, inv.store.Read(), connection, kind, name)
	return store.Convert(rows, func(r *store.Resource) Named { return Named{r.Kind, r.Name} }), err
}

func ownedBy(ctx context.Context, q *store.Queries, connection, kind, name string) ([]store.Resource, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	var parts []store.Resource
	for _, part := range k.Parts() {
		rows, err := q.Owned(ctx, connection, part.Name, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, rows...)
	}
	return parts, nil
}

// TakeName gives a new resource the first name that is free. What clients of CB-Spider's
// API call it must be free, too: the name that they gave, and otherwise the name itself.
// giveWay has what has a name give way, or says why it does not.
func TakeName(
	ctx context.Context, q *store.Queries, k *resource.Kind, row *store.Resource, names []string, giveWay func(old *store.Resource, name string) error,
) error {
	owner, err := k.Owner(row.Effective)
	if err != nil {
		return err
	}
	free := func(name string, holders []store.Resource, err error) error {
		for i := range holders {
			if err == nil {
				err = giveWay(&holders[i], name)
			}
		}
		return err
	}
	facade := func(name string) error {
		holders, err := q.Named(ctx, row.Connection, row.Kind, owner, name, 1)
		return free(name, holders, err)
	}
	if row.FacadeName != "" {
		if err := facade(row.FacadeName); err != nil {
			return err
		}
	}
	var first error
	for _, name := range names {
		holder, err := q.Resource(ctx, row.Connection, row.Kind, name)
		switch {
		case err == nil:
			err = giveWay(holder, name)
		case resource.CodeOf(err) == resource.CodeNotFound:
			err = nil
		}
		if err == nil && row.FacadeName == "" {
			err = facade(name)
		}
		switch resource.CodeOf(err) {
		case "":
			row.Name = name
			if row.FacadeName == name {
				row.FacadeName = ""
			}
			return nil
		case resource.CodeAlreadyExists:
			first = cmp.Or(first, err)
		default:
			return err
		}
	}
	return first
}

// Taken says what has a name.
func Taken(old *store.Resource, name string) error {
	if old.FacadeName == "" {
		return old.Exists()
	}
	return resource.Errorf(resource.CodeAlreadyExists, "the name '%s' is taken in the connection %s, by the %s; choose another name or delete it first", name, old.Connection, old.Called())
}

// NamesFrom are the names for what a client of CB-Spider's API gives a name, the best
// first.
func NamesFrom(row *store.Resource) []string {
	name := resource.NameFrom(row.FacadeName, row.Kind)
	return []string{name, suffixed(name, row.UID[len(row.UID)-6:]), suffixed(name, row.UID)}
}

// namesFor are the names that an object is adopted under, the best first: its own,
// its own with the cloud's id, the cloud's id.
func namesFor(item *driver.Item) []string {
	own, id := resource.NameFrom(item.Name, ""), resource.NameFrom(item.ID, "")
	var names []string
	if own != "" {
		names = append(names, own)
	}
	if id != "" {
		names = append(names, suffixed(own, id[:min(len(id), 67)]), id)
	}
	return append(names, "adopted-"+uuid.NewString())
}

// suffixed is a name that ends otherwise, and is no longer than a name can be.
func suffixed(name, end string) string {
	return resource.NameFrom(name[:min(len(name), 127-len(end))]+"-"+end, "")
}
