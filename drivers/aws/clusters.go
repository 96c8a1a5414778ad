package aws

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// clusters are EKS clusters with managed node groups. Their name is their id. AWS lists
// only names, so that a list costs calls for each cluster and node group, and a single
// one two and one for each node group.
//
// AWS takes node groups only when the cluster runs, upgrades them only after it, and
// deletes it only after them.
type (
	clusters struct{ *session }
	cluster  = driver.Object[resource.ClusterSpec, resource.ClusterStatus]
)

// List answers the clusters of the region. Of those that are not looked for no node groups
// are asked for.
func (c clusters) List(ctx context.Context, f driver.Filter) iter.Seq2[cluster, error] {
	return func(yield func(cluster, error) bool) {
		nodes := c.nodes(ctx, filter("tag-key", clusterNodeTag))
		for name, err := range c.names(ctx, f.IDs) {
			var o cluster
			if err == nil {
				o, err = c.show(ctx, name, f.Token, nodes)
			}
			if resource.CodeOf(err) == resource.CodeNotFound || err == nil && o.ID == "" { // gone meanwhile, or not looked for
				continue
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// Get answers one cluster.
func (c clusters) Get(ctx context.Context, id string) (cluster, error) {
	return c.show(ctx, id, "", c.nodes(ctx, filter("tag:"+clusterNodeTag, id)))
}

// Make makes a control plane. AWS takes a name once in a region.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func (c clusters) Make(ctx context.Context, r driver.Request[resource.ClusterSpec]) (cluster, error) {
	for i, group := range r.Spec.NodeGroups {
		if err := possible(fmt.Sprintf("spec.nodeGroups[%d].rootDiskType", i), group); err != nil {
			return cluster{}, err
		}
	}
	for x, err := range c.subnets(ctx, wanted{ids: r.Spec.Subnets}) { // AWS is not told the VPC
		if vpc := aws.ToString(x.VpcId); err == nil && vpc != r.Spec.VPC {
			err = resource.Invalid(resource.Problem{Field: "spec.vpc", Message: "the subnet " + aws.ToString(x.SubnetId) + " is of the VPC " + vpc + "; choose subnets of " + r.Spec.VPC})
		}
		if err != nil {
			return cluster{}, err
		}
	}
	role, err := c.role(ctx, c.clusterRole)
	if err != nil {
		return cluster{}, err
	}
	name := clusterName(r.Name)
	out, err := call(ctx, c.eks.CreateCluster, &eks.CreateClusterInput{
		Name: aws.String(name), ClientRequestToken: aws.String(r.Token), RoleArn: aws.String(role), Version: driver.Optional(r.Spec.Version), Tags: driver.TagMap(ours().Write(r.Token, r.Name, r.Labels)),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: r.Spec.Subnets, SecurityGroupIds: r.Spec.SecurityGroups},
	})
	if driver.IsCloud(err, inUse) {
		return cluster{}, driver.Recode(err, resource.CodeAlreadyExists, "there is a cluster "+name+" already; choose another name")
	}
	return clusterOf(driver.Value(out.Cluster)), err
}

// Complete makes the node groups once the control plane runs.
func (c clusters) Complete(ctx context.Context, r driver.Request[resource.ClusterSpec], o cluster) (cluster, error) {
	for _, group := range r.Spec.NodeGroups {
		switch {
		case o.State == resource.StateFailed || slices.ContainsFunc(o.Status.NodeGroups, func(g resource.NodeGroupStatus) bool { return g.Name == group.Name }):
			continue
		case o.State == resource.StateCreating:
			return o, driver.Wait(0, "the control plane of the cluster %s is being built; its node groups are made when it runs, after about ten minutes", o.ID)
		}
		made, err := c.addGroup(ctx, o.ID, r.Spec.Subnets, group, requestToken(r.Token, group.Name))
		if err != nil {
			return o, err
		}
		showGroup(&o, made, nil)
	}
	return o, nil
}

// Delete removes the node groups, and the cluster once they are gone.
func (c clusters) Delete(ctx context.Context, id string) error {
	groups := 0
	for name, err := range driver.UnlessMissing(c.groupNames(ctx, id)) {
		if err != nil {
			return err
		}
		groups++
		err := do(ctx, c.eks.DeleteNodegroup, &eks.DeleteNodegroupInput{ClusterName: aws.String(id), NodegroupName: aws.String(name)})
		if err := driver.Except(err, resource.CodeNotFound, resource.CodeDependency); err != nil { // dependency: it is being deleted
			return err
		}
	}
	if groups > 0 {
		return driver.Wait(0, "the node groups of the cluster %s are being deleted; it follows when they are gone", id)
	}
	return inProgress(do(ctx, c.eks.DeleteCluster, &eks.DeleteClusterInput{Name: aws.String(id)}))
}

// AddNodeGroup adds a node group in the cluster's subnets.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	if err := possible("rootDiskType", group); err != nil {
		return err
	}
	_, err := c.addGroup(ctx, id, nil, group, actionToken(ctx, group.Name))
	return err
}

