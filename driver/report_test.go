package driver

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const toyReport = `{
	"cloud": "toy", "against": "a box 1.0", "type": "emulator",
	"checks": {
		"vm/list/complete": "passed",
		"vm/list/pages-of-1": "skipped: no such setting",
		"vm/list/pages-of-2": "skipped: no such setting",
		"vm/list/shape": "deviates: the box rounds: it is made of wood",
		"vpc/create/life": "passed",
		"vpc/create/same-token": "passed"
	}
}`

func TestReports(t *testing.T) {
	want := []Tested{{Against: "a box 1.0", Type: TestedEmulator, Verbs: []TestedVerb{
		{Kind: "vm", Verb: "list", Passed: 1, Reasons: []string{
			"deviates shape: the box rounds: it is made of wood", "skipped pages-of-1, pages-of-2: no such setting",
		}},
		{Kind: "vpc", Verb: "create", Passed: 2},
	}}}
	if got := ReadReports(nil, []byte(toyReport)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	var read, again Report
	if err := json.Unmarshal([]byte(toyReport), &read); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &again); err != nil || !reflect.DeepEqual(read, again) {
		t.Errorf("%s is read as %+v, %v", raw, again, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a report that makes no sense was taken")
		}
	}()
	ReadReports([]byte("nonsense"))
}

func TestCapabilities(t *testing.T) {
	d, err := (&toy{}).driver().Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.Tested = ReadReports([]byte(toyReport))
	d.Missing = map[string]string{"disk": "the box is too small", "vm/label": "nothing sticks to it"}
	of := func(kind, verb string) *Capability {
		for _, c := range d.Capabilities() {
			if c.Kind == kind && c.Verb == verb {
				return &c
			}
		}
		t.Errorf("there is no %s %s", kind, verb)
		return &Capability{}
	}
	if c := of("vpc", "create"); !c.Offered || len(c.Tested) != 1 || c.Tested[0].Passed != 2 || c.Tested[0].Type != TestedEmulator {
		t.Errorf("got %+v", c)
	}
	if c := of("vpc", "delete"); !c.Offered || c.Tested != nil {
		t.Errorf("not tested: got %+v", c)
	}
	if c := of("vm", "list"); len(c.Tested) != 1 || len(c.Tested[0].Reasons) != 2 {
		t.Errorf("got %+v", c)
	}
	for verb, reason := range map[string]string{"vm/label": "nothing sticks to it", "disk/attach": "the box is too small", "cluster/kubeconfig": "", "region/list": ""} {
		kind, verb, _ := strings.Cut(verb, "/")
		if c := of(kind, verb); c.Offered || c.Reason != reason {
			t.Errorf("%s %s: got %+v", kind, verb, c)
		}
	}
	if c := of("image", "list"); !c.Offered {
		t.Errorf("got %+v", c)
	}
}

// What a driver says of what it lacks cannot become wrong unnoticed.
func TestMissingIsWhatIsNotOffered(t *testing.T) {
	(&toy{missing: map[string]string{"disk": "too big", "vm/label": "nothing sticks", "price": "it is free"}}).driver()
	for _, wrong := range []string{"vpc", "vpc/create", "vpc/dance", "image", "unicorn"} {
		t.Run(wrong, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			(&toy{missing: map[string]string{wrong: "because"}}).driver()
		})
	}
}
