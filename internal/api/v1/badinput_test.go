package v1_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/m-cmp/mc-infra-connector/internal/api/v1"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/resource/resourcetest"
)

// bad is a body that must be refused, and the field that the answer must name.
type bad struct{ body, field string }

// everywhere is what no route takes. A field "" stands for any.
func everywhere() map[string]bad {
	deep := func(open, closing string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(closing, n)
	}
	return map[string]bad{
		"cut off":            {`{"name":"x`, "body"},
		"open":               {`{`, "body"},
		"word":               {`nul`, "body"},
		"single quotes":      {`{'name':'x'}`, "body"},
		"comma":              {`{"name":"x",}`, "body"},
		"two values":         {`{} {}`, "body"},
		"text after":         {`{}x`, "body"},
		"mark before":        {"\ufeff{}", "body"},
		"form":               {`name=x&spec=y`, "body"},
		"yaml":               {"name: x\n", "body"},
		"not UTF-8":          {"{\"name\":\"a\xffb\"}", "body"},
		"zeros":              {"\x00\x00", "body"},
		"null":               {`null`, "body"},
		"array":              {`[]`, "body"},
		"array of objects":   {`[{"name":"x"}]`, "body"},
		"text":               {`"x"`, "body"},
		"number":             {`1`, "body"},
		"true":               {`true`, "body"},
		"huge number":        {`1e999`, "body"},
		"huge in a field":    {`{"name":1e400,"spec":{"rootDiskSizeGiB":1e400}}`, "body"},
		"deep arrays":        {deep("[", "]", 9_000), "body"},
		"deep objects":       {deep(`{"name":`, "}", 9_000), "name"},
		"too deep":           {deep("[", "]", 500_000), "body"},
		"too deep objects":   {deep(`{"a":`, "}", 100_000), "body"},
		"unknown field":      {`{"color":"red"}`, "color"},
		"case":               {`{"NAME":"x"}`, "NAME"},
		"unknown long field": {`{"` + strings.Repeat("x", 100_000) + `":1}`, strings.Repeat("x", 128) + "…"},
		"control in a field": {`{"a\u0000b":1}`, "a\ufffdb"},
	}
}

// names is what no name may be, in JSON.
func names() []string {
	quoted := []string{
		"", "../x", "..", ".", "a/b", `a\b`, `a"b`, "a'b", "a b", " a", "a ", "a\tb", "a\nb", "-a", "_a", "a:b", "a%b", "a?b", "a#b", "a&b", "<b>", "a;b",
		"\U0001F600", "\uac00", "a\u200bb", strings.Repeat("x", 129), strings.Repeat("x", 10_000), strings.Repeat("\U0001F600", 2_500),
	}
	raw := []string{`null`, `1`, `true`, `[]`, `["a"]`, `{}`, `{"a":1}`, `"a\u0000b"`, `"\u0000"`, `"a\u001bb"`, `"a\ud800b"`}
	for _, name := range quoted {
		raw = append(raw, fmt.Sprintf("%q", name))
	}
	return raw
}

