package openstack

import (
	"cmp"
	"context"
	"net/url"
	"slices"
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
	nlbs struct {
		collection[resource.NLBSpec, resource.NLBStatus, balancer]
	}
	nlb      = driver.Object[resource.NLBSpec, resource.NLBStatus]
	balancer struct {
		loadbalancers.LoadBalancer
		listener listeners.Listener
		pool     pools.Pool
		monitor  monitors.Monitor
		members  []pools.Member
		address  string // the public one
	}
)

func (s *Session) nlbs() nlbs {
	n := nlbs{collection[resource.NLBSpec, resource.NLBStatus, balancer]{
		Session: s, service: s.balancer, one: "loadbalancer", many: "loadbalancers", path: "lbaas/loadbalancers", whose: "project_id", listed: true,
		narrow: byToken("tags", tokenTag), show: showNLB,
		setTags: func(ctx context.Context, id string, tags []string) error {
			return coded(loadbalancers.Update(ctx, s.balancer, id, loadbalancers.UpdateOpts{Tags: &tags}).Err)
		},
	}}
	n.beside = n.parts
	return n
}

// Make makes a load balancer with its parts.
func (n nlbs) Make(ctx context.Context, r driver.Request[resource.NLBSpec]) (nlb, error) {
	opts, err := n.options(ctx, r)
	if err != nil {
		return nlb{}, err
	}
	made, err := answer[struct{}](loadbalancers.Create(ctx, n.balancer, opts).Result, n.one)
	return nlb{ID: made.ID, Name: r.Name, Token: r.Token, State: resource.StateCreating, Labels: r.Labels, Spec: r.Spec}, err
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
	made, err := native[loadbalancers.LoadBalancer](o)
	if err != nil {
		return o, err
	}
	m := mark{token: r.Token, more: ofNLB}
	address, found, err := driver.First(n.publicIPs().bare(ctx, m.query()))
	if err == nil && !found {
		address, err = n.publicIPs().allocate(ctx, m, made.VipPortID)
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
	found, err := n.look(ctx, id)
	if err != nil {
		return driver.Except(err, resource.CodeNotFound)
	}
	switch status := found.is.ProvisioningStatus; {
	case status == "PENDING_DELETE" || status == deleted:
		return nil
	case strings.HasPrefix(status, "PENDING_"):
		return driver.Wait(pause, "the load balancer %s is being changed: %s", id, status)
	}
	addresses, err := driver.Collect(n.publicIPs().bare(ctx, url.Values{"port_id": {found.is.VipPortID}}))
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if driver.WhoseIs(address.Token, tagOf(found.Tags, tokenTag), false) == driver.Own {
			if err := n.publicIPs().collection.Delete(ctx, address.ID); err != nil {
				return err
			}
		}
	}
	err = coded(loadbalancers.Delete(ctx, n.balancer, id, loadbalancers.DeleteOpts{Cascade: true}).Err)
	return driver.Except(err, resource.CodeNotFound)
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
	members, err := n.addresses(ctx, r.Spec.Members, r.Spec.TargetPort, cmp.Or(r.Spec.HealthCheck.Port, r.Spec.TargetPort))
	if err != nil {
		return loadbalancers.CreateOpts{}, err
	}
	pool := pools.CreateOpts{Name: r.Name, Protocol: pools.Protocol(strings.ToUpper(r.Spec.Protocol)), LBMethod: pools.LBMethodRoundRobin, Monitor: monitorOf(r.Spec.HealthCheck), Tags: []string{targetTag(r.Spec.TargetPort)}}
	for _, member := range members {
		pool.Members = append(pool.Members, pools.CreateMemberOpts{Name: *member.Name, Address: member.Address, ProtocolPort: member.ProtocolPort, SubnetID: *member.SubnetID, MonitorPort: member.MonitorPort})
	}
	opts := loadbalancers.CreateOpts{
		Name: r.Name, VipNetworkID: r.Spec.VPC, Tags: append(ours().Texts(r.Labels), tokenTag+r.Token),
		Listeners: []listeners.CreateOpts{{Name: r.Name, Protocol: listeners.Protocol(strings.ToUpper(r.Spec.Protocol)), ProtocolPort: r.Spec.Port, DefaultPool: &pool}},
	}
	if len(r.Spec.Subnets) > 0 {
		in, err := n.subnets().Get(ctx, r.Spec.Subnets[0])
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
		Type: strings.ToUpper(cmp.Or(h.Protocol, "tcp")), Delay: h.IntervalSeconds, Timeout: h.TimeoutSeconds, MaxRetries: h.Threshold, MaxRetriesDown: h.Threshold, URLPath: h.Path,
	}
	if h.Path != "" {
		opts.ExpectedCodes = "200-399"
	}
	return opts
}

