package openstack

import (
	"context"
	"iter"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type zones struct{ *Session }

// List answers the availability zones of Nova. Those of Cinder can have other names.
func (z zones) List(ctx context.Context, _ driver.Query) iter.Seq2[resource.Zone, error] {
	return driver.Items(list[availabilityzones.AvailabilityZone](ctx, z.Session, z.compute, "os-availability-zone", "availabilityZoneInfo", nil),
		func(x shown[availabilityzones.AvailabilityZone]) resource.Zone {
			return resource.Zone{Name: x.is.ZoneName, Region: z.region, Available: x.is.ZoneState.Available}
		})
}
