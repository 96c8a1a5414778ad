package openstack

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clusters"
	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/clustertemplates"
	"github.com/gophercloud/gophercloud/v2/openstack/containerinfra/v1/nodegroups"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A cluster is one of Magnum, made from a cluster template: whoever runs the cloud
// offers one for each version of Kubernetes. Its labels carry the token, and the name
// of the first node group, which is Magnum's default-worker.
type (
	clusters struct{ *session }
	cluster  = driver.Object[resource.ClusterSpec, resource.ClusterStatus]
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

	roleMaster = "master"
)

// List answers the project's clusters. Magnum shows node groups one by one, so that
// it costs calls for each.
func (c clusters) List(ctx context.Context, _ driver.Filter) iter.Seq2[cluster, error] {
	return func(yield func(cluster, error) bool) {
		var versions map[string]string
		for x, err := range driver.Items(c.raw(ctx), func(x shown[sdk.Cluster]) shown[sdk.Cluster] { return x }) {
			if err == nil && versions == nil {
				versions, err = c.versions(ctx)
			}
			var groups []nodegroups.NodeGroup
			if err == nil {
				groups, err = c.groups(ctx, x.is.UUID)
				if resource.CodeOf(err) == resource.CodeNotFound { // deleted meanwhile
					continue
				}
			}
			if err != nil {
				yield(cluster{}, err)
				return
			}
			if !yield(c.shows(x, groups, versions), nil) {
				return
			}
		}
	}
}

// Get answers one cluster.
func (c clusters) Get(ctx context.Context, id string) (cluster, error) {
	found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
	if err != nil {
		return cluster{}, err
	}
	groups, err := c.groups(ctx, id)
	if err != nil {
		return cluster{}, err
	}
	versions, err := c.versions(ctx)
	if err != nil {
		return cluster{}, err
	}
	return c.shows(found, groups, versions), nil
}

// Create makes a cluster with its first node group.
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
	if err := c.placed(ctx, r.Spec); err != nil {
		return cluster{}, err
	}
	group := r.Spec.NodeGroups[0]
	opts := sdk.CreateOpts{
		Name: r.Name, ClusterTemplateID: template.UUID, FixedNetwork: r.Spec.VPC, FixedSubnet: r.Spec.Subnets[0],
		Keypair: group.KeyPair, FlavorID: group.Spec, NodeCount: &group.DesiredNodes, Labels: labelsOf(group, template.Labels),
	}
	opts.Labels[labelToken], opts.Labels[labelGroup] = r.Token, group.Name
	made, created, err := ensure(ctx,
		func() iter.Seq2[cluster, error] { return c.withToken(ctx, r.Token) },
		func() (cluster, error) {
			id, err := sdk.Create(ctx, c.container, opts).Extract()
			return cluster{ID: id}, coded(err)
		}, c.Delete)
	if created && made.State == "" {
		made.State, made.Name, made.Token, made.Spec = resource.StateCreating, r.Name, r.Token, r.Spec
	}
	return made, err
}

// Delete removes a cluster with its nodes.
func (c clusters) Delete(ctx context.Context, id string) error {
	found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
	if err != nil || found.is.Status == "DELETE_IN_PROGRESS" {
		return driver.Except(err, resource.CodeNotFound)
	}
	return driver.Except(coded(sdk.Delete(ctx, c.container, id).Err), resource.CodeNotFound)
}

// AddNodeGroup adds a node group.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	found, err := c.Get(ctx, id)
	if err != nil || slices.ContainsFunc(found.Status.NodeGroups, func(g resource.NodeGroupStatus) bool { return g.Name == group.Name }) {
		return err
	}
	if group.KeyPair != "" && group.KeyPair != found.Spec.NodeGroups[0].KeyPair {
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
	found, err := c.Get(ctx, id)
	if err != nil {
		return err
	}
	switch i := slices.IndexFunc(found.Status.NodeGroups, func(g resource.NodeGroupStatus) bool { return g.Name == named.Name }); i {
	case -1:
		return nil
	case 0:
		return resource.Errorf(resource.CodeConflict, "the node group %s was made with the cluster and goes only with it", named.Name)
	default:
		return driver.Except(coded(nodegroups.Delete(ctx, c.container, id, found.Status.NodeGroups[i].CloudID).Err), resource.CodeNotFound)
	}
}

