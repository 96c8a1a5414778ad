package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// clusters are EKS clusters with managed node groups. Their name is their id. AWS lists
// only names, so that a list costs calls for each cluster and node group.
//
// AWS takes node groups only when the cluster runs, upgrades them only after it, and
// deletes it only after them. What has to come later is left to a repeat: the error says
// what is being waited for, and the server repeats the verb.
type (
	clusters struct{ *session }
	cluster  = driver.Object[resource.ClusterSpec, resource.ClusterStatus]
)

// List answers all clusters of the region.
func (c clusters) List(ctx context.Context, _ driver.Filter) iter.Seq2[cluster, error] {
	return func(yield func(cluster, error) bool) {
		nodes := c.nodes(ctx, filter("tag-key", clusterNodeTag))
		for name, err := range paged(ctx, eks.NewListClustersPaginator(c.eks, &eks.ListClustersInput{MaxResults: aws.Int32(100)}),
			func(page *eks.ListClustersOutput) []string { return page.Clusters }, same) {
			var o cluster
			if err == nil {
				o, err = c.show(ctx, name, nodes)
			}
			if resource.CodeOf(err) == resource.CodeNotFound { // it has gone meanwhile
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
	return c.show(ctx, id, c.nodes(ctx, filter("tag:"+clusterNodeTag, id)))
}

// Create makes a cluster, and its node groups once it runs.
func (c clusters) Make(ctx context.Context, r driver.Request[resource.ClusterSpec]) (cluster, error) {
	tags, err := clusterTags().Write(r.Token, r.Name, r.Labels)
	if err != nil {
		return cluster{}, err
	}
	for i, group := range r.Spec.NodeGroups {
		if err := possible(fmt.Sprintf("spec.nodeGroups[%d].rootDiskType", i), group); err != nil {
			return cluster{}, err
		}
	}
	name := clusterName(r.Name)
	x, err := c.describe(ctx, name)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		x, err = c.create(ctx, name, r, mapOf(tags))
	case err == nil && x.Tags[tokenTag] != r.Token:
		err = resource.Errorf(resource.CodeAlreadyExists, "there is a cluster %s already; choose another name", name)
	}
	if err != nil {
		return cluster{}, err
	}
	if x.Status == types.ClusterStatusCreating && len(r.Spec.NodeGroups) > 0 {
		return cluster{}, resource.Errorf(resource.CodeUnavailable, "the control plane of the cluster %s is being built; its node groups are made when it runs, after about ten minutes", name)
	}
	for _, group := range r.Spec.NodeGroups {
		if err := c.addGroup(ctx, x, r.Spec.Subnets, group); err != nil {
			return cluster{}, err
		}
	}
	return c.Get(ctx, name)
}

// Delete removes the node groups, and the cluster once they are gone.
func (c clusters) Delete(ctx context.Context, id string) error {
	if _, err := c.describe(ctx, id); err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	for name, err := range unlessMissing(c.groupNames(ctx, id)) {
		if err != nil {
			return err
		}
		_, err := call(ctx, c.eks.DeleteNodegroup, &eks.DeleteNodegroupInput{ClusterName: aws.String(id), NodegroupName: aws.String(name)})
		if err := driver.Except(err, resource.CodeNotFound, resource.CodeDependency); err != nil { // dependency: it is being deleted
			return err
		}
	}
	_, err := call(ctx, c.eks.DeleteCluster, &eks.DeleteClusterInput{Name: aws.String(id)})
	if resource.CodeOf(err) == resource.CodeDependency {
		return resource.Errorf(resource.CodeUnavailable, "the node groups of the cluster %s are being deleted; it follows when they are gone: %w", id, err)
	}
	return driver.Except(err, resource.CodeNotFound)
}

// AddNodeGroup adds a node group in the cluster's subnets.
func (c clusters) AddNodeGroup(ctx context.Context, id string, group resource.NodeGroup) error {
	if err := possible("rootDiskType", group); err != nil {
		return err
	}
	x, err := c.describe(ctx, id)
	if err != nil {
		return err
	}
	return c.addGroup(ctx, x, vpcOf(x).SubnetIds, group)
}

// RemoveNodeGroup removes a node group with its nodes.
func (c clusters) RemoveNodeGroup(ctx context.Context, id string, group resource.NodeGroupName) error {
	if _, err := c.describe(ctx, id); err != nil {
		return err
	}
	_, err := call(ctx, c.eks.DeleteNodegroup, &eks.DeleteNodegroupInput{ClusterName: aws.String(id), NodegroupName: aws.String(group.Name)})
	return driver.Except(inProgress(err), resource.CodeNotFound)
}

// ScaleNodeGroup changes the sizes of a node group, and whether the Cluster Autoscaler
// may change them.
func (c clusters) ScaleNodeGroup(ctx context.Context, id string, to resource.NodeGroupScale) error {
	x, err := c.group(ctx, id, to.Name)
	if err != nil {
		return err
	}
	now := types.NodegroupScalingConfig{DesiredSize: aws.Int32(1), MinSize: aws.Int32(1), MaxSize: aws.Int32(1)}
	if x.ScalingConfig != nil {
		now = *x.ScalingConfig
	}
	if to.Autoscaling != nil {
		if err := c.tag(ctx, x.NodegroupArn, map[string]string{autoscalingTag: fmt.Sprint(*to.Autoscaling)}); err != nil {
			return err
		}
	}
	sizes := scaled(now, to)
	if reflect.DeepEqual(*sizes, now) { // done before, or being done
		return nil
	}
	_, err = call(ctx, c.eks.UpdateNodegroupConfig, &eks.UpdateNodegroupConfigInput{
		ClusterName: aws.String(id), NodegroupName: aws.String(to.Name), ScalingConfig: sizes,
		ClientRequestToken: requestToken("scale", aws.ToString(x.NodegroupArn), aws.ToTime(x.ModifiedAt), *sizes.DesiredSize, *sizes.MinSize, *sizes.MaxSize),
	})
	return inProgress(err)
}

// inProgress is for what EKS does not begin while something else is in progress, which a
// cluster's state does not always tell: it waits for that.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterVersion.html
func inProgress(err error) error {
	if !isCloud(err, "ResourceInUseException") {
		return err
	}
	return recoded(err, resource.CodeUnavailable, "it is begun when that has ended")
}

// requestToken identifies an action to EKS, so that its repeat begins nothing anew: it
// follows from what the action changes, from what, and to what.
func requestToken(action string, of ...any) *string {
	const bytes = 16
	return aws.String(fmt.Sprintf("%.*x", bytes, sha256.Sum256(fmt.Append([]byte(action), of...))))
}

// scaled are the sizes of a node group with a change made; what is not asked for gives
// way to what is.
func scaled(sizes types.NodegroupScalingConfig, to resource.NodeGroupScale) *types.NodegroupScalingConfig {
	set := func(size **int32, n int) {
		if n > 0 {
			*size = aws.Int32(int32(n)) //nolint:gosec // at most 1000
		}
	}
	set(&sizes.DesiredSize, to.DesiredNodes)
	set(&sizes.MinSize, to.MinNodes)
	set(&sizes.MaxSize, to.MaxNodes)
	if to.DesiredNodes > 0 {
		sizes.MinSize = aws.Int32(min(*sizes.MinSize, *sizes.DesiredSize))
		sizes.MaxSize = aws.Int32(max(*sizes.MaxSize, *sizes.DesiredSize))
	} else {
		sizes.DesiredSize = aws.Int32(min(max(*sizes.DesiredSize, *sizes.MinSize), *sizes.MaxSize))
	}
	return &sizes
}

// Upgrade brings the control plane to a version, then the node groups.
// https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
func (c clusters) Upgrade(ctx context.Context, id string, to resource.ClusterVersion) error {
	x, err := c.describe(ctx, id)
	if err != nil {
		return err
	}
	if version := aws.ToString(x.Version); version != to.Version {
		out, err := call(ctx, c.eks.UpdateClusterVersion, &eks.UpdateClusterVersionInput{
			Name: aws.String(id), Version: aws.String(to.Version), ClientRequestToken: requestToken("upgrade", aws.ToString(x.Arn), aws.ToTime(x.CreatedAt), version, to.Version),
		})
		if err := cmp.Or(inProgress(err), failed(out)); err != nil {
			return err
		}
		return resource.Errorf(resource.CodeUnavailable, "the control plane of the cluster %s is being upgraded to %s; its node groups follow", id, to.Version)
	}
	for name, err := range c.groupNames(ctx, id) {
		if err != nil {
			return err
		}
		group, err := c.group(ctx, id, name)
		if err != nil {
			return err
		}
		version := aws.ToString(group.Version)
		if version == to.Version {
			continue
		}
		_, err = call(ctx, c.eks.UpdateNodegroupVersion, &eks.UpdateNodegroupVersionInput{
			ClusterName: aws.String(id), NodegroupName: aws.String(name), Version: aws.String(to.Version), ClientRequestToken: requestToken("upgrade", aws.ToString(group.NodegroupArn), version, to.Version),
		})
		if err := inProgress(err); err != nil {
			return err
		}
	}
	return nil
}

// failed is the error of an update that the same request began before and that came to
// nothing.
func failed(out *eks.UpdateClusterVersionOutput) error {
	if out == nil || out.Update == nil || (out.Update.Status != types.UpdateStatusFailed && out.Update.Status != types.UpdateStatusCancelled) {
		return nil
	}
	var reasons []string
	for _, e := range out.Update.Errors {
		reasons = append(reasons, fmt.Sprintf("%s (%s)", aws.ToString(e.ErrorMessage), e.ErrorCode))
	}
	return resource.Errorf(resource.CodeConflict, "the update is %s: %s", out.Update.Status, cmp.Or(strings.Join(reasons, "; "), "AWS gives no reason"))
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
	ca, err := base64.StdEncoding.DecodeString(aws.ToString(x.CertificateAuthority.Data))
	if err != nil {
		return resource.Kubeconfig{}, resource.Errorf(resource.CodeInternal, "read the certificate of the cluster %s: %w", id, err)
	}
	file, err := driver.Kubeconfig{Cluster: id, Server: aws.ToString(x.Endpoint), CA: ca, Token: token.Token}.YAML()
	return resource.Kubeconfig{ExpiresAt: token.ExpiresAt, Kubeconfig: file}, err
}

// Label changes the labels of a cluster.
func (c clusters) Label(ctx context.Context, id string, change resource.LabelChange) error {
	x, err := c.describe(ctx, id)
	if err != nil {
		return err
	}
	return clusterTags().Apply(change, func(tags []driver.Tag) error {
		return c.tag(ctx, x.Arn, mapOf(tags))
	}, func(keys []string) error {
		_, err := call(ctx, c.eks.UntagResource, &eks.UntagResourceInput{ResourceArn: x.Arn, TagKeys: keys})
		return err
	})
}

const (
	clusterNodeTag = "eks:cluster-name" // what AWS tags nodes with
	groupNodeTag   = "eks:nodegroup-name"
	autoscalingTag = "mcic-autoscaling" // whether the Cluster Autoscaler is meant to change the group
)

// clusterName is a name that AWS takes: up to 100 letters, digits, hyphens and
// underscores.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func clusterName(name string) string {
	name = strings.ReplaceAll(name, ".", "-")
	return name[:min(len(name), 100)]
}

// possible refuses what AWS wants a launch template for.
func possible(field string, group resource.NodeGroup) error {
	if group.RootDiskType == "" {
		return nil
	}
	return resource.Invalid(resource.Problem{Field: field, Message: "AWS chooses the type of disk of managed node groups; leave it out"})
}

func (c clusters) create(ctx context.Context, name string, r driver.Request[resource.ClusterSpec], tags map[string]string) (*types.Cluster, error) {
	for s, err := range subnets(c).describe(ctx, &ec2.DescribeSubnetsInput{SubnetIds: r.Spec.Subnets}) { // AWS is not told the VPC
		if err == nil && s.Spec.VPC != r.Spec.VPC {
			err = resource.Invalid(resource.Problem{Field: "spec.vpc", Message: "the subnet " + s.ID + " is of the VPC " + s.Spec.VPC + "; choose subnets of " + r.Spec.VPC})
		}
		if err != nil {
			return nil, err
		}
	}
	role, err := c.role(ctx, c.clusterRole)
	if err != nil {
		return nil, err
	}
	out, err := call(ctx, c.eks.CreateCluster, &eks.CreateClusterInput{
		Name: aws.String(name), ClientRequestToken: aws.String(r.Token), RoleArn: aws.String(role), Version: optional(r.Spec.Version), Tags: tags,
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: r.Spec.Subnets, SecurityGroupIds: r.Spec.SecurityGroups},
	})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

// addGroup adds a node group unless there is one of that name.
func (c clusters) addGroup(ctx context.Context, x *types.Cluster, subnets []string, group resource.NodeGroup) error {
	name := aws.ToString(x.Name)
	if _, err := c.group(ctx, name, group.Name); resource.CodeOf(err) != resource.CodeNotFound {
		return err
	}
	role, err := c.role(ctx, c.nodeRole)
	if err != nil {
		return err
	}
	sizes := [3]int32{int32(cmp.Or(group.DesiredNodes, 1)), int32(cmp.Or(group.MinNodes, group.DesiredNodes, 1)), int32(cmp.Or(group.MaxNodes, group.DesiredNodes, 1))} //nolint:gosec // at most 1000
	in := &eks.CreateNodegroupInput{
		ClusterName: x.Name, NodegroupName: aws.String(group.Name), ClientRequestToken: requestToken("addnodegroup", aws.ToString(x.Arn), aws.ToTime(x.CreatedAt), fmt.Sprintf("%+v", group)), NodeRole: aws.String(role), Subnets: subnets,
		InstanceTypes: []string{group.Spec}, AmiType: types.AMITypes(group.Image),
		ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: &sizes[0], MinSize: &sizes[1], MaxSize: &sizes[2]},
		Tags:          map[string]string{autoscalingTag: fmt.Sprint(group.Autoscaling)},
	}
	if group.RootDiskSizeGiB > 0 {
		in.DiskSize = aws.Int32(int32(group.RootDiskSizeGiB)) //nolint:gosec // at most 65536
	}
	if group.KeyPair != "" {
		if in.RemoteAccess, err = remoteAccess(x, group.KeyPair); err != nil {
			return err
		}
	}
	_, err = call(ctx, c.eks.CreateNodegroup, in)
	return inProgress(err)
}

