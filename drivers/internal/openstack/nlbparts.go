package openstack

import (
	"cmp"
	"context"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/monitors"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/pools"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Octavia takes one change of a load balancer after another, and refuses the next one for as
// long as it is at work. So an action makes the next change that is lacking, and is called
// again for the one after it.

const (
	balancerError   = "ERROR"
	targetKey       = "mcic-target="        // begins the tag of a pool that keeps the port of its members
	replacesTag     = "mcic-replaces="      // of a part that takes the place of another one, with the id of that
	replacesPoolTag = "mcic-replaces-pool=" // of a listener, with the id of the pool that goes with the one before
)

func targetTag(port int) string { return targetKey + strconv.Itoa(port) }

// AddMembers adds VMs.
func (n nlbs) AddMembers(ctx context.Context, id string, change resource.MemberChange) error {
	pool, has, err := n.serving(ctx, id)
	if err != nil {
		return err
	}
	lacking := slices.DeleteFunc(slices.Clone(change.Members), func(vm string) bool {
		return slices.ContainsFunc(has, func(m pools.Member) bool { return m.Name == vm })
	})
	port, check := number(tagOf(pool.Tags, targetKey)), 0 // 0 of one that was made elsewhere
	for _, m := range has {
		port, check = cmp.Or(port, m.ProtocolPort), cmp.Or(m.MonitorPort, m.ProtocolPort)
	}
	added, err := n.addresses(ctx, lacking, port, cmp.Or(check, port))
	if err != nil {
		return err
	}
	return n.replace(ctx, pool.ID, has, append(same(has), added...))
}

// RemoveMembers removes VMs.
func (n nlbs) RemoveMembers(ctx context.Context, id string, change resource.MemberChange) error {
	pool, has, err := n.serving(ctx, id)
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(slices.Clone(has), func(m pools.Member) bool { return slices.Contains(change.Members, m.Name) })
	return n.replace(ctx, pool.ID, has, same(stay))
}

// SetListener changes where a load balancer listens. Octavia changes neither the port nor
// the protocol of a listener, so that another one takes its place, and for another
// protocol another pool, too: what is new comes before the old goes.
func (n nlbs) SetListener(ctx context.Context, id string, to resource.ListenerChange) error {
	all, err := driver.Collect(items[listeners.Listener](ctx, n.Session, n.balancer, "lbaas/listeners", "listeners", url.Values{"loadbalancer_id": {id}}))
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return n.lacks(ctx, id, "listener that could be changed")
	}
	protocol, port := strings.ToUpper(to.Protocol), to.Port
	for _, l := range all { // all have the same, but for what is changed
		protocol, port = cmp.Or(protocol, l.Protocol), cmp.Or(port, l.ProtocolPort)
	}
	if next := slices.IndexFunc(all, func(l listeners.Listener) bool { return l.Protocol == protocol && l.ProtocolPort == port }); next >= 0 {
		return n.removeReplaced(ctx, all, all[next])
	}
	if len(all) > 1 { // made elsewhere
		return resource.Errorf(resource.CodeConflict, "the load balancer %s has %d listeners, and which one is meant cannot be told; change it with OpenStack's own tools", id, len(all))
	}
	old := all[0]
	opts := listeners.CreateOpts{
		Name: old.Name, LoadbalancerID: id, Protocol: listeners.Protocol(protocol), ProtocolPort: port, DefaultPoolID: old.DefaultPoolID, Tags: []string{replacesTag + old.ID},
	}
	if protocol != old.Protocol {
		if opts.DefaultPoolID, err = n.poolBeside(ctx, id, old, protocol); err != nil {
			return err
		}
		opts.Tags = append(opts.Tags, replacesPoolTag+old.DefaultPoolID)
	}
	return driver.Then(coded(listeners.Create(ctx, n.balancer, opts).Err), pause, "the new listener is being made; the old one goes next")
}

// removeReplaced removes the listener that another one has taken the place of, and then its
// pool, unless both share it.
func (n nlbs) removeReplaced(ctx context.Context, all []listeners.Listener, by listeners.Listener) error {
	pool := tagOf(by.Tags, replacesPoolTag)
	if old := tagOf(by.Tags, replacesTag); slices.ContainsFunc(all, func(l listeners.Listener) bool { return l.ID == old }) {
		err := driver.Except(coded(listeners.Delete(ctx, n.balancer, old).ExtractErr()), resource.CodeNotFound)
		if pool != "" {
			return driver.Then(err, pause, "the old listener is being removed; its pool goes next")
		}
		return err
	}
	if pool == "" {
		return nil
	}
	return driver.Except(coded(pools.Delete(ctx, n.balancer, pool).ExtractErr()), resource.CodeNotFound)
}

