package aws

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
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

const network = "network load balancer"

// List answers the network load balancers of the region. AWS looks for neither ids that may
// be unknown nor tags, but what is not wanted costs no calls of its own.
func (n nlbs) List(ctx context.Context, f driver.Filter) iter.Seq2[nlb, error] {
	groups := sync.OnceValues(func() (map[string]elbtypes.TargetGroup, error) { // by ARN
		all, err := driver.Collect(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{PageSize: aws.Int32(elbPageSize)}))
		byARN := map[string]elbtypes.TargetGroup{}
		for _, group := range all {
			byARN[aws.ToString(group.TargetGroupArn)] = group
		}
		return byARN, err
	})
	groupOf := func(arn string) (elbtypes.TargetGroup, bool, error) {
		all, err := groups()
		group, found := all[arn]
		return group, found, err
	}
	return driver.Items(func(yield func([]nlb, error) bool) {
		for page, err := range n.networkBalancers(ctx, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(elbPageSize)}) {
			var shown []nlb
			if err == nil {
				shown, err = n.show(ctx, page, f, groupOf)
			}
			if !yield(shown, err) {
				return
			}
		}
	}, same)
}

// Get answers one load balancer; what is no ARN names none.
func (n nlbs) Get(ctx context.Context, id string) (nlb, error) {
	if nameIn(id) == "" {
		return driver.One(driver.Listed[nlb](), network, id)
	}
	found, err := driver.One(n.networkBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{id}}), network, id)
	if err != nil {
		return nlb{}, err
	}
	shown, err := n.show(ctx, found, driver.Filter{}, func(arn string) (elbtypes.TargetGroup, bool, error) {
		return driver.First(driver.UnlessMissing(n.targetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}})))
	})
	if err != nil {
		return nlb{}, err
	}
	return driver.One(driver.Listed(shown...), network, id)
}

// Make makes a load balancer. Its name follows from the token, and AWS takes a name once
// in a region.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	subnets, err := n.subnetsFor(ctx, r.Spec)
	if err != nil {
		return nlb{}, err
	}
	in := &elb.CreateLoadBalancerInput{
		Name: aws.String(balancerName(r.Name, r.Token)), Type: elbtypes.LoadBalancerTypeEnumNetwork, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing, Subnets: subnets,
		Tags: elbTags(balancerTags().Write(r.Token, r.Name, r.Labels)),
	}
	if r.Spec.Internal {
		in.Scheme = elbtypes.LoadBalancerSchemeEnumInternal
	}
	out, err := call(ctx, n.elb.CreateLoadBalancer, in)
	if err != nil {
		return nlb{}, err
	}
	made, err := driver.Single("AWS CreateLoadBalancer", out.LoadBalancers)
	return nlbOf(made, in.Tags), err
}

