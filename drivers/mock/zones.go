package mock

import (
	"cmp"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openZones(s *session) catalog[resource.Zone] {
	return catalog[resource.Zone]{s.callRegion, s.pageSize, func() []resource.Zone {
		var zones []resource.Zone
		for _, name := range zoneNames(s.Region) {
			zones = append(zones, resource.Zone{Name: name, Region: s.Region, Available: true})
		}
		return zones
	}}
}

// zoneNames are the zones of a region, such as mock-seoul-a.
func zoneNames(in string) []string {
	var names []string
	for _, r := range allRegions() {
		if r.name == in {
			for _, letter := range r.zones {
				names = append(names, r.name+"-"+string(letter))
			}
		}
	}
	return names
}

// chooseZone completes the zone of a request and checks it.
func (s *session) chooseZone(field string, zone *string) error {
	*zone = cmp.Or(*zone, s.zone, zoneNames(s.Region)[0])
	return checkZone(field, s.Region, *zone)
}

func checkZone(field, region, name string) error {
	names := zoneNames(region)
	if slices.Contains(names, name) {
		return nil
	}
	if region == "" {
		return refuseField(field, "InvalidZone", "the zone %.64q needs a region; give the connection one of: %s", name, regionNames())
	}
	return refuseField(field, "InvalidZone", "there is no zone %.64q in the region %s; its zones are: %s", name, region, strings.Join(names, ", "))
}
