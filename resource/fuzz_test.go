package resource_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// FuzzParseCreate holds that no body makes a panic or an error other than invalid,
// and that what is taken is taken again, unchanged.
func FuzzParseCreate(f *testing.F) {
	for i, k := range resource.Kinds() {
		f.Add(i, []byte(body("a-name", minimal(k.Name))))
		f.Add(i, []byte(`{"name":"a","labels":{"team":"x"},"spec":`+minimal(k.Name)+`}`))
	}
	for _, seed := range []string{
		``, `null`, `[]`, `{"name":"../x","spec":{"cidr":"10.0.0.1/8"}}`, `{"name":"a","name":"b"}`, `{"NAME":"a"}`, "{\"name\":\"a\x00\xff\"}",
		`{"name":"a","spec":{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"},{"direction":"out","protocol":"icmp","cidr":"::/0"}]}}`,
		`{"name":"a","spec":{"image":"i","spec":"s","subnet":"n","securitygroups":[{},null,1],"rootDiskSizeGiB":1e400}}`,
		`{"name":"a","spec":{"publicKey":"` + publicKey + `"}}`,
	} {
		for i := range resource.Kinds() {
			f.Add(i, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		kinds := resource.Kinds()
		k := kinds[uint(i)%uint(len(kinds))]
		request, err := k.ParseCreate(body)
		if err != nil {
			if e, ok := errors.AsType[*resource.Error](err); !ok || e.Code != resource.CodeInvalid || len(e.Fields) == 0 {
				t.Fatalf("got %#v, want an error with code invalid that names fields", err)
			}
			return
		}
		if _, err := k.Refs(request.Spec); err != nil {
			t.Fatalf("the references of %s cannot be read: %v", request.Spec, err)
		}
		if err := k.CheckObject(request.Spec, json.RawMessage(`{}`)); err != nil {
			t.Fatalf("the spec %s has not the shape of its kind: %v", request.Spec, err)
		}
		written, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		again, err := k.ParseCreate(written)
		if err != nil {
			t.Fatalf("%s was taken, but not a second time: %v", written, err)
		}
		if rewritten, _ := json.Marshal(again); !bytes.Equal(written, rewritten) {
			t.Fatalf("%s became %s", written, rewritten)
		}
	})
}

// FuzzParseFlag holds that no text makes a panic, and that a rule that is taken is
// written as a text that means the same.
func FuzzParseFlag(f *testing.F) {
	for _, seed := range []string{"in:tcp:22:0.0.0.0/0", "in:udp:8000-8999:10.0.0.0/8", "out:all::0.0.0.0/0", "", ":::", "in:tcp:0:0.0.0.0/0", "in:tcp:-1--2:x", "in:tcp:+22:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var rule, again resource.Rule
		if err := rule.ParseFlag(text); err != nil {
			return
		}
		if err := again.ParseFlag(rule.String()); err != nil || again != rule {
			t.Fatalf("%q was read as %+v and that written as %q, which is read as %+v, %v", text, rule, rule, again, err)
		}
	})
}
