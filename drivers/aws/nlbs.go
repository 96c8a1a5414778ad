package aws

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// nlbs are load balancers of the type network, each with one listener and one target
// group. AWS tells listeners and members of one load
// balancer at a time, so that a list costs two calls for each, and a single one five.
type (
	nlbs struct{ *session }
	nlb  = driver.Object[resource.NLBSpec, resource.NLBStatus]
)

// List answers the network load balancers of the region. AWS looks for neither ids that may
// be unknown nor tags, but what is not wanted costs no calls of its own.
func (n nlbs) List(ctx context.Context, f driver.Filter) iter.Seq2[nlb, error] {
	return func(yield func(nlb, error) bool) {
		groups := sync.OnceValues(func() (map[string]elbtypes.TargetGroup, error) { // by ARN
			all := map[string]elbtypes.TargetGroup{}
			for group, err := range n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{PageSize: aws.Int32(elbPageSize)}) {
				if err != nil {
					return nil, err
				}
				all[aws.ToString(group.TargetGroupArn)] = group
			}
			return all, nil
		})
		groupOf := func(arn string) (elbtypes.TargetGroup, bool, error) {
			all, err := groups()
			group, found := all[arn]
			return group, found, err
		}
		for page, err := range n.balancers(ctx, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(elbPageSize)}) {
			if err != nil {
				yield(nlb{}, err)
				return
			}
			if !n.show(ctx, page, f, groupOf, yield) {
				return
			}
		}
	}
}

// Get answers one load balancer.
func (n nlbs) Get(ctx context.Context, id string) (nlb, error) {
	balancer, err := n.balancer(ctx, id)
	if err != nil {
		return nlb{}, err
	}
	groupOf := func(arn string) (elbtypes.TargetGroup, bool, error) {
		return driver.First(unlessMissing(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}})))
	}
	return driver.One(func(yield func(nlb, error) bool) {
		n.show(ctx, []elbtypes.LoadBalancer{balancer}, driver.Filter{}, groupOf, yield)
	}, "load balancer", id)
}

// Make makes a load balancer. Its name follows from the token, and AWS takes a name once
// in a region.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	tags, err := balancerTags().Write(r.Token, r.Name, r.Labels)
	if err != nil {
		return nlb{}, err
	}
	subnets, err := n.subnetsFor(ctx, r.Spec)
	if err != nil {
		return nlb{}, err
	}
	in := &elb.CreateLoadBalancerInput{
		Name: aws.String(balancerName(r.Name, r.Token)), Type: elbtypes.LoadBalancerTypeEnumNetwork, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing, Subnets: subnets, Tags: elbTags(tags),
	}
	if r.Spec.Internal {
		in.Scheme = elbtypes.LoadBalancerSchemeEnumInternal
	}
	out, err := call(ctx, n.elb.CreateLoadBalancer, in)
	if err != nil {
		return nlb{}, err
	}
	if len(out.LoadBalancers) != 1 {
		return nlb{}, resource.Errorf(resource.CodeInternal, "AWS CreateLoadBalancer answered %d load balancers instead of one", len(out.LoadBalancers))
	}
	return n.object(out.LoadBalancers[0], in.Tags), nil
}

// Complete gives a load balancer its target group with the members, and then the listener:
// what has that has all.
func (n nlbs) Complete(ctx context.Context, r driver.Request[resource.NLBSpec], o nlb) (nlb, error) {
	if o.Spec.Port != 0 {
		return o, nil
	}
	tags, err := balancerTags().Write(r.Token, r.Name, r.Labels)
	if err != nil {
		return o, err
	}
	group, err := n.ensureGroup(ctx, o.ID, groupNames(o.ID)[0], r.Spec, elbTags(tags))
	if err != nil {
		return o, err
	}
	if err := n.register(ctx, group, r.Spec.Members); err != nil {
		return o, err
	}
	_, err = call(ctx, n.elb.CreateListener, &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(o.ID), Protocol: elbProtocol(r.Spec.Protocol), Port: aws.Int32(int32(r.Spec.Port)), //nolint:gosec // at most 65535
		DefaultActions: forwardTo(group),
	})
	if err := driver.Except(err, resource.CodeAlreadyExists); err != nil {
		return o, err
	}
	subnets := o.Spec.Subnets // chosen, perhaps
	o.Spec = r.Spec
	o.Spec.Subnets = subnets
	return o, nil
}