// specs is what no spec of a kind may be.
func (a *routes) specs() map[string][]bad {
	common := []bad{{`null`, "spec"}, {`[]`, "spec"}, {`"x"`, "spec"}, {`1`, "spec"}, {`{"color":"red"}`, "spec.color"}}
	cidrs := []string{`""`, `"nonsense"`, `"10.0.0.0"`, `"10.0.0.0/33"`, `"10.0.0.0/-1"`, `"10.0.0.1/24"`, `"::/0"`, `"10.0.0.0/24 "`, `"10.0.0.0/24\u0000"`, `null`, `1`, `[]`, `{}`, `"` + strings.Repeat("1", 10_000) + `"`}
	ports := []string{`0`, `-1`, `65536`, `99999999999999999999`, `1e300`, `1.5`, `"22"`, `[]`, `true`}
	vpc := append([]bad{{`{}`, "spec.cidr"}, {`{"cidr":"10.0.0.0/7"}`, "spec.cidr"}, {`{"cidr":"10.0.0.0/30"}`, "spec.cidr"}, {`{"cidr":"10.0.0.0/16","cidr":"10.0.0.0/16"}`, "spec.cidr"}}, common...)
	subnet := append([]bad{
		{`{"cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":"v","cidr":"192.168.0.0/24"}`, "spec.cidr"},
		{`{"vpc":"v","cidr":"10.0.0.0/8"}`, "spec.cidr"},
		{`{"vpc":"none","cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":"","cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":"../v","cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":"` + strings.Repeat("x", 10_000) + `","cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":["v"],"cidr":"10.0.2.0/24"}`, "spec.vpc"},
		{`{"vpc":"v","cidr":"10.0.2.0/24","zone":1}`, "spec.zone"},
	}, common...)
	for _, cidr := range cidrs {
		vpc = append(vpc, bad{`{"cidr":` + cidr + `}`, "spec.cidr"})
		subnet = append(subnet, bad{`{"vpc":"v","cidr":` + cidr + `}`, "spec.cidr"})
	}
	group := append([]bad{{`{}`, "spec.vpc"}, {`{"vpc":"none"}`, "spec.vpc"}, {`{"vpc":"v","description":"a\u0000"}`, "spec.description"}}, common...)
	for _, b := range rules(ports, cidrs) {
		group = append(group, bad{`{"vpc":"v","rules":` + b.body + `}`, "spec." + b.field})
	}
	network := func(field string, bodies ...string) (list []bad) {
		for _, body := range bodies {
			list = append(list, bad{body, "spec." + field})
		}
		return list
	}
	alb := func(listener, group string) string {
		return `{"vpc":"v","listeners":[{"port":80,"protocol":"http","group":"web"` + listener + `}],"groups":[{"name":"web","port":80` + group + `}]}`
	}
	vpn := func(more string) string {
		return `{"vpngateway":"vg","peerAddresses":["203.0.113.5"],"peerCidrs":["192.168.0.0/16"],` + more + `}`
	}
	good, other := resourcetest.Certificate("a", time.Hour, nil), resourcetest.Certificate("b", -time.Minute, nil)
	pair := func(certificate, key string) string {
		return fmt.Sprintf(`{"certificate":%q,"privateKey":%q}`, certificate, key)
	}
	vm := func(key, value string) string {
		return fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s",%q:%s}`, a.Image, a.Spec, key, value)
	}
	return map[string][]bad{
		"vpc": vpc, "subnet": append(subnet, bad{`{"vpc":"v","cidr":"10.0.2.0/24","private":"x"}`, "spec.private"}), "securitygroup": group,
		"natgateway": slices.Concat(network("subnets[0]", `{"vpc":"v","subnets":["s"]}`, `{"vpc":"v","subnets":["none"]}`), network("publicip", `{"vpc":"v","publicip":"none"}`), common),
		"routetable": slices.Concat(network("routes[0]", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0"}]}`), network("routes[0].natgateway", `{"vpc":"v","routes":[{"cidr":"0.0.0.0/0","natgateway":"none"}]}`), common),
		"vpcpeering": slices.Concat(network("peer", `{"vpc":"v"}`, `{"vpc":"v","peer":"v"}`, `{"vpc":"v","peer":"none"}`), network("peerCidrs[0]", `{"vpc":"v","peerCloudId":"x","peerCidrs":["10.0.7.0/24"]}`, `{"vpc":"v","peerCloudId":"x","peerCidrs":["x"]}`), common),
		"vpngateway": append(network("vpc", `{}`, `{"vpc":"none"}`), common...),
		"vpnconnection": slices.Concat(network("presharedKey", vpn(`"presharedKey":"0123456789"`), vpn(`"presharedKey":"short"`), vpn(`"presharedKey":"a\u0000bcdefghi"`)),
			network("localCidrs[0]", vpn(`"localCidrs":["192.168.1.0/24"]`)), network("vpngateway", vpn(`"localCidrs":[]`)), common),
		"certificate": slices.Concat(network("privateKey", pair(good.Certificate, other.PrivateKey), pair(good.Certificate, "x"), pair(good.Certificate, "")),
			network("certificate", pair(other.Certificate, other.PrivateKey), pair("x", good.PrivateKey), pair(good.PrivateKey, good.PrivateKey)), common),
		"alb": slices.Concat(network("listeners[0].certificate", alb(`,"certificate":"none"`, "")), network("groups[0].members[0]", alb("", `,"members":["none"]`)),
			network("listeners[0].rules[1]", alb(`,"rules":[{"paths":["/*"],"group":"web"},{"paths":["/a"],"group":"web"}]`, "")), network("listeners", `{"vpc":"v","listeners":[],"groups":[{"name":"web","port":80}]}`), common),
		"keypair": append([]bad{
			{`{"algorithm":"dsa"}`, "spec.algorithm"},
			{`{"algorithm":1}`, "spec.algorithm"},
			{`{"publicKey":"nonsense"}`, "spec.publicKey"},
			{`{"publicKey":"ssh-rsa AAAA"}`, "spec.publicKey"},
			{`{"publicKey":["x"]}`, "spec.publicKey"},
			{`{"publicKey":"` + strings.Repeat("x", 10_000) + `"}`, "spec.publicKey"},
			{`{"algorithm":"rsa","publicKey":"x"}`, "spec.algorithm"},
		}, common...),
		"vm": append([]bad{
			{`{}`, "spec.spec"},
			{`{"spec":"x","subnet":"s"}`, "spec.image"},
			{`{"image":"i","customimage":"c","spec":"x","subnet":"s"}`, "spec.customimage"},
			{`{"image":"i","spec":"x"}`, "spec.subnet"},
			{`{"image":"i","spec":"x","subnet":"none"}`, "spec.subnet"},
			{`{"image":"","spec":"x","subnet":"s"}`, "spec.image"},
			{`{"image":"i","spec":"` + strings.Repeat("x", 10_000) + `","subnet":"s"}`, "spec.spec"},
			{vm("keypair", `"none"`), "spec.keypair"},
			{vm("keypair", `{}`), "spec.keypair"},
			{vm("securitygroups", `["none"]`), "spec.securitygroups[0]"},
			{vm("securitygroups", `["g","g"]`), "spec.securitygroups[1]"},
			{vm("securitygroups", `"g"`), "spec.securitygroups"},
			{vm("securitygroups", `[null]`), "spec.securitygroups[0]"},
			{vm("securitygroups", `["g"`+strings.Repeat(`,"g"`, 1000)+`]`), "spec.securitygroups"},
			{vm("rootDiskSizeGiB", `0`), "spec.rootDiskSizeGiB"},
			{vm("rootDiskSizeGiB", `-8`), "spec.rootDiskSizeGiB"},
			{vm("rootDiskSizeGiB", `65537`), "spec.rootDiskSizeGiB"},
			{vm("rootDiskSizeGiB", `1e300`), "spec.rootDiskSizeGiB"},
			{vm("rootDiskSizeGiB", `"8"`), "spec.rootDiskSizeGiB"},
			{vm("rootDiskSizeGiB", `8.5`), "spec.rootDiskSizeGiB"},
			{vm("subnet", `"s"`), "spec.subnet"}, // twice
		}, common...),
		"fileshare": append([]bad{
			{`{}`, "spec.vpc"},
			{`{"vpc":"none"}`, "spec.vpc"},
			{`{"vpc":"v","subnets":["none"]}`, "spec.subnets[0]"},
			{`{"vpc":"v","subnets":["s","s"]}`, "spec.subnets[1]"},
			{`{"vpc":"v","protocol":"ftp"}`, "spec.protocol"},
			{`{"vpc":"v","sizeGiB":-1}`, "spec.sizeGiB"},
		}, common...),
		"database": append([]bad{
			{`{}`, "spec.engine"},
			{`{"engine":"My SQL","spec":"x","vpc":"v"}`, "spec.engine"},
			{`{"engine":"mysql","spec":"x","vpc":"none"}`, "spec.vpc"},
			{`{"engine":"mysql","spec":"x","vpc":"v","storageGiB":0}`, "spec.storageGiB"},
			{`{"engine":"mysql","spec":"x","vpc":"v","backupDays":99}`, "spec.backupDays"},
			{`{"engine":"mysql","spec":"x","vpc":"v","adminPassword":"weak"}`, "spec.adminPassword"},
			{`{"engine":"mysql","spec":"x","vpc":"v","adminPassword":"all-lower-case"}`, "spec.adminPassword"},
			{`{"engine":"mysql","spec":"x","vpc":"v","adminUser":"a b"}`, "spec.adminUser"},
			{`{"engine":"mysql","spec":"x","vpc":"v","fromBackup":"none"}`, "spec.fromBackup"},
		}, common...),
		"dbbackup": append([]bad{{`{}`, "spec.database"}, {`{"database":"none"}`, "spec.database"}}, common...),
		"broker": append([]bad{
			{`{"engine":"zeromq","spec":"x","vpc":"v"}`, "spec.engine"},
			{`{"engine":"kafka","spec":"x","vpc":"v","nodes":0}`, "spec.nodes"},
			{`{"engine":"kafka","spec":"x","vpc":"v","adminUser":"me"}`, "spec.adminUser"},
			{`{"engine":"rabbitmq","spec":"x","vpc":"v","adminPassword":"weak"}`, "spec.adminPassword"},
		}, common...),
	}
}

// rules is what no list of rules may be.
func rules(ports, cidrs []string) []bad {
	one := func(body, field string) bad { return bad{"[" + body + "]", "rules[0]" + field} }
	list := []bad{
		{`{}`, "rules"},
		{`"in:tcp:22:0.0.0.0/0"`, "rules"},
		{`1`, "rules"},
		one(`null`, ""), one(`[]`, ""), one(`"x"`, ""), one(`{}`, ".direction"),
		one(`{"direction":"up","protocol":"tcp","cidr":"0.0.0.0/0"}`, ".direction"),
		one(`{"direction":"in","protocol":"gre","cidr":"0.0.0.0/0"}`, ".protocol"),
		one(`{"direction":"in","protocol":"tcp","color":1,"cidr":"0.0.0.0/0"}`, ".color"),
		one(`{"direction":"in","protocol":"tcp","fromPort":23,"toPort":22,"cidr":"0.0.0.0/0"}`, ".toPort"),
		one(`{"direction":"in","protocol":"tcp","toPort":22,"cidr":"0.0.0.0/0"}`, ".fromPort"),
		one(`{"direction":"in","protocol":"icmp","fromPort":22,"cidr":"0.0.0.0/0"}`, ".fromPort"),
		one(`{"direction":"in","protocol":"tcp","fromPort":22}`, ".cidr"),
	}
	for _, port := range ports {
		list = append(list, one(`{"direction":"in","protocol":"tcp","fromPort":`+port+`,"cidr":"0.0.0.0/0"}`, ".fromPort"),
			one(`{"direction":"in","protocol":"tcp","fromPort":1,"toPort":`+port+`,"cidr":"0.0.0.0/0"}`, ".toPort"))
	}
	for _, cidr := range cidrs {
		list = append(list, one(`{"direction":"in","protocol":"tcp","fromPort":22,"cidr":`+cidr+`}`, ".cidr"))
	}
	return list
}

// state is everything that a request could have changed.
func (a *routes) state() string {
	a.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/v1/operations?pageSize=1000", "/v1/credentials", "/v1/connections", "/v1/repositories"} {
		b.Write(a.get(path).body)
	}
	for _, k := range resource.Kinds() {
		b.Write(a.get("/v1/" + k.Plural()).body)
	}
	return b.String()
}

// refuses checks that a request is refused with a problem that names the field.
func (a *routes) refuses(status int, got answer, what, field string) v1.ProblemDocument {
	a.t.Helper()
	got.about += " " + what
	p := isProblem(a.t, status, got)
	assert.Equal(a.t, resource.CodeInvalid, p.Code, got.about)
	assert.False(a.t, p.Retryable, got.about)
	assert.Less(a.t, len(got.body), 20_000, "%s is answered at length", got.about)
	namesField(a.t, p, got.about, field)
	return p
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	a := start(t, enginetest.Options{Inventory: inventory.Config{SyncEvery: 24 * time.Hour}}) // which would change what is shown
	a.network()
	before := a.state()
	const wrong = http.StatusUnprocessableEntity
	shorten := func(s string) string { return s[:min(len(s), 200)] }

	posts := a.posts()
	for path, good := range posts {
		for what, b := range everywhere() {
			field := b.field
			if good == "" && strings.HasPrefix(b.body, "{") || strings.Contains(path, ":") && field == "name" || strings.HasSuffix(path, "rules") && field == "name" {
				field = "" // what takes no body, or no name, says so for the whole
			}
			a.refusesAny(a.post(path, b.body), what, field)
		}
		if good == "" {
			a.refusesAny(a.post(path, `{"now":true}`), "parameters of no use", "")
		} else {
			if !strings.HasPrefix(path, "/v1/drivers/") { // where everything has a default
				a.refusesAny(a.post(path, ""), "empty", "")
				a.refusesAny(a.post(path, "{}"), "nothing in it", "")
			}
			a.refuses(wrong, a.post(path, strings.TrimSuffix(good, "}")+`,"color":"red"}`), "one field too many", "color")
			first, _, _ := strings.Cut(strings.TrimPrefix(good, `{"`), `"`)
			a.refuses(wrong, a.post(path, `{"`+first+`":null,`+strings.TrimPrefix(good, "{")), "a field twice", first)
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/yaml", "multipart/form-data; boundary=x", "application/octet-stream", "nonsense", "text/json;;"} {
			r := a.request(http.MethodPost, path, strings.NewReader(good+" "))
			r.Header.Set("Content-Type", kind)
			a.refuses(http.StatusUnsupportedMediaType, a.send(r), kind, "body")
		}
		a.refuses(http.StatusRequestEntityTooLarge, a.post(path, good+strings.Repeat(" ", 2<<20)), "2 MB", "body")
		r := a.request(http.MethodPost, path, strings.NewReader(good))
		r.Header.Del("Authorization")
		assert.Equal(t, resource.CodeUnauthenticated, isProblem(t, http.StatusUnauthorized, a.send(r)).Code)
		a.refuses(wrong, a.post(path+"?color=red", good), "unknown parameter", "color")
		if strings.HasPrefix(path, "/v1/connections/mock/") {
			elsewhere := strings.Replace(path, "/mock/", "/nowhere/", 1)
			assert.Equal(t, resource.CodeNotFound, isProblem(t, http.StatusNotFound, a.post(elsewhere, good)).Code)
			isProblem(t, http.StatusNotFound, a.post(strings.Replace(path, "/mock/", "/mock/rocket", 1), good))
		}
	}
	for path, good := range posts {
		if !strings.HasPrefix(good, `{"name":"new"`) {
			continue
		}
		for _, name := range names() {
			a.refuses(wrong, a.post(path, strings.Replace(good, `"new"`, name, 1)), "name "+shorten(name), "name")
		}
		a.refuses(wrong, a.post(path, strings.Replace(good, `"name":"new",`, "", 1)), "no name", "name")
	}
	for kind, specs := range a.specs() {
		path := "/v1/connections/mock/" + kind + "s"
		for _, b := range specs {
			a.refuses(wrong, a.post(path, `{"name":"new","spec":`+b.body+`}`), shorten(b.body), b.field)
		}
		a.refuses(wrong, a.post(path, `{"name":"new"}`), "no spec", "spec")
		good := posts[path]
		for labels, field := range map[string]string{
			`[]`: "labels", `"x"`: "labels", `{"a":1}`: "labels.a", `{"a":null}`: "labels.a", `{"a":{}}`: "labels.a", `{"":"x"}`: "labels", `{"a b":"x"}`: "labels",
			`{"mcic-uid":"x"}`: "labels.mcic-uid", `{"a":"` + strings.Repeat("x", 256) + `"}`: "labels.a", `{"a":"x\u0000"}`: "labels.a",
			`{"a":"x","a":"y"}`: "labels.a", `{` + strings.Repeat(`"a":"x",`, 3) + `"a":"x"}`: "labels.a", many(41): "labels",
		} {
			a.refuses(wrong, a.post(path, strings.TrimSuffix(good, "}")+`,"labels":`+labels+`}`), "labels "+shorten(labels), field)
		}
	}
	for _, action := range []string{"addrules", "removerules"} {
		for _, b := range append(rules([]string{`0`, `65536`, `"22"`, `1e300`}, []string{`"x"`, `1`}), bad{`[]`, "rules"}, bad{`null`, "rules"}) {
			a.refuses(wrong, a.post("/v1/connections/mock/securitygroups/g:"+action, `{"rules":`+b.body+`}`), shorten(b.body), b.field)
		}
	}
	setup := func(fields string) string { return `{"name":"new",` + fields + `}` }
	for body, field := range map[string]string{
		setup(`"region":"mock-seoul"`):                                             "cloud",
		setup(`"cloud":"moon","region":"mock-seoul"`):                              "cloud",
		setup(`"cloud":"../mock","region":"mock-seoul"`):                           "cloud",
		setup(`"cloud":1`):                                                         "cloud",
		setup(`"cloud":"mock","region":"atlantis"`):                                "region",
		setup(`"cloud":"mock","region":["mock-seoul"]`):                            "region",
		setup(`"cloud":"mock","region":"mock-seoul","zone":"x"`):                   "zone",
		setup(`"cloud":"mock","region":"mock-seoul","credential":"none"`):          "credential",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"speed":"1"}`):     "settings",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"latency":"x"}`):   "settings.latency",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"latency":1}`):     "settings.latency",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"failCall":"2"}`):  "settings.failCall",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"pageSize":"0"}`):  "settings.pageSize",
		setup(`"cloud":"mock","region":"mock-seoul","settings":[]`):                "settings",
		setup(`"cloud":"mock","region":"mock-seoul\u0000"`):                        "region",
		setup(`"cloud":"mock","region":"` + strings.Repeat("x", 10_000) + `"`):     "region",
		setup(`"cloud":"mock","region":"mock-seoul","settings":` + many(65) + ``):  "settings",
		setup(`"cloud":"mock","region":"mock-seoul","settings":{"latency":"-1s"}`): "settings.latency",
	} {
		a.refuses(wrong, a.post("/v1/connections", body), shorten(body), field)
	}
	for body, field := range map[string]string{
		setup(`"cloud":"mock"`):                                "values",
		setup(`"cloud":"moon","values":{}`):                    "cloud",
		setup(`"cloud":"mock","values":{"pin":"1"}`):           "values",
		setup(`"cloud":"mock","values":{"password":1}`):        "values.password",
		setup(`"cloud":"mock","values":{"password":null}`):     "values.password",
		setup(`"cloud":"mock","values":"x"`):                   "values",
		setup(`"cloud":"mock","values":{"password":"\u0000"}`): "values.password",
	} {
		a.refuses(wrong, a.post("/v1/credentials", body), shorten(body), field)
	}
	assert.Equal(t, before, a.state())
}

// refusesAny is refuses for a field that may be any when it is "".
func (a *routes) refusesAny(got answer, what, field string) {
	a.t.Helper()
	if field == "" {
		p := isProblem(a.t, http.StatusUnprocessableEntity, got)
		require.NotEmpty(a.t, p.Fields, "%s %s", got.about, what)
		field = p.Fields[0].Field
		assert.NotEmpty(a.t, field, "%s %s", got.about, what)
	}
	a.refuses(http.StatusUnprocessableEntity, got, what, field)
}

// many is an object of n members.
func many(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"k%d":"x"`, i)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestWhatIsNotThere(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	for _, path := range []string{"/v1", "/v1/", "/v2/vpcs", "/v1/vpc", "/v1/connections/mock/vpcs/v/x", "/v1//vpcs", "/v1/vpcs/", "/openapi", "/v1/connections/mock/vpcs/v:fly", "/v1/connections/"} {
		p := isProblem(t, http.StatusNotFound, a.get(path))
		assert.Equal(t, resource.CodeNotFound, p.Code)
	}
	for _, path := range []string{"/v1/rockets", "/v1/connections/mock/rockets", "/v1/connections/mock/rockets/x"} {
		assert.Contains(t, isProblem(t, http.StatusNotFound, a.get(path)).Detail, "securitygroups", "the kinds are named")
	}
	unknown := isProblem(t, http.StatusNotFound, a.post("/v1/connections/mock/vpcs/v:fly", ""))
	assert.Equal(t, resource.CodeNotFound, unknown.Code)
	assert.Contains(t, unknown.Detail, `"fly"`)
	for _, try := range []struct{ method, path, allow string }{
		{http.MethodPut, "/v1/drivers", "GET, HEAD, POST"},
		{http.MethodPatch, "/v1/connections/mock/vpcs/v", "GET, HEAD, DELETE"},
		{http.MethodPost, "/v1/vpcs", "GET, HEAD"},
		{http.MethodDelete, "/v1/connections/mock/vpcs", "GET, HEAD, POST"},
		{http.MethodOptions, "/v1/operations", "GET, HEAD"},
		{"BREW", "/v1/operations", "GET, HEAD"},
		{http.MethodPost, "/healthz", "GET, HEAD"},
		{http.MethodGet, "/v1/connections/mock/vpcs/v:label", "POST"},
		{http.MethodDelete, "/v1/connections/mock/vpcs/v:release", "POST"},
		{http.MethodOptions, "/v1/connections/mock:destroy", "POST"},
	} {
		got := a.send(a.request(try.method, try.path, nil))
		assert.Equal(t, resource.CodeUnsupported, isProblem(t, http.StatusMethodNotAllowed, got).Code)
		assert.Equal(t, try.allow, strings.Join(got.header.Values("Allow"), ", "), got.about)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		p := isProblem(t, http.StatusNotFound, a.send(a.request(method, "/v1/connections/mock/vms/none", nil)))
		assert.Contains(t, p.Detail, "none")
	}
	assert.Contains(t, isProblem(t, http.StatusNotFound, a.post("/v1/connections/mock/vms/none:stop", "")).Detail, "none")
}

