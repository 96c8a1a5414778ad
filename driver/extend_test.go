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
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// odd is a session with all that only some drivers have.
type odd struct{ toy }

func (*odd) Lacks() map[string]string {
	return map[string]string{"vm": "no compute service here", "image": "nor images"}
}

func (*odd) AccountID() string { return "account-7" }

func (*odd) Native(_ context.Context, r NativeRequest) (NativeResponse, error) {
	if r.Path == "/fail" {
		return NativeResponse{}, errors.New("cannot sign with " + toySecret)
	}
	return NativeResponse{Status: 418, Headers: map[string]string{"X-Service": r.Service, "X-Query": r.Query["q"][1]}, Body: r.Method + " " + r.Body}, nil
}

type oddClusterAbilities interface {
	Collection[resource.ClusterSpec, resource.ClusterStatus]
	resource.KubeconfigReader
}

type oddClusters struct{ *odd }

func (oddClusters) List(context.Context, Filter) iter.Seq2[Object[resource.ClusterSpec, resource.ClusterStatus], error] {
	return func(func(Object[resource.ClusterSpec, resource.ClusterStatus], error) bool) {}
}

func (oddClusters) Get(context.Context, string) (Object[resource.ClusterSpec, resource.ClusterStatus], error) {
	return Object[resource.ClusterSpec, resource.ClusterStatus]{}, resource.Errorf(resource.CodeNotFound, "none")
}

func (oddClusters) Kubeconfig(_ context.Context, id string) (resource.Kubeconfig, error) {
	return resource.Kubeconfig{Kubeconfig: "of " + id}, nil
}

type greeting struct {
	Name  string `json:"name" doc:"Whom to greet." minLength:"1"`
	Times int    `json:"times,omitempty" doc:"How often." maximum:"3"`
}

type greeted struct {
	Text string `json:"text" doc:"The greeting."`
}

func oddDriver() *Driver {
	return New(About{Name: "odd", Title: "Odd", Native: "As you like.", Credential: []Field{{Name: "password", Secret: true, Type: TypeString}}},
		func(context.Context, Config) (*odd, error) { return &odd{}, nil },
		Catalog(resource.Images, func(o *odd) toyImages { return toyImages{&o.toy} }),
		Kind(resource.VM, func(o *odd) toyVMAbilities { return toyVMs{&o.toy} }),
		Kind(resource.Cluster, func(o *odd) oddClusterAbilities { return oddClusters{o} }),
		Extension("greet", "Greets.", func(_ context.Context, _ *odd, in greeting) (greeted, error) {
			if in.Name == "nobody" {
				return greeted{}, resource.Errorf(resource.CodeNotFound, "nobody is there, %s", toySecret)
			}
			return greeted{"hello " + in.Name}, nil
		}))
}

func openOdd(t *testing.T) (Session, *logText) {
	t.Helper()
	c, log := over(t, oddDriver())
	s, err := c.Connect(t.Context(), Config{Credential: Values{"password": toySecret}})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func TestExtensions(t *testing.T) {
	s, log := openOdd(t)
	output, err := s.Extend(t.Context(), "greet", json.RawMessage(`{"name":"you"}`))
	if err != nil || string(output) != `{"text":"hello you"}` {
		t.Errorf("got %s, %v", output, err)
	}
	for input, field := range map[string]string{
		`{}`: "name", `{"name":""}`: "name", `{"name":1}`: "name", `{"name":"x","times":4}`: "times", `{"name":"x","color":1}`: "color",
		`{"name":"a","name":"b"}`: "name", `nonsense`: "body", `[]`: "body", ``: "name", `{"name":"a\u0000"}`: "name",
	} {
		if _, err := s.Extend(t.Context(), "greet", json.RawMessage(input)); err == nil {
			t.Errorf("%s was taken", input)
		} else {
			wantProblem(t, err, field, "")
		}
	}
	if _, err := s.Extend(t.Context(), "dance", json.RawMessage(`{}`)); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("got %v, want unsupported", err)
	}
	_, err = s.Extend(t.Context(), "greet", json.RawMessage(`{"name":"nobody"}`))
	if resource.CodeOf(err) != resource.CodeNotFound || strings.Contains(err.Error(), toySecret) {
		t.Errorf("got %v, want not_found without the secret", err)
	}
	if strings.Contains(log.String(), "you") {
		t.Errorf("what an extension was given is in the log: %s", log)
	}

	d, _ := oddDriver().Describe(t.Context())
	if len(d.Extensions) != 1 || d.Extensions[0].Name != "greet" {
		t.Fatalf("got %+v", d.Extensions)
	}
	for schema, part := range map[string]string{string(d.Extensions[0].Input): "Whom to greet.", string(d.Extensions[0].Output): "The greeting."} {
		if !strings.Contains(schema, part) || !strings.Contains(schema, `"$ref"`) {
			t.Errorf("got the schema %s", schema)
		}
	}
	if page := d.Markdown(); !strings.Contains(page, "| `greet` | Greets. |") || !strings.Contains(page, "## Native calls\n\nAs you like.") {
		t.Errorf("got:\n%s", page)
	}
}

