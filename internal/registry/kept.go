package registry

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Some clouds have no object for a kind: machines are given keys, and there are no key
// pairs. The server then keeps the resources of the kind, and their records are all that
// there is. They belong to their connection alone, and their own uid stands for the cloud's id.

// keeper is what the server keeps of a connection.
type keeper struct {
	*Registry
	cloud, connection string
}

// SessionOf is a session of a connection with what the server keeps of it.
func (r *Registry) SessionOf(c *store.Connection) driver.Session {
	return driver.Keep(r.host.Session(r.Target(c)), keeper{r, c.Cloud, c.Name})
}

// Keeps reports whether the server keeps the resources of a kind for a cloud.
func (r *Registry) Keeps(ctx context.Context, cloud, kind string) (bool, error) {
	k, err := resource.KindNamed(kind)
	if err != nil || !k.Keepable() {
		return false, err
	}
	d, err := r.host.Describe(ctx, cloud)
	return err == nil && d.Keeps(kind), err
}

// Keeps implements driver.Keeper.
func (k keeper) Keeps(ctx context.Context, kind string) (bool, error) {
	return k.Registry.Keeps(ctx, k.cloud, kind)
}

// All implements driver.Keeper.
func (k keeper) All(ctx context.Context, kind string) ([]driver.Item, error) {
	rows, err := k.store.Read().ResourcesIn(ctx, k.connection, kind)
	var all []driver.Item
	for i := range rows {
		if rows[i].CloudID != "" {
			all = append(all, kept(&rows[i]))
		}
	}
	return all, err
}

// Find implements driver.Keeper.
func (k keeper) Find(ctx context.Context, kind, id string) (driver.Item, error) {
	row, err := k.store.Read().ResourceByCloudID(ctx, k.connection, kind, id)
	if err != nil {
		return driver.Item{}, err
	}
	return kept(row), nil
}

// kept is a resource that the server keeps, as a cloud would show it.
func kept(row *store.Resource) driver.Item {
	created := row.CreatedAt.Time()
	return driver.Item{
		ID: row.CloudID, Name: row.Name, Token: row.UID, State: resource.StateAvailable, Spec: row.Effective, Status: row.Status, CreatedAt: &created,
	}
}

// OnlyKept refuses what makes no sense of what only the server has.
func (r *Registry) OnlyKept(ctx context.Context, connection, kind, instead string) error {
	c, err := r.store.Read().Connection(ctx, connection)
	if err != nil {
		return err
	}
	keeps, err := r.Keeps(ctx, c.Cloud, kind)
	if keeps {
		err = resource.Errorf(resource.CodeUnsupported, "the server itself keeps every %s of the connection %s, since the cloud %s has no such object; %s", kind, connection, c.Cloud, instead)
	}
	return err
}
