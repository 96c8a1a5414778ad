package resource

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Cluster is the kind of managed Kubernetes clusters.
var Cluster = define[ClusterSpec, ClusterStatus](Kind{
	Name:  "cluster",
	Title: "Cluster",
	Doc:   "A managed Kubernetes cluster with groups of nodes.",

	// A control plane with its node groups may take three quarters of an hour.
	// https://docs.aws.amazon.com/eks/latest/userguide/create-cluster.html
	Patience: 2,
	Actions: []Action{
		changes(actionWith(Action{Name: "addnodegroup", Doc: "Adds a node group; one of that name that is there already is left as it is.", From: []State{StateAvailable}}, NodeGroupAdder.AddNodeGroup), (*ClusterSpec).addNodeGroup),
		changes(actionWith(Action{Name: "removenodegroup", Doc: "Removes a node group with its nodes; one that is not there is passed over.", From: []State{StateAvailable, StateFailed}}, NodeGroupRemover.RemoveNodeGroup), (*ClusterSpec).removeNodeGroup),
		changes(actionWith(Action{Name: "scalenodegroup", Doc: "Changes the number of nodes of a node group, by hand or by autoscaling.", From: []State{StateAvailable}}, NodeGroupScaler.ScaleNodeGroup), (*ClusterSpec).scaleNodeGroup),
		changes(actionWith(Action{Name: "upgrade", Doc: "Brings the cluster and its node groups to a newer version of Kubernetes. It cannot be undone.", From: []State{StateAvailable}}, Upgrader.Upgrade),
			func(s *ClusterSpec, to ClusterVersion) { s.Version = to.Version }),
	},
	Views: []View{
		view(View{Name: "kubeconfig", Doc: "A configuration file for kubectl and other clients. It holds a credential: keep it safe.", Plain: "kubeconfig", Right: "kubeconfig"}, KubeconfigReader.Kubeconfig),
		view(View{Name: "token", Doc: "A token for the cluster's API that is valid for a short time, where the cloud makes such tokens.", Plain: "token", Right: "kubeconfig"}, TokenReader.Token),
	},
})

// NodeGroupAdder is implemented by collections that add node groups.
type NodeGroupAdder interface {
	AddNodeGroup(ctx context.Context, id string, group NodeGroup) error
}

// NodeGroupRemover is implemented by collections that remove node groups.
type NodeGroupRemover interface {
	RemoveNodeGroup(ctx context.Context, id string, group NodeGroupName) error
}

// NodeGroupScaler is implemented by collections that change the size of node groups.
type NodeGroupScaler interface {
	ScaleNodeGroup(ctx context.Context, id string, to NodeGroupScale) error
}

// Upgrader is implemented by collections whose clusters can be brought to a newer
// version.
type Upgrader interface {
	Upgrade(ctx context.Context, id string, to ClusterVersion) error
}

// KubeconfigReader is implemented by collections that make configuration files.
type KubeconfigReader interface {
	Kubeconfig(ctx context.Context, id string) (Kubeconfig, error)
}

// TokenReader is implemented by collections that make short-lived tokens.
type TokenReader interface {
	Token(ctx context.Context, id string) (ClusterToken, error)
}

