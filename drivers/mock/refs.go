package mock

import (
	"context"
	"encoding/json"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What objects refer to is known from the specifications of their kinds.

// findRefs answers all that a spec refers to, by id, which must be there and ready.
func (s *session) findRefs(ctx context.Context, kind *resource.Kind, spec any, now time.Time) (map[string]*object, error) {
	refs, err := references(kind, spec)
	if err != nil {
		return nil, err
	}
	found := map[string]*object{}
	for _, ref := range refs {
		if found[ref.Name], err = s.named(ctx, ref.Kind, ref.Field, ref.Name, now); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// refer checks that all that the parameters of an action refer to, by id, is there and ready.
func (s *session) refer(ctx context.Context, kind *resource.Kind, action string, params any, now time.Time) error {
	a, err := kind.Action(action)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode the parameters of %s: %w", action, err)
	}
	_, err = a.MapRefs(raw, func(ref resource.Ref) (string, error) {
		_, err := s.named(ctx, ref.Kind, ref.Field, ref.Name, now)
		return ref.Name, err
	})
	return err
}

// needs returns the ids of what an object needs as long as it lives.
func needs(kind *resource.Kind, spec any) ([]string, error) {
	refs, err := references(kind, spec)
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		if !ref.Weak && !ref.Loose {
			ids = append(ids, ref.Name)
		}
	}
	return ids, err
}

// references returns all that an object refers to.
func references(kind *resource.Kind, spec any) ([]resource.Ref, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "encode the spec of a %s: %w", kind.Name, err)
	}
	return kind.Refs(raw)
}

// named is find for what may have come with the request, since the cloud has no such object.
func (s *session) named(ctx context.Context, kind, field, id string, now time.Time) (*object, error) {
	if s.cloud.keyless && kind == resource.KeyPair.Name {
		pair, err := driver.ContentOf(ctx, resource.KeyPair, field, id)
		return &object{ID: id, Name: pair.Name, shape: shape{Spec: pair.Spec, Status: pair.Status}}, err
	}
	return s.find(kind, field, id, now)
}

// find returns an object that a field of a request names. It must be ready.
func (s *session) find(kind, field, id string, now time.Time) (*object, error) {
	o := s.cloud.find(s.shelfOf(kind), id, now)
	if o == nil {
		k, err := resource.KindNamed(kind)
		if err != nil {
			return nil, err
		}
		return nil, refuseField(field, "Invalid"+noun(k)+"ID.NotFound", "there is no %s %.64q in the region %s of the account %s; create it first", kind, id, s.Region, s.Account)
	}
	if state := o.Change.state(now); !state.Usable() {
		e := refuse(resource.CodeDependency, "IncorrectState", "the %s %s is %s; wait until it is ready", kind, o.called(), state)
		e.Retryable = !state.Settled() && state != resource.StateDeleting
		return nil, e
	}
	return o, nil
}
