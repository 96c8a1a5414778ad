package aws

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// securityGroups are all security groups of the region.
type (
	securityGroups struct {
		objects[types.SecurityGroup, resource.SecurityGroupSpec, resource.SecurityGroupStatus]
	}
	securityGroup = driver.Object[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
)

func (s *session) securityGroups(ctx context.Context, w wanted) iter.Seq2[types.SecurityGroup, error] {
	return paged(ctx, ec2.NewDescribeSecurityGroupsPaginator(s.ec2, &ec2.DescribeSecurityGroupsInput{GroupIds: w.ids, Filters: w.filters, MaxResults: w.most()}),
		func(page *ec2.DescribeSecurityGroupsOutput) []types.SecurityGroup { return page.SecurityGroups })
}

// Make makes a security group. AWS takes a name once in a VPC.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func (g securityGroups) Make(ctx context.Context, r driver.Request[resource.SecurityGroupSpec]) (securityGroup, error) {
	tags := tagged(r, types.ResourceTypeSecurityGroup)
	out, err := call(ctx, g.ec2.CreateSecurityGroup, &ec2.CreateSecurityGroupInput{
		VpcId:             aws.String(r.Spec.VPC),
		GroupName:         aws.String(groupName(r.Name)),
		Description:       aws.String(groupDescription(r.Spec.Description)),
		TagSpecifications: tags,
	})
	return securityGroupOf(types.SecurityGroup{GroupId: out.GroupId, VpcId: aws.String(r.Spec.VPC), Tags: tags[0].Tags}), err
}

// Complete gives a new group its rules. AWS lets everything out of a new group;
// that ends as soon as the rules say what may go out.
// https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
func (g securityGroups) Complete(ctx context.Context, r driver.Request[resource.SecurityGroupSpec], o securityGroup) (securityGroup, error) {
	group, err := g.Look(ctx, o.ID)
	if err != nil {
		return o, err
	}
	rules := r.Spec.Rules
	if slices.ContainsFunc(rules, func(r resource.Rule) bool { return r.Direction == directionOut }) {
		var kept, surplus []types.IpPermission
		for _, p := range group.IpPermissionsEgress {
			wanted := slices.ContainsFunc(shownRules(directionOut, p), func(r resource.Rule) bool { return slices.Contains(rules, r) })
			if aws.ToString(p.IpProtocol) == allProtocols && !wanted {
				surplus = append(surplus, p)
			} else {
				kept = append(kept, p)
			}
		}
		if err := g.revoke(ctx, o.ID, directionOut, surplus); err != nil {
			return o, err
		}
		group.IpPermissionsEgress = kept
	}
	missing, err := g.authorize(ctx, group, rules)
	if err != nil {
		return o, err
	}
	made := securityGroupOf(group)
	made.Spec.Rules = append(made.Spec.Rules, missing...)
	slices.SortFunc(made.Spec.Rules, resource.Rule.Compare)
	return made, nil
}

// Delete removes a security group.
func (g securityGroups) Delete(ctx context.Context, id string) error {
	return do(ctx, g.ec2.DeleteSecurityGroup, &ec2.DeleteSecurityGroupInput{GroupId: aws.String(id)})
}

// AddRules allows what is not allowed yet.
func (g securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.Look(ctx, id)
	if err != nil {
		return err
	}
	_, err = g.authorize(ctx, group, change.Rules)
	return err
}

// RemoveRules takes back what is allowed. It looks first, because AWS refuses the
// whole call if one rule is missing.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
func (g securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	group, err := g.Look(ctx, id)
	if err != nil {
		return err
	}
	for direction, permissions := range directions(group) {
		var revoked []types.IpPermission
		for _, single := range split(permissions) {
			if rules := shownRules(direction, single); len(rules) == 1 && slices.Contains(change.Rules, rules[0]) {
				revoked = append(revoked, single)
			}
		}
		if err := g.revoke(ctx, id, direction, revoked); err != nil {
			return err
		}
	}
	return nil
}