// remoteAccess lets a key pair in by SSH from the cluster's security groups, those that it
// was given or else its own: without any AWS opens the port to the internet.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_RemoteAccessConfig.html
func remoteAccess(x *types.Cluster, keyPair string) (*types.RemoteAccessConfig, error) {
	sources := vpcOf(x).SecurityGroupIds
	if own := vpcOf(x).ClusterSecurityGroupId; len(sources) == 0 && own != nil {
		sources = []string{*own}
	}
	if len(sources) == 0 {
		return nil, resource.Errorf(resource.CodeConflict, "the cluster %s has no security group to let SSH in from; leave the key pair out, or make the cluster with security groups", aws.ToString(x.Name))
	}
	return &types.RemoteAccessConfig{Ec2SshKey: aws.String(keyPair), SourceSecurityGroups: sources}, nil
}

// role is the ARN of a role that the settings give by name or ARN.
func (c clusters) role(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	out, err := call(ctx, c.sts.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	partition, _, _ := strings.Cut(strings.TrimPrefix(aws.ToString(out.Arn), "arn:"), ":")
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", cmp.Or(partition, "aws"), aws.ToString(out.Account), name), nil
}

func (c clusters) tag(ctx context.Context, arn *string, tags map[string]string) error {
	_, err := call(ctx, c.eks.TagResource, &eks.TagResourceInput{ResourceArn: arn, Tags: tags})
	return err
}

func mapOf(tags []driver.Tag) map[string]string {
	all := map[string]string{}
	for _, tag := range tags {
		all[tag.Key] = tag.Value
	}
	return all
}

func (c clusters) describe(ctx context.Context, name string) (*types.Cluster, error) {
	out, err := call(ctx, c.eks.DescribeCluster, &eks.DescribeClusterInput{Name: aws.String(name)})
	if err != nil {
		return nil, err
	}
	return out.Cluster, nil
}

func (c clusters) groupNames(ctx context.Context, name string) iter.Seq2[string, error] {
	return paged(ctx, eks.NewListNodegroupsPaginator(c.eks, &eks.ListNodegroupsInput{ClusterName: aws.String(name), MaxResults: aws.Int32(100)}),
		func(page *eks.ListNodegroupsOutput) []string { return page.Nodegroups }, same)
}

func (c clusters) group(ctx context.Context, name, group string) (*types.Nodegroup, error) {
	out, err := call(ctx, c.eks.DescribeNodegroup, &eks.DescribeNodegroupInput{ClusterName: aws.String(name), NodegroupName: aws.String(group)})
	if err != nil {
		return nil, err
	}
	return out.Nodegroup, nil
}

// nodes answers a function that answers the ids of nodes by cluster and node group; it
// asks once, when it is first called.
func (c clusters) nodes(ctx context.Context, which ec2types.Filter) func() (map[[2]string][]string, error) {
	return sync.OnceValues(func() (map[[2]string][]string, error) {
		ids := map[[2]string][]string{}
		in := &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{which, filter("instance-state-name", "pending", "running", "stopping", "stopped")}}
		for x, err := range paged(ctx, ec2.NewDescribeInstancesPaginator(c.ec2, in), instancesOf, same) {
			if err != nil {
				return nil, err
			}
			var key [2]string
			for _, tag := range x.Tags {
				switch aws.ToString(tag.Key) {
				case clusterNodeTag:
					key[0] = aws.ToString(tag.Value)
				case groupNodeTag:
					key[1] = aws.ToString(tag.Value)
				}
			}
			ids[key] = append(ids[key], aws.ToString(x.InstanceId))
		}
		return ids, nil
	})
}