// RemoveNodeGroup removes a node group with its nodes.
func (c clusters) RemoveNodeGroup(ctx context.Context, id string, group resource.NodeGroupName) error {
	err := do(ctx, c.eks.DeleteNodegroup, &eks.DeleteNodegroupInput{ClusterName: aws.String(id), NodegroupName: aws.String(group.Name)})
	if resource.CodeOf(err) == resource.CodeNotFound { // of the group, or of the cluster
		_, err = c.describe(ctx, id)
	}
	return inProgress(err)
}

// ScaleNodeGroup changes the sizes of a node group, and whether the Cluster Autoscaler
// may change them.
func (c clusters) ScaleNodeGroup(ctx context.Context, id string, to resource.NodeGroupScale) error {
	x, err := c.group(ctx, id, to.Name)
	if err != nil {
		return err
	}
	now := *cmp.Or(x.ScalingConfig, &types.NodegroupScalingConfig{DesiredSize: aws.Int32(1), MinSize: aws.Int32(1), MaxSize: aws.Int32(1)})
	if to.Autoscaling != nil && x.Tags[autoscalingTag] != fmt.Sprint(*to.Autoscaling) {
		if err := c.tag(ctx, x.NodegroupArn, map[string]string{autoscalingTag: fmt.Sprint(*to.Autoscaling)}); err != nil {
			return err
		}
	}
	sizes := scaled(now, to)
	following := driver.Wait(0, "the node group %s of the cluster %s is being changed", to.Name, id)
	if reflect.DeepEqual(*sizes, now) { // done before, or being done
		if x.Status == types.NodegroupStatusUpdating {
			return following
		}
		return failureOfGroup(x)
	}
	out, err := call(ctx, c.eks.UpdateNodegroupConfig, &eks.UpdateNodegroupConfigInput{
		ClusterName: aws.String(id), NodegroupName: aws.String(to.Name), ScalingConfig: sizes, ClientRequestToken: actionToken(ctx, to.Name),
	})
	return begun(out.Update, err, following)
}

// Upgrade brings the control plane to a version, then the node groups, one after another.
// https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
func (c clusters) Upgrade(ctx context.Context, id string, to resource.ClusterVersion) error {
	x, err := c.describe(ctx, id)
	if err != nil {
		return err
	}
	following := driver.Wait(0, "the control plane of the cluster %s is being upgraded to %s; its node groups follow", id, to.Version)
	switch {
	case x.Status == types.ClusterStatusUpdating:
		return following
	case aws.ToString(x.Version) != to.Version:
		out, err := call(ctx, c.eks.UpdateClusterVersion, &eks.UpdateClusterVersionInput{
			Name: aws.String(id), Version: aws.String(to.Version), ClientRequestToken: actionToken(ctx, ""),
		})
		return begun(out.Update, err, following)
	}
	for group, err := range c.groups(ctx, id) {
		if err != nil {
			return err
		}
		name := aws.ToString(group.NodegroupName)
		following := driver.Wait(0, "the node group %s of the cluster %s is being upgraded to %s", name, id, to.Version)
		switch {
		case group.Status == types.NodegroupStatusUpdating:
			return following
		case aws.ToString(group.Version) == to.Version:
			continue
		}
		out, err := call(ctx, c.eks.UpdateNodegroupVersion, &eks.UpdateNodegroupVersionInput{
			ClusterName: aws.String(id), NodegroupName: aws.String(name), Version: aws.String(to.Version), ClientRequestToken: actionToken(ctx, name),
		})
		return begun(out.Update, err, following)
	}
	return nil
}

// CheckLabels implements driver.LabelChecker.
func (clusters) CheckLabels(field string, labels map[string]string) error {
	return checkNarrow(field, labels, same)
}

// Label changes the labels of a cluster.
func (c clusters) Label(ctx context.Context, id string, change resource.LabelChange) error {
	x, err := c.describe(ctx, id)
	if err != nil {
		return err
	}
	return ours().Apply(change, func(tags []driver.Tag) error {
		return c.tag(ctx, x.Arn, driver.TagMap(tags))
	}, func(keys []string) error {
		return do(ctx, c.eks.UntagResource, &eks.UntagResourceInput{ResourceArn: x.Arn, TagKeys: keys})
	})
}

// tokenLife is how long a token is taken: AWS allows 15 minutes from its making.
// https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
const tokenLife = 14 * time.Minute

// Token answers a token for the identity of the connection: a call to STS that is signed
// and not sent.
func (c clusters) Token(ctx context.Context, id string) (resource.ClusterToken, error) {
	if _, err := c.describe(ctx, id); err != nil {
		return resource.ClusterToken{}, err
	}
	return c.sign(ctx, id)
}