// authorize adds the rules that a group lacks and answers them. It leaves out the
// others, because AWS refuses the whole call if one rule is there already.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
func (g securityGroups) authorize(ctx context.Context, group types.SecurityGroup, rules []resource.Rule) ([]resource.Rule, error) {
	var added []resource.Rule
	for direction, permissions := range directions(group) {
		var missing []types.IpPermission
		for _, rule := range rules {
			if rule.Direction == direction && !slices.Contains(allRules(direction, permissions), rule) && !slices.Contains(added, rule) {
				missing = append(missing, permission(rule))
				added = append(added, rule)
			}
		}
		if len(missing) == 0 {
			continue
		}
		err := g.allow(ctx, group, direction, missing...)
		if resource.CodeOf(err) == resource.CodeAlreadyExists { // since a moment, or in another spelling
			for _, one := range missing {
				if err = driver.Except(g.allow(ctx, group, direction, one), resource.CodeAlreadyExists); err != nil {
					break
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return added, nil
}

func (g securityGroups) allow(ctx context.Context, group types.SecurityGroup, direction string, permissions ...types.IpPermission) error {
	if direction == directionIn {
		return do(ctx, g.ec2.AuthorizeSecurityGroupIngress, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: group.GroupId, IpPermissions: permissions})
	}
	return do(ctx, g.ec2.AuthorizeSecurityGroupEgress, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: group.GroupId, IpPermissions: permissions})
}

func (g securityGroups) revoke(ctx context.Context, id, direction string, permissions []types.IpPermission) error {
	if len(permissions) == 0 {
		return nil
	}
	var err error
	if direction == directionIn {
		err = do(ctx, g.ec2.RevokeSecurityGroupIngress, &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(id), IpPermissions: permissions})
	} else {
		err = do(ctx, g.ec2.RevokeSecurityGroupEgress, &ec2.RevokeSecurityGroupEgressInput{GroupId: aws.String(id), IpPermissions: permissions})
	}
	if driver.IsCloud(err, "InvalidPermission.*") { // a rule went since the look: AWS changed nothing, and the next try looks again
		return driver.Recode(err, resource.CodeUnavailable, "the rules of the security group changed meanwhile")
	}
	return err
}

func groupID(g types.GroupIdentifier) string { return aws.ToString(g.GroupId) }

// isDefault reports whether a group came with its VPC, and goes with it.
// https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
func isDefault(x types.SecurityGroup) bool { return aws.ToString(x.GroupName) == "default" }

func securityGroupOf(x types.SecurityGroup) securityGroup {
	o := object[resource.SecurityGroupSpec, resource.SecurityGroupStatus](x.GroupId, x.Tags, x)
	o.Name = cmp.Or(o.Name, aws.ToString(x.GroupName))
	o.State = resource.StateAvailable // AWS knows no states of groups
	o.Part = isDefault(x)
	o.Spec = resource.SecurityGroupSpec{VPC: aws.ToString(x.VpcId), Description: aws.ToString(x.Description), Rules: []resource.Rule{}}
	var others []resource.OtherRule
	for direction, permissions := range directions(x) {
		o.Spec.Rules = append(o.Spec.Rules, allRules(direction, permissions)...)
		for _, p := range permissions {
			others = append(others, otherRules(direction, p)...)
		}
	}
	slices.SortFunc(o.Spec.Rules, resource.Rule.Compare)
	o.Spec.Rules = slices.Compact(o.Spec.Rules) // some spellings mean the same
	o.Status.SetOtherRules(others)
	return o
}

// groupName is the name on AWS. A name must not look like an id.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func groupName(name string) string {
	if strings.HasPrefix(strings.ToLower(name), "sg-") {
		return "mcic-" + name
	}
	return name
}

// groupDescription is a description that AWS takes: not empty, of few characters.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func groupDescription(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r):
			return r
		default:
			return '_'
		}
	}, cmp.Or(text, "Created by "+program))
}

const (
	directionIn  = "in"
	directionOut = "out"
	allProtocols = "-1" // AWS's word for every protocol
)

// directions answers a group's permissions by direction, always in the same order.
func directions(group types.SecurityGroup) iter.Seq2[string, []types.IpPermission] {
	return func(yield func(string, []types.IpPermission) bool) {
		_ = yield(directionIn, group.IpPermissions) && yield(directionOut, group.IpPermissionsEgress)
	}
}

