package spider

import (
	"fmt"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// register takes a resource that exists on the cloud under management, with its parts.
func (k *kind) register(r *request) (any, error) {
	connection, err := r.connection()
	if err != nil {
		return nil, err
	}
	in, err := k.placeOf(r, connection)
	if err != nil {
		return nil, err
	}
	var req struct {
		named
		SubnetInfoList []struct{ Name, CSPId text } // how subnets were called by who managed them before
	}
	if err := r.decode(&req); err != nil {
		return nil, err
	}
	if err := req.check("Name"); err != nil {
		return nil, err
	}
	id, err := r.need("CSPId")
	if err != nil {
		return nil, err
	}
	name, parts := string(req.Name), map[string]string{}
	for i, part := range req.SubnetInfoList {
		if err := (named{Name: part.Name}).check(fmt.Sprintf("SubnetInfoList[%d].Name", i)); err != nil {
			return nil, err
		}
		parts[string(part.CSPId)] = string(part.Name)
	}
	found, err := k.adopt(r, connection, inventory.Adopting{
		AdoptRequest: api.AdoptRequest{CloudID: id}, FacadeName: name, In: in, Parts: parts,
	})
	if resource.CodeOf(err) == resource.CodeAlreadyExists {
		owner := in.Name
		if k.owner == nil {
			owner = ""
		}
		if _, taken := r.server.Inventory.Named(r.Context(), connection, k.of.Name, owner, name); taken == nil {
			return nil, k.exists(name, connection)
		}
	}
	if err != nil {
		return nil, err
	}
	return k.render(r.view(connection), found, nil)
}

// managed answers what the cloud knows by an id, taking it under management if it is not.
func (k *kind) managed(r *request, connection, id string) (*resource.Resource, error) {
	in, err := k.placeOf(r, connection)
	if err != nil {
		return nil, err
	}
	known, err := k.registered(r, connection, id)
	if err != nil {
		return nil, err
	}
	if known != nil {
		return known, inventory.Placed(known, in)
	}
	return k.adopt(r, connection, inventory.Adopting{AdoptRequest: api.AdoptRequest{CloudID: id}, In: in})
}

// adopt takes what the cloud has under management.
func (k *kind) adopt(r *request, connection string, what inventory.Adopting) (*resource.Resource, error) {
	if err := r.may(people.Adopt, k.of.Name, connection); err != nil {
		return nil, err
	}
	found, err := r.server.Inventory.AdoptNamed(r.Context(), connection, k.of.Name, what)
	if resource.CodeOf(err) == resource.CodeNotFound {
		return nil, resource.Errorf(resource.CodeNotFound, "%s '%s' does not exist on the cloud of connection '%s': %w", k.title, what.CloudID, connection, err)
	}
	return found, k.rename(err)
}

// registered finds what is managed here of what the cloud knows by an id.
func (k *kind) registered(r *request, connection, id string) (*resource.Resource, error) {
	items, err := r.server.recorded(r.Context(), connection, k.of.Name)
	if i := slices.IndexFunc(items, func(item *resource.Resource) bool { return item.CloudID == id }); i >= 0 {
		return items[i], nil
	}
	return nil, err
}

// unregister forgets a resource and leaves it on the cloud, with its parts.
func (k *kind) unregister(r *request) (any, error) {
	at, err := k.target(r)
	if err != nil {
		return nil, err
	}
	found, err := k.lookUp(r, at.connection, at.owner, at.name)
	if err != nil {
		return nil, err
	}
	_, err = r.server.Inventory.Release(r.Context(), at.connection, k.of.Name, found.Name)
	return done(), err
}
