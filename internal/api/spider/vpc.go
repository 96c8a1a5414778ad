package spider

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/m-cmp/mc-infra-connector/internal/engine"
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
		kind: resource.Subnet.Kind, name: string(s.Name), labels: s.TagList.labels(),
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
		items := []wanted{{
			kind: resource.VPC.Kind, name: string(req.Name), labels: req.TagList.labels(),
			spec: resource.VPCSpec{CIDR: string(req.IPv4_CIDR)},
		}}
		for _, s := range req.SubnetInfoList {
			items = append(items, s.of(string(req.Name)))
		}
		return items, nil
	}
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		info := VPCInfo{
			IId: v.iidOf(r), IPv4_CIDR: read[resource.VPCSpec](r.Spec).CIDR, SubnetInfoList: []SubnetInfo{},
			TagList: tags(r.Labels), KeyValueList: native(r),
		}
		for _, s := range subnetsOf(v, cmp.Or(r.Name, r.CloudID)) {
			info.SubnetInfoList = append(info.SubnetInfoList, subnetInfo(v, s))
		}
		return info
	}
	k.parts = func(v *view, name string) []engine.Named {
		var parts []engine.Named
		for _, s := range subnetsOf(v, name) {
			parts = append(parts, engine.Named{Kind: resource.Subnet.Name, Name: s.Name})
		}
		return parts
	}
	return k
}

func subnetInfo(v *view, s *resource.Resource) SubnetInfo {
	spec := read[resource.SubnetSpec](s.Spec)
	return SubnetInfo{IId: v.iidOf(s), Zone: spec.Zone, IPv4_CIDR: spec.CIDR, TagList: tags(s.Labels), KeyValueList: native(s)}
}

// subnetsOf answers the subnets of a VPC, the oldest first.
func subnetsOf(v *view, vpc string) []*resource.Resource {
	var subnets []*resource.Resource
	for _, s := range v.all(resource.Subnet.Name) {
		if read[resource.SubnetSpec](s.Spec).VPC == vpc {
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
		of: resource.Subnet.Kind, path: "subnet", word: "subnet", title: "Subnet",
		fields: map[string]string{"cidr": "IPv4_CIDR", "vpc": "VPCName", "labels": "TagList"},
		info:   func(v *view, r *resource.Resource, _ map[string]string) any { return subnetInfo(v, r) },
	}
}

// subnetRoutes are the routes of subnets. What adds one answers the whole VPC.
func (s *server) subnetRoutes() []route {
	k, owner := subnet(), vpc()
	const all, one = "/vpc/{VPCName}/subnet", "/vpc/{VPCName}/subnet/{Name}"
	return []route{
		{method: http.MethodPost, path: all, handle: func(r *request) (any, error) { return addSubnet(r, k, owner) }},
		{method: http.MethodGet, path: one, handle: func(r *request) (any, error) {
			connection, name, err := k.subnetIn(r)
			if err != nil {
				return nil, err
			}
			if err := s.Engine.Refresh(r.Context(), connection, k.of.Name, s.Fresh); err != nil {
				return nil, err
			}
			return k.answer(r, connection, name, nil)
		}},
		{method: http.MethodDelete, path: one, handle: func(r *request) (any, error) {
			connection, name, err := k.subnetIn(r)
			if err != nil {
				return nil, err
			}
			return k.deleteNamed(r, connection, name)
		}},
		{method: http.MethodDelete, path: "/vpc/{VPCName}/cspsubnet/{Id}", handle: k.deleteOnCloud},
		{method: http.MethodPost, path: "/regsubnet", handle: func(r *request) (any, error) {
			if _, err := k.register(r); err != nil {
				return nil, err
			}
			connection, vpc, err := ownerVPC(r, owner)
			if err != nil {
				return nil, err
			}
			return owner.answer(r, connection, vpc, nil)
		}},
		{method: http.MethodDelete, path: "/regsubnet/{Name}", handle: k.unregister},
		{method: http.MethodGet, path: "/countsubnet", handle: s.count(k.of)},
		{method: http.MethodGet, path: "/countsubnet/{ConnectionName}", handle: s.count(k.of)},
	}
}

// subnetIn finds the subnet of a path in its VPC.
func (k *kind) subnetIn(r *request) (connection, name string, err error) {
	if connection, name, err = k.target(r); err != nil {
		return "", "", err
	}
	vpc, err := r.param("VPCName")
	if err != nil {
		return "", "", err
	}
	found, err := k.find(r, connection, name)
	if err == nil && read[resource.SubnetSpec](found.Spec).VPC != vpc {
		err = k.missing(name, connection)
	}
	return connection, name, err
}

// ownerVPC reads which VPC a call is about.
func ownerVPC(r *request, owner *kind) (connection, vpc string, err error) {
	if connection, err = r.connection(); err != nil {
		return "", "", err
	}
	if vpc, err = r.param("VPCName"); err == nil && vpc == "" {
		vpc, err = r.need("VPCName")
	}
	if err == nil {
		_, err = owner.find(r, connection, vpc)
	}
	return connection, vpc, err
}

func addSubnet(r *request, k, owner *kind) (any, error) {
	connection, vpc, err := ownerVPC(r, owner)
	if err != nil {
		return nil, err
	}
	adding := *k
	adding.create = func(r *request) ([]wanted, error) {
		var req subnetRequest
		err := r.decode(&req)
		return []wanted{req.of(vpc)}, err
	}
	if made, err := adding.createOne(r); err != nil || r.async() {
		return made, err
	}
	return owner.answer(r, connection, vpc, nil)
}
