package openstack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// filter is a security group of a fake Neutron.
type filter struct {
	rules   []map[string]any
	refuses func(asked map[string]any) bool // as one that is there already
	made    int
}

func (g *filter) answer(r *http.Request) (int, string) {
	refused := `{"NeutronError": {"type": "SecurityGroupRuleExists", "message": "Security group rule already exists. Rule id is r-0.", "detail": ""}}`
	switch r.Method {
	case http.MethodDelete:
		g.rules = slices.DeleteFunc(g.rules, func(has map[string]any) bool { return strings.HasSuffix(r.URL.Path, "/"+has["id"].(string)) })
		return http.StatusNoContent, ""
	case http.MethodPost:
		var body struct {
			One  map[string]any   `json:"security_group_rule"`
			Many []map[string]any `json:"security_group_rules"`
		}
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			return http.StatusBadRequest, `{}`
		}
		if body.One != nil {
			body.Many = append(body.Many, body.One)
		}
		if slices.ContainsFunc(body.Many, g.refuses) {
			return http.StatusConflict, refused
		}
		for _, asked := range body.Many {
			g.made++
			asked["id"] = fmt.Sprintf("made-%d", g.made)
			g.rules = append(g.rules, asked)
		}
		return http.StatusCreated, `{"security_group_rules": [], "security_group_rule": {}}`
	}
	raw, _ := json.Marshal(g.rules) // what was JSON before
	return http.StatusOK, `{"security_group": {"id": "g-1", "name": "x", "project_id": "p-1", "security_group_rules": ` + string(raw) + `}}`
}

func newFilter(t *testing.T, rules string, refuses func(map[string]any) bool) *filter {
	t.Helper()
	g := &filter{refuses: refuses}
	require.NoError(t, json.Unmarshal([]byte(rules), &g.rules))
	return g
}

func never(map[string]any) bool { return false }

const (
	echoReply = `{"id": "r-0", "direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "port_range_min": 0, "port_range_max": 0, "remote_ip_prefix": "0.0.0.0/0"}`
	numbered  = `{"id": "r-6", "direction": "ingress", "ethertype": "IPv4", "protocol": "6", "port_range_min": 22, "port_range_max": 22}`
)

func TestSingleTypeOfICMPIsNotAllOfIt(t *testing.T) {
	g := newFilter(t, "["+echoReply+"]", never)
	s := open(t, fake(t, g.answer).config())
	group := settled(t, s, resource.SecurityGroup, "g-1")
	assert.Empty(t, group.Spec.Rules)
	assert.Equal(t, resource.SecurityGroupStatus{OtherRuleCount: 1, OtherRules: []resource.OtherRule{{CloudID: "r-0", Description: "in: icmp type 0 code 0 from 0.0.0.0/0"}}}, group.Status)

	all := resource.RuleChange{Rules: []resource.Rule{{Direction: "in", Protocol: "icmp", CIDR: "0.0.0.0/0"}}}
	group = act(t, s, resource.SecurityGroup, "g-1", "addrules", all)
	assert.Equal(t, all.Rules, group.Spec.Rules)
	assert.Equal(t, 1, group.Status.OtherRuleCount)
	group = act(t, s, resource.SecurityGroup, "g-1", "removerules", all)
	assert.Empty(t, group.Spec.Rules)
	assert.Equal(t, "r-0", group.Status.OtherRules[0].CloudID, "the narrow rule stays")
}

func TestRuleInAnotherSpelling(t *testing.T) {
	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"}
	web := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"}
	g := newFilter(t, "["+numbered+"]", func(asked map[string]any) bool { return asked["port_range_min"] == 22.0 })
	s := open(t, fake(t, g.answer).config())
	group := act(t, s, resource.SecurityGroup, "g-1", "addrules", resource.RuleChange{Rules: []resource.Rule{ssh, web}})
	assert.Equal(t, []resource.Rule{ssh, web}, group.Spec.Rules)
	assert.Equal(t, 1, g.made)
	group = act(t, s, resource.SecurityGroup, "g-1", "removerules", resource.RuleChange{Rules: []resource.Rule{ssh}})
	assert.Equal(t, []resource.Rule{web}, group.Spec.Rules)
}

// A rule that somebody else adds at the same time, and one that Neutron takes for another.
func TestRuleThatNeutronSaysIsThere(t *testing.T) {
	ssh := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"}
	web := resource.Rule{Direction: "in", Protocol: "tcp", FromPort: 80, ToPort: 80, CIDR: "0.0.0.0/0"}
	change, err := json.Marshal(resource.RuleChange{Rules: []resource.Rule{ssh, web}})
	require.NoError(t, err)

	var g *filter
	g = newFilter(t, "[]", func(asked map[string]any) bool {
		if asked["port_range_min"] == 22.0 && len(g.rules) == 0 {
			require.NoError(t, json.Unmarshal([]byte("["+numbered+"]"), &g.rules))
		}
		return asked["port_range_min"] == 22.0
	})
	s := open(t, fake(t, func(r *http.Request) (int, string) { return g.answer(r) }).config())
	require.NoError(t, s.Act(t.Context(), "securitygroup", "g-1", "addrules", change))
	assert.Equal(t, []resource.Rule{ssh, web}, settled(t, s, resource.SecurityGroup, "g-1").Spec.Rules)

	g = newFilter(t, "["+echoReply+"]", func(asked map[string]any) bool { return asked["port_range_min"] == 22.0 })
	err = s.Act(t.Context(), "securitygroup", "g-1", "addrules", change)
	require.Equal(t, resource.CodeConflict, resource.CodeOf(err), "%v", err)
	assert.False(t, resource.AsError(err).Retryable)
	assert.ErrorContains(t, err, "in:tcp:22:0.0.0.0/0")
	assert.Equal(t, []resource.Rule{web}, settled(t, s, resource.SecurityGroup, "g-1").Spec.Rules, "the others are added")
}