func TestNamesOfExtensions(t *testing.T) {
	run := func(context.Context, *odd, struct{}) (struct{}, error) { return struct{}{}, nil }
	connect := func(context.Context, Config) (*odd, error) { return &odd{}, nil }
	for what, offers := range map[string][]Offer[*odd]{
		"twice":   {Extension("a", "A.", run), Extension("a", "A.", run)},
		"a slash": {Extension("a/b", "A.", run)},
		"no name": {Extension("", "A.", run)},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", what)
				}
			}()
			New(About{Name: "odd", Native: "x"}, connect, offers...)
		}()
	}
}

func TestNativeCalls(t *testing.T) {
	s, log := openOdd(t)
	got, err := s.Native(t.Context(), NativeRequest{Service: "tea", Method: "POST", Query: map[string][]string{"q": {"a", "b"}}, Body: "a pot"})
	want := NativeResponse{Status: 418, Headers: map[string]string{"X-Service": "tea", "X-Query": "b"}, Body: "POST a pot"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Native(t.Context(), NativeRequest{Path: "/fail"}); err == nil || strings.Contains(err.Error(), toySecret) {
		t.Errorf("got %v, want an error without the secret", err)
	}
	if strings.Contains(log.String(), "a pot") {
		t.Errorf("what a native call was given is in the log: %s", log)
	}
	toys, err := (&toy{}).driver().Connect(t.Context(), toyConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := toys.Native(t.Context(), NativeRequest{}); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("got %v, want unsupported", err)
	}
	for what, define := range map[string]func(){
		"a session that passes calls, without a text": func() {
			New(About{Name: "odd"}, func(context.Context, Config) (*odd, error) { return &odd{}, nil })
		},
		"a text without a session that passes calls": func() {
			New(About{Name: "odd", Native: "x"}, func(context.Context, Config) (*toy, error) { return &toy{}, nil })
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", what)
				}
			}()
			define()
		}()
	}
}

// Console answers nothing but what it was asked for.
func (toyVMs) Console(_ context.Context, id string, which resource.ConsoleLines) (resource.VMConsole, error) {
	return resource.VMConsole{Output: fmt.Sprint(which.Lines, " of ", id)}, nil
}

func TestViewsWithParametersOverTheWire(t *testing.T) {
	client, _ := over(t, (&toy{}).driver())
	s := connect(t, client)
	for params, want := range map[string]string{"": "0 of vm-1", `{"lines":7}`: "7 of vm-1"} {
		answer, err := s.View(t.Context(), "vm", "vm-1", "console", json.RawMessage(params))
		if err != nil || string(answer) != `{"output":"`+want+`"}` {
			t.Errorf("%s: got %s, %v", params, answer, err)
		}
	}
	for params, field := range map[string]string{`{"lines":0}`: "lines", `{"rows":7}`: "rows", `[]`: "body"} {
		_, err := s.View(t.Context(), "vm", "vm-1", "console", json.RawMessage(params))
		if e := resource.AsError(err); e == nil || e.Code != resource.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != field {
			t.Errorf("%s: got %v, want invalid with the field %s", params, err, field)
		}
	}
}

func TestViewsOverTheWire(t *testing.T) {
	s, _ := openOdd(t)
	answer, err := s.View(t.Context(), "cluster", "c-1", "kubeconfig", nil)
	if err != nil || string(answer) != `{"kubeconfig":"of c-1"}` {
		t.Errorf("got %s, %v", answer, err)
	}
	for name, code := range map[string]resource.Code{"token": resource.CodeUnsupported, "weather": resource.CodeNotFound} {
		if _, err := s.View(t.Context(), "cluster", "c-1", name, nil); resource.CodeOf(err) != code {
			t.Errorf("%s: got %v, want %s", name, err, code)
		}
	}
}

func TestWhatASessionLacks(t *testing.T) {
	s, _ := openOdd(t)
	place, err := s.Place(t.Context())
	if err != nil || !maps.Equal(place.Lacks, (&odd{}).Lacks()) || place.Account != "account-7" {
		t.Errorf("got %v, %v", place, err)
	}
	_, err = s.Get(t.Context(), "vm", "x")
	for what, err := range map[string]error{
		"get": err, "list": last(s.List(t.Context(), "vm", Filter{})), "delete": second(s.Delete(t.Context(), "vm", "x")),
		"action": second(s.Act(t.Context(), "vm", "x", "start", nil)), "catalog": last(s.Catalog(t.Context(), "image", nil)),
	} {
		if resource.CodeOf(err) != resource.CodeUnsupported || !strings.Contains(err.Error(), "here") && !strings.Contains(err.Error(), "nor images") {
			t.Errorf("%s: got %v, want unsupported with the reason", what, err)
		}
	}
	d, _ := oddDriver().Describe(t.Context())
	c := d.Without(place.Lacks)
	if len(c.Kinds) != 1 || c.Kinds[0].Name != "cluster" || len(c.Catalogs) != 0 || len(c.Extensions) != 1 || c.Native == "" || c.Cloud != "odd" {
		t.Errorf("got %+v", c)
	}
	if want := []Lack{{"vm", "no compute service here"}, {"image", "nor images"}}; !slices.Equal(c.Lacks, want) {
		t.Errorf("got %v, want %v", c.Lacks, want)
	}
	if whole := d.Without(nil); len(whole.Kinds) != 2 || len(whole.Catalogs) != 1 || whole.Lacks == nil {
		t.Errorf("got %+v", whole)
	}
	if len(d.Kinds) != 2 {
		t.Error("the description itself was changed")
	}
}
