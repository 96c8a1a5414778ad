package spider

import (
	"net/http"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// PublicIPInfo is CB-Spider's public address.
type PublicIPInfo struct {
	IId             IID
	PublicIPAddress string
	Status          string
	OwnedVM         *IID   `json:",omitempty"`
	OwnedNIC        *IID   `json:",omitempty"`
	OwnedPrivateIP  string `json:",omitempty"`
	CreatedTime     time.Time
	TagList         []KeyValue `json:",omitempty"`
	KeyValueList    []KeyValue `json:",omitempty"`
}

type publicIPRequest struct{ named }

func publicIP() *kind {
	k := &kind{
		of: resource.PublicIP.Kind, path: "publicip", envelope: "publicip", word: "publicip", title: "PublicIP", without: "all csp",
		fields: map[string]string{"vm": "VMName", "nic": "NICName", "labels": "TagList"},
	}
	k.create = creates(k.of, func(*translation, publicIPRequest) resource.PublicIPSpec {
		return resource.PublicIPSpec{}
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		status := read[resource.PublicIPStatus](r.Status)
		return PublicIPInfo{
			IId: v.iidOf(r), PublicIPAddress: status.Address, Status: attachable(r.State, "Associated", status.VM+status.NIC != ""),
			OwnedVM: v.maybe(resource.VM.Name, status.VM), OwnedNIC: v.maybe(resource.NIC.Name, status.NIC),
			CreatedTime: r.CreatedAt, TagList: tags(r.Labels), KeyValueList: native(r),
		}
	}
	k.changes = []change{
		{method: http.MethodPut, path: "/associate", action: "associate", info: true, params: func(r *request) (any, error) {
			var req struct{ VMName, NICName, PrivateIP text }
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			if req.PrivateIP != "" {
				return nil, invalid("PrivateIP", "cannot be chosen; leave it out to take the first address")
			}
			t, err := r.translation()
			if err != nil {
				return nil, err
			}
			return resource.Association{VM: t.ours(vm(), "", req.VMName), NIC: t.ours(nic(), "", req.NICName)}, t.done()
		}},
		{method: http.MethodPut, path: "/disassociate", action: "disassociate"},
	}
	return k
}

// maybe is the IID of what is referred to, nil if nothing is.
func (v *view) maybe(kind, name string) *IID {
	if name == "" {
		return nil
	}
	id := v.iid(kind, name)
	return &id
}