// ClusterSpec is what a cluster is asked to be.
type ClusterSpec struct {
	VPC            string      `json:"vpc" doc:"Name of the VPC that the cluster lives in." ref:"vpc" minLength:"1" maxLength:"512"`
	Subnets        []string    `json:"subnets" doc:"Names of the subnets for its nodes. AWS wants two in different zones." ref:"subnet" flag:"subnet" minItems:"1" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	SecurityGroups []string    `json:"securitygroups,omitempty" doc:"Names of further security groups for its nodes or its control plane, where the cloud takes them." completed:"cloud" ref:"securitygroup" flag:"securitygroup" maxItems:"16" minLength:"1" maxLength:"512" nullable:"false"`
	Version        string      `json:"version,omitempty" doc:"Version of Kubernetes as the cloud writes it, such as 1.33. Default: the cloud's choice." completed:"cloud" maxLength:"64"`
	NodeGroups     []NodeGroup `json:"nodeGroups" required:"false" doc:"Its node groups. Some clouds (Azure, GCP, NCP, OpenStack) want at least one from the start." flag:"node-group" maxItems:"20" nullable:"false"`
}

// NodeGroup is a number of equal nodes.
type NodeGroup struct {
	Name            string `json:"name" doc:"Name of the node group, unique within the cluster: 1 to 20 lower-case letters, digits and hyphens, beginning with a letter." minLength:"1" maxLength:"20"`
	Spec            string `json:"spec" doc:"Name of the machine type of its nodes, such as t3.medium on AWS; see the catalog's specs." catalog:"spec" minLength:"1" maxLength:"128"`
	Image           string `json:"image,omitempty" doc:"The cloud's name of the nodes' system. Default: the cloud's choice, which fits the version." completed:"cloud" maxLength:"512"`
	KeyPair         string `json:"keypair,omitempty" doc:"Name of the key pair for logging in to the nodes. Without it nobody can." ref:"keypair,loose" maxLength:"512"`
	RootDiskType    string `json:"rootDiskType,omitempty" doc:"Type of the nodes' root disk; see the catalog's disktypes. Default: the cloud's choice." completed:"cloud" catalog:"disktype" maxLength:"128"`
	RootDiskSizeGiB int    `json:"rootDiskSizeGiB,omitempty" doc:"Size of the nodes' root disk in GiB. Default: the cloud's choice." completed:"cloud" minimum:"1" maximum:"65536"`
	DesiredNodes    int    `json:"desiredNodes,omitempty" doc:"Number of nodes to begin with. Default: 1." minimum:"1" maximum:"1000"`
	MinNodes        int    `json:"minNodes,omitempty" doc:"Least number of nodes with autoscaling. Default: the desired number." minimum:"1" maximum:"1000"`
	MaxNodes        int    `json:"maxNodes,omitempty" doc:"Most nodes with autoscaling. Default: the desired number." minimum:"1" maximum:"1000"`
	Autoscaling     bool   `json:"autoscaling,omitempty" doc:"Whether the number of nodes follows the load between the least and the most."`
}

// ClusterStatus is what the cloud reports of a cluster.
type ClusterStatus struct {
	Version    string            `json:"version,omitempty" doc:"Version of Kubernetes that its control plane runs."`
	Endpoint   string            `json:"endpoint,omitempty" doc:"Address of its API."`
	NodeGroups []NodeGroupStatus `json:"nodeGroups" doc:"What the cloud reports of each node group." part:"node group" nullable:"false"`
}

// NodeGroupStatus is what the cloud reports of a node group.
type NodeGroupStatus struct {
	Part

	Version string   `json:"version,omitempty" doc:"Version of Kubernetes that its nodes run."`
	Nodes   []string `json:"nodes,omitempty" doc:"The cloud's names or ids of its nodes, where the cloud lists them." nullable:"false"`
}

// NodeGroupName is the parameter of removenodegroup.
type NodeGroupName struct {
	Name string `json:"name" doc:"Name of the node group." flag:"node-group" minLength:"1" maxLength:"128"`
}

// NodeGroupScale is the parameter of scalenodegroup.
type NodeGroupScale struct {
	Name         string `json:"name" doc:"Name of the node group." flag:"node-group" minLength:"1" maxLength:"128"`
	DesiredNodes int    `json:"desiredNodes,omitempty" doc:"Number of nodes; with autoscaling between the least and the most, which follow it otherwise. Default: as it is." minimum:"1" maximum:"1000"`
	MinNodes     int    `json:"minNodes,omitempty" doc:"Least number of nodes with autoscaling. Default: as it is." minimum:"1" maximum:"1000"`
	MaxNodes     int    `json:"maxNodes,omitempty" doc:"Most nodes with autoscaling. Default: as it is." minimum:"1" maximum:"1000"`
	Autoscaling  *bool  `json:"autoscaling,omitempty" doc:"Switches autoscaling on or off. Default: as it is."`
}

// ClusterVersion is the parameter of upgrade.
type ClusterVersion struct {
	Version string `json:"version" doc:"Version of Kubernetes as the cloud writes it, such as 1.34. Most clouds go up by one minor version at a time." minLength:"1" maxLength:"64"`
}

// Kubeconfig is what the view kubeconfig answers.
type Kubeconfig struct {
	Kubeconfig string     `json:"kubeconfig" doc:"The file, as YAML."`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty" doc:"When its credential ends, where it does."`
}

// ClusterToken is what the view token answers.
type ClusterToken struct {
	Token     string     `json:"token" doc:"The bearer token."`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it ends."`
}

// Problems implements the rules beyond the schema.
func (s *ClusterSpec) Problems(at string) []Problem {
	if s.NodeGroups == nil {
		s.NodeGroups = []NodeGroup{}
	}
	problems := doubleNames(join(at, "subnets"), s.Subnets)
	problems = append(problems, doubleNames(join(at, "securitygroups"), s.SecurityGroups)...)
	names := make([]string, len(s.NodeGroups))
	for i := range s.NodeGroups {
		names[i] = s.NodeGroups[i].Name
		problems = append(problems, s.NodeGroups[i].Problems(fmt.Sprintf("%s[%d]", join(at, "nodeGroups"), i))...)
	}
	return append(problems, doubleNames(join(at, "nodeGroups"), names)...)
}

