package spider

import (
	"context"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// view is what is known of a connection while one request is answered. CB-Spider's
// structs repeat much of what a resource refers to; each kind is read once for all
// of them.
type view struct {
	ctx        context.Context //nolint:containedctx // lives as long as the request
	server     *server
	connection string
	known      map[string]func(string) *resource.Resource // by kind: the resource of a name
	zone       *api.Connection
	looked     map[string]bool                // kinds of which the cloud was asked
	parts      map[string]*inventory.Snapshot // what was read, by kind
	err        error                          // the first that came in the way; what was answered since is worth nothing
	foreign    bool                           // the cloud is asked, also for what is not managed here
	surveys    map[string]*survey             // what it answered, by kind
	owned      map[string][]IID               // disks by VM, once somebody asked
}

func (r *request) view(connection string) *view {
	return &view{ctx: r.Context(), server: r.server, connection: connection, known: map[string]func(string) *resource.Resource{}, looked: map[string]bool{}, parts: map[string]*inventory.Snapshot{}, surveys: map[string]*survey{}}
}

// survey is where the resources of a kind are.
type survey struct {
	cloud []*resource.Resource // on the cloud, managed here or not
	here  []*resource.Resource // recorded here and not on the cloud
	err   error
}

// onCloud is a view of what a connection's cloud has. What is managed here has the name
// that it has here, the rest the cloud's.
func (r *request) onCloud(connection string) *view {
	v := r.view(connection)
	v.foreign = true
	return v
}

func (v *view) survey(kind string) *survey {
	found := v.surveys[kind]
	if found == nil {
		found = &survey{}
		found.cloud, found.here, found.err = v.server.Inventory.Survey(v.ctx, v.connection, kind)
		v.surveys[kind] = found
	}
	return found
}

// object finds what the cloud knows by an id.
func (v *view) object(kind, id string) (*resource.Resource, error) {
	found := v.survey(kind)
	if i := slices.IndexFunc(found.cloud, func(r *resource.Resource) bool { return r.CloudID == id }); i >= 0 {
		return found.cloud[i], nil
	}
	return nil, found.err
}

// referred is how other resources refer to one: what is not managed here has only the
// cloud's id, since several may have the same name there.
func referred(r *resource.Resource) string {
	if r.UID == "" {
		return r.CloudID
	}
	return r.Name
}

// all answers the resources of a kind, in a view of the cloud those that are there.
func (v *view) all(kind string) []*resource.Resource {
	if v.err != nil {
		return nil
	}
	var (
		items []*resource.Resource
		err   error
	)
	if v.foreign {
		found := v.survey(kind)
		items, err = found.cloud, found.err
	} else {
		items, err = existing(v.snapshot(kind))
	}
	if err != nil && resource.CodeOf(err) != resource.CodeUnsupported {
		v.err = err
	}
	return items
}

// named answers the resource of a name, or of a cloud id where that is its only name.
func (v *view) named(kind, name string) *resource.Resource {
	find := v.known[kind]
	if find == nil {
		if v.foreign {
			byName := map[string]*resource.Resource{}
			for _, r := range v.all(kind) {
				byName[referred(r)] = r
			}
			find = func(name string) *resource.Resource { return byName[name] }
		} else {
			snapshot, err := v.snapshot(kind)
			if err != nil {
				v.err = err
				return nil
			}
			find = snapshot.Named
		}
		v.known[kind] = find
	}
	return find(name)
}

func (v *view) snapshot(kind string) (*inventory.Snapshot, error) {
	if part := v.parts[kind]; part != nil {
		return part, nil
	}
	part, err := v.server.Inventory.Snapshot(v.ctx, v.connection, kind)
	if err == nil {
		v.parts[kind] = part
	}
	return part, err
}

// look has what is recorded of a kind say what the cloud shows.
func (v *view) look(kind string) {
	if v.err == nil && !v.foreign && !v.looked[kind] {
		v.looked[kind] = true
		v.err = v.server.Inventory.Refresh(v.ctx, v.connection, kind, v.server.Fresh)
	}
}

// iid answers name and cloud id of what a resource refers to. One that is not
// managed here is referred to by its cloud id.
func (v *view) iid(kind, name string) IID {
	if name == "" {
		return IID{}
	}
	if r := v.named(kind, name); r != nil {
		return v.iidOf(r)
	}
	return IID{NameId: name, SystemId: name}
}

func (v *view) iids(kind string, names []string) []IID {
	ids := make([]IID, len(names))
	for i, name := range names {
		ids[i] = v.iid(kind, name)
	}
	return ids
}

func (v *view) iidOf(r *resource.Resource) IID {
	return IID{NameId: called(r), SystemId: r.CloudID}
}

// vpcOf answers the VPC of a subnet.
func (v *view) vpcOf(subnet string) IID {
	r := v.named(resource.Subnet.Name, subnet)
	if r == nil {
		return IID{}
	}
	return v.iid(resource.VPC.Name, read[resource.SubnetSpec](r.Effective).VPC)
}

// place is the region and zone of the connection.
func (v *view) place() api.Connection {
	if v.zone == nil {
		c, err := v.server.Registry.KnownConnection(v.ctx, v.connection)
		if err != nil {
			v.err = err
			return api.Connection{}
		}
		v.zone = c
	}
	return *v.zone
}

// recorded answers what is recorded of a kind and exists, without looking at the
// cloud.
func (s *server) recorded(ctx context.Context, connection, kind string) ([]*resource.Resource, error) {
	return existing(s.Inventory.Snapshot(ctx, connection, kind))
}

func existing(snapshot *inventory.Snapshot, err error) ([]*resource.Resource, error) {
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(snapshot.Items), func(r *resource.Resource) bool { return !exists(r) }), nil
}

const pageSize = 1000

// exists reports whether CB-Spider would know the resource: not one whose creation
// was refused.
func exists(r *resource.Resource) bool {
	return r.CloudID != "" || r.State != resource.StateFailed
}

// fresh answers what is recorded of a kind, no older than Config.Fresh. If the cloud
// cannot be asked, so it says.
func (s *server) fresh(ctx context.Context, connection, kind string) ([]*resource.Resource, error) {
	if err := s.Inventory.Refresh(ctx, connection, kind, s.Fresh); err != nil {
		return nil, err
	}
	return s.recorded(ctx, connection, kind)
}

func partsOf(id string) store.Query {
	return store.Query{Limit: pageSize, Filters: []store.Filter{{Field: "parent", Op: store.FilterEqual, Value: id}}}
}
