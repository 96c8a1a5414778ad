package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"regexp"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Offer is one kind, catalog or feed that a driver with sessions of type S offers.
type Offer[S any] struct {
	name string
	add  func(*Driver)
}

// Without leaves some offers out, by the names of their kinds, catalogs and feeds: what the drivers of a
// family share, without what one of them has of its own.
func Without[S any](offers []Offer[S], names ...string) []Offer[S] {
	return slices.DeleteFunc(offers, func(o Offer[S]) bool { return slices.Contains(names, o.name) })
}

// offer is a kind's collection with its types taken off.
type offer struct {
	kind      *resource.Kind
	abilities reflect.Type // an interface
	found     Found
	tellsOnce bool // whether its creation tells a secret
	reused    bool // whether another object can have the id of one that is gone
	open      func(session any) any
	list      func(ctx context.Context, collection any, f Filter) iter.Seq2[Item, error]
	get       func(ctx context.Context, collection any, id string) (Item, error)
	getMany   func(ctx context.Context, collection any, ids []string) iter.Seq2[Item, error] // nil: it has no batch for get
	make      func(ctx context.Context, collection any, r ItemRequest) (Item, error)
	complete  func(ctx context.Context, collection any, r ItemRequest, item Item) (Item, error)
	check     func(ctx context.Context, collection any, r ItemRequest) error
}

// extensionOffer is an operation that only one driver has, with its types taken off.
type extensionOffer struct {
	run func(ctx context.Context, session any, input json.RawMessage) (json.RawMessage, error)
}

type catalogOffer struct {
	list    func(ctx context.Context, session any, q Query) iter.Seq2[json.RawMessage, error]
	changes func(ctx context.Context, session any, since string) (Reading[json.RawMessage], error)
}

// Kind offers a kind of resource. open makes the collection of a session. It returns an
// interface, which names the abilities that are offered: the compiler checks that the
// collection has them, and what it has beside, because it embeds something, is not offered.
// traits say how what a creation has made is found again, without which that is [ByTag], and
// whether ids are names that come again ([ReusedIDs]).
func Kind[Session any, C Collection[S, T], S, T any](kind resource.Type[S, T], open func(Session) C, traits ...Trait) Offer[Session] {
	abilities := reflect.TypeFor[C]()
	if abilities.Kind() != reflect.Interface {
		panic("driver.Kind(" + kind.Name + "): open returns " + abilities.String() + ", which may have methods that it only embeds; return an interface with those that are to be offered")
	}
	o := &offer{kind: kind.Kind, abilities: abilities, open: func(session any) any { return open(session.(Session)) }}
	described := KindOffer{Name: kind.Name, Verbs: []string{"list", "get"}}
	if abilities.Implements(reflect.TypeFor[Maker[S, T]]()) {
		described.Verbs = append(described.Verbs, "create")
		o.found = ByTag
	}
	for _, t := range traits {
		t.of(o)
	}
	if o.tellsOnce && (o.found == ByToken || len(kind.Secrets) == 0) {
		panic("driver.Kind(" + kind.Name + "): with TellsOnce it is found by tag or name, and the kind has secrets")
	}
	described.Found, described.ReusedIDs, described.TellsOnce = o.found, o.reused, o.tellsOnce
	checks := abilities.Implements(reflect.TypeFor[Checker[S]]())
	if checks {
		described.Verbs = append(described.Verbs, "check")
	}
	if abilities.Implements(reflect.TypeFor[Deleter]()) {
		described.Verbs = append(described.Verbs, "delete")
	}
	for _, a := range kind.Actions {
		if a.Offered(abilities) {
			described.Actions = append(described.Actions, a.Name)
		}
	}
	for _, v := range kind.Views {
		if v.Offered(abilities) {
			described.Views = append(described.Views, v.Name)
		}
	}
	described.Data = dataOf(kind.Kind, abilities)
	completes := abilities.Implements(reflect.TypeFor[Completer[S, T]]())
	erase := eraser[S, T](slices.Contains(described.Actions, resource.ActionLabel))
	o.list = func(ctx context.Context, c any, f Filter) iter.Seq2[Item, error] {
		return filtered(eraseAll(c.(C).List(ctx, f), erase), f)
	}
	if abilities.Implements(reflect.TypeFor[ManyGetter[S, T]]()) {
		o.getMany = func(ctx context.Context, c any, ids []string) iter.Seq2[Item, error] {
			return filtered(eraseAll(c.(ManyGetter[S, T]).GetMany(ctx, ids), erase), Filter{IDs: ids})
		}
	}
	if abilities.Implements(reflect.TypeFor[Batcher]()) {
		var none Session
		described.Many = o.batches(open(none), described)
	}
	o.get = func(ctx context.Context, c any, id string) (Item, error) {
		object, err := c.(C).Get(ctx, id)
		if err == nil && object.State == resource.StateDeleted {
			err = resource.Errorf(resource.CodeNotFound, "the %s %s is gone: the cloud shows it as %s", kind.Name, id, cmp.Or(object.CloudState, "deleted"))
		}
		if err != nil {
			return Item{}, err
		}
		return erase(object)
	}
	o.make = func(ctx context.Context, c any, r ItemRequest) (Item, error) {
		maker, ok := c.(Maker[S, T])
		if !ok || o.found == "" {
			return Item{}, resource.Errorf(resource.CodeUnsupported, "this driver does not create a %s", kind.Name)
		}
		typed, err := requestOf[S](kind.Kind, r)
		if err != nil {
			return Item{}, err
		}
		if err := checkLabels(c, "labels", r.Labels); err != nil {
			return Item{}, err
		}
		object, err := maker.Make(ctx, typed)
		if err != nil {
			return Item{}, err
		}
		item, err := erase(object)
		item.Secrets = object.Secrets
		return item, err
	}
	o.complete = func(ctx context.Context, c any, r ItemRequest, item Item) (Item, error) {
		completer, ok := c.(Completer[S, T])
		if !ok || !completes {
			return item, nil
		}
		typed, err := requestOf[S](kind.Kind, r)
		if err != nil {
			return item, err
		}
		object, err := objectOf[S, T](kind.Kind, item)
		if err != nil {
			return item, err
		}
		if object, err = completer.Complete(ctx, typed, object); err != nil {
			return item, err
		}
		return erase(object)
	}
	o.check = checkOf[S](kind.Kind, checks)
	return Offer[Session]{kind.Name, func(d *Driver) {
		d.offers[kind.Name] = o
		d.description.Kinds = append(d.description.Kinds, described)
	}}
}

