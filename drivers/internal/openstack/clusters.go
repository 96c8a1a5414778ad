package openstack

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clusters"
	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clustertemplates"
	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/nodegroups"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A cluster is one of Magnum, made from a cluster template: whoever runs the cloud
// offers one for each version of Kubernetes. Its labels carry the token, and the name
// of the first node group, which is Magnum's default-worker.
//
// Magnum lists node groups cluster by cluster, leaves out of those lists what they are made
// of, and tells versions only with the templates: to show a cluster costs a call each for it,
// its list, the templates and every node group. To create one costs a call each for the
// template, the VPC and the subnet, which Magnum itself does not look at.
type (
	clusters struct {
		collection[resource.ClusterSpec, resource.ClusterStatus, magnumCluster]
	}
	cluster       = driver.Object[resource.ClusterSpec, resource.ClusterStatus]
	magnumCluster struct {
		sdk.Cluster
		groups  []nodegroups.NodeGroup
		version string
	}
)

// Labels of a cluster. Those without mcic are Magnum's.
// https://docs.openstack.org/magnum/latest/user/index.html#labels
const (
	labelToken   = "mcic_uid"
	labelGroup   = "mcic_group"
	labelVersion = "kube_tag"
	labelScaling = "auto_scaling_enabled"
	labelMin     = "min_node_count"
	labelMax     = "max_node_count"
	labelSize    = "boot_volume_size"
	labelType    = "boot_volume_type"
)

func (s *Session) clusters() clusters {
	c := clusters{collection[resource.ClusterSpec, resource.ClusterStatus, magnumCluster]{
		Session: s, service: s.container, many: "clusters", path: "clusters", list: "clusters/detail", show: showCluster,
		narrow: func(driver.Filter) url.Values { return nil },
	}}
	c.beside = c.parts
	return c
}

// List answers the project's clusters. Magnum cannot be asked for those with a label.
func (c clusters) List(ctx context.Context, f driver.Filter) iter.Seq2[cluster, error] {
	if f.Token != "" {
		c.meant = func(x shown[magnumCluster]) bool { return x.is.Labels[labelToken] == f.Token }
	}
	return c.collection.List(ctx, f)
}

// Make makes a cluster with its first node group.
func (c clusters) Make(ctx context.Context, r driver.Request[resource.ClusterSpec]) (cluster, error) {
	if len(r.Spec.NodeGroups) != 1 {
		return cluster{}, resource.Invalid(resource.Problem{Field: "spec.nodeGroups", Message: "Magnum makes a cluster with exactly one node group; add others with addnodegroup when the cluster is available"})
	}
	if r.Name[0] >= '0' && r.Name[0] <= '9' {
		return cluster{}, resource.Invalid(resource.Problem{Field: "name", Message: "must begin with a letter for clusters of Magnum"})
	}
	template, err := c.template(ctx, r.Spec.Version)
	if err != nil {
		return cluster{}, err
	}
	if _, err := c.vpc(ctx, r.Spec.VPC); err != nil { // Magnum takes any, and the cluster fails later
		return cluster{}, err
	}
	if _, err := c.subnets().Get(ctx, r.Spec.Subnets[0]); err != nil {
		return cluster{}, err
	}
	group := r.Spec.NodeGroups[0]
	opts := sdk.CreateOpts{
		Name: r.Name, ClusterTemplateID: template.UUID, FixedNetwork: r.Spec.VPC, FixedSubnet: r.Spec.Subnets[0],
		Keypair: group.KeyPair, FlavorID: group.Spec, NodeCount: &group.DesiredNodes, Labels: labelsOf(group, template.Labels),
	}
	opts.Labels[labelToken], opts.Labels[labelGroup] = r.Token, group.Name
	id, err := sdk.Create(ctx, c.container, opts).Extract()
	return cluster{ID: id, Name: r.Name, Token: r.Token, State: resource.StateCreating, Spec: r.Spec}, coded(err)
}

// Delete removes a cluster with its nodes.
func (c clusters) Delete(ctx context.Context, id string) error {
	found, err := c.look(ctx, id)
	if err != nil || found.is.Status == "DELETE_IN_PROGRESS" {
		return driver.Except(err, resource.CodeNotFound)
	}
	return c.collection.Delete(ctx, id)
}

// AddNodeGroup adds a node group.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	of, _, err := c.member(ctx, id, group.Name)
	if resource.CodeOf(err) != resource.CodeNotFound || of.UUID == "" {
		return err
	}
	if group.KeyPair != "" && group.KeyPair != of.KeyPair {
		return resource.Invalid(resource.Problem{Field: "keypair", Message: "all node groups of a cluster of Magnum have the cluster's key pair; leave it out"})
	}
	labels := labelsOf(group, nil)
	if !group.Autoscaling { // whatever the label of the cluster says, which this one is merged with
		labels[labelScaling] = "false"
	}
	opts := nodegroups.CreateOpts{
		Name: group.Name, FlavorID: group.Spec, ImageID: group.Image, NodeCount: &group.DesiredNodes, MinNodeCount: group.MinNodes, MaxNodeCount: &group.MaxNodes,
		Labels: labels, MergeLabels: new(true),
	}
	return coded(nodegroups.Create(ctx, c.container, id, opts).Err)
}

