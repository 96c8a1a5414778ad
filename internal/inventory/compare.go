package inventory

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Compare compares what a cloud has with what is recorded here, of one kind or,
// with "", of every kind that the connection has.
func (inv *Inventory) Compare(ctx context.Context, connection, kind string) (*api.Inventory, error) {
	found := &api.Inventory{Items: []api.InventoryItem{}}
	if kind != "" {
		if _, err := resource.KindNamed(kind); err != nil {
			return nil, err
		}
		items, err := inv.compare(ctx, connection, kind)
		found.Items = append(found.Items, items...)
		return found, err
	}
	var err error
	found.Unseen, err = eachKind(ctx, func(k *resource.Kind) error {
		items, err := inv.compare(ctx, connection, k.Name)
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

func (inv *Inventory) compare(ctx context.Context, connection, kind string) ([]api.InventoryItem, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	c, err := inv.registry.Offers(ctx, connection, kind, "list")
	if err != nil {
		return nil, err
	}
	both, err := inv.whereBoth(ctx, c.Cloud, kind)
	if err != nil {
		return nil, err
	}
	session, _, err := inv.registry.Session(ctx, connection)
	if err != nil {
		return nil, err
	}
	here := map[string]*store.Resource{} // by cloud id
	var found []api.InventoryItem
	rows, err := inv.store.Read().ResourcesIn(ctx, connection, kind)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].CloudID != "" {
			here[rows[i].CloudID] = &rows[i]
		}
	}
	elsewhere := sync.OnceValues(func() (map[string]*store.Resource, error) { // once the session is open, which says what it shares
		return RecordedElsewhere(ctx, inv.store.Read(), connection, kind)
	})
	for item, err := range inv.list(ctx, session, connection, k, func(id string) bool { return here[id] != nil }) {
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

// whereBoth is where a resource is that the server and the cloud, or what stands for it, have.
func (inv *Inventory) whereBoth(ctx context.Context, cloud, kind string) (api.Where, error) {
	keeps, err := inv.registry.Keeps(ctx, cloud, kind)
	if keeps {
		return api.InKept, err
	}
	return api.InBoth, err
}

// Survey answers what a connection's cloud has of a kind now, as resources: what is
// managed here under its name, the rest under the cloud's name, or its id if it has none,
// and without uid. here is what the cloud does not have. Nothing is recorded.
func (inv *Inventory) Survey(ctx context.Context, connection, kind string) (cloud, here []*resource.Resource, err error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, nil, err
	}
	if _, err := inv.registry.Offers(ctx, connection, kind, "list"); err != nil {
		return nil, nil, err
	}
	session, _, err := inv.registry.Session(ctx, connection)
	if err != nil {
		return nil, nil, err
	}
	rows, err := inv.store.Read().ResourcesIn(ctx, connection, kind)
	if err != nil {
		return nil, nil, err
	}
	managed := map[string]*store.Resource{} // by cloud id
	for i := range rows {
		if rows[i].CloudID != "" {
			managed[rows[i].CloudID] = &rows[i]
		}
	}
	for item, err := range inv.list(ctx, session, connection, k, func(id string) bool { return managed[id] != nil }) {
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
		if err := inv.Record(k, row).Observe(ctx, &item); err != nil {
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
