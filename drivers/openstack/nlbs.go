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
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// An NLB is a load balancer of Octavia with one listener, one pool and one health
// monitor, all made by one call, and a floating IP unless it is internal. A member is
// named after its VM.
type (
	nlbs struct{ *session }
	nlb  = driver.Object[resource.NLBSpec, resource.NLBStatus]
)

// balancerParts is what belongs to load balancers, each by its owner's id.
type balancerParts struct {
	listener map[string]listeners.Listener     // by load balancer
	pool     map[string]pools.Pool             // by load balancer
	monitor  map[string]monitors.Monitor       // by pool
	members  map[string][]pools.Member         // by pool
	address  map[string]floatingips.FloatingIP // by port
}

// List answers the project's load balancers. Octavia has no list of the members of all
// pools, so that it costs a call for each.
func (n nlbs) List(ctx context.Context, _ driver.Filter) iter.Seq2[nlb, error] { return n.describe(ctx, nil) }

// Get answers one load balancer.
func (n nlbs) Get(ctx context.Context, id string) (nlb, error) {
	return driver.One(n.describe(ctx, url.Values{"id": {id}}), "load balancer", id)
}

// Create makes a load balancer. The floating IP comes first: a load balancer that is
// being made cannot be removed, if there is no address for it.
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	opts, err := n.options(ctx, r)
	if err != nil {
		return nlb{}, err
	}
	public, fresh := publicIP{}, false
	if !r.Spec.Internal {
		public, fresh, err = newPublicIPs(n.session).allocate(ctx, mark{text: r.Name, token: r.Token, more: ofNLB}, nil, "")
		if err != nil {
			return nlb{}, err
		}
	}
	made, _, err := ensure(ctx,
		func() iter.Seq2[nlb, error] { return n.describe(ctx, url.Values{"tags": {tokenTag + r.Token}}) },
		func() (nlb, error) {
			made, err := made[loadbalancers.LoadBalancer](loadbalancers.Create(ctx, n.balancer, opts).Result, "loadbalancer")
			return nlb{ID: made.is.ID}, err
		}, n.Delete)
	if err != nil {
		return nlb{}, driver.Completed(ctx, err, fresh, func(ctx context.Context) error { return newPublicIPs(n.session).delete(ctx, public.ID) })
	}
	if public.ID != "" && made.Status.Address != public.Status.Address {
		port, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", made.ID)
		if err != nil {
			return nlb{}, err
		}
		err = coded(floatingips.Update(ctx, n.network, public.ID, floatingips.UpdateOpts{PortID: &port.is.VipPortID}).Err)
		if err != nil {
			return nlb{}, err
		}
		made.Status.Address = public.Status.Address
	}
	return made, nil
}

// Delete removes a load balancer with its parts and its floating IP. The address goes
// first: afterwards nobody would know whose it was. It is looked for in a list, because
// asked for one of another project Octavia answers that it is forbidden.
func (n nlbs) Delete(ctx context.Context, id string) error {
	found, err := driver.One(driver.Items(n.raw(ctx, url.Values{"id": {id}}), func(x shown[loadbalancers.LoadBalancer]) shown[loadbalancers.LoadBalancer] { return x }), "load balancer", id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	switch status := found.is.ProvisioningStatus; {
	case status == "PENDING_DELETE" || status == deleted:
		return nil
	case strings.HasPrefix(status, "PENDING_"):
		return busy(id, status)
	}
	addresses, err := collect(newPublicIPs(n.session).list(ctx, url.Values{"port_id": {found.is.VipPortID}}))
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if address.Token == tokenOf(found.is.Tags) && address.Token != "" {
			if err := newPublicIPs(n.session).delete(ctx, address.ID); err != nil {
				return err
			}
		}
	}
	err = coded(loadbalancers.Delete(ctx, n.balancer, id, loadbalancers.DeleteOpts{Cascade: true}).Err)
	return driver.Except(err, resource.CodeNotFound)
}

// AddMembers adds VMs.
func (n nlbs) AddMembers(ctx context.Context, id string, change resource.MemberChange) error {
	return n.changeMembers(ctx, id, func(members []string) []string {
		for _, vm := range change.Members {
			if !slices.Contains(members, vm) {
				members = append(members, vm)
			}
		}
		return members
	})
}

// RemoveMembers removes VMs.
func (n nlbs) RemoveMembers(ctx context.Context, id string, change resource.MemberChange) error {
	return n.changeMembers(ctx, id, func(members []string) []string {
		return slices.DeleteFunc(members, func(vm string) bool { return slices.Contains(change.Members, vm) })
	})
}