// Delete removes a load balancer with its listeners and the target groups that these name
// or that were made for it; others that merely have its name stay. The listeners go first:
// then the target groups are free, and the load balancer is there until all else is gone.
func (n nlbs) Delete(ctx context.Context, id string) error {
	if nameIn(id) == "" {
		return nil
	}
	var groups []string
	for listener, err := range unlessMissing(n.listeners(ctx, id)) {
		if err != nil {
			return err
		}
		_, err := call(ctx, n.elb.DeleteListener, &elb.DeleteListenerInput{ListenerArn: listener.ListenerArn})
		if err := driver.Except(err, resource.CodeNotFound); err != nil {
			return err
		}
		if arn := groupARN(listener); arn != "" {
			groups = append(groups, arn)
		}
	}
	left, err := n.leftGroups(ctx, id, groups)
	if err != nil {
		return err
	}
	if err := n.deleteGroups(ctx, append(groups, left...)...); err != nil {
		return err
	}
	_, err = call(ctx, n.elb.DeleteLoadBalancer, &elb.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(id)})
	return driver.Except(err, resource.CodeNotFound)
}

// AddMembers registers VMs; AWS passes over those that are registered.
func (n nlbs) AddMembers(ctx context.Context, id string, change resource.MemberChange) error {
	_, group, err := n.listener(ctx, id)
	if err != nil {
		return err
	}
	return n.register(ctx, group, change.Members)
}

// RemoveMembers deregisters the VMs that are members; connections that are open may last
// for a while.
func (n nlbs) RemoveMembers(ctx context.Context, id string, change resource.MemberChange) error {
	_, group, err := n.listener(ctx, id)
	if err != nil {
		return err
	}
	members, err := n.members(ctx, group)
	if err != nil {
		return err
	}
	change.Members = slices.DeleteFunc(slices.Clone(change.Members), func(vm string) bool {
		return !slices.ContainsFunc(members, func(m elbtypes.TargetHealthDescription) bool { return aws.ToString(m.Target.Id) == vm })
	})
	if len(change.Members) == 0 {
		return nil
	}
	_, err = call(ctx, n.elb.DeregisterTargets, &elb.DeregisterTargetsInput{TargetGroupArn: aws.String(group), Targets: targets(change.Members)})
	return err
}

// SetListener changes where a load balancer listens. Another protocol takes another
// target group.
func (n nlbs) SetListener(ctx context.Context, id string, to resource.ListenerChange) error {
	return n.redirect(ctx, id, func(port *int32, protocol *elbtypes.ProtocolEnum, _ *int32) {
		*protocol = cmp.Or(elbtypes.ProtocolEnum(strings.ToUpper(to.Protocol)), *protocol)
		*port = cmp.Or(int32(to.Port), *port) //nolint:gosec // at most 65535
	})
}

// SetTarget changes the port of the members, which takes another target group.
func (n nlbs) SetTarget(ctx context.Context, id string, to resource.TargetChange) error {
	return n.redirect(ctx, id, func(_ *int32, _ *elbtypes.ProtocolEnum, target *int32) {
		*target = int32(to.Port) //nolint:gosec // at most 65535
	})
}

// SetHealthCheck changes how members are checked.
func (n nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	_, arn, err := n.listener(ctx, id)
	if err != nil {
		return err
	}
	group, err := driver.One(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}}), "target group", arn)
	if err != nil {
		return err
	}
	check := checkOf(to, int(aws.ToInt32(group.Port)))
	_, err = call(ctx, n.elb.ModifyTargetGroup, &elb.ModifyTargetGroupInput{
		TargetGroupArn: group.TargetGroupArn, HealthCheckProtocol: check.HealthCheckProtocol, HealthCheckPort: check.HealthCheckPort, HealthCheckPath: check.HealthCheckPath,
		HealthCheckIntervalSeconds: check.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: check.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: check.HealthyThresholdCount, UnhealthyThresholdCount: check.UnhealthyThresholdCount,
	})
	return err
}

// Label changes the labels of a load balancer.
func (n nlbs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return balancerTags().Apply(change, func(tags []driver.Tag) error {
		_, err := call(ctx, n.elb.AddTags, &elb.AddTagsInput{ResourceArns: []string{id}, Tags: elbTags(tags)})
		return err
	}, func(keys []string) error {
		_, err := call(ctx, n.elb.RemoveTags, &elb.RemoveTagsInput{ResourceArns: []string{id}, TagKeys: keys})
		return err
	})
}

// Health answers the health of the members.
func (n nlbs) Health(ctx context.Context, id string) (resource.Health, error) {
	health := resource.Health{Members: []resource.MemberHealth{}}
	_, group, err := n.listener(ctx, id)
	if err != nil {
		return health, err
	}
	members, err := n.members(ctx, group)
	for _, m := range members {
		state := "unknown"
		if s := m.TargetHealth.State; s == elbtypes.TargetHealthStateEnumHealthy || s == elbtypes.TargetHealthStateEnumUnhealthy {
			state = string(s)
		}
		health.Members = append(health.Members, resource.MemberHealth{
			VM: aws.ToString(m.Target.Id), State: state, Reason: cmp.Or(aws.ToString(m.TargetHealth.Description), string(m.TargetHealth.Reason)),
		})
	}
	return health, err
}

