package resource

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// What the rules of several kinds have in common.

// doubleNames says which items of the list at a path are in it twice.
func doubleNames(at string, names []string) []Problem {
	field := at[strings.LastIndex(at, ".")+1:]
	var problems []Problem
	for i, name := range names {
		if before := slices.Index(names, name); before < i {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d]", at, i), Message: fmt.Sprintf("the same as %s[%d]; leave one out", field, before), Rule: RuleDuplicate, Limit: fmt.Sprintf("%s[%d]", field, before)})
		}
	}
	return problems
}

// findSpec reads the spec of another resource, if it is known here.
func findSpec(find Find, kind *Kind, name string, spec any) bool {
	raw, _, known := find(kind.Name, name)
	return known && json.Unmarshal(raw, spec) == nil
}

// findStatus fills a status as far as it is known.
func findStatus(find Find, kind *Kind, name string, status any) {
	if _, raw, known := find(kind.Name, name); known {
		_ = json.Unmarshal(raw, status) // what it does not say stays as it is
	}
}

// groupProblems checks that security groups are of the VPC of a subnet.
func groupProblems(find Find, groups []string, subnet string) []Problem {
	var spec SubnetSpec
	if !findSpec(find, Subnet.Kind, subnet, &spec) {
		return nil
	}
	return vpcProblems(find, SecurityGroup.Kind, "spec.securitygroups", groups, "the subnet "+subnet+" belongs", spec.VPC)
}

// vpcProblems checks that the resources of a list are of a VPC; who says whose that is.
func vpcProblems(find Find, kind *Kind, at string, names []string, who, vpc string) []Problem {
	var problems []Problem
	for i, name := range names {
		problems = append(problems, vpcProblem(find, kind, fmt.Sprintf("%s[%d]", at, i), name, who, vpc)...)
	}
	return problems
}

// vpcProblem checks the same of one resource.
func vpcProblem(find Find, kind *Kind, field, name, who, vpc string) []Problem {
	var spec struct {
		VPC string `json:"vpc"`
	}
	if !findSpec(find, kind, name, &spec) || spec.VPC == vpc {
		return nil
	}
	return []Problem{{Field: field, Message: fmt.Sprintf("%s belongs to the VPC %s, %s to %s; they must be of the same VPC", name, spec.VPC, who, vpc)}}
}

// publicProblems refuses a private subnet for what has a public address. It holds on every
// cloud alike, also where subnets are private by their addresses alone.
func publicProblems(find Find, field, subnet, instead string) []Problem {
	var spec SubnetSpec
	if !findSpec(find, Subnet.Kind, subnet, &spec) || !spec.Private {
		return nil
	}
	return []Problem{{Field: field, Message: fmt.Sprintf("the subnet %s is private, so that nothing in it has a public address; %s", subnet, instead)}}
}

// reachedProblems refuses private subnets for a load balancer that the internet reaches.
func reachedProblems(find Find, subnets []string, internal bool) []Problem {
	var problems []Problem
	for i, name := range subnets {
		if !internal {
			problems = append(problems, publicProblems(find, fmt.Sprintf("spec.subnets[%d]", i), name, "choose another, or make the load balancer internal")...)
		}
	}
	return problems
}

// rangeProblems checks an IPv4 range.
func rangeProblems(field, cidr string) []Problem {
	prefix, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil || !prefix.Addr().Is4():
		return []Problem{{Field: field, Message: fmt.Sprintf("%q is not an IPv4 range; write it like 10.0.0.0/16", printable(cidr)), Rule: RuleFormat, Limit: "10.0.0.0/16"}}
	case prefix != prefix.Masked():
		return []Problem{{Field: field, Message: fmt.Sprintf("%s has bits set beyond its prefix; did you mean %s?", prefix, prefix.Masked()), Rule: RulePrefix, Limit: prefix.Masked().String()}}
	}
	return nil
}

// rangesProblems checks the IPv4 ranges of the list at a path, none of which may be in it twice.
func rangesProblems(at string, cidrs []string) []Problem {
	problems := doubleNames(at, cidrs)
	for i, cidr := range cidrs {
		problems = append(problems, rangeProblems(fmt.Sprintf("%s[%d]", at, i), cidr)...)
	}
	return problems
}

// listedAddressProblems checks the IPv4 addresses of the list at a path, none of which may be in
// it twice.
func listedAddressProblems(at string, addresses []string) []Problem {
	problems := doubleNames(at, addresses)
	for i, address := range addresses {
		problems = append(problems, addressProblems(fmt.Sprintf("%s[%d]", at, i), address)...)
	}
	return problems
}

// overlapping finds a range of one list that overlaps one of another. What is no range does
// not.
func overlapping(some, others []string) (a, b string, found bool) {
	for _, a := range some {
		for _, b := range others {
			one, err := netip.ParsePrefix(a)
			other, err2 := netip.ParsePrefix(b)
			if err == nil && err2 == nil && one.Overlaps(other) {
				return a, b, true
			}
		}
	}
	return "", "", false
}

// overlapProblems says which ranges of the list at a path overlap those of whose.
func overlapProblems(at string, ranges, others []string, whose string) []Problem {
	var problems []Problem
	for i, one := range ranges {
		if _, other, overlap := overlapping([]string{one}, others); overlap {
			problems = append(problems, Problem{Field: fmt.Sprintf("%s[%d]", at, i), Message: fmt.Sprintf("%s overlaps %s of %s; both sides need ranges of their own", one, other, whose)})
		}
	}
	return problems
}

// networkProblems checks that the subnets and security groups of something are of its VPC.
func networkProblems(find Find, subnets, groups []string, vpc, who string) []Problem {
	problems := vpcProblems(find, Subnet.Kind, "spec.subnets", subnets, who, vpc)
	return append(problems, vpcProblems(find, SecurityGroup.Kind, "spec.securitygroups", groups, who, vpc)...)
}