// ListerFunc is a Lister that is a function, such as a method of a session.
type ListerFunc[E any] func(ctx context.Context, q Query) iter.Seq2[E, error]

// List implements Lister.
func (f ListerFunc[E]) List(ctx context.Context, q Query) iter.Seq2[E, error] { return f(ctx, q) }

// Catalog offers a catalog. open makes the lister of a session.
func Catalog[Session any, L Lister[E], E any](catalog resource.CatalogOf[E], open func(Session) L) Offer[Session] {
	return Offer[Session]{catalog.Name, func(d *Driver) {
		d.description.Catalogs = append(d.description.Catalogs, catalog.Name)
		d.catalogs[catalog.Name] = catalogOffer{
			list: func(ctx context.Context, session any, q Query) iter.Seq2[json.RawMessage, error] {
				return encoded(open(session.(Session)).List(ctx, q))
			},
			changes: changesOf(open),
		}
	}}
}

// Extension offers an operation that only this driver has. I and O are structs whose
// fields carry the tags json and doc; their schemas are part of the description, and
// input is checked against them before run sees it.
func Extension[Session, I, O any](name, doc string, run func(context.Context, Session, I) (O, error)) Offer[Session] {
	described := ExtensionOffer{
		Name: name, Doc: doc, Input: resource.JSONSchema(reflect.TypeFor[I]()), Output: resource.JSONSchema(reflect.TypeFor[O]()),
	}
	return Offer[Session]{name, func(d *Driver) {
		if _, double := d.extensions[name]; double || !extensionName.MatchString(name) {
			panic("driver.Extension(" + name + "): the name is taken, or not letters, digits, '.', '_' and '-' beginning with a letter")
		}
		d.description.Extensions = append(d.description.Extensions, described)
		d.extensions[name] = extensionOffer{func(ctx context.Context, session any, raw json.RawMessage) (json.RawMessage, error) {
			var input I
			if err := resource.Decode(raw, &input); err != nil {
				return nil, err
			}
			output, err := run(ctx, session.(Session), input)
			if err != nil {
				return nil, err
			}
			return encode(output)
		}}
	}}
}

// extensionName is what can stand in a path and after a command.
var extensionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)

// eraser takes the types off objects. Of a kind whose labels the cloud keeps, none is an
// empty map; of another one there are none to show.
func eraser[S, T any](labelled bool) func(Object[S, T]) (Item, error) {
	return func(o Object[S, T]) (Item, error) {
		item := Item{
			ID: o.ID, Name: o.Name, Token: o.Token, State: o.State, CloudState: o.CloudState, Reason: o.Reason, Code: o.Code, Part: o.Part,
			Native: o.Native, CreatedAt: o.CreatedAt,
		}
		if labelled {
			item.Labels = o.Labels
			if item.Labels == nil {
				item.Labels = map[string]string{}
			}
		}
		var err error
		if item.Spec, err = encode(o.Spec); err != nil {
			return Item{}, err
		}
		item.Status, err = encode(o.Status)
		return item, err
	}
}

// eraseAll takes the types off the objects of a list.
func eraseAll[S, T any](objects iter.Seq2[Object[S, T], error], erase func(Object[S, T]) (Item, error)) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for object, err := range objects {
			item := Item{}
			if err == nil {
				item, err = erase(object)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// requestOf gives a request the types of its kind.
func requestOf[S any](kind *resource.Kind, r ItemRequest) (Request[S], error) {
	typed := Request[S]{Token: r.Token, ID: r.ID, Name: r.Name, Labels: r.Labels}
	if err := json.Unmarshal(r.Spec, &typed.Spec); err != nil {
		return typed, resource.Errorf(resource.CodeInvalid, "decode the spec of a %s: %w", kind.Name, err)
	}
	return typed, nil
}

// objectOf gives an object the types of its kind.
func objectOf[S, T any](kind *resource.Kind, item Item) (Object[S, T], error) {
	typed := Object[S, T]{
		ID: item.ID, Name: item.Name, Token: item.Token, State: item.State, CloudState: item.CloudState, Reason: item.Reason, Code: item.Code, Part: item.Part,
		Labels: item.Labels, Native: item.Native, CreatedAt: item.CreatedAt,
	}
	err := errors.Join(json.Unmarshal(item.Spec, &typed.Spec), json.Unmarshal(item.Status, &typed.Status))
	if err != nil {
		return typed, resource.Errorf(resource.CodeInternal, "decode a %s: %w", kind.Name, err)
	}
	return typed, nil
}

func encode(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "encode a %T: %w", v, err)
	}
	return raw, nil
}
