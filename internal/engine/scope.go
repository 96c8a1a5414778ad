package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Objects that do not belong to one region are seen in several connections. They are
// recorded in one of them, and are managed only there.

// sharers answers the other connections that see the objects of a kind which one sees.
func sharers(ctx context.Context, q *store.Queries, connection, kind string) ([]store.Connection, error) {
	all, err := q.Scoped(ctx, connection)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c store.Connection) bool { return c.Name == connection })
	if i < 0 || all[i].Scopes[kind] == "" {
		return nil, nil
	}
	own := all[i]
	return slices.DeleteFunc(all, func(c store.Connection) bool {
		return c.Name == own.Name || c.Scopes[kind] != own.Scopes[kind]
	}), nil
}

// hold locks a connection and those that see the same objects of a kind, until the
// transaction ends: it cannot be deleted, and they adopt nothing of the kind meanwhile.
func hold(ctx context.Context, q *store.Queries, connection, kind string) error {
	others, err := sharers(ctx, q, connection, kind)
	if err != nil {
		return err
	}
	names := append(store.Convert(others, func(c *store.Connection) string { return c.Name }), connection)
	slices.Sort(names) // whoever locks several does so in one order
	for _, name := range names {
		_, err := q.Connection(ctx, name)
		if resource.CodeOf(err) == resource.CodeNotFound && name != connection { // it has just been deleted
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// managedElsewhere answers the resource of another connection that stands for an object, nil
// if there is none.
func managedElsewhere(ctx context.Context, q *store.Queries, connection, kind, cloudID string) (*store.Resource, error) {
	others, err := sharers(ctx, q, connection, kind)
	if err != nil {
		return nil, err
	}
	for _, c := range others {
		known, err := q.ResourceByCloudID(ctx, c.Name, kind, cloudID)
		if resource.CodeOf(err) != resource.CodeNotFound {
			return known, err
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// recordedElsewhere answers the resources of a kind in other connections that see the same
// objects, by cloud id.
func recordedElsewhere(ctx context.Context, q *store.Queries, connection, kind string) (map[string]*store.Resource, error) {
	others, err := sharers(ctx, q, connection, kind)
	if err != nil {
		return nil, err
	}
	found := map[string]*store.Resource{}
	for _, c := range others {
		rows, err := q.ResourcesIn(ctx, c.Name, kind)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if rows[i].CloudID != "" {
				found[rows[i].CloudID] = &rows[i]
			}
		}
	}
	return found, nil
}

// onlyHere refuses to delete from the cloud what is managed in another connection.
func (j *job) onlyHere(ctx context.Context) error {
	other, err := managedElsewhere(ctx, j.store.Read(), j.row.Connection, j.row.Kind, j.row.CloudID)
	if err != nil || other == nil {
		return err
	}
	return resource.Errorf(resource.CodeConflict, "the %s %s (%s) is managed in the connection %s, too, as %s; release it here, or release it there first", j.row.Kind, j.row.Name, j.row.CloudID, other.Connection, other.Name)
}

// takenElsewhere adds to a creation that is refused because the name is taken where that
// may be.
func (j *job) takenElsewhere(ctx context.Context, e *resource.Error) *resource.Error {
	if e.Code != resource.CodeAlreadyExists {
		return e
	}
	others, err := recordedElsewhere(ctx, j.store.Read(), j.row.Connection, j.row.Kind)
	if err != nil {
		j.logger.Warn("who has a name cannot be looked up", "kind", j.row.Kind, "name", j.row.Name, "connection", j.row.Connection, "error", err)
		return e
	}
	var holders []string
	for _, other := range others {
		if other.Name == j.row.Name {
			holders = append(holders, other.Connection)
		}
	}
	if len(holders) == 0 {
		return e
	}
	slices.Sort(holders)
	said := *e
	said.Message += "; one of this name is managed in the connection " + strings.Join(holders, ", ") + ", which sees the same " + j.row.Kind + "s"
	return &said
}
