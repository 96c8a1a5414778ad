package spider

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// VPCInfo is CB-Spider's VPC, with its subnets.
type VPCInfo struct {
	IId            IID
	IPv4_CIDR      string
	SubnetInfoList []SubnetInfo
	TagList        []KeyValue `json:",omitempty"`
	KeyValueList   []KeyValue `json:",omitempty"`
}

// SubnetInfo is CB-Spider's subnet, a part of a VPC.
type SubnetInfo struct {
	IId          IID
	Zone         string
	IPv4_CIDR    string
	TagList      []KeyValue `json:",omitempty"`
	KeyValueList []KeyValue `json:",omitempty"`
}

type vpcRequest struct {
	named
	IPv4_CIDR      text
	SubnetInfoList []subnetRequest
}

type subnetRequest struct {
	named
	Zone      text
	IPv4_CIDR text
}

func (s subnetRequest) of(vpc string) wanted {
	return wanted{
		kind: resource.Subnet.Kind, owner: vpc, name: string(s.Name), labels: s.TagList.labels(),
		spec: resource.SubnetSpec{VPC: vpc, CIDR: string(s.IPv4_CIDR), Zone: s.Zone.chosen()},
	}
}

func vpc() *kind {
	k := &kind{
		of: resource.VPC.Kind, path: "vpc", envelope: "vpc", word: "vpc", title: "VPC",
		fields: map[string]string{"cidr": "IPv4_CIDR", "vpc": "VPCName", "labels": "TagList"},
	}
	k.create = func(r *request) ([]wanted, error) {
		var req vpcRequest
		if err := r.decode(&req); err != nil {
			return nil, err
		}
		if err := req.check("Name"); err != nil {
			return nil, err
		}
		items := []wanted{{
			kind: resource.VPC.Kind, name: string(req.Name), labels: req.TagList.labels(),
			spec: resource.VPCSpec{CIDR: string(req.IPv4_CIDR)},
		}}
		for i, s := range req.SubnetInfoList {
			if err := s.check(fmt.Sprintf("SubnetInfoList[%d].Name", i)); err != nil {
				return nil, err
			}
			items = append(items, s.of(resource.NameFrom(string(req.Name), k.of.Name)))
		}
		return items, nil
	}
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		info := VPCInfo{
			IId: v.iidOf(r), IPv4_CIDR: read[resource.VPCSpec](r.Effective).CIDR, SubnetInfoList: []SubnetInfo{},
			TagList: tags(r.Labels), KeyValueList: native(r),
		}
		for _, s := range subnetsOf(v, referred(r)) {
			info.SubnetInfoList = append(info.SubnetInfoList, subnetInfo(v, s))
		}
		return info
	}
	return k
}

func subnetInfo(v *view, s *resource.Resource) SubnetInfo {
	spec := read[resource.SubnetSpec](s.Effective)
	return SubnetInfo{IId: v.iidOf(s), Zone: spec.Zone, IPv4_CIDR: spec.CIDR, TagList: tags(s.Labels), KeyValueList: native(s)}
}

// subnetsOf answers the subnets of a VPC, the oldest first.
func subnetsOf(v *view, vpc string) []*resource.Resource {
	var subnets []*resource.Resource
	for _, s := range v.all(resource.Subnet.Name) {
		if read[resource.SubnetSpec](s.Effective).VPC == vpc {
			subnets = append(subnets, s)
		}
	}
	slices.SortFunc(subnets, func(a, b *resource.Resource) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.UID, b.UID), cmp.Compare(a.CloudID, b.CloudID))
	})
	return subnets
}

// subnet is a kind whose routes lie below those of its VPC.
func subnet() *kind {
	return &kind{
		of: resource.Subnet.Kind, path: "subnet", word: "subnet", title: "Subnet", owner: vpc(),
		fields: map[string]string{"cidr": "IPv4_CIDR", "vpc": "VPCName", "labels": "TagList"},
		info:   func(v *view, r *resource.Resource, _ map[string]string) any { return subnetInfo(v, r) },
	}
}

// subnetRoutes are the routes of subnets. What adds one answers the whole VPC.
func (s *server) subnetRoutes() []route {
	k := subnet()
	const all, one = "/vpc/{VPCName}/subnet", "/vpc/{VPCName}/subnet/{Name}"
	return []route{
		{method: http.MethodPost, path: all, needs: right{people.Create, k.of.Name, connected}, handle: k.addPart},
		{method: http.MethodGet, path: one, needs: right{people.Read, k.of.Name, connected}, handle: k.get},
		{method: http.MethodDelete, path: one, needs: right{people.Delete, k.of.Name, connected}, handle: k.delete},
		{method: http.MethodDelete, path: "/vpc/{VPCName}/cspsubnet/{Id}", needs: right{people.Delete, k.of.Name, connected}, handle: k.deleteOnCloud},
		{method: http.MethodPost, path: "/regsubnet", needs: right{people.Adopt, k.of.Name, connected}, handle: func(r *request) (any, error) {
			owner, err := r.vpc()
			if err != nil {
				return nil, err
			}
			if _, err := k.register(r); err != nil {
				return nil, err
			}
			return k.owner.answer(r, owner.Connection, owner.Name)
		}},
		{method: http.MethodDelete, path: "/regsubnet/{Name}", needs: right{people.Release, k.of.Name, connected}, handle: k.unregister},
		{method: http.MethodGet, path: "/countsubnet", needs: right{people.Read, k.of.Name, somewhere}, handle: s.count(k.of)},
		{method: http.MethodGet, path: "/countsubnet/{ConnectionName}", needs: right{people.Read, k.of.Name, inPath}, handle: s.count(k.of)},
	}
}

// vpc finds the VPC that a call names.
func (r *request) vpc() (*resource.Resource, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	name, err := r.param("VPCName")
	if err == nil && name == "" {
		name, err = r.need("VPCName")
	}
	if err != nil {
		return nil, err
	}
	return vpc().find(r, connection, "", name)
}

// addPart creates a subnet in a VPC.
func (k *kind) addPart(r *request) (any, error) {
	owner, err := r.vpc()
	if err != nil {
		return nil, err
	}
	adding := *k
	adding.create = func(r *request) ([]wanted, error) {
		var req subnetRequest
		if err := r.decode(&req); err != nil {
			return nil, err
		}
		return []wanted{req.of(owner.Name)}, req.check("Name")
	}
	if made, err := adding.createOne(r); err != nil || r.async() {
		return made, err
	}
	return k.owner.answer(r, owner.Connection, owner.Name)
}
