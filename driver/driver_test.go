package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestDescriptionFollowsFromInterfaces(t *testing.T) {
	d, err := (&toy{}).driver().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []KindOffer{
		{Name: "vpc", Verbs: []string{"list", "get", "create", "delete"}, Actions: []string{"label"}, Found: ByToken},
		{Name: "vm", Verbs: []string{"list", "get"}, Actions: []string{"start"}, Views: []string{"console"}},
	}
	if !reflect.DeepEqual(d.Kinds, want) || !slices.Equal(d.Catalogs, []string{"image"}) || !slices.Equal(d.ProtocolVersions, []int{1}) {
		t.Errorf("got %+v", d)
	}
	for verb, offered := range map[string]bool{"vpc create": true, "vm start": true, "vm create": false, "vm stop": false, "subnet list": false} {
		kind, verb, _ := strings.Cut(verb, " ")
		if d.Offers(kind, verb) != offered {
			t.Errorf("%s %s: want %v", kind, verb, offered)
		}
	}
}

// everything has all methods of a VM, of which a collection that embeds it names one.
type everything struct{ toyVMs }

func (everything) Stop(context.Context, string) error   { return nil }
func (everything) Delete(context.Context, string) error { return nil }

func TestWhatACollectionOnlyEmbedsIsNotOffered(t *testing.T) {
	type vms struct{ everything }
	d := New(About{Name: "toy"}, func(context.Context, Config) (*toy, error) { return &toy{}, nil },
		Kind(resource.VM, func(t *toy) toyVMAbilities { return vms{everything{toyVMs{t}}} }))
	described, _ := d.Describe(t.Context())
	if got := described.Kinds[0]; !slices.Equal(got.Verbs, []string{"list", "get"}) || !slices.Equal(got.Actions, []string{"start"}) {
		t.Errorf("got %+v", got)
	}
	s, err := d.Connect(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, stopped := s.Act(t.Context(), "vm", "vm-1", "stop", nil)
	_, deleted := s.Delete(t.Context(), "vm", "vm-1")
	for _, err := range []error{stopped, deleted} {
		if resource.CodeOf(err) != resource.CodeUnsupported {
			t.Errorf("got %v, want unsupported", err)
		}
	}
}

func TestAbilitiesAreNamed(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a collection's own type was taken, which offers whatever it embeds")
		}
	}()
	Kind(resource.VPC, func(t *toy) toyVPCs { return toyVPCs{t} })
}

func TestMarkdown(t *testing.T) {
	d, _ := (&toy{missing: map[string]string{"vm/label": "nothing sticks to it"}}).driver().Describe(t.Context())
	page := d.Markdown()
	for _, part := range []string{
		"# Toy (`toy`)", "1.2.3", "| `password` | lines | required, secret | Only they know it. Where to get it: Ask them. |",
		"One of: good, bad.", "- `toy:Play`", "| `vpc` | list, get, create, delete | label |", "| `vm` | list, get | start |", "Catalogs: image.",
		"## Not offered\n\n- `vm/label`: nothing sticks to it\n",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("%q is not in:\n%s", part, page)
		}
	}
	empty := (&Description{About: About{Name: "x", Title: "X"}}).Markdown()
	if strings.Count(empty, "None.") != 2 {
		t.Errorf("got:\n%s", empty)
	}
}

func TestCheckCredential(t *testing.T) {
	d, _ := (&toy{}).driver().Describe(t.Context())
	if _, err := d.CheckCredential(Values{"user": "me", "password": toySecret}); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		values        Values
		field, saying string
	}{
		{nil, "values.user", "is required: Who asks."},
		{Values{"user": "me", "password": ""}, "values.password", "is required"},
		{Values{"user": "me", "password": toySecret, "passwort": toySecret}, "values", `"passwort"; there are: user, password, pin`},
		{Values{"user": "me", "password": toySecret, strings.Repeat("x", 10_000): "y"}, "values", "there is no credential field"},
	} {
		_, err := d.CheckCredential(test.values)
		wantProblem(t, err, test.field, test.saying)
	}
	if got := d.Secrets(Values{"user": "me", "password": toySecret, "pin": ""}); !slices.Equal(got, []string{toySecret}) {
		t.Errorf("got the secrets %q", got)
	}
}

