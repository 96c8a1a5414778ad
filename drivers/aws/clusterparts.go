package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"strings"
	"sync"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The parts of a cluster: node groups with their nodes, and the updates of both.

const (
	clusterNodeTag = "eks:cluster-name" // what AWS tags nodes with
	groupNodeTag   = "eks:nodegroup-name"
	autoscalingTag = "mcic-autoscaling" // whether the Cluster Autoscaler is meant to change the group
)

// possible refuses what AWS wants a launch template for.
func possible(field string, group resource.NodeGroup) error {
	if group.RootDiskType == "" {
		return nil
	}
	return resource.Invalid(resource.Problem{Field: field, Message: "AWS chooses the type of disk of managed node groups; leave it out"})
}

// addGroup adds a node group unless there is one of that name. Without subnets it is in
// those of the cluster.
func (c clusters) addGroup(ctx context.Context, cluster string, subnets []string, group resource.NodeGroup, token *string) (*types.Nodegroup, error) {
	role, err := c.role(ctx, c.nodeRole)
	if err != nil {
		return nil, err
	}
	desired := cmp.Or(group.DesiredNodes, 1)
	in := &eks.CreateNodegroupInput{
		ClusterName: aws.String(cluster), NodegroupName: aws.String(group.Name), ClientRequestToken: token, NodeRole: aws.String(role), Subnets: subnets,
		InstanceTypes: []string{group.Spec}, AmiType: types.AMITypes(group.Image), DiskSize: number(group.RootDiskSizeGiB),
		ScalingConfig: &types.NodegroupScalingConfig{DesiredSize: number(desired), MinSize: number(cmp.Or(group.MinNodes, desired)), MaxSize: number(cmp.Or(group.MaxNodes, desired))},
		Tags:          map[string]string{autoscalingTag: fmt.Sprint(group.Autoscaling)},
	}
	if group.KeyPair != "" || len(subnets) == 0 {
		x, err := c.describe(ctx, cluster)
		if err != nil {
			return nil, err
		}
		if len(subnets) == 0 {
			in.Subnets = driver.Value(x.ResourcesVpcConfig).SubnetIds
		}
		if in.RemoteAccess, err = remoteAccess(x, group.KeyPair); err != nil {
			return nil, err
		}
	}
	out, err := call(ctx, c.eks.CreateNodegroup, in)
	if driver.IsCloud(err, inUse) { // the name is taken, or something else is in progress
		if there, lookErr := c.group(ctx, cluster, group.Name); resource.CodeOf(lookErr) != resource.CodeNotFound {
			return there, lookErr
		}
	}
	if err != nil {
		return nil, inProgress(err)
	}
	return out.Nodegroup, nil
}

// remoteAccess lets a key pair in by SSH from the cluster's security groups, those that it
// was given or else its own: without any AWS opens the port to the internet.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_RemoteAccessConfig.html
func remoteAccess(x *types.Cluster, keyPair string) (*types.RemoteAccessConfig, error) {
	if keyPair == "" {
		return nil, nil //nolint:nilnil // nobody is let in
	}
	network := driver.Value(x.ResourcesVpcConfig)
	sources := network.SecurityGroupIds
	if own := network.ClusterSecurityGroupId; len(sources) == 0 && own != nil {
		sources = []string{*own}
	}
	if len(sources) == 0 {
		return nil, resource.Errorf(resource.CodeConflict, "the cluster %s has no security group to let SSH in from; leave the key pair out, or make the cluster with security groups", aws.ToString(x.Name))
	}
	return &types.RemoteAccessConfig{Ec2SshKey: aws.String(keyPair), SourceSecurityGroups: sources}, nil
}

// scaled are the sizes of a node group with a change made; what is not asked for gives
// way to what is.
func scaled(sizes types.NodegroupScalingConfig, to resource.NodeGroupScale) *types.NodegroupScalingConfig {
	sizes.DesiredSize = cmp.Or(number(to.DesiredNodes), sizes.DesiredSize)
	sizes.MinSize = cmp.Or(number(to.MinNodes), sizes.MinSize)
	sizes.MaxSize = cmp.Or(number(to.MaxNodes), sizes.MaxSize)
	if to.DesiredNodes > 0 {
		sizes.MinSize = aws.Int32(min(*sizes.MinSize, *sizes.DesiredSize))
		sizes.MaxSize = aws.Int32(max(*sizes.MaxSize, *sizes.DesiredSize))
	} else {
		sizes.DesiredSize = aws.Int32(min(max(*sizes.DesiredSize, *sizes.MinSize), *sizes.MaxSize))
	}
	return &sizes
}

