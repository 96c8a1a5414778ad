package engine

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// giveWay frees a name, if what has it has failed without leaving anything on the cloud.
func giveWay(ctx context.Context, q *store.Queries, at store.Micros) func(old *store.Resource, name string) error {
	return func(old *store.Resource, name string) error {
		if makesRoom(old) {
			return q.Entomb(ctx, old, at)
		}
		return inventory.Taken(old, name)
	}
}

// makesRoom reports whether a creation failed without leaving anything on the cloud.
func makesRoom(old *store.Resource) bool {
	return old.CloudID == "" && old.Operation == "" && old.State == resource.StateFailed && !old.Uncertain
}

// available refuses a name that no new resource can take. inventory.TakeName decides; this is for
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
			return inventory.Taken(&holders[i], name)
		}
	}
	return nil
}
