package drivertest

import (
	"context"
	"slices"
	"strings"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Lacking is a credential that may not do everything.
type Lacking struct {
	Config      driver.Config // complete; it connects
	Permissions []string      // those that it lacks, as the driver calls them
}

// permissionChecks are those of what a credential may do.
func (s *suite) permissionChecks() []check {
	if len(s.description.Permissions) == 0 {
		return nil
	}
	checks := []check{{"connection", "permissions", "answer", false, checkPermissions}}
	if s.target.Lacking != nil {
		checks = append(checks, check{"connection", "permissions", "lacking", false, checkLacking})
	}
	return checks
}

func (c *conn) permissions(ctx context.Context) (permissions []driver.Permission, err error) {
	err = c.call(ctx, "permissions", func(ctx context.Context) (err error) {
		permissions, err = c.open.Permissions(ctx)
		return err
	})
	return permissions, err
}

// permissions are those of a connection by their names.
func (t *try) permissions(c *conn) map[string]driver.Permission {
	all, err := c.permissions(t.ctx)
	if err != nil {
		t.Fatalf("ask for the permissions: %v", said(err))
	}
	found := map[string]driver.Permission{}
	for _, p := range all {
		if _, twice := found[p.Name]; twice || !slices.Contains(t.description.Permissions, p.Name) {
			t.Errorf("the permission %q is answered twice, or is not in the description", p.Name)
		}
		found[p.Name] = p
	}
	return found
}

// checkPermissions: the credential that all of the suite works with lacks nothing, and each
// permission says what it is for.
func checkPermissions(t *try) {
	found := t.permissions(t.session())
	for _, name := range t.description.Permissions {
		p, answered := found[name]
		if !answered {
			t.Errorf("the permission %s of the description is not answered", name)
		}
		if p.Has == driver.LacksIt {
			t.Errorf("the credential is said to lack %s: %s", name, p.Reason)
		}
		for _, use := range p.Uses {
			kind, verb, _ := strings.Cut(use, "/")
			if !t.description.Offers(kind, verb) || t.description.Keeps(kind) {
				t.Errorf("%s is said to be needed for %q, which the driver does not do", name, use)
			}
		}
	}
}

// checkLacking: what a credential is said to lack it lacks, and nothing else.
func checkLacking(t *try) {
	c := t.connectTo(t.target.Lacking.Config)
	for name, p := range t.permissions(c) {
		lacks := slices.Contains(t.target.Lacking.Permissions, name)
		if lacks != (p.Has == driver.LacksIt) {
			t.Errorf("the credential is said to have %s: %s; it lacks %q", name, p.Has, t.target.Lacking.Permissions)
		}
		if !lacks {
			continue
		}
		for _, use := range p.Uses {
			kind, verb, _ := strings.Cut(use, "/")
			var err error
			switch verb {
			case "list":
				_, err = c.list(t.ctx, kind)
			case "delete":
				err = c.delete(t.ctx, kind, wrongValue)
			default:
				continue
			}
			if resource.CodeOf(err) != resource.CodeDenied {
				t.Errorf("without %s, %s answers %s; want denied", name, use, said(err))
			}
		}
	}
}
