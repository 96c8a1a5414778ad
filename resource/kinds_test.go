package resource_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestNestedAndWeakRefs(t *testing.T) {
	spec := json.RawMessage(`{"vpc":"v","subnets":["a","b"],"nodeGroups":[{"name":"x","spec":"s"},{"name":"y","spec":"s","keypair":"k"}]}`)
	got, err := resource.Cluster.Refs(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := []resource.Ref{
		{Field: "spec.vpc", Kind: "vpc", Name: "v"},
		{Field: "spec.subnets[0]", Kind: "subnet", Name: "a"},
		{Field: "spec.subnets[1]", Kind: "subnet", Name: "b"},
		{Field: "spec.nodeGroups[1].keypair", Kind: "keypair", Name: "k", Loose: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	upper := func(r resource.Ref) (string, error) { return strings.ToUpper(r.Name), nil }
	mapped, err := resource.Cluster.MapRefs(spec, upper)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, mapped, `{"vpc":"V","subnets":["A","B"],"nodeGroups":[{"name":"x","spec":"s"},{"name":"y","spec":"s","keypair":"K"}]}`)

	if got, _ := resource.Snapshot.Refs(json.RawMessage(`{"disk":"d"}`)); len(got) != 1 || !got[0].Weak || got[0].Kind != "disk" {
		t.Errorf("got %v, want one weak reference to a disk", got)
	}
	if got, _ := resource.NLB.Refs(json.RawMessage(`{"vpc":"v","members":["a"]}`)); len(got) != 2 || got[0].Loose || !got[1].Loose || got[1].Weak {
		t.Errorf("got %v, want a reference to a VPC and a loose one to a VM", got)
	}
	status, err := resource.Disk.MapStatusRefs(json.RawMessage(`{"vm":"i-1","device":"/dev/sdf"}`), upper)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, status, `{"vm":"I-1","device":"/dev/sdf"}`)

	health, _ := resource.NLB.View("health")
	answer, err := health.MapRefs(json.RawMessage(`{"members":[{"vm":"i-1","state":"healthy"}]}`), upper)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, answer, `{"members":[{"vm":"I-1","state":"healthy"}]}`)

	for _, broken := range []string{`{"nodeGroups":{}}`, `{"nodeGroups":["x"]}`, `{"subnets":[{}]}`, `[]`} {
		if _, err := resource.Cluster.Refs(json.RawMessage(broken)); resource.CodeOf(err) != resource.CodeInternal {
			t.Errorf("%s: got %v, want internal", broken, err)
		}
	}
}

func sameJSON(t *testing.T, got json.RawMessage, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// configured offers the view kubeconfig.
type configured struct{}

func (configured) Kubeconfig(_ context.Context, id string) (resource.Kubeconfig, error) {
	return resource.Kubeconfig{Kubeconfig: "of " + id}, nil
}

func TestViews(t *testing.T) {
	kubeconfig, err := resource.Cluster.View("kubeconfig")
	if err != nil {
		t.Fatal(err)
	}
	token, _ := resource.Cluster.View("token")
	if _, err := resource.Cluster.View("weather"); resource.CodeOf(err) != resource.CodeNotFound || !strings.Contains(err.Error(), "kubeconfig, token") {
		t.Errorf("got %v, want not_found with the views that there are", err)
	}
	if is := reflect.TypeFor[configured](); !kubeconfig.Offered(is) || token.Offered(is) {
		t.Error("what is offered does not follow from the methods")
	}
	answer, err := kubeconfig.Read(t.Context(), configured{}, "c-1", json.RawMessage(`{}`))
	if got, ok := answer.(resource.Kubeconfig); err != nil || !ok || got.Kubeconfig != "of c-1" {
		t.Errorf("got %v, %v", answer, err)
	}
	if _, err := token.Read(t.Context(), configured{}, "c-1", nil); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("got %v, want unsupported", err)
	}
}