// redirect changes a listener and where it forwards to. AWS changes neither the protocol
// nor the port of a target group, so that another one takes its place: it is made with
// the members first, then the listener goes over to it in one call, then the old one
// goes. That costs eight calls. Whatever stops in between, the same call once more ends it.
func (n nlbs) redirect(ctx context.Context, id string, change func(port *int32, protocol *elbtypes.ProtocolEnum, target *int32)) error {
	listener, old, err := n.listener(ctx, id)
	if err != nil {
		return err
	}
	group, err := driver.One(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{old}}), "target group", old)
	if err != nil {
		return err
	}
	port, protocol, target := aws.ToInt32(listener.Port), listener.Protocol, aws.ToInt32(group.Port)
	change(&port, &protocol, &target)
	next := old
	if group.Protocol != protocol || aws.ToInt32(group.Port) != target {
		if next, err = n.replacement(ctx, id, group, protocol, target); err != nil {
			return err
		}
	}
	if next == old && aws.ToInt32(listener.Port) == port { // done before, but perhaps for the group that was replaced
		left, err := n.leftGroups(ctx, id, []string{old})
		if err != nil {
			return err
		}
		return n.deleteGroups(ctx, left...)
	}
	_, err = call(ctx, n.elb.ModifyListener, &elb.ModifyListenerInput{
		ListenerArn: listener.ListenerArn, Protocol: protocol, Port: aws.Int32(port), DefaultActions: forwardTo(next),
	})
	if err != nil || next == old {
		return err
	}
	return n.deleteGroups(ctx, old)
}

// balancerName is a name that AWS takes: up to 32 letters and digits with single hyphens
// between. It follows from the token, so that a repeat finds it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
func balancerName(name, token string) string {
	plain := strings.Join(strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("._-", r) }), "-")
	if strings.HasPrefix(plain, "internal-") {
		plain = "mcic-" + plain
	}
	return endingIn(token, plain)
}

// subnetsFor are the subnets that are asked for, or one of each zone of the VPC.
func (n nlbs) subnetsFor(ctx context.Context, spec resource.NLBSpec) ([]string, error) {
	if len(spec.Subnets) > 0 {
		return spec.Subnets, nil
	}
	var chosen, zones []string
	for s, err := range subnets(n).describe(ctx, &ec2.DescribeSubnetsInput{Filters: inVPC(spec.VPC)}) {
		if err != nil {
			return nil, err
		}
		if !slices.Contains(zones, s.Spec.Zone) {
			chosen, zones = append(chosen, s.ID), append(zones, s.Spec.Zone)
		}
	}
	if len(chosen) == 0 {
		return nil, resource.Errorf(resource.CodeDependency, "the VPC %s has no subnet for the load balancer; make one first", spec.VPC)
	}
	return chosen, nil
}

// elbPageSize is the most that one page holds.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
const elbPageSize = 400

// balancers are the network load balancers, page by page: their tags are asked for a
// page at a time.
func (n nlbs) balancers(ctx context.Context, in *elb.DescribeLoadBalancersInput) iter.Seq2[[]elbtypes.LoadBalancer, error] {
	return paged(ctx, elb.NewDescribeLoadBalancersPaginator(n.elb, in), func(page *elb.DescribeLoadBalancersOutput) [][]elbtypes.LoadBalancer {
		return [][]elbtypes.LoadBalancer{slices.DeleteFunc(page.LoadBalancers, func(b elbtypes.LoadBalancer) bool { return b.Type != elbtypes.LoadBalancerTypeEnumNetwork })}
	}, same)
}

// balancer answers one load balancer; what is no ARN names none.
func (n nlbs) balancer(ctx context.Context, id string) (elbtypes.LoadBalancer, error) {
	if nameIn(id) == "" {
		return elbtypes.LoadBalancer{}, noBalancer(id)
	}
	found, err := driver.One(n.balancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{id}}), "load balancer", id)
	if err == nil && len(found) == 0 {
		err = noBalancer(id)
	}
	if err != nil {
		return elbtypes.LoadBalancer{}, err
	}
	return found[0], nil
}

