package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Kept offers a kind that the cloud has no object for, such as key pairs where a machine is
// given keys and no names of keys. The server keeps its resources and answers for them: no
// call about one comes to the driver. What they are comes with the calls that name one
// ([ContentOf]).
func Kept[Session, S, T any](kind resource.Type[S, T]) Offer[Session] {
	if !kind.Keepable() {
		panic("driver.Kept(" + kind.Name + "): the server cannot keep this kind")
	}
	described := KindOffer{Name: kind.Name, Verbs: []string{"list", "get", "create", "delete"}, Kept: true}
	return Offer[Session]{kind.Name, func(d *Driver) { d.description.Kinds = append(d.description.Kinds, described) }}
}

// ContentOf is what the call says of a resource that the server keeps: a creation, its check
// or an action that names the id in a field, such as spec.keypair. What the call does not
// have with it, or what makes no sense, is refused with the field.
func ContentOf[S, T any](ctx context.Context, kind resource.Type[S, T], field, id string) (Object[S, T], error) {
	problem := resource.Problem{Field: field, Message: fmt.Sprintf("what the %s %.64q is did not come with the request", kind.Name, id), Rule: resource.RuleMissing, Limit: kind.Name + " " + id}
	items := contents(ctx)[kind.Name]
	if i := slices.IndexFunc(items, func(item Item) bool { return item.ID == id }); i >= 0 {
		_, _, err := kind.Kept(items[i].Spec)
		if err == nil {
			return objectOf[S, T](kind.Kind, items[i])
		}
		problem.Message, problem.Rule, problem.Limit = fmt.Sprintf("the %s %.64q is not understood: %s", kind.Name, id, err), resource.RuleFormat, ""
	}
	return Object[S, T]{}, resource.Invalid(problem)
}

// Contents are the resources that the server keeps and a call names, by kind.
type Contents map[string][]Item

type contentsKey struct{}

// WithContents has what calls with the context name come with them.
func WithContents(ctx context.Context, c Contents) context.Context {
	return context.WithValue(ctx, contentsKey{}, c)
}

func contents(ctx context.Context) Contents {
	c, _ := ctx.Value(contentsKey{}).(Contents)
	return c
}

// encodeContents writes the contents of a call, nothing if it has none.
func encodeContents(ctx context.Context) ([]byte, error) {
	c := contents(ctx)
	if len(c) == 0 {
		return nil, nil
	}
	return encode(c)
}

// decodeContents has the contents that came with a call go on with it.
func decodeContents(ctx context.Context, raw []byte) (context.Context, error) {
	if len(raw) == 0 {
		return ctx, nil
	}
	var c Contents
	if err := json.Unmarshal(raw, &c); err != nil {
		return ctx, resource.Errorf(resource.CodeInvalid, "decode the contents of what the request names: %w", err)
	}
	return WithContents(ctx, c), nil
}

// Keeper has what a server keeps of a connection.
type Keeper interface {
	Keeps(ctx context.Context, kind string) (bool, error)
	All(ctx context.Context, kind string) ([]Item, error)
	Find(ctx context.Context, kind, id string) (Item, error) // not_found if there is none
}

// Keep is a session that answers for kinds that the server keeps, and whose other calls have
// with them what they name of these. It records nothing: what is created and deleted the
// keeper knows from whoever asks for that.
func Keep(s Session, k Keeper) Session { return keeping{s, k} }

type keeping struct {
	Session
	keeper Keeper
}

func (s keeping) List(ctx context.Context, kind string, f Filter) iter.Seq2[Item, error] {
	keeps, err := s.keeper.Keeps(ctx, kind)
	if err != nil {
		return fail[Item](err)
	}
	if !keeps {
		return s.Session.List(ctx, kind, f)
	}
	all, err := s.keeper.All(ctx, kind)
	if err != nil {
		return fail[Item](err)
	}
	return filtered(func(yield func(Item, error) bool) {
		for _, item := range all {
			if !yield(item, nil) {
				return
			}
		}
	}, f)
}