func (c clusters) show(ctx context.Context, name string, nodes func() (map[[2]string][]string, error)) (cluster, error) {
	x, err := c.describe(ctx, name)
	if err != nil {
		return cluster{}, err
	}
	o := c.object(x)
	for group, err := range unlessMissing(c.groupNames(ctx, name)) {
		if err != nil {
			return cluster{}, err
		}
		g, err := c.group(ctx, name, group)
		if resource.CodeOf(err) == resource.CodeNotFound { // it has gone meanwhile
			continue
		}
		if err != nil {
			return cluster{}, err
		}
		ids, err := nodes()
		if err != nil {
			return cluster{}, err
		}
		c.showGroup(&o, g, ids[[2]string{name, group}])
	}
	return o, nil
}

// showGroup adds a node group to its cluster; while that is on its way, so is the cluster.
func (clusters) showGroup(o *cluster, g *types.Nodegroup, nodes []string) {
	spec := resource.NodeGroup{Name: aws.ToString(g.NodegroupName), Image: string(g.AmiType), RootDiskSizeGiB: int(aws.ToInt32(g.DiskSize)), Autoscaling: g.Tags[autoscalingTag] == "true"}
	if len(g.InstanceTypes) > 0 {
		spec.Spec = g.InstanceTypes[0]
	}
	if g.RemoteAccess != nil {
		spec.KeyPair = aws.ToString(g.RemoteAccess.Ec2SshKey)
	}
	if s := g.ScalingConfig; s != nil {
		spec.DesiredNodes, spec.MinNodes, spec.MaxNodes = int(aws.ToInt32(s.DesiredSize)), int(aws.ToInt32(s.MinSize)), int(aws.ToInt32(s.MaxSize))
	}
	o.Spec.NodeGroups = append(o.Spec.NodeGroups, spec)
	status := resource.NodeGroupStatus{Name: spec.Name, CloudID: aws.ToString(g.NodegroupArn), Version: aws.ToString(g.Version), Nodes: nodes}
	status.State, status.CloudState = driver.StateOf(g.Status, map[types.NodegroupStatus]resource.State{
		types.NodegroupStatusCreating:     resource.StateCreating,
		types.NodegroupStatusActive:       resource.StateAvailable,
		types.NodegroupStatusUpdating:     resource.StateUpdating,
		types.NodegroupStatusDeleting:     resource.StateDeleting,
		types.NodegroupStatusCreateFailed: resource.StateFailed,
		types.NodegroupStatusDeleteFailed: resource.StateFailed,
		types.NodegroupStatusDegraded:     resource.StateFailed,
	})
	o.Status.NodeGroups = append(o.Status.NodeGroups, status)
	if !status.State.Settled() && o.State == resource.StateAvailable {
		o.State, o.CloudState = resource.StateUpdating, "node group "+spec.Name+" "+status.CloudState
	}
}

