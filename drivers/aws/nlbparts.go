package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// The parts of a load balancer: listeners, and target groups with their members.

// balancerTag is the key of the load balancer's ARN on the target groups that were made for
// it: a name alone does not say whose one is.
const balancerTag = "mcic-nlb"

// endingIn shortens a name so that a suffix that follows from a text fits.
func endingIn(text, plain string) string {
	const most, suffix = 32, 4 // characters, and bytes as hexadecimal digits
	plain = strings.TrimRight(plain[:min(len(plain), most-2*suffix-1)], "-")
	return fmt.Sprintf("%s-%.*x", plain, suffix, sha256.Sum256([]byte(text)))
}

// groupNames are the names that target groups of a load balancer can have, which alternate
// when one takes the place of the other. They follow from its ARN: of a name that others
// may have, too, AWS answers their group if that has the same settings.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
func groupNames(balancer string) []string {
	name := nameIn(balancer)
	return []string{endingIn(balancer, name), endingIn(balancer+" 2", name)}
}

// nameIn is the name in the ARN of a load balancer or target group, "" in what is none.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
func nameIn(arn string) string {
	of, path, _ := strings.Cut(arn, "/")
	parts := strings.Split(path, "/")
	switch {
	case !strings.HasPrefix(arn, "arn:"):
	case strings.HasSuffix(of, ":loadbalancer") && len(parts) == 3:
		return parts[1]
	case strings.HasSuffix(of, ":targetgroup"):
		return parts[0]
	}
	return ""
}

// ensureGroup makes the target group of a name for a load balancer, unless it is there.
func (n nlbs) ensureGroup(ctx context.Context, balancer, name string, spec resource.NLBSpec, tags []elbtypes.Tag) (arn string, there bool, err error) {
	made, err := n.createGroup(ctx, balancer, name, spec, tags)
	if resource.CodeOf(err) != resource.CodeAlreadyExists {
		return made, false, err
	}
	left, lookErr := n.ownGroup(ctx, balancer, name)
	if left == "" {
		return "", false, cmp.Or(lookErr, err)
	}
	return left, true, nil
}

func (n nlbs) createGroup(ctx context.Context, balancer, name string, spec resource.NLBSpec, tags []elbtypes.Tag) (string, error) {
	in := checkOf(spec.HealthCheck, spec.TargetPort)
	in.Name, in.VpcId = aws.String(name), aws.String(spec.VPC)
	in.Tags = append(slices.Clone(tags), elbTags([]driver.Tag{{Key: balancerTag, Value: balancer}})...)
	in.TargetType, in.Protocol, in.Port = elbtypes.TargetTypeEnumInstance, elbProtocol(spec.Protocol), number(spec.TargetPort)
	out, err := call(ctx, n.elb.CreateTargetGroup, in)
	if err != nil {
		return "", err
	}
	made, err := driver.Single("AWS CreateTargetGroup", out.TargetGroups)
	return aws.ToString(made.TargetGroupArn), err
}

func elbProtocol(name string) elbtypes.ProtocolEnum {
	return elbtypes.ProtocolEnum(strings.ToUpper(name))
}

// replacement makes a target group like another one, with its members. What has the name
// already was left by a change that did not get further.
func (n nlbs) replacement(ctx context.Context, balancer string, old elbtypes.TargetGroup, protocol elbtypes.ProtocolEnum, target int) (string, error) {
	arn := aws.ToString(old.TargetGroupArn)
	tags, err := n.tags(ctx, []string{arn})
	if err != nil {
		return "", err
	}
	kept := slices.DeleteFunc(tags[arn], func(t elbtypes.Tag) bool {
		return aws.ToString(t.Key) == balancerTag || strings.HasPrefix(aws.ToString(t.Key), "aws:")
	})
	members, err := n.members(ctx, arn)
	if err != nil {
		return "", err
	}
	spec := resource.NLBSpec{VPC: aws.ToString(old.VpcId), Protocol: string(protocol), TargetPort: target, HealthCheck: checkBehind(old)}
	if spec.HealthCheck.Port == int(aws.ToInt32(old.Port)) {
		spec.HealthCheck.Port = 0 // it follows
	}
	names := groupNames(balancer)
	name := names[0]
	if name == aws.ToString(old.TargetGroupName) {
		name = names[1]
	}
	made, there, err := n.ensureGroup(ctx, balancer, name, spec, kept)
	if there {
		if err := n.deleteGroups(ctx, made); err != nil {
			return "", err
		}
		made, err = n.createGroup(ctx, balancer, name, spec, kept)
	}
	if err != nil {
		return "", err
	}
	return made, n.register(ctx, made, driver.Convert(members, memberID))
}

