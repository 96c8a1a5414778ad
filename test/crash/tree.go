package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// tree is a VPC of a connection with all that belongs to it. Several clients work on
// it at once; none of them is ever sure of what is there.
type tree struct {
	connection string
	number     int
	clusters   int // how many it may have

	mu       sync.Mutex
	building bool            // or else it is being torn down
	there    map[target]bool // as far as the clients know
}

// target names a resource of the tree's connection.
type target struct{ kind, name string }

// change is one thing that a client asks for.
type change struct {
	target
	verb string // verbCreate, verbDelete, verbRelease or an action
	body string
	many []target // of the creation of several at once, else nil
}

// Verbs of changes that are not actions.
const (
	verbCreate  = api.VerbCreate
	verbDelete  = api.VerbDelete
	verbRelease = api.VerbRelease
)

// makes is what a creation makes.
func (c change) makes() []target {
	if c.many != nil {
		return c.many
	}
	return []target{c.target}
}

// request is how the server is asked for it.
func (c change) request(connection string) (method, path string) {
	switch all := kindPath(connection, c.kind); c.verb {
	case verbCreate:
		return http.MethodPost, all
	case verbDelete:
		return http.MethodDelete, all + "/" + c.name
	default:
		return http.MethodPost, all + "/" + c.name + ":" + c.verb
	}
}

// Sizes of a tree.
const (
	subnetsOfTree = 2
	groupsOfTree  = 2
	vmsOfTree     = 6
	manyOfTree    = 3 // VMs that are created together

	clustersOfTree = 3
	onlyClusters   = 12 // of a tree that grows little else
)

func newTree(connection string, number int) *tree {
	return &tree{connection: connection, number: number, clusters: clustersOfTree, building: true, there: map[target]bool{}}
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

// groupsOfCluster are the node groups at most; the cluster's number says how many it has.
const groupsOfCluster = 3

func (t *tree) cluster(i int) target {
	return target{resource.Cluster.Name, fmt.Sprintf("%scluster%d-of-%d", t.root(), i, 1+i%groupsOfCluster)}
}

// nodeGroups are those that the cluster of a name is asked to have.
func nodeGroups(cluster string) []string {
	var count int
	if _, after, ok := strings.Cut(cluster, "-of-"); ok {
		count, _ = strconv.Atoi(after) // our own name
	}
	var names []string
	for i := range count {
		names = append(names, fmt.Sprint("group", i))
	}
	return names
}

// many is what the names of the VMs that are created together begin with.
func (t *tree) many() string { return t.root() + "many" }

// manyVMs are the VMs that are created together, as the server names them.
func (t *tree) manyVMs() []target {
	var all []target
	for i := range manyOfTree {
		all = append(all, target{resource.VM.Name, fmt.Sprintf("%s-%d", t.many(), i+1)})
	}
	return all
}

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
	for _, kind := range usersFirst() {
		if leaves := t.known(kind); len(leaves) > 0 {
			return change{target: pick(r, leaves), verb: verbDelete}
		}
	}
	t.building = true
	return t.grow(r, m)
}

// usersFirst are the kinds of a tree, from its leaves to its root.
func usersFirst() []string {
	return []string{resource.Cluster.Name, resource.VM.Name, resource.SecurityGroup.Name, resource.Subnet.Name, resource.VPC.Name}
}

// grow draws a create, and now and then what happens to a VM. t.mu is held.
func (t *tree) grow(r *rand.Rand, m machine) change {
	subnet, group := r.IntN(subnetsOfTree), r.IntN(groupsOfTree)
	vm, together := t.vm(r.IntN(vmsOfTree)), r.IntN(8) == 0
	if together {
		vm = pick(r, t.manyVMs())
	}
	cluster := t.cluster(r.IntN(t.clusters))
	n := r.IntN(20)
	switch {
	case !t.there[t.vpc()]:
		return create(t.vpc(), `{"cidr":"10.%d.0.0/16"}`, t.number)
	case !t.there[t.subnet(subnet)] && n < 16:
		return create(t.subnet(subnet), `{"vpc":%q,"cidr":"10.%d.%d.0/24"}`, t.vpc().name, t.number, subnet)
	case !t.there[t.group(group)] && n < 8:
		return create(t.group(group), `{"vpc":%q,"rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}]}`, t.vpc().name)
	case t.clusters == onlyClusters || r.IntN(6) == 0:
		return t.shift(r, cluster, t.subnet(subnet).name, m)
	case t.there[vm] && n < 10:
		return change{target: vm, verb: verbDelete}
	case t.there[vm] && n < 18:
		return change{target: vm, verb: pick(r, []string{"stop", "start", "reboot", verbRelease})}
	}
	groups := ""
	if t.there[t.group(group)] {
		groups = fmt.Sprintf(`,"securitygroups":[%q]`, t.group(group).name)
	}
	spec := fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":%q%s}`, m.image, m.spec, t.subnet(subnet).name, groups)
	onFailure := drawOnFailure(r)
	if together {
		return change{
			target: target{resource.VM.Name, t.many()}, verb: verbCreate, many: t.manyVMs(),
			body: fmt.Sprintf(`{"name":%q,"count":%d,"onFailure":%q,"spec":%s}`, t.many(), manyOfTree, onFailure, spec),
		}
	}
	return change{target: vm, verb: verbCreate, body: fmt.Sprintf(`{"name":%q,"onFailure":%q,"spec":%s}`, vm.name, onFailure, spec)}
}

// shift draws what becomes of a cluster: it is made, mostly, or removed. t.mu is held.
func (t *tree) shift(r *rand.Rand, cluster target, subnet string, m machine) change {
	if t.there[cluster] {
		return change{target: cluster, verb: pick(r, []string{verbDelete, verbDelete, verbDelete, verbRelease})}
	}
	var groups []string
	for _, name := range nodeGroups(cluster.name) {
		groups = append(groups, fmt.Sprintf(`{"name":%q,"spec":%q}`, name, m.spec))
	}
	return change{target: cluster, verb: verbCreate, body: fmt.Sprintf(`{"name":%q,"onFailure":%q,"spec":{"vpc":%q,"subnets":[%q],"nodeGroups":[%s]}}`,
		cluster.name, drawOnFailure(r), t.vpc().name, subnet, strings.Join(groups, ","))}
}

func drawOnFailure(r *rand.Rand) resource.OnFailure {
	return pick(r, []resource.OnFailure{resource.OnFailureKeep, resource.OnFailureDelete})
}

func create(what target, spec string, args ...any) change {
	return change{target: what, verb: verbCreate, body: fmt.Sprintf(`{"name":%q,"spec":%s}`, what.name, fmt.Sprintf(spec, args...))}
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
