package openstack

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/gophercloud/gophercloud/v2"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// quotas answers the quotas of the project, service by service. Nova, Cinder and Neutron
// tell what is used, each in a word of its own; Octavia does not.
func (s *Session) quotas(ctx context.Context, _ driver.Query) iter.Seq2[resource.Quota, error] {
	return func(yield func(resource.Quota, error) bool) {
		for _, source := range []struct {
			service, key string
			client       *gophercloud.ServiceClient
			path         []string
		}{
			{"compute", "quota_set", s.compute, []string{"os-quota-sets", s.project, "detail"}},
			{"volume", "quota_set", s.volume, []string{"os-quota-sets", s.project + "?usage=true"}},
			{"network", "quota", s.network, []string{"quotas", s.project, "details.json"}},
			{"load-balancer", "quota", s.balancer, []string{"lbaas", "quotas", s.project}},
		} {
			found, err := get[map[string]json.RawMessage](ctx, source.client, source.key, source.path...)
			if resource.CodeOf(err) == resource.CodeUnsupported { // no such service here
				continue
			}
			if err != nil {
				yield(resource.Quota{}, err)
				return
			}
			for _, name := range slices.Sorted(maps.Keys(found.is)) {
				if entry, ok := quota(source.service, name, found.is[name]); ok && !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// quota reads one limit, with or without what is used.
func quota(service, name string, raw json.RawMessage) (resource.Quota, bool) {
	units := map[string]string{"gigabytes": "GiB", "per_volume_gigabytes": "GiB", "backup_gigabytes": "GiB", "ram": "MiB"}
	entry := resource.Quota{ID: service + "/" + name, Name: name, Service: service, Kind: limited(name), Unit: units[name], Adjustable: true}
	if json.Unmarshal(raw, &entry.Limit) == nil {
		return entry, true
	}
	var detail struct {
		Limit           *float64
		InUse           *float64 `json:"in_use"`
		Used, Allocated *float64
	}
	if json.Unmarshal(raw, &detail) != nil || detail.Limit == nil { // such as the project's id
		return entry, false
	}
	entry.Limit, entry.Used = *detail.Limit, cmp.Or(detail.InUse, detail.Used)
	return entry, true
}

// limited is the kind that a quota limits, or "".
func limited(name string) string {
	return map[string]string{
		"instances": "vm", "key_pairs": "keypair", "network": "vpc", "subnet": "subnet", "security_group": "securitygroup",
		"floatingip": "publicip", "port": "nic", "volumes": "disk", "snapshots": "snapshot",
		"load_balancer": "nlb", "loadbalancer": "nlb",
	}[name]
}