// RemoveNodeGroup removes a node group.
func (c clusters) RemoveNodeGroup(ctx context.Context, id string, named resource.NodeGroupName) error {
	of, group, err := c.member(ctx, id, named.Name)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound && of.UUID != "":
		return nil
	case err != nil:
		return err
	case group.IsDefault:
		return resource.Errorf(resource.CodeConflict, "the node group %s was made with the cluster and goes only with it", named.Name)
	}
	return driver.Except(coded(nodegroups.Delete(ctx, c.container, id, group.UUID).Err), resource.CodeNotFound)
}

// ScaleNodeGroup changes the size of a node group and its limits, step by step: Magnum takes
// only limits that the size is within, so that those that the new size alone is within come
// last.
func (c clusters) ScaleNodeGroup(ctx context.Context, id string, to resource.NodeGroupScale) error {
	_, listed, err := c.member(ctx, id, to.Name)
	if err != nil {
		return err
	}
	group, err := c.group(ctx, id, listed.UUID)
	if err != nil {
		return err
	}
	scaling := group.Labels[labelScaling] == "true"
	if to.Autoscaling != nil && *to.Autoscaling != scaling {
		return resource.Errorf(resource.CodeUnsupported, "Magnum switches autoscaling on or off only when a cluster is created")
	}
	least, most := limitsOf(group, group.Labels)
	least, most = cmp.Or(to.MinNodes, least), cmp.Or(to.MaxNodes, most)
	wanted := cmp.Or(to.DesiredNodes, group.NodeCount)
	if !scaling { // they follow
		least, most = min(least, wanted), max(most, wanted)
	}
	changed, err := c.limit(ctx, id, group, min(least, group.NodeCount), max(most, group.NodeCount))
	switch {
	case err != nil || wanted == group.NodeCount:
		return err
	case changed:
		return driver.Wait(pause, "the node group %s gets its limits; its size follows", to.Name)
	}
	err = coded(sdk.Resize(ctx, c.container, id, sdk.ResizeOpts{NodeCount: &wanted, NodeGroup: group.UUID}).Err)
	if least > group.NodeCount || most < group.NodeCount {
		return driver.Then(err, pause, "the node group %s gets %d nodes; its limits follow", to.Name, wanted)
	}
	return err
}

// Upgrade brings a cluster to the template of another version.
func (c clusters) Upgrade(ctx context.Context, id string, to resource.ClusterVersion) error {
	found, err := c.free(ctx, id)
	if err != nil {
		return err
	}
	template, err := c.template(ctx, to.Version)
	if err != nil || found.ClusterTemplateID == template.UUID {
		return err
	}
	return coded(sdk.Upgrade(ctx, c.container, id, sdk.UpgradeOpts{ClusterTemplate: template.UUID, MaxBatchSize: new(1)}).Err)
}

// limit sets the limits of a node group, and answers whether they were others.
func (c clusters) limit(ctx context.Context, id string, group nodegroups.NodeGroup, least, most int) (bool, error) {
	var changes []nodegroups.UpdateOptsBuilder
	if least != group.MinNodeCount {
		changes = append(changes, nodegroups.UpdateOpts{Op: nodegroups.ReplaceOp, Path: "/min_node_count", Value: least})
	}
	if group.MaxNodeCount == nil || most != *group.MaxNodeCount {
		changes = append(changes, nodegroups.UpdateOpts{Op: nodegroups.ReplaceOp, Path: "/max_node_count", Value: most})
	}
	if len(changes) == 0 {
		return false, nil
	}
	return true, coded(nodegroups.Update(ctx, c.container, id, group.UUID, changes).Err)
}

// limitsOf are the limits of a node group: its own, or for as long as it has none those of
// the labels that it was made with.
func limitsOf(group nodegroups.NodeGroup, labels map[string]string) (least, most int) {
	if group.MaxNodeCount != nil {
		return max(group.MinNodeCount, 1), *group.MaxNodeCount
	}
	return max(group.MinNodeCount, number(labels[labelMin]), 1), cmp.Or(number(labels[labelMax]), group.NodeCount)
}

// number reads one; 0 is none.
func number(text string) int { n, _ := strconv.Atoi(text); return n }

