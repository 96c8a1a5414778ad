package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// onlyHere refuses to delete from the cloud what is managed in another connection.
func (j *job) onlyHere(ctx context.Context) error {
	other, err := inventory.ManagedElsewhere(ctx, j.store.Read(), j.Row.Connection, j.Row.Kind, j.Row.CloudID)
	if err != nil || other == nil {
		return err
	}
	return resource.Errorf(resource.CodeConflict, "the %s %s (%s) is managed in the connection %s, too, as %s; release it here, or release it there first", j.Row.Kind, j.Row.Name, j.Row.CloudID, other.Connection, other.Name)
}

// takenElsewhere adds to a creation that is refused because the name is taken where that
// may be.
func (j *job) takenElsewhere(ctx context.Context, e *resource.Error) *resource.Error {
	if e.Code != resource.CodeAlreadyExists {
		return e
	}
	others, err := inventory.RecordedElsewhere(ctx, j.store.Read(), j.Row.Connection, j.Row.Kind)
	if err != nil {
		j.logger.Warn("who has a name cannot be looked up", "kind", j.Row.Kind, "name", j.Row.Name, "connection", j.Row.Connection, "error", err)
		return e
	}
	var holders []string
	for _, other := range others {
		if other.Name == j.Row.Name {
			holders = append(holders, other.Connection)
		}
	}
	if len(holders) == 0 {
		return e
	}
	slices.Sort(holders)
	said := *e
	said.Message += "; one of this name is managed in the connection " + strings.Join(holders, ", ") + ", which sees the same " + j.Row.Kind + "s"
	return &said
}
