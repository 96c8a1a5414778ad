package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// tree is a VPC of a connection with all that belongs to it. Several clients work on
// it at once; none of them is ever sure of what is there.
type tree struct {
	connection string
	number     int

	mu       sync.Mutex
	building bool            // or else it is being torn down
	there    map[target]bool // as far as the clients know
}

// target names a resource of the tree's connection.
type target struct{ kind, name string }

// change is one thing that a client asks for.
type change struct {
	target
	create bool
	body   string
}

// Sizes of a tree.
const (
	subnetsOfTree = 2
	groupsOfTree  = 2
	vmsOfTree     = 6
)

func newTree(connection string, number int) *tree {
	return &tree{connection: connection, number: number, building: true, there: map[target]bool{}}
}

// root is in the names of all that belongs to the tree, and of nothing else.
func (t *tree) root() string { return fmt.Sprintf("v%d-", t.number) }

func (t *tree) vpc() target { return target{resource.VPC.Name, t.root() + "net"} }
func (t *tree) subnet(i int) target {
	return target{resource.Subnet.Name, fmt.Sprint(t.root(), "sub", i)}
}

func (t *tree) group(i int) target {
	return target{resource.SecurityGroup.Name, fmt.Sprint(t.root(), "group", i)}
}
func (t *tree) vm(i int) target { return target{resource.VM.Name, fmt.Sprint(t.root(), "vm", i)} }

// next draws what to do next. A tree grows for a while and is then torn down, from
// its leaves to its root.
func (t *tree) next(r *rand.Rand, m machine) change {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.IntN(30) == 0 {
		t.building = !t.building
	}
	if t.building {
		return t.grow(r, m)
	}
	for _, kind := range []string{resource.VM.Name, resource.SecurityGroup.Name, resource.Subnet.Name, resource.VPC.Name} {
		if leaves := t.known(kind); len(leaves) > 0 {
			return change{target: pick(r, leaves)}
		}
	}
	t.building = true
	return t.grow(r, m)
}

// grow draws a create, and now and then the deletion of a VM. t.mu is held.
func (t *tree) grow(r *rand.Rand, m machine) change {
	subnet, group, vm := r.IntN(subnetsOfTree), r.IntN(groupsOfTree), r.IntN(vmsOfTree)
	switch n := r.IntN(20); {
	case !t.there[t.vpc()]:
		return create(t.vpc(), `{"cidr":"10.%d.0.0/16"}`, t.number)
	case !t.there[t.subnet(subnet)] && n < 16:
		return create(t.subnet(subnet), `{"vpc":%q,"cidr":"10.%d.%d.0/24"}`, t.vpc().name, t.number, subnet)
	case !t.there[t.group(group)] && n < 8:
		return create(t.group(group), `{"vpc":%q,"rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}]}`, t.vpc().name)
	case t.there[t.vm(vm)] && n < 18:
		return change{target: t.vm(vm)}
	}
	groups := ""
	if t.there[t.group(group)] {
		groups = fmt.Sprintf(`,"securitygroups":[%q]`, t.group(group).name)
	}
	return create(t.vm(vm), `{"image":%q,"spec":%q,"subnet":%q%s}`, m.image, m.spec, t.subnet(subnet).name, groups)
}

func create(what target, spec string, args ...any) change {
	return change{what, true, fmt.Sprintf(`{"name":%q,"spec":%s}`, what.name, fmt.Sprintf(spec, args...))}
}

// known is what the clients believe to be there, in a fixed order. t.mu is held.
func (t *tree) known(kind string) []target {
	var found []target
	for what, there := range t.there {
		if there && what.kind == kind {
			found = append(found, what)
		}
	}
	slices.SortFunc(found, func(a, b target) int { return strings.Compare(a.name, b.name) })
	return found
}

// learn notes whether something is there.
func (t *tree) learn(what target, there bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.there[what] = there
}