// SetListener changes where a load balancer listens. Octavia changes neither the port nor
// the protocol of a listener, so that another one takes its place, and for another
// protocol another pool, too: what is new comes before the old goes. Whatever stops in
// between, the same call once more ends it.
func (n nlbs) SetListener(ctx context.Context, id string, to resource.ListenerChange) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	all, err := n.listenersOf(ctx, id)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return resource.Errorf(resource.CodeConflict, "the load balancer %s has no listener that could be changed", id)
	}
	protocol, port := strings.ToUpper(to.Protocol), to.Port
	for _, l := range all { // all have the same, but for what is changed
		protocol, port = cmp.Or(protocol, l.Protocol), cmp.Or(port, l.ProtocolPort)
	}
	wanted := func(l listeners.Listener) bool { return l.Protocol == protocol && l.ProtocolPort == port }
	next := slices.IndexFunc(all, wanted)
	if next < 0 {
		if len(all) > 1 { // made elsewhere
			return resource.Errorf(resource.CodeConflict, "the load balancer %s has %d listeners, and which one is meant cannot be told; change it with OpenStack's own tools", id, len(all))
		}
		old := all[0]
		opts := listeners.CreateOpts{
			Name: old.Name, LoadbalancerID: id, Protocol: listeners.Protocol(protocol), ProtocolPort: port, DefaultPoolID: old.DefaultPoolID, Tags: []string{replacesTag + old.ID},
		}
		if protocol != old.Protocol {
			if opts.DefaultPoolID, err = n.poolBeside(ctx, found, old.DefaultPoolID, protocol); err != nil {
				return err
			}
			opts.Tags = append(opts.Tags, replacesTag+old.DefaultPoolID)
		}
		if err := n.settled(ctx, id, coded(listeners.Create(ctx, n.balancer, opts).Err)); err != nil {
			return err
		}
		if all, err = n.listenersOf(ctx, id); err != nil {
			return err
		}
		if next = slices.IndexFunc(all, wanted); next < 0 {
			return resource.Errorf(resource.CodeUnavailable, "the new listener of the load balancer %s is not to be seen yet; try again", id)
		}
	}
	return n.removeReplaced(ctx, id, all, all[next])
}

// replacesTag is on a listener that takes the place of another one, with the id of that,
// and of the pool that went with it.
const replacesTag = "mcic-replaces="

// removeReplaced removes the listener that another one has taken the place of, and its
// pool, unless both share it.
func (n nlbs) removeReplaced(ctx context.Context, id string, all []listeners.Listener, by listeners.Listener) error {
	for _, old := range all {
		if !slices.Contains(by.Tags, replacesTag+old.ID) {
			continue
		}
		if err := n.settled(ctx, id, driver.Except(coded(listeners.Delete(ctx, n.balancer, old.ID).ExtractErr()), resource.CodeNotFound)); err != nil {
			return err
		}
	}
	balancer, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
	if err != nil {
		return err
	}
	for _, old := range balancer.is.Pools {
		if !slices.Contains(by.Tags, replacesTag+old.ID) {
			continue
		}
		if err := n.settled(ctx, id, driver.Except(coded(pools.Delete(ctx, n.balancer, old.ID).ExtractErr()), resource.CodeNotFound)); err != nil {
			return err
		}
	}
	return nil
}

// poolBeside makes a pool for another protocol, with the members and the monitor of the
// one that serves, and answers its id. It goes on with one that is not complete yet.
func (n nlbs) poolBeside(ctx context.Context, of nlb, serves, protocol string) (string, error) {
	balancer, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", of.ID)
	if err != nil {
		return "", err
	}
	var pool pools.Pool
	for _, some := range balancer.is.Pools {
		found, err := get[pools.Pool](ctx, n.balancer, "pool", "lbaas/pools", some.ID)
		if err != nil {
			return "", err
		}
		if found.is.Protocol == protocol && slices.Contains(found.is.Tags, replacesTag+serves) {
			pool = found.is
		}
	}
	if pool.ID == "" {
		opts := pools.CreateOpts{
			Name: of.Name, LoadbalancerID: of.ID, Protocol: pools.Protocol(protocol), LBMethod: pools.LBMethodRoundRobin,
			Tags: []string{targetTag(of.Spec), replacesTag + serves},
		}
		made, err := made[pools.Pool](pools.Create(ctx, n.balancer, opts).Result, "pool")
		if err != nil {
			return "", err
		}
		if err := n.settle(ctx, of.ID); err != nil {
			return "", err
		}
		pool = made.is
	}
	if len(of.Spec.Members) > 0 {
		if err := n.settled(ctx, of.ID, n.setMembers(ctx, pool.ID, of.Spec)); err != nil {
			return "", err
		}
	}
	if pool.MonitorID == "" {
		opts := monitorOf(of.Spec.HealthCheck)
		opts.PoolID = pool.ID
		if err := coded(monitors.Create(ctx, n.balancer, opts).Err); err != nil {
			return "", err
		}
	}
	return pool.ID, n.settle(ctx, of.ID)
}

