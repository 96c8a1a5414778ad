package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// pageSize is the most that EC2 answers at once, for all lists but that of
// instance types. AWS asks for paged requests.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html
const pageSize = 1000

// operation is one of the client's methods.
type operation[I, O any] func(context.Context, *I, ...func(*ec2.Options)) (*O, error)

// call makes one call; its error has a code.
func call[I, O any](ctx context.Context, op operation[I, O], in *I) (*O, error) {
	out, err := op(ctx, in)
	return out, coded(err)
}

// pager is what every paginator of the SDK is.
type pager[O any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*ec2.Options)) (*O, error)
}

// paged answers what all pages hold. It can be ranged over once.
func paged[O, A, E any](ctx context.Context, pages pager[O], items func(*O) []A, convert func(A) E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				var none E
				yield(none, coded(err))
				return
			}
			for _, item := range items(page) {
				if !yield(convert(item), nil) {
					return
				}
			}
		}
	}
}

// single is the one page of an operation that has no pages.
type single[I, O any] struct {
	op   operation[I, O]
	in   *I
	done bool
}

func (s *single[I, O]) HasMorePages() bool { return !s.done }

func (s *single[I, O]) NextPage(ctx context.Context, _ ...func(*ec2.Options)) (*O, error) {
	s.done = true
	return s.op(ctx, s.in)
}

// same is the convert of a list that is wanted as AWS answers it.
func same[A any](a A) A { return a }

// first answers the first item of a list, if there is one.
func first[E any](items iter.Seq2[E, error]) (item E, found bool, err error) {
	for item, err := range items {
		return item, err == nil, err
	}
	return item, false, nil
}

// one answers the only item of a list. AWS leaves out what does not exist if the
// answer to a list is filtered, and says so if it is asked by id.
func one[E any](items iter.Seq2[E, error], what, id string) (E, error) {
	item, found, err := first(items)
	if err == nil && !found {
		err = resource.Errorf(resource.CodeNotFound, "AWS has no %s %s in this region", what, id)
	}
	return item, err
}

// ensure answers what was made with a token, and makes it if it is not there.
func ensure[E any](found iter.Seq2[E, error], create func() (E, error)) (item E, created bool, err error) {
	item, ok, err := first(found)
	if err != nil || ok {
		return item, false, err
	}
	item, err = create()
	return item, err == nil, err
}

// undoTimeout bounds the removal of what could not be completed.
const undoTimeout = 30 * time.Second

// completed handles the error of a step after the first of a creation. If a repeat
// can help, what is there stays for it to complete; otherwise nobody would come
// back for what this call created, so that it is removed.
func completed(ctx context.Context, err error, created bool, undo func(context.Context) error) error {
	if err == nil {
		return nil
	}
	// What is new is not seen everywhere at once.
	// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
	if resource.CodeOf(err) == resource.CodeNotFound {
		return resource.Errorf(resource.CodeUnavailable, "AWS does not show everywhere yet what it has just created: %w", err)
	}
	if resource.AsError(err).Retryable || ctx.Err() != nil || !created {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if left := undo(ctx); left != nil {
		return fmt.Errorf("%w; removing what was created before failed too: %w", err, left)
	}
	return err
}

// object begins a resource with what all kinds have in common.
func object[S, T any](id *string, tags []types.Tag, shown any) driver.Object[S, T] {
	o := driver.Object[S, T]{ID: aws.ToString(id), Native: native{shown}}
	o.Token, o.Name, o.Labels = readTags(tags)
	return o
}

// stateOf translates AWS's word.
func stateOf[W ~string](word W, words map[W]resource.State) (resource.State, string) {
	if state, ok := words[word]; ok {
		return state, string(word)
	}
	return resource.StateUnknown, string(word)
}

// filter asks a list for what has one of the values.
func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
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
