package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A change of one resource may show on others: a VM has the public IP that was associated
// with it, and not the one that was deleted. Statuses say what goes together: what one
// names newly or no longer has changed with it, and what named a resource that is deleted.

// sideLooks is how many of the others are looked at together.
const sideLooks = 8

// lookAgain looks at what the operation concerned beside its own resource, before the
// operation ends: whoever reads those then sees what it did. That they cannot be looked at
// is noted and changes nothing.
func (j *job) lookAgain(ctx context.Context) {
	if j.op.Concerned == nil || j.op.Left() != "" { // the cloud was not asked, or has done nothing
		return
	}
	ctx, cancel := context.WithTimeout(ctx, j.config.FreshFor)
	defer cancel()
	rows, err := j.concerned(ctx)
	var group errgroup.Group
	group.SetLimit(sideLooks)
	for _, row := range rows {
		group.Go(func() error { return j.lookAt(ctx, j.session, row.UID) })
	}
	if err = errors.Join(err, group.Wait()); err != nil {
		j.logger.Warn("what an operation concerned cannot be looked at again; its record may be old until the next look", "operation", j.op.ID, "error", err)
		j.note("unseen", resource.AsError(err))
	}
}

// lookAt records what the cloud shows of a resource now. One that an operation is changing
// is left to that.
func (e *Engine) lookAt(ctx context.Context, session driver.Session, uid string) error {
	for {
		row, err := e.store.Read().ResourceByUID(ctx, uid)
		if err != nil || row.Operation != "" || row.CloudID == "" || row.DeletedAt != 0 {
			return err
		}
		k, err := resource.KindNamed(row.Kind)
		if err != nil {
			return err
		}
		seen := sight(ctx, session, row.Kind, row.CloudID)
		if seen.err != nil {
			return fmt.Errorf("look at the %s %s again: %w", row.Kind, row.Name, seen.err)
		}
		if _, err := e.recordSight(ctx, k, row, seen.item); !errors.Is(err, errOvertaken) { // what overtook it may have seen less
			return err
		}
	}
}

// concerned reads the resources on which the operation may show.
func (j *job) concerned(ctx context.Context) ([]*store.Resource, error) {
	gone := j.op.Verb == api.VerbDelete && j.op.State == api.OperationSucceeded
	var now []string
	if !gone {
		var err error
		if now, err = shown(j.kind, j.row.Status); err != nil {
			return nil, err
		}
	}
	changed := slices.Concat(without(j.op.Concerned, now), without(now, j.op.Concerned))
	if len(changed) == 0 && !gone {
		return nil, nil
	}
	rows, err := j.naming(ctx, resource.ShownBy(j.kind.Name), j.kind.Name, j.row.Name)
	if err != nil {
		return nil, err
	}
	for _, one := range changed {
		kind, name, _ := strings.Cut(one, "/")
		row, err := j.store.Read().Resource(ctx, j.row.Connection, kind, name)
		if resource.CodeOf(err) == resource.CodeNotFound { // not managed here
			continue
		}
		if err != nil {
			return nil, err
		}
		rows[row.UID] = row
		if j.kind.HasOne(kind) {
			others, err := j.naming(ctx, []string{j.kind.Name}, kind, name)
			if err != nil {
				return nil, err
			}
			maps.Copy(rows, others)
		}
	}
	delete(rows, j.row.UID)
	return slices.Collect(maps.Values(rows)), nil
}

// naming reads the resources of some kinds whose status names another, by uid.
func (j *job) naming(ctx context.Context, kinds []string, kind, name string) (map[string]*store.Resource, error) {
	named := map[string]*store.Resource{}
	if len(kinds) == 0 {
		return named, nil
	}
	rows, err := j.store.Read().Naming(ctx, j.row.Connection, kinds, name)
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