// listenersOf answers the listeners of one load balancer.
func (n nlbs) listenersOf(ctx context.Context, id string) ([]listeners.Listener, error) {
	balancer, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
	if err != nil {
		return nil, err
	}
	var all []listeners.Listener
	for _, some := range balancer.is.Listeners {
		l, err := get[listeners.Listener](ctx, n.balancer, "listener", "lbaas/listeners", some.ID)
		if err := driver.Except(err, resource.CodeNotFound); err != nil {
			return nil, err
		}
		if l.is.ID != "" {
			all = append(all, l.is)
		}
	}
	return all, nil
}

// SetTarget changes the port of the members. Octavia knows a port of members only; what
// the next ones get is in a tag of the pool.
func (n nlbs) SetTarget(ctx context.Context, id string, to resource.TargetChange) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	parts, err := n.parts(ctx)
	if err != nil {
		return err
	}
	if found.Spec.HealthCheck.Port == found.Spec.TargetPort {
		found.Spec.HealthCheck.Port = to.Port
	}
	found.Spec.TargetPort = to.Port
	pool := parts.pool[id]
	if tag := targetTag(found.Spec); !slices.Contains(pool.Tags, tag) {
		tags := append(slices.DeleteFunc(slices.Clone(pool.Tags), func(tag string) bool { return strings.HasPrefix(tag, targetKey) }), tag)
		if err := n.settled(ctx, id, coded(pools.Update(ctx, n.balancer, pool.ID, pools.UpdateOpts{Tags: &tags}).Err)); err != nil {
			return err
		}
	}
	if len(found.Spec.Members) == 0 {
		return nil
	}
	return n.setMembers(ctx, pool.ID, found.Spec)
}

// targetKey begins the tag of a pool that keeps the port of its members.
const targetKey = "mcic-target="

func targetTag(s resource.NLBSpec) string { return targetKey + strconv.Itoa(s.TargetPort) }

// SetHealthCheck changes the monitor. Octavia cannot change a monitor's type, so that
// another type means another monitor.
func (n nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	parts, err := n.parts(ctx)
	if err != nil {
		return err
	}
	pool := parts.pool[id]
	monitor, exists := parts.monitor[pool.ID]
	if exists && monitor.Type != monitorType(to.Protocol) {
		if err := coded(monitors.Delete(ctx, n.balancer, monitor.ID).Err); err != nil {
			return err
		}
		exists = false
		if err := n.settle(ctx, id); err != nil {
			return err
		}
	}
	if exists {
		opts := monitors.UpdateOpts{Delay: to.IntervalSeconds, Timeout: to.TimeoutSeconds, MaxRetries: to.Threshold, MaxRetriesDown: to.Threshold, URLPath: to.Path}
		err = coded(monitors.Update(ctx, n.balancer, monitor.ID, opts).Err)
	} else {
		opts := monitorOf(to)
		opts.PoolID = pool.ID
		err = coded(monitors.Create(ctx, n.balancer, opts).Err)
	}
	if err != nil || cmp.Or(to.Port, found.Spec.TargetPort) == found.Spec.HealthCheck.Port || len(found.Spec.Members) == 0 {
		return err
	}
	if err := n.settle(ctx, id); err != nil {
		return err
	}
	found.Spec.HealthCheck.Port = to.Port
	return n.setMembers(ctx, pool.ID, found.Spec)
}

// Label changes the tags.
func (n nlbs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
	if err != nil {
		return err
	}
	tags, err := changeLabels(found.is.Tags, change)
	if err != nil {
		return err
	}
	return coded(loadbalancers.Update(ctx, n.balancer, id, loadbalancers.UpdateOpts{Tags: &tags}).Err)
}

