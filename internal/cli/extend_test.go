package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const exitUsage = 2 // what is wrong with the command line itself

// odd is a fake whose connection has what only some clouds have.
func odd(t *testing.T) (*fake, *shell) {
	t.Helper()
	f := newFake(t)
	f.answers = map[string]any{
		"connections/mock/capabilities": driver.Capabilities{
			Cloud: "odd", Catalogs: []string{"image"}, Native: "As you like.",
			Kinds: []driver.KindOffer{{Name: "vm", Verbs: []string{"list", "get"}, Actions: []string{"start"}, Views: []string{"password"}}},
			Lacks: []driver.Lack{{Name: "nlb", Reason: "no such service"}},
			Extensions: []driver.ExtensionOffer{
				{Name: "greet", Doc: "Greets.", Input: json.RawMessage(`{"$ref":"#/$defs/In","$defs":{"In":{"type":"object","properties":{"name":{"type":"string"},"times":{"type":"integer"},"tags":{"type":["array","null"]}}}}}`)},
				{Name: "strange", Doc: "By another hand.", Input: json.RawMessage(`[]`)},
			},
		},
		"connections/mock/extensions/greet":   map[string]any{"text": "hello"},
		"connections/mock/extensions/strange": map[string]any{},
		"connections/mock/native":             driver.NativeResponse{Status: 200, Body: "<vpcs/>"},
	}
	return f, newShell(t, f)
}

func TestCapabilities(t *testing.T) {
	_, s := odd(t)
	out := s.ok("connection capabilities mock")
	for _, part := range []string{"odd", "image", "greet, strange", "As you like.", "nlb: no such service", "list,get", "start", "password"} {
		assert.Contains(t, out, part)
	}
	var c driver.Capabilities
	require.NoError(t, json.Unmarshal([]byte(s.ok("connection capabilities mock -o json")), &c))
	assert.Equal(t, "odd", c.Cloud)
}

func TestPermissions(t *testing.T) {
	f, s := odd(t)
	f.answers["connections/mock/permissions"] = map[string]any{"items": []driver.Permission{
		{Name: "odd:see", Has: driver.HasIt, Uses: []string{"vm/list", "vm/get"}},
		{Name: "odd:do", Has: driver.LacksIt, Reason: "nobody gave it"},
	}}
	rows := strings.Split(strings.TrimSpace(s.ok("connection permissions mock")), "\n")
	require.Len(t, rows, 3)
	assert.Regexp(t, `^odd:see +yes +vm/list,vm/get +-$`, rows[1])
	rows = strings.Split(strings.TrimSpace(s.ok("connection permissions mock --lacking")), "\n")
	require.Len(t, rows, 2)
	assert.Regexp(t, `^odd:do +no +- +nobody gave it$`, rows[1])
}

func TestDriverCapabilities(t *testing.T) {
	f, s := odd(t)
	f.answers["drivers/odd/capabilities"] = map[string]any{"items": []driver.Capability{
		{Kind: "vm", Verb: "list", Offered: true, Tested: []driver.CapabilityTest{{Against: "odd 1.0", Type: driver.TestedService, Passed: 7, Reasons: []string{"skipped pages: no setting", "deviates shape: it is round"}}}},
		{Kind: "vm", Verb: "create", Reason: "nobody builds them"},
		{Kind: "image", Verb: "list", Offered: true},
	}}
	rows := strings.Split(strings.TrimSpace(s.ok("driver capabilities odd")), "\n")
	require.Len(t, rows, 4)
	assert.Regexp(t, `^vm +list +yes +7 checks, odd 1.0 +deviates shape: it is round$`, rows[1])
	assert.Regexp(t, `^vm +create +no +- +nobody builds them$`, rows[2])
	assert.Regexp(t, `^image +list +yes +- +-$`, rows[3])
	assert.Equal(t, "image/list\n", s.ok("driver capabilities odd --kind image -o name"))
	var all []driver.Capability
	require.NoError(t, json.Unmarshal([]byte(s.ok("driver capabilities odd --kind vm --kind image -o json")), &all))
	assert.Len(t, all, 3)
	assert.Contains(t, s.ok("driver capabilities odd -o yaml"), "reason: nobody builds them")
	assert.Empty(t, s.ok("driver capabilities odd --kind unicorn"))
	assert.Contains(t, s.err.String(), "no such kind")
	assert.Equal(t, exitUsage, s.run("driver capabilities"))
}

