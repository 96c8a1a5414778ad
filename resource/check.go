package resource

import (
	"encoding/json"
	"fmt"
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
		var spec struct {
			VPC string `json:"vpc"`
		}
		if findSpec(find, kind, name, &spec) && spec.VPC != vpc {
			problems = append(problems, Problem{
				Field:   fmt.Sprintf("%s[%d]", at, i),
				Message: fmt.Sprintf("%s belongs to the VPC %s, %s to %s; they must be of the same VPC", name, spec.VPC, who, vpc),
			})
		}
	}
	return problems
}
