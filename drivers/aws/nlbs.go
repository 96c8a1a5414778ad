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
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// nlbs are load balancers of the type network, each with one listener and one target
// group, which has the load balancer's name. AWS tells listeners and members of one load
// balancer at a time, so that a list costs two calls for each.
type (
	nlbs struct{ *session }
	nlb  = driver.Object[resource.NLBSpec, resource.NLBStatus]
)

// List answers all network load balancers of the region.
func (n nlbs) List(ctx context.Context, _ driver.Filter) iter.Seq2[nlb, error] {
	return func(yield func(nlb, error) bool) {
		groups := map[string]elbtypes.TargetGroup{} // by ARN
		for group, err := range n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{PageSize: aws.Int32(elbPageSize)}) {
			if err != nil {
				yield(nlb{}, err)
				return
			}
			groups[aws.ToString(group.TargetGroupArn)] = group
		}
		groupOf := func(arn string) (elbtypes.TargetGroup, bool, error) { //nolint:unparam // that of Get can fail
			group, found := groups[arn]
			return group, found, nil
		}
		for page, err := range n.balancers(ctx, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(elbPageSize)}) {
			if err != nil {
				yield(nlb{}, err)
				return
			}
			if !n.show(ctx, page, groupOf, yield) {
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
	return driver.One(func(yield func(nlb, error) bool) { n.show(ctx, []elbtypes.LoadBalancer{balancer}, groupOf, yield) }, "load balancer", id)
}

// Create makes the target group, then the load balancer, then the listener between
// them. Each is looked up first by the name that follows from the token.
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	tags, err := balancerTags().Write(r.Token, r.Name, r.Labels)
	if err != nil {
		return nlb{}, err
	}
	name := balancerName(r.Name, r.Token)
	group, madeGroup, err := driver.Ensure(n.named(ctx, name), func() (elbtypes.TargetGroup, error) {
		return n.createGroup(ctx, name, r.Spec, elbTags(tags))
	})
	if err != nil {
		return nlb{}, err
	}
	balancer, err := n.complete(ctx, name, group, r.Spec, elbTags(tags))
	err = driver.Completed(ctx, err, madeGroup, func(ctx context.Context) error { return n.remove(ctx, name, aws.ToString(balancer.LoadBalancerArn)) })
	if err != nil {
		return nlb{}, err
	}
	made := n.object(balancer, elbTags(tags))
	made.Spec = r.Spec
	return made, nil
}

// complete gives a target group its members, a load balancer and the listener. The load
// balancer is answered as far as it is there.
func (n nlbs) complete(ctx context.Context, name string, group elbtypes.TargetGroup, spec resource.NLBSpec, tags []elbtypes.Tag) (elbtypes.LoadBalancer, error) {
	if err := n.register(ctx, group, spec.Members); err != nil {
		return elbtypes.LoadBalancer{}, err
	}
	balancer, _, err := driver.Ensure(n.balancerNamed(ctx, name), func() (elbtypes.LoadBalancer, error) {
		subnets, err := n.subnetsFor(ctx, spec)
		if err != nil {
			return elbtypes.LoadBalancer{}, err
		}
		in := &elb.CreateLoadBalancerInput{Name: aws.String(name), Type: elbtypes.LoadBalancerTypeEnumNetwork, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing, Subnets: subnets, Tags: tags}
		if spec.Internal {
			in.Scheme = elbtypes.LoadBalancerSchemeEnumInternal
		}
		out, err := call(ctx, n.elb.CreateLoadBalancer, in)
		if resource.CodeOf(err) == resource.CodeNotFound { // a subnet: all else was just made
			err = recoded(err, resource.CodeDependency, "choose subnets that are there")
		}
		if err != nil {
			return elbtypes.LoadBalancer{}, err
		}
		if len(out.LoadBalancers) != 1 {
			return elbtypes.LoadBalancer{}, resource.Errorf(resource.CodeInternal, "AWS CreateLoadBalancer answered %d load balancers instead of one", len(out.LoadBalancers))
		}
		return out.LoadBalancers[0], nil
	})
	if err != nil {
		return elbtypes.LoadBalancer{}, err
	}
	_, _, err = driver.Ensure(n.listeners(ctx, aws.ToString(balancer.LoadBalancerArn)), func() (elbtypes.Listener, error) {
		_, err := call(ctx, n.elb.CreateListener, &elb.CreateListenerInput{
			LoadBalancerArn: balancer.LoadBalancerArn, Protocol: group.Protocol, Port: aws.Int32(int32(spec.Port)), //nolint:gosec // at most 65535
			DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: group.TargetGroupArn}},
		})
		return elbtypes.Listener{}, err
	})
	return balancer, err
}

