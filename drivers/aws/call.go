package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// pageSize is the most that EC2 answers at once, for all lists but that of
// instance types. AWS asks for paged requests.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html
const pageSize = 1000

// operation is one of a client's methods; P is the type of the client's options.
type operation[I, O, P any] func(context.Context, *I, ...func(*P)) (*O, error)

// call makes one call; its error has a code, and an empty answer beside it.
func call[I, O, P any](ctx context.Context, op operation[I, O, P], in *I) (*O, error) {
	out, err := op(ctx, in)
	return cmp.Or(out, new(O)), coded(err)
}

// do makes a call whose answer is not needed.
func do[I, O, P any](ctx context.Context, op operation[I, O, P], in *I) error {
	_, err := call(ctx, op, in)
	return err
}

// pager is what every paginator of the SDK is.
type pager[O, P any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*P)) (*O, error)
}

// paged answers what all pages hold. It can be ranged over once.
func paged[O, P, A any](ctx context.Context, pages pager[O, P], items func(*O) []A) iter.Seq2[A, error] {
	return driver.Items(func(yield func([]A, error) bool) {
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, coded(err))
				return
			}
			if !yield(items(page), nil) {
				return
			}
		}
	}, same)
}

// unlessMissing is a list that is empty where AWS says that a name does not exist.
func unlessMissing[E any](items iter.Seq2[E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for item, err := range items {
			if resource.CodeOf(err) == resource.CodeNotFound || !yield(item, err) {
				return
			}
		}
	}
}

// unpaged answers what an operation holds that has no pages.
func unpaged[I, O, P, A any](ctx context.Context, op operation[I, O, P], in *I, items func(*O) []A) iter.Seq2[A, error] {
	return driver.Items(func(yield func([]A, error) bool) {
		out, err := call(ctx, op, in)
		yield(items(out), err)
	}, same)
}

func same[A any](item A) A { return item }

// wanted is what a list of EC2 is asked for: what has ids, all of which must be there, or
// what filters let through.
type wanted struct {
	ids     []string
	filters []types.Filter
}

// one asks for what has an id.
func one(id string) wanted { return wanted{ids: []string{id}} }

// having asks for what filters let through.
func having(filters ...types.Filter) wanted { return wanted{filters: filters} }

// narrowed asks for what a filter wants; id is EC2's name for ids of the kind. Ids
// themselves would fail for one that is unknown. A cloud that speaks EC2's API may pass
// over it all.
func narrowed(f driver.Filter, id string) (w wanted) {
	if f.Token != "" {
		w.filters = append(w.filters, filter("tag:"+tokenTag, f.Token))
	}
	if len(f.IDs) > 0 {
		w.filters = append(w.filters, filter(id, f.IDs...))
	}
	return w
}

// most is the size of a page, which EC2 does not take beside ids.
func (w wanted) most() *int32 {
	if len(w.ids) > 0 {
		return nil
	}
	return aws.Int32(pageSize)
}

// objects are the collection of a kind of which EC2 shows an X for each.
type objects[X, S, T any] struct {
	*session
	driver.Shown[X, S, T]
}

// objectsOf makes a collection of a list of EC2. what names the kind for people, and id is
// EC2's name for its ids in filters.
func objectsOf[X, S, T any](s *session, what, id string, list func(context.Context, wanted) iter.Seq2[X, error], show func(X) driver.Object[S, T]) objects[X, S, T] {
	return objects[X, S, T]{s, driver.Shown[X, S, T]{
		Find: func(ctx context.Context, f driver.Filter) iter.Seq2[X, error] { return list(ctx, narrowed(f, id)) },
		Look: func(ctx context.Context, id string) (X, error) { return driver.One(list(ctx, one(id)), what, id) },
		Show: show,
	}}
}

// only answers the only thing that a creation of one is answered with.
func only[A any](doing string, made []A) (A, error) {
	if len(made) != 1 {
		return *new(A), resource.Errorf(resource.CodeInternal, "AWS %s answered %d objects instead of one", doing, len(made))
	}
	return made[0], nil
}

// object begins a resource with what all kinds of EC2 have in common.
func object[S, T any](id *string, tags []types.Tag, shown any) driver.Object[S, T] {
	o := driver.Object[S, T]{ID: aws.ToString(id), Native: native{shown}}
	o.Token, o.Name, o.Labels = ours().Read(maps.All(tagsIn(tags)))
	return o
}

// filter asks a list for what has one of the values.
func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// optional is a text that is left out if it is empty.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return aws.String(text)
}

// number is a number that is left out if it is 0.
func number(n int) *int32 {
	if n == 0 {
		return nil
	}
	return aws.Int32(int32(n)) //nolint:gosec // ports, sizes and times that the model bounds
}

// native shows a structure of the SDK under AWS's own names, without the many
// fields that are not set.
type native struct{ shown any }

// MarshalJSON implements json.Marshaler.
func (n native) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(n.shown)
	if err != nil {
		return nil, err
	}
	var fields any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	return json.Marshal(prune(fields))
}

func prune(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, field := range v {
			if field = prune(field); field == nil || field == "" {
				delete(v, key)
			} else {
				v[key] = field
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return value
}
