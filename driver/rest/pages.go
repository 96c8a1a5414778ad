package rest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/url"
	"strconv"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Next answers the query of the page after one; nil if that was the last. No Next is for
// lists without pages.
type Next[P any] func(page P, query url.Values) (url.Values, error)

// Pages answers a list page by page, for driver.Items. P is what the cloud answers to a call,
// items what it holds of the list.
func Pages[P, A any](ctx context.Context, c *Client, call Call, items func(P) []A, next Next[P]) iter.Seq2[[]A, error] {
	return func(yield func([]A, error) bool) {
		call := call
		for {
			var page P
			if err := c.Do(ctx, call, &page); err != nil {
				yield(nil, err)
				return
			}
			if !yield(items(page), nil) {
				return
			}
			if next == nil {
				return
			}
			query, err := next(page, call.Query)
			if err == nil && query != nil && query.Encode() == call.Query.Encode() {
				err = errors.New("the page that follows is the same one")
			}
			if err != nil { // a list that ends here would be too short
				yield(nil, resource.Errorf(resource.CodeUnavailable, "%s: the rest of the list cannot be asked for: %w", c.doing(call), err))
				return
			}
			if query == nil {
				return
			}
			call.Query = query
		}
	}
}

// ByLink is for lists that link to their next page. Of the link only the query is followed:
// the credential goes to no other host, and behind a proxy many clouds answer links that
// lead past it.
func ByLink[P any](link func(P) string) Next[P] {
	return func(page P, _ url.Values) (url.Values, error) {
		next := link(page)
		if next == "" {
			return nil, nil
		}
		u, err := url.Parse(next)
		if err == nil && u.RawQuery == "" {
			err = errors.New("the link to the next page has no query")
		}
		if err != nil {
			return nil, err
		}
		return u.Query(), nil
	}
}

// ByMarker is for lists that answer what to ask the next page with: a token, or the id of
// the last object. name is the parameter for it.
func ByMarker[P any](name string, marker func(P) string) Next[P] {
	return func(page P, query url.Values) (url.Values, error) {
		value := marker(page)
		if value == "" {
			return nil, nil
		}
		return with(query, name, value), nil
	}
}

// ByOffset is for lists that are asked by how many objects come before; an empty page ends
// them. name is the parameter, count how many objects a page has.
func ByOffset[P any](name string, count func(P) int) Next[P] {
	return func(page P, query url.Values) (url.Values, error) {
		before, _ := strconv.Atoi(query.Get(name)) // none at first
		n := count(page)
		if n == 0 {
			return nil, nil
		}
		return with(query, name, strconv.Itoa(before+n)), nil
	}
}

func with(query url.Values, name, value string) url.Values {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	query.Set(name, value)
	return query
}