// Delete removes a load balancer, and the target group that was made with it.
func (n nlbs) Delete(ctx context.Context, id string) error {
	balancer, err := n.balancer(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	return n.remove(ctx, aws.ToString(balancer.LoadBalancerName), id)
}

// remove takes the listeners away first: then the target group is free, and the load
// balancer is there until all else is gone. Without an ARN there is only the group.
func (n nlbs) remove(ctx context.Context, name, arn string) error {
	if arn != "" {
		for listener, err := range n.listeners(ctx, arn) {
			if err != nil {
				return err
			}
			_, err := call(ctx, n.elb.DeleteListener, &elb.DeleteListenerInput{ListenerArn: listener.ListenerArn})
			if err := driver.Except(err, resource.CodeNotFound); err != nil {
				return err
			}
		}
	}
	if err := n.removeGroups(ctx, name, nil); err != nil || arn == "" {
		return err
	}
	_, err := call(ctx, n.elb.DeleteLoadBalancer, &elb.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(arn)})
	return driver.Except(err, resource.CodeNotFound)
}

// removeGroups removes the target groups of a load balancer's name, except for one.
func (n nlbs) removeGroups(ctx context.Context, name string, except *string) error {
	for _, name := range groupNames(name) {
		for group, err := range n.named(ctx, name) {
			if err != nil {
				return err
			}
			if aws.ToString(group.TargetGroupArn) == aws.ToString(except) {
				continue
			}
			_, err := call(ctx, n.elb.DeleteTargetGroup, &elb.DeleteTargetGroupInput{TargetGroupArn: group.TargetGroupArn})
			if err := driver.Except(err, resource.CodeNotFound); err != nil {
				return err
			}
		}
	}
	return nil
}

// AddMembers registers VMs; AWS passes over those that are registered.
func (n nlbs) AddMembers(ctx context.Context, id string, change resource.MemberChange) error {
	group, err := n.groupOf(ctx, id)
	if err != nil {
		return err
	}
	return n.register(ctx, group, change.Members)
}

// RemoveMembers deregisters the VMs that are members; connections that are open may last
// for a while.
func (n nlbs) RemoveMembers(ctx context.Context, id string, change resource.MemberChange) error {
	group, err := n.groupOf(ctx, id)
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
	_, err = call(ctx, n.elb.DeregisterTargets, &elb.DeregisterTargetsInput{TargetGroupArn: group.TargetGroupArn, Targets: targets(change.Members)})
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

// redirect changes a listener and where it forwards to. AWS changes neither the protocol
// nor the port of a target group, so that another one takes its place: it is made with
// the members first, then the listener goes over to it in one call, then the old one
// goes. Whatever stops in between, the same call once more ends it.
func (n nlbs) redirect(ctx context.Context, id string, change func(port *int32, protocol *elbtypes.ProtocolEnum, target *int32)) error {
	balancer, err := n.balancer(ctx, id)
	if err != nil {
		return err
	}
	listener, err := n.listener(ctx, id)
	if err != nil {
		return err
	}
	group, err := n.groupBehind(ctx, listener)
	if err != nil {
		return err
	}
	port, protocol, target := aws.ToInt32(listener.Port), listener.Protocol, aws.ToInt32(group.Port)
	change(&port, &protocol, &target)
	next := group
	if group.Protocol != protocol || aws.ToInt32(group.Port) != target {
		if next, err = n.replacement(ctx, balancer, group, protocol, target); err != nil {
			return err
		}
	}
	if aws.ToString(next.TargetGroupArn) != aws.ToString(group.TargetGroupArn) || aws.ToInt32(listener.Port) != port {
		_, err := call(ctx, n.elb.ModifyListener, &elb.ModifyListenerInput{
			ListenerArn: listener.ListenerArn, Protocol: protocol, Port: aws.Int32(port),
			DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: next.TargetGroupArn}},
		})
		if err != nil {
			return err
		}
	}
	return n.removeGroups(ctx, aws.ToString(balancer.LoadBalancerName), next.TargetGroupArn)
}

