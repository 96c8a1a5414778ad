package mock

import (
	"fmt"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// openK8sVersions lists the versions of clusters. Each is supported for four months longer than the
// one before it; a cluster goes up by one at a time.
func openK8sVersions(s *session) catalog[resource.K8sVersion] {
	return catalog[resource.K8sVersion]{s.callRegion, s.pageSize, func() []resource.K8sVersion {
		var all []resource.K8sVersion
		for _, v := range s.offer.versions {
			var minor int
			_, _ = fmt.Sscanf(v, "1.%d", &minor) // all of them are written so
			end := time.Date(2026, time.Month(6+4*(minor-33)), 28, 0, 0, 0, 0, time.UTC)
			next := after(s.offer.versions, v)
			all = append(all, resource.K8sVersion{Name: v, Default: v == usual(s.offer.versions), EndOfSupport: &end, Upgrades: next[:min(1, len(next))]})
		}
		return all
	}}
}