// groupName is what every cloud accepts for node groups: GKE and NCP are the strictest, AKS wants
// at most 12 characters without hyphens, which its driver checks. Groups of ALBs are named alike.
var groupName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$`)

func groupNameProblems(field, name string) []Problem {
	if groupName.MatchString(name) {
		return nil
	}
	return []Problem{{Field: field, Message: fmt.Sprintf("%q is not 1 to 20 lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen", printable(name))}}
}

// Problems implements the rules beyond the schema, and fills the defaults.
func (g *NodeGroup) Problems(at string) []Problem {
	problems := groupNameProblems(join(at, "name"), g.Name)
	if g.DesiredNodes == 0 {
		g.DesiredNodes = max(g.MinNodes, 1)
	}
	if g.MinNodes == 0 {
		g.MinNodes = min(g.DesiredNodes, max(g.MaxNodes, g.DesiredNodes))
	}
	if g.MaxNodes == 0 {
		g.MaxNodes = g.DesiredNodes
	}
	return append(problems, sizeProblems(at, g.MinNodes, g.DesiredNodes, g.MaxNodes)...)
}

// Problems implements the rules beyond the schema.
func (s *NodeGroupScale) Problems(at string) []Problem {
	if s.DesiredNodes == 0 && s.MinNodes == 0 && s.MaxNodes == 0 && s.Autoscaling == nil {
		return []Problem{{Field: join(at, "desiredNodes"), Message: "nothing to do; give a number of nodes or autoscaling", Rule: RuleRequired}}
	}
	return sizeProblems(at, s.MinNodes, s.DesiredNodes, s.MaxNodes)
}

// sizeProblems checks the order of the sizes that are given.
func sizeProblems(at string, least, desired, most int) []Problem {
	switch {
	case desired != 0 && desired < least:
		return []Problem{{Field: join(at, "desiredNodes"), Message: fmt.Sprintf("%d is below minNodes %d", desired, least), Rule: RuleMinimum, Limit: fmt.Sprint(least)}}
	case most != 0 && desired > most:
		return []Problem{{Field: join(at, "desiredNodes"), Message: fmt.Sprintf("%d is above maxNodes %d", desired, most), Rule: RuleMaximum, Limit: fmt.Sprint(most)}}
	case most != 0 && least > most:
		return []Problem{{Field: join(at, "minNodes"), Message: fmt.Sprintf("%d is above maxNodes %d", least, most), Rule: RuleMaximum, Limit: fmt.Sprint(most)}}
	}
	return nil
}

// group is the place of a node group in the list, or -1.
func (s *ClusterSpec) group(name string) int {
	return slices.IndexFunc(s.NodeGroups, func(g NodeGroup) bool { return g.Name == name })
}

func (s *ClusterSpec) addNodeGroup(g NodeGroup) {
	if s.group(g.Name) < 0 {
		s.NodeGroups = append(s.NodeGroups, g)
	}
}

func (s *ClusterSpec) removeNodeGroup(named NodeGroupName) {
	s.NodeGroups = slices.DeleteFunc(s.NodeGroups, func(g NodeGroup) bool { return g.Name == named.Name })
}

// scaleNodeGroup has the limits follow the number, as the action does without autoscaling,
// and the number the limits otherwise.
func (s *ClusterSpec) scaleNodeGroup(to NodeGroupScale) {
	i := s.group(to.Name)
	if i < 0 {
		return
	}
	g := &s.NodeGroups[i]
	if to.Autoscaling != nil {
		g.Autoscaling = *to.Autoscaling
	}
	g.MinNodes, g.MaxNodes = cmp.Or(to.MinNodes, g.MinNodes), cmp.Or(to.MaxNodes, g.MaxNodes)
	g.DesiredNodes = cmp.Or(to.DesiredNodes, min(max(g.DesiredNodes, g.MinNodes), g.MaxNodes))
	g.MinNodes, g.MaxNodes = min(g.MinNodes, g.DesiredNodes), max(g.MaxNodes, g.DesiredNodes)
}

// ProblemsAgainst checks that subnets and security groups are of the VPC.
func (s *ClusterSpec) ProblemsAgainst(find Find) []Problem {
	return networkProblems(find, s.Subnets, s.SecurityGroups, s.VPC, "the cluster is to belong")
}