// replacement makes a target group like another one, with its members. What has the
// name already was left by a change that did not get further.
func (n nlbs) replacement(ctx context.Context, balancer elbtypes.LoadBalancer, old elbtypes.TargetGroup, protocol elbtypes.ProtocolEnum, target int32) (elbtypes.TargetGroup, error) {
	name := aws.ToString(balancer.LoadBalancerName)
	if err := n.removeGroups(ctx, name, old.TargetGroupArn); err != nil {
		return elbtypes.TargetGroup{}, err
	}
	names := groupNames(name)
	if name == aws.ToString(old.TargetGroupName) {
		name = names[1]
	}
	tags, err := n.tags(ctx, []elbtypes.LoadBalancer{balancer})
	if err != nil {
		return elbtypes.TargetGroup{}, err
	}
	members, err := n.members(ctx, old)
	if err != nil {
		return elbtypes.TargetGroup{}, err
	}
	spec := resource.NLBSpec{VPC: aws.ToString(old.VpcId), Protocol: string(protocol), TargetPort: int(target), HealthCheck: checkBehind(old)}
	if spec.HealthCheck.Port == int(aws.ToInt32(old.Port)) {
		spec.HealthCheck.Port = 0 // it follows
	}
	made, err := n.createGroup(ctx, name, spec, tags[aws.ToString(balancer.LoadBalancerArn)])
	if err != nil {
		return elbtypes.TargetGroup{}, err
	}
	vms := make([]string, len(members))
	for i, m := range members {
		vms[i] = aws.ToString(m.Target.Id)
	}
	return made, n.register(ctx, made, vms)
}

