package mock

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/resource"
)

type securityGroups struct {
	table[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
}

func openSecurityGroups(s *session) securityGroups {
	collection := securityGroups{table[resource.SecurityGroupSpec, resource.SecurityGroupStatus]{
		s: s, kind: resource.SecurityGroup, prefix: "sg", ready: resource.StateAvailable, show: showSecurityGroup,
	}}
	collection.prepare = collection.plan
	return collection
}

// plan completes and checks a draft. A group whose request names no outbound rule
// lets everything out, as on most clouds.
func (c securityGroups) plan(d *draft[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) error {
	if err := need("spec.vpc", d.spec.VPC); err != nil {
		return err
	}
	d.spec.Rules = slices.Clone(d.spec.Rules) // the check completes them
	if err := refuseProblems(d.spec.Problems("spec")); err != nil {
		return err
	}
	if !slices.ContainsFunc(d.spec.Rules, func(r resource.Rule) bool { return r.Direction == "out" }) {
		d.spec.Rules = append(d.spec.Rules, resource.Rule{Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"})
	}
	d.claims = []claim{{"securitygroups of " + d.spec.VPC, d.name}}
	return nil
}

// AddRules implements resource.RuleAdder.
func (c securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.changeRules(ctx, id, "addrules", change, resource.RuleChange.AddedTo)
}

// RemoveRules implements resource.RuleRemover.
func (c securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.changeRules(ctx, id, "removerules", change, resource.RuleChange.RemovedFrom)
}

func (c securityGroups) changeRules(ctx context.Context, id, action string, change resource.RuleChange, apply func(change resource.RuleChange, rules []resource.Rule) []resource.Rule) error {
	change.Rules = slices.Clone(change.Rules) // the check completes them
	if err := refuseProblems(change.Problems("")); err != nil {
		return err
	}
	return c.alter(ctx, id, action, resource.StateAvailable, func(d *draft[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) error {
		d.spec.Rules = apply(change, d.spec.Rules)
		return nil
	})
}

type plantRuleInput struct {
	SecurityGroup string `json:"securitygroup" doc:"The cloud's id of the security group." minLength:"1" maxLength:"64"`
	Direction     string `json:"direction" doc:"in: towards the VM; out: from it." enum:"in,out"`
	Protocol      string `json:"protocol" doc:"Name or number of the protocol, such as 6 or vrrp; all for every protocol." minLength:"1" maxLength:"32"`
	Detail        string `json:"detail,omitempty" doc:"Ports, such as 22 or 8000-8999, or what else there is to say, such as type 0 code 0." maxLength:"64"`
	Peer          string `json:"peer" doc:"The other side: a range, or what else it may be, such as the security group sg-1." minLength:"1" maxLength:"128"`
}

type plantRuleOutput struct {
	CloudID string `json:"cloudId" doc:"The cloud's id of the rule."`
}

func plantRule(ctx context.Context, s *session, in plantRuleInput) (plantRuleOutput, error) {
	out := plantRuleOutput{newID("sgr", s.shelfOf(resource.SecurityGroup.Name), fmt.Sprint(in))}
	protocol, _ := resource.RuleProtocol(in.Protocol)
	cidr, _ := resource.RuleCIDR(in.Peer)
	planted := resource.RuleChange{Rules: make([]resource.Rule, 1)}
	err := planted.Rules[0].ParseFlag(strings.Join([]string{in.Direction, protocol, in.Detail, cidr}, ":"))
	words := err == nil && slices.Contains([]string{"tcp", "udp", "icmp", "all"}, protocol) && len(planted.Problems("")) == 0
	return out, openSecurityGroups(s).alter(ctx, in.SecurityGroup, "plantRule", resource.StateAvailable, func(d *draft[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) error {
		if words {
			d.spec.Rules = planted.AddedTo(d.spec.Rules)
			return nil
		}
		other := resource.NewOtherRule(out.CloudID, in.Direction, in.Protocol, in.Detail, in.Peer)
		if !slices.Contains(d.status.OtherRules, other) {
			d.status.SetOtherRules(append(slices.Clone(d.status.OtherRules), other))
		}
		return nil
	})
}

// nativeSecurityGroup is a security group in the cloud's own words.
type nativeSecurityGroup struct {
	GroupID     string       `json:"groupId"`
	GroupName   string       `json:"groupName"`
	VPCID       string       `json:"vpcId"`
	Permissions []nativeRule `json:"ipPermissions"`

	OtherPermissions []resource.OtherRule `json:"otherPermissions,omitempty"`
}

type nativeRule struct {
	Direction string `json:"direction"`
	Protocol  string `json:"ipProtocol"`
	FromPort  int    `json:"fromPort"`
	ToPort    int    `json:"toPort"`
	CIDR      string `json:"cidrIp"`
}

func showSecurityGroup(v *sight[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) any {
	native := nativeSecurityGroup{GroupID: v.ID, GroupName: v.Name, VPCID: v.spec.VPC, Permissions: make([]nativeRule, len(v.spec.Rules)), OtherPermissions: v.status.OtherRules}
	for i, r := range v.spec.Rules {
		native.Permissions[i] = nativeRule(r)
		if r.Protocol == "all" {
			native.Permissions[i].Protocol = "-1"
		}
	}
	return native
}