// free answers a cluster that takes the next change: Magnum makes one after another.
func (c clusters) free(ctx context.Context, id string) (sdk.Cluster, error) {
	found, err := c.look(ctx, id)
	if err == nil && strings.HasSuffix(found.is.Status, "_IN_PROGRESS") {
		err = driver.Wait(pause, "the cluster %s is being changed: %s", id, found.is.Status)
	}
	return found.is.Cluster, err
}

// member finds a node group by its name here, in a cluster that takes the next change. If it
// has none of that name, the error is not_found and the cluster is answered all the same.
func (c clusters) member(ctx context.Context, id, name string) (sdk.Cluster, nodegroups.NodeGroup, error) {
	var groups []nodegroups.NodeGroup
	of, err := c.free(ctx, id)
	if err == nil {
		groups, err = c.listed(ctx, id)
	}
	if err != nil {
		return sdk.Cluster{}, nodegroups.NodeGroup{}, err
	}
	for _, group := range groups {
		if groupName(group, of.Labels) == name {
			return of, group, nil
		}
	}
	return of, nodegroups.NodeGroup{}, resource.Errorf(resource.CodeNotFound, "the cluster %s has no node group %s", id, name)
}

// labelsOf are the labels for a node group, beside others.
func labelsOf(group resource.NodeGroup, others map[string]string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, others)
	// Without autoscaling the limits have no effect, but the first node group has no other
	// place for them.
	labels[labelMin], labels[labelMax] = strconv.Itoa(group.MinNodes), strconv.Itoa(group.MaxNodes)
	if group.Autoscaling {
		labels[labelScaling] = "true"
	}
	if group.RootDiskSizeGiB > 0 {
		labels[labelSize] = strconv.Itoa(group.RootDiskSizeGiB)
	}
	if group.RootDiskType != "" {
		labels[labelType] = group.RootDiskType
	}
	return labels
}

// template finds the cluster template of a version, by the version that its labels or
// its name say; without one the newest.
func (c clusters) template(ctx context.Context, version string) (clustertemplates.ClusterTemplate, error) {
	all, err := c.templates(ctx)
	if err != nil {
		return clustertemplates.ClusterTemplate{}, err
	}
	var offered []string
	for _, t := range all {
		if shown := versionOf(t); version == "" || version == shown || version == t.Name || "v"+version == shown {
			return t, nil
		}
		offered = append(offered, versionOf(t))
	}
	if version == "" {
		return clustertemplates.ClusterTemplate{}, resource.Errorf(resource.CodeUnsupported, "the cloud offers no cluster template for Kubernetes; ask whoever runs it for a public one, or make one")
	}
	return clustertemplates.ClusterTemplate{}, resource.Invalid(resource.Problem{Field: "spec.version", Message: "the cloud has no cluster template for " + version + "; it has: " + strings.Join(offered, ", ")})
}

// templates answers the templates for Kubernetes, the newest first.
func (c clusters) templates(ctx context.Context) ([]clustertemplates.ClusterTemplate, error) {
	all, err := driver.Collect(items[clustertemplates.ClusterTemplate](ctx, c.Session, c.container, "clustertemplates", "clustertemplates", nil))
	all = slices.DeleteFunc(all, func(t clustertemplates.ClusterTemplate) bool { return t.COE != "kubernetes" || t.Hidden })
	slices.SortStableFunc(all, func(a, b clustertemplates.ClusterTemplate) int {
		return slices.Compare(numbers(versionOf(b)), numbers(versionOf(a)))
	})
	return all, err
}

// versions answers the version of each template.
func (c clusters) versions(ctx context.Context) (map[string]string, error) {
	all, err := c.templates(ctx)
	versions := map[string]string{}
	for _, t := range all {
		versions[t.UUID] = versionOf(t)
	}
	return versions, err
}

func versionOf(t clustertemplates.ClusterTemplate) string {
	return cmp.Or(t.Labels[labelVersion], t.Name)
}

// numbers are those in a version, to be compared.
func numbers(version string) []int {
	var parts []int
	for part := range strings.FieldsFuncSeq(version, func(r rune) bool { return r < '0' || r > '9' }) {
		parts = append(parts, number(part))
	}
	return parts
}

// listed answers the node groups of a cluster, without those of its control plane, as far as
// a list tells.
func (c clusters) listed(ctx context.Context, id string) ([]nodegroups.NodeGroup, error) {
	all, err := driver.Collect(items[nodegroups.NodeGroup](ctx, c.Session, c.container, "clusters/"+id+"/nodegroups", "nodegroups", nil))
	return slices.DeleteFunc(all, func(g nodegroups.NodeGroup) bool { return g.Role == "master" }), err
}

