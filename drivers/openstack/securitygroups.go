package openstack

import (
	"cmp"
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A security group of OpenStack belongs to a project, not to a network; the mark keeps
// the VPC that it was made for.
type (
	securityGroups struct {
		neutron[resource.SecurityGroupSpec, resource.SecurityGroupStatus, groups.SecGroup]
	}
	securityGroup = driver.Object[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
)

const (
	keyVPC       = "vpc"
	directionOut = "out"
	anywhere     = "0.0.0.0/0"
	lastPort     = 65535
)

func newSecurityGroups(s *session) securityGroups {
	g := securityGroups{}
	g.session, g.one, g.many, g.object = s, "security_group", "security-groups", g.shows
	return g
}

// Create makes a security group and gives it its rules.
func (g securityGroups) Make(ctx context.Context, r driver.Request[resource.SecurityGroupSpec]) (securityGroup, error) {
	if _, err := newVPCs(g.session).Get(ctx, r.Spec.VPC); err != nil { // Neutron would not mind
		return securityGroup{}, err
	}
	m := mark{text: r.Spec.Description, token: r.Token, more: keyVPC + "=" + r.Spec.VPC}
	made, created, err := g.create(ctx, m, r.Labels, func() gophercloud.Result {
		return groups.Create(ctx, g.network, groups.CreateOpts{Name: r.Name, Description: m.String()}).Result
	}, g.Delete)
	if err != nil {
		return securityGroup{}, err
	}
	completed, err := g.complete(ctx, made, r.Spec.Rules)
	return completed, driver.Completed(ctx, err, created, func(ctx context.Context) error { return g.Delete(ctx, made.ID) })
}

// complete gives a new group its rules. Neutron lets everything out of a new group;
// that ends as soon as the rules say what may go out.
// https://docs.openstack.org/api-ref/network/v2/#create-security-group
func (g securityGroups) complete(ctx context.Context, of securityGroup, wanted []resource.Rule) (securityGroup, error) {
	group, err := get[groups.SecGroup](ctx, g.network, g.one, g.many, of.ID)
	if err != nil {
		return of, err
	}
	if slices.ContainsFunc(wanted, func(r resource.Rule) bool { return r.Direction == directionOut }) {
		for _, has := range group.is.Rules {
			all := has.Direction == string(rules.DirEgress) && has.Protocol == "" && has.RemoteIPPrefix == "" && has.RemoteGroupID == ""
			if rule, ok := ruleOf(has); all && (!ok || !slices.Contains(wanted, rule)) {
				if err := g.removeRule(ctx, has.ID); err != nil {
					return of, err
				}
			}
		}
	}
	if err := g.addRules(ctx, group.is, wanted); err != nil {
		return of, err
	}
	return g.Get(ctx, of.ID)
}

// Delete removes a security group. Neutron refuses while a port uses it.
func (g securityGroups) Delete(ctx context.Context, id string) error { return g.delete(ctx, id) }

// AddRules allows what is not allowed yet.
func (g securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := get[groups.SecGroup](ctx, g.network, g.one, g.many, id)
	if err != nil {
		return err
	}
	return g.addRules(ctx, group.is, change.Rules)
}

// RemoveRules takes back what is allowed.
func (g securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := get[groups.SecGroup](ctx, g.network, g.one, g.many, id)
	if err != nil {
		return err
	}
	for _, has := range group.is.Rules {
		if rule, ok := ruleOf(has); ok && slices.Contains(change.Rules, rule) {
			if err := g.removeRule(ctx, has.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRules adds the rules that a group lacks, in one call. It leaves out the others,
// because Neutron refuses the whole call if one rule is there already.
func (g securityGroups) addRules(ctx context.Context, group groups.SecGroup, wanted []resource.Rule) error {
	var has []resource.Rule
	for _, rule := range group.Rules {
		if r, ok := ruleOf(rule); ok {
			has = append(has, r)
		}
	}
	var missing []rules.CreateOpts
	for _, r := range wanted {
		if slices.Contains(has, r) {
			continue
		}
		opts := rules.CreateOpts{Direction: rules.DirIngress, EtherType: rules.EtherType4, SecGroupID: group.ID, PortRangeMin: r.FromPort, PortRangeMax: r.ToPort, RemoteIPPrefix: r.CIDR}
		if r.Direction == directionOut {
			opts.Direction = rules.DirEgress
		}
		if r.Protocol != "all" {
			opts.Protocol = rules.RuleProtocol(r.Protocol)
		}
		missing = append(missing, opts)
	}
	if len(missing) == 0 {
		return nil
	}
	err := coded(rules.CreateBulk(ctx, g.network, missing).Err)
	if resource.CodeOf(err) == resource.CodeAlreadyExists { // the next try looks again
		return resource.Errorf(resource.CodeUnavailable, "the rules of the security group changed meanwhile: %w", err)
	}
	return err
}

func (g securityGroups) removeRule(ctx context.Context, id string) error {
	return driver.Except(coded(rules.Delete(ctx, g.network, id).Err), resource.CodeNotFound)
}

// ruleOf translates a rule. What the common model has no words for (IPv6, other groups
// as sources, single types of ICMP) is not shown as one.
func ruleOf(x rules.SecGroupRule) (resource.Rule, bool) {
	r := resource.Rule{Direction: "in", Protocol: cmp.Or(x.Protocol, "all"), CIDR: cmp.Or(x.RemoteIPPrefix, anywhere)}
	if x.Direction == string(rules.DirEgress) {
		r.Direction = directionOut
	}
	if x.EtherType != string(rules.EtherType4) || x.RemoteGroupID != "" || x.RemoteAddressGroupID != "" {
		return r, false
	}
	switch r.Protocol {
	case "tcp", "udp":
		r.FromPort, r.ToPort = max(x.PortRangeMin, 1), cmp.Or(x.PortRangeMax, lastPort)
	case "icmp":
		return r, x.PortRangeMin == 0 && x.PortRangeMax == 0
	case "all":
	default:
		return r, false
	}
	return r, true
}

func (securityGroups) shows(x shown[groups.SecGroup]) securityGroup {
	m := readMark(x.is.Description)
	o := object[resource.SecurityGroupSpec, resource.SecurityGroupStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = m.token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State = resource.StateAvailable // Neutron knows no states of groups
	o.Spec = resource.SecurityGroupSpec{VPC: m.value(keyVPC), Description: m.text, Rules: []resource.Rule{}}
	for _, rule := range x.is.Rules {
		if r, ok := ruleOf(rule); ok && !slices.Contains(o.Spec.Rules, r) {
			o.Spec.Rules = append(o.Spec.Rules, r)
		}
	}
	slices.SortFunc(o.Spec.Rules, func(a, b resource.Rule) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.FromPort, b.FromPort), cmp.Compare(a.ToPort, b.ToPort), cmp.Compare(a.CIDR, b.CIDR))
	})
	return o
}
