package mock

import (
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// offer is what there is to choose from in some of the regions.
type offer struct {
	regions   []region
	images    []resource.Image
	specs     []resource.Spec
	diskTypes []resource.DiskType // the default one first
	versions  []string            // of clusters, the oldest first
	anyPlace  bool                // whether regions and zones that are not listed will do, too
}

// region is a place of the mock cloud.
type region struct {
	name, title string
	zones       []resource.Zone
}

func (c *cloud) offers() []*offer { return []*offer{c.own, c.spiders} }

// offerIn is what there is in a region, or in none. Where any region will do, one that
// is in no list is one of CB-Spider's.
func (c *cloud) offerIn(name string, anyRegion bool) (*offer, error) {
	for _, o := range c.offers() {
		if _, listed := o.region(name); listed {
			return o, nil
		}
	}
	switch {
	case anyRegion:
		return c.spiders, nil
	case name == "":
		return c.own, nil
	}
	return nil, refuseField("region", "InvalidRegion", "there is no region %.64q; the regions are: %s, and those of CB-Spider: %s", name, c.own.regionNames(), c.spiders.regionNames())
}

func (o *offer) region(name string) (found region, listed bool) {
	i := slices.IndexFunc(o.regions, func(r region) bool { return r.name == name })
	if i < 0 {
		return planet(name, 0), false
	}
	return o.regions[i], true
}

func (o *offer) regionNames() string {
	return joined(o.regions, func(r region) string { return r.name })
}

func (o *offer) checkZone(field, in, name string) error {
	region, listed := o.region(in)
	switch {
	case o.anyPlace || slices.ContainsFunc(region.zones, func(z resource.Zone) bool { return z.Name == name }):
		return nil
	case !listed:
		return refuseField(field, "InvalidZone", "the zone %.64q needs a region; give the connection one of: %s", name, o.regionNames())
	}
	return refuseField(field, "InvalidZone", "there is no zone %.64q in the region %s; its zones are: %s", name, in, joined(region.zones, func(z resource.Zone) string { return z.Name }))
}

func (o *offer) image(field, id string) (resource.Image, error) {
	i := slices.IndexFunc(o.images, func(i resource.Image) bool { return i.ID == id })
	if i < 0 {
		return resource.Image{}, refuseField(field, "InvalidImageID.NotFound", "there is no image %.64q; choose the id of one of the catalog's images", id)
	}
	return o.images[i], nil
}

func (o *offer) spec(field, name string) (resource.Spec, error) {
	i := slices.IndexFunc(o.specs, func(s resource.Spec) bool { return s.Name == name })
	if i < 0 {
		return resource.Spec{}, refuseField(field, "InvalidInstanceType", "there is no spec %.64q; choose the name of one of the catalog's specs", name)
	}
	return o.specs[i], nil
}

func joined[T any](items []T, name func(T) string) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	return strings.Join(names, ", ")
}
