package store

import (
	"context"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Entomb makes a tombstone of a resource that no operation is changing, and removes
// what goes with it.
func (q *Queries) Entomb(ctx context.Context, row *Resource, at Micros) error {
	owner := row.LeaseOwner
	row.Bury(at)
	if err := q.ForgetSecrets(ctx, row.UID); err != nil {
		return err
	}
	if err := q.ReplaceRefs(ctx, row.UID, nil); err != nil {
		return err
	}
	return q.UpdateResource(ctx, row, owner)
}

// ForgetSecrets removes the sealed values and the host keys of a resource that is
// gone.
func (q *Queries) ForgetSecrets(ctx context.Context, uid string) error {
	if err := q.DeleteSecrets(ctx, uid); err != nil {
		return err
	}
	_, err := q.DeleteHostKeys(ctx, uid)
	return err
}

// Bury makes a tombstone of a row.
func (r *Resource) Bury(at Micros) {
	r.State, r.CloudState, r.Operation, r.LeaseOwner, r.LeaseUntil = resource.StateDeleted, "", "", "", 0
	r.DeletedAt, r.UpdatedAt = at, at
}

// UsedBy says what uses a resource that therefore cannot go.
func (r *Resource) UsedBy(users []Resource) error {
	return resource.Errorf(resource.CodeDependency, "the %s is used by: %s; delete those first", r.Called(),
		strings.Join(Convert(users, (*Resource).Called), ", "))
}

// Unchanging refuses a resource that an operation is changing.
func (r *Resource) Unchanging() error {
	if r.Operation == "" {
		return nil
	}
	return resource.Errorf(resource.CodeConflict, "the operation %s is changing the %s; wait for it with: mcic operation wait %s", r.Operation, r.Called(), r.Operation)
}

// OnlyUseEachOther refuses resources that others than themselves use.
func (q *Queries) OnlyUseEachOther(ctx context.Context, rows []*Resource) error {
	among := map[string]bool{}
	for _, row := range rows {
		among[row.UID] = true
	}
	for _, row := range rows {
		users, err := q.Users(ctx, row.UID)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(r Resource) bool { return among[r.UID] })
		if len(users) > 0 {
			return row.UsedBy(users)
		}
	}
	return nil
}

// OnCloud refuses what the cloud does not have.
func (r *Resource) OnCloud() error {
	if r.CloudID == "" {
		return resource.Errorf(resource.CodeConflict, "the %s does not exist on the cloud: it is %s", r.Called(), r.State)
	}
	return nil
}
