package driver

import (
	"context"
	"fmt"
	"slices"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
)

// PermissionReader is implemented by sessions that can find out which permissions their
// credential has. Permissions answers each of the driver's About.Permissions once. Those of
// other drivers are answered as unknown.
type PermissionReader interface {
	Permissions(ctx context.Context) ([]Permission, error)
}

// Permission is something that a credential must be allowed to do.
type Permission struct {
	Name   string   `json:"name" doc:"The permission, in the cloud's own terms."`
	Uses   []string `json:"uses,omitempty" doc:"What needs it, as kind/verb. Absent if the driver does not say." nullable:"false"`
	Has    Has      `json:"has" doc:"Whether the credential has it; unknown if that cannot be found out without trying." enum:"yes,no,unknown"`
	Reason string   `json:"reason,omitempty" doc:"Why the credential lacks it, or why that is not known."`
}

// Has says whether a credential has a permission.
type Has string

// The answers to that.
const (
	HasIt    Has = "yes"
	LacksIt  Has = "no"
	MayHave  Has = "unknown"
	notAsked     = "the driver does not find out what a credential may do"
)

func (s *session) Permissions(ctx context.Context) ([]Permission, error) {
	if reader, ok := s.own.(PermissionReader); ok {
		return reader.Permissions(ctx)
	}
	all := make([]Permission, 0, len(s.driver.description.Permissions))
	for _, name := range s.driver.description.Permissions {
		all = append(all, Permission{Name: name, Has: MayHave, Reason: notAsked})
	}
	return all, nil
}

func (s *server) Permissions(ctx context.Context, r *driverv1.PermissionsRequest) (*driverv1.PermissionsResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	all, err := opened.Permissions(ctx)
	answer := &driverv1.PermissionsResponse{}
	for _, p := range all {
		answer.Permissions = append(answer.Permissions, &driverv1.Permission{Name: valid(p.Name), Uses: p.Uses, Has: string(p.Has), Reason: valid(s.secrets.redact(p.Reason))})
	}
	return answer, err
}

func (s *remoteSession) Permissions(ctx context.Context) ([]Permission, error) {
	answer, err := s.rpc.Permissions(ctx, &driverv1.PermissionsRequest{Session: s.id})
	if err != nil {
		return nil, fromStatus(err)
	}
	all := make([]Permission, 0, len(answer.GetPermissions()))
	for _, p := range answer.GetPermissions() {
		if has := Has(p.GetHas()); !slices.Contains([]Has{HasIt, LacksIt, MayHave}, has) {
			return nil, nonsense("permission", fmt.Errorf("%.64q says not whether the credential has %.64q", has, p.GetName()))
		}
		all = append(all, Permission{Name: p.GetName(), Uses: p.GetUses(), Has: Has(p.GetHas()), Reason: p.GetReason()})
	}
	return all, nil
}
