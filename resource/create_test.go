package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// An SSH public key that nobody has the private half of.
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f someone@example"

// minimal is the least spec of each kind.
func minimal(kind string) string {
	switch kind {
	case "vpc":
		return `{"cidr":"10.0.0.0/16"}`
	case "subnet":
		return `{"vpc":"vpc1","cidr":"10.0.1.0/24"}`
	case "securitygroup":
		return `{"vpc":"vpc1"}`
	case "keypair":
		return `{}`
	case "vm":
		return `{"image":"img-1","spec":"small","subnet":"sub1"}`
	case "disk":
		return `{"sizeGiB":10}`
	case "snapshot":
		return `{"disk":"disk1"}`
	case "customimage":
		return `{"vm":"vm1"}`
	case "publicip":
		return `{}`
	case "nic":
		return `{"subnet":"sub1"}`
	case "natgateway", "vpngateway", "routetable":
		return `{"vpc":"vpc1"}`
	case "vpcpeering":
		return `{"vpc":"vpc1","peer":"vpc2"}`
	case "vpnconnection":
		return `{"vpngateway":"gateway1","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"]}`
	case "nlb":
		return `{"vpc":"vpc1","protocol":"tcp","port":80}`
	case "certificate":
		return certificate()
	case "alb":
		return `{"vpc":"vpc1","listeners":[{"port":80,"protocol":"http","group":"web"}],"groups":[{"name":"web","port":80}]}`
	case "cluster":
		return `{"vpc":"vpc1","subnets":["sub1"]}`
	case "bucket", "queue":
		return `{}`
	case "fileshare":
		return `{"vpc":"vpc1"}`
	case "database":
		return `{"engine":"mysql","spec":"small","vpc":"vpc1"}`
	case "dbbackup":
		return `{"database":"db1"}`
	case "broker":
		return `{"engine":"kafka","spec":"small","vpc":"vpc1"}`
	}
	return ""
}

func body(name, spec string) string {
	quoted, _ := json.Marshal(name)
	return fmt.Sprintf(`{"name":%s,"spec":%s}`, quoted, spec)
}

// wantInvalid checks that err is an error with code invalid that names field and
// says something of it, in a size that fits a terminal.
func wantInvalid(t *testing.T, err error, field, message string) {
	t.Helper()
	e, ok := errors.AsType[*resource.Error](err)
	if !ok {
		t.Fatalf("got %v, want an error with code invalid", err)
	}
	if e.Code != resource.CodeInvalid || e.Retryable {
		t.Errorf("got code %s, retryable %v; want invalid, false", e.Code, e.Retryable)
	}
	if len(e.Message) > 4096 {
		t.Errorf("the message has %d bytes: it repeats the input", len(e.Message))
	}
	i := slices.IndexFunc(e.Fields, func(p resource.Problem) bool { return p.Field == field })
	if i < 0 {
		t.Fatalf("no problem names %s: %v", field, e.Fields)
	}
	if !strings.Contains(e.Fields[i].Message, message) {
		t.Errorf("%s: got %q, want something with %q", field, e.Fields[i].Message, message)
	}
	if strings.ContainsFunc(e.Message, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("the message carries control characters: %q", e.Message)
	}
}

