package engine

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Named answers the resource that clients of CB-Spider's API call by a name, among the
// parts of an owner. Without an owner it must be the only one of that name.
func (e *Engine) Named(ctx context.Context, connection, kind, owner, name string) (*resource.Resource, error) {
	rows, err := e.store.Read().Named(ctx, connection, kind, owner, name, 2)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, e.store.Read().OrNoConnection(ctx, connection, resource.Errorf(resource.CodeNotFound, "there is no %s '%s' in the connection %s", kind, name, connection))
	case len(rows) > 1:
		return nil, resource.Errorf(resource.CodeConflict, "several %ss of the connection %s are called '%s', such as those of %s and of %s; say which", kind, connection, name, rows[0].Owner, rows[1].Owner)
	}
	return rows[0].Envelope(), nil
}

// PartsOf answers the resources that are parts of another one, the oldest first.
func (e *Engine) PartsOf(ctx context.Context, connection, kind, name string) ([]Named, error) {
	rows, err := ownedBy(ctx, e.store.Read(), connection, kind, name)
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

// takeName gives a new resource the first name that is free. What clients of CB-Spider's
// API call it must be free, too: the name that they gave, and otherwise the name itself.
// With room, what failed and left nothing on the cloud gives way.
func (e *Engine) takeName(ctx context.Context, q *store.Queries, k *resource.Kind, row *store.Resource, names []string, room bool) error {
	owner, err := k.Owner(row.Effective)
	if err != nil {
		return err
	}
	free := func(name string, holders []store.Resource, err error) error {
		for i := range holders {
			if err == nil {
				err = e.giveWay(ctx, q, &holders[i], name, room)
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
			err = e.giveWay(ctx, q, holder, name, room)
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

// giveWay frees a name, if what has it has failed without leaving anything on the cloud.
func (e *Engine) giveWay(ctx context.Context, q *store.Queries, old *store.Resource, name string, room bool) error {
	if room && makesRoom(old) {
		return e.entomb(ctx, q, old)
	}
	return taken(old, name)
}

// makesRoom reports whether a creation failed without leaving anything on the cloud.
func makesRoom(old *store.Resource) bool {
	return old.CloudID == "" && old.Operation == "" && old.State == resource.StateFailed && !old.Uncertain
}

// taken says what has a name.
func taken(old *store.Resource, name string) error {
	if old.FacadeName == "" {
		return old.Exists()
	}
	return resource.Errorf(resource.CodeAlreadyExists, "the name '%s' is taken in the connection %s, by the %s; choose another name or delete it first", name, old.Connection, old.Called())
}

// available refuses a name that no new resource can take. takeName decides; this is for
// what takes a while to prepare.
func (e *Engine) available(ctx context.Context, connection string, k *resource.Kind, facadeName string, r *resource.CreateRequest[json.RawMessage]) error {
	owner, err := k.Owner(r.Spec)
	if err != nil {
		return err
	}
	name := cmp.Or(facadeName, r.Name)
	holders, err := e.store.Read().Named(ctx, connection, k.Name, owner, name, 1)
	if err != nil {
		return err
	}
	if facadeName == "" {
		holder, err := e.store.Read().Resource(ctx, connection, k.Name, name)
		switch resource.CodeOf(err) {
		case "":
			holders = append(holders, *holder)
		case resource.CodeNotFound:
		default:
			return err
		}
	}
	for i := range holders {
		if !makesRoom(&holders[i]) {
			return taken(&holders[i], name)
		}
	}
	return nil
}

// namesFrom are the names for what a client of CB-Spider's API gives a name, the best
// first.
func namesFrom(row *store.Resource) []string {
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
