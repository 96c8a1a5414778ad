package openstack

import (
	"context"
	"iter"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// zones answers the availability zones of Nova. Those of Cinder can have other names.
func (s *Session) zones(ctx context.Context, _ driver.Query) iter.Seq2[resource.Zone, error] {
	return driver.Items(list[availabilityzones.AvailabilityZone](ctx, s, s.compute, "os-availability-zone", "availabilityZoneInfo", nil),
		func(x shown[availabilityzones.AvailabilityZone]) resource.Zone {
			return resource.Zone{Name: x.is.ZoneName, Region: s.region, Available: x.is.ZoneState.Available}
		})
}
