package aws

import (
	"context"
	"encoding/json"
	"iter"

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

// call makes one call; its error has a code.
func call[I, O, P any](ctx context.Context, op operation[I, O, P], in *I) (*O, error) {
	out, err := op(ctx, in)
	return out, coded(err)
}

// pager is what every paginator of the SDK is.
type pager[O, P any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*P)) (*O, error)
}

// paged answers what all pages hold. It can be ranged over once.
func paged[O, P, A, E any](ctx context.Context, pages pager[O, P], items func(*O) []A, convert func(A) E) iter.Seq2[E, error] {
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
	}, convert)
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

// single is the one page of an operation that has no pages.
type single[I, O, P any] struct {
	op   operation[I, O, P]
	in   *I
	done bool
}

func (s *single[I, O, P]) HasMorePages() bool { return !s.done }

func (s *single[I, O, P]) NextPage(ctx context.Context, _ ...func(*P)) (*O, error) {
	s.done = true
	return s.op(ctx, s.in)
}

// unpaged is the list of an operation that has no pages.
func unpaged[I, O, P any](op operation[I, O, P], in *I) *single[I, O, P] {
	return &single[I, O, P]{op: op, in: in}
}

// same is the convert of a list that is wanted as AWS answers it.
func same[A any](a A) A { return a }

// object begins a resource with what all kinds of EC2 have in common.
func object[S, T any](id *string, tags []types.Tag, shown any) driver.Object[S, T] {
	o := driver.Object[S, T]{ID: aws.ToString(id), Native: native{shown}}
	o.Token, o.Name, o.Labels = readTags(tags)
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