// poolBeside makes a pool for another protocol, with the members and the monitor of the one
// that a listener has, and answers its id when nothing is lacking.
func (n nlbs) poolBeside(ctx context.Context, id string, listener listeners.Listener, protocol string) (string, error) {
	all, err := n.pools(ctx, id)
	if err != nil {
		return "", err
	}
	var serves, beside pools.Pool
	for _, pool := range all {
		switch {
		case pool.ID == listener.DefaultPoolID:
			serves = pool
		case pool.Protocol == protocol && tagOf(pool.Tags, replacesTag) == listener.DefaultPoolID:
			beside = pool
		}
	}
	if beside.ID == "" {
		opts := pools.CreateOpts{
			Name: listener.Name, LoadbalancerID: id, Protocol: pools.Protocol(protocol), LBMethod: pools.LBMethodRoundRobin,
			Tags: []string{targetKey + tagOf(serves.Tags, targetKey), replacesTag + serves.ID},
		}
		return "", driver.Then(coded(pools.Create(ctx, n.balancer, opts).Err), pause, "a pool for %s is being made; its members follow", protocol)
	}
	if len(beside.Members) < len(serves.Members) {
		members, err := n.members(ctx, serves.ID)
		if err != nil {
			return "", err
		}
		return "", driver.Then(n.replace(ctx, beside.ID, nil, same(members)), pause, "the pool for %s gets its members; its monitor follows", protocol)
	}
	if beside.MonitorID == "" && serves.MonitorID != "" {
		monitor, err := get[monitors.Monitor](ctx, n.balancer, "healthmonitor", "lbaas/healthmonitors", serves.MonitorID)
		if err != nil {
			return "", err
		}
		opts := monitorOf(checkOf(monitor.is))
		opts.PoolID = beside.ID
		return "", driver.Then(coded(monitors.Create(ctx, n.balancer, opts).Err), pause, "the pool for %s gets its monitor; the new listener follows", protocol)
	}
	return beside.ID, nil
}

// SetTarget changes the port of the members. Octavia knows a port of members only; what
// the next ones get is in a tag of the pool.
func (n nlbs) SetTarget(ctx context.Context, id string, to resource.TargetChange) error {
	pool, has, err := n.serving(ctx, id)
	if err != nil {
		return err
	}
	members, differ := same(has), false
	for i, m := range has {
		if m.ProtocolPort == to.Port {
			continue
		}
		if m.MonitorPort == m.ProtocolPort {
			members[i].MonitorPort = nil // as the new one
		}
		members[i].ProtocolPort, differ = to.Port, true
	}
	if !slices.Contains(pool.Tags, targetTag(to.Port)) {
		tags := append(slices.DeleteFunc(slices.Clone(pool.Tags), func(tag string) bool { return strings.HasPrefix(tag, targetKey) }), targetTag(to.Port))
		err := coded(pools.Update(ctx, n.balancer, pool.ID, pools.UpdateOpts{Tags: &tags}).Err)
		if differ {
			return driver.Then(err, pause, "the pool keeps the new port; its members follow")
		}
		return err
	}
	return n.replace(ctx, pool.ID, has, members)
}