// deleteLeft removes the target groups that were made for a load balancer, beside those that
// are known.
func (n nlbs) deleteLeft(ctx context.Context, balancer string, known []string) error {
	_, others := driver.Among(groupNames(balancer), driver.Convert(known, nameIn))
	for _, name := range others {
		arn, err := n.ownGroup(ctx, balancer, name)
		if err == nil && arn != "" {
			err = n.deleteGroups(ctx, arn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ownGroup is the target group of a name if it was made for a load balancer, "" otherwise.
func (n nlbs) ownGroup(ctx context.Context, balancer, name string) (string, error) {
	group, found, err := driver.First(driver.UnlessMissing(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{name}})))
	if err != nil || !found {
		return "", err
	}
	arn := aws.ToString(group.TargetGroupArn)
	tags, err := n.tags(ctx, []string{arn})
	err = driver.Except(err, resource.CodeNotFound) // deleted meanwhile
	if err != nil || driver.WhoseIs(elbTagsIn(tags[arn])[balancerTag], balancer, false) == driver.Stranger {
		return "", err
	}
	return arn, nil
}

// deleteGroups removes target groups that no listener forwards to any more, which AWS may
// notice only later.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/elbv2/target_group.go
func (n nlbs) deleteGroups(ctx context.Context, arns ...string) error {
	for _, arn := range arns {
		err := do(ctx, n.elb.DeleteTargetGroup, &elb.DeleteTargetGroupInput{TargetGroupArn: aws.String(arn)})
		if driver.IsCloud(err, "ResourceInUse") {
			return driver.Wait(0, "AWS still takes the target group %s for used", nameIn(arn))
		}
		if err := driver.Except(err, resource.CodeNotFound); err != nil {
			return err
		}
	}
	return nil
}

func (n nlbs) targetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput) iter.Seq2[elbtypes.TargetGroup, error] {
	return paged(ctx, elb.NewDescribeTargetGroupsPaginator(n.elb, in),
		func(page *elb.DescribeTargetGroupsOutput) []elbtypes.TargetGroup { return page.TargetGroups })
}

// checkOf is a health check in AWS's terms.
func checkOf(c resource.HealthCheck, targetPort int) *elb.CreateTargetGroupInput {
	in := &elb.CreateTargetGroupInput{HealthCheckProtocol: elbtypes.ProtocolEnum(strings.ToUpper(cmp.Or(c.Protocol, "tcp"))), HealthCheckPort: aws.String("traffic-port"), HealthCheckPath: driver.Optional(c.Path)}
	if c.Port != 0 && c.Port != targetPort {
		in.HealthCheckPort = aws.String(strconv.Itoa(c.Port))
	}
	in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds = number(c.IntervalSeconds), number(c.TimeoutSeconds)
	in.HealthyThresholdCount, in.UnhealthyThresholdCount = number(c.Threshold), number(c.Threshold)
	return in
}

// checkBehind is the health check of a target group in the model's terms.
func checkBehind(group elbtypes.TargetGroup) resource.HealthCheck {
	check := resource.HealthCheck{
		Protocol: strings.ToLower(string(group.HealthCheckProtocol)), Port: int(aws.ToInt32(group.Port)), Path: aws.ToString(group.HealthCheckPath),
		IntervalSeconds: int(aws.ToInt32(group.HealthCheckIntervalSeconds)), TimeoutSeconds: int(aws.ToInt32(group.HealthCheckTimeoutSeconds)), Threshold: int(aws.ToInt32(group.HealthyThresholdCount)),
	}
	if port, err := strconv.Atoi(aws.ToString(group.HealthCheckPort)); err == nil { // not traffic-port
		check.Port = port
	}
	return check
}

// listener is the one of a load balancer, with the target group that it forwards to. One
// that was made elsewhere may have several; which of them is meant cannot be told.
func (n nlbs) listener(ctx context.Context, balancer string) (listener elbtypes.Listener, group string, err error) {
	all, err := driver.Collect(n.listeners(ctx, balancer))
	if err != nil {
		return elbtypes.Listener{}, "", err
	}
	if len(all) != 1 {
		return elbtypes.Listener{}, "", resource.Errorf(resource.CodeConflict, "the load balancer %s has %d listeners instead of one; change it with AWS's own tools", balancer, len(all))
	}
	if group = groupARN(all[0]); group == "" {
		return elbtypes.Listener{}, "", resource.Errorf(resource.CodeConflict, "the listener %s forwards to no target group", aws.ToString(all[0].ListenerArn))
	}
	return all[0], group, nil
}

// forwarding is the listener with the target group as AWS shows it.
func (n nlbs) forwarding(ctx context.Context, balancer string) (elbtypes.Listener, elbtypes.TargetGroup, error) {
	listener, arn, err := n.listener(ctx, balancer)
	if err != nil {
		return listener, elbtypes.TargetGroup{}, err
	}
	group, err := driver.One(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}}), "target group", arn)
	return listener, group, err
}

