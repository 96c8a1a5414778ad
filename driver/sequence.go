package driver

import (
	"context"
	"iter"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Items answers what all pages of a list hold, converted, and fails with the first
// page that does. Pages are asked for as the items are taken.
func Items[A, E any](pages iter.Seq2[[]A, error], convert func(A) E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for page, err := range pages {
			if err != nil {
				var none E
				yield(none, err)
				return
			}
			for _, item := range page {
				if !yield(convert(item), nil) {
					return
				}
			}
		}
	}
}

// First answers the first item of a list, if there is one.
func First[E any](items iter.Seq2[E, error]) (item E, found bool, err error) {
	for item, err := range items {
		return item, err == nil, err
	}
	return item, false, nil
}

// One answers the only item of a list that was asked for by id. It is for clouds that
// leave out what does not exist; what names the kind for people.
func One[E any](items iter.Seq2[E, error], what, id string) (E, error) {
	item, found, err := First(items)
	if err == nil && !found {
		err = resource.Errorf(resource.CodeNotFound, "the cloud has no %s %s in this region", what, id)
	}
	return item, err
}

// Collect answers all items of a list, or the error that ends it.
func Collect[E any](items iter.Seq2[E, error]) ([]E, error) {
	var all []E
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// GetEach is a list of objects by their ids, one by one, without those that are gone. It is for
// clouds whose lists cannot be asked for ids.
func GetEach[E any](ctx context.Context, ids []string, get func(ctx context.Context, id string) (E, error)) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, id := range ids {
			o, err := get(ctx, id)
			if resource.CodeOf(err) == resource.CodeNotFound {
				continue
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}
