package driver

import (
	"context"
	"log/slog"
	"reflect"
	"testing"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// knowing is a session that knows what its credential may do.
type knowing struct{}

func (knowing) Permissions(context.Context) ([]Permission, error) {
	return []Permission{
		{Name: "toy:Play", Uses: []string{"vm/list"}, Has: HasIt},
		{Name: "toy:Build", Has: LacksIt, Reason: "not with " + toySecret},
	}, nil
}

func TestPermissionsCrossTheBoundary(t *testing.T) {
	about := (&toy{}).driver().description.About
	d := New(about, func(context.Context, Config) (knowing, error) { return knowing{}, nil })
	client, _ := over(t, d)
	got, err := connect(t, client).Permissions(t.Context())
	want := []Permission{{Name: "toy:Play", Uses: []string{"vm/list"}, Has: HasIt}, {Name: "toy:Build", Has: LacksIt, Reason: "not with [secret]"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestPermissionsOfADriverThatDoesNotFindOut(t *testing.T) {
	client, _ := over(t, (&toy{}).driver())
	got, err := connect(t, client).Permissions(t.Context())
	if err != nil || !reflect.DeepEqual(got, []Permission{{Name: "toy:Play", Has: MayHave, Reason: notAsked}}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// unsure is a driver by another hand, which answers what is none of the answers.
type unsure struct{ *server }

func (unsure) Permissions(context.Context, *driverv1.PermissionsRequest) (*driverv1.PermissionsResponse, error) {
	return &driverv1.PermissionsResponse{Permissions: []*driverv1.Permission{{Name: "toy:Play", Has: "maybe"}}}, nil
}

func TestNonsenseIsNoPermission(t *testing.T) {
	s := newServer((&toy{}).driver(), slog.New(slog.DiscardHandler))
	got, err := connect(t, dial(t, unsure{s}, s.interceptors()...)).Permissions(t.Context())
	if resource.CodeOf(err) != resource.CodeInternal || got != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}
