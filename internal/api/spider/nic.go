package spider

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// NICInfo is CB-Spider's network interface.
type NICInfo struct {
	IId               IID
	VpcIID            IID
	SubnetIID         IID
	SecurityGroupIIDs []IID `json:",omitempty"`
	PrivateIP         string
	PrivateIPs        []string `json:",omitempty"`
	PublicIPs         []string `json:",omitempty"`
	PublicIP          string   `json:",omitempty"`
	OwnerVM           *IID     `json:",omitempty"`
	MACAddress        string   `json:",omitempty"`
	Status            string
	CreatedTime       time.Time
	TagList           []KeyValue `json:",omitempty"`
	KeyValueList      []KeyValue `json:",omitempty"`
}

type nicRequest struct {
	named
	VPCName, SubnetName text
	SecurityGroupNames  []text
}

func nic() *kind {
	k := &kind{
		of: resource.NIC.Kind, path: "nic", envelope: "nic", word: "nic", title: "NIC", without: "all csp",
		fields: map[string]string{"subnet": "SubnetName", "securitygroups": "SecurityGroupNames", "vm": "VMName", "addresses": "PrivateIP", "labels": "TagList"},
	}
	k.create = creates(k.of, func(t *translation, req nicRequest) resource.NICSpec {
		return resource.NICSpec{
			Subnet: t.subnet(req.VPCName, req.SubnetName), SecurityGroups: t.allOurs(securityGroup(), "", req.SecurityGroupNames),
		}
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		spec, status := read[resource.NICSpec](r.Effective), read[resource.NICStatus](r.Status)
		info := NICInfo{
			IId: v.iidOf(r), VpcIID: v.vpcOf(spec.Subnet), SubnetIID: v.iid(resource.Subnet.Name, spec.Subnet),
			SecurityGroupIIDs: v.iids(resource.SecurityGroup.Name, spec.SecurityGroups), PrivateIP: status.PrivateAddress,
			PublicIP: status.PublicAddress, OwnerVM: v.maybe(resource.VM.Name, status.VM), MACAddress: status.MACAddress,
			Status: attachable(r.State, "Attached", status.VM != ""), CreatedTime: r.CreatedAt, TagList: tags(r.Labels), KeyValueList: native(r),
		}
		if status.PrivateAddress != "" {
			info.PrivateIPs = append([]string{status.PrivateAddress}, status.SecondaryAddresses...)
		}
		if status.PublicAddress != "" {
			info.PublicIPs = []string{status.PublicAddress}
		}
		return info
	}
	k.changes = []change{
		{method: http.MethodPut, path: "/attach", action: "attach", info: true, params: func(r *request) (any, error) {
			vm, err := r.existing(vm(), "VMName")
			return resource.NICAttachment{VM: vm}, err
		}},
		{method: http.MethodPut, path: "/detach", action: "detach"},
		{method: http.MethodPost, path: "/privateip", action: "addaddresses", info: true, params: func(r *request) (any, error) {
			address, err := r.need("PrivateIP")
			return resource.AddressChange{Addresses: []string{address}}, err
		}},
		{method: http.MethodDelete, path: "/privateip/{IP}", action: "removeaddresses", params: func(r *request) (any, error) {
			address, err := r.param("IP")
			return resource.AddressChange{Addresses: []string{address}}, err
		}},
	}
	return k
}

// OSConfigScript is what a VM's system is to be told of a network interface.
type OSConfigScript struct{ ConnectionName, NICName, Script string }

// osConfigScript answers the commands that give a Linux system the addresses of a
// network interface, which it does not learn by itself.
func (k *kind) osConfigScript(r *request) (any, error) {
	found, err := k.targeted(r)
	if err != nil {
		return nil, err
	}
	status := read[resource.NICStatus](found.Status)
	bits := 32
	if s, err := r.server.Inventory.Get(r.Context(), found.Connection, resource.Subnet.Name, read[resource.NICSpec](found.Effective).Subnet); err == nil {
		if prefix, err := netip.ParsePrefix(read[resource.SubnetSpec](s.Effective).CIDR); err == nil {
			bits = prefix.Bits()
		}
	}
	script := &strings.Builder{}
	fmt.Fprintf(script, "#!/bin/sh\nset -e\ndev=$(ip -o link | awk 'tolower($0) ~ /%s/ {sub(\":\", \"\", $2); print $2; exit}')\nip link set \"$dev\" up\n", strings.ToLower(status.MACAddress))
	for _, address := range append([]string{status.PrivateAddress}, status.SecondaryAddresses...) {
		if address != "" {
			fmt.Fprintf(script, "ip address replace %s/%d dev \"$dev\"\n", address, bits)
		}
	}
	return OSConfigScript{found.Connection, called(found), script.String()}, nil
}
