package aws

import (
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/resource"
)

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
	protocol, detail := aws.ToString(p.IpProtocol), ""
	switch from, to := p.FromPort, p.ToPort; {
	case protocol == allProtocols:
		protocol = "all"
	case from == nil || *from == -1:
	case strings.HasPrefix(protocol, "icmp"):
		detail = fmt.Sprintf("type %d", *from)
		if to != nil && *to != -1 {
			detail += fmt.Sprintf(" code %d", *to)
		}
	case to == nil || *from == *to:
		detail = fmt.Sprint(*from)
	default:
		detail = fmt.Sprintf("%d-%d", *from, *to)
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

func allRules(direction string, permissions []types.IpPermission) []resource.Rule {
	var rules []resource.Rule
	for _, p := range permissions {
		rules = append(rules, shownRules(direction, p)...)
	}
	return rules
}

// split takes apart what AWS joins: one permission for each IPv4 range.
func split(permissions []types.IpPermission) []types.IpPermission {
	var singles []types.IpPermission
	for _, p := range permissions {
		for _, r := range p.IpRanges {
			singles = append(singles, types.IpPermission{IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, IpRanges: []types.IpRange{{CidrIp: r.CidrIp}}})
		}
	}
	return singles
}