func TestEveryKindTakesItsLeastSpec(t *testing.T) {
	for _, k := range resource.Kinds() {
		r, err := k.ParseCreate([]byte(body("a-name", minimal(k.Name))))
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
		} else if r.Name != "a-name" {
			t.Errorf("%s: got the name %q", k.Name, r.Name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "7", "A.b_c-d", "a..b", strings.Repeat("n", 128)} {
		for _, k := range resource.Kinds() {
			if _, err := k.ParseCreate([]byte(body(name, minimal(k.Name)))); err != nil {
				t.Errorf("%s %q: %v", k.Name, name, err)
			}
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x", "a/../b", "a/b", `a\b`, "-a", "_a", " a", "a ", "a b", `"a"`, "'a'", "a;b", "a\x00b", "a\n", "\u202ea",
		"é", "이름", "🚀", "a🚀", strings.Repeat("n", 129), strings.Repeat("n", 10_000), strings.Repeat("🚀", 10_000), "%2e%2e%2f", "a?b=c", "a#b", "a:b",
	} {
		for _, k := range resource.Kinds() {
			_, err := k.ParseCreate([]byte(body(name, minimal(k.Name))))
			wantInvalid(t, err, "name", "")
		}
	}
}

func TestBodies(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	for _, test := range []struct{ name, body, field, message string }{
		{"empty", ``, "name", "required"},
		{"spaces", " \n\t", "name", "required"},
		{"not JSON", `name: vpc1`, "body", "not well-formed JSON"},
		{"cut off", `{"name":"a","spec":{"cidr":`, "body", "ends too early"},
		{"two values", `{"name":"a","spec":{"cidr":"10.0.0.0/16"}} {}`, "body", "more follows"},
		{"trailing text", `{"name":"a","spec":{"cidr":"10.0.0.0/16"}}x`, "body", "more follows"},
		{"null", `null`, "body", "null"},
		{"list", `[]`, "body", "object"},
		{"string", `"vpc1"`, "body", "object"},
		{"number", `1e999`, "body", ""},
		{"too deep", deep, "body", "not well-formed JSON"},
		{"too deep inside", `{"name":"a","spec":` + deep + `}`, "body", "not well-formed JSON"},
		{"unknown field", `{"name":"a","color":"red","spec":{"cidr":"10.0.0.0/16"}}`, "color", "unexpected"},
		{"unknown field in the spec", `{"name":"a","spec":{"cidr":"10.0.0.0/16","color":"red"}}`, "spec.color", "unexpected"},
		{"other case", `{"NAME":"a","spec":{"cidr":"10.0.0.0/16"}}`, "NAME", "unexpected"},
		{"both cases", `{"name":"a","NAME":"../x","spec":{"cidr":"10.0.0.0/16"}}`, "NAME", "unexpected"},
		{"many unknown fields", `{` + manyLabels(10_000) + `}`, "name", "required"},
		{"many doubles", `{` + strings.Repeat(`"name":"a",`, 10_000) + `"spec":{"cidr":"10.0.0.0/16"}}`, "name", "given twice"},
		{"long unknown field", `{"name":"a","` + strings.Repeat("x", 10_000) + `":1,"spec":{"cidr":"10.0.0.0/16"}}`, strings.Repeat("x", 128) + "…", "unexpected"},
		{"NUL in a field's name", `{"name":"a","\u0000":1,"spec":{"cidr":"10.0.0.0/16"}}`, "�", "unexpected"},
		{"given twice", `{"name":"a","name":"b","spec":{"cidr":"10.0.0.0/16"}}`, "name", "given twice"},
		{"given twice, deeper", `{"name":"a","spec":{"cidr":"10.0.0.0/16","cidr":"10.0.0.0/8"}}`, "spec.cidr", "given twice"},
		{"spec given twice", `{"name":"a","spec":{"cidr":"x"},"spec":{"cidr":"10.0.0.0/8"}}`, "spec", "given twice"},
		{"name missing", `{"spec":{"cidr":"10.0.0.0/16"}}`, "name", "required"},
		{"name null", `{"name":null,"spec":{"cidr":"10.0.0.0/16"}}`, "name", "string"},
		{"name number", `{"name":1,"spec":{"cidr":"10.0.0.0/16"}}`, "name", "string"},
		{"name object", `{"name":{},"spec":{"cidr":"10.0.0.0/16"}}`, "name", "string"},
		{"spec missing", `{"name":"a"}`, "spec", "required"},
		{"spec null", `{"name":"a","spec":null}`, "spec", "object"},
		{"spec list", `{"name":"a","spec":[]}`, "spec", "object"},
		{"spec string", `{"name":"a","spec":"x"}`, "spec", "object"},
		{"labels list", `{"name":"a","labels":[],"spec":{"cidr":"10.0.0.0/16"}}`, "labels", "object"},
		{"label number", `{"name":"a","labels":{"a":1},"spec":{"cidr":"10.0.0.0/16"}}`, "labels.a", "string"},
		{"label key with space", `{"name":"a","labels":{"a b":"x"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels", `"a b"`},
		{"label key empty", `{"name":"a","labels":{"":"x"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels", `""`},
		{"label key long", `{"name":"a","labels":{"` + strings.Repeat("k", 10_000) + `":"x"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels", "…"},
		{"label key with NUL", `{"name":"a","labels":{"a\u0000":"x"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels.a�", "control character"},
		{"label of the server", `{"name":"a","labels":{"MCIC/x":"x"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels.MCIC/x", "kept for the server"},
		{"label value long", `{"name":"a","labels":{"k":"` + strings.Repeat("v", 256) + `"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels.k", "255"},
		{"label value of another encoding", "{\"name\":\"a\",\"labels\":{\"k\":\"\xb8\xc1\"},\"spec\":{\"cidr\":\"10.0.0.0/16\"}}", "body", "not UTF-8"},
		{"label value with NUL", `{"name":"a","labels":{"k":"a\u0000b"},"spec":{"cidr":"10.0.0.0/16"}}`, "labels.k", "control character"},
		{"too many labels", `{"name":"a","labels":{` + manyLabels(41) + `},"spec":{"cidr":"10.0.0.0/16"}}`, "labels", "40"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := resource.VPC.ParseCreate([]byte(test.body))
			wantInvalid(t, err, test.field, test.message)
		})
	}
	if _, err := resource.VPC.ParseCreate([]byte(`{"name":"a","labels":{` + manyLabels(40) + `},"spec":{"cidr":"10.0.0.0/16"}}`)); err != nil {
		t.Errorf("40 labels: %v", err)
	}
	if _, err := resource.VPC.ParseCreate([]byte(`{"name":"a","labels":{"팀":"x"},"spec":{"cidr":"10.0.0.0/16"}}`)); err == nil {
		t.Error("a label key beyond ASCII was taken")
	}
	if _, err := resource.VPC.ParseCreate([]byte(`{"name":"a","labels":{"team":"플랫폼 🚀"},"spec":{"cidr":"10.0.0.0/16"}}`)); err != nil {
		t.Errorf("a label value beyond ASCII: %v", err)
	}
}

func manyLabels(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"l%d":"x"`, i)
	}
	return strings.Join(parts, ",")
}

// nlb and cluster are their least specs with more fields.
func nlb(more string) string     { return `{"vpc":"v","protocol":"tcp","port":80,` + more + `}` }
func cluster(more string) string { return `{"vpc":"v","subnets":["s"],` + more + `}` }

func TestFollowUps(t *testing.T) {
	const attach = `{"kind":"disk","name":"d","action":"attach","params":{"vm":"vm1"}}`
	for _, tc := range []struct{ then, field, message string }{
		{`[` + attach + `]`, "", ""},
		{`[{"kind":"vm","name":"vm2","action":"stop"}]`, "", ""},
		{`[` + attach + `,` + attach + `]`, "then[1].name", "by then[0] already"},
		{`[{"kind":"vm","name":"vm1","action":"stop"}]`, "then[0].name", "what is created"},
		{`[{"kind":"disc","name":"d","action":"attach"}]`, "then[0].kind", `no kind "disc"`},
		{`[{"kind":"disk","name":"d","action":"fly"}]`, "then[0].action", "attach"},
		{`[{"kind":"disk","name":"d","action":"attach"}]`, "then[0].params.vm", "required"},
		{`[{"kind":"disk","name":"d","action":"detach","params":{"vm":"vm1"}}]`, "then[0].params", "takes no parameters"},
		{`[{"kind":"disk","name":"d","action":"attach","params":{"vm":"vm1","x":1}}]`, "then[0].params.x", ""},
	} {
		got, err := resource.VM.ParseCreate([]byte(`{"name":"vm1","spec":` + minimal("vm") + `,"then":` + tc.then + `}`))
		switch {
		case tc.field != "":
			wantInvalid(t, err, tc.field, tc.message)
		case err != nil || len(got.Then) != 1:
			t.Errorf("%s: got %v, %v", tc.then, got, err)
		}
	}
	_, _, err := resource.VM.ParseCreates([]byte(`{"name":"vm","count":2,"spec":` + minimal("vm") + `,"then":[` + attach + `]}`))
	wantInvalid(t, err, "then", "count")
	_, _, err = resource.VM.ParseCreates([]byte(`{"items":[{"name":"vm","spec":` + minimal("vm") + `,"then":[` + attach + `]}]}`))
	wantInvalid(t, err, "items[0].then", "list")
}

func TestSpecs(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	many := func(n int, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i+1)
		}
		return strings.Join(parts, ",")
	}
	rule := func(fields string) string { return `{"vpc":"v","rules":[` + fields + `]}` }
	const tcp22 = `{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}`
	vm := func(fields string) string { return `{"image":"i","spec":"s","subnet":"n",` + fields + `}` }

	for _, test := range []struct{ kind, spec, field, message string }{
		// What is fine has no field.
		{"vpc", `{"cidr":"10.0.0.0/8"}`, "", ""},
		{"vpc", `{"cidr":"192.168.0.0/29"}`, "", ""},
		{"vpc", `{}`, "spec.cidr", "required"},
		{"vpc", `{"cidr":""}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":null}`, "spec.cidr", "string"},
		{"vpc", `{"cidr":["10.0.0.0/16"]}`, "spec.cidr", "string"},
		{"vpc", `{"cidr":10}`, "spec.cidr", "string"},
		{"vpc", `{"cidr":"10.0.0.0"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"10.0.0.0/33"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"10.0.0.0/-1"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"010.0.0.0/16"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"10.0.0.0/016"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":" 10.0.0.0/16"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"256.0.0.0/16"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"fd00::/16"}`, "spec.cidr", "IPv4 range"},
		{"vpc", `{"cidr":"::ffff:10.0.0.0/96"}`, "spec.cidr", ""},
		{"vpc", `{"cidr":"10.0.1.0/16"}`, "spec.cidr", "did you mean 10.0.0.0/16"},
		{"vpc", `{"cidr":"10.0.0.0/7"}`, "spec.cidr", "/8 to /29"},
		{"vpc", `{"cidr":"0.0.0.0/0"}`, "spec.cidr", "/8 to /29"},
		{"vpc", `{"cidr":"10.0.0.0/30"}`, "spec.cidr", "/8 to /29"},
		{"vpc", `{"cidr":"` + long + `"}`, "spec.cidr", "18"},
		{"vpc", `{"cidr":"10.0.0.0/16\u0000"}`, "spec.cidr", "control character"},
		{"vpc", `{"cidr":"🚀"}`, "spec.cidr", "IPv4 range"},

		{"subnet", `{"vpc":"v","cidr":"10.0.0.0/24","zone":"z"}`, "", ""},
		{"subnet", `{"cidr":"10.0.0.0/24"}`, "spec.vpc", "required"},
		{"subnet", `{"vpc":"","cidr":"10.0.0.0/24"}`, "spec.vpc", "length"},
		{"subnet", `{"vpc":"` + long + `","cidr":"10.0.0.0/24"}`, "spec.vpc", "512"},
		{"subnet", `{"vpc":{},"cidr":"10.0.0.0/24"}`, "spec.vpc", "string"},
		{"subnet", `{"vpc":"a\u0000","cidr":"10.0.0.0/24"}`, "spec.vpc", "control character"},
		{"subnet", `{"vpc":"v","cidr":"10.0.0.0/30"}`, "spec.cidr", "/8 to /29"},
		{"subnet", `{"vpc":"v","cidr":"10.0.0.0/24","zone":"` + long + `"}`, "spec.zone", "64"},

		{"securitygroup", rule(tcp22), "", ""},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","cidr":"0.0.0.0/0"}`), "", ""},
		{"securitygroup", rule(`{"direction":"out","protocol":"all","cidr":"0.0.0.0/0"}`), "", ""},
		{"securitygroup", rule(`{"direction":"in","protocol":"icmp","cidr":"10.0.0.0/8"}`), "", ""},
		{"securitygroup", rule(`{"direction":"in","protocol":"udp","fromPort":1,"toPort":65535,"cidr":"10.0.0.1/32"}`), "", ""},
		{"securitygroup", `{"vpc":"v","rules":[` + many(120, `{"direction":"in","protocol":"tcp","fromPort":%d,"cidr":"0.0.0.0/0"}`) + `]}`, "", ""},
		{"securitygroup", `{"vpc":"v","rules":[` + many(121, `{"direction":"in","protocol":"tcp","fromPort":%d,"cidr":"0.0.0.0/0"}`) + `]}`, "spec.rules", "120"},
		{"securitygroup", `{"vpc":"v","description":"` + long + `"}`, "spec.description", "255"},
		{"securitygroup", `{"vpc":"v","description":"a\u0007"}`, "spec.description", "control character"},
		{"securitygroup", `{"vpc":"v","rules":null}`, "", ""},
		{"securitygroup", `{"vpc":"v","rules":{}}`, "spec.rules", "array"},
		{"securitygroup", rule(`null`), "spec.rules[0]", "object"},
		{"securitygroup", rule(`"in:tcp:22:0.0.0.0/0"`), "spec.rules[0]", "object"},
		{"securitygroup", rule(`{}`), "spec.rules[0].direction", "required"},
		{"securitygroup", rule(tcp22 + `,{"direction":"up","protocol":"tcp","cidr":"0.0.0.0/0"}`), "spec.rules[1].direction", "in"},
		{"securitygroup", rule(`{"direction":["in"],"protocol":"tcp","cidr":"0.0.0.0/0"}`), "spec.rules[0].direction", "string"},
		{"securitygroup", rule(`{"direction":"in","protocol":"gre","cidr":"0.0.0.0/0"}`), "spec.rules[0].protocol", "tcp"},
		{"securitygroup", rule(`{"direction":"in","protocol":"TCP","cidr":"0.0.0.0/0"}`), "spec.rules[0].protocol", "tcp"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":65536,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "65535"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":-1,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "1"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":0,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "1"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":22.5,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "integer"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":"22","cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "integer"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":2e1,"cidr":"0.0.0.0/0"}`), "spec.rules.fromPort", "expected int"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":99999999999999999999,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "65535"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":80,"toPort":22,"cidr":"0.0.0.0/0"}`), "spec.rules[0].toPort", "below fromPort"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","toPort":22,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "set both"},
		{"securitygroup", rule(`{"direction":"in","protocol":"icmp","fromPort":8,"cidr":"0.0.0.0/0"}`), "spec.rules[0].fromPort", "no ports"},
		{"securitygroup", rule(`{"direction":"in","protocol":"all","toPort":8,"cidr":"0.0.0.0/0"}`), "spec.rules[0].toPort", "no ports"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"::/0"}`), "spec.rules[0].cidr", "IPv4 range"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"10.0.0.1/8"}`), "spec.rules[0].cidr", "did you mean 10.0.0.0/8"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0","color":1}`), "spec.rules[0].color", "unexpected"},
		{"securitygroup", rule(tcp22 + `,` + tcp22), "spec.rules[1]", "the same as rules[0]"},
		{"securitygroup", rule(`{"direction":"in","protocol":"tcp","cidr":"0.0.0.0/0"},{"direction":"in","protocol":"tcp","fromPort":1,"toPort":65535,"cidr":"0.0.0.0/0"}`), "spec.rules[1]", "the same as rules[0]"},

		{"keypair", `{"algorithm":"ed25519"}`, "", ""},
		{"keypair", `{"algorithm":"rsa"}`, "", ""},
		{"keypair", `{"publicKey":"` + publicKey + `"}`, "", ""},
		{"keypair", `{"publicKey":"` + publicKey + `\n"}`, "", ""},
		{"keypair", `{"algorithm":"dsa"}`, "spec.algorithm", "rsa"},
		{"keypair", `{"algorithm":"rsa","publicKey":"` + publicKey + `"}`, "spec.algorithm", "leave it out"},
		{"keypair", `{"publicKey":"not a key"}`, "spec.publicKey", "SSH public key"},
		{"keypair", `{"publicKey":"-----BEGIN PUBLIC KEY-----"}`, "spec.publicKey", "SSH public key"},
		{"keypair", `{"publicKey":"` + publicKey + `\n` + publicKey + `"}`, "spec.publicKey", "one line"},
		{"keypair", `{"publicKey":"# comment\n` + publicKey + `"}`, "spec.publicKey", "one line"},
		{"keypair", `{"publicKey":"command=\"sh\" ` + publicKey + `"}`, "spec.publicKey", "one line"},
		{"keypair", `{"publicKey":"` + long + `"}`, "spec.publicKey", "4096"},

		{"vm", vm(`"securitygroups":["a","b"],"keypair":"k","rootDiskSizeGiB":20`), "", ""},
		{"vm", vm(`"keypair":""`), "", ""},
		{"vm", vm(`"userData":"#!/bin/sh\necho hello","rootDiskType":"ssd"`), "", ""},
		{"vm", `{"customimage":"c","spec":"s","subnet":"n"}`, "", ""},
		{"vm", `{}`, "spec.spec", "required"},
		{"vm", `{"spec":"s","subnet":"n"}`, "spec.image", "required"},
		{"vm", `{"image":"","spec":"s","subnet":"n"}`, "spec.image", "required"},
		{"vm", vm(`"customimage":"c"`), "spec.customimage", "not both"},
		{"vm", vm(`"userData":"` + strings.Repeat("x", 16385) + `"`), "spec.userData", "16384"},
		{"vm", vm(`"userData":"` + strings.Repeat("한", 6000) + `"`), "spec.userData", "18000 bytes"},
		{"vm", `{"image":"` + long + `","spec":"s","subnet":"n"}`, "spec.image", "512"},
		{"vm", `{"image":"i","spec":"` + long + `","subnet":"n"}`, "spec.spec", "128"},
		{"vm", `{"image":"i","spec":"s","subnet":"` + long + `"}`, "spec.subnet", "512"},
		{"vm", vm(`"keypair":"` + long + `"`), "spec.keypair", "512"},
		{"vm", vm(`"securitygroups":"a"`), "spec.securitygroups", "array"},
		{"vm", vm(`"securitygroups":null`), "", ""},
		{"vm", vm(`"securitygroups":[{}]`), "spec.securitygroups[0]", "string"},
		{"vm", vm(`"securitygroups":[null]`), "spec.securitygroups[0]", "string"},
		{"vm", vm(`"securitygroups":[""]`), "spec.securitygroups[0]", "length"},
		{"vm", vm(`"securitygroups":["` + long + `"]`), "spec.securitygroups[0]", "512"},
		{"vm", vm(`"securitygroups":["a","b","a"]`), "spec.securitygroups[2]", "the same as securitygroups[0]"},
		{"vm", vm(`"securitygroups":[` + many(17, `"g%d"`) + `]`), "spec.securitygroups", "16"},
		{"vm", vm(`"rootDiskSizeGiB":0`), "spec.rootDiskSizeGiB", "1"},
		{"vm", vm(`"rootDiskSizeGiB":65537`), "spec.rootDiskSizeGiB", "65536"},
		{"vm", vm(`"rootDiskSizeGiB":true`), "spec.rootDiskSizeGiB", "integer"},

		{"disk", `{"sizeGiB":10,"type":"ssd","zone":"z","snapshot":"s"}`, "", ""},
		{"disk", `{}`, "spec.sizeGiB", "required"},
		{"disk", `{"sizeGiB":0}`, "spec.sizeGiB", "1"},
		{"disk", `{"sizeGiB":65537}`, "spec.sizeGiB", "65536"},
		{"disk", `{"sizeGiB":"10"}`, "spec.sizeGiB", "integer"},
		{"disk", `{"sizeGiB":10,"vm":"web"}`, "spec.vm", "unexpected"},

		{"snapshot", `{"disk":"d","description":"before the upgrade 업그레이드"}`, "", ""},
		{"snapshot", `{}`, "spec.disk", "required"},
		{"snapshot", `{"disk":""}`, "spec.disk", "length"},

		{"customimage", `{"vm":"v","description":"golden"}`, "", ""},
		{"customimage", `{}`, "spec.vm", "required"},

		{"publicip", `{"address":"203.0.113.1"}`, "spec.address", "unexpected"},

		{"nic", `{"subnet":"n","securitygroups":["a","b"],"privateAddress":"10.0.1.20"}`, "", ""},
		{"nic", `{}`, "spec.subnet", "required"},
		{"nic", `{"subnet":"n","privateAddress":"10.0.1.256"}`, "spec.privateAddress", "IPv4 address"},
		{"nic", `{"subnet":"n","privateAddress":"fd00::1"}`, "spec.privateAddress", "IPv4 address"},
		{"nic", `{"subnet":"n","securitygroups":["a","a"]}`, "spec.securitygroups[1]", "the same as securitygroups[0]"},

		{"nlb", nlb(`"members":["a","b"],"subnets":["s"],"internal":true,"targetPort":8080`), "", ""},
		{"nlb", nlb(`"healthCheck":{"protocol":"http","port":8080,"path":"/healthz","intervalSeconds":30,"timeoutSeconds":10,"threshold":5}`), "", ""},
		{"nlb", `{"vpc":"v","port":80}`, "spec.protocol", "required"},
		{"nlb", `{"vpc":"v","protocol":"tcp"}`, "spec.port", "required"},
		{"nlb", `{"vpc":"v","protocol":"http","port":80}`, "spec.protocol", "tcp"},
		{"nlb", `{"vpc":"v","protocol":"tcp","port":99999}`, "spec.port", "65535"},
		{"nlb", nlb(`"members":["a","a"]`), "spec.members[1]", "the same as members[0]"},
		{"nlb", nlb(`"subnets":["a","a"]`), "spec.subnets[1]", "the same as subnets[0]"},
		{"nlb", nlb(`"healthCheck":{"path":"/healthz"}`), "spec.healthCheck.path", "only for http"},
		{"nlb", nlb(`"healthCheck":{"protocol":"https","path":"healthz"}`), "spec.healthCheck.path", "slash"},
		{"nlb", nlb(`"healthCheck":{"intervalSeconds":5,"timeoutSeconds":6}`), "spec.healthCheck.timeoutSeconds", "longer than the interval"},
		{"nlb", nlb(`"healthCheck":{"threshold":1}`), "spec.healthCheck.threshold", "2"},

		{"cluster", cluster(`"version":"1.33","securitygroups":["g"]`), "", ""},
		{"cluster", cluster(`"nodeGroups":[{"name":"workers","spec":"s","keypair":"k","minNodes":1,"desiredNodes":2,"maxNodes":5,"autoscaling":true}]`), "", ""},
		{"cluster", `{"vpc":"v"}`, "spec.subnets", "required"},
		{"cluster", `{"vpc":"v","subnets":[]}`, "spec.subnets", "1"},
		{"cluster", cluster(`"nodeGroups":[{"spec":"s"}]`), "spec.nodeGroups[0].name", "required"},
		{"cluster", cluster(`"nodeGroups":[{"name":"W","spec":"s"}]`), "spec.nodeGroups[0].name", "lower-case"},
		{"cluster", cluster(`"nodeGroups":[{"name":"w-","spec":"s"}]`), "spec.nodeGroups[0].name", "hyphen"},
		{"cluster", cluster(`"nodeGroups":[{"name":"w","spec":"s"},{"name":"w","spec":"s"}]`), "spec.nodeGroups[1]", "the same as nodeGroups[0]"},
		{"cluster", cluster(`"nodeGroups":[{"name":"w","spec":"s","desiredNodes":1,"minNodes":2}]`), "spec.nodeGroups[0].desiredNodes", "below minNodes"},
		{"cluster", cluster(`"nodeGroups":[{"name":"w","spec":"s","desiredNodes":3,"maxNodes":2}]`), "spec.nodeGroups[0].desiredNodes", "above maxNodes"},
		{"cluster", cluster(`"nodeGroups":[{"name":"w","spec":"s","minNodes":3,"maxNodes":2}]`), "spec.nodeGroups[0].desiredNodes", "above maxNodes"},
	} {
		k, err := resource.KindNamed(test.kind)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(test.kind+"/"+short(test.spec), func(t *testing.T) {
			_, err := k.ParseCreate([]byte(body("a", test.spec)))
			if test.field != "" {
				wantInvalid(t, err, test.field, test.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func TestEveryProblemIsNamed(t *testing.T) {
	_, err := resource.SecurityGroup.ParseCreate([]byte(body("a", `{"vpc":"v","rules":[
		{"direction":"in","protocol":"tcp","fromPort":9,"toPort":8,"cidr":"10.0.0.1/8"},
		{"direction":"in","protocol":"icmp","fromPort":9,"cidr":"x"}]}`)))
	e := resource.AsError(err)
	got := make([]string, len(e.Fields))
	for i, p := range e.Fields {
		got[i] = p.Field
	}
	want := []string{"spec.rules[0].toPort", "spec.rules[0].cidr", "spec.rules[1].fromPort", "spec.rules[1].cidr"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDefaultsAreFilled(t *testing.T) {
	for _, test := range []struct{ kind, spec, want string }{
		{"securitygroup", `{"vpc":"v"}`, `{"vpc":"v","rules":[]}`},
		{
			"nlb", `{"vpc":"v","protocol":"tcp","port":80}`,
			`{"vpc":"v","protocol":"tcp","port":80,"targetPort":80,"members":[],"healthCheck":{"protocol":"tcp","port":80,"intervalSeconds":10,"timeoutSeconds":5,"threshold":3}}`,
		},
		{
			"nlb", `{"vpc":"v","protocol":"udp","port":53,"targetPort":5353,"healthCheck":{"protocol":"http","intervalSeconds":5}}`,
			`{"vpc":"v","protocol":"udp","port":53,"targetPort":5353,"members":[],"healthCheck":{"protocol":"http","port":5353,"path":"/","intervalSeconds":5,"timeoutSeconds":5,"threshold":3}}`,
		},
		{
			"cluster", `{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"w","spec":"x"},{"name":"x","spec":"x","minNodes":2,"maxNodes":4}]}`,
			`{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"w","spec":"x","desiredNodes":1,"minNodes":1,"maxNodes":1},{"name":"x","spec":"x","desiredNodes":2,"minNodes":2,"maxNodes":4}]}`,
		},
		{
			"securitygroup", `{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}]}`,
			`{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}]}`,
		},
		{
			"securitygroup", `{"vpc":"v","rules":[{"direction":"in","protocol":"udp","cidr":"0.0.0.0/0"}]}`,
			`{"vpc":"v","rules":[{"direction":"in","protocol":"udp","fromPort":1,"toPort":65535,"cidr":"0.0.0.0/0"}]}`,
		},
	} {
		k, _ := resource.KindNamed(test.kind)
		r, err := k.ParseCreate([]byte(body("a", test.spec)))
		if err != nil {
			t.Errorf("%s: %v", test.spec, err)
		} else if string(r.Spec) != test.want {
			t.Errorf("%s: got %s, want %s", test.spec, r.Spec, test.want)
		}
	}
}

func TestDecode(t *testing.T) {
	var r struct {
		Name     string            `json:"name" minLength:"1" pattern:"^[A-Za-z0-9]+[A-Za-z0-9-]*$"`
		Cloud    string            `json:"cloud" minLength:"1"`
		Region   string            `json:"region,omitempty"`
		Settings map[string]string `json:"settings,omitempty"`
	}
	if err := resource.Decode([]byte(`{"name":"my-aws","cloud":"aws","region":"r","settings":{"a":"b"}}`), &r); err != nil {
		t.Fatal(err)
	}
	if r.Name != "my-aws" || r.Cloud != "aws" || r.Region != "r" || r.Settings["a"] != "b" {
		t.Errorf("got %+v", r)
	}
	wantInvalid(t, resource.Decode([]byte(`{"name":"a","cloud":"aws","settings":{"a":1}}`), &r), "settings.a", "string")
	wantInvalid(t, resource.Decode([]byte(`{"name":"a b","cloud":"aws"}`), &r), "name", "")
	wantInvalid(t, resource.Decode([]byte(`{"name":"a"}`), &r), "cloud", "required")

	var c struct {
		Values map[string]string `json:"values"`
	}
	err := resource.Decode([]byte(`{"values":{"key":"s3cr3t\u0000"}}`), &c)
	wantInvalid(t, err, "values.key", "control character")
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("the error repeats a secret: %v", err)
	}
}
