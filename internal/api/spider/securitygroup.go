package spider

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// SecurityInfo is CB-Spider's security group.
type SecurityInfo struct {
	IId           IID
	VpcIID        IID
	SecurityRules []SecurityRule
	TagList       []KeyValue `json:",omitempty"`
	KeyValueList  []KeyValue `json:",omitempty"`
}

// SecurityRule is one of its rules.
type SecurityRule struct {
	Direction  string
	IPProtocol string
	FromPort   string
	ToPort     string
	CIDR       string `json:",omitempty"`
}

type securityGroupRequest struct {
	named
	VPCName       text
	SecurityRules []ruleRequest
}

type ruleRequest struct{ Direction, IPProtocol, FromPort, ToPort, CIDR text }

func securityGroup() *kind {
	k := &kind{
		of: resource.SecurityGroup.Kind, path: "securitygroup", envelope: "securitygroup", word: "sg", title: "Security Group",
		fields: map[string]string{"cidr": "CIDR", "protocol": "IPProtocol", "vpc": "VPCName", "rules": "SecurityRules", "labels": "TagList"},
	}
	k.create = creates(k.of, func(t *translation, req securityGroupRequest) resource.SecurityGroupSpec {
		return resource.SecurityGroupSpec{VPC: t.ours(vpc(), "", req.VPCName), Rules: rules("SecurityRules", req.SecurityRules, &t.problems)}
	})
	k.info = func(v *view, r *resource.Resource, _ map[string]string) any {
		spec := read[resource.SecurityGroupSpec](r.Effective)
		info := SecurityInfo{
			IId: v.iidOf(r), VpcIID: v.iid(resource.VPC.Name, spec.VPC), SecurityRules: []SecurityRule{},
			TagList: tags(r.Labels), KeyValueList: native(r),
		}
		for _, rule := range spec.Rules {
			info.SecurityRules = append(info.SecurityRules, securityRule(rule))
		}
		return info
	}
	ruleChange := func(r *request) (any, error) {
		var req struct{ RuleInfoList []ruleRequest }
		if err := r.decode(&req); err != nil {
			return nil, err
		}
		var problems []resource.Problem
		params := resource.RuleChange{Rules: rules("RuleInfoList", req.RuleInfoList, &problems)}
		return params, resource.Invalid(problems...)
	}
	k.changes = []change{
		{method: http.MethodPost, path: "/rules", action: "addrules", params: ruleChange, info: true},
		{method: http.MethodDelete, path: "/rules", action: "removerules", params: ruleChange},
	}
	return k
}

// rules translates the rules of a request. CB-Spider's clients write -1 where a
// protocol has no ports, or for all ports.
func rules(field string, list []ruleRequest, problems *[]resource.Problem) []resource.Rule {
	if len(list) == 0 {
		*problems = append(*problems, resource.Problem{Field: field, Message: "is empty; give at least one rule"})
	}
	translated := make([]resource.Rule, len(list))
	for i, r := range list {
		at := fmt.Sprintf("%s[%d].", field, i)
		rule := resource.Rule{
			Direction: oneOf(at+"Direction", string(r.Direction), map[string]string{"inbound": "in", "outbound": "out"}, problems),
			Protocol:  oneOf(at+"IPProtocol", string(r.IPProtocol), map[string]string{"tcp": "tcp", "udp": "udp", "icmp": "icmp", "all": "all", "-1": "all"}, problems),
			CIDR:      string(r.CIDR),
		}
		if rule.CIDR == "" {
			rule.CIDR = "0.0.0.0/0"
		}
		if rule.Protocol == "tcp" || rule.Protocol == "udp" {
			rule.FromPort, rule.ToPort = port(at+"FromPort", r.FromPort, problems), port(at+"ToPort", r.ToPort, problems)
		}
		translated[i] = rule
	}
	return translated
}

// port reads a port, 0 for all.
func port(field string, t text, problems *[]resource.Problem) int {
	if t == "-1" || t == "" {
		return 0
	}
	n := t.number(field, problems)
	if n < 1 || n > 65535 {
		*problems = append(*problems, resource.Problem{Field: field, Message: fmt.Sprintf("%s is not a port; those are 1 to 65535, or -1 for all", shorten(string(t)))})
		return 0
	}
	return n
}

func securityRule(r resource.Rule) SecurityRule {
	rule := SecurityRule{
		Direction: map[string]string{"in": "inbound", "out": "outbound"}[r.Direction], IPProtocol: strings.ToUpper(r.Protocol),
		FromPort: "-1", ToPort: "-1", CIDR: r.CIDR,
	}
	if r.FromPort != 0 {
		rule.FromPort, rule.ToPort = strconv.Itoa(r.FromPort), strconv.Itoa(r.ToPort)
	}
	return rule
}

// securityGroupRoutes are those that only security groups have.
func (s *server) securityGroupRoutes() []route {
	k := securityGroup()
	return []route{{method: http.MethodGet, path: "/securitygroup/vpc/{VPCName}", needs: right{people.Read, k.of.Name, connected}, handle: func(r *request) (any, error) {
		vpc, err := r.vpc()
		if err != nil {
			return nil, err
		}
		v := r.view(vpc.Connection)
		infos := k.infos(v, func(group *resource.Resource) bool {
			return read[resource.SecurityGroupSpec](group.Effective).VPC == vpc.Name
		})
		return map[string]any{k.envelope: infos}, v.err
	}}}
}
