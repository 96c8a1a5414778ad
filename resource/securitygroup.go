package resource

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// SecurityGroup is the kind of packet filters.
var SecurityGroup = define[SecurityGroupSpec, SecurityGroupStatus](Kind{
	Name:  "securitygroup",
	Title: "Security group",
	Doc:   "A stateful packet filter for VMs: what it does not allow is dropped.",
	Actions: []Action{
		changes(actionWith(Action{Name: "addrules", Doc: "Adds rules; a rule that is there already is left as it is."}, RuleAdder.AddRules),
			func(s *SecurityGroupSpec, c RuleChange) { s.Rules = c.AddedTo(s.Rules) }),
		changes(actionWith(Action{Name: "removerules", Doc: "Removes rules; a rule that is not there is passed over."}, RuleRemover.RemoveRules),
			func(s *SecurityGroupSpec, c RuleChange) { s.Rules = c.RemovedFrom(s.Rules) }),
	},
})

// RuleAdder is implemented by collections that add rules.
type RuleAdder interface {
	AddRules(ctx context.Context, id string, change RuleChange) error
}

// RuleRemover is implemented by collections that remove rules.
type RuleRemover interface {
	RemoveRules(ctx context.Context, id string, change RuleChange) error
}

// SecurityGroupSpec is what a security group is asked to be.
type SecurityGroupSpec struct {
	VPC         string `json:"vpc" doc:"Name of the VPC that the group belongs to." ref:"vpc" minLength:"1" maxLength:"512"`
	Description string `json:"description,omitempty" doc:"Free text. AWS takes only ASCII here; other characters are replaced there." completed:"cloud" maxLength:"255"`
	Rules       []Rule `json:"rules" required:"false" doc:"What is allowed. A reply to allowed traffic is always allowed. A group created without an outbound rule allows everything outbound." completed:"cloud" flag:"rule" maxItems:"120" nullable:"false"`
}

// SecurityGroupStatus is what the cloud reports of a security group.
type SecurityGroupStatus struct {
	OtherRuleCount int         `json:"otherRuleCount,omitempty" doc:"Number of the other rules."`
	OtherRules     []OtherRule `json:"otherRules,omitempty" doc:"What the cloud has in the group beside its rules, because they have no words for it: groups, prefix lists and IPv6 as the other side, single types of ICMP, other protocols. It is in force, and no action changes it." nullable:"false"`
}

// OtherRule is what a cloud allows and Rule has no words for.
type OtherRule struct {
	CloudID     string `json:"cloudId,omitempty" doc:"The cloud's id of it, where the cloud tells it with the group; AWS does not."`
	Description string `json:"description" doc:"What it allows, such as in: icmp type 8 code 0 from 0.0.0.0/0."`
}

// NewOtherRule describes a rule that Rule has no words for. The detail is what there is
// to say of its protocol, such as its ports, and the peer is the other side.
func NewOtherRule(cloudID, direction, protocol, detail, peer string) OtherRule {
	toward := " from "
	if direction == directionOut {
		toward = " to "
	}
	return OtherRule{cloudID, strings.TrimSpace(direction+": "+protocol+" "+detail) + toward + peer}
}

// RuleDetail says which ports a rule of a cloud is for, or which type and code of ICMP; nil is
// every one.
func RuleDetail(protocol string, from, to *int) string {
	icmp := strings.Contains(protocol, "icmp") || protocol == "1" || protocol == "58"
	switch {
	case from == nil:
		return ""
	case icmp && to == nil:
		return fmt.Sprintf("type %d", *from)
	case icmp:
		return fmt.Sprintf("type %d code %d", *from, *to)
	case to == nil || *from == *to:
		return strconv.Itoa(*from)
	}
	return fmt.Sprintf("%d-%d", *from, *to)
}

// SetOtherRules puts rules into the status, in one order whatever order the cloud answers in.
func (s *SecurityGroupStatus) SetOtherRules(rules []OtherRule) {
	slices.SortFunc(rules, func(a, b OtherRule) int {
		return cmp.Or(cmp.Compare(a.Description, b.Description), cmp.Compare(a.CloudID, b.CloudID))
	})
	s.OtherRules, s.OtherRuleCount = rules, len(rules)
}

const (
	directionOut = "out"

	// LastPort is the highest port of TCP and UDP.
	LastPort = 65535
)

// RuleChange is the parameter of the actions that change rules.
type RuleChange struct {
	Rules []Rule `json:"rules" doc:"The rules to add or remove." flag:"rule" minItems:"1" maxItems:"120" nullable:"false"`
}

// Rule allows one kind of traffic.
type Rule struct {
	Direction string `json:"direction" doc:"in: towards the VM; out: from it." enum:"in,out"`
	Protocol  string `json:"protocol" doc:"tcp, udp, icmp, or all for every protocol." enum:"tcp,udp,icmp,all"`
	FromPort  int    `json:"fromPort,omitempty" doc:"First port, 1 to 65535. Only for tcp and udp; without it all ports." minimum:"1" maximum:"65535"`
	ToPort    int    `json:"toPort,omitempty" doc:"Last port, at least fromPort. Default: fromPort." minimum:"1" maximum:"65535"`
	CIDR      string `json:"cidr" doc:"IPv4 range of the other side, such as 0.0.0.0/0 for everyone." maxLength:"18"`
}

// Problems implements the rules beyond the schema.
func (s *SecurityGroupSpec) Problems(at string) []Problem {
	if s.Rules == nil {
		s.Rules = []Rule{}
	}
	return ruleProblems(join(at, "rules"), s.Rules)
}

