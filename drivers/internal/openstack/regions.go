package openstack

import (
	"context"
	"iter"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type regions struct{ *Session }

// List answers the regions of the catalog that came with the login.
func (r regions) List(context.Context, driver.Query) iter.Seq2[resource.Region, error] {
	return func(yield func(resource.Region, error) bool) {
		for _, name := range r.catalog.regions() {
			if !yield(resource.Region{Name: name}, nil) {
				return
			}
		}
	}
}