// SetHealthCheck changes the monitor, and then the port of the members that it asks. Octavia
// cannot change a monitor's type, so that another type means another monitor.
func (n nlbs) SetHealthCheck(ctx context.Context, id string, to resource.HealthCheck) error {
	pool, has, err := n.serving(ctx, id)
	if err != nil {
		return err
	}
	var monitor monitors.Monitor
	if pool.MonitorID != "" {
		found, err := get[monitors.Monitor](ctx, n.balancer, "healthmonitor", "lbaas/healthmonitors", pool.MonitorID)
		if err := driver.Except(err, resource.CodeNotFound); err != nil { // removed a moment ago
			return err
		}
		monitor = found.is
	}
	wanted, now := monitorOf(to), checkOf(monitor)
	wanted.PoolID = pool.ID
	members := checkedAt(has, to.Port)
	switch {
	case monitor.ID != "" && monitor.Type != wanted.Type:
		err := driver.Except(coded(monitors.Delete(ctx, n.balancer, monitor.ID).Err), resource.CodeNotFound) // Octavia may be removing it
		return driver.Then(err, pause, "the monitor is being removed; one of the type %s follows", wanted.Type)
	case monitor.ID == "":
		err = coded(monitors.Create(ctx, n.balancer, wanted).Err)
	case now != resource.HealthCheck{
		Protocol: now.Protocol, Path: cmp.Or(to.Path, now.Path), IntervalSeconds: cmp.Or(to.IntervalSeconds, now.IntervalSeconds),
		TimeoutSeconds: cmp.Or(to.TimeoutSeconds, now.TimeoutSeconds), Threshold: cmp.Or(to.Threshold, now.Threshold),
	}:
		opts := monitors.UpdateOpts{Delay: to.IntervalSeconds, Timeout: to.TimeoutSeconds, MaxRetries: to.Threshold, MaxRetriesDown: to.Threshold, URLPath: to.Path}
		err = coded(monitors.Update(ctx, n.balancer, monitor.ID, opts).Err)
	case members != nil:
		return n.replace(ctx, pool.ID, has, members)
	}
	if members != nil {
		return driver.Then(err, pause, "the monitor is being changed; the port of the members that it asks follows")
	}
	return err
}

// checkedAt are members that are checked at a port, or at that which they serve at if it is
// 0; nil if they are already.
func checkedAt(has []pools.Member, port int) []pools.BatchUpdateMemberOpts {
	members, differ := same(has), false
	for i, m := range has {
		at := cmp.Or(port, m.ProtocolPort)
		differ = differ || at != cmp.Or(m.MonitorPort, m.ProtocolPort)
		members[i].MonitorPort = &at
	}
	if !differ {
		return nil
	}
	return members
}

// checkOf is a monitor in our words, but for the port, which the members have.
func checkOf(m monitors.Monitor) resource.HealthCheck {
	check := resource.HealthCheck{Protocol: strings.ToLower(m.Type), IntervalSeconds: m.Delay, TimeoutSeconds: m.Timeout, Threshold: m.MaxRetries}
	if m.Type == "HTTP" || m.Type == "HTTPS" {
		check.Path = m.URLPath
	}
	return check
}

// same are members as they are.
func same(has []pools.Member) []pools.BatchUpdateMemberOpts {
	members := []pools.BatchUpdateMemberOpts{}
	for _, m := range has {
		opts := pools.BatchUpdateMemberOpts{Name: &m.Name, Address: m.Address, ProtocolPort: m.ProtocolPort, Weight: &m.Weight}
		if m.SubnetID != "" {
			opts.SubnetID = &m.SubnetID
		}
		if m.MonitorPort != 0 {
			opts.MonitorPort = &m.MonitorPort
		}
		members = append(members, opts)
	}
	return members
}

// replace replaces the members of a pool in one call, if they are to be others.
func (n nlbs) replace(ctx context.Context, pool string, has []pools.Member, members []pools.BatchUpdateMemberOpts) error {
	if reflect.DeepEqual(members, same(has)) {
		return nil
	}
	return coded(pools.BatchUpdateMembers(ctx, n.balancer, pool, members).Err)
}

// serving answers the pool that serves a load balancer, with its members. While another one
// takes its place that is the new one, if a listener has it already.
func (n nlbs) serving(ctx context.Context, id string) (pools.Pool, []pools.Member, error) {
	all, err := n.pools(ctx, id)
	if err != nil {
		return pools.Pool{}, nil, err
	}
	if len(all) == 0 {
		return pools.Pool{}, nil, n.lacks(ctx, id, "pool that could have members")
	}
	serves := all[0]
	for _, pool := range all[1:] {
		if cmp.Or(boolToInt(len(pool.Listeners) > 0)-boolToInt(len(serves.Listeners) > 0), boolToInt(tagOf(pool.Tags, replacesTag) == serves.ID)) > 0 {
			serves = pool
		}
	}
	members, err := n.members(ctx, serves.ID)
	return serves, members, err
}

