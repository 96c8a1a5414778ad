package mock

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What a credential may do with a kind.
const (
	toRead  = "read"
	toWrite = "write"
)

// permissionTo is what a credential needs to do something with a kind, such as vm:write.
func permissionTo(do string, kind *resource.Kind) string { return kind.Name + ":" + do }

// allPermissions are all that there are for kinds.
func allPermissions(kinds []*resource.Kind) []string {
	var all []string
	for _, k := range kinds {
		all = append(all, permissionTo(toRead, k), permissionTo(toWrite, k))
	}
	return all
}

// parseDenied reads permission,permission.
func parseDenied(text string, all []string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	denied := strings.Split(text, ",")
	for _, name := range denied {
		if !slices.Contains(all, name) {
			return nil, resource.Invalid(resource.Problem{Field: "values.denied", Message: fmt.Sprintf("there is no permission %.64q; there are: %s", name, strings.Join(all, ", ")), Rule: resource.RuleEnum, Limit: strings.Join(all, ", ")})
		}
	}
	return denied, nil
}

// permit refuses what the credential may not do.
func (s *session) permit(do string, kind *resource.Kind) error {
	if permission := permissionTo(do, kind); slices.Contains(s.denied, permission) {
		return refuse(resource.CodeDenied, "UnauthorizedOperation", "the credential lacks the permission %s (field denied); use one that has it", permission)
	}
	return nil
}

// Permissions implements driver.PermissionReader.
func (s *session) Permissions(ctx context.Context) ([]driver.Permission, error) {
	if err := s.callRegion(ctx); err != nil {
		return nil, err
	}
	var all []driver.Permission
	for _, k := range s.cloud.kinds() {
		uses := map[string][]string{toRead: {"list", "get"}, toWrite: {"create", "check", "delete"}}
		for _, a := range k.Actions {
			uses[toWrite] = append(uses[toWrite], a.Name)
		}
		for _, v := range k.Views {
			uses[toRead] = append(uses[toRead], v.Name)
		}
		for _, c := range k.Data {
			do := toWrite
			if c.Method == http.MethodGet && !c.Takes {
				do = toRead
			}
			uses[do] = append(uses[do], c.Name)
		}
		for _, do := range []string{toRead, toWrite} {
			p := driver.Permission{Name: permissionTo(do, k), Has: driver.HasIt}
			if slices.Contains(s.denied, p.Name) {
				p.Has, p.Reason = driver.LacksIt, "the field denied of the credential takes it away"
			}
			for _, verb := range uses[do] {
				p.Uses = append(p.Uses, k.Name+"/"+verb)
			}
			all = append(all, p)
		}
	}
	return all, nil
}
