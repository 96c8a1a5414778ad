package people

import (
	"context"
	"slices"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Groups answers all.
func (p *People) Groups(context.Context) []api.UserGroup {
	k := p.known.Load()
	groups := []api.UserGroup{}
	for _, row := range k.rows.Groups {
		group := api.UserGroup{Name: row.Name, Doc: row.Doc, Members: []string{}}
		for _, m := range k.rows.Members {
			if m.Group == row.Name {
				group.Members = append(group.Members, m.User)
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// Group answers one.
func (p *People) Group(ctx context.Context, name string) (*api.UserGroup, error) {
	groups := p.Groups(ctx)
	if i := slices.IndexFunc(groups, func(g api.UserGroup) bool { return g.Name == name }); i >= 0 {
		return &groups[i], nil
	}
	_, err := p.Store.Read().Group(ctx, name)
	return nil, err
}

// CreateGroup records one.
func (p *People) CreateGroup(ctx context.Context, body []byte) (*api.UserGroup, error) {
	var request api.UserGroupRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	err := p.change(ctx, Create, "group "+request.Name, func(ctx context.Context, q *store.Queries) error {
		return q.InsertGroup(ctx, &store.UserGroup{Name: request.Name, Doc: request.Doc})
	})
	if err != nil {
		return nil, err
	}
	return p.Group(ctx, request.Name)
}

// DeleteGroup removes one with its grants; its members stay.
func (p *People) DeleteGroup(ctx context.Context, name string) error {
	return p.change(ctx, Delete, "group "+name, func(ctx context.Context, q *store.Queries) error { return q.DeleteGroup(ctx, name) })
}
