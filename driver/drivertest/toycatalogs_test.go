package drivertest

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type entries[E any] []E

func (e entries[E]) List(context.Context, driver.Query) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, entry := range e {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// toyImages is a catalog that changes.
type toyImages struct{ *toySession }

// List implements driver.Lister.
func (i toyImages) List(ctx context.Context, _ driver.Query) iter.Seq2[resource.Image, error] {
	r, err := i.Changes(ctx, "")
	if err != nil {
		return func(yield func(resource.Image, error) bool) { yield(resource.Image{}, err) }
	}
	return r.Entries
}

// Changes implements driver.ChangeLister.
func (i toyImages) Changes(ctx context.Context, since string) (driver.Reading[resource.Image], error) {
	var page toyImagePage
	if err := i.call(ctx, http.MethodGet, "/images?since="+url.QueryEscape(since), nil, &page); err != nil {
		return driver.Reading[resource.Image]{}, err
	}
	r := driver.Reading[resource.Image]{Cursor: fmt.Sprint(page.Version), Changes: page.Changes, Gone: page.Gone}
	images := entries[resource.Image](page.Images)
	switch {
	case i.has("images twice"):
		images = append(images, images...)
	case i.has("misses changes") && r.Changes:
		images = nil
	case i.has("misses what goes"):
		r.Gone = nil
	case i.has("trusts any cursor") && since != "":
		r.Changes = true
	}
	r.Entries = images.List(ctx, nil)
	return r, nil
}

// filtered is a catalog that uses the query, wrongly if it loses.
type filtered struct {
	entries[resource.Spec]
	loses bool
}

func (f filtered) List(ctx context.Context, q driver.Query) iter.Seq2[resource.Spec, error] {
	all := slices.DeleteFunc(slices.Clone(f.entries), func(s resource.Spec) bool {
		return q["name"] != "" && (q["name"] != s.Name || f.loses)
	})
	return all.List(ctx, nil)
}