func TestCheckSettings(t *testing.T) {
	d, _ := (&toy{}).driver().Describe(t.Context())
	good := Values{"debug": "true", "pageSize": "7", "failRate": "0.25", "latency": "1m30s", "mode": "bad"}
	if _, err := d.CheckSettings(good); err != nil {
		t.Error(err)
	}
	if !good.Bool("debug") || good.Int("pageSize") != 7 || good.Number("failRate") != 0.25 || good.Duration("latency") != 90*time.Second {
		t.Errorf("%v is not read as it is written", good)
	}
	if good.Bool("x") || good.Int("x") != 0 || good.Number("x") != 0 || good.Duration("x") != 0 {
		t.Error("what is missing is not zero")
	}
	for name, value := range map[string]string{"debug": "perhaps", "pageSize": "7.5", "failRate": "much", "latency": "5", "mode": "ugly", "other": "x"} {
		field := "settings." + name
		if name == "other" {
			field = "settings"
		}
		_, err := d.CheckSettings(Values{name: value})
		wantProblem(t, err, field, "")
	}
	if _, err := d.CheckSettings(nil); err != nil {
		t.Error(err)
	}
}

func TestWhatIsPastedAlongIsTakenOffOrRefused(t *testing.T) {
	const pem = "-----BEGIN X-----\nabc\n-----END X-----"
	d := &Description{About: About{Credential: []Field{
		{Name: "id", Type: TypeString},
		{Name: "secret", Type: TypeText, Secret: true},
		{Name: "key", Type: TypeLines, Secret: true},
		{Name: "wait", Type: TypeDuration},
		{Name: "mode", Type: TypeString, Enum: []string{"good"}},
	}}}
	given := Values{"id": " AKIA\r\n", "secret": "open sesame", "key": "\n" + pem + "\n", "wait": "\t5s ", "mode": "good\u00a0"}
	got, err := d.CheckCredential(given)
	if want := (Values{"id": "AKIA", "secret": "open sesame", "key": pem, "wait": "5s", "mode": "good"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if given["id"] != " AKIA\r\n" {
		t.Error("what was given has changed")
	}
	for _, test := range []struct{ field, value, saying string }{
		{"id", "AK IA", "space or a line break in it"},
		{"id", "AKIA\nB", "space or a line break in it"},
		{"id", "AK\x00IA", "control character"},
		{"secret", "sesame ", "begins or ends"},
		{"secret", "\nsesame", "begins or ends"},
		{"secret", "open\nsesame", "line break"},
	} {
		_, err := d.CheckCredential(Values{test.field: test.value})
		wantProblem(t, err, "values."+test.field, test.saying)
		if p := resource.AsError(err).Fields[0]; p.Rule != resource.RuleCharacters || strings.Contains(p.Message, "esame") {
			t.Errorf("got %+v", p)
		}
	}
	if got := d.Secrets(Values{"secret": " sesame\n"}); !slices.Equal(got, []string{"sesame"}) {
		t.Errorf("got %q", got)
	}
}

func wantProblem(t *testing.T, err error, field, saying string) {
	t.Helper()
	e, ok := errors.AsType[*resource.Error](err)
	if !ok || e.Code != resource.CodeInvalid {
		t.Fatalf("got %v, want an error with code invalid", err)
	}
	if !slices.ContainsFunc(e.Fields, func(p resource.Problem) bool { return p.Field == field && strings.Contains(p.Message, saying) }) {
		t.Errorf("got %v, want one of %s with %q", e.Fields, field, saying)
	}
	if strings.Contains(e.Message, toySecret) || len(e.Message) > 1000 {
		t.Errorf("the message repeats a value: %.200s", e.Message)
	}
}

func TestConnectChecksFirst(t *testing.T) {
	asked := 0
	toy := &toy{connect: func(_ context.Context, c Config) error {
		asked++
		if c.Logger == nil {
			t.Error("the logger is nil")
		}
		return nil
	}}
	for _, config := range []Config{{}, {Credential: toyConfig().Credential, Settings: Values{"mode": "ugly"}}} {
		if _, err := toy.driver().Connect(t.Context(), config); resource.CodeOf(err) != resource.CodeInvalid {
			t.Errorf("got %v, want invalid", err)
		}
	}
	if asked != 0 {
		t.Error("the cloud was asked with wrong values")
	}
	config := toyConfig()
	config.Logger = nil
	s, err := toy.driver().Connect(t.Context(), config)
	if err != nil || asked != 1 {
		t.Fatalf("got %v", err)
	}
	if err := s.Close(); err != nil || toy.closed.Load() != 1 {
		t.Errorf("got %v, closed %d times", err, toy.closed.Load())
	}
}

func TestWhatIsNotOffered(t *testing.T) {
	s, err := (&toy{}).driver().Connect(t.Context(), toyConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"catalog":            func() error { return last(s.Catalog(t.Context(), "spec", nil)) },
		"unknown catalog":    func() error { return last(s.Catalog(t.Context(), "teapot", nil)) },
		"list":               func() error { return last(s.List(t.Context(), "subnet", Filter{})) },
		"list of no kind":    func() error { return last(s.List(t.Context(), "teapot", Filter{})) },
		"get":                func() error { _, err := s.Get(t.Context(), "subnet", "x"); return err },
		"create of no kind":  func() error { _, _, err := s.Create(t.Context(), "teapot", ItemRequest{}); return err },
		"create":             func() error { _, _, err := s.Create(t.Context(), "vm", ItemRequest{}); return err },
		"delete of no kind":  func() error { return second(s.Delete(t.Context(), "teapot", "x")) },
		"delete":             func() error { return second(s.Delete(t.Context(), "vm", "x")) },
		"action of no kind":  func() error { return second(s.Act(t.Context(), "teapot", "x", "start", nil)) },
		"action":             func() error { return second(s.Act(t.Context(), "vm", "x", "stop", nil)) },
		"unknown action":     func() error { return second(s.Act(t.Context(), "vm", "x", "dance", nil)) },
		"action of the kind": func() error { return second(s.Act(t.Context(), "vpc", "x", "start", nil)) },
	} {
		if err := call(); resource.CodeOf(err) != resource.CodeUnsupported {
			t.Errorf("%s: got %v, want unsupported", name, err)
		}
	}
	if _, _, err := s.Create(t.Context(), "vpc", ItemRequest{Spec: json.RawMessage(`[]`)}); resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("got %v, want invalid", err)
	}
}

// last reads a sequence to its end and returns the error that ended it.
func last[T any](items iter.Seq2[T, error]) error {
	var err error
	for _, e := range items {
		err = e
	}
	return err
}

func TestCreationsWithOneTokenWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most int
		var mu sync.Mutex
		toy := &toy{create: func(context.Context, Request[resource.VPCSpec]) (Object[resource.VPCSpec, resource.VPCStatus], error) {
			count := func(by int) {
				mu.Lock()
				defer mu.Unlock()
				running += by
				most = max(most, running)
			}
			count(1)
			defer count(-1)
			<-time.After(time.Second)
			return toyVPC(0), nil
		}}
		d := toy.driver()
		create := func(ctx context.Context, token string) error {
			s, err := d.Connect(ctx, toyConfig())
			if err == nil {
				_, _, err = s.Create(ctx, "vpc", ItemRequest{Token: token, Spec: json.RawMessage(`{"cidr":"10.0.0.0/16"}`)})
			}
			return err
		}
		var work sync.WaitGroup
		for range 3 {
			work.Go(func() {
				if err := create(t.Context(), "same"); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if most != 1 {
			t.Errorf("%d creations with one token ran at once", most)
		}
		for i := range 3 {
			work.Go(func() {
				if err := create(t.Context(), fmt.Sprint("other", i)); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if most != 3 {
			t.Errorf("of 3 creations with different tokens %d ran at once", most)
		}
		work.Go(func() { _ = create(t.Context(), "same") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := create(ctx, "same"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; who waits has a deadline too", err)
		}
		work.Wait()
	})
}

func TestListStopsAtTheFirstError(t *testing.T) {
	broken := resource.Errorf(resource.CodeThrottled, "slow down")
	toy := &toy{list: func(context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
		return func(yield func(Object[resource.VPCSpec, resource.VPCStatus], error) bool) {
			_ = yield(toyVPC(0), nil) && yield(toyVPC(1), broken) && yield(toyVPC(2), nil)
		}
	}}
	s, err := toy.driver().Connect(t.Context(), toyConfig())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for item, err := range s.List(t.Context(), "vpc", Filter{}) {
		if err != nil {
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			continue
		}
		ids = append(ids, item.ID)
	}
	if !slices.Equal(ids, []string{"vpc-0"}) {
		t.Errorf("got %v", ids)
	}
}
