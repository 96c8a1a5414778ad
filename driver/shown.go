package driver

import (
	"context"
	"iter"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Shown makes List and Get of what a cloud shows: an X, such as a type of its SDK. What a
// list shows of an object and what Get shows of it are then the same. A collection embeds it.
type Shown[X, S, T any] struct {
	Find func(ctx context.Context, f Filter) iter.Seq2[X, error] // what a list has, narrowed as far as the cloud can
	Look func(ctx context.Context, id string) (X, error)         // one, or not_found
	Show func(X) Object[S, T]
	Skip func(X) bool // what lists are without, although Get shows it; nil for nothing
}

// List implements Collection.
func (s Shown[X, S, T]) List(ctx context.Context, f Filter) iter.Seq2[Object[S, T], error] {
	return Converted(func(yield func(X, error) bool) {
		for x, err := range s.Find(ctx, f) {
			if err == nil && s.Skip != nil && s.Skip(x) {
				continue
			}
			if !yield(x, err) {
				return
			}
		}
	}, s.Show)
}

// Get implements Collection.
func (s Shown[X, S, T]) Get(ctx context.Context, id string) (Object[S, T], error) {
	x, err := s.Look(ctx, id)
	if err != nil {
		return Object[S, T]{}, err
	}
	return s.Show(x), nil
}

// GetMany implements ManyGetter for clouds that leave out of a list narrowed by ids, which
// does not lag, what does not exist. What lists skip is there, as for Get.
func (s Shown[X, S, T]) GetMany(ctx context.Context, ids []string) iter.Seq2[Object[S, T], error] {
	return Converted(s.Find(ctx, Filter{IDs: ids}), s.Show)
}

// Complete implements Completer for what one call makes: nothing is left to do. A collection
// whose creations need more has its own.
func (Shown[X, S, T]) Complete(_ context.Context, _ Request[S], o Object[S, T]) (Object[S, T], error) {
	return o, nil
}

// Converted is a list of something else; it ends with the first error.
func Converted[A, E any](items iter.Seq2[A, error], convert func(A) E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for item, err := range items {
			var converted E
			if err == nil {
				converted = convert(item)
			}
			if !yield(converted, err) || err != nil {
				return
			}
		}
	}
}

// UnlessMissing is a list that is empty where the cloud says that what it is a list of does
// not exist.
func UnlessMissing[E any](items iter.Seq2[E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for item, err := range items {
			if resource.CodeOf(err) == resource.CodeNotFound || !yield(item, err) {
				return
			}
		}
	}
}

// Single answers the only thing that a cloud answers to a creation of one.
func Single[A any](doing string, made []A) (A, error) {
	if len(made) != 1 {
		return *new(A), resource.Errorf(resource.CodeInternal, "%s answered %d objects instead of one", doing, len(made))
	}
	return made[0], nil
}

// Listed is a list that is known without a call of the cloud.
func Listed[E any](items ...E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Convert answers items as something else; none is nil.
func Convert[A, E any](items []A, convert func(A) E) []E {
	var all []E
	for _, item := range items {
		all = append(all, convert(item))
	}
	return all
}

// Among splits what a change names into what there is of it and what is missing.
func Among[E comparable](named, has []E) (there, missing []E) {
	for _, item := range named {
		if slices.Contains(has, item) {
			there = append(there, item)
		} else {
			missing = append(missing, item)
		}
	}
	return there, missing
}
