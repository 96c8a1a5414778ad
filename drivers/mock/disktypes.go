package mock

import (
	"cmp"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openDiskTypes(s *session) catalog[resource.DiskType] {
	return catalog[resource.DiskType]{s.callRegion, s.pageSize, func() []resource.DiskType { return s.offer.diskTypes }}
}

// allDiskTypes are the types of disks of every region of this cloud.
func allDiskTypes() []resource.DiskType {
	return []resource.DiskType{
		{Name: "SSD", Title: "Solid state disk", MinSizeGiB: 1, MaxSizeGiB: 16384, RootDisk: true},
		{Name: "HDD", Title: "Magnetic disk", MinSizeGiB: 1, MaxSizeGiB: 16384, RootDisk: true},
		{Name: "MEM", Title: "Disk in memory", MinSizeGiB: 10, MaxSizeGiB: 512},
	}
}

// checkDisk checks the size of a disk and its type, which it completes and returns.
func (o *offer) checkDisk(typeField string, name *string, sizeField string, sizeGiB int) (resource.DiskType, error) {
	types := o.diskTypes
	*name = cmp.Or(*name, types[0].Name)
	i := slices.IndexFunc(types, func(t resource.DiskType) bool { return t.Name == *name })
	if i < 0 {
		return resource.DiskType{}, refuseField(typeField, "InvalidVolumeType", "there is no type of disk %.64q; the types are: %s", *name, joined(types, func(t resource.DiskType) string { return t.Name }))
	}
	t := types[i]
	if sizeGiB < t.MinSizeGiB || sizeGiB > t.MaxSizeGiB {
		return t, refuseField(sizeField, "InvalidVolumeSize", "%d GiB are not possible for the type %s; ask for %d to %d GiB", sizeGiB, t.Name, t.MinSizeGiB, t.MaxSizeGiB)
	}
	return t, nil
}

// checkRootDisk checks the root disk of a machine, whose fields are below at.
func (o *offer) checkRootDisk(at string, name *string, sizeGiB int) error {
	t, err := o.checkDisk(below(at, "rootDiskType"), name, below(at, "rootDiskSizeGiB"), sizeGiB)
	if err == nil && !t.RootDisk {
		return refuseField(below(at, "rootDiskType"), "InvalidVolumeType", "nothing boots from the type of disk %s; choose %s, or leave it out", t.Name, o.diskTypes[0].Name)
	}
	return err
}
