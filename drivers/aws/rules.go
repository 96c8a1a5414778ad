package aws

import (
	"cmp"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	directionIn  = "in"
	directionOut = "out"
	allProtocols = "-1" // AWS's word for every protocol
	lastPort     = 65535
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

// shownRules is the way back. What the common model has no words for (IPv6, other
// groups as sources, single types of ICMP) is not shown as a rule.
func shownRules(direction string, p types.IpPermission) []resource.Rule {
	rule := resource.Rule{Direction: direction, Protocol: aws.ToString(p.IpProtocol)}
	from, to := int(aws.ToInt32(p.FromPort)), int(aws.ToInt32(p.ToPort))
	switch {
	case rule.Protocol == allProtocols:
		rule.Protocol = "all"
	case rule.Protocol == "icmp" && from == -1 && to == -1:
	case (rule.Protocol == "tcp" || rule.Protocol == "udp") && to > 0:
		rule.FromPort, rule.ToPort = max(from, 1), to // AWS counts port 0, which nobody can use, as one of all
	default:
		return nil
	}
	var rules []resource.Rule
	for _, r := range p.IpRanges {
		rule.CIDR = aws.ToString(r.CidrIp)
		rules = append(rules, rule)
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

// sorted brings rules in one order, whatever order AWS answers them in.
func sorted(rules []resource.Rule) []resource.Rule {
	slices.SortFunc(rules, func(a, b resource.Rule) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.FromPort, b.FromPort), cmp.Compare(a.ToPort, b.ToPort), cmp.Compare(a.CIDR, b.CIDR))
	})
	return rules
}
