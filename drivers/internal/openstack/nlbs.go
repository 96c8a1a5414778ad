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

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// An NLB is a load balancer of Octavia with one listener, one pool and one health
// monitor, all made by one call, and a floating IP unless it is internal. A member is
// named after its VM.
//
// Octavia shows each part by a call of its own, and the members pool by pool, so that to show
// a load balancer costs a call each for it, its listeners, pools, monitor, members and
// address. While it is being created it is shown without them, in one call.
type (
	nlbs struct{ *Session }
	nlb  = driver.Object[resource.NLBSpec, resource.NLBStatus]
)

// List answers the project's load balancers.
func (n nlbs) List(ctx context.Context, f driver.Filter) iter.Seq2[nlb, error] {
	switch {
	case f.Token != "":
		return driver.Items(n.raw(ctx, url.Values{"tags": {tokenTag + f.Token}}), func(x shown[loadbalancers.LoadBalancer]) nlb { return n.object(x, balancerParts{}) })
	case few(f):
		return each(ctx, f.IDs, n.Get)
	}
	return n.describe(ctx, nil)
}

// Get answers one load balancer.
func (n nlbs) Get(ctx context.Context, id string) (nlb, error) {
	return driver.One(n.describe(ctx, url.Values{"id": {id}}), "load balancer", id)
}

// Make makes a load balancer with its parts.
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	opts, err := n.options(ctx, r)
	if err != nil {
		return nlb{}, err
	}
	made, err := made[loadbalancers.LoadBalancer](loadbalancers.Create(ctx, n.balancer, opts).Result, "loadbalancer")
	return nlb{ID: made.is.ID, Name: r.Name, Token: r.Token, State: resource.StateCreating, Labels: r.Labels, Spec: r.Spec}, err
}

// Complete gives a load balancer its floating IP. It waits until that can be removed again,
// if there is no address for it.
func (n nlbs) Complete(ctx context.Context, r driver.Request[resource.NLBSpec], o nlb) (nlb, error) {
	in := o.Spec.Subnets
	if o.Spec = r.Spec; len(r.Spec.Subnets) == 0 {
		o.Spec.Subnets = in // which Octavia has chosen
	}
	switch {
	case r.Spec.Internal || o.State == resource.StateFailed:
		return o, nil
	case o.State != resource.StateAvailable:
		return o, driver.Wait(pause, "the load balancer %s is being made; its address follows", r.Name)
	}
	balancer, err := native[loadbalancers.LoadBalancer](o)
	if err != nil {
		return o, err
	}
	m := mark{token: r.Token, more: ofNLB}
	address, found, err := driver.First(publicIPs(n).neutron().list(ctx, m.query()))
	if err == nil && !found {
		address, err = publicIPs(n).allocate(ctx, m, nil, balancer.VipPortID)
	}
	if resource.CodeOf(err) == resource.CodeConflict {
		err = driver.Wait(pause, "another call has just given the load balancer %s an address", r.Name)
	}
	o.Status.Address = address.Status.Address
	return o, err
}

// Delete removes a load balancer with its parts and its floating IP. The address goes
// first: afterwards nobody would know whose it was. It is looked for in a list, because
// asked for one of another project Octavia answers that it is forbidden.
func (n nlbs) Delete(ctx context.Context, id string) error {
	found, err := driver.One(driver.Items(n.raw(ctx, url.Values{"id": {id}}), is), "load balancer", id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	switch status := found.ProvisioningStatus; {
	case status == "PENDING_DELETE" || status == deleted:
		return nil
	case strings.HasPrefix(status, "PENDING_"):
		return driver.Wait(pause, "the load balancer %s is being changed: %s", id, status)
	}
	addresses, err := collect(publicIPs(n).neutron().list(ctx, url.Values{"port_id": {found.VipPortID}}))
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if driver.WhoseIs(address.Token, tagOf(found.Tags, tokenTag), false) == driver.Own {
			if err := publicIPs(n).neutron().delete(ctx, address.ID); err != nil {
				return err
			}
		}
	}
	err = coded(loadbalancers.Delete(ctx, n.balancer, id, loadbalancers.DeleteOpts{Cascade: true}).Err)
	return driver.Except(err, resource.CodeNotFound)
}

