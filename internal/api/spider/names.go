package spider

import (
	"cmp"

	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// called is how clients call a resource: by the name that they gave it, otherwise by that
// which it has here.
func called(r *resource.Resource) string { return cmp.Or(r.FacadeName, r.Name) }

// target is how a call names the resource that it is about.
type target struct {
	connection string
	owner      string // name here of what it is a part of; "" if its kind has none, or the call does not say
	name       string // as clients call it
}

// target reads what a call is about.
func (k *kind) target(r *request) (at target, err error) {
	if at.connection, err = r.connection(); err != nil {
		return at, err
	}
	if at.owner, err = k.ownerOf(r, at.connection); err != nil {
		return at, err
	}
	at.name, err = r.param("Name")
	return at, err
}

// targeted finds what a call is about.
func (k *kind) targeted(r *request) (*resource.Resource, error) {
	at, err := k.target(r)
	if err != nil {
		return nil, err
	}
	return k.find(r, at.connection, at.owner, at.name)
}

// ownerOf reads what the resource that a call is about is a part of.
func (k *kind) ownerOf(r *request, connection string) (string, error) {
	if k.owner == nil {
		return "", nil
	}
	in, err := k.placeOf(r, connection)
	return in.Name, err
}

// placeOf reads which VPC the resource that a call is about belongs to, zero if its kind
// belongs to none, or the call does not say.
func (k *kind) placeOf(r *request, connection string) (inventory.Named, error) {
	name, err := r.param("VPCName")
	if err == nil && name == "" {
		name, err = r.text("VPCName")
	}
	if err != nil || name == "" || !k.of.RefersTo(resource.VPC.Name) {
		return inventory.Named{}, err
	}
	found, err := vpc().find(r, connection, "", name)
	if err != nil {
		return inventory.Named{}, err
	}
	return inventory.Named{Kind: resource.VPC.Name, Name: found.Name}, nil
}

// find reads one resource that exists, by what clients call it among the parts of an owner.
func (k *kind) find(r *request, connection, owner, name string) (*resource.Resource, error) {
	found, err := k.lookUp(r, connection, owner, name)
	if err == nil && !exists(found) {
		return nil, k.missing(name, connection)
	}
	return found, err
}

// lookUp is find for what may not exist on the cloud.
func (k *kind) lookUp(r *request, connection, owner, name string) (*resource.Resource, error) {
	found, err := r.server.Inventory.Named(r.Context(), connection, k.of.Name, owner, name)
	switch resource.CodeOf(err) {
	case resource.CodeNotFound:
		return nil, k.missing(name, connection)
	case resource.CodeConflict:
		return nil, resource.Errorf(resource.CodeConflict, "several have a %s '%s' in connection '%s'; say which with VPCName", k.title, name, connection)
	}
	return found, err
}

// translation is what the names and values of a request become.
type translation struct {
	*request
	connection string
	problems   []resource.Problem // what no spec can hold
	err        error              // the first that cannot be looked up, such as a name that nothing has
}

func (r *request) translation() (*translation, error) {
	connection, err := r.connection()
	return &translation{request: r, connection: connection}, err
}

// done answers what is wrong.
func (t *translation) done() error {
	return cmp.Or(resource.Invalid(t.problems...), t.err)
}

// ours is the name here of what a request names, "" if it names nothing.
func (t *translation) ours(k *kind, owner string, name text) string {
	if name == "" || t.err != nil {
		return ""
	}
	err := t.may(people.Read, k.of.Name, t.connection)
	var found *resource.Resource
	if err == nil {
		found, err = k.find(t.request, t.connection, owner, string(name))
	}
	if err != nil {
		t.err = err
		return ""
	}
	return found.Name
}

// subnet is the name here of a subnet of a VPC.
func (t *translation) subnet(in, name text) string {
	return t.ours(subnet(), t.ours(vpc(), "", in), name)
}

// allOurs is ours for a list.
func (t *translation) allOurs(k *kind, owner string, names []text) []string {
	var ours []string
	for _, name := range names {
		ours = append(ours, t.ours(k, owner, name))
	}
	return ours
}
