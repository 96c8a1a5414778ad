package openstack

import (
	"cmp"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"

	"github.com/m-cmp/mc-infra-connector/resource"
)

const (
	directionIn  = "in"
	directionOut = "out"
	allProtocols = "all" // our word for every protocol
	anywhere     = "0.0.0.0/0"
)

// groupRule is a rule as Neutron answers it. The SDK's own cannot tell type 0 of ICMP, an
// echo reply, from every type.
// https://docs.openstack.org/api-ref/network/v2/#security-group-rules-security-group-rules
type groupRule struct {
	ID           string `json:"id"`
	Direction    string `json:"direction"`
	EtherType    string `json:"ethertype"`
	Protocol     string `json:"protocol"`
	Min          *int   `json:"port_range_min"` // of ICMP the type
	Max          *int   `json:"port_range_max"` // of ICMP the code
	Prefix       string `json:"remote_ip_prefix"`
	Group        string `json:"remote_group_id"`
	AddressGroup string `json:"remote_address_group_id"`
}

// rule translates a rule, unless our rules have no words for it.
func (x groupRule) rule() (resource.Rule, bool) {
	r := resource.Rule{Direction: x.direction(), Protocol: allProtocols, CIDR: anywhere}
	if x.EtherType != string(rules.EtherType4) || x.Group != "" || x.AddressGroup != "" {
		return r, false
	}
	if x.Prefix != "" {
		named, ok := resource.RuleCIDR(x.Prefix)
		if r.CIDR = named; !ok {
			return r, false
		}
	}
	if !x.everyProtocol() {
		named, ok := resource.RuleProtocol(x.Protocol)
		if r.Protocol = named; !ok {
			return r, false
		}
	}
	switch whole := x.Min == nil && x.Max == nil; {
	case r.Protocol == allProtocols || r.Protocol == "icmp":
		return r, whole
	case whole:
		r.FromPort, r.ToPort = 1, resource.LastPort
	case x.Min == nil || x.Max == nil:
		return r, false
	default:
		r.FromPort, r.ToPort = *x.Min, *x.Max
	}
	return r, true
}

// other describes a rule that has no words among ours.
func (x groupRule) other() resource.OtherRule {
	protocol := x.Protocol
	if x.everyProtocol() {
		protocol = allProtocols
	}
	peer := x.Prefix
	switch {
	case x.Group != "":
		peer = "the security group " + x.Group
	case x.AddressGroup != "":
		peer = "the address group " + x.AddressGroup
	case peer == "" && x.EtherType == string(rules.EtherType6):
		peer = "::/0"
	}
	if x.EtherType == string(rules.EtherType6) && x.Prefix == "" && peer != "::/0" {
		peer += " over IPv6"
	}
	return resource.NewOtherRule(x.ID, x.direction(), protocol, resource.RuleDetail(protocol, x.Min, x.Max), cmp.Or(peer, anywhere))
}

func (x groupRule) direction() string {
	if x.Direction == string(rules.DirEgress) {
		return directionOut
	}
	return directionIn
}

// everyProtocol reports whether a rule is for all protocols, for which Neutron has several
// words.
func (x groupRule) everyProtocol() bool {
	return x.Protocol == "" || x.Protocol == "any" || x.Protocol == "0"
}

// allOut reports whether a rule is one of those that Neutron gives to every new group: one
// for IPv4 and one for IPv6.
func (x groupRule) allOut() bool {
	return x.direction() == directionOut && x.everyProtocol() && x.Prefix == "" && x.Group == "" && x.AddressGroup == ""
}

// optionsOf is a rule in Neutron's words.
func optionsOf(r resource.Rule, group string) rules.CreateOpts {
	opts := rules.CreateOpts{Direction: rules.DirIngress, EtherType: rules.EtherType4, SecGroupID: group, PortRangeMin: r.FromPort, PortRangeMax: r.ToPort, RemoteIPPrefix: r.CIDR}
	if r.Direction == directionOut {
		opts.Direction = rules.DirEgress
	}
	if r.Protocol != allProtocols {
		opts.Protocol = rules.RuleProtocol(r.Protocol)
	}
	return opts
}