// ScaleNodeGroup changes the size of a node group and its limits. Magnum takes only limits
// that the size is within, so that those that the new size alone is within come last.
func (c clusters) ScaleNodeGroup(ctx context.Context, id string, to resource.NodeGroupScale) error {
	group, err := c.group(ctx, id, to.Name)
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
	resize := wanted != group.NodeCount
	limited, err := c.limit(ctx, id, group, min(least, group.NodeCount), max(most, group.NodeCount))
	if err != nil || !resize && limited.MinNodeCount == least && *limited.MaxNodeCount == most {
		return err
	}
	if resize {
		if err := c.settle(ctx, id); err != nil {
			return err
		}
		if err := coded(sdk.Resize(ctx, c.container, id, sdk.ResizeOpts{NodeCount: &wanted, NodeGroup: group.UUID}).Err); err != nil {
			return err
		}
	}
	if limited.MinNodeCount == least && *limited.MaxNodeCount == most {
		return nil
	}
	if err := c.settle(ctx, id); err != nil {
		return err
	}
	_, err = c.limit(ctx, id, limited, least, most)
	return err
}

// limit sets the limits of a node group and answers it with them.
func (c clusters) limit(ctx context.Context, id string, group nodegroups.NodeGroup, least, most int) (nodegroups.NodeGroup, error) {
	var changes []nodegroups.UpdateOptsBuilder
	if least != group.MinNodeCount {
		changes = append(changes, nodegroups.UpdateOpts{Op: nodegroups.ReplaceOp, Path: "/min_node_count", Value: least})
	}
	if group.MaxNodeCount == nil || most != *group.MaxNodeCount {
		changes = append(changes, nodegroups.UpdateOpts{Op: nodegroups.ReplaceOp, Path: "/max_node_count", Value: most})
	}
	group.MinNodeCount, group.MaxNodeCount = least, &most
	if len(changes) == 0 {
		return group, nil
	}
	return group, coded(nodegroups.Update(ctx, c.container, id, group.UUID, changes).Err)
}

// limitsOf are the limits of a node group: its own, or for as long as it has none those of
// the labels that it was made with.
func limitsOf(group nodegroups.NodeGroup, labels map[string]string) (least, most int) {
	number := func(label string) int { n, _ := strconv.Atoi(labels[label]); return n } // 0 if there is none
	if group.MaxNodeCount != nil {
		return max(group.MinNodeCount, 1), *group.MaxNodeCount
	}
	return max(group.MinNodeCount, number(labelMin), 1), cmp.Or(number(labelMax), group.NodeCount)
}

// Upgrade brings a cluster to the template of another version.
func (c clusters) Upgrade(ctx context.Context, id string, to resource.ClusterVersion) error {
	template, err := c.template(ctx, to.Version)
	if err != nil {
		return err
	}
	found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
	if err != nil || found.is.ClusterTemplateID == template.UUID {
		return err
	}
	return coded(sdk.Upgrade(ctx, c.container, id, sdk.UpgradeOpts{ClusterTemplate: template.UUID, MaxBatchSize: new(1)}).Err)
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

// placed checks that the network and the subnet are there: Magnum takes any, and the
// cluster fails later.
func (c clusters) placed(ctx context.Context, spec resource.ClusterSpec) error {
	if _, err := newVPCs(c.session).Get(ctx, spec.VPC); err != nil {
		return err
	}
	_, err := newSubnets(c.session).Get(ctx, spec.Subnets[0])
	return err
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
	all, err := collect(driver.Items(list[clustertemplates.ClusterTemplate](ctx, c.session, c.container, "clustertemplates", "clustertemplates", nil), is))
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
		n, _ := strconv.Atoi(part) // digits only
		parts = append(parts, n)
	}
	return parts
}

func (c clusters) raw(ctx context.Context) iter.Seq2[[]shown[sdk.Cluster], error] {
	return list[sdk.Cluster](ctx, c.session, c.container, "clusters/detail", "clusters", nil)
}

