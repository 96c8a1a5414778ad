package openstack

import (
	"context"
	"iter"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// diskTypes answers the volume types. VMs boot from volumes of each.
func (s *Session) diskTypes(ctx context.Context, _ driver.Query) iter.Seq2[resource.DiskType, error] {
	return driver.Items(list[volumetypes.VolumeType](ctx, s, s.volume, "types", "volume_types", nil),
		func(x shown[volumetypes.VolumeType]) resource.DiskType {
			return resource.DiskType{Name: x.is.Name, Title: x.is.Description, RootDisk: true}
		})
}
