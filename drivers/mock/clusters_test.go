package mock

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/m-cmp/mc-infra-connector/driver/drivertest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func (n network) cluster(groups ...resource.NodeGroup) resource.ClusterSpec {
	return resource.ClusterSpec{VPC: n.vpc, Subnets: []string{n.subnet}, SecurityGroups: []string{n.group}, NodeGroups: groups}
}

func (n network) nodes(name string) resource.NodeGroup {
	return resource.NodeGroup{Name: name, Spec: "std3.large", KeyPair: n.key, DesiredNodes: 2}
}

// clusterOf is a cluster as the cloud shows it, before and after its process ended.
func clusterOf(t testing.TB, r *rig, id string) (resource.State, resource.ClusterSpec, resource.ClusterStatus) {
	t.Helper()
	item := get(t, r.connect(), "cluster", id)
	require.Equal(t, item, get(t, r.reopened().connect(), "cluster", id))
	spec, status := decoded[resource.ClusterSpec](t, item.Spec), decoded[resource.ClusterStatus](t, item.Status)
	require.Len(t, status.NodeGroups, len(spec.NodeGroups))
	return item.State, spec, status
}

func groupStates(status resource.ClusterStatus) map[string]resource.State {
	states := map[string]resource.State{}
	for _, g := range status.NodeGroups {
		states[g.Name] = g.State
	}
	return states
}

func TestClusterIsChecked(t *testing.T) {
	s := newRig(t).connect()
	n := build(t, s)
	far := create(t, s, "subnet", "far", resource.SubnetSpec{VPC: create(t, s, "vpc", "elsewhere", vpcSpec()).ID, CIDR: "10.0.0.0/24"}).ID
	for _, test := range []struct {
		name, field, code string
		change            func(*resource.ClusterSpec)
	}{
		{"no vpc", "spec.vpc", "MissingParameter", func(s *resource.ClusterSpec) { s.VPC = "" }},
		{"subnet", "spec.subnets[0]", "InvalidParameterCombination", func(s *resource.ClusterSpec) { s.Subnets = []string{far} }},
		{"version", "spec.version", "InvalidParameterValue", func(s *resource.ClusterSpec) { s.Version = "1.2" }},
		{"spec", "spec.nodeGroups[0].spec", "InvalidInstanceType", func(s *resource.ClusterSpec) { s.NodeGroups[0].Spec = "huge" }},
		{"image", "spec.nodeGroups[0].image", "InvalidImageID.NotFound", func(s *resource.ClusterSpec) { s.NodeGroups[0].Image = "img-x" }},
		{"architecture", "spec.nodeGroups[0].image", "InvalidParameterCombination", func(s *resource.ClusterSpec) { s.NodeGroups[0].Image = imageID("debian-13-arm64") }},
		{"disk", "spec.nodeGroups[0].rootDiskType", "InvalidVolumeType", func(s *resource.ClusterSpec) { s.NodeGroups[0].RootDiskType = "MEM" }},
		{"key", "spec.nodeGroups[0].keypair", "InvalidKeyPairID.NotFound", func(s *resource.ClusterSpec) { s.NodeGroups[0].KeyPair = "key-x" }},
		{"sizes", "spec.nodeGroups[0].desiredNodes", "InvalidParameterValue", func(s *resource.ClusterSpec) { s.NodeGroups[0].MinNodes = 3 }},
		{"names", "spec.nodeGroups[1]", "InvalidParameterValue", func(s *resource.ClusterSpec) { s.NodeGroups = append(s.NodeGroups, s.NodeGroups[0]) }},
	} {
		spec := n.cluster(n.nodes("a"))
		test.change(&spec)
		e := refused(t, s, "cluster", test.name, spec)
		require.Equal(t, resource.CodeInvalid, e.Code, test.name)
		require.Equal(t, test.code, e.Cloud.Code, test.name)
		require.Equal(t, test.field, e.Fields[0].Field, test.name)
	}
	create(t, s, "cluster", "taken", n.cluster())
	again := request(t, "taken", n.cluster())
	again.Token = "another"
	_, err := s.Create(t.Context(), "cluster", again)
	require.Equal(t, resource.CodeAlreadyExists, cloudError(t, err).Code)
}