// SetHealthCheck changes how members are checked.
func (n nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	group, err := n.groupOf(ctx, id)
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

// Health answers the health of the members.
func (n nlbs) Health(ctx context.Context, id string) (resource.Health, error) {
	health := resource.Health{Members: []resource.MemberHealth{}}
	group, err := n.groupOf(ctx, id)
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

// endingIn shortens a name so that a suffix that follows from a text fits.
func endingIn(text, plain string) string {
	const most, suffix = 32, 4 // characters, and bytes as hexadecimal digits
	plain = strings.TrimRight(plain[:min(len(plain), most-2*suffix-1)], "-")
	return fmt.Sprintf("%s-%.*x", plain, suffix, sha256.Sum256([]byte(text)))
}

// groupNames are the names that target groups of a load balancer can have: its own, and
// the one that they alternate with when one takes the place of the other.
func groupNames(name string) [2]string {
	return [2]string{name, endingIn(name, name[:min(len(name), 16)])}
}

func (n nlbs) createGroup(ctx context.Context, name string, spec resource.NLBSpec, tags []elbtypes.Tag) (elbtypes.TargetGroup, error) {
	in := checkOf(spec.HealthCheck, spec.TargetPort)
	in.Name, in.VpcId, in.Tags = aws.String(name), aws.String(spec.VPC), tags
	in.TargetType = elbtypes.TargetTypeEnumInstance
	in.Protocol, in.Port = elbtypes.ProtocolEnum(strings.ToUpper(spec.Protocol)), aws.Int32(int32(spec.TargetPort)) //nolint:gosec // at most 65535
	out, err := call(ctx, n.elb.CreateTargetGroup, in)
	if err != nil {
		return elbtypes.TargetGroup{}, err
	}
	if len(out.TargetGroups) != 1 {
		return elbtypes.TargetGroup{}, resource.Errorf(resource.CodeInternal, "AWS CreateTargetGroup answered %d target groups instead of one", len(out.TargetGroups))
	}
	return out.TargetGroups[0], nil
}

// checkOf is a health check in AWS's terms.
func checkOf(c resource.HealthCheck, targetPort int) *elb.CreateTargetGroupInput {
	in := &elb.CreateTargetGroupInput{HealthCheckProtocol: elbtypes.ProtocolEnum(strings.ToUpper(cmp.Or(c.Protocol, "tcp"))), HealthCheckPort: aws.String("traffic-port"), HealthCheckPath: optional(c.Path)}
	if c.Port != 0 && c.Port != targetPort {
		in.HealthCheckPort = aws.String(strconv.Itoa(c.Port))
	}
	number := func(n int) *int32 {
		if n == 0 {
			return nil
		}
		return aws.Int32(int32(n)) //nolint:gosec // at most 300
	}
	in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds = number(c.IntervalSeconds), number(c.TimeoutSeconds)
	in.HealthyThresholdCount, in.UnhealthyThresholdCount = number(c.Threshold), number(c.Threshold)
	return in
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

func targets(vms []string) []elbtypes.TargetDescription {
	all := make([]elbtypes.TargetDescription, len(vms))
	for i, id := range vms {
		all[i] = elbtypes.TargetDescription{Id: aws.String(id)}
	}
	return all
}

func (n nlbs) register(ctx context.Context, group elbtypes.TargetGroup, vms []string) error {
	if len(vms) == 0 {
		return nil
	}
	_, err := call(ctx, n.elb.RegisterTargets, &elb.RegisterTargetsInput{TargetGroupArn: group.TargetGroupArn, Targets: targets(vms)})
	return err
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
	if !strings.HasPrefix(id, "arn:") {
		return elbtypes.LoadBalancer{}, resource.Errorf(resource.CodeNotFound, "the cloud has no load balancer %s in this region", id)
	}
	found, err := driver.One(n.balancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{id}}), "load balancer", id)
	if err == nil && len(found) == 0 {
		err = resource.Errorf(resource.CodeNotFound, "the cloud has no network load balancer %s in this region", id)
	}
	if err != nil {
		return elbtypes.LoadBalancer{}, err
	}
	return found[0], nil
}

// balancerNamed is the load balancer of that name, if there is one.
func (n nlbs) balancerNamed(ctx context.Context, name string) iter.Seq2[elbtypes.LoadBalancer, error] {
	return unlessMissing(driver.Items(n.balancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{name}}), same[elbtypes.LoadBalancer]))
}

// named is the target group of that name, if there is one.
func (n nlbs) named(ctx context.Context, name string) iter.Seq2[elbtypes.TargetGroup, error] {
	return unlessMissing(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{name}}))
}

// unlessMissing is a list that is empty where AWS says that a name does not exist.
func unlessMissing[E any](items iter.Seq2[E, error]) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for item, err := range items {
			if resource.CodeOf(err) == resource.CodeNotFound || !yield(item, err) {
				return
			}
		}
	}
}

func (n nlbs) targetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput) iter.Seq2[elbtypes.TargetGroup, error] {
	return paged(ctx, elb.NewDescribeTargetGroupsPaginator(n.elb, in),
		func(page *elb.DescribeTargetGroupsOutput) []elbtypes.TargetGroup { return page.TargetGroups }, same)
}

