package spider

import (
	"net/http"
	"slices"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// ClusterInfo is CB-Spider's Kubernetes cluster.
type ClusterInfo struct {
	IId           IID
	Version       string
	Network       NetworkInfo
	NodeGroupList []NodeGroupInfo
	AccessInfo    AccessInfo
	Addons        struct{}
	Status        string
	CreatedTime   time.Time
	TagList       []KeyValue `json:",omitempty"`
	KeyValueList  []KeyValue `json:",omitempty"`
}

// NetworkInfo is where a cluster lives.
type NetworkInfo struct {
	VpcIID            IID
	SubnetIIDs        []IID
	SecurityGroupIIDs []IID
}

// AccessInfo is how to reach a cluster.
type AccessInfo struct {
	Endpoint   string `json:",omitempty"`
	Kubeconfig string `json:",omitempty"`
}

// NodeGroupInfo is one of its groups of nodes.
type NodeGroupInfo struct {
	IId             IID
	ImageIID        IID
	VMSpecName      string
	RootDiskType    string `json:",omitempty"`
	RootDiskSize    string `json:",omitempty"`
	KeyPairIID      IID
	OnAutoScaling   bool
	DesiredNodeSize int
	MinNodeSize     int
	MaxNodeSize     int
	Status          string
	Nodes           []IID `json:",omitempty"`
}

// ExecCredential is what kubectl takes from a program that it runs for a token.
// https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
type ExecCredential struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Status     ExecStatus `json:"status"`
}

// ExecStatus is the token with its end.
type ExecStatus struct {
	ExpirationTimestamp string `json:"expirationTimestamp,omitempty"`
	Token               string `json:"token"`
}

func endOf(token resource.ClusterToken) string {
	if token.ExpiresAt == nil {
		return ""
	}
	return token.ExpiresAt.UTC().Format(time.RFC3339)
}

type clusterRequest struct {
	named
	Version, VPCName                text
	SubnetNames, SecurityGroupNames []text
	NodeGroupList                   []nodeGroupRequest
}

type nodeGroupRequest struct {
	Name, ImageName, VMSpecName, RootDiskType, RootDiskSize, KeyPairName text
	OnAutoScaling, DesiredNodeSize, MinNodeSize, MaxNodeSize             text
}

func (n nodeGroupRequest) translate(t *translation) resource.NodeGroup {
	problems := &t.problems
	return resource.NodeGroup{
		Name: string(n.Name), Spec: string(n.VMSpecName), Image: n.ImageName.chosen(), KeyPair: t.ours(keyPair(), "", n.KeyPairName),
		RootDiskType: t.rootDisk(n.RootDiskType), RootDiskSizeGiB: n.RootDiskSize.number("RootDiskSize", problems),
		DesiredNodes: n.DesiredNodeSize.number("DesiredNodeSize", problems), MinNodes: n.MinNodeSize.number("MinNodeSize", problems),
		MaxNodes: n.MaxNodeSize.number("MaxNodeSize", problems), Autoscaling: n.OnAutoScaling.truth("OnAutoScaling", problems),
	}
}

