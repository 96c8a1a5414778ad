package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWhatOnlyOneCloudHas(t *testing.T) {
	a := start(t, enginetest.Options{}, "lacks", "cluster")
	a.network()
	got := a.get("/v1/connections/mock/capabilities")
	require.Equal(t, http.StatusOK, got.status)
	c := into[driver.Capabilities](t, got)
	assert.Equal(t, "cluster", c.Lacks[0].Name)
	assert.Len(t, c.Kinds, len(resource.Kinds())-1)
	assert.Equal(t, resource.CodeNotFound, isProblem(t, http.StatusNotFound, a.get("/v1/connections/nowhere/capabilities")).Code)

	permissions := into[struct{ Items []driver.Permission }](t, a.get("/v1/connections/mock/permissions"))
	require.Len(t, permissions.Items, 2*len(resource.Kinds()))
	assert.Equal(t, driver.Permission{Name: "vpc:read", Uses: []string{"vpc/list", "vpc/get"}, Has: driver.HasIt}, permissions.Items[0])
	assert.Equal(t, resource.CodeNotFound, isProblem(t, http.StatusNotFound, a.get("/v1/connections/nowhere/permissions")).Code)

	got = a.post("/v1/connections/mock/extensions/countAll", `{"rsType":"vpc"}`)
	require.Equal(t, http.StatusOK, got.status)
	assert.JSONEq(t, `{"Count":1}`, string(got.body))
	p := isProblem(t, http.StatusNotFound, a.post("/v1/connections/mock/extensions/dance", `{}`))
	assert.Contains(t, p.Detail, "countAll, echo")
	for code, status := range map[resource.Code]int{
		resource.CodeQuota: 409, resource.CodeThrottled: 429, resource.CodeUnavailable: 503, resource.CodeInvalid: 422, resource.CodeUnsupported: 422,
	} {
		p := isProblem(t, status, a.post("/v1/connections/mock/extensions/echo", `{"text":"x","fail":"`+string(code)+`"}`))
		assert.Equal(t, code, p.Code)
		assert.Equal(t, "AsAsked", p.Cloud.Code)
	}

	got = a.post("/v1/connections/mock/native", `{"service":"mock","path":"/vpcs"}`)
	require.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, 200, into[driver.NativeResponse](t, got).Status)
	got = a.post("/v1/connections/mock/native", `{"service":"mock","path":"/moons"}`)
	require.Equal(t, http.StatusOK, got.status, "the cloud's no is an answer")
	assert.Equal(t, 404, into[driver.NativeResponse](t, got).Status)
	before := a.state()
	for body, field := range map[string]string{
		`{"service":""}`: "service",
		`{"service":"` + strings.Repeat("x", 129) + `"}`:                "service",
		`{"service":"mock","method":"TRACE"}`:                           "method",
		`{"service":"mock","path":1}`:                                   "path",
		`{"service":"mock","path":"` + strings.Repeat("x", 5000) + `"}`: "path",
		`{"service":"mock","query":{"a":"b"}}`:                          "query.a",
		`{"service":"mock","headers":{"a":["b"]}}`:                      "headers.a",
		`{"service":"mock","body":{}}`:                                  "body",
		`{"service":"mock","body":"a\u0000"}`:                           "body",
	} {
		a.refuses(http.StatusUnprocessableEntity, a.post("/v1/connections/mock/native", body), body[:min(len(body), 100)], field)
	}
	assert.Equal(t, before, a.state())
}

// TestViews asks for what the cloud knows and nothing keeps.
func TestViews(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.network()
	a.create("mock", "cluster", "k8s", `{"vpc":"v","subnets":["s"],"nodeGroups":[{"name":"a","spec":"`+a.Spec+`"}]}`)
	got := a.get("/v1/connections/mock/clusters/k8s/kubeconfig")
	require.Equal(t, http.StatusOK, got.status)
	kubeconfig := into[resource.Kubeconfig](t, got)
	assert.Contains(t, kubeconfig.Kubeconfig, "kind: Config")
	assert.NotNil(t, kubeconfig.ExpiresAt)
	token := into[resource.ClusterToken](t, a.get("/v1/connections/mock/clusters/k8s/token")).Token
	require.NotEmpty(t, token)
	assert.NotContains(t, a.state(), token)

	a.create("mock", "nlb", "web", `{"vpc":"v","protocol":"tcp","port":80,"members":["vm1"]}`)
	health := into[resource.Health](t, a.get("/v1/connections/mock/nlbs/web/health"))
	assert.Equal(t, []resource.MemberHealth{{VM: "vm1", State: "healthy"}}, health.Members, "members by their names here")

	console := into[resource.VMConsole](t, a.get("/v1/connections/mock/vms/vm1/console")).Output
	assert.Greater(t, strings.Count(console, "\n"), 3)
	assert.Contains(t, console, into[resource.VMConsole](t, a.get("/v1/connections/mock/vms/vm1/console?lines=2")).Output)
	assert.Equal(t, 1, strings.Count(into[resource.VMConsole](t, a.get("/v1/connections/mock/vms/vm1/console?lines=2")).Output, "\n"))
	for query, field := range map[string]string{"console?lines=two": "lines", "console?lines=0": "lines", "console?row=1": "row", "password?lines=1": "lines"} {
		a.refuses(http.StatusUnprocessableEntity, a.get("/v1/connections/mock/vms/vm1/"+query), query, field)
	}
	assert.Equal(t, resource.CodeNotFound, isProblem(t, http.StatusNotFound, a.get("/v1/connections/mock/vms/vm1/password")).Code)
	for _, path := range []string{"mock/clusters/none/kubeconfig", "nowhere/clusters/k8s/kubeconfig", "mock/clusters/k8s/weather", "mock/vpcs/v/kubeconfig"} {
		isProblem(t, http.StatusNotFound, a.get("/v1/connections/"+path))
	}
}
