package openstack

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"
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
	securityGroups struct{ *Session }
	securityGroup  = driver.Object[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
	groupFields    struct {
		groups.SecGroup
		rules []groupRule
	}
)

// UnmarshalJSON implements json.Unmarshaler: each part reads its own fields.
func (f *groupFields) UnmarshalJSON(raw []byte) error {
	if err := f.SecGroup.UnmarshalJSON(raw); err != nil {
		return err
	}
	var own struct {
		Rules []groupRule `json:"security_group_rules"`
	}
	err := unmarshal(raw, &own)
	f.rules = own.Rules
	return err
}

// Tags of a group.
const (
	vpcTag         = "mcic-vpc="
	descriptionTag = "mcic-description="
)

func (g securityGroups) neutron() neutron[resource.SecurityGroupSpec, resource.SecurityGroupStatus, groupFields] {
	return neutronOf(g.Session, "security_group", "security-groups", g.object)
}

// List answers the project's security groups.
func (g securityGroups) List(ctx context.Context, f driver.Filter) iter.Seq2[securityGroup, error] {
	return g.neutron().list(ctx, narrow(f))
}

// Get answers one security group.
func (g securityGroups) Get(ctx context.Context, id string) (securityGroup, error) {
	return g.neutron().get(ctx, id)
}

// Make makes a security group.
func (g securityGroups) Make(ctx context.Context, r driver.Request[resource.SecurityGroupSpec]) (securityGroup, error) {
	if room := maxTag - len(descriptionTag); utf8.RuneCountInString(r.Spec.Description) > room {
		return securityGroup{}, resource.Invalid(resource.Problem{Field: "spec.description", Message: "is too long for OpenStack; at most " + strconv.Itoa(room) + " characters fit"})
	}
	if _, err := g.vpc(ctx, r.Spec.VPC); err != nil { // Neutron would not mind
		return securityGroup{}, err
	}
	return g.neutron().create(r.Labels, func() gophercloud.Result {
		return groups.Create(ctx, g.network, groups.CreateOpts{Name: r.Name, Description: mark{token: r.Token}.String()}).Result
	})
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
		unwanted = slices.DeleteFunc(slices.Clone(group.rules), func(has groupRule) bool {
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
	if o, err = g.neutron().tag(ctx, o, r.Labels, own...); err != nil || len(unwanted) == 0 && len(group.lacks(wanted)) == 0 {
		return o, err
	}
	return g.Get(ctx, o.ID)
}

// Delete removes a security group. Neutron refuses while a port uses it.
func (g securityGroups) Delete(ctx context.Context, id string) error {
	return g.neutron().delete(ctx, id)
}

// AddRules allows what is not allowed yet.
func (g securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.neutron().look(ctx, id)
	if err != nil {
		return err
	}
	return g.addRules(ctx, group.is, change.Rules)
}

// RemoveRules takes back what is allowed.
func (g securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.neutron().look(ctx, id)
	if err != nil {
		return err
	}
	for _, has := range group.is.rules {
		if rule, ok := has.rule(); ok && slices.Contains(change.Rules, rule) {
			if err := g.removeRule(ctx, has.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Label changes the tags.
func (g securityGroups) Label(ctx context.Context, id string, change resource.LabelChange) error {
	return g.neutron().label(ctx, id, change)
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
	again, err := g.neutron().look(ctx, group.ID)
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
		return slices.ContainsFunc(f.rules, func(has groupRule) bool {
			rule, ok := has.rule()
			return ok && rule == w
		})
	})
}

func (g securityGroups) removeRule(ctx context.Context, id string) error {
	return driver.Except(coded(rules.Delete(ctx, g.network, id).Err), resource.CodeNotFound)
}

func (securityGroups) object(x shown[groupFields]) securityGroup {
	m := readMark(x.is.Description)
	o := object[resource.SecurityGroupSpec, resource.SecurityGroupStatus](x.is.ID, x.is.Name, x)
	o.Token, o.Labels, o.CreatedAt = m.token, readLabels(x.is.Tags), at(x.is.CreatedAt)
	o.State = resource.StateAvailable // Neutron knows no states of groups
	o.Spec = resource.SecurityGroupSpec{VPC: tagOf(x.is.Tags, vpcTag), Description: cmp.Or(tagOf(x.is.Tags, descriptionTag), m.text), Rules: []resource.Rule{}}
	var others []resource.OtherRule
	for _, has := range x.is.rules {
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
	return o
}
