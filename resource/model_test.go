package resource_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestKindsAndCatalogs(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range resource.Kinds() {
		if k.Doc == "" || k.Title == "" || seen[k.Name] {
			t.Errorf("%q: a kind needs a name of its own, a title and a doc", k.Name)
		}
		seen[k.Name] = true
		for _, r := range refKinds(t, k) {
			if !seen[r] {
				t.Errorf("%s refers to %s, which comes later in Kinds", k.Name, r)
			}
		}
		for _, a := range k.Actions {
			if a.Doc == "" {
				t.Errorf("%s %s has no doc", k.Name, a.Name)
			}
			if p := a.ParamsType(); p != nil {
				documented(t, p)
			}
		}
		for _, v := range k.Views {
			if v.Doc == "" {
				t.Errorf("%s %s has no doc", k.Name, v.Name)
			}
			if _, known := v.AnswerType().FieldByNameFunc(func(name string) bool {
				f, _ := v.AnswerType().FieldByName(name)
				return resource.JSONName(f) == v.Plain
			}); v.Plain != "" && !known {
				t.Errorf("%s %s: there is no field %q to show alone", k.Name, v.Name, v.Plain)
			}
			documented(t, v.AnswerType())
			if p := v.ParamsType(); p != nil {
				documented(t, p)
			}
		}
		documented(t, k.SpecType())
		documented(t, k.StatusType())
	}
	for _, c := range resource.Catalogs() {
		documented(t, c.EntryType())
		if got, err := resource.CatalogNamed(c.Name); err != nil || got != c {
			t.Errorf("%s: got %v, %v", c.Name, got, err)
		}
	}
	for _, f := range resource.Feeds() {
		if f.Doc == "" || f.Title == "" || f.Scope == "" {
			t.Errorf("%s: a feed needs a title, a doc and a scope", f.Name)
		}
		documented(t, f.FilterType())
		documented(t, f.EntryType())
		if got, err := resource.FeedNamed(f.Name); err != nil || got != f {
			t.Errorf("%s: got %v, %v", f.Name, got, err)
		}
	}
	if _, err := resource.FeedNamed("teapot"); resource.CodeOf(err) != resource.CodeNotFound || !strings.Contains(err.Error(), "metric") {
		t.Errorf("got %v, want not_found with the feeds that there are", err)
	}
	if _, err := resource.KindNamed("teapot"); resource.CodeOf(err) != resource.CodeNotFound || !strings.Contains(err.Error(), "vpc, subnet") {
		t.Errorf("got %v, want not_found with the kinds that there are", err)
	}
	if _, err := resource.CatalogNamed("teapot"); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}
}

