package mock

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// quotas are the one catalog of this cloud that changes: what is used of each.
type quotas struct{ catalog[resource.Quota] }

func openQuotas(s *session) quotas {
	return quotas{catalog[resource.Quota]{s.callRegion, s.pageSize, func() []resource.Quota {
		s.cloud.catchUp()
		s.cloud.mu.RLock()
		defer s.cloud.mu.RUnlock()
		var all []resource.Quota
		for _, k := range resource.Kinds() {
			one := resource.Quota{ID: "quota-" + k.Name, Name: k.Title + "s", Kind: k.Name, Limit: -1, Adjustable: true}
			if limit, limited := s.quota(k.Name); limited {
				one.Limit = float64(limit)
			}
			used := float64(s.count(k.Name))
			one.Used = &used
			all = append(all, one)
		}
		return all
	}}}
}

// Changes implements driver.ChangeLister. A cursor holds the numbers of each quota.
func (c quotas) Changes(ctx context.Context, since string) (driver.Reading[resource.Quota], error) {
	if err := c.call(ctx); err != nil {
		return driver.Reading[resource.Quota]{}, err
	}
	known := map[string]string{}
	for pair := range strings.SplitSeq(since, ",") {
		id, numbers, _ := strings.Cut(pair, "=")
		known[id] = numbers
	}
	numbers := func(q resource.Quota) string { return fmt.Sprintf("%v/%v", *q.Used, q.Limit) }
	all := c.entries()
	r := driver.Reading[resource.Quota]{
		Cursor:  strings.ReplaceAll(joined(all, func(q resource.Quota) string { return q.ID + "=" + numbers(q) }), " ", ""),
		Changes: !slices.ContainsFunc(all, func(q resource.Quota) bool { return known[q.ID] == "" }),
	}
	if r.Changes {
		all = slices.DeleteFunc(all, func(q resource.Quota) bool { return known[q.ID] == numbers(q) })
	}
	r.Entries = func(yield func(resource.Quota, error) bool) {
		for _, q := range all {
			if !yield(q, nil) {
				return
			}
		}
	}
	return r, nil
}