// inUse is EKS's code for what it does not begin, because the name is taken or something
// else is in progress.
const inUse = "ResourceInUseException"

// inProgress waits for what EKS does not begin while something else is in progress, which
// a cluster's state does not always tell.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterVersion.html
func inProgress(err error) error {
	if !driver.IsCloud(err, inUse) {
		return err
	}
	return driver.Wait(0, "AWS begins it when what is in progress has ended: %s", resource.AsError(err).Cloud.Message)
}

// actionToken identifies an action on a cluster or one of its node groups to EKS, so that
// its repeat begins nothing anew.
func actionToken(ctx context.Context, group string) *string {
	if driver.Operation(ctx) == "" {
		return nil
	}
	return requestToken(driver.Operation(ctx), group)
}

func requestToken(change, group string) *string {
	const bytes = 16
	return aws.String(fmt.Sprintf("%.*x", bytes, sha256.Sum256([]byte(change+"\x00"+group))))
}

// begun is what an action answers that has begun an update, or tried to. One that the same
// request began before may have come to nothing; else it is being followed.
func begun(update *types.Update, err, following error) error {
	switch {
	case err != nil:
		return inProgress(err)
	case update == nil || (update.Status != types.UpdateStatusFailed && update.Status != types.UpdateStatusCancelled):
		return following
	}
	reason, code := reasonIn(update.Errors, func(e types.ErrorDetail) (string, *string) { return string(e.ErrorCode), e.ErrorMessage })
	return resource.Errorf(cmp.Or(code, resource.CodeConflict), "the update is %s: %s", update.Status, cmp.Or(reason, "AWS gives no reason"))
}

// reasonIn joins what AWS says of a failure, each time with its own code, and says what kind
// of failure it is.
func reasonIn[E any](issues []E, read func(E) (cloud string, message *string)) (string, resource.Code) {
	var code resource.Code
	reasons := driver.Convert(issues, func(issue E) string {
		cloud, message := read(issue)
		code = cmp.Or(code, codeOfPart(cloud, aws.ToString(message)))
		return fmt.Sprintf("%s (%s)", aws.ToString(message), cloud)
	})
	return strings.Join(reasons, "; "), code
}

// codeOfPart is what kind of failure AWS tells of something that was accepted, "" if it
// does not say: groups of instances repeat what EC2 says in the middle of a message.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html
func codeOfPart(cloud, message string) resource.Code {
	for word := range strings.FieldsFuncSeq(message, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if code := meanings().Of(0, word, "").Code; code == resource.CodeCapacity || code == resource.CodeQuota {
			return code
		}
	}
	switch code := meanings().Of(0, cloud, message).Code; {
	case cloud == "Unknown":
		return ""
	case code == resource.CodeNotFound: // what it needs, not the part
		return resource.CodeDependency
	default:
		return code
	}
}

func (c clusters) groupNames(ctx context.Context, name string) iter.Seq2[string, error] {
	return paged(ctx, eks.NewListNodegroupsPaginator(c.eks, &eks.ListNodegroupsInput{ClusterName: aws.String(name), MaxResults: aws.Int32(100)}),
		func(page *eks.ListNodegroupsOutput) []string { return page.Nodegroups })
}

// groups are the node groups of a cluster, without those that have gone meanwhile.
func (c clusters) groups(ctx context.Context, name string) iter.Seq2[*types.Nodegroup, error] {
	return func(yield func(*types.Nodegroup, error) bool) {
		for group, err := range driver.UnlessMissing(c.groupNames(ctx, name)) {
			var g *types.Nodegroup
			if err == nil {
				g, err = c.group(ctx, name, group)
			}
			if resource.CodeOf(err) != resource.CodeNotFound && !yield(g, err) {
				return
			}
		}
	}
}

func (c clusters) group(ctx context.Context, name, group string) (*types.Nodegroup, error) {
	out, err := call(ctx, c.eks.DescribeNodegroup, &eks.DescribeNodegroupInput{ClusterName: aws.String(name), NodegroupName: aws.String(group)})
	return out.Nodegroup, err
}