// Label changes the tags.
func (n nlbs) Label(ctx context.Context, id string, change resource.LabelChange) error {
	found, err := get[loadbalancers.LoadBalancer](ctx, n.balancer, "loadbalancer", "lbaas/loadbalancers", id)
	if err != nil {
		return err
	}
	tags, err := ours().ChangeTexts(found.is.Tags, change)
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
	case balancerError:
		h.State, h.Reason = "unhealthy", "the last checks failed"
	case "NO_MONITOR":
		h.Reason = "not checked"
	}
	return h
}

// options is the load balancer with all its parts in one.
func (n nlbs) options(ctx context.Context, r driver.Request[resource.NLBSpec]) (loadbalancers.CreateOpts, error) {
	tags, err := ours().Texts(r.Labels)
	if err != nil {
		return loadbalancers.CreateOpts{}, err
	}
	members, err := n.addresses(ctx, r.Spec.Members, r.Spec.TargetPort, cmp.Or(r.Spec.HealthCheck.Port, r.Spec.TargetPort))
	if err != nil {
		return loadbalancers.CreateOpts{}, err
	}
	pool := pools.CreateOpts{Name: r.Name, Protocol: pools.Protocol(strings.ToUpper(r.Spec.Protocol)), LBMethod: pools.LBMethodRoundRobin, Monitor: monitorOf(r.Spec.HealthCheck), Tags: []string{targetTag(r.Spec.TargetPort)}}
	for _, member := range members {
		pool.Members = append(pool.Members, pools.CreateMemberOpts{Name: *member.Name, Address: member.Address, ProtocolPort: member.ProtocolPort, SubnetID: *member.SubnetID, MonitorPort: member.MonitorPort})
	}
	opts := loadbalancers.CreateOpts{
		Name: r.Name, VipNetworkID: r.Spec.VPC, Tags: append(tags, tokenTag+r.Token),
		Listeners: []listeners.CreateOpts{{Name: r.Name, Protocol: listeners.Protocol(strings.ToUpper(r.Spec.Protocol)), ProtocolPort: r.Spec.Port, DefaultPool: &pool}},
	}
	if len(r.Spec.Subnets) > 0 {
		in, err := subnets(n).Get(ctx, r.Spec.Subnets[0])
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

// addresses are VMs as members in Octavia's words: the first ports of the VMs.
func (n nlbs) addresses(ctx context.Context, members []string, port, check int) ([]pools.BatchUpdateMemberOpts, error) {
	if len(members) == 0 {
		return nil, nil
	}
	near, err := vms(n).ports(ctx, url.Values{"device_id": members})
	if err != nil {
		return nil, err
	}
	var all []pools.BatchUpdateMemberOpts
	for _, vm := range members {
		var has []ports.IP
		for _, port := range near[vm] {
			has = append(has, addressesOf(port).four...)
		}
		if len(has) == 0 {
			return nil, resource.Errorf(resource.CodeNotFound, "there is no VM %s with an IPv4 address", vm)
		}
		member := pools.BatchUpdateMemberOpts{Name: &vm, Address: has[0].IPAddress, ProtocolPort: port, SubnetID: &has[0].SubnetID}
		if check != port {
			member.MonitorPort = &check
		}
		all = append(all, member)
	}
	return all, nil
}

// raw answers the project's load balancers that the query asks for.
func (n nlbs) raw(ctx context.Context, query url.Values) iter.Seq2[[]shown[loadbalancers.LoadBalancer], error] {
	mine := url.Values{"project_id": {n.project}}
	maps.Copy(mine, query)
	return list[loadbalancers.LoadBalancer](ctx, n.Session, n.balancer, "lbaas/loadbalancers", "loadbalancers", mine)
}

func (n nlbs) describe(ctx context.Context, query url.Values) iter.Seq2[nlb, error] {
	return func(yield func(nlb, error) bool) {
		var p *balancerParts
		for x, err := range driver.Items(n.raw(ctx, query), whole) {
			if err == nil && p == nil {
				p, err = n.parts(ctx, query.Get("id"), x.is.VipPortID)
			}
			if err == nil && p.pool[x.is.ID].ID != "" {
				pool := p.pool[x.is.ID].ID
				p.members[pool], err = n.members(ctx, pool)
				err = driver.Except(err, resource.CodeNotFound) // deleted meanwhile
			}
			if err != nil {
				yield(nlb{}, err)
				return
			}
			if x.is.ProvisioningStatus != deleted && !yield(n.object(x, *p), nil) {
				return
			}
		}
	}
}

// balancerState translates the states of load balancers and of what belongs to them.
// https://docs.openstack.org/api-ref/load-balancer/v2/#provisioning-status-codes
func balancerState(word string) (resource.State, string) {
	return driver.StateOf(word, map[string]resource.State{
		"ACTIVE": resource.StateAvailable, "PENDING_CREATE": resource.StateCreating, "PENDING_UPDATE": resource.StateUpdating,
		"PENDING_DELETE": resource.StateDeleting, deleted: resource.StateDeleted, balancerError: resource.StateFailed,
	})
}

const balancerError = "ERROR"

// balancerPart is a part with what stands behind it: names and states.
func balancerPart(name, id string, behind [][2]string) resource.Part {
	part := resource.Part{Name: cmp.Or(name, id), CloudID: id}
	part.State, part.CloudState = balancerState(behind[0][1])
	if failed := inError(behind); len(failed) > 0 {
		part.State, part.CloudState = balancerState(balancerError)
		part.Reason, part.Code = errorOf(failed)
	}
	return part
}

// inError are those of names and states that are in the state ERROR.
func inError(states [][2]string) []string {
	var failed []string
	for _, s := range states {
		if s[1] == balancerError {
			failed = append(failed, s[0])
		}
	}
	return failed
}

// errorOf is the reason of a failure and its code. Octavia does not say why.
func errorOf(failed []string) (string, resource.Code) {
	if len(failed) == 0 {
		return "", ""
	}
	return "in the state " + balancerError + ": its " + strings.Join(failed, ", "), resource.CodeUnavailable
}

func (nlbs) object(x shown[loadbalancers.LoadBalancer], p balancerParts) nlb {
	o := object[resource.NLBSpec, resource.NLBStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = tagOf(x.is.Tags, tokenTag), readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State, o.CloudState = balancerState(x.is.ProvisioningStatus)
	listener, pool := p.listener[x.is.ID], p.pool[x.is.ID]
	monitor, members := p.monitor[pool.ID], p.members[pool.ID]
	behind := [][2]string{{"listener", listener.ProvisioningStatus}, {"pool", pool.ProvisioningStatus}, {"health monitor", monitor.ProvisioningStatus}}
	failed := inError(behind)
	if listener.ProvisioningStatus != "" {
		o.Status.Listeners = append(o.Status.Listeners, balancerPart(listener.Name, listener.ID, behind))
	}
	for _, member := range members {
		is := [][2]string{{"member " + member.Name, member.ProvisioningStatus}}
		failed = append(failed, inError(is)...)
		o.Status.Members = append(o.Status.Members, balancerPart(member.Name, member.ID, is))
	}
	o.Reason, o.Code = errorOf(failed)
	o.Spec = resource.NLBSpec{
		VPC: x.is.VipNetworkID, Subnets: []string{x.is.VipSubnetID}, Protocol: strings.ToLower(listener.Protocol), Port: listener.ProtocolPort,
		TargetPort: listener.ProtocolPort, Members: []string{},
	}
	o.Spec.HealthCheck = checkOf(monitor)
	if port, err := strconv.Atoi(tagOf(pool.Tags, targetKey)); err == nil {
		o.Spec.TargetPort = port
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