func TestEveryKindCanBeLabelled(t *testing.T) {
	for _, k := range resource.Kinds() {
		label, err := k.Action(resource.ActionLabel)
		if err != nil {
			t.Fatal(err)
		}
		for body, field := range map[string]string{
			`{"set":{"env":"prod"},"remove":["old"]}`: "",
			`{}`:                                "set",
			`{"set":{"mcic-uid":"x"}}`:          "set.mcic-uid",
			`{"set":{"a b":"x"}}`:               "set",
			`{"set":{"a":"x"},"remove":["a"]}`:  "remove",
			`{"set":{"a":1}}`:                   "set.a",
			`{"set":{"a":"` + long256() + `"}}`: "set.a",
			`{"remove":["` + long256() + `"]}`:  "remove[0]",
			`{"remove":["a","mcic-uid"]}`:       "remove",
		} {
			_, err := label.ParseParams([]byte(body))
			if field != "" {
				wantInvalid(t, err, field, "")
			} else if err != nil {
				t.Errorf("%s: %s: %v", k.Name, body, err)
			}
		}
	}
	change := resource.LabelChange{Set: map[string]string{"a": "2", "c": "3"}, Remove: []string{"b", "none"}}
	before := map[string]string{"a": "1", "b": "2", "d": "4"}
	if got, want := change.Apply(before), (map[string]string{"a": "2", "c": "3", "d": "4"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(before) != 3 || before["a"] != "1" {
		t.Errorf("the labels before were changed: %v", before)
	}
}

// long256 is longer than a label may be.
func long256() string { return strings.Repeat("x", 256) }

func TestParametersOfActions(t *testing.T) {
	for _, test := range []struct{ kind, action, body, field, message string }{
		{"vm", "resize", `{"spec":"big"}`, "", ""},
		{"vm", "resize", `{}`, "spec", "required"},
		{"disk", "attach", `{"vm":"web"}`, "", ""},
		{"disk", "attach", `{"vm":""}`, "vm", "length"},
		{"disk", "detach", `{}`, "", ""},
		{"disk", "detach", `{"vm":"web"}`, "body", "no parameters"},
		{"disk", "resize", `{"sizeGiB":20}`, "", ""},
		{"disk", "resize", `{"sizeGiB":-1}`, "sizeGiB", "1"},
		{"publicip", "associate", `{"vm":"web"}`, "", ""},
		{"publicip", "associate", `{"nic":"n"}`, "", ""},
		{"publicip", "associate", `{}`, "vm", "either"},
		{"publicip", "associate", `{"vm":"web","nic":"n"}`, "vm", "not both"},
		{"nic", "addaddresses", `{"addresses":["10.0.0.5"]}`, "", ""},
		{"nic", "addaddresses", `{"addresses":["10.0.0.5","10.0.0.5"]}`, "addresses[1]", "the same"},
		{"nic", "removeaddresses", `{"addresses":["10.0.0.500"]}`, "addresses[0]", "IPv4 address"},
		{"nic", "removeaddresses", `{"addresses":[]}`, "addresses", "1"},
		{"nlb", "addmembers", `{"members":["a"]}`, "", ""},
		{"nlb", "addmembers", `{"members":["a","a"]}`, "members[1]", "the same"},
		{"nlb", "setlistener", `{"port":8443}`, "", ""},
		{"nlb", "setlistener", `{"protocol":"udp"}`, "", ""},
		{"nlb", "setlistener", `{"protocol":"http"}`, "protocol", "tcp"},
		{"nlb", "setlistener", `{"port":65536}`, "port", "65535"},
		{"nlb", "setlistener", `{}`, "port", "nothing"},
		{"nlb", "settarget", `{"port":8081}`, "", ""},
		{"nlb", "settarget", `{}`, "port", "required"},
		{"nlb", "sethealthcheck", `{"protocol":"http","port":80}`, "", ""},
		{"nlb", "sethealthcheck", `{"protocol":"ping"}`, "protocol", "tcp"},
		{"nlb", "sethealthcheck", `{}`, "protocol", "nothing"},
		{"cluster", "addnodegroup", `{"name":"w","spec":"s"}`, "", ""},
		{"cluster", "addnodegroup", `{"name":"W","spec":"s"}`, "name", "lower-case"},
		{"cluster", "scalenodegroup", `{"name":"w","autoscaling":false}`, "", ""},
		{"cluster", "scalenodegroup", `{"name":"w"}`, "desiredNodes", "nothing to do"},
		{"cluster", "scalenodegroup", `{"name":"w","minNodes":3,"maxNodes":2}`, "minNodes", "above maxNodes"},
		{"cluster", "upgrade", `{"version":"1.34"}`, "", ""},
		{"cluster", "upgrade", `{}`, "version", "required"},
	} {
		k, err := resource.KindNamed(test.kind)
		if err != nil {
			t.Fatal(err)
		}
		a, err := k.Action(test.action)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(test.kind+"/"+test.action+"/"+test.body, func(t *testing.T) {
			_, err := a.ParseParams([]byte(test.body))
			if test.field != "" {
				wantInvalid(t, err, test.field, test.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSpecsAgainstWhatTheyReferTo(t *testing.T) {
	specs := map[string]string{
		"subnet/a": `{"vpc":"v","cidr":"10.0.1.0/24"}`, "subnet/b": `{"vpc":"w","cidr":"10.1.1.0/24"}`,
		"securitygroup/g": `{"vpc":"v"}`, "securitygroup/h": `{"vpc":"w"}`,
	}
	find := func(kind, name string) (spec, status json.RawMessage, known bool) {
		raw, known := specs[kind+"/"+name]
		return json.RawMessage(raw), nil, known
	}
	for _, test := range []struct{ kind, spec, field, message string }{
		{"nic", `{"subnet":"a","securitygroups":["g"],"privateAddress":"10.0.1.9"}`, "", ""},
		{"nic", `{"subnet":"a","securitygroups":["g","h"]}`, "spec.securitygroups[1]", "h belongs to the VPC w"},
		{"nic", `{"subnet":"a","privateAddress":"10.0.2.9"}`, "spec.privateAddress", "not in the range 10.0.1.0/24"},
		{"nic", `{"subnet":"elsewhere","securitygroups":["h"]}`, "", ""},
		{"nlb", `{"vpc":"v","subnets":["a"],"protocol":"tcp","port":80}`, "", ""},
		{"nlb", `{"vpc":"v","subnets":["a","b"],"protocol":"tcp","port":80}`, "spec.subnets[1]", "b belongs to the VPC w"},
		{"cluster", `{"vpc":"v","subnets":["a"],"securitygroups":["g"]}`, "", ""},
		{"cluster", `{"vpc":"w","subnets":["a"]}`, "spec.subnets[0]", "a belongs to the VPC v"},
		{"cluster", `{"vpc":"v","subnets":["a"],"securitygroups":["h"]}`, "spec.securitygroups[0]", "h belongs to the VPC w"},
	} {
		k, err := resource.KindNamed(test.kind)
		if err != nil {
			t.Fatal(err)
		}
		err = k.Against(json.RawMessage(test.spec), find)
		if test.field != "" {
			wantInvalid(t, err, test.field, test.message)
		} else if err != nil {
			t.Errorf("%s: %v", test.spec, err)
		}
	}
}

// wordy offers the view console.
type wordy struct{}

func (wordy) Console(_ context.Context, _ string, which resource.ConsoleLines) (resource.VMConsole, error) {
	return resource.VMConsole{Output: which.Of("one\ntwo\n\nfour\n")}, nil
}

func TestViewWithParameters(t *testing.T) {
	console, err := resource.VM.View("console")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{"": "one\ntwo\n\nfour\n", "lines=1": "four", "lines=2": "\nfour", "lines=99": "one\ntwo\n\nfour"} {
		values, _ := url.ParseQuery(query)
		raw, err := console.QueryParams(values)
		if err == nil {
			raw, err = console.ParseParams(raw)
		}
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		if answer, err := console.Read(t.Context(), wordy{}, "vm-1", raw); err != nil || answer.(resource.VMConsole).Output != want {
			t.Errorf("%q: got %q, %v, want %q", query, answer, err, want)
		}
	}
	password, _ := resource.VM.View("password")
	for _, test := range []struct {
		view         *resource.View
		query, field string
	}{
		{console, "lines=0", "lines"},
		{console, "lines=many", "lines"},
		{console, "lines=", "lines"},
		{console, "lines=1&lines=2", "lines"},
		{console, "lines=1.5", "lines"},
		{console, "line=1", "line"},
		{password, "lines=1", "lines"},
	} {
		values, _ := url.ParseQuery(test.query)
		raw, err := test.view.QueryParams(values)
		if err == nil {
			_, err = test.view.ParseParams(raw)
		}
		e, ok := errors.AsType[*resource.Error](err)
		if !ok || e.Code != resource.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != test.field {
			t.Errorf("%s with %q: got %v, want invalid with the field %s", test.view.Name, test.query, err, test.field)
		}
	}
	if password.ParamsType() != nil || console.ParamsType() == nil {
		t.Error("which views have parameters does not follow from their methods")
	}
}