func TestClusterAndItsNodeGroups(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	id := create(t, s, "cluster", "k8s", n.cluster(n.nodes("a"))).ID
	do := func(action string, params any) error { return act(t, s, "cluster", id, action, params) }
	state, _, status := clusterOf(t, r, id)
	require.Equal(t, resource.StateCreating, state)
	require.Equal(t, map[string]resource.State{"a": resource.StateCreating}, groupStates(status))
	require.Empty(t, status.Endpoint)
	require.Empty(t, status.NodeGroups[0].Nodes)
	require.Equal(t, resource.CodeConflict, cloudError(t, do("addnodegroup", n.nodes("b"))).Code)
	r.advance(10 * time.Second)

	state, spec, status := clusterOf(t, r, id)
	require.Equal(t, resource.StateAvailable, state)
	require.Equal(t, "1.35", spec.Version)
	require.Equal(t, "1.35", status.Version)
	require.Equal(t, "https://"+id+".mock-seoul.mock.invalid", status.Endpoint)
	require.Equal(t, resource.NodeGroup{Name: "a", Spec: "std3.large", KeyPair: n.key, RootDiskType: "SSD", RootDiskSizeGiB: 20, DesiredNodes: 2, MinNodes: 2, MaxNodes: 2}, spec.NodeGroups[0])
	require.Len(t, status.NodeGroups[0].Nodes, 2)

	require.NoError(t, do("addnodegroup", n.nodes("b")))
	state, _, status = clusterOf(t, r, id)
	require.Equal(t, resource.StateUpdating, state)
	require.Equal(t, map[string]resource.State{"a": resource.StateAvailable, "b": resource.StateCreating}, groupStates(status))
	r.advance(10 * time.Second)
	_, _, status = clusterOf(t, r, id)
	require.Equal(t, map[string]resource.State{"a": resource.StateAvailable, "b": resource.StateAvailable}, groupStates(status))
	require.NotEqual(t, status.NodeGroups[0].CloudID, status.NodeGroups[1].CloudID)
	require.NoError(t, do("addnodegroup", n.nodes("b")), "again")
	state, _, _ = clusterOf(t, r, id)
	require.Equal(t, resource.StateAvailable, state)
	require.Equal(t, "keypair", cloudError(t, do("addnodegroup", resource.NodeGroup{Name: "c", Spec: "std3.large", KeyPair: "key-x"})).Fields[0].Field)
	require.Equal(t, "rootDiskType", cloudError(t, do("addnodegroup", resource.NodeGroup{Name: "c", Spec: "std3.large", RootDiskType: "MEM"})).Fields[0].Field)

	require.NoError(t, do("removenodegroup", resource.NodeGroupName{Name: "a"}))
	_, _, status = clusterOf(t, r, id)
	require.Equal(t, map[string]resource.State{"a": resource.StateDeleting, "b": resource.StateAvailable}, groupStates(status))
	r.advance(10 * time.Second)
	_, _, status = clusterOf(t, r, id)
	require.Equal(t, map[string]resource.State{"b": resource.StateAvailable}, groupStates(status))
	require.NoError(t, do("removenodegroup", resource.NodeGroupName{Name: "a"}), "again")

	require.Equal(t, resource.CodeDependency, cloudError(t, s.Delete(t.Context(), "subnet", n.subnet)).Code)
	require.NoError(t, r.connect().Delete(t.Context(), "keypair", n.key), "nodes do not need their key any more")
	require.NoError(t, s.Delete(t.Context(), "cluster", id), "with its node groups")
	state, _, status = clusterOf(t, r, id)
	require.Equal(t, resource.StateDeleting, state)
	require.Equal(t, map[string]resource.State{"b": resource.StateDeleting}, groupStates(status))
	r.advance(10 * time.Second)
	requireGone(t, s, "cluster", id)
}

func TestNodeGroupIsScaled(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect()
	id := create(t, s, "cluster", "k8s", n.cluster(n.nodes("a"))).ID
	on, off := true, false
	for _, test := range []struct {
		name                 string
		to                   resource.NodeGroupScale
		desired, least, most int
		autoscaling          bool
		field                string
	}{
		{"by hand", resource.NodeGroupScale{DesiredNodes: 4}, 4, 2, 4, false, ""},
		{"down", resource.NodeGroupScale{DesiredNodes: 1}, 1, 1, 4, false, ""},
		{"on", resource.NodeGroupScale{Autoscaling: &on, MinNodes: 2, MaxNodes: 6}, 2, 2, 6, true, ""},
		{"within", resource.NodeGroupScale{DesiredNodes: 5}, 5, 2, 6, true, ""},
		{"beyond", resource.NodeGroupScale{DesiredNodes: 7}, 5, 2, 6, true, "desiredNodes"},
		{"lower limit", resource.NodeGroupScale{MaxNodes: 3}, 3, 2, 3, true, ""},
		{"crossed", resource.NodeGroupScale{MinNodes: 4}, 3, 2, 3, true, "minNodes"},
		{"off", resource.NodeGroupScale{Autoscaling: &off, DesiredNodes: 7}, 7, 2, 7, false, ""},
		{"nothing", resource.NodeGroupScale{}, 7, 2, 7, false, "desiredNodes"},
	} {
		test.to.Name = "a"
		err := act(t, s, "cluster", id, "scalenodegroup", test.to)
		if test.field == "" {
			require.NoError(t, err, test.name)
		} else {
			require.Equal(t, test.field, cloudError(t, err).Fields[0].Field, test.name)
		}
		_, spec, status := clusterOf(t, r, id)
		g := spec.NodeGroups[0]
		require.Equal(t, []int{test.desired, test.least, test.most}, []int{g.DesiredNodes, g.MinNodes, g.MaxNodes}, test.name)
		require.Equal(t, test.autoscaling, g.Autoscaling, test.name)
		require.Len(t, status.NodeGroups[0].Nodes, test.desired, test.name)
	}
	require.Equal(t, "InvalidNodeGroup.NotFound", cloudError(t, act(t, s, "cluster", id, "scalenodegroup", resource.NodeGroupScale{Name: "x", DesiredNodes: 1})).Cloud.Code)
	slow := r.connect("latency", "10s")
	require.NoError(t, act(t, slow, "cluster", id, "scalenodegroup", resource.NodeGroupScale{Name: "a", DesiredNodes: 3}))
	_, _, status := clusterOf(t, r, id)
	require.Equal(t, map[string]resource.State{"a": resource.StateUpdating}, groupStates(status))
	require.Len(t, status.NodeGroups[0].Nodes, 7, "not yet")
}

