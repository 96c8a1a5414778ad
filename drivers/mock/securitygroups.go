package mock

import (
	"context"
	"slices"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

type securityGroups struct {
	table[resource.SecurityGroupSpec, resource.SecurityGroupStatus]
}

func openSecurityGroups(s *session) securityGroups {
	return securityGroups{table[resource.SecurityGroupSpec, resource.SecurityGroupStatus]{
		s: s, kind: resource.SecurityGroup, prefix: "sg", ready: resource.StateAvailable, show: showSecurityGroup,
	}}
}

// Create implements driver.Maker. A group whose request names no outbound rule
// lets everything out, as on most clouds.
func (c securityGroups) Make(ctx context.Context, r driver.Request[resource.SecurityGroupSpec]) (driver.Object[resource.SecurityGroupSpec, resource.SecurityGroupStatus], error) {
	return c.create(ctx, r, func(d *draft[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) error {
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
	})
}

// AddRules implements resource.RuleAdder.
func (c securityGroups) AddRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.changeRules(ctx, id, "addrules", change, withRules)
}

// RemoveRules implements resource.RuleRemover.
func (c securityGroups) RemoveRules(ctx context.Context, id string, change resource.RuleChange) error {
	return c.changeRules(ctx, id, "removerules", change, withoutRules)
}

func (c securityGroups) changeRules(ctx context.Context, id, action string, change resource.RuleChange, apply func(rules, changed []resource.Rule) []resource.Rule) error {
	change.Rules = slices.Clone(change.Rules) // the check completes them
	if err := refuseProblems(change.Problems("")); err != nil {
		return err
	}
	return c.alter(ctx, id, action, resource.StateAvailable, func(d *draft[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) error {
		d.spec.Rules = apply(d.spec.Rules, change.Rules)
		return nil
	})
}

func withRules(rules, added []resource.Rule) []resource.Rule {
	all := slices.Clone(rules)
	for _, r := range added {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

func withoutRules(rules, removed []resource.Rule) []resource.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r resource.Rule) bool { return slices.Contains(removed, r) })
}

// nativeSecurityGroup is a security group in the cloud's own words.
type nativeSecurityGroup struct {
	GroupID     string       `json:"groupId"`
	GroupName   string       `json:"groupName"`
	VPCID       string       `json:"vpcId"`
	Permissions []nativeRule `json:"ipPermissions"`
}

type nativeRule struct {
	Direction string `json:"direction"`
	Protocol  string `json:"ipProtocol"`
	FromPort  int    `json:"fromPort"`
	ToPort    int    `json:"toPort"`
	CIDR      string `json:"cidrIp"`
}

func showSecurityGroup(v *sight[resource.SecurityGroupSpec, resource.SecurityGroupStatus]) any {
	native := nativeSecurityGroup{GroupID: v.ID, GroupName: v.Name, VPCID: v.spec.VPC, Permissions: make([]nativeRule, len(v.spec.Rules))}
	for i, r := range v.spec.Rules {
		native.Permissions[i] = nativeRule(r)
		if r.Protocol == "all" {
			native.Permissions[i].Protocol = "-1"
		}
	}
	return native
}