// Health answers which members are healthy.
func (n nlbs) Health(ctx context.Context, id string) (resource.Health, error) {
	found, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
	if err != nil {
		return resource.Health{}, err
	}
	health := resource.Health{Members: []resource.MemberHealth{}}
	for _, pool := range found.is.Pools {
		members, err := n.members(ctx, pool.ID)
		if err != nil {
			return health, err
		}
		for _, member := range members {
			health.Members = append(health.Members, healthOf(member))
		}
	}
	return health, nil
}

// healthOf translates the operating status of a member.
// https://docs.openstack.org/api-ref/load-balancer/v2/#operating-status-codes
func healthOf(member pools.Member) resource.MemberHealth {
	h := resource.MemberHealth{VM: member.Name, State: "unknown", Reason: "Octavia says " + member.OperatingStatus}
	switch member.OperatingStatus {
	case "ONLINE":
		h.State, h.Reason = "healthy", ""
	case "ERROR":
		h.State, h.Reason = "unhealthy", "the last checks failed"
	case "NO_MONITOR":
		h.Reason = "not checked"
	}
	return h
}

// options is the load balancer with all its parts in one.
func (n nlbs) options(ctx context.Context, r driver.Request[resource.NLBSpec]) (loadbalancers.CreateOpts, error) {
	tags, err := writeLabels(r.Labels)
	if err != nil {
		return loadbalancers.CreateOpts{}, err
	}
	members, err := n.addresses(ctx, r.Spec)
	if err != nil {
		return loadbalancers.CreateOpts{}, err
	}
	pool := pools.CreateOpts{Name: r.Name, Protocol: pools.Protocol(strings.ToUpper(r.Spec.Protocol)), LBMethod: pools.LBMethodRoundRobin, Monitor: monitorOf(r.Spec.HealthCheck), Tags: []string{targetTag(r.Spec)}}
	for _, member := range members {
		pool.Members = append(pool.Members, pools.CreateMemberOpts{Name: *member.Name, Address: member.Address, ProtocolPort: member.ProtocolPort, SubnetID: *member.SubnetID, MonitorPort: member.MonitorPort})
	}
	opts := loadbalancers.CreateOpts{
		Name: r.Name, VipNetworkID: r.Spec.VPC, Tags: append(tags, tokenTag+r.Token),
		Listeners: []listeners.CreateOpts{{Name: r.Name, Protocol: listeners.Protocol(strings.ToUpper(r.Spec.Protocol)), ProtocolPort: r.Spec.Port, DefaultPool: &pool}},
	}
	if len(r.Spec.Subnets) > 0 {
		in, err := newSubnets(n.session).Get(ctx, r.Spec.Subnets[0])
		if err != nil {
			return opts, err
		}
		if in.Spec.VPC != r.Spec.VPC { // at which Octavia does not look then
			return opts, resource.Invalid(resource.Problem{Field: "spec.subnets", Message: "the subnet " + in.ID + " is not in the VPC " + r.Spec.VPC})
		}
		opts.VipNetworkID, opts.VipSubnetID = "", r.Spec.Subnets[0]
	}
	return opts, nil
}

// monitorOf is a health check in Octavia's words.
func monitorOf(h resource.HealthCheck) monitors.CreateOpts {
	opts := monitors.CreateOpts{
		Type: monitorType(h.Protocol), Delay: h.IntervalSeconds, Timeout: h.TimeoutSeconds, MaxRetries: h.Threshold, MaxRetriesDown: h.Threshold, URLPath: h.Path,
	}
	if h.Path != "" {
		opts.ExpectedCodes = "200-399"
	}
	return opts
}

func monitorType(protocol string) string { return strings.ToUpper(cmp.Or(protocol, "tcp")) }

