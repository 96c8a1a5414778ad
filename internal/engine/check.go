package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// verbCheck is the verb of drivers that say beforehand what a creation would come to.
const verbCheck = "check"

// errOnlyChecked undoes what was recorded to see whether it can be.
var errOnlyChecked = errors.New("it was only checked")

// CheckCreation answers as Create would, and makes and records nothing: what is wrong here is
// refused, and then the cloud is asked as far as its driver can say beforehand. Of several
// that are alike but for their names it is asked for one.
func (e *Engine) CheckCreation(ctx context.Context, connection, kind string, body []byte) (*api.CreationCheck, error) {
	creations, then, _, err := e.wanted(ctx, connection, Wanted{Kind: kind, Body: body})
	if err != nil {
		return nil, err
	}
	thenParams, err := e.followUps(ctx, connection, then)
	if err != nil {
		return nil, err
	}
	err = e.store.Update(ctx, func(ctx context.Context, q *store.Queries) (err error) {
		if len(creations) == 1 && len(then) == 0 { // whose error need not name it
			_, err = e.insert(ctx, q, creations[0])
		} else {
			_, err = e.insertMany(ctx, q, connection, creations, then, thenParams)
		}
		if err != nil {
			return err
		}
		return errOnlyChecked
	})
	if !errors.Is(err, errOnlyChecked) {
		return nil, err
	}
	if err := e.registry.OnlyKept(ctx, connection, kind, "there is no cloud to ask"); err != nil {
		if resource.CodeOf(err) == resource.CodeUnsupported {
			return &api.CreationCheck{Reason: resource.AsError(err).Message}, nil
		}
		return nil, err
	}
	c, err := e.registry.Offers(ctx, connection, kind, verbCheck)
	if resource.CodeOf(err) == resource.CodeUnsupported {
		return &api.CreationCheck{Reason: fmt.Sprintf("the driver cannot say beforehand what the cloud would refuse of the kind %s", kind)}, nil
	}
	if err != nil {
		return nil, err
	}
	return e.checkThere(ctx, e.registry.SessionOf(c), creations)
}

// checkThere has the cloud check creations.
func (e *Engine) checkThere(ctx context.Context, session driver.Session, creations []*creation) (*api.CreationCheck, error) {
	asked := map[string]bool{}
	answer := &api.CreationCheck{Cloud: true}
	ctx = driver.WithWarnings(ctx, func(w resource.Warning) {
		if !slices.Contains(answer.Warnings, w) {
			answer.Warnings = append(answer.Warnings, w)
		}
	})
	for _, c := range creations {
		spec, err := c.kind.Completed(c.row.Spec(), c.row.Effective)
		if err == nil {
			spec, err = resource.Reveal(spec, c.hidden)
		}
		if err != nil {
			return nil, err
		}
		if asked[string(spec)] {
			continue
		}
		asked[string(spec)] = true
		spec, err = c.kind.MapRefs(spec, func(ref resource.Ref) (string, error) { return e.inventory.CloudID(ctx, c.row.Connection, ref) })
		if errors.Is(err, inventory.ErrNotYet) {
			return &api.CreationCheck{Reason: "something that it needs is still being created, so that the cloud cannot be asked yet; try again when that is there"}, nil
		}
		if err != nil {
			return nil, err
		}
		request := driver.ItemRequest{Token: c.row.UID, Name: c.row.Name, Labels: c.row.Labels, Spec: spec}
		if err := session.Check(ctx, c.kind.Name, request); err != nil {
			return nil, fmt.Errorf("check the %s %s: %w", c.kind.Name, c.row.Name, err)
		}
	}
	return answer, nil
}
