package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// mayFree reports whether a deletion that the cloud refuses because the resource is used
// may be possible soon: something that has to do with it is being deleted, or was within
// the time that the cloud takes to notice.
func (j *job) mayFree(ctx context.Context, refused *resource.Error) bool {
	free, err := j.freeing(ctx, refused)
	if err != nil {
		j.logger.Warn("what is being deleted cannot be looked up", "kind", j.Row.Kind, "name", j.Row.Name, "connection", j.Row.Connection, "error", err)
	}
	return free
}

func (j *job) freeing(ctx context.Context, refused *resource.Error) (bool, error) {
	q := j.store.Read()
	if users, err := q.Users(ctx, j.Row.UID); err != nil || len(users) > 0 { // of which usersGone knows that they stay
		return false, err
	}
	lag, err := j.inventory.UsedLag(ctx, j.Row.Connection)
	if err != nil {
		return false, err
	}
	leaving, err := q.Leaving(ctx, j.Row.Connection, j.store.Now(), lag)
	if err != nil {
		return false, err
	}
	own, err := namedBy(j.Row)
	if err != nil {
		return false, err
	}
	words := strings.FieldsFunc(refused.Message, func(r rune) bool { return strings.ContainsRune(" ,;:()'\"", r) })
	for i := range leaving {
		one := &leaving[i]
		if one.UID == j.Row.UID || j.Uses[one.UID] != nil { // which waits for this one
			continue
		}
		names, err := namedBy(one)
		if err != nil {
			return false, err
		}
		if slices.Contains(names, inventory.Named{Kind: j.Row.Kind, Name: j.Row.Name}) || slices.Contains(own, inventory.Named{Kind: one.Kind, Name: one.Name}) || slices.Contains(words, one.CloudID) {
			return true, nil
		}
	}
	_, going, err := j.inventory.UsersThere(ctx, j.Row)
	return going, err
}

// namedBy answers what a resource names, in what was asked for and in what the cloud shows.
func namedBy(row *store.Resource) ([]inventory.Named, error) {
	k, err := resource.KindNamed(row.Kind)
	if err != nil {
		return nil, err
	}
	var names []inventory.Named
	note := func(ref resource.Ref) (string, error) {
		names = append(names, inventory.Named{Kind: ref.Kind, Name: ref.Name})
		return ref.Name, nil
	}
	if _, err := k.MapRefs(row.Effective, note); err != nil {
		return nil, err
	}
	_, err = k.MapStatusRefs(row.Status, note)
	return names, err
}