// Problems implements the rules beyond the schema.
func (c *RuleChange) Problems(at string) []Problem {
	return ruleProblems(join(at, "rules"), c.Rules)
}

// AddedTo are rules with those of the change.
func (c RuleChange) AddedTo(rules []Rule) []Rule { return together(rules, c.Rules) }

// RemovedFrom are rules without those of the change.
func (c RuleChange) RemovedFrom(rules []Rule) []Rule { return without(rules, c.Rules) }

func ruleProblems(at string, rules []Rule) []Problem {
	var problems []Problem
	first := map[Rule]int{}
	for i := range rules {
		r, field := &rules[i], fmt.Sprintf("%s[%d]", at, i)
		ports := r.Protocol == "tcp" || r.Protocol == "udp"
		if ports && r.FromPort == 0 && r.ToPort == 0 {
			r.FromPort, r.ToPort = 1, LastPort
		}
		if r.ToPort == 0 {
			r.ToPort = r.FromPort
		}
		switch {
		case !ports && r.FromPort != 0:
			problems = append(problems, Problem{Field: field + ".fromPort", Message: "the protocol " + r.Protocol + " has no ports; leave fromPort and toPort out"})
		case !ports && r.ToPort != 0:
			problems = append(problems, Problem{Field: field + ".toPort", Message: "the protocol " + r.Protocol + " has no ports; leave fromPort and toPort out"})
		case ports && r.FromPort == 0:
			problems = append(problems, Problem{Field: field + ".fromPort", Message: "toPort without fromPort; set both", Rule: RuleRequired})
		case r.ToPort < r.FromPort:
			problems = append(problems, Problem{Field: field + ".toPort", Message: fmt.Sprintf("%d is below fromPort %d", r.ToPort, r.FromPort), Rule: RuleMinimum, Limit: fmt.Sprint(r.FromPort)})
		}
		problems = append(problems, rangeProblems(field+".cidr", r.CIDR)...)
		if before, double := first[*r]; double {
			problems = append(problems, Problem{Field: field, Message: fmt.Sprintf("the same as rules[%d]; leave one out", before), Rule: RuleDuplicate, Limit: fmt.Sprintf("rules[%d]", before)})
		} else {
			first[*r] = i
		}
	}
	return problems
}

// FlagUsage says how ParseFlag wants it.
func (Rule) FlagUsage() string { return "direction:protocol:ports:cidr, such as in:tcp:22:0.0.0.0/0" }

// ParseFlag reads the short form direction:protocol:ports:cidr, such as
// in:tcp:22:0.0.0.0/0, in:udp:8000-8999:10.0.0.0/8 or out:all::0.0.0.0/0. Limits
// are checked with the rest of the request.
func (r *Rule) ParseFlag(text string) error {
	parts := strings.SplitN(text, ":", 4)
	if len(parts) != 4 {
		return fmt.Errorf("%q is not direction:protocol:ports:cidr, such as in:tcp:22:0.0.0.0/0", printable(text))
	}
	*r = Rule{Direction: parts[0], Protocol: parts[1], CIDR: parts[3]}
	if parts[2] == "" {
		return nil
	}
	from, to, ranged := strings.Cut(parts[2], "-")
	if !ranged {
		to = from
	}
	var err, err2 error
	r.FromPort, err = strconv.Atoi(from)
	r.ToPort, err2 = strconv.Atoi(to)
	if err != nil || err2 != nil || r.FromPort < 1 || r.ToPort < 1 { // 0 would mean every port
		return fmt.Errorf("the ports %q in %q are not a number or a range such as 8000-8999", printable(parts[2]), printable(text))
	}
	return nil
}

// String is the short form that ParseFlag reads.
func (r Rule) String() string {
	ports := ""
	switch {
	case r.FromPort != 0 && r.FromPort == r.ToPort:
		ports = strconv.Itoa(r.FromPort)
	case r.FromPort != 0:
		ports = fmt.Sprintf("%d-%d", r.FromPort, r.ToPort)
	}
	return strings.Join([]string{r.Direction, r.Protocol, ports, r.CIDR}, ":")
}

// Compare orders rules, so that they can be shown in one order.
func (r Rule) Compare(other Rule) int {
	return cmp.Or(cmp.Compare(r.Direction, other.Direction), cmp.Compare(r.Protocol, other.Protocol),
		cmp.Compare(r.FromPort, other.FromPort), cmp.Compare(r.ToPort, other.ToPort), cmp.Compare(r.CIDR, other.CIDR))
}

// RuleProtocol is the word of Rule for a protocol that a cloud names in its own spelling
// or by its number, and whether Rule has one.
// https://www.iana.org/assignments/protocol-numbers/protocol-numbers.xhtml
func RuleProtocol(named string) (string, bool) {
	switch strings.ToLower(named) {
	case "tcp", "6":
		return "tcp", true
	case "udp", "17":
		return "udp", true
	case "icmp", "1":
		return "icmp", true
	default:
		return named, false
	}
}

// RuleCIDR is a range as Rule has it: an address alone is a range of one, and what is
// beyond the prefix does not count. What is no IPv4 range is answered as false.
func RuleCIDR(text string) (string, bool) {
	prefix, err := netip.ParsePrefix(text)
	if address, err2 := netip.ParseAddr(text); err2 == nil {
		prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
	}
	if err != nil || !prefix.Addr().Is4() {
		return text, false
	}
	return prefix.Masked().String(), true
}
