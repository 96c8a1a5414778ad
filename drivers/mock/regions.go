package mock

import (
	"context"
	"iter"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ownRegions are the regions of this cloud, with zones such as mock-seoul-a.
func ownRegions() []region {
	own := func(name, title, letters string) region {
		r := region{name: name, title: title}
		for _, letter := range letters {
			r.zones = append(r.zones, resource.Zone{Name: name + "-" + string(letter), Region: name, Available: true})
		}
		return r
	}
	return []region{
		own("mock-seoul", "Asia Pacific (Seoul)", "abc"),
		own("mock-tokyo", "Asia Pacific (Tokyo)", "abc"),
		own("mock-virginia", "North America (Virginia)", "abc"),
		own("mock-frankfurt", "Europe (Frankfurt)", "ab"),
	}
}

func openRegions(s *session) catalog[resource.Region] {
	return catalog[resource.Region]{s.call, s.pageSize, func() []resource.Region {
		var regions []resource.Region
		for _, r := range s.regions() {
			regions = append(regions, resource.Region{Name: r.name, Title: r.title})
		}
		return regions
	}}
}

// regions are those that are listed, and the session's own.
func (s *session) regions() []region {
	in, listed := s.offer.region(s.Region)
	if listed || s.Region == "" {
		return s.offer.regions
	}
	return append(slices.Clone(s.offer.regions), in)
}

// catalog lists entries.
type catalog[E any] struct {
	call     func(context.Context) error
	pageSize int
	entries  func() []E
}

// List implements driver.Lister. The mock cloud cannot filter; the server does.
func (c catalog[E]) List(ctx context.Context, _ driver.Query) iter.Seq2[E, error] {
	return pages(ctx, c.call, c.pageSize, c.entries)
}

// pages answers what load returns after the first call, with one call per page.
func pages[E any](ctx context.Context, call func(context.Context) error, size int, load func() []E) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var all []E
		for from := 0; ; from += size {
			if err := call(ctx); err != nil {
				var none E
				yield(none, err)
				return
			}
			if from == 0 {
				all = load()
			}
			to := min(from+size, len(all))
			for _, e := range all[from:to] {
				if !yield(e, nil) {
					return
				}
			}
			if to == len(all) {
				return
			}
		}
	}
}