// zeros is an endless body of spaces.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAHugeBodyTakesNoMemory(t *testing.T) {
	a := start(t, enginetest.Options{})
	const size = 100 << 20
	for _, path := range []string{"/v1/credentials", "/v1/connections/mock/vpcs", "/v1/connections/mock/vms/x:stop"} {
		for _, length := range []int64{size, -1} { // announced and in chunks
			r := a.request(http.MethodPost, path, io.LimitReader(zeros{}, size))
			r.ContentLength = length
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := a.send(r)
			runtime.ReadMemStats(&after)
			a.refuses(http.StatusRequestEntityTooLarge, got, "100 MB", "body")
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(20<<20), "%s with length %d", path, length)
		}
	}
}

func TestABrokenBodyIsTheClientsFault(t *testing.T) {
	a := start(t, enginetest.Options{})
	for what, rest := range map[string]string{
		"cut off":     "Content-Length: 100\r\n\r\n{\"name\"",
		"no chunk":    "Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
		"short chunk": "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"na\r\n",
	} {
		conn, err := (&net.Dialer{}).DialContext(within(t), "tcp", strings.TrimPrefix(a.url, "http://"))
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "POST /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s", token, rest)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		raw, err := io.ReadAll(conn)
		require.NoError(t, err, what)
		require.NoError(t, conn.Close())
		head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		assert.True(t, bytes.HasPrefix(head, []byte("HTTP/1.1 400 ")), "%s: %s", what, raw)
		assert.Contains(t, string(body), `"code":"invalid"`, what)
	}
}
