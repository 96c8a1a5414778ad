package mock

import (
	"github.com/m-cmp/mc-infra-connector/resource"
)

func openQuotas(s *session) catalog[resource.Quota] {
	return catalog[resource.Quota]{s.callRegion, s.pageSize, func() []resource.Quota {
		s.cloud.catchUp()
		s.cloud.mu.RLock()
		defer s.cloud.mu.RUnlock()
		var quotas []resource.Quota
		for _, k := range resource.Kinds() {
			one := resource.Quota{ID: "quota-" + k.Name, Name: k.Title + "s", Kind: k.Name, Limit: -1, Adjustable: true}
			if limit, limited := s.quota(k.Name); limited {
				one.Limit = float64(limit)
			}
			used := float64(s.count(k.Name))
			one.Used = &used
			quotas = append(quotas, one)
		}
		return quotas
	}}
}