// withToken answers the clusters that were made with a token: Magnum cannot be asked.
func (c clusters) withToken(ctx context.Context, token string) iter.Seq2[cluster, error] {
	return func(yield func(cluster, error) bool) {
		for x, err := range driver.Items(c.raw(ctx), func(x shown[sdk.Cluster]) shown[sdk.Cluster] { return x }) {
			if err != nil {
				yield(cluster{}, err)
				return
			}
			if x.is.Labels[labelToken] != token {
				continue
			}
			if found, err := c.Get(ctx, x.is.UUID); !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// groups answers the node groups of a cluster, without those of its control plane, the
// first one before the others. A list of them leaves out too much.
func (c clusters) groups(ctx context.Context, id string) ([]nodegroups.NodeGroup, error) {
	path := "clusters/" + id + "/nodegroups"
	listed, err := collect(driver.Items(list[nodegroups.NodeGroup](ctx, c.session, c.container, path, "nodegroups", nil), is))
	if err != nil {
		return nil, err
	}
	var all []nodegroups.NodeGroup
	for _, g := range listed {
		if g.Role == roleMaster {
			continue
		}
		whole, err := get[nodegroups.NodeGroup](ctx, c.container, "", path, g.UUID)
		if resource.CodeOf(err) == resource.CodeNotFound { // deleted meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, whole.is)
	}
	slices.SortStableFunc(all, func(a, b nodegroups.NodeGroup) int {
		return cmp.Or(boolToInt(b.IsDefault)-boolToInt(a.IsDefault), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// group finds a node group by its name here.
func (c clusters) group(ctx context.Context, id, name string) (nodegroups.NodeGroup, error) {
	found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
	if err != nil {
		return nodegroups.NodeGroup{}, err
	}
	groups, err := c.groups(ctx, id)
	if err != nil {
		return nodegroups.NodeGroup{}, err
	}
	for _, group := range groups {
		if groupName(group, found.is.Labels) == name {
			return group, nil
		}
	}
	return nodegroups.NodeGroup{}, resource.Errorf(resource.CodeNotFound, "the cluster %s has no node group %s", id, name)
}

func groupName(group nodegroups.NodeGroup, labels map[string]string) string {
	if group.IsDefault {
		return cmp.Or(labels[labelGroup], group.Name)
	}
	return group.Name
}

// settle waits until a cluster takes the next change.
func (c clusters) settle(ctx context.Context, id string) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		found, err := get[sdk.Cluster](ctx, c.container, "", "clusters", id)
		if err != nil || !strings.HasSuffix(found.is.Status, "_IN_PROGRESS") {
			return err
		}
		select {
		case <-ctx.Done():
			return busy(id, found.is.Status)
		case <-time.After(time.Second):
		}
	}
}

// clusterState translates the states of clusters and node groups, which are those of
// Heat: what is done, and how far it is.
func clusterState(word string) (resource.State, string) {
	doing, state := resource.StateUpdating, resource.StateUnknown
	switch {
	case strings.HasPrefix(word, "CREATE_"):
		doing = resource.StateCreating
	case strings.HasPrefix(word, "DELETE_"):
		doing = resource.StateDeleting
	}
	switch {
	case word == "DELETE_COMPLETE":
		state = resource.StateDeleted
	case strings.HasSuffix(word, "_COMPLETE"):
		state = resource.StateAvailable
	case strings.HasSuffix(word, "_IN_PROGRESS"):
		state = doing
	case strings.HasSuffix(word, "_FAILED"):
		state = resource.StateFailed
	}
	return state, word
}

func (clusters) shows(x shown[sdk.Cluster], groups []nodegroups.NodeGroup, versions map[string]string) cluster {
	o := object[resource.ClusterSpec, resource.ClusterStatus](x.is.UUID, x.is.Name, x)
	o.Token, o.CreatedAt = x.is.Labels[labelToken], at(x.is.CreatedAt)
	if o.State, o.CloudState = clusterState(x.is.Status); o.State == resource.StateFailed { // Magnum gives reasons for success, too
		o.Reason = x.is.StatusReason
	}
	o.Spec = resource.ClusterSpec{VPC: x.is.FixedNetwork, Subnets: []string{}, Version: versions[x.is.ClusterTemplateID], NodeGroups: []resource.NodeGroup{}}
	if x.is.FixedSubnet != "" {
		o.Spec.Subnets = append(o.Spec.Subnets, x.is.FixedSubnet)
	}
	o.Status = resource.ClusterStatus{Version: cmp.Or(x.is.COEVersion, o.Spec.Version), Endpoint: x.is.APIAddress, NodeGroups: []resource.NodeGroupStatus{}}
	var failed []string
	for _, g := range groups {
		labels := g.Labels
		if g.IsDefault {
			labels = x.is.Labels
		}
		number := func(label string) int { n, _ := strconv.Atoi(labels[label]); return n } // 0 if there is none
		spec := resource.NodeGroup{
			Name: groupName(g, x.is.Labels), Spec: g.FlavorID, Image: g.ImageID, KeyPair: x.is.KeyPair, RootDiskType: labels[labelType], RootDiskSizeGiB: number(labelSize),
			DesiredNodes: g.NodeCount, Autoscaling: labels[labelScaling] == "true",
		}
		spec.MinNodes, spec.MaxNodes = limitsOf(g, labels)
		status := resource.NodeGroupStatus{Name: spec.Name, CloudID: g.UUID, Version: g.Version, Nodes: g.NodeAddresses}
		status.State, status.CloudState = clusterState(g.Status)
		if status.State == resource.StateFailed {
			status.Reason = g.StatusReason
			failed = append(failed, "its node group "+status.Name+" failed: "+cmp.Or(status.Reason, "Magnum does not say why"))
		}
		o.Spec.NodeGroups = append(o.Spec.NodeGroups, spec)
		o.Status.NodeGroups = append(o.Status.NodeGroups, status)
	}
	if len(failed) > 0 {
		o.Reason = strings.TrimPrefix(o.Reason+"; "+strings.Join(failed, "; "), "; ")
	}
	return o
}
