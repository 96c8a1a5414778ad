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

type quotas struct{ *Session }

// List answers the quotas of the project, service by service. Nova, Cinder and Neutron
// tell what is used, each in a word of its own; Octavia does not.
func (q quotas) List(ctx context.Context, _ driver.Query) iter.Seq2[resource.Quota, error] {
	return func(yield func(resource.Quota, error) bool) {
		for _, source := range []struct {
			service, key string
			client       *gophercloud.ServiceClient
			path         []string
		}{
			{"compute", "quota_set", q.compute, []string{"os-quota-sets", q.project, "detail"}},
			{"volume", "quota_set", q.volume, []string{"os-quota-sets", q.project + "?usage=true"}},
			{"network", "quota", q.network, []string{"quotas", q.project, "details.json"}},
			{"load-balancer", "quota", q.balancer, []string{"lbaas", "quotas", q.project}},
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
	entry := resource.Quota{ID: service + "/" + name, Name: name, Service: service, Kind: limited(name), Adjustable: true}
	switch name {
	case "gigabytes", "per_volume_gigabytes", "backup_gigabytes":
		entry.Unit = "GiB"
	case "ram":
		entry.Unit = "MiB"
	}
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