func TestClusterIsUpgraded(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	spec := n.cluster(n.nodes("a"))
	spec.Version = "1.33"
	id := create(t, r.connect(), "cluster", "k8s", spec).ID
	upgrade := func(to string) error {
		return act(t, s, "cluster", id, "upgrade", resource.ClusterVersion{Version: to})
	}
	for _, bad := range []string{"1.32", "1.35", "latest"} {
		require.Equal(t, "version", cloudError(t, upgrade(bad)).Fields[0].Field, bad)
	}
	require.NoError(t, upgrade("1.34"))
	state, spec, status := clusterOf(t, r, id)
	require.Equal(t, resource.StateUpdating, state)
	require.Equal(t, "1.33", spec.Version)
	require.Equal(t, "1.33", status.Version)
	require.Equal(t, map[string]resource.State{"a": resource.StateUpdating}, groupStates(status))
	r.advance(10 * time.Second)
	state, spec, status = clusterOf(t, r, id)
	require.Equal(t, resource.StateAvailable, state)
	require.Equal(t, "1.34", spec.Version)
	require.Equal(t, "1.34", status.Version)
	require.Equal(t, "1.34", status.NodeGroups[0].Version)
	require.NoError(t, upgrade("1.34"), "again")
	state, _, _ = clusterOf(t, r, id)
	require.Equal(t, resource.StateAvailable, state)
	require.Equal(t, resource.CodeInvalid, cloudError(t, upgrade("1.33")).Code, "never down")
}

// TestKubeconfigIsReadByClientGo reads the file as kubectl would.
func TestKubeconfigIsReadByClientGo(t *testing.T) {
	r := newRig(t)
	n := build(t, r.connect())
	s := r.connect("latency", "10s")
	id := create(t, s, "cluster", "k8s: \"한글\"", n.cluster()).ID
	for _, name := range []string{"kubeconfig", "token"} {
		_, err := s.View(t.Context(), "cluster", id, name, nil)
		require.Equal(t, resource.CodeConflict, cloudError(t, err).Code, "still being created")
	}
	r.advance(10 * time.Second)
	answer := view[resource.Kubeconfig](t, s, "cluster", id, "kubeconfig")
	require.Equal(t, r.cloud.now().Add(tokenLife), *answer.ExpiresAt)

	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(answer.Kubeconfig))
	require.NoError(t, err)
	require.Equal(t, "https://"+id+".mock-seoul.mock.invalid", config.Host)
	require.NotEmpty(t, config.BearerToken)
	block, rest := pem.Decode(config.CAData)
	require.Empty(t, rest)
	ca, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.True(t, ca.IsCA)
	require.Equal(t, id, ca.Subject.CommonName)
	again, err := clientcmd.RESTConfigFromKubeConfig([]byte(view[resource.Kubeconfig](t, r.reopened().connect(), "cluster", id, "kubeconfig").Kubeconfig))
	require.NoError(t, err)
	require.Equal(t, config.CAData, again.CAData, "the authority stays")

	token := view[resource.ClusterToken](t, s, "cluster", id, "token")
	require.NotEmpty(t, token.Token)
	require.NotEqual(t, token.Token, view[resource.ClusterToken](t, s, "cluster", id, "token").Token)
	for _, s := range []drivertest.Patient{s, r.reopened().connect()} {
		require.NotContains(t, string(get(t, s, "cluster", id).Status), token.Token)
	}
}
