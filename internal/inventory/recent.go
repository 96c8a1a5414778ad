package inventory

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Recent answers a page of the choices that were made when resources of a kind were
// created, the latest first.
func (inv *Inventory) Recent(ctx context.Context, kind string, query store.Query) ([]api.Recent, string, error) {
	rows, next, err := inv.store.Read().ListRecent(ctx, kind, query)
	return store.Convert(rows, (*store.Recent).Resource), next, err
}

// ImportRecent records choices that were made elsewhere, and answers how many of them
// were not there yet. The others stay as they are.
func (inv *Inventory) ImportRecent(ctx context.Context, list []api.Recent) (inserted int, err error) {
	err = inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		for _, r := range list {
			ok, err := q.InsertRecent(ctx, &store.Recent{
				Kind: r.Kind, Cloud: r.Cloud, Region: r.Region, Zone: r.Zone, Choice: r.Choice, Details: r.Details,
				Times: r.Count, Took: int64(r.AverageSeconds * 1e6 * float64(r.Count)), LastAt: store.MicrosOf(r.LastAt),
			})
			if err != nil {
				return err
			}
			if ok {
				inserted++
			}
		}
		return nil
	})
	return inserted, err
}

// ForgetRecent forgets one of the choices of a kind.
func (inv *Inventory) ForgetRecent(ctx context.Context, kind, id string) error {
	return inv.store.Update(ctx, func(ctx context.Context, q *store.Queries) error {
		found, err := q.DeleteRecent(ctx, kind, id)
		if err == nil && !found {
			return resource.Errorf(resource.CodeNotFound, "there is no recent choice %.64q of the kind %s; list them with: mcic %s recent", id, kind, kind)
		}
		return err
	})
}
