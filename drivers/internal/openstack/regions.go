package openstack

import (
	"context"
	"iter"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// regions answers those of the catalog that came with the login.
func (s *Session) regions(context.Context, driver.Query) iter.Seq2[resource.Region, error] {
	return driver.Converted(driver.Listed(s.catalog.regions()...), func(name string) resource.Region { return resource.Region{Name: name} })
}