// permission is a rule in AWS's terms: -1 stands for all protocols and all types
// of ICMP messages.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
func permission(r resource.Rule) types.IpPermission {
	p := types.IpPermission{IpProtocol: aws.String(r.Protocol), IpRanges: []types.IpRange{{CidrIp: aws.String(r.CIDR)}}}
	switch r.Protocol {
	case "all":
		p.IpProtocol = aws.String(allProtocols)
	case "icmp":
		p.FromPort, p.ToPort = aws.Int32(-1), aws.Int32(-1)
	default:
		p.FromPort, p.ToPort = aws.Int32(int32(r.FromPort)), aws.Int32(int32(r.ToPort)) //nolint:gosec // ports are at most 65535
	}
	return p
}

// shownRules is the way back. What rules have no words for (IPv6, other groups as
// sources, single types of ICMP) otherRules shows.
func shownRules(direction string, p types.IpPermission) []resource.Rule {
	rule, ok := protocolOf(direction, p)
	if !ok {
		return nil
	}
	var rules []resource.Rule
	for _, r := range p.IpRanges {
		if cidr, ok := resource.RuleCIDR(aws.ToString(r.CidrIp)); ok {
			rule.CIDR = cidr
			rules = append(rules, rule)
		}
	}
	return rules
}

// protocolOf is the part of a rule that is the same for all ranges of a permission, unless
// rules have no words for it.
func protocolOf(direction string, p types.IpPermission) (resource.Rule, bool) {
	rule := resource.Rule{Direction: direction, Protocol: "all"}
	if aws.ToString(p.IpProtocol) == allProtocols {
		return rule, true
	}
	named, ok := resource.RuleProtocol(aws.ToString(p.IpProtocol))
	from, to := cmp.Or(p.FromPort, aws.Int32(-1)), cmp.Or(p.ToPort, aws.Int32(-1))
	switch rule.Protocol = named; {
	case !ok:
		return rule, false
	case named == "icmp":
		return rule, *from == -1 && *to == -1
	default:
		rule.FromPort, rule.ToPort = int(max(*from, 1)), int(*to) // AWS counts port 0, which nobody can use, as one of all
		return rule, *to > 0
	}
}

// otherRules describes what of a permission shownRules has no words for.
func otherRules(direction string, p types.IpPermission) []resource.OtherRule {
	protocol, detail := aws.ToString(p.IpProtocol), resource.RuleDetail(aws.ToString(p.IpProtocol), bound(p.FromPort), bound(p.ToPort))
	if protocol == allProtocols {
		protocol, detail = "all", ""
	}
	var rules []resource.OtherRule
	add := func(peer string) {
		rules = append(rules, resource.NewOtherRule("", direction, protocol, detail, peer))
	}
	_, words := protocolOf(direction, p)
	for _, r := range p.IpRanges {
		if _, ok := resource.RuleCIDR(aws.ToString(r.CidrIp)); !ok || !words {
			add(aws.ToString(r.CidrIp))
		}
	}
	for _, r := range p.Ipv6Ranges {
		add(aws.ToString(r.CidrIpv6))
	}
	for _, r := range p.PrefixListIds {
		add("the prefix list " + aws.ToString(r.PrefixListId))
	}
	for _, r := range p.UserIdGroupPairs {
		add("the security group " + cmp.Or(aws.ToString(r.GroupId), aws.ToString(r.GroupName)))
	}
	return rules
}

// bound is a port, or a type or code of ICMP; nil is every one.
func bound(n *int32) *int {
	if n == nil || *n == -1 {
		return nil
	}
	return aws.Int(int(*n))
}

func allRules(direction string, permissions []types.IpPermission) []resource.Rule {
	return slices.Concat(driver.Convert(permissions, func(p types.IpPermission) []resource.Rule { return shownRules(direction, p) })...)
}

// split takes apart what AWS joins: one permission for each IPv4 range.
func split(permissions []types.IpPermission) []types.IpPermission {
	var singles []types.IpPermission
	for _, p := range permissions {
		singles = append(singles, driver.Convert(p.IpRanges, func(r types.IpRange) types.IpPermission {
			return types.IpPermission{IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, IpRanges: []types.IpRange{{CidrIp: r.CidrIp}}}
		})...)
	}
	return singles
}
