package driver

import (
	"context"
	"reflect"
	"testing"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWarningsCrossTheBoundary(t *testing.T) {
	told := func(ctx context.Context) { Warn(ctx, resource.WarnExposed, "open to %s", toySecret) }
	d := (&toy{
		create: func(ctx context.Context, _ Request[resource.VPCSpec]) (Object[resource.VPCSpec, resource.VPCStatus], error) {
			told(ctx)
			return toyVPC(1), nil
		},
		delete: func(ctx context.Context, _ string) error { told(ctx); return Wait(0, "a moment") },
		start:  func(ctx context.Context, _ string) error { told(ctx); return nil },
	}).driver()
	client, _ := over(t, d)
	s := connect(t, client)
	for verb, call := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			return third(s.Create(ctx, "vpc", ItemRequest{Token: "t", Spec: []byte(`{}`)}))
		},
		"delete": func(ctx context.Context) error { return second(s.Delete(ctx, "vpc", "x")) },
		"act":    func(ctx context.Context) error { return second(s.Act(ctx, "vm", "x", "start", nil)) },
	} {
		var got []resource.Warning
		err := call(WithWarnings(t.Context(), func(w resource.Warning) { got = append(got, w) }))
		if want := []resource.Warning{{Rule: resource.WarnExposed, Message: "open to [secret]"}}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", verb, got, err, want)
		}
		if err := call(t.Context()); err != nil {
			t.Errorf("%s, where nobody listens: %v", verb, err)
		}
	}
}

func TestARuleThatIsNotKnownCountsAsNone(t *testing.T) {
	var got []resource.Warning
	ctx := WithWarnings(t.Context(), func(w resource.Warning) { got = append(got, w) })
	pass(ctx, []*driverv1.Warning{{Rule: "haunted", Message: "boo"}})
	if want := []resource.Warning{{Message: "boo"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}