func (s keeping) Get(ctx context.Context, kind, id string) (Item, error) {
	keeps, err := s.keeper.Keeps(ctx, kind)
	switch {
	case err != nil:
		return Item{}, err
	case keeps:
		return s.keeper.Find(ctx, kind, id)
	}
	return s.Session.Get(ctx, kind, id)
}

func (s keeping) Create(ctx context.Context, kind string, r ItemRequest) (Item, *Pending, error) {
	keeps, err := s.keeper.Keeps(ctx, kind)
	if err != nil {
		return Item{}, nil, err
	}
	k, err := resource.KindNamed(kind)
	if err != nil {
		return Item{}, nil, err
	}
	if keeps {
		_, status, err := k.Kept(r.Spec)
		return Item{ID: r.Token, Name: r.Name, Token: r.Token, State: resource.StateAvailable, Spec: r.Spec, Status: status}, nil, err
	}
	if ctx, err = s.carry(ctx, k, r); err != nil {
		return Item{}, nil, err
	}
	return s.Session.Create(ctx, kind, r)
}

func (s keeping) Check(ctx context.Context, kind string, r ItemRequest) error {
	k, err := resource.KindNamed(kind)
	if err == nil {
		ctx, err = s.carry(ctx, k, r)
	}
	if err != nil {
		return err
	}
	return s.Session.Check(ctx, kind, r)
}

func (s keeping) Delete(ctx context.Context, kind, id string) (*Pending, error) {
	if keeps, err := s.keeper.Keeps(ctx, kind); keeps || err != nil {
		return nil, err
	}
	return s.Session.Delete(ctx, kind, id)
}

func (s keeping) Act(ctx context.Context, kind, id, action string, params json.RawMessage) (*Pending, error) {
	ctx, err := s.carryOfAction(ctx, kind, action, params)
	if err != nil {
		return nil, err
	}
	return s.Session.Act(ctx, kind, id, action, params)
}

func (s keeping) Batch(ctx context.Context, kind, verb string, members []Member, params json.RawMessage) ([]Answer, error) {
	if len(params) > 0 { // of an action
		var err error
		if ctx, err = s.carryOfAction(ctx, kind, verb, params); err != nil {
			return nil, err
		}
	}
	return s.Session.Batch(ctx, kind, verb, members, params)
}

// carry has the contents of what a creation names come with it.
func (s keeping) carry(ctx context.Context, k *resource.Kind, r ItemRequest) (context.Context, error) {
	return s.with(ctx, func(note noting) { _, _ = k.MapRefs(r.Spec, note) })
}

// carryOfAction does the same for an action.
func (s keeping) carryOfAction(ctx context.Context, kind, action string, params json.RawMessage) (context.Context, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return ctx, err
	}
	a, err := k.Action(action)
	if err != nil {
		return ctx, err
	}
	return s.with(ctx, func(note noting) { _, _ = a.MapRefs(params, note) })
}

// noting is told each reference.
type noting func(resource.Ref) (string, error)

// with gathers the contents of what is named. What cannot be read the driver refuses, and so
// it does what there is not.
func (s keeping) with(ctx context.Context, each func(noting)) (context.Context, error) {
	found := Contents{}
	var failed error
	each(func(ref resource.Ref) (string, error) {
		if failed == nil {
			failed = s.gather(ctx, found, ref)
		}
		return ref.Name, nil
	})
	return WithContents(ctx, found), failed
}

// gather adds what a reference names, if the server keeps that.
func (s keeping) gather(ctx context.Context, found Contents, ref resource.Ref) error {
	keeps, err := s.keeper.Keeps(ctx, ref.Kind)
	if err != nil || !keeps || slices.ContainsFunc(found[ref.Kind], func(item Item) bool { return item.ID == ref.Name }) {
		return err
	}
	item, err := s.keeper.Find(ctx, ref.Kind, ref.Name)
	if err != nil {
		return Except(err, resource.CodeNotFound)
	}
	k, err := resource.KindNamed(ref.Kind)
	if err != nil {
		return err
	}
	if item.Spec, item.Status, err = k.Kept(item.Spec); err != nil {
		return resource.Errorf(resource.CodeInternal, "read what the %s %s is: %w", ref.Kind, item.Name, err)
	}
	found[ref.Kind] = append(found[ref.Kind], item)
	return nil
}
