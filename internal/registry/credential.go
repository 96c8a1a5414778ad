package registry

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// CreateCredential seals and records a credential.
func (r *Registry) CreateCredential(ctx context.Context, body []byte) (*api.Credential, error) {
	var request api.CredentialRequest
	if err := resource.Decode(body, &request); err != nil {
		return nil, err
	}
	d, err := r.driverOf(ctx, request.Cloud)
	if err != nil {
		return nil, err
	}
	if request.Values, err = d.CheckCredential(request.Values); err != nil {
		return nil, err
	}
	return r.insertCredential(ctx, request)
}

func (r *Registry) insertCredential(ctx context.Context, request api.CredentialRequest) (*api.Credential, error) {
	row := &store.Credential{Name: request.Name, Cloud: request.Cloud, CreatedAt: store.MicrosOf(time.Now())}
	if request.ExpiresAt != nil {
		row.ExpiresAt = endOf(*request.ExpiresAt)
	}
	if err := r.sealInto(row, request.Values); err != nil {
		return nil, err
	}
	err := r.audited(ctx, api.VerbCreate, auditCredential, row.Name, func(ctx context.Context, q *store.Queries) error { return q.InsertCredential(ctx, row) })
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// sealInto gives a credential its values.
func (r *Registry) sealInto(row *store.Credential, values map[string]string) error {
	raw, err := json.Marshal(values)
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode the credential: %w", err)
	}
	row.Fields = slices.Sorted(maps.Keys(values))
	row.Sealed, err = r.sealer.Seal(raw, row.Identity())
	return err
}

// opened answers the values of a credential.
func (r *Registry) opened(ctx context.Context, row *store.Credential) (values map[string]string, err error) {
	raw, err := r.sealer.Unseal(ctx, row.Sealed, row.Identity())
	if err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "open the credential: %w", err)
	}
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "the credential %s is damaged", row.Name)
	}
	return values, nil
}

// Credentials lists the credentials, without their values.
func (r *Registry) Credentials(ctx context.Context) ([]api.Credential, error) {
	rows, err := r.store.Read().Credentials(ctx)
	return store.Convert(rows, (*store.Credential).Resource), err
}

// Credential answers one, without its values.
func (r *Registry) Credential(ctx context.Context, name string) (*api.Credential, error) {
	row, err := r.store.Read().Credential(ctx, name)
	if err != nil {
		return nil, err
	}
	answer := row.Resource()
	return &answer, nil
}

// DeleteCredential forgets a credential that no connection uses.
func (r *Registry) DeleteCredential(ctx context.Context, name string) error {
	return r.audited(ctx, api.VerbDelete, auditCredential, name, func(ctx context.Context, q *store.Queries) error {
		if _, err := q.Credential(ctx, name); err != nil {
			return err
		}
		users, err := q.Connections(ctx, name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return resource.Errorf(resource.CodeDependency, "the credential %s is used by the connections: %s; delete those first", name, strings.Join(store.Convert(users, func(c *store.Connection) string { return c.Name }), ", "))
		}
		return q.DeleteCredential(ctx, name)
	})
}