// refKinds is what a kind's spec holds on to.
func refKinds(t *testing.T, k *resource.Kind) []string {
	t.Helper()
	var kinds []string
	for f := range k.SpecType().Fields() {
		if kind := resource.RefKind(f); kind != "" && !strings.HasSuffix(f.Tag.Get("ref"), ",weak") {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// documented checks that every field has a JSON name and a doc.
func documented(t *testing.T, typ reflect.Type) {
	t.Helper()
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue
		}
		if resource.JSONName(f) == "" || f.Tag.Get("doc") == "" {
			t.Errorf("%s.%s has no JSON name or no doc", typ.Name(), f.Name)
		}
		for elem := f.Type; ; elem = elem.Elem() {
			if elem.Kind() == reflect.Struct && elem.PkgPath() == typ.PkgPath() {
				documented(t, elem)
			}
			if elem.Kind() != reflect.Slice && elem.Kind() != reflect.Pointer {
				break
			}
		}
	}
}

func TestStates(t *testing.T) {
	for s, want := range map[resource.State]struct{ settled, usable bool }{
		resource.StatePending: {}, resource.StateCreating: {}, resource.StateUnknown: {}, resource.StateDeleting: {},
		resource.StateAvailable: {true, true}, resource.StateRunning: {true, true}, resource.StateStopped: {true, true},
		resource.StateDeleted: {true, false}, resource.StateFailed: {true, false},
	} {
		if s.Settled() != want.settled || s.Usable() != want.usable {
			t.Errorf("%s: settled %v, usable %v", s, s.Settled(), s.Usable())
		}
		if !slices.Contains(resource.States(), s) {
			t.Errorf("%s is not in States", s)
		}
	}
}

func TestRefs(t *testing.T) {
	spec := json.RawMessage(`{"image":"i","spec":"s","subnet":"sub1","securitygroups":["a","b"],"keypair":""}`)
	got, err := resource.VM.Refs(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := []resource.Ref{
		{Field: "spec.subnet", Kind: "subnet", Name: "sub1"},
		{Field: "spec.securitygroups[0]", Kind: "securitygroup", Name: "a"},
		{Field: "spec.securitygroups[1]", Kind: "securitygroup", Name: "b"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	upper := func(r resource.Ref) (string, error) { return strings.ToUpper(r.Kind + "-" + r.Name), nil }
	mapped, err := resource.VM.MapRefs(spec, upper)
	if err != nil {
		t.Fatal(err)
	}
	var vm resource.VMSpec
	if err := json.Unmarshal(mapped, &vm); err != nil {
		t.Fatal(err)
	}
	if vm.Subnet != "SUBNET-SUB1" || !slices.Equal(vm.SecurityGroups, []string{"SECURITYGROUP-A", "SECURITYGROUP-B"}) || vm.KeyPair != "" || vm.Image != "i" {
		t.Errorf("got %+v", vm)
	}

	refused := errors.New("refused")
	if _, err := resource.VM.MapRefs(spec, func(resource.Ref) (string, error) { return "", refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want the error of replace", err)
	}
	for _, none := range []string{`{}`, `{"subnet":null,"securitygroups":null}`, `{"securitygroups":[]}`} {
		if refs, err := resource.VM.Refs(json.RawMessage(none)); err != nil || len(refs) > 0 {
			t.Errorf("%s: got %v, %v", none, refs, err)
		}
	}
	for _, wrong := range []string{``, `[]`, `{"subnet":1}`, `{"securitygroups":"a"}`} {
		if _, err := resource.VM.Refs(json.RawMessage(wrong)); resource.CodeOf(err) != resource.CodeInternal {
			t.Errorf("%s: got %v, want internal", wrong, err)
		}
	}
	if same, err := resource.VPC.MapRefs(json.RawMessage(`{"cidr":"x"}`), upper); err != nil || string(same) != `{"cidr":"x"}` {
		t.Errorf("a kind without references: got %s, %v", same, err)
	}
}

func TestOverlay(t *testing.T) {
	for _, test := range []struct{ asked, shown, want string }{
		{`{"a":1}`, ``, `{"a":1}`},
		{``, `{"a":1}`, `{"a":1}`},
		{`{"a":1}`, `null`, `{"a":1}`},
		{`null`, `{"a":1}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"b":3,"c":4}`, `{"a":1,"b":3,"c":4}`},
		{`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{`{"a":"x","b":[1],"c":true}`, `{"a":"","b":null,"c":false}`, `{"a":"x","b":[1],"c":false}`},
		{`{}`, `{"a":"","b":null}`, `{"a":"","b":null}`},
		{``, ``, `{}`},
	} {
		got, err := resource.Overlay(json.RawMessage(test.asked), json.RawMessage(test.shown))
		if err != nil || string(got) != test.want {
			t.Errorf("%s over %s: got %s, %v; want %s", test.shown, test.asked, got, err, test.want)
		}
	}
	if _, err := resource.Overlay(json.RawMessage(`{}`), json.RawMessage(`[]`)); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("got %v, want internal", err)
	}
}

func TestAgainst(t *testing.T) {
	find := func(kind, name string) (json.RawMessage, json.RawMessage, bool) {
		status := map[string]string{"vpc/wide": `{"cidrs":["10.0.0.0/16","100.64.0.0/16"]}`}[kind+"/"+name]
		spec, ok := map[string]string{
			"vpc/v1": `{"cidr":"10.0.0.0/16"}`, "vpc/wide": `{"cidr":"10.0.0.0/16"}`, "vpc/v2": `{"cidr":""}`, "vpc/broken": `[]`,
			"subnet/s1":        `{"vpc":"v1","cidr":"10.0.1.0/24"}`,
			"securitygroup/g1": `{"vpc":"v1","rules":[]}`, "securitygroup/g2": `{"vpc":"v2","rules":[]}`,
		}[kind+"/"+name]
		return json.RawMessage(spec), json.RawMessage(status), ok
	}
	for _, test := range []struct {
		kind        *resource.Kind
		spec, field string
	}{
		{resource.Subnet.Kind, `{"vpc":"v1","cidr":"10.0.0.0/16"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"v1","cidr":"10.0.255.0/24"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"v1","cidr":"10.1.0.0/24"}`, "spec.cidr"},
		{resource.Subnet.Kind, `{"vpc":"v1","cidr":"10.0.0.0/8"}`, "spec.cidr"},
		{resource.Subnet.Kind, `{"vpc":"wide","cidr":"10.0.1.0/24"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"wide","cidr":"100.64.1.0/24"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"wide","cidr":"100.65.1.0/24"}`, "spec.cidr"},
		{resource.Subnet.Kind, `{"vpc":"v2","cidr":"10.1.0.0/24"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"broken","cidr":"10.1.0.0/24"}`, ""},
		{resource.Subnet.Kind, `{"vpc":"vpc-0abc","cidr":"10.1.0.0/24"}`, ""},
		{resource.VM.Kind, `{"subnet":"s1","securitygroups":["g1"]}`, ""},
		{resource.VM.Kind, `{"subnet":"s1","securitygroups":["g1","g2"]}`, "spec.securitygroups[1]"},
		{resource.VM.Kind, `{"subnet":"s1","securitygroups":["sg-0abc"]}`, ""},
		{resource.VM.Kind, `{"subnet":"subnet-0abc","securitygroups":["g2"]}`, ""},
		{resource.VPC.Kind, `{"cidr":"10.0.0.0/8"}`, ""},
	} {
		err := test.kind.Against(json.RawMessage(test.spec), find)
		if test.field != "" {
			wantInvalid(t, err, test.field, "")
		} else if err != nil {
			t.Errorf("%s: %v", test.spec, err)
		}
	}
}

func TestKeyPairIsMade(t *testing.T) {
	for _, algorithm := range []string{"", "rsa", "ed25519"} {
		spec, secrets, err := resource.KeyPair.Complete(json.RawMessage(fmt.Sprintf(`{"algorithm":%q}`, algorithm)))
		if err != nil {
			t.Fatal(err)
		}
		var made resource.KeyPairSpec
		if err := json.Unmarshal(spec, &made); err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.ParsePrivateKey([]byte(secrets["privateKey"]))
		if err != nil {
			t.Fatalf("%q: %v", algorithm, err)
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(made.PublicKey))
		if err != nil || string(public.Marshal()) != string(signer.PublicKey().Marshal()) {
			t.Errorf("%q: the public key does not belong to the private key: %v", algorithm, err)
		}
		if strings.Contains(string(spec), "PRIVATE") {
			t.Errorf("%q: the spec holds the private key", algorithm)
		}
		if want := "ssh-" + cmp.Or(algorithm, "rsa"); public.Type() != want {
			t.Errorf("%q: got a key of type %s, want %s", algorithm, public.Type(), want)
		}
	}
	spec, secrets, err := resource.KeyPair.Complete(json.RawMessage(`{"publicKey":"` + publicKey + `"}`))
	if err != nil || secrets != nil || !strings.Contains(string(spec), publicKey) {
		t.Errorf("an imported key: got %s, %v, %v", spec, secrets, err)
	}
	if spec, secrets, err := resource.VPC.Complete(json.RawMessage(`{"cidr":"10.0.0.0/8"}`)); err != nil || secrets != nil || string(spec) != `{"cidr":"10.0.0.0/8"}` {
		t.Errorf("a kind with nothing to complete: got %s, %v, %v", spec, secrets, err)
	}
}

func TestCheckObject(t *testing.T) {
	if err := resource.VPC.CheckObject(json.RawMessage(`{"cidr":"10.0.0.0/16","later":1}`), json.RawMessage(`{}`)); err != nil {
		t.Errorf("fields that a newer driver may add: %v", err)
	}
	for _, wrong := range [][2]string{{``, `{}`}, {`{}`, ``}, {`null`, `{}`}, {`{}`, `null`}, {`[]`, `{}`}, {`{"cidr":1}`, `{}`}, {`{}`, `{"default":"yes"}`}, {`{`, `{}`}} {
		if err := resource.VPC.CheckObject(json.RawMessage(wrong[0]), json.RawMessage(wrong[1])); resource.CodeOf(err) != resource.CodeInternal {
			t.Errorf("%q: got %v, want internal", wrong, err)
		}
	}
}

// powered offers start and stop, but not reboot.
type powered struct{ calls *[]string }

func (p powered) Start(_ context.Context, id string) error {
	*p.calls = append(*p.calls, "start "+id)
	return nil
}

func (p powered) Stop(_ context.Context, id string) error {
	return resource.Errorf(resource.CodeConflict, "%s is busy", id)
}

// ruled offers addrules.
type ruled struct{ got *resource.RuleChange }

func (r ruled) AddRules(_ context.Context, _ string, change resource.RuleChange) error {
	*r.got = change
	return nil
}

func TestActions(t *testing.T) {
	start, err := resource.VM.Action("start")
	if err != nil {
		t.Fatal(err)
	}
	stop, _ := resource.VM.Action("stop")
	reboot, _ := resource.VM.Action("reboot")
	if _, err := resource.VM.Action("dance"); resource.CodeOf(err) != resource.CodeUnsupported || !strings.Contains(err.Error(), "start, stop, reboot, resize, label") {
		t.Errorf("got %v, want unsupported with the actions that there are", err)
	}
	if _, err := resource.Subnet.Action("start"); resource.CodeOf(err) != resource.CodeUnsupported || !strings.Contains(err.Error(), "it has: label") {
		t.Errorf("got %v", err)
	}

	var calls []string
	c := powered{&calls}
	if is := reflect.TypeOf(c); !start.Offered(is) || !stop.Offered(is) || reboot.Offered(is) || start.Offered(reflect.TypeFor[struct{}]()) {
		t.Error("what is offered does not follow from the methods")
	}
	if err := start.Call(t.Context(), c, "vm-1", nil); err != nil || !slices.Equal(calls, []string{"start vm-1"}) {
		t.Errorf("got %v, %v", calls, err)
	}
	if err := stop.Call(t.Context(), c, "vm-1", nil); resource.CodeOf(err) != resource.CodeConflict {
		t.Errorf("got %v, want the driver's error", err)
	}
	if err := reboot.Call(t.Context(), c, "vm-1", nil); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("got %v, want unsupported", err)
	}

	for _, test := range []struct {
		action              *resource.Action
		state               resource.State
		allowed, done, ends bool
	}{
		{start, resource.StateStopped, true, false, false},
		{start, resource.StateRunning, false, true, true},
		{start, resource.StateStopping, false, false, false},
		{start, resource.StateFailed, false, false, false},
		{reboot, resource.StateRunning, true, false, true},
		{reboot, resource.StateStopped, false, false, false},
	} {
		allowed, done := test.action.Allowed(test.state)
		if allowed != test.allowed || done != test.done || test.action.Ends(test.state) != test.ends {
			t.Errorf("%s when %s: allowed %v, done %v, ends %v", test.action.Name, test.state, allowed, done, test.action.Ends(test.state))
		}
	}

	if start.ParamsType() != nil {
		t.Error("start has parameters")
	}
	for _, none := range []string{"", " ", "{}", " {} "} {
		if params, err := start.ParseParams([]byte(none)); err != nil || params != nil {
			t.Errorf("%q: got %s, %v", none, params, err)
		}
	}
	_, err = start.ParseParams([]byte(`{"force":true}`))
	wantInvalid(t, err, "body", "no parameters")
}

func TestActionsWithParameters(t *testing.T) {
	add, err := resource.SecurityGroup.Action("addrules")
	if err != nil {
		t.Fatal(err)
	}
	params, err := add.ParseParams([]byte(`{"rules":[{"direction":"in","protocol":"tcp","fromPort":80,"cidr":"0.0.0.0/0"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got resource.RuleChange
	if err := add.Call(t.Context(), ruled{&got}, "sg-1", params); err != nil {
		t.Fatal(err)
	}
	if len(got.Rules) != 1 || got.Rules[0].ToPort != 80 {
		t.Errorf("got %+v, want one rule with toPort filled in", got)
	}
	if !add.Ends(resource.StateAvailable) || add.Ends(resource.StateFailed) || add.Ends(resource.StateUpdating) {
		t.Error("an action without until ends in every settled state but failed")
	}
	if same, err := add.MapRefs(params, nil); err != nil || string(same) != string(params) {
		t.Errorf("got %s, %v", same, err)
	}
	for _, test := range []struct{ body, field, message string }{
		{``, "rules", "required"},
		{`{"rules":[]}`, "rules", "1"},
		{`{"rules":[{"direction":"in","protocol":"tcp","fromPort":80,"cidr":"x"}]}`, "rules[0].cidr", "IPv4"},
		{`{"rules":[{"direction":"in","protocol":"tcp","fromPort":80,"cidr":"0.0.0.0/0"}],"x":1}`, "x", "unexpected"},
	} {
		_, err := add.ParseParams([]byte(test.body))
		wantInvalid(t, err, test.field, test.message)
	}
	if err := add.Call(t.Context(), ruled{&got}, "sg-1", json.RawMessage(`[]`)); resource.CodeOf(err) != resource.CodeInvalid {
		t.Errorf("got %v, want invalid", err)
	}
}

func TestRuleFlag(t *testing.T) {
	for text, want := range map[string]resource.Rule{
		"in:tcp:22:0.0.0.0/0":          {Direction: "in", Protocol: "tcp", FromPort: 22, ToPort: 22, CIDR: "0.0.0.0/0"},
		"in:udp:8000-8999:10.0.0.0/8":  {Direction: "in", Protocol: "udp", FromPort: 8000, ToPort: 8999, CIDR: "10.0.0.0/8"},
		"out:all::0.0.0.0/0":           {Direction: "out", Protocol: "all", CIDR: "0.0.0.0/0"},
		"in:icmp::192.168.0.0/16":      {Direction: "in", Protocol: "icmp", CIDR: "192.168.0.0/16"},
		"sideways:gre:99999:not:a:net": {Direction: "sideways", Protocol: "gre", FromPort: 99999, ToPort: 99999, CIDR: "not:a:net"}, // for the check of the request
	} {
		var r resource.Rule
		if err := r.ParseFlag(text); err != nil || r != want {
			t.Errorf("%s: got %+v, %v", text, r, err)
		}
		if r.String() != text {
			t.Errorf("%s: written as %s", text, r)
		}
	}
	for _, text := range []string{"", "in", "in:tcp:22", "in:tcp:ssh:0.0.0.0/0", "in:tcp:22-:0.0.0.0/0", "in:tcp:-22:0.0.0.0/0", "in:tcp:1-2-3:0.0.0.0/0", "in:tcp:0:0.0.0.0/0", "in:tcp:0-0:0.0.0.0/0", "in:tcp:99999999999999999999:0.0.0.0/0", strings.Repeat("x", 10_000)} {
		var r resource.Rule
		if err := r.ParseFlag(text); err == nil {
			t.Errorf("%s: got %+v, want an error", short(text), r)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: the error repeats the input", short(text))
		}
	}
}

func TestErrors(t *testing.T) {
	err := resource.Errorf(resource.CodeThrottled, "list vpcs: %w", io.ErrUnexpectedEOF)
	if !err.Retryable || !errors.Is(err, io.ErrUnexpectedEOF) || err.Message != "list vpcs: unexpected EOF" {
		t.Errorf("got %+v", err)
	}
	for _, code := range resource.Codes() {
		retryable := code == resource.CodeThrottled || code == resource.CodeUnavailable
		if got := resource.Errorf(code, "x").Retryable; got != retryable {
			t.Errorf("%s: retryable %v", code, got)
		}
	}

	cloud := resource.Errorf(resource.CodeQuota, "no more VPCs")
	cloud.Cloud = &resource.CloudError{Code: "VpcLimitExceeded", Message: "The maximum has been reached.", RequestID: "r-1"}
	wrapped := resource.AsError(fmt.Errorf("create vpc1: %w", cloud))
	if wrapped.Code != resource.CodeQuota || wrapped.Message != "create vpc1: no more VPCs" || wrapped.Cloud != cloud.Cloud || !errors.Is(wrapped, cloud) {
		t.Errorf("got %+v", wrapped)
	}
	if n := strings.Count(wrapped.Error(), "VpcLimitExceeded"); n != 1 {
		t.Errorf("the cloud's code stands %d times in %q", n, wrapped)
	}

	if got := resource.AsError(io.EOF); got.Code != resource.CodeInternal || !errors.Is(got, io.EOF) {
		t.Errorf("got %+v", got)
	}
	if resource.AsError(nil) != nil || resource.CodeOf(nil) != "" || resource.Invalid() != nil {
		t.Error("no error became one")
	}
	if e := resource.Errorf(resource.CodeConflict, "x"); resource.AsError(e) != e {
		t.Error("an *Error was copied without need")
	}
}