func cluster() *kind {
	k := &kind{
		of: resource.Cluster.Kind, path: "cluster", envelope: "cluster", word: "cluster", title: "Kubernetes Cluster",
		fields: map[string]string{
			"vpc": "VPCName", "subnets": "SubnetNames", "securitygroups": "SecurityGroupNames", "nodeGroups": "NodeGroupList", "spec": "VMSpecName",
			"image": "ImageName", "keypair": "KeyPairName", "rootDiskSizeGiB": "RootDiskSize", "desiredNodes": "DesiredNodeSize",
			"minNodes": "MinNodeSize", "maxNodes": "MaxNodeSize", "autoscaling": "OnAutoScaling", "labels": "TagList",
		},
	}
	k.create = creates(k.of, func(t *translation, req clusterRequest) resource.ClusterSpec {
		owner := t.ours(vpc(), "", req.VPCName)
		spec := resource.ClusterSpec{
			VPC: owner, Subnets: t.allOurs(subnet(), owner, req.SubnetNames), SecurityGroups: t.allOurs(securityGroup(), "", req.SecurityGroupNames), Version: req.Version.chosen(),
		}
		for _, group := range req.NodeGroupList {
			spec.NodeGroups = append(spec.NodeGroups, group.translate(t))
		}
		return spec
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any { return clusterInfo(v, r) }
	k.changes = []change{
		{method: http.MethodPost, path: "/nodegroup", action: "addnodegroup", info: true, params: func(r *request) (any, error) {
			var req nodeGroupRequest
			if err := r.decode(&req); err != nil {
				return nil, err
			}
			t, err := r.translation()
			if err != nil {
				return nil, err
			}
			return req.translate(t), t.done()
		}},
		{method: http.MethodDelete, path: "/nodegroup/{NodeGroupName}", action: "removenodegroup", check: hasNodeGroup, params: func(r *request) (any, error) {
			name, err := r.param("NodeGroupName")
			return resource.NodeGroupName{Name: name}, err
		}},
		{method: http.MethodPut, path: "/nodegroup/{NodeGroupName}/onautoscaling", action: "scalenodegroup", check: hasNodeGroup, params: func(r *request) (any, error) {
			return scale(r, func(problems *[]resource.Problem, req nodeGroupRequest, to *resource.NodeGroupScale) {
				on := req.OnAutoScaling.truth("OnAutoScaling", problems)
				to.Autoscaling = &on
			})
		}},
		{
			method: http.MethodPut, path: "/nodegroup/{NodeGroupName}/autoscalesize", action: "scalenodegroup", check: hasNodeGroup,
			params: func(r *request) (any, error) {
				return scale(r, func(problems *[]resource.Problem, req nodeGroupRequest, to *resource.NodeGroupScale) {
					to.DesiredNodes = req.DesiredNodeSize.number("DesiredNodeSize", problems)
					to.MinNodes, to.MaxNodes = req.MinNodeSize.number("MinNodeSize", problems), req.MaxNodeSize.number("MaxNodeSize", problems)
				})
			},
			answer: func(r *request, v *view, found *resource.Resource) (any, error) {
				name, err := r.param("NodeGroupName")
				groups := clusterInfo(v, found).NodeGroupList
				if i := slices.IndexFunc(groups, func(g NodeGroupInfo) bool { return g.IId.NameId == name }); i >= 0 {
					return groups[i], err
				}
				return nil, err
			},
		},
		{method: http.MethodPut, path: "/upgrade", action: "upgrade", info: true, params: func(r *request) (any, error) {
			version, err := r.need("Version")
			return resource.ClusterVersion{Version: version}, err
		}},
	}
	return k
}

func scale(r *request, set func(*[]resource.Problem, nodeGroupRequest, *resource.NodeGroupScale)) (any, error) {
	name, err := r.param("NodeGroupName")
	if err != nil {
		return nil, err
	}
	var (
		req      nodeGroupRequest
		problems []resource.Problem
	)
	if err := r.decode(&req); err != nil {
		return nil, err
	}
	to := resource.NodeGroupScale{Name: name}
	set(&problems, req, &to)
	return to, resource.Invalid(problems...)
}

// hasNodeGroup refuses a node group that the cluster does not have.
func hasNodeGroup(r *request, found *resource.Resource) error {
	name, err := r.param("NodeGroupName")
	if err != nil {
		return err
	}
	for _, group := range read[resource.ClusterSpec](found.Effective).NodeGroups {
		if group.Name == name {
			return nil
		}
	}
	return resource.Errorf(resource.CodeNotFound, "Kubernetes NodeGroup '%s' does not exist in connection '%s'", name, found.Connection)
}

func clusterInfo(v *view, r *resource.Resource) ClusterInfo {
	spec, status := read[resource.ClusterSpec](r.Effective), read[resource.ClusterStatus](r.Status)
	info := ClusterInfo{
		IId: v.iidOf(r), Version: spec.Version,
		Network: NetworkInfo{
			VpcIID: v.iid(resource.VPC.Name, spec.VPC), SubnetIIDs: v.iids(resource.Subnet.Name, spec.Subnets),
			SecurityGroupIIDs: v.iids(resource.SecurityGroup.Name, spec.SecurityGroups),
		},
		NodeGroupList: []NodeGroupInfo{}, AccessInfo: AccessInfo{Endpoint: status.Endpoint}, Status: clusterStatus(r.State),
		CreatedTime: r.CreatedAt, TagList: tags(r.Labels), KeyValueList: native(r),
	}
	if status.Version != "" {
		info.Version = status.Version
	}
	for _, group := range spec.NodeGroups {
		g := NodeGroupInfo{
			IId: IID{group.Name, group.Name}, ImageIID: IID{group.Image, group.Image}, VMSpecName: group.Spec, RootDiskType: group.RootDiskType,
			RootDiskSize: whole(group.RootDiskSizeGiB), KeyPairIID: v.iid(resource.KeyPair.Name, group.KeyPair), OnAutoScaling: group.Autoscaling,
			DesiredNodeSize: group.DesiredNodes, MinNodeSize: group.MinNodes, MaxNodeSize: group.MaxNodes, Status: info.Status,
		}
		for _, shown := range status.NodeGroups {
			if shown.Name != group.Name {
				continue
			}
			if shown.CloudID != "" {
				g.IId.SystemId = shown.CloudID
			}
			g.Status = clusterStatus(shown.State)
			for _, node := range shown.Nodes {
				g.Nodes = append(g.Nodes, IID{node, node})
			}
		}
		info.NodeGroupList = append(info.NodeGroupList, g)
	}
	return info
}

func clusterStatus(s resource.State) string {
	switch s {
	case resource.StatePending, resource.StateCreating:
		return "Creating"
	case resource.StateAvailable, resource.StateRunning:
		return "Active"
	case resource.StateUpdating:
		return "Updating"
	case resource.StateDeleting, resource.StateDeleted:
		return "Deleting"
	}
	return "Inactive"
}

// clusterRoutes are those that only clusters have.
func (s *server) clusterRoutes() []route {
	k := cluster()
	view := func(r *request, name string) (*resource.Resource, []byte, error) {
		found, err := k.targeted(r)
		if err != nil {
			return nil, nil, err
		}
		raw, err := s.Inventory.View(r.Context(), found.Connection, k.of.Name, found.Name, name, nil)
		return found, raw, err
	}
	return []route{
		{method: http.MethodGet, path: "/cluster/{Name}", needs: right{people.Read, k.of.Name, connected}, handle: func(r *request) (any, error) {
			at, err := k.fresh(r)
			if err != nil {
				return nil, err
			}
			if r.may(people.Kubeconfig, k.of.Name, at.Connection) != nil {
				return k.render(r.view(at.Connection), at, nil)
			}
			found, raw, err := view(r, "kubeconfig")
			if code := resource.CodeOf(err); found == nil || err != nil && code != resource.CodeUnsupported && code != resource.CodeConflict {
				return nil, err // else there is none (yet)
			}
			v := r.view(found.Connection)
			info := clusterInfo(v, found)
			info.AccessInfo.Kubeconfig = read[resource.Kubeconfig](raw).Kubeconfig
			return secret(info), v.err
		}},
		{method: http.MethodGet, path: "/cluster/{Name}/token", needs: right{people.Kubeconfig, k.of.Name, connected}, handle: func(r *request) (any, error) {
			_, raw, err := view(r, "token")
			if err != nil {
				return nil, err
			}
			token := read[resource.ClusterToken](raw)
			return secret(ExecCredential{
				APIVersion: "client.authentication.k8s.io/v1", Kind: "ExecCredential",
				Status: ExecStatus{ExpirationTimestamp: endOf(token), Token: token.Token},
			}), nil
		}},
	}
}