func vpcOf(x *types.Cluster) types.VpcConfigResponse {
	if x.ResourcesVpcConfig == nil {
		return types.VpcConfigResponse{}
	}
	return *x.ResourcesVpcConfig
}

func (clusters) object(x *types.Cluster) cluster {
	shown := *x
	shown.ClientRequestToken = nil
	o := cluster{ID: aws.ToString(x.Name), Native: native{shown}, CreatedAt: x.CreatedAt}
	o.Token, o.Name, o.Labels = clusterTags().Read(func(yield func(string, string) bool) {
		for key, value := range x.Tags {
			if !yield(key, value) {
				return
			}
		}
	})
	o.Name = cmp.Or(o.Name, o.ID)
	o.State, o.CloudState = driver.StateOf(x.Status, map[types.ClusterStatus]resource.State{
		types.ClusterStatusCreating: resource.StateCreating,
		types.ClusterStatusPending:  resource.StateCreating,
		types.ClusterStatusActive:   resource.StateAvailable,
		types.ClusterStatusUpdating: resource.StateUpdating,
		types.ClusterStatusDeleting: resource.StateDeleting,
		types.ClusterStatusFailed:   resource.StateFailed,
	})
	vpc := vpcOf(x)
	o.Spec = resource.ClusterSpec{
		VPC: aws.ToString(vpc.VpcId), Subnets: slices.Clone(vpc.SubnetIds), SecurityGroups: slices.Clone(vpc.SecurityGroupIds), Version: aws.ToString(x.Version), NodeGroups: []resource.NodeGroup{},
	}
	o.Status = resource.ClusterStatus{Version: aws.ToString(x.Version), Endpoint: aws.ToString(x.Endpoint), NodeGroups: []resource.NodeGroupStatus{}}
	return o
}