// addresses are the members of a load balancer in Octavia's words: the first ports of
// the VMs.
func (n nlbs) addresses(ctx context.Context, s resource.NLBSpec) ([]pools.BatchUpdateMemberOpts, error) {
	members := []pools.BatchUpdateMemberOpts{}
	if len(s.Members) == 0 {
		return members, nil
	}
	near, err := vms(n).ports(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, vm := range s.Members {
		var has []ports.IP
		for _, port := range near[vm] {
			has = append(has, addressesOf(port).four...)
		}
		if len(has) == 0 {
			return nil, resource.Errorf(resource.CodeNotFound, "there is no VM %s with an IPv4 address", vm)
		}
		ip := has[0]
		member := pools.BatchUpdateMemberOpts{Name: &vm, Address: ip.IPAddress, ProtocolPort: s.TargetPort, SubnetID: &ip.SubnetID}
		if port := s.HealthCheck.Port; port != 0 && port != s.TargetPort {
			member.MonitorPort = &port
		}
		members = append(members, member)
	}
	return members, nil
}

func (n nlbs) changeMembers(ctx context.Context, id string, change func([]string) []string) error {
	found, err := n.Get(ctx, id)
	if err != nil {
		return err
	}
	parts, err := n.parts(ctx)
	if err != nil {
		return err
	}
	pool := parts.poolOf(id)
	if pool == "" {
		return resource.Errorf(resource.CodeConflict, "the load balancer %s has no pool that could have members", id)
	}
	had := len(found.Spec.Members)
	if found.Spec.Members = change(slices.Clone(found.Spec.Members)); len(found.Spec.Members) == had {
		return nil
	}
	return n.setMembers(ctx, pool, found.Spec)
}

// setMembers replaces the members in one call: a load balancer takes one change after
// another.
func (n nlbs) setMembers(ctx context.Context, pool string, s resource.NLBSpec) error {
	members, err := n.addresses(ctx, s)
	if err != nil {
		return err
	}
	return coded(pools.BatchUpdateMembers(ctx, n.balancer, pool, members).Err)
}

// settled waits after a change, unless that failed with err.
func (n nlbs) settled(ctx context.Context, id string, err error) error {
	if err != nil {
		return err
	}
	return n.settle(ctx, id)
}

// settle waits until a load balancer takes the next change.
func (n nlbs) settle(ctx context.Context, id string) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		found, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
		if err != nil || !strings.HasPrefix(found.is.ProvisioningStatus, "PENDING_") {
			return err
		}
		select {
		case <-ctx.Done():
			return busy(id, found.is.ProvisioningStatus)
		case <-time.After(time.Second):
		}
	}
}

// busy is the error while Octavia works on a load balancer, which it locks meanwhile.
func busy(id, status string) error {
	e := resource.Errorf(resource.CodeConflict, "the load balancer %s is being changed (%s); try again when that is done", id, status)
	e.Retryable = true
	return e
}

func (n nlbs) members(ctx context.Context, pool string) ([]pools.Member, error) {
	return collect(driver.Items(list[pools.Member](ctx, n.session, n.balancer, "lbaas/pools/"+pool+"/members", "members", nil),
		func(x shown[pools.Member]) pools.Member { return x.is }))
}

// parts reads what belongs to the project's load balancers, but the members.
func (n nlbs) parts(ctx context.Context) (balancerParts, error) {
	mine := url.Values{"project_id": {n.project}}
	p := balancerParts{map[string]listeners.Listener{}, map[string]pools.Pool{}, map[string]monitors.Monitor{}, map[string][]pools.Member{}, map[string]floatingips.FloatingIP{}}
	all, err := collect(driver.Items(list[listeners.Listener](ctx, n.session, n.balancer, "lbaas/listeners", "listeners", mine), is))
	if err != nil {
		return p, err
	}
	var replaced []string
	for _, x := range all {
		replaced = append(replaced, x.Tags...)
	}
	for _, x := range all {
		for _, of := range x.Loadbalancers {
			if !slices.Contains(replaced, replacesTag+x.ID) {
				p.listener[of.ID] = x
			}
		}
	}
	for x, err := range driver.Items(list[pools.Pool](ctx, n.session, n.balancer, "lbaas/pools", "pools", mine), is) {
		if err != nil {
			return p, err
		}
		for _, of := range x.Loadbalancers {
			if serves := p.listener[of.ID].DefaultPoolID; serves == "" || serves == x.ID {
				p.pool[of.ID] = x
			}
		}
	}
	for x, err := range driver.Items(list[monitors.Monitor](ctx, n.session, n.balancer, "lbaas/healthmonitors", "healthmonitors", mine), is) {
		if err != nil {
			return p, err
		}
		for _, of := range x.Pools {
			p.monitor[of.ID] = x
		}
	}
	for page, err := range newPublicIPs(n.session).raw(ctx, nil) {
		if err != nil {
			return p, err
		}
		for _, x := range page {
			p.address[x.is.PortID] = x.is.FloatingIP
		}
	}
	return p, nil
}

func is[A any](x shown[A]) A { return x.is }

// raw answers the project's load balancers that the query asks for.
func (n nlbs) raw(ctx context.Context, query url.Values) iter.Seq2[[]shown[loadbalancers.LoadBalancer], error] {
	mine := url.Values{"project_id": {n.project}}
	maps.Copy(mine, query)
	return list[loadbalancers.LoadBalancer](ctx, n.session, n.balancer, "lbaas/loadbalancers", "loadbalancers", mine)
}

