package inventory

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Sight is what the cloud showed of a resource when it was last looked at.
type Sight struct {
	Item *driver.Item // nil: it was not there
	Err  error        // it could not be looked at
}

// Look looks at one resource.
func Look(ctx context.Context, session driver.Session, kind, cloudID string) Sight {
	item, err := session.Get(ctx, kind, cloudID)
	return SightOf(item, err)
}

// SightOf is what the cloud answers when it is asked for one resource.
func SightOf(item driver.Item, err error) Sight {
	switch {
	case err == nil:
		return Sight{Item: &item}
	case resource.CodeOf(err) == resource.CodeNotFound: // nothing is concluded from any other error
		return Sight{}
	}
	return Sight{Err: err}
}

// Own is what the cloud shows of a resource, without another object that has its id by now:
// one that carries another token.
func Own(row *store.Resource, item *driver.Item) *driver.Item {
	if token := row.Token(); item != nil && token != "" && item.Token != "" && item.Token != token {
		return nil
	}
	return item
}

// sideLooks is how many resources are looked at together.
const sideLooks = 8

// LookAgain records what the cloud shows of resources now, in no longer than Config.FreshFor.
func (inv *Inventory) LookAgain(ctx context.Context, session driver.Session, rows []*store.Resource) error {
	ctx, cancel := context.WithTimeout(ctx, inv.config.FreshFor)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(sideLooks)
	for _, row := range rows {
		group.Go(func() error { return inv.lookAt(ctx, session, row.UID) })
	}
	return group.Wait()
}

// lookAt records what the cloud shows of a resource now. One that an operation is changing
// is left to that.
func (inv *Inventory) lookAt(ctx context.Context, session driver.Session, uid string) error {
	for {
		row, err := inv.store.Read().ResourceByUID(ctx, uid)
		if err != nil || row.Operation != "" || row.CloudID == "" || row.DeletedAt != 0 {
			return err
		}
		k, err := resource.KindNamed(row.Kind)
		if err != nil {
			return err
		}
		seen := Look(ctx, session, row.Kind, row.CloudID)
		if seen.Err != nil {
			return fmt.Errorf("look at the %s %s again: %w", row.Kind, row.Name, seen.Err)
		}
		if _, err := inv.recordSight(ctx, k, row, seen.Item); !errors.Is(err, errOvertaken) { // what overtook it may have seen less
			return err
		}
	}
}
