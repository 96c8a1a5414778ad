package spider

import (
	"cmp"
	"context"

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
	known      map[string]map[string]*resource.Resource // by kind and name
	zone       *resource.Connection
	err        error            // the first that came in the way; what was answered since is worth nothing
	foreign    bool             // names are the cloud's: for objects that are not managed here
	owned      map[string][]IID // disks by VM, once somebody asked
}

func (r *request) view(connection string) *view {
	return &view{ctx: r.Context(), server: r.server, connection: connection, known: map[string]map[string]*resource.Resource{}}
}

// all answers the resources of a kind that exist, by name.
func (v *view) all(kind string) map[string]*resource.Resource {
	if known, ok := v.known[kind]; ok || v.err != nil {
		return known
	}
	var (
		items []*resource.Resource
		err   error
	)
	if v.foreign {
		items, _, err = v.server.Engine.Survey(v.ctx, v.connection, kind)
	} else {
		items, err = v.server.recorded(v.ctx, v.connection, kind)
	}
	if err != nil && resource.CodeOf(err) != resource.CodeUnsupported {
		v.err = err
		return nil
	}
	known := make(map[string]*resource.Resource, len(items))
	for _, r := range items {
		known[cmp.Or(r.Name, r.CloudID)] = r
	}
	v.known[kind] = known
	return known
}

// iid answers name and cloud id of what a resource refers to. One that is not
// managed here is referred to by its cloud id.
func (v *view) iid(kind, name string) IID {
	if name == "" {
		return IID{}
	}
	if r := v.all(kind)[name]; r != nil {
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
	if v.foreign {
		return IID{NameId: r.CloudID, SystemId: r.CloudID}
	}
	return IID{NameId: r.Name, SystemId: r.CloudID}
}

// vpcOf answers the VPC of a subnet.
func (v *view) vpcOf(subnet string) IID {
	r := v.all(resource.Subnet.Name)[subnet]
	if r == nil {
		return IID{}
	}
	return v.iid(resource.VPC.Name, read[resource.SubnetSpec](r.Spec).VPC)
}

// place is the region and zone of the connection.
func (v *view) place() resource.Connection {
	if v.zone == nil {
		c, err := v.server.Engine.Connection(v.ctx, v.connection)
		if err != nil {
			v.err = err
			return resource.Connection{}
		}
		v.zone = c
	}
	return *v.zone
}

// recorded answers what is recorded of a kind, without looking at the cloud.
func (s *server) recorded(ctx context.Context, connection, kind string) ([]*resource.Resource, error) {
	var all []*resource.Resource
	query := store.Query{Limit: pageSize}
	for {
		items, next, err := s.Engine.List(ctx, connection, kind, query)
		if err != nil {
			return nil, err
		}
		for _, r := range items {
			if exists(r) {
				all = append(all, r)
			}
		}
		if next == "" {
			return all, nil
		}
		query.Token = next
	}
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
	if err := s.Engine.Refresh(ctx, connection, kind, s.Fresh); err != nil {
		return nil, err
	}
	return s.recorded(ctx, connection, kind)
}

func partsOf(id string) store.Query {
	return store.Query{Limit: pageSize, Filters: []store.Filter{{Field: "parent", Op: store.FilterEqual, Value: id}}}
}
