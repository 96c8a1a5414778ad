package engine

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A change of one resource may show on others: a VM has the public IP that was associated
// with it, and not the one that was deleted. Statuses say what goes together: what one
// names newly or no longer has changed with it, and what named a resource that is deleted.

// lookAgain looks at what the operation concerned beside its own resource, before the
// operation ends: whoever reads those then sees what it did. That they cannot be looked at
// is noted and changes nothing.
func (j *job) lookAgain(ctx context.Context) {
	if j.op.Concerned == nil || j.forgotten { // the cloud was not asked, or has done nothing
		return
	}
	rows, err := j.concerned(ctx)
	if err = errors.Join(err, j.inventory.LookAgain(ctx, j.session, rows)); err != nil {
		j.logger.Warn("what an operation concerned cannot be looked at again; its record may be old until the next look", "operation", j.op.ID, "error", err)
		j.note("unseen", resource.AsError(err))
	}
}

// concerned reads the resources on which the operation may show.
func (j *job) concerned(ctx context.Context) ([]*store.Resource, error) {
	gone := j.op.Deletes() && j.op.State == api.OperationSucceeded
	var now []string
	if !gone {
		var err error
		if now, err = shown(j.Kind, j.Row.Status); err != nil {
			return nil, err
		}
	}
	changed := slices.Concat(without(j.op.Concerned, now), without(now, j.op.Concerned))
	if len(changed) == 0 && !gone {
		return nil, nil
	}
	rows, err := j.naming(ctx, resource.ShownBy(j.Kind.Name), j.Kind.Name, j.Row.Name)
	if err != nil {
		return nil, err
	}
	for _, one := range changed {
		kind, name, _ := strings.Cut(one, "/")
		row, err := j.store.Read().Resource(ctx, j.Row.Connection, kind, name)
		if resource.CodeOf(err) == resource.CodeNotFound { // not managed here
			continue
		}
		if err != nil {
			return nil, err
		}
		rows[row.UID] = row
		if j.Kind.HasOne(kind) {
			others, err := j.naming(ctx, []string{j.Kind.Name}, kind, name)
			if err != nil {
				return nil, err
			}
			maps.Copy(rows, others)
		}
	}
	delete(rows, j.Row.UID)
	return slices.Collect(maps.Values(rows)), nil
}

// naming reads the resources of some kinds whose status names another, by uid.
func (j *job) naming(ctx context.Context, kinds []string, kind, name string) (map[string]*store.Resource, error) {
	named := map[string]*store.Resource{}
	if len(kinds) == 0 {
		return named, nil
	}
	rows, err := j.store.Read().Naming(ctx, j.Row.Connection, kinds, name)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		k, err := resource.KindNamed(rows[i].Kind)
		if err != nil {
			return nil, err
		}
		shows, err := shown(k, rows[i].Status)
		if err != nil {
			return nil, err
		}
		if slices.Contains(shows, kind+"/"+name) {
			named[rows[i].UID] = &rows[i]
		}
	}
	return named, nil
}

// shown answers what a status names, as kind/name.
func shown(k *resource.Kind, status json.RawMessage) ([]string, error) {
	names := []string{}
	refs, err := k.StatusRefs(status)
	for _, ref := range refs {
		names = append(names, ref.Kind+"/"+ref.Name)
	}
	return names, err
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}