// groupOf is the target group of a load balancer.
func (n nlbs) groupOf(ctx context.Context, id string) (elbtypes.TargetGroup, error) {
	if _, err := n.balancer(ctx, id); err != nil {
		return elbtypes.TargetGroup{}, err
	}
	listener, err := n.listener(ctx, id)
	if err != nil {
		return elbtypes.TargetGroup{}, err
	}
	return n.groupBehind(ctx, listener)
}

// groupBehind is the target group that a listener forwards to.
func (n nlbs) groupBehind(ctx context.Context, l elbtypes.Listener) (elbtypes.TargetGroup, error) {
	arn := groupARN(l)
	if arn == "" {
		return elbtypes.TargetGroup{}, resource.Errorf(resource.CodeConflict, "the listener %s forwards to no target group", aws.ToString(l.ListenerArn))
	}
	return driver.One(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}}), "target group", arn)
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

// listener is the one of a load balancer. One that was made elsewhere may have several;
// which of them is meant cannot be told.
func (n nlbs) listener(ctx context.Context, arn string) (elbtypes.Listener, error) {
	var all []elbtypes.Listener
	for l, err := range n.listeners(ctx, arn) {
		if err != nil {
			return elbtypes.Listener{}, err
		}
		all = append(all, l)
	}
	if len(all) != 1 {
		return elbtypes.Listener{}, resource.Errorf(resource.CodeConflict, "the load balancer %s has %d listeners instead of one; change it with AWS's own tools", arn, len(all))
	}
	return all[0], nil
}

func (n nlbs) listeners(ctx context.Context, arn string) iter.Seq2[elbtypes.Listener, error] {
	return paged(ctx, elb.NewDescribeListenersPaginator(n.elb, &elb.DescribeListenersInput{LoadBalancerArn: aws.String(arn)}),
		func(page *elb.DescribeListenersOutput) []elbtypes.Listener { return page.Listeners }, same)
}

// members are the targets of a group without those that leave it.
func (n nlbs) members(ctx context.Context, group elbtypes.TargetGroup) ([]elbtypes.TargetHealthDescription, error) {
	out, err := call(ctx, n.elb.DescribeTargetHealth, &elb.DescribeTargetHealthInput{TargetGroupArn: group.TargetGroupArn})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.TargetHealthDescriptions, func(d elbtypes.TargetHealthDescription) bool {
		return d.Target == nil || d.TargetHealth == nil || strings.HasSuffix(string(d.TargetHealth.State), "draining")
	}), nil
}

// show yields load balancers with all that belongs to them, and reports whether to go on.
func (n nlbs) show(ctx context.Context, balancers []elbtypes.LoadBalancer, groupOf func(arn string) (elbtypes.TargetGroup, bool, error), yield func(nlb, error) bool) bool {
	tags, err := n.tags(ctx, balancers)
	if err != nil {
		yield(nlb{}, err)
		return false
	}
	for _, balancer := range balancers {
		arn := aws.ToString(balancer.LoadBalancerArn)
		o := n.object(balancer, tags[arn])
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
	target := groupARN(listener)
	if target == "" { // half made, or half deleted
		return nil
	}
	group, found, err := groupOf(target)
	if err != nil || !found {
		return err
	}
	o.Spec.TargetPort, o.Spec.HealthCheck = int(aws.ToInt32(group.Port)), checkBehind(group)
	members, err := n.members(ctx, group)
	for _, m := range members {
		o.Spec.Members = append(o.Spec.Members, aws.ToString(m.Target.Id))
	}
	slices.Sort(o.Spec.Members)
	return err
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

// tags answers the tags of load balancers by ARN.
func (n nlbs) tags(ctx context.Context, balancers []elbtypes.LoadBalancer) (map[string][]elbtypes.Tag, error) {
	const most = 20 // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
	tags := map[string][]elbtypes.Tag{}
	for some := range slices.Chunk(balancers, most) {
		in := &elb.DescribeTagsInput{}
		for _, b := range some {
			in.ResourceArns = append(in.ResourceArns, aws.ToString(b.LoadBalancerArn))
		}
		out, err := call(ctx, n.elb.DescribeTags, in)
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
