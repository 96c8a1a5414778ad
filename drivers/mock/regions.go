package mock

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// region is a place of the mock cloud with the last letters of its zones.
type region struct{ name, title, zones string }

func allRegions() []region {
	return []region{
		{"mock-seoul", "Asia Pacific (Seoul)", "abc"},
		{"mock-tokyo", "Asia Pacific (Tokyo)", "abc"},
		{"mock-virginia", "North America (Virginia)", "abc"},
		{"mock-frankfurt", "Europe (Frankfurt)", "ab"},
	}
}

func openRegions(s *session) catalog[resource.Region] {
	return catalog[resource.Region]{s.call, s.pageSize, func() []resource.Region {
		var regions []resource.Region
		for _, r := range allRegions() {
			regions = append(regions, resource.Region{Name: r.name, Title: r.title})
		}
		return regions
	}}
}

func regionNames() string {
	var names []string
	for _, r := range allRegions() {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

func checkRegion(name string) error {
	if slices.ContainsFunc(allRegions(), func(r region) bool { return r.name == name }) {
		return nil
	}
	return refuseField("region", "InvalidRegion", "there is no region %.64q; the regions are: %s", name, regionNames())
}

// catalog lists entries that never change.
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
