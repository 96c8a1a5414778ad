package aws

import (
	"cmp"
	"context"
	"iter"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
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

// pages answers what each page holds. It can be ranged over once.
func pages[O, P, A any](ctx context.Context, p pager[O, P], items func(*O) []A) iter.Seq2[[]A, error] {
	return func(yield func([]A, error) bool) {
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			if err != nil {
				yield(nil, coded(err))
				return
			}
			if !yield(items(page), nil) {
				return
			}
		}
	}
}

// paged answers what all pages hold.
func paged[O, P, A any](ctx context.Context, p pager[O, P], items func(*O) []A) iter.Seq2[A, error] {
	return driver.Items(pages(ctx, p, items), same)
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

// owners are the accounts that a list is of: whoever names an object may have it from another one.
func (w wanted) owners() []string {
	if len(w.ids) > 0 {
		return nil
	}
	return []string{"self"}
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

// object begins a resource with what all kinds of EC2 have in common.
func object[S, T any](id *string, tags []types.Tag, shown any) driver.Object[S, T] {
	o := driver.Object[S, T]{ID: aws.ToString(id), Native: driver.Sparse{Shown: shown}}
	o.Token, o.Name, o.Labels = ours().Read(maps.All(tagsIn(tags)))
	return o
}

// filter asks a list for what has one of the values.
func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// number is a number that is left out if it is 0.
func number(n int) *int32 {
	return driver.Optional(int32(n)) //nolint:gosec // ports, sizes and times that the model bounds
}