func TestExtensions(t *testing.T) {
	f, s := odd(t)
	out := s.ok("extension list")
	assert.Contains(t, out, "greet")
	assert.Contains(t, out, "name,tags,times")
	assert.Equal(t, "greet\nstrange\n", s.ok("extension list -o name"))

	assert.JSONEq(t, `{"text":"hello"}`, s.ok(`extension run greet --set name=7 --set times=3 --set tags=["a"] --set other=null`))
	assert.Contains(t, f.seen(), `POST /connections/mock/extensions/greet {"name":"7","other":"null","tags":["a"],"times":3}`)
	assert.Equal(t, "text: hello\n", s.ok("extension run greet -c mock -o yaml"))
	require.NoError(t, os.WriteFile(s.path("in.yaml"), []byte("name: you\ntimes: 2\n"), 0o600))
	s.ok("extension run greet --set times=4 --file " + s.path("in.yaml"))
	assert.Contains(t, f.seen(), `POST /connections/mock/extensions/greet {"name":"you","times":4}`)
	s.ok("extension run strange --set a=1")
	assert.Contains(t, f.seen(), `POST /connections/mock/extensions/strange {"a":"1"}`)

	assert.Equal(t, exitUsage, s.run("extension run"))
	assert.Equal(t, exitUsage, s.run("extension run greet --set name"))
	assert.Equal(t, exitCode(resource.Errorf(resource.CodeNotFound, "x")), s.run("extension run dance --set a=b"))
	assert.Contains(t, s.err.String(), "mcic extension list")
	f.problem, f.status = map[string]any{"code": "quota", "detail": "too many"}, 403
	delete(f.answers, "connections/mock/extensions/greet")
	assert.Equal(t, exitCode(resource.Errorf(resource.CodeQuota, "x")), s.run("extension run greet"))
}

func TestNative(t *testing.T) {
	f, s := odd(t)
	require.NoError(t, os.WriteFile(s.path("body.json"), []byte(`{"a":1}`), 0o600))
	assert.Equal(t, "<vpcs/>\n", s.ok("native ec2 --query a=1 --query a=2 --header X-A=b=c"))
	assert.Contains(t, f.seen(), `POST /connections/mock/native {"service":"ec2","query":{"a":["1","2"]},"headers":{"X-A":"b=c"}}`)
	s.ok("native net -c mock --method POST --path /v2 --body @" + s.path("body.json"))
	assert.Contains(t, f.seen(), `POST /connections/mock/native {"service":"net","method":"POST","path":"/v2","body":"{\"a\":1}"}`)
	s.stdin = "text"
	s.ok("native net --body @-")
	assert.Contains(t, f.seen(), `POST /connections/mock/native {"service":"net","body":"text"}`)
	var answer driver.NativeResponse
	require.NoError(t, json.Unmarshal([]byte(s.ok("native net -o json")), &answer))
	assert.Equal(t, 200, answer.Status)

	for status, code := range map[int]resource.Code{
		400: resource.CodeInvalid, 401: resource.CodeUnauthenticated, 403: resource.CodeDenied, 404: resource.CodeNotFound,
		409: resource.CodeConflict, 429: resource.CodeThrottled, 503: resource.CodeUnavailable,
	} {
		f.answers["connections/mock/native"] = driver.NativeResponse{Status: status, Body: "why"}
		assert.Equal(t, exitCode(resource.Errorf(code, "x")), s.run("native net"), status)
		assert.Equal(t, "why\n", s.out.String())
		assert.Contains(t, s.err.String(), "the cloud answered")
	}
	f.answers["connections/mock/native"] = driver.NativeResponse{Status: 302}
	assert.Empty(t, s.ok("native net"))
	for _, line := range []string{"native", "native a b", "native net --query a", "native net --header a", "native net --body @" + s.path("none")} {
		assert.Equal(t, exitUsage, s.run(line), line)
	}
}

func TestViewsAreShownPlain(t *testing.T) {
	f := newFake(t)
	f.answers = map[string]any{
		"connections/mock/clusters/k8s/kubeconfig": resource.Kubeconfig{Kubeconfig: "apiVersion: v1\r\nkind: Config\n"},
		"connections/mock/vms/vm1/console":         resource.VMConsole{Output: "a\nb\n"},
		"connections/mock/nlbs/web/health":         resource.Health{Members: []resource.MemberHealth{{VM: "vm1", State: "healthy"}}},
	}
	s := newShell(t, f)
	assert.Equal(t, "apiVersion: v1\nkind: Config\n", s.ok("cluster kubeconfig k8s -c mock"), "a file for kubectl")
	var whole resource.Kubeconfig
	require.NoError(t, json.Unmarshal([]byte(s.ok("cluster kubeconfig k8s -o json")), &whole))
	assert.Contains(t, whole.Kubeconfig, "kind: Config")
	assert.Equal(t, "a\nb\n", s.ok("vm console vm1 --lines 2"))
	assert.Contains(t, strings.Join(f.seen(), "\n"), "/vms/vm1/console?lines=2")
	assert.Equal(t, exitUsage, s.run("vm console vm1 --lines two"))
	assert.Equal(t, exitUsage, s.run("vm password vm1 --lines 2"))
	out := s.ok("nlb health web")
	assert.Contains(t, out, "vm1")
	assert.Contains(t, out, "healthy")
	assert.Equal(t, exitUsage, s.run("cluster kubeconfig"))
	assert.Equal(t, exitUsage, s.run("cluster kubeconfig a b"))
}
