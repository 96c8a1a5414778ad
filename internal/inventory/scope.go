package inventory

import (
	"context"
	"slices"

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

// ManagedElsewhere answers the resource of another connection that stands for an object, nil
// if there is none.
func ManagedElsewhere(ctx context.Context, q *store.Queries, connection, kind, cloudID string) (*store.Resource, error) {
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

// RecordedElsewhere answers the resources of a kind in other connections that see the same
// objects, by cloud id.
func RecordedElsewhere(ctx context.Context, q *store.Queries, connection, kind string) (map[string]*store.Resource, error) {
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
