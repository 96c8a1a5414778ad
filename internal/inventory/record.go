package inventory

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Record is a resource's record as it is looked at: what it uses is known beside it, so that
// the references in what a cloud shows become names.
type Record struct {
	Kind *resource.Kind
	Row  *store.Resource
	Refs map[string]string          // field to uid
	Uses map[string]*store.Resource // by uid; also what is not recorded yet

	store *store.Store
}

// Record returns the record of a resource of which it is not known yet what it uses.
func (inv *Inventory) Record(k *resource.Kind, row *store.Resource) *Record {
	return &Record{Kind: k, Row: row, Refs: map[string]string{}, Uses: map[string]*store.Resource{}, store: inv.store}
}

// Observe takes over what the cloud shows.
func (r *Record) Observe(ctx context.Context, item *driver.Item) error {
	if err := r.observeSpec(ctx, item.Spec); err != nil {
		return err
	}
	return r.ObserveStatus(ctx, item)
}

// observeSpec takes over what there is. What was asked for stays as it is.
func (r *Record) observeSpec(ctx context.Context, shown json.RawMessage) error {
	before := map[string]string{}
	if len(r.Row.Effective) > 0 {
		known, err := r.Kind.Refs(r.Row.Effective)
		if err != nil {
			return err
		}
		for _, ref := range known {
			before[ref.Field] = ref.Name
		}
	}
	refs := map[string]string{}
	spec, err := r.Kind.MapRefs(shown, func(ref resource.Ref) (string, error) {
		target, err := r.shown(ctx, ref)
		switch {
		case err != nil:
			return "", err
		case target == nil && ref.Weak && before[ref.Field] != "": // gone by now: it keeps the name that it had
			return before[ref.Field], nil
		case target == nil:
			if !ref.Weak {
				delete(r.Refs, ref.Field) // what was there before in a list is not any more
			}
			return ref.Name, nil // not managed here: the cloud's id stays
		case !ref.Weak:
			refs[ref.Field] = target.UID
		}
		return target.Name, nil
	})
	if err != nil {
		return err
	}
	if r.Row.Effective, err = resource.Overlay(r.Row.Effective, spec); err != nil {
		return err
	}
	maps.Copy(r.Refs, refs)
	return nil
}

// ObserveStatus takes over everything but the spec.
func (r *Record) ObserveStatus(ctx context.Context, item *driver.Item) (err error) {
	r.Row.Status, err = r.Kind.MapStatusRefs(item.Status, func(ref resource.Ref) (string, error) {
		target, err := r.shown(ctx, ref)
		if err != nil || target == nil {
			return ref.Name, err
		}
		return target.Name, nil
	})
	if err != nil {
		return err
	}
	if r.Row.Native, err = json.Marshal(item.Native); err != nil {
		return resource.Errorf(resource.CodeInternal, "keep the cloud's own fields: %w", err)
	}
	r.Row.CloudID, r.Row.State, r.Row.CloudState = item.ID, item.State, item.CloudState
	r.Row.Uncertain = false
	if item.Labels != nil {
		r.Row.Labels = item.Labels
	}
	r.Row.SyncedAt = store.MicrosOf(r.store.Now())
	return nil
}

// shown answers the resource whose cloud id is in a reference, nil if none is managed here.
func (r *Record) shown(ctx context.Context, ref resource.Ref) (*store.Resource, error) {
	for _, used := range r.Uses {
		if used.Kind == ref.Kind && used.CloudID == ref.Name {
			return used, nil
		}
	}
	target, err := r.store.Read().ResourceByCloudID(ctx, r.Row.Connection, ref.Kind, ref.Name)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, nil //nolint:nilnil // that is no error
	}
	return target, err
}

// WriteRefs records what the resource uses where that has changed.
func (r *Record) WriteRefs(ctx context.Context, q *store.Queries) error {
	if r.Row.DeletedAt != 0 {
		return q.ReplaceRefs(ctx, r.Row.UID, nil)
	}
	wanted, err := r.Kind.Refs(r.Row.Effective)
	if err != nil {
		return err
	}
	var rows []store.Ref
	changed := false
	before, err := q.Refs(ctx, r.Row.UID)
	if err != nil {
		return err
	}
	had := map[string]string{}
	for _, ref := range before {
		had[ref.Field] = ref.To
	}
	for _, ref := range wanted {
		if uid := r.Refs[ref.Field]; uid != "" {
			rows = append(rows, store.Ref{From: r.Row.UID, Field: ref.Field, To: uid})
			changed = changed || had[ref.Field] != uid
		}
	}
	if !changed && len(rows) == len(before) {
		return nil
	}
	return q.ReplaceRefs(ctx, r.Row.UID, rows)
}
