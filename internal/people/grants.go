package people

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Grants answers all, the oldest first.
func (p *People) Grants(context.Context) []api.Grant {
	grants := []api.Grant{}
	for _, row := range p.known.Load().rows.Grants {
		grants = append(grants, row.Resource())
	}
	return grants
}

// CreateGrant gives a role to a user or a group.
func (p *People) CreateGrant(ctx context.Context, body []byte) (*api.Grant, error) {
	var request api.GrantRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	if (request.User == "") == (request.Group == "") {
		return nil, resource.Invalid(resource.Problem{Field: "user", Message: "name a user or a group, and one of them"})
	}
	if _, err := p.Role(ctx, request.Role); err != nil {
		return nil, resource.Invalid(resource.Problem{Field: "role", Message: err.Error()})
	}
	if err := resource.Invalid(labelTestProblems("connectionLabels", request.ConnectionLabels)...); err != nil {
		return nil, err
	}
	row := &store.Grant{
		ID: uuid.Must(uuid.NewV7()).String(), User: request.User, Group: request.Group, Role: request.Role, Connections: request.Connections, ConnectionLabels: request.ConnectionLabels,
		GrantedBy: auth.Who(ctx), CreatedAt: store.MicrosOf(time.Now()),
	}
	err := p.change(ctx, Create, grantName(row), func(ctx context.Context, q *store.Queries) error {
		if row.User != "" {
			if _, err := q.User(ctx, row.User); err != nil {
				return err
			}
		}
		return q.InsertGrant(ctx, row)
	})
	made := row.Resource()
	return &made, err
}

// grantName is what the audit trail calls a grant.
func grantName(g *store.Grant) string {
	name := "grant of " + g.Role + " to "
	if g.Group != "" {
		return name + "the group " + g.Group
	}
	return name + g.User
}

// DeleteGrant takes a role away.
func (p *People) DeleteGrant(ctx context.Context, id string) error {
	return p.change(ctx, Delete, "grant "+id, func(ctx context.Context, q *store.Queries) error { return q.DeleteGrant(ctx, id) })
}