// show yields load balancers that are looked for with all that belongs to them, and reports
// whether to go on.
func (n nlbs) show(ctx context.Context, balancers []elbtypes.LoadBalancer, f driver.Filter, groupOf func(arn string) (elbtypes.TargetGroup, bool, error), yield func(nlb, error) bool) bool {
	balancers = slices.DeleteFunc(balancers, func(b elbtypes.LoadBalancer) bool {
		return len(f.IDs) > 0 && !slices.Contains(f.IDs, aws.ToString(b.LoadBalancerArn))
	})
	arns := make([]string, len(balancers))
	for i, b := range balancers {
		arns[i] = aws.ToString(b.LoadBalancerArn)
	}
	tags, err := n.tags(ctx, arns)
	if err != nil {
		yield(nlb{}, err)
		return false
	}
	for i, arn := range arns {
		o := n.object(balancers[i], tags[arn])
		if f.Token != "" && o.Token != f.Token {
			continue
		}
		err := n.fill(ctx, &o, arn, groupOf)
		if resource.CodeOf(err) == resource.CodeNotFound { // it has gone meanwhile
			continue
		}
		if !yield(o, err) || err != nil {
			return false
		}
	}
	return true
}

// fill adds what the listener and the target group say.
func (n nlbs) fill(ctx context.Context, o *nlb, arn string, groupOf func(arn string) (elbtypes.TargetGroup, bool, error)) error {
	listener, _, err := driver.First(n.listeners(ctx, arn))
	if err != nil {
		return err
	}
	o.Spec.Port, o.Spec.Protocol = int(aws.ToInt32(listener.Port)), strings.ToLower(string(listener.Protocol))
	if arn := aws.ToString(listener.ListenerArn); arn != "" { // those of AWS have no states: they are there or not
		o.Status.Listeners = []resource.Part{{Name: fmt.Sprintf("%s:%d", o.Spec.Protocol, o.Spec.Port), CloudID: arn, State: resource.StateAvailable}}
	}
	target := groupARN(listener)
	if target == "" { // half made, or half deleted
		return nil
	}
	group, found, err := groupOf(target)
	if err != nil || !found {
		return err
	}
	o.Spec.TargetPort, o.Spec.HealthCheck = int(aws.ToInt32(group.Port)), checkBehind(group)
	members, err := n.members(ctx, target)
	for _, m := range members {
		o.Spec.Members = append(o.Spec.Members, aws.ToString(m.Target.Id))
	}
	slices.Sort(o.Spec.Members)
	for _, vm := range o.Spec.Members {
		o.Status.Members = append(o.Status.Members, resource.Part{Name: vm, State: resource.StateAvailable})
	}
	return err
}

// tags answers the tags of load balancers or target groups by ARN.
func (n nlbs) tags(ctx context.Context, arns []string) (map[string][]elbtypes.Tag, error) {
	const most = 20 // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
	tags := map[string][]elbtypes.Tag{}
	for some := range slices.Chunk(arns, most) {
		out, err := call(ctx, n.elb.DescribeTags, &elb.DescribeTagsInput{ResourceArns: some})
		if err != nil {
			return nil, err
		}
		for _, d := range out.TagDescriptions {
			tags[aws.ToString(d.ResourceArn)] = d.Tags
		}
	}
	return tags, nil
}

func elbTags(tags []driver.Tag) []elbtypes.Tag {
	all := make([]elbtypes.Tag, len(tags))
	for i, tag := range tags {
		all[i] = elbtypes.Tag{Key: aws.String(tag.Key), Value: aws.String(tag.Value)}
	}
	return all
}

func (nlbs) object(x elbtypes.LoadBalancer, tags []elbtypes.Tag) nlb {
	o := nlb{ID: aws.ToString(x.LoadBalancerArn), Native: native{x}, CreatedAt: x.CreatedTime}
	o.Token, o.Name, o.Labels = balancerTags().Read(func(yield func(string, string) bool) {
		for _, tag := range tags {
			if !yield(aws.ToString(tag.Key), aws.ToString(tag.Value)) {
				return
			}
		}
	})
	o.Name = cmp.Or(o.Name, aws.ToString(x.LoadBalancerName))
	if x.State != nil {
		o.State, o.CloudState = driver.StateOf(x.State.Code, map[elbtypes.LoadBalancerStateEnum]resource.State{
			elbtypes.LoadBalancerStateEnumProvisioning:   resource.StateCreating,
			elbtypes.LoadBalancerStateEnumActive:         resource.StateAvailable,
			elbtypes.LoadBalancerStateEnumActiveImpaired: resource.StateAvailable,
			elbtypes.LoadBalancerStateEnumFailed:         resource.StateFailed,
		})
		o.Reason = aws.ToString(x.State.Reason)
	}
	o.Spec = resource.NLBSpec{VPC: aws.ToString(x.VpcId), Internal: x.Scheme == elbtypes.LoadBalancerSchemeEnumInternal, Members: []string{}}
	for _, zone := range x.AvailabilityZones {
		o.Spec.Subnets = append(o.Spec.Subnets, aws.ToString(zone.SubnetId))
	}
	o.Status.DNSName = aws.ToString(x.DNSName)
	return o
}