// lacks is the error for a load balancer without a part, or for none.
func (n nlbs) lacks(ctx context.Context, id, part string) error {
	if _, err := n.look(ctx, id); err != nil {
		return err
	}
	return resource.Errorf(resource.CodeConflict, "the load balancer %s has no %s", id, part)
}

// pools answers the pools of a load balancer.
func (n nlbs) pools(ctx context.Context, id string) ([]pools.Pool, error) {
	return driver.Collect(items[pools.Pool](ctx, n.Session, n.balancer, "lbaas/pools", "pools", url.Values{"loadbalancer_id": {id}}))
}

func (n nlbs) members(ctx context.Context, pool string) ([]pools.Member, error) {
	return driver.Collect(items[pools.Member](ctx, n.Session, n.balancer, "lbaas/pools/"+pool+"/members", "members", nil))
}

// parts reads what belongs to load balancers: the members of each, and the rest of a list of all of
// them at once. A creation is looked for without them.
func (n nlbs) parts(ctx context.Context, query url.Values) func([]shown[balancer]) ([]shown[balancer], error) {
	var all *balancerParts
	return func(page []shown[balancer]) (_ []shown[balancer], err error) {
		if query.Has("tags") {
			return page, nil
		}
		if all == nil {
			all, err = n.partsOf(ctx, query.Get("id"), page[0].is.VipPortID)
		}
		for i := range page {
			if err != nil {
				return nil, err
			}
			all.giveTo(&page[i].is)
			if pool := page[i].is.pool.ID; pool != "" {
				page[i].is.members, err = n.members(ctx, pool)
				err = driver.Except(err, resource.CodeNotFound) // deleted meanwhile
			}
		}
		return page, err
	}
}

// balancerParts is what belongs to some load balancers.
type balancerParts struct {
	listeners []listeners.Listener
	pools     []pools.Pool
	monitors  []monitors.Monitor
	addresses []floatingIP
}

// partsOf reads what belongs to the project's load balancers, or to one with its port.
func (n nlbs) partsOf(ctx context.Context, of, port string) (p *balancerParts, err error) {
	mine, monitored, addressed := url.Values{"project_id": {n.project}}, url.Values{"project_id": {n.project}}, url.Values{}
	if of != "" {
		mine.Set("loadbalancer_id", of)
		addressed.Set("port_id", port)
	}
	p = &balancerParts{}
	if p.listeners, err = driver.Collect(items[listeners.Listener](ctx, n.Session, n.balancer, "lbaas/listeners", "listeners", mine)); err != nil {
		return nil, err
	}
	if p.pools, err = driver.Collect(items[pools.Pool](ctx, n.Session, n.balancer, "lbaas/pools", "pools", mine)); err != nil {
		return nil, err
	}
	if of != "" {
		one := balancer{LoadBalancer: loadbalancers.LoadBalancer{ID: of}}
		p.giveTo(&one)
		monitored.Set("pool_id", one.pool.ID)
	}
	if p.monitors, err = driver.Collect(items[monitors.Monitor](ctx, n.Session, n.balancer, "lbaas/healthmonitors", "healthmonitors", monitored)); err != nil {
		return nil, err
	}
	p.addresses, err = driver.Collect(driver.Items(n.publicIPs().pages(ctx, addressed), is))
	return p, err
}

// giveTo gives a load balancer what is its own. Of a listener that another one takes the place of,
// and of its pool, that is the other one.
func (p *balancerParts) giveTo(to *balancer) {
	var replaced []string
	for _, x := range p.listeners {
		replaced = append(replaced, x.Tags...)
	}
	for _, x := range p.listeners {
		if slices.Contains(x.Loadbalancers, listeners.LoadBalancerID{ID: to.ID}) && !slices.Contains(replaced, replacesTag+x.ID) {
			to.listener = x
		}
	}
	for _, x := range p.pools {
		if serves := to.listener.DefaultPoolID; slices.Contains(x.Loadbalancers, pools.LoadBalancerID{ID: to.ID}) && (serves == "" || serves == x.ID) {
			to.pool = x
		}
	}
	for _, x := range p.monitors {
		if slices.Contains(x.Pools, monitors.PoolID{ID: to.pool.ID}) {
			to.monitor = x
		}
	}
	for _, x := range p.addresses {
		if x.PortID != "" && x.PortID == to.VipPortID {
			to.address = x.FloatingIP.FloatingIP
		}
	}
}