// Complete gives a load balancer its target group with the members, and then the listener:
// what has that has all.
func (n nlbs) Complete(ctx context.Context, r driver.Request[resource.NLBSpec], o nlb) (nlb, error) {
	if o.Spec.Port != 0 {
		return o, nil
	}
	group, _, err := n.ensureGroup(ctx, o.ID, groupNames(o.ID)[0], r.Spec, elbTags(balancerTags().Write(r.Token, r.Name, r.Labels)))
	if err != nil {
		return o, err
	}
	if err := n.register(ctx, group, r.Spec.Members); err != nil {
		return o, err
	}
	err = do(ctx, n.elb.CreateListener, &elb.CreateListenerInput{
		LoadBalancerArn: aws.String(o.ID), Protocol: elbProtocol(r.Spec.Protocol), Port: number(r.Spec.Port), DefaultActions: forwardTo(group),
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
	for listener, err := range driver.UnlessMissing(n.listeners(ctx, id)) {
		if err != nil {
			return err
		}
		err := do(ctx, n.elb.DeleteListener, &elb.DeleteListenerInput{ListenerArn: listener.ListenerArn})
		if err := driver.Except(err, resource.CodeNotFound); err != nil {
			return err
		}
		if arn := groupARN(listener); arn != "" {
			groups = append(groups, arn)
		}
	}
	if err := n.deleteGroups(ctx, groups...); err != nil {
		return err
	}
	if err := n.deleteLeft(ctx, id, groups); err != nil {
		return err
	}
	return do(ctx, n.elb.DeleteLoadBalancer, &elb.DeleteLoadBalancerInput{LoadBalancerArn: aws.String(id)})
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
	leaving, _ := driver.Among(change.Members, driver.Convert(members, memberID))
	if err != nil || len(leaving) == 0 {
		return err
	}
	return do(ctx, n.elb.DeregisterTargets, &elb.DeregisterTargetsInput{TargetGroupArn: aws.String(group), Targets: targets(leaving)})
}

// SetListener changes where a load balancer listens. Another protocol takes another
// target group.
func (n nlbs) SetListener(ctx context.Context, id string, to resource.ListenerChange) error {
	return n.redirect(ctx, id, to, 0)
}

// SetTarget changes the port of the members, which takes another target group.
func (n nlbs) SetTarget(ctx context.Context, id string, to resource.TargetChange) error {
	return n.redirect(ctx, id, resource.ListenerChange{}, to.Port)
}

// SetHealthCheck changes how members are checked.
func (n nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	_, group, err := n.forwarding(ctx, id)
	if err != nil {
		return err
	}
	check := checkOf(to, int(aws.ToInt32(group.Port)))
	return do(ctx, n.elb.ModifyTargetGroup, &elb.ModifyTargetGroupInput{
		TargetGroupArn: group.TargetGroupArn, HealthCheckProtocol: check.HealthCheckProtocol, HealthCheckPort: check.HealthCheckPort, HealthCheckPath: check.HealthCheckPath,
		HealthCheckIntervalSeconds: check.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: check.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: check.HealthyThresholdCount, UnhealthyThresholdCount: check.UnhealthyThresholdCount,
	})
}

// CheckLabels implements driver.LabelChecker.
func (nlbs) CheckLabels(field string, labels map[string]string) error {
	return checkNarrow(field, labels, escape)
}

// Label changes the labels of a load balancer. A key that AWS does not take is not there.
func (n nlbs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	change.Remove = slices.DeleteFunc(slices.Clone(change.Remove), strange.MatchString)
	return balancerTags().Apply(change, func(tags []driver.Tag) error {
		return do(ctx, n.elb.AddTags, &elb.AddTagsInput{ResourceArns: []string{id}, Tags: elbTags(tags)})
	}, func(keys []string) error {
		return do(ctx, n.elb.RemoveTags, &elb.RemoveTagsInput{ResourceArns: []string{id}, TagKeys: keys})
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
func (n nlbs) redirect(ctx context.Context, id string, to resource.ListenerChange, targetPort int) error {
	listener, group, err := n.forwarding(ctx, id)
	if err != nil {
		return err
	}
	old := aws.ToString(group.TargetGroupArn)
	port, protocol, target := cmp.Or(to.Port, portOf(listener.Port)), cmp.Or(elbProtocol(to.Protocol), listener.Protocol), cmp.Or(targetPort, portOf(group.Port))
	next := old
	if group.Protocol != protocol || portOf(group.Port) != target {
		if next, err = n.replacement(ctx, id, group, protocol, target); err != nil {
			return err
		}
	}
	if next == old && portOf(listener.Port) == port { // done before, but perhaps for the group that was replaced
		return n.deleteLeft(ctx, id, []string{old})
	}
	err = do(ctx, n.elb.ModifyListener, &elb.ModifyListenerInput{
		ListenerArn: listener.ListenerArn, Protocol: protocol, Port: number(port), DefaultActions: forwardTo(next),
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
	for x, err := range n.subnets(ctx, having(filter("vpc-id", spec.VPC))) {
		if err != nil {
			return nil, err
		}
		if zone := aws.ToString(x.AvailabilityZone); !slices.Contains(zones, zone) {
			chosen, zones = append(chosen, aws.ToString(x.SubnetId)), append(zones, zone)
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

// networkBalancers are the network load balancers, page by page: their tags are asked for a
// page at a time.
func (n nlbs) networkBalancers(ctx context.Context, in *elb.DescribeLoadBalancersInput) iter.Seq2[[]elbtypes.LoadBalancer, error] {
	return pages(ctx, elb.NewDescribeLoadBalancersPaginator(n.elb, in), func(page *elb.DescribeLoadBalancersOutput) []elbtypes.LoadBalancer {
		return slices.DeleteFunc(page.LoadBalancers, func(b elbtypes.LoadBalancer) bool { return b.Type != elbtypes.LoadBalancerTypeEnumNetwork })
	})
}

// balancers are those of every type.
func (s *session) balancers(ctx context.Context) iter.Seq2[elbtypes.LoadBalancer, error] {
	return paged(ctx, elb.NewDescribeLoadBalancersPaginator(s.elb, &elb.DescribeLoadBalancersInput{}),
		func(page *elb.DescribeLoadBalancersOutput) []elbtypes.LoadBalancer { return page.LoadBalancers })
}

// show answers those of load balancers that are looked for, with all that belongs to them.
func (n nlbs) show(ctx context.Context, balancers []elbtypes.LoadBalancer, f driver.Filter, groupOf func(arn string) (elbtypes.TargetGroup, bool, error)) ([]nlb, error) {
	balancers = slices.DeleteFunc(balancers, func(b elbtypes.LoadBalancer) bool {
		return len(f.IDs) > 0 && !slices.Contains(f.IDs, aws.ToString(b.LoadBalancerArn))
	})
	tags, err := n.tags(ctx, driver.Convert(balancers, func(b elbtypes.LoadBalancer) string { return aws.ToString(b.LoadBalancerArn) }))
	if err != nil {
		return nil, err
	}
	var shown []nlb
	for _, b := range balancers {
		o := nlbOf(b, tags[aws.ToString(b.LoadBalancerArn)])
		if f.Token != "" && o.Token != f.Token {
			continue
		}
		switch err := n.fill(ctx, &o, groupOf); {
		case err == nil:
			shown = append(shown, o)
		case resource.CodeOf(err) != resource.CodeNotFound: // it has gone meanwhile
			return nil, err
		}
	}
	return shown, nil
}

// fill adds what the listener and the target group say.
func (n nlbs) fill(ctx context.Context, o *nlb, groupOf func(arn string) (elbtypes.TargetGroup, bool, error)) error {
	listener, _, err := driver.First(n.listeners(ctx, o.ID))
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
	o.Spec.Members = append(o.Spec.Members, driver.Convert(members, memberID)...)
	slices.Sort(o.Spec.Members)
	o.Status.Members = driver.Convert(o.Spec.Members, func(vm string) resource.Part { return resource.Part{Name: vm, State: resource.StateAvailable} })
	return driver.Except(err, resource.CodeNotFound) // the target group has gone meanwhile, and not the load balancer
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
	return driver.Convert(tags, func(t driver.Tag) elbtypes.Tag {
		return elbtypes.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)}
	})
}

// elbTagsIn is the way back.
func elbTagsIn(tags []elbtypes.Tag) map[string]string {
	return byKey(tags, func(t elbtypes.Tag) (key, value *string) { return t.Key, t.Value })
}

func nlbOf(x elbtypes.LoadBalancer, tags []elbtypes.Tag) nlb {
	o := nlb{ID: aws.ToString(x.LoadBalancerArn), Native: driver.Sparse{Shown: x}, CreatedAt: x.CreatedTime}
	o.Token, o.Name, o.Labels = balancerTags().Read(maps.All(elbTagsIn(tags)))
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
	o.Spec.Subnets = driver.Convert(x.AvailabilityZones, func(z elbtypes.AvailabilityZone) string { return aws.ToString(z.SubnetId) })
	o.Status.DNSName = aws.ToString(x.DNSName)
	return o
}