// Kubeconfig answers a configuration with such a token.
func (c clusters) Kubeconfig(ctx context.Context, id string) (resource.Kubeconfig, error) {
	x, err := c.describe(ctx, id)
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	if x.Endpoint == nil || x.CertificateAuthority == nil {
		return resource.Kubeconfig{}, resource.Errorf(resource.CodeNotFound, "the cluster %s has no address yet; wait until it is available", id)
	}
	token, err := c.sign(ctx, id)
	if err != nil {
		return resource.Kubeconfig{}, err
	}
	file, err := driver.Kubeconfig{Cluster: id, Server: aws.ToString(x.Endpoint), CAData: aws.ToString(x.CertificateAuthority.Data), Token: token.Token}.YAML()
	return resource.Kubeconfig{ExpiresAt: token.ExpiresAt, Kubeconfig: file}, err
}

func (c clusters) sign(ctx context.Context, id string) (resource.ClusterToken, error) {
	const header, seconds = "X-K8s-Aws-Id", "60"
	signed, err := sts.NewPresignClient(c.sts).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *sts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(header, id), smithyhttp.SetHeaderValue("X-Amz-Expires", seconds))
		})
	})
	if err != nil {
		return resource.ClusterToken{}, coded(err)
	}
	ends := time.Now().Add(tokenLife).UTC().Truncate(time.Second)
	return resource.ClusterToken{Token: "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed.URL)), ExpiresAt: &ends}, nil
}

// clusterName is a name that AWS takes: up to 100 letters, digits, hyphens and
// underscores.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func clusterName(name string) string {
	name = strings.ReplaceAll(name, ".", "-")
	return name[:min(len(name), 100)]
}

// role is the ARN of a role that the settings give by name or ARN.
func (c clusters) role(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	of, err := c.identify(ctx)
	if err != nil {
		return "", err
	}
	return of.roles + name, nil
}

func (c clusters) tag(ctx context.Context, arn *string, tags map[string]string) error {
	return do(ctx, c.eks.TagResource, &eks.TagResourceInput{ResourceArn: arn, Tags: tags})
}

func (c clusters) describe(ctx context.Context, name string) (*types.Cluster, error) {
	out, err := call(ctx, c.eks.DescribeCluster, &eks.DescribeClusterInput{Name: aws.String(name)})
	return out.Cluster, err
}

// names are those of the clusters that are looked for.
func (c clusters) names(ctx context.Context, wanted []string) iter.Seq2[string, error] {
	if len(wanted) > 0 {
		return driver.Listed(wanted...)
	}
	return c.clusterNames(ctx)
}

func (s *session) clusterNames(ctx context.Context) iter.Seq2[string, error] {
	return paged(ctx, eks.NewListClustersPaginator(s.eks, &eks.ListClustersInput{MaxResults: aws.Int32(100)}),
		func(page *eks.ListClustersOutput) []string { return page.Clusters })
}

// show is a cluster with its node groups, or none if it was not made with the token that
// is looked for.
func (c clusters) show(ctx context.Context, name, token string, nodes func() (map[[2]string][]string, error)) (cluster, error) {
	x, err := c.describe(ctx, name)
	if err != nil {
		return cluster{}, err
	}
	o := clusterOf(*x)
	if token != "" && o.Token != token {
		return cluster{}, nil
	}
	for g, err := range c.groups(ctx, name) {
		var ids map[[2]string][]string
		if err == nil {
			ids, err = nodes()
		}
		if err != nil {
			return cluster{}, err
		}
		showGroup(&o, g, ids[[2]string{name, aws.ToString(g.NodegroupName)}])
	}
	return o, nil
}

func clusterOf(x types.Cluster) cluster {
	x.ClientRequestToken = nil // is the creation's
	o := cluster{ID: aws.ToString(x.Name), Native: driver.Sparse{Shown: x}, CreatedAt: x.CreatedAt}
	o.Token, o.Name, o.Labels = ours().Read(maps.All(x.Tags))
	o.Name = cmp.Or(o.Name, o.ID)
	o.State, o.CloudState = driver.StateOf(x.Status, map[types.ClusterStatus]resource.State{
		types.ClusterStatusCreating: resource.StateCreating,
		types.ClusterStatusPending:  resource.StateCreating,
		types.ClusterStatusActive:   resource.StateAvailable,
		types.ClusterStatusUpdating: resource.StateUpdating,
		types.ClusterStatusDeleting: resource.StateDeleting,
		types.ClusterStatusFailed:   resource.StateFailed,
	})
	if o.State == resource.StateFailed {
		o.Reason, o.Code = reasonIn(driver.Value(x.Health).Issues, func(i types.ClusterIssue) (string, *string) { return string(i.Code), i.Message })
	}
	network := driver.Value(x.ResourcesVpcConfig)
	o.Spec = resource.ClusterSpec{
		VPC: aws.ToString(network.VpcId), Subnets: slices.Clone(network.SubnetIds), SecurityGroups: slices.Clone(network.SecurityGroupIds), Version: aws.ToString(x.Version), NodeGroups: []resource.NodeGroup{},
	}
	o.Status = resource.ClusterStatus{Version: aws.ToString(x.Version), Endpoint: aws.ToString(x.Endpoint), NodeGroups: []resource.NodeGroupStatus{}}
	return o
}
