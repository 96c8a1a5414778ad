package openstack

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// A security group of OpenStack belongs to a project, not to a network; a tag keeps the VPC
// that it was made for, and another one the description, whose place the mark takes. To create
// one costs a call each for its tags, its rules, what they became, and those that Neutron
// gives by itself.
type (
	securityGroups struct {
		neutron[resource.SecurityGroupSpec, resource.SecurityGroupStatus, groupFields]
	}
	securityGroup = driver.Object[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
	groupFields   struct {
		ID    string      `json:"id"`
		Rules []groupRule `json:"security_group_rules"`
	}
)

// Tags of a group.
const (
	vpcTag         = "mcic-vpc="
	descriptionTag = "mcic-description="
)

func (s *Session) securityGroups() securityGroups {
	return securityGroups{neutronOf(s, "security_group", "security-groups", showGroup)}
}

// Make makes a security group.
func (g securityGroups) Make(ctx context.Context, r driver.Request[resource.SecurityGroupSpec]) (securityGroup, error) {
	if room := maxTag - len(descriptionTag); utf8.RuneCountInString(r.Spec.Description) > room {
		return securityGroup{}, resource.Invalid(resource.Problem{Field: "spec.description", Message: "is too long for OpenStack; at most " + strconv.Itoa(room) + " characters fit"})
	}
	if _, err := g.vpc(ctx, r.Spec.VPC); err != nil { // Neutron would not mind
		return securityGroup{}, err
	}
	return g.made(groups.Create(ctx, g.network, groups.CreateOpts{Name: r.Name, Description: mark{token: r.Token}.String()}).Result)
}

// Complete gives a group its rules and its tags. Neutron lets everything out of a new group;
// that ends as soon as the rules say what may go out.
// https://docs.openstack.org/api-ref/network/v2/#create-security-group
func (g securityGroups) Complete(ctx context.Context, r driver.Request[resource.SecurityGroupSpec], o securityGroup) (securityGroup, error) {
	group, err := native[groupFields](o)
	if err != nil {
		return o, err
	}
	wanted, unwanted := r.Spec.Rules, []groupRule{}
	if slices.ContainsFunc(wanted, func(r resource.Rule) bool { return r.Direction == directionOut }) {
		unwanted = slices.DeleteFunc(slices.Clone(group.Rules), func(has groupRule) bool {
			rule, ok := has.rule()
			return !has.allOut() || ok && slices.Contains(wanted, rule)
		})
	}
	for _, has := range unwanted {
		if err := g.removeRule(ctx, has.ID); err != nil {
			return o, err
		}
	}
	if err := g.addRules(ctx, group, wanted); err != nil {
		return o, err
	}
	own := []string{vpcTag + r.Spec.VPC}
	if r.Spec.Description != "" {
		own = append(own, descriptionTag+r.Spec.Description)
	}
	if o, err = g.tag(ctx, o, r.Labels, own...); err != nil || len(unwanted) == 0 && len(group.lacks(wanted)) == 0 {
		return o, err
	}
	return g.Get(ctx, o.ID)
}

// AddRules allows what is not allowed yet.
func (g securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.look(ctx, id)
	if err != nil {
		return err
	}
	return g.addRules(ctx, group.is, change.Rules)
}

// RemoveRules takes back what is allowed.
func (g securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.look(ctx, id)
	if err != nil {
		return err
	}
	for _, has := range group.is.Rules {
		if rule, ok := has.rule(); ok && slices.Contains(change.Rules, rule) {
			if err := g.removeRule(ctx, has.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRules adds the rules that a group lacks, in one call. Neutron refuses the whole call if
// it takes one of them for a rule that is there already, since a moment or because they
// only look alike to it; then they go one by one.
func (g securityGroups) addRules(ctx context.Context, group groupFields, wanted []resource.Rule) error {
	missing := group.lacks(wanted)
	if len(missing) == 0 {
		return nil
	}
	var opts []rules.CreateOpts
	for _, r := range missing {
		opts = append(opts, optionsOf(r, group.ID))
	}
	refused := coded(rules.CreateBulk(ctx, g.network, opts).Err)
	if resource.CodeOf(refused) != resource.CodeAlreadyExists {
		return refused
	}
	for _, one := range opts {
		if err := driver.Except(coded(rules.Create(ctx, g.network, one).Err), resource.CodeAlreadyExists); err != nil {
			return err
		}
	}
	again, err := g.look(ctx, group.ID)
	if err != nil {
		return err
	}
	if left := again.is.lacks(wanted); len(left) > 0 {
		return resource.Errorf(resource.CodeConflict, "Neutron takes %s for a rule that the security group %s has and that allows something else; remove that first, it is among otherRules in its status: %w", left[0], group.ID, refused)
	}
	return nil
}

// lacks answers the rules that a group does not have, in whatever words.
func (f groupFields) lacks(wanted []resource.Rule) []resource.Rule {
	return slices.DeleteFunc(slices.Clone(wanted), func(w resource.Rule) bool {
		return slices.ContainsFunc(f.Rules, func(has groupRule) bool {
			rule, ok := has.rule()
			return ok && rule == w
		})
	})
}

func (g securityGroups) removeRule(ctx context.Context, id string) error {
	return driver.Except(coded(rules.Delete(ctx, g.network, id).Err), resource.CodeNotFound)
}

func showGroup(x shown[groupFields], o *securityGroup) {
	o.State = resource.StateAvailable // Neutron knows no states of groups
	o.Spec = resource.SecurityGroupSpec{VPC: tagOf(x.Tags, vpcTag), Description: cmp.Or(tagOf(x.Tags, descriptionTag), readMark(x.Description).text), Rules: []resource.Rule{}}
	var others []resource.OtherRule
	for _, has := range x.is.Rules {
		rule, ok := has.rule()
		switch {
		case !ok:
			others = append(others, has.other())
		case !slices.Contains(o.Spec.Rules, rule): // some spellings mean the same
			o.Spec.Rules = append(o.Spec.Rules, rule)
		}
	}
	slices.SortFunc(o.Spec.Rules, resource.Rule.Compare)
	o.Status.SetOtherRules(others)
}