// nodes answers a function that answers the ids of nodes by cluster and node group; it
// asks once, when it is first called.
func (c clusters) nodes(ctx context.Context, which ec2types.Filter) func() (map[[2]string][]string, error) {
	return sync.OnceValues(func() (map[[2]string][]string, error) {
		ids := map[[2]string][]string{}
		for x, err := range c.instances(ctx, having(which, filter("instance-state-name", "pending", "running", "stopping", "stopped"))) {
			if err != nil {
				return nil, err
			}
			tags := tagsIn(x.Tags)
			key := [2]string{tags[clusterNodeTag], tags[groupNodeTag]}
			ids[key] = append(ids[key], aws.ToString(x.InstanceId))
		}
		return ids, nil
	})
}

// showGroup adds a node group to its cluster. While that is on its way, so is the cluster;
// if it could not be made, that has failed.
func showGroup(o *cluster, g *types.Nodegroup, nodes []string) {
	spec := resource.NodeGroup{Name: aws.ToString(g.NodegroupName), Image: string(g.AmiType), RootDiskSizeGiB: int(aws.ToInt32(g.DiskSize)), Autoscaling: g.Tags[autoscalingTag] == "true"}
	if len(g.InstanceTypes) > 0 {
		spec.Spec = g.InstanceTypes[0]
	}
	spec.KeyPair = aws.ToString(driver.Value(g.RemoteAccess).Ec2SshKey)
	sizes := driver.Value(g.ScalingConfig)
	spec.DesiredNodes, spec.MinNodes, spec.MaxNodes = int(aws.ToInt32(sizes.DesiredSize)), int(aws.ToInt32(sizes.MinSize)), int(aws.ToInt32(sizes.MaxSize))
	o.Spec.NodeGroups = append(o.Spec.NodeGroups, spec)
	status := resource.NodeGroupStatus{Part: resource.Part{Name: spec.Name, CloudID: aws.ToString(g.NodegroupArn)}, Version: aws.ToString(g.Version), Nodes: nodes}
	status.State, status.CloudState = driver.StateOf(g.Status, map[types.NodegroupStatus]resource.State{
		types.NodegroupStatusCreating:     resource.StateCreating,
		types.NodegroupStatusActive:       resource.StateAvailable,
		types.NodegroupStatusUpdating:     resource.StateUpdating,
		types.NodegroupStatusDeleting:     resource.StateDeleting,
		types.NodegroupStatusCreateFailed: resource.StateFailed,
		types.NodegroupStatusDeleteFailed: resource.StateFailed,
		types.NodegroupStatusDegraded:     resource.StateFailed,
	})
	if status.Reason, status.Code = issuesOf(g); status.State == resource.StateFailed {
		status.Reason = cmp.Or(status.Reason, "AWS gives no reason")
	}
	o.Status.NodeGroups = append(o.Status.NodeGroups, status)
	at := "node group " + spec.Name + " " + status.CloudState
	switch usable := o.State == resource.StateAvailable || o.State == resource.StateUpdating; {
	case usable && g.Status == types.NodegroupStatusCreateFailed:
		o.State, o.CloudState, o.Reason, o.Code = resource.StateFailed, at, "the node group "+spec.Name+": "+status.Reason, status.Code
	case o.State == resource.StateAvailable && !status.State.Settled():
		o.State, o.CloudState = resource.StateUpdating, at
	}
}

// issuesOf is what AWS says is wrong with a node group.
func issuesOf(g *types.Nodegroup) (reason string, code resource.Code) {
	return reasonIn(driver.Value(g.Health).Issues, func(i types.Issue) (string, *string) { return string(i.Code), i.Message })
}

// failureOfGroup is the error of a node group that does not get as many nodes as it is to
// have.
func failureOfGroup(g *types.Nodegroup) error {
	if g.Status != types.NodegroupStatusDegraded {
		return nil
	}
	reason, code := issuesOf(g)
	return resource.Errorf(cmp.Or(code, resource.CodeConflict), "the node group %s is %s: %s", aws.ToString(g.NodegroupName), g.Status, cmp.Or(reason, "AWS gives no reason"))
}