// parts reads the node groups of clusters as they are, the first one of each before the others,
// and once the versions of all templates.
func (c clusters) parts(ctx context.Context, _ url.Values) func([]shown[magnumCluster]) ([]shown[magnumCluster], error) {
	versions := sync.OnceValues(func() (map[string]string, error) { return c.versions(ctx) })
	return func(page []shown[magnumCluster]) (all []shown[magnumCluster], err error) {
		for _, x := range page {
			known, err := versions()
			if err != nil {
				return nil, err
			}
			x.is.version = known[x.is.ClusterTemplateID]
			x.is.groups, err = c.groups(ctx, x.ID)
			if resource.CodeOf(err) == resource.CodeNotFound { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, x)
		}
		return all, nil
	}
}

// groups answers the node groups of a cluster as they are, the first one before the others.
func (c clusters) groups(ctx context.Context, id string) ([]nodegroups.NodeGroup, error) {
	listed, err := c.listed(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := driver.Convert(listed, func(g nodegroups.NodeGroup) string { return g.UUID })
	all, err := driver.Collect(driver.GetEach(ctx, ids, func(ctx context.Context, group string) (nodegroups.NodeGroup, error) {
		return c.group(ctx, id, group)
	}))
	slices.SortStableFunc(all, func(a, b nodegroups.NodeGroup) int {
		return cmp.Or(boolToInt(b.IsDefault)-boolToInt(a.IsDefault), strings.Compare(a.Name, b.Name))
	})
	return all, err
}

func (c clusters) group(ctx context.Context, id, group string) (nodegroups.NodeGroup, error) {
	found, err := get[nodegroups.NodeGroup](ctx, c.container, "", "clusters", id, "nodegroups", group)
	return found.is, err
}

func groupName(group nodegroups.NodeGroup, labels map[string]string) string {
	if group.IsDefault {
		return cmp.Or(labels[labelGroup], group.Name)
	}
	return group.Name
}

// clusterState translates the states of clusters and node groups, which are those of
// Heat: what is done, and how far it is.
func clusterState(word string) (resource.State, string) {
	done, how, _ := strings.Cut(word, "_")
	states := map[string]resource.State{"COMPLETE": resource.StateAvailable, "IN_PROGRESS": resource.StateUpdating, "FAILED": resource.StateFailed}
	switch done {
	case "CREATE":
		states["IN_PROGRESS"] = resource.StateCreating
	case "DELETE":
		states["IN_PROGRESS"], states["COMPLETE"] = resource.StateDeleting, resource.StateDeleted
	}
	return cmp.Or(states[how], resource.StateUnknown), word
}

func showCluster(x shown[magnumCluster], o *cluster) {
	o.Token = x.is.Labels[labelToken]
	if o.State, o.CloudState = clusterState(x.is.Status); o.State == resource.StateFailed { // Magnum gives reasons for success, too
		o.Reason = x.is.StatusReason
	}
	o.Spec = resource.ClusterSpec{VPC: x.is.FixedNetwork, Subnets: []string{}, Version: x.is.version, NodeGroups: []resource.NodeGroup{}}
	if x.is.FixedSubnet != "" {
		o.Spec.Subnets = append(o.Spec.Subnets, x.is.FixedSubnet)
	}
	o.Status = resource.ClusterStatus{Version: cmp.Or(x.is.COEVersion, o.Spec.Version), Endpoint: x.is.APIAddress, NodeGroups: []resource.NodeGroupStatus{}}
	var failed []string
	for _, g := range x.is.groups {
		labels := g.Labels
		if g.IsDefault {
			labels = x.is.Labels
		}
		spec := resource.NodeGroup{
			Name: groupName(g, x.is.Labels), Spec: g.FlavorID, Image: g.ImageID, KeyPair: x.is.KeyPair, RootDiskType: labels[labelType], RootDiskSizeGiB: number(labels[labelSize]),
			DesiredNodes: g.NodeCount, Autoscaling: labels[labelScaling] == "true",
		}
		spec.MinNodes, spec.MaxNodes = limitsOf(g, labels)
		status := resource.NodeGroupStatus{Part: resource.Part{Name: spec.Name, CloudID: g.UUID}, Version: g.Version, Nodes: g.NodeAddresses}
		status.State, status.CloudState = clusterState(g.Status)
		if status.State == resource.StateFailed {
			status.Reason, status.Code = g.StatusReason, reasonCode(g.StatusReason)
			failed = append(failed, "its node group "+status.Name+" failed: "+cmp.Or(status.Reason, "Magnum does not say why"))
		}
		o.Spec.NodeGroups = append(o.Spec.NodeGroups, spec)
		o.Status.NodeGroups = append(o.Status.NodeGroups, status)
	}
	if len(failed) > 0 {
		o.Reason = strings.TrimPrefix(o.Reason+"; "+strings.Join(failed, "; "), "; ")
	}
	o.Code = reasonCode(o.Reason)
}