// addresses are VMs as members in Octavia's words: the first ports of the VMs.
func (n nlbs) addresses(ctx context.Context, members []string, port, check int) ([]pools.BatchUpdateMemberOpts, error) {
	if len(members) == 0 {
		return nil, nil
	}
	near, err := n.nics().by(ctx, deviceOf, url.Values{"device_id": members})
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

// balancerState translates the states of load balancers and of what belongs to them.
// https://docs.openstack.org/api-ref/load-balancer/v2/#provisioning-status-codes
func balancerState(word string) (resource.State, string) {
	return driver.StateOf(word, map[string]resource.State{
		"ACTIVE": resource.StateAvailable, "PENDING_CREATE": resource.StateCreating, "PENDING_UPDATE": resource.StateUpdating,
		"PENDING_DELETE": resource.StateDeleting, deleted: resource.StateDeleted, balancerError: resource.StateFailed,
	})
}

// balancerPart is a part with what stands behind it, names and states, and which of those have
// failed.
func balancerPart(name, id string, behind ...[2]string) (part resource.Part, failed []string) {
	state := behind[0][1]
	for _, is := range behind {
		if is[1] == balancerError {
			state, failed = balancerError, append(failed, is[0])
		}
	}
	part = resource.Part{Name: cmp.Or(name, id), CloudID: id}
	part.State, part.CloudState = balancerState(state)
	part.Reason, part.Code = errorOf(failed)
	return part, failed
}

// errorOf is the reason of a failure and its code. Octavia does not say why.
func errorOf(failed []string) (string, resource.Code) {
	if len(failed) == 0 {
		return "", ""
	}
	return "in the state " + balancerError + ": its " + strings.Join(failed, ", "), resource.CodeUnavailable
}

func showNLB(x shown[balancer], o *nlb) {
	o.Token, o.Labels = tagOf(x.Tags, tokenTag), readLabels(x.Tags)
	o.State, o.CloudState = balancerState(x.is.ProvisioningStatus)
	listener, pool, monitor := x.is.listener, x.is.pool, x.is.monitor
	part, failed := balancerPart(listener.Name, listener.ID, [2]string{"listener", listener.ProvisioningStatus}, [2]string{"pool", pool.ProvisioningStatus}, [2]string{"health monitor", monitor.ProvisioningStatus})
	if listener.ProvisioningStatus != "" {
		o.Status.Listeners = []resource.Part{part}
	}
	o.Spec = resource.NLBSpec{
		VPC: x.is.VipNetworkID, Subnets: []string{x.is.VipSubnetID}, Protocol: strings.ToLower(listener.Protocol), Port: listener.ProtocolPort,
		TargetPort: cmp.Or(number(tagOf(pool.Tags, targetKey)), listener.ProtocolPort), Members: []string{}, HealthCheck: checkOf(monitor),
	}
	for _, member := range x.is.members {
		part, of := balancerPart(member.Name, member.ID, [2]string{"member " + member.Name, member.ProvisioningStatus})
		o.Status.Members, failed = append(o.Status.Members, part), append(failed, of...)
		o.Spec.Members = append(o.Spec.Members, member.Name)
		o.Spec.TargetPort, o.Spec.HealthCheck.Port = member.ProtocolPort, cmp.Or(member.MonitorPort, member.ProtocolPort)
	}
	o.Reason, o.Code = errorOf(failed)
	slices.Sort(o.Spec.Members)
	if strings.Contains(x.is.VipAddress, ":") {
		o.Status.IPv6Address = x.is.VipAddress
	} else {
		o.Status.Address = x.is.VipAddress
	}
	o.Status.Address = cmp.Or(x.is.address, o.Status.Address)
}
