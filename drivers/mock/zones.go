package mock

import (
	"cmp"
	"slices"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func openZones(s *session) catalog[resource.Zone] {
	return catalog[resource.Zone]{s.callRegion, s.pageSize, func() []resource.Zone {
		if !s.offer.anyPlace {
			return s.zones()
		}
		var all []resource.Zone // CB-Spider's clients see those of every region
		for _, r := range s.regions() {
			all = append(all, r.zones...)
		}
		return all
	}}
}

// zones are those of the session's region.
func (s *session) zones() []resource.Zone {
	in, _ := s.offer.region(s.Region)
	return in.zones
}

// chooseZone completes the zone of a request and checks it.
func (s *session) chooseZone(field string, zone *string) error {
	zones := s.zones()
	first := slices.IndexFunc(zones, func(z resource.Zone) bool { return z.Available })
	*zone = cmp.Or(*zone, s.zone, zones[first].Name)
	return s.offer.checkZone(field, s.Region, *zone)
}