func (n nlbs) describe(ctx context.Context, query url.Values) iter.Seq2[nlb, error] {
	return func(yield func(nlb, error) bool) {
		var p *balancerParts
		for x, err := range driver.Items(n.raw(ctx, query), func(x shown[loadbalancers.LoadBalancer]) shown[loadbalancers.LoadBalancer] { return x }) {
			if err == nil && p == nil {
				p = &balancerParts{}
				*p, err = n.parts(ctx)
			}
			if pool := p.poolOf(x.is.ID); err == nil && pool != "" {
				p.members[pool], err = n.members(ctx, pool)
				err = driver.Except(err, resource.CodeNotFound) // deleted meanwhile
			}
			if err != nil {
				yield(nlb{}, err)
				return
			}
			if x.is.ProvisioningStatus != deleted && !yield(n.shows(x, *p), nil) {
				return
			}
		}
	}
}

func (p *balancerParts) poolOf(id string) string {
	if p == nil {
		return ""
	}
	return p.pool[id].ID
}

// tokenOf reads the token among tags.
func tokenOf(tags []string) string { return tagOf(tags, tokenTag) }

// tagOf reads what is behind the beginning of a tag.
func tagOf(tags []string, begin string) string {
	for _, tag := range tags {
		if value, ok := strings.CutPrefix(tag, begin); ok {
			return value
		}
	}
	return ""
}

func (nlbs) shows(x shown[loadbalancers.LoadBalancer], p balancerParts) nlb {
	o := object[resource.NLBSpec, resource.NLBStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = tokenOf(x.is.Tags), readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State, o.CloudState = driver.StateOf(x.is.ProvisioningStatus, map[string]resource.State{
		"ACTIVE": resource.StateAvailable, "PENDING_CREATE": resource.StateCreating, "PENDING_UPDATE": resource.StateUpdating,
		"PENDING_DELETE": resource.StateDeleting, deleted: resource.StateDeleted, "ERROR": resource.StateFailed,
	})
	listener, pool := p.listener[x.is.ID], p.pool[x.is.ID]
	monitor, members := p.monitor[pool.ID], p.members[pool.ID]
	parts := [][2]string{{"listener", listener.ProvisioningStatus}, {"pool", pool.ProvisioningStatus}, {"health monitor", monitor.ProvisioningStatus}}
	for _, member := range members {
		parts = append(parts, [2]string{"member " + member.Name, member.ProvisioningStatus})
	}
	var failed []string
	for _, part := range parts {
		if part[1] == "ERROR" {
			failed = append(failed, part[0])
		}
	}
	if len(failed) > 0 {
		o.Reason = "in the state ERROR: its " + strings.Join(failed, ", ")
	}
	o.Spec = resource.NLBSpec{
		VPC: x.is.VipNetworkID, Subnets: []string{x.is.VipSubnetID}, Protocol: strings.ToLower(listener.Protocol), Port: listener.ProtocolPort,
		TargetPort: listener.ProtocolPort, Members: []string{},
	}
	o.Spec.HealthCheck = resource.HealthCheck{
		Protocol: strings.ToLower(monitor.Type), IntervalSeconds: monitor.Delay, TimeoutSeconds: monitor.Timeout, Threshold: monitor.MaxRetries,
	}
	if monitor.Type == "HTTP" || monitor.Type == "HTTPS" {
		o.Spec.HealthCheck.Path = monitor.URLPath
	}
	for _, tag := range pool.Tags {
		if port, err := strconv.Atoi(strings.TrimPrefix(tag, targetKey)); err == nil && strings.HasPrefix(tag, targetKey) {
			o.Spec.TargetPort = port
		}
	}
	for _, member := range members {
		o.Spec.Members = append(o.Spec.Members, member.Name)
		o.Spec.TargetPort, o.Spec.HealthCheck.Port = member.ProtocolPort, cmp.Or(member.MonitorPort, member.ProtocolPort)
	}
	slices.Sort(o.Spec.Members)
	if strings.Contains(x.is.VipAddress, ":") {
		o.Status.IPv6Address = x.is.VipAddress
	} else {
		o.Status.Address = x.is.VipAddress
	}
	if public, ok := p.address[x.is.VipPortID]; ok && x.is.VipPortID != "" {
		o.Status.Address = public.FloatingIP
	}
	return o
}