func portOf(port *int32) int { return int(aws.ToInt32(port)) }

// listeners are those of a load balancer; what is no ARN names none.
func (n nlbs) listeners(ctx context.Context, balancer string) iter.Seq2[elbtypes.Listener, error] {
	if nameIn(balancer) == "" {
		return func(yield func(elbtypes.Listener, error) bool) {
			yield(driver.One(driver.Listed[elbtypes.Listener](), network, balancer))
		}
	}
	return paged(ctx, elb.NewDescribeListenersPaginator(n.elb, &elb.DescribeListenersInput{LoadBalancerArn: aws.String(balancer)}),
		func(page *elb.DescribeListenersOutput) []elbtypes.Listener { return page.Listeners })
}

func forwardTo(group string) []elbtypes.Action {
	return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: aws.String(group)}}
}

// groupARN is that of the target group that a listener forwards to, "" if there is none.
func groupARN(l elbtypes.Listener) string {
	for _, action := range l.DefaultActions {
		if action.TargetGroupArn != nil {
			return *action.TargetGroupArn
		}
		if action.ForwardConfig != nil && len(action.ForwardConfig.TargetGroups) > 0 {
			return aws.ToString(action.ForwardConfig.TargetGroups[0].TargetGroupArn)
		}
	}
	return ""
}

func (n nlbs) register(ctx context.Context, group string, vms []string) error {
	if len(vms) == 0 {
		return nil
	}
	return do(ctx, n.elb.RegisterTargets, &elb.RegisterTargetsInput{TargetGroupArn: aws.String(group), Targets: targets(vms)})
}

func targets(vms []string) []elbtypes.TargetDescription {
	return driver.Convert(vms, func(id string) elbtypes.TargetDescription { return elbtypes.TargetDescription{Id: aws.String(id)} })
}

// members are the targets of a group without those that leave it.
func (n nlbs) members(ctx context.Context, group string) ([]elbtypes.TargetHealthDescription, error) {
	out, err := call(ctx, n.elb.DescribeTargetHealth, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(group)})
	return slices.DeleteFunc(out.TargetHealthDescriptions, func(d elbtypes.TargetHealthDescription) bool {
		return d.Target == nil || d.TargetHealth == nil || strings.HasSuffix(string(d.TargetHealth.State), "draining")
	}), err
}

func memberID(d elbtypes.TargetHealthDescription) string { return aws.ToString(d.Target.Id) }
