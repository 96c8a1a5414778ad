package v1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/repository/repositorytest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestTheMainJobOverHTTP(t *testing.T) {
	a := start(t, enginetest.Options{}, "latency", "30ms")
	connection := into[api.Connection](t, a.get("/v1/connections/mock"))
	assert.Equal(t, "mock-seoul", connection.Region)

	steps := []struct {
		kind, name, spec string
		state            resource.State
	}{
		{"vpc", "v", `{"cidr":"10.0.0.0/16"}`, resource.StateAvailable},
		{"subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`, resource.StateAvailable},
		{"securitygroup", "g", `{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}]}`, resource.StateAvailable},
		{"keypair", "k", `{"algorithm":"ed25519"}`, resource.StateAvailable},
		{"vm", "vm1", a.vmSpec(), resource.StateRunning},
	}
	for _, s := range steps {
		base := "/v1/connections/mock/" + s.kind + "s"
		body := fmt.Sprintf(`{"name":%q,"labels":{"team":"x"},"spec":%s}`, s.name, s.spec)
		got := a.post(base+"?wait=30s", body)
		require.Equal(t, http.StatusCreated, got.status, "%s: %s", got.about, got.body)
		created := into[resource.Resource](t, got)
		assert.Equal(t, s.state, created.State)
		assert.NotEmpty(t, created.CloudID)

		read := into[resource.Resource](t, a.get(base+"/"+s.name))
		created.Secrets = nil
		assert.Equal(t, created, read)
		for _, list := range []string{base, "/v1/" + s.kind + "s"} {
			assert.Equal(t, []string{s.name}, a.names(list))
		}
		again := isProblem(t, http.StatusConflict, a.post(base+"?wait=30s", body))
		assert.Equal(t, resource.CodeAlreadyExists, again.Code)
	}
	used := isProblem(t, http.StatusConflict, a.delete("/v1/connections/mock/vpcs/v?wait=30s"))
	assert.Equal(t, resource.CodeDependency, used.Code)
	assert.Contains(t, used.Detail, "subnet s")
	isProblem(t, http.StatusConflict, a.delete("/v1/connections/mock"))

	for _, do := range []struct {
		action string
		state  resource.State
	}{{"stop", resource.StateStopped}, {"start", resource.StateRunning}, {"reboot", resource.StateRunning}} {
		got := a.send(a.request(http.MethodPost, "/v1/connections/mock/vms/vm1:"+do.action+"?wait=30s", nil)) // without a body
		require.Equal(t, http.StatusOK, got.status, "%s: %s", got.about, got.body)
		assert.Equal(t, do.state, into[resource.Resource](t, got).State)
	}
	rule := `{"rules":[{"direction":"in","protocol":"tcp","fromPort":443,"cidr":"0.0.0.0/0"}]}`
	for _, do := range []struct {
		action string
		rules  int
	}{{"addrules", 2}, {"addrules", 2}, {"removerules", 1}} {
		got := a.post("/v1/connections/mock/securitygroups/g:"+do.action+"?wait=30s", rule)
		require.Equal(t, http.StatusOK, got.status, "%s: %s", got.about, got.body)
		var spec resource.SecurityGroupSpec
		require.NoError(t, json.Unmarshal(into[resource.Resource](t, got).Spec, &spec))
		inbound := 0
		for _, r := range spec.Rules {
			if r.Direction == "in" {
				inbound++
			}
		}
		assert.Equal(t, do.rules, inbound, do.action)
	}

	for i := len(steps) - 1; i >= 0; i-- {
		one := "/v1/connections/mock/" + steps[i].kind + "s/" + steps[i].name
		got := a.delete(one + "?wait=30s")
		require.Equal(t, http.StatusOK, got.status, "%s: %s", got.about, got.body)
		op := into[api.Operation](t, got)
		assert.Equal(t, api.OperationSucceeded, op.State)
		assert.Equal(t, "delete", op.Verb)
		isProblem(t, http.StatusNotFound, a.get(one))
		isProblem(t, http.StatusNotFound, a.delete(one))
		assert.Empty(t, a.names("/v1/connections/mock/"+steps[i].kind+"s"))
	}
	got := a.delete("/v1/connections/mock")
	assert.Equal(t, http.StatusNoContent, got.status)
	assert.Empty(t, got.body)
	isProblem(t, http.StatusNotFound, a.get("/v1/connections/mock"))
}

func TestWithoutWaitThereIsAnOperationToFollow(t *testing.T) {
	a := start(t, enginetest.Options{}, "latency", "200ms")
	follow := func(got answer) api.Operation {
		t.Helper()
		require.Equal(t, http.StatusAccepted, got.status, "%s: %s", got.about, got.body)
		op := into[api.Operation](t, got)
		assert.False(t, op.State.Ended())
		location := got.header.Get("Location")
		assert.Equal(t, "/v1/operations/"+op.ID, location)
		ended := into[api.Operation](t, a.get(location+"?wait=30s"))
		assert.Equal(t, api.OperationSucceeded, ended.State, "%v", ended.Error)
		return ended
	}
	const vpcs = "/v1/connections/mock/vpcs"
	op := follow(a.post(vpcs, `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`))
	assert.Equal(t, "create", op.Verb)
	assert.NotNil(t, op.AcceptedAt)
	assert.NotNil(t, op.EndedAt)
	follow(a.post(vpcs+"?wait=0s", `{"name":"v2","spec":{"cidr":"10.0.0.0/16"}}`))
	follow(a.post(vpcs+"?wait=1ms", `{"name":"v3","spec":{"cidr":"10.0.0.0/16"}}`)) // over before it has ended
	follow(a.post("/v1/connections/mock/subnets", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.1.0/24"}}`))
	a.create("mock", "vm", "vm1", a.VMSpec())
	stop := a.post("/v1/connections/mock/vms/vm1:stop", `{}`)
	busy := isProblem(t, http.StatusConflict, a.delete("/v1/connections/mock/vms/vm1"))
	assert.Equal(t, resource.CodeConflict, busy.Code)
	assert.Contains(t, busy.Detail, into[api.Operation](t, stop).ID)
	follow(stop)
	follow(a.delete("/v1/connections/mock/vms/vm1"))
}

func TestWaitLimits(t *testing.T) {
	a := start(t, enginetest.Options{})
	for _, wait := range []string{"31m", "-1s", "soon", "10", "1h", "9999999h", "30m1ns", strings.Repeat("1", 17) + "s"} {
		for _, got := range []answer{
			a.post("/v1/connections/mock/vpcs?wait="+wait, `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`),
			a.delete("/v1/connections/mock/vpcs/v?wait=" + wait),
			a.post("/v1/connections/mock/vms/x:stop?wait="+wait, ``),
			a.get("/v1/operations/x?wait=" + wait),
		} {
			namesField(t, isProblem(t, http.StatusUnprocessableEntity, got), got.about, "wait")
		}
	}
	assert.Empty(t, a.names("/v1/operations"))
	got := a.post("/v1/connections/mock/vpcs?wait=30m", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)
	assert.Equal(t, http.StatusCreated, got.status, "the longest wait; it ends with the operation")
	isProblem(t, http.StatusNotFound, a.get("/v1/operations/nonsense?wait=1s"))
}

func TestAWaitedOperationThatFailsIsAProblemThatNamesIt(t *testing.T) {
	a := start(t, enginetest.Options{}, "quotaVMs", "1")
	a.network()
	got := a.post("/v1/connections/mock/vms?wait=30s", `{"name":"vm2","spec":`+a.vmSpec()+`}`)
	p := isProblem(t, http.StatusConflict, got)
	assert.Equal(t, resource.CodeQuota, p.Code)
	require.NotNil(t, p.Cloud)
	assert.Equal(t, "VMLimitExceeded", p.Cloud.Code)
	assert.NotEmpty(t, p.Cloud.RequestID)
	op := into[api.Operation](t, a.get("/v1/operations/"+p.Operation))
	assert.Equal(t, api.OperationFailed, op.State)
	assert.Equal(t, resource.CodeQuota, op.Error.Code)
	failed := into[resource.Resource](t, a.get("/v1/connections/mock/vms/vm2"))
	assert.Equal(t, resource.StateFailed, failed.State)
}

// secretReads is every way to read what was created.
func (a *routes) secretReads() []string {
	paths := []string{
		"/v1/connections/mock/keypairs", "/v1/keypairs", "/v1/operations", "/v1/credentials", "/v1/connections",
		"/v1/drivers", "/v1/drivers/mock", "/openapi.json", "/openapi.yaml", "/metrics",
	}
	for _, op := range into[page[api.Operation]](a.t, a.get("/v1/operations")).Items {
		paths = append(paths, "/v1/operations/"+op.ID, "/v1/operations/"+op.ID+"?wait=1s")
	}
	for _, name := range a.names("/v1/keypairs") {
		paths = append(paths, "/v1/connections/mock/keypairs/"+name)
	}
	return paths
}

func TestAPrivateKeyIsAnsweredOnce(t *testing.T) {
	a := start(t, enginetest.Options{}, "latency", "30ms")
	events := a.watch("")
	defer events.stop()

	waited := a.create("mock", "keypair", "waited", `{"algorithm":"ed25519"}`)
	got := a.post("/v1/connections/mock/keypairs", `{"name":"followed","spec":{"algorithm":"ed25519"}}`)
	require.Equal(t, http.StatusAccepted, got.status)
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	followed := into[api.Operation](t, got)
	got = a.post("/v1/connections/mock/keypairs?wait=30s", `{"name":"stored","spec":{"algorithm":"ed25519"}}`)
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	vpc := a.post("/v1/connections/mock/vpcs", `{"name":"open","spec":{"cidr":"10.0.0.0/16"}}`)
	assert.Empty(t, vpc.header.Values("Cache-Control"), "nothing of that is secret")
	got = a.get("/v1/operations/" + followed.ID + "?wait=30s")
	for _, secrets := range []map[string]string{waited.Secrets, followed.Secrets} {
		require.Len(t, secrets, 1)
		_, err := ssh.ParsePrivateKey([]byte(secrets["privateKey"]))
		require.NoError(t, err)
	}
	assert.Equal(t, api.OperationSucceeded, into[api.Operation](t, got).State)

	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer(t, waited.Secrets["privateKey"]).PublicKey())))
	imported := a.create("mock", "keypair", "imported", fmt.Sprintf(`{"publicKey":%q}`, public))
	assert.Empty(t, imported.Secrets, "the server does not know the private half")

	for _, path := range a.secretReads() {
		read := a.get(path)
		require.Equal(t, http.StatusOK, read.status, read.about)
		assert.NotContains(t, string(read.body), "PRIVATE KEY", read.about)
		assert.NotContains(t, string(read.body), `"privateKey":"`, read.about)
	}
	for ended := 0; ended < 3; {
		e := events.next(within(t))
		assert.NotContains(t, e.data, "PRIVATE KEY")
		assert.NotContains(t, e.data, `"privateKey":"`)
		if e.event == "operation" && strings.Contains(e.data, `"state":"succeeded"`) {
			ended++
		}
	}
	gone := a.delete("/v1/connections/mock/keypairs/waited?wait=30s")
	assert.NotContains(t, string(gone.body), "PRIVATE KEY")
}

func signer(t *testing.T, private string) ssh.Signer {
	t.Helper()
	s, err := ssh.ParsePrivateKey([]byte(private))
	require.NoError(t, err)
	return s
}

func TestACredentialsValuesAreNeverAnswered(t *testing.T) {
	a := start(t, enginetest.Options{})
	const hidden = "top-secret-1"
	values := func(values string) string { return `{"name":"key","cloud":"mock","values":` + values + `}` }
	for _, bad := range []string{
		values(`{"password":"` + hidden + `","pin":"` + hidden + `"}`),
		values(`{"password":["` + hidden + `"]}`),
		values(`"` + hidden + `"`),
		values(`{"password":"` + hidden + `\u0000"}`),
		values(`{"password":"` + hidden + `","password":"` + hidden + `"}`),
		values(`{"password":"`+hidden+`"}`) + hidden,
		`{"name":"key","cloud":"moon","values":{"password":"` + hidden + `"}}`,
	} {
		got := a.post("/v1/credentials", bad)
		isProblem(t, http.StatusUnprocessableEntity, got)
		assert.NotContains(t, string(got.body), hidden, bad)
	}
	got := a.post("/v1/credentials", values(`{"account":"a","password":"`+hidden+`"}`))
	require.Equal(t, http.StatusCreated, got.status, "%s", got.body)
	assert.Equal(t, []string{"account", "password"}, into[api.Credential](t, got).Fields)
	again := a.post("/v1/credentials", values(`{"password":"`+hidden+`"}`))
	assert.Equal(t, resource.CodeAlreadyExists, isProblem(t, http.StatusConflict, again).Code)
	used := a.post("/v1/connections", `{"name":"c","cloud":"mock","credential":"key","region":"mock-seoul"}`)
	require.Equal(t, http.StatusCreated, used.status, "%s", used.body)
	refused := a.delete("/v1/credentials/key")
	assert.Equal(t, resource.CodeDependency, isProblem(t, http.StatusConflict, refused).Code)

	for _, read := range []answer{got, again, used, refused} {
		assert.NotContains(t, string(read.body), hidden, read.about)
	}
	for _, path := range append(a.secretReads(), "/v1/connections/c", "/v1/credentials/key") {
		read := a.get(path)
		require.Equal(t, http.StatusOK, read.status, read.about)
		assert.NotContains(t, string(read.body), hidden, read.about)
	}
	assert.Equal(t, http.StatusNoContent, a.delete("/v1/connections/c").status)
	assert.Equal(t, http.StatusNoContent, a.delete("/v1/credentials/key").status)
	isProblem(t, http.StatusNotFound, a.get("/v1/credentials/key"))
}

func TestAConnectionIsTried(t *testing.T) {
	a := start(t, enginetest.Options{})
	require.Equal(t, http.StatusCreated, a.post("/v1/credentials", `{"name":"bad","cloud":"mock","values":{"password":"wrong"}}`).status)
	const body = `{"name":"c","cloud":"mock","credential":"bad","region":"mock-seoul"}`
	assert.Equal(t, resource.CodeUnauthenticated, isProblem(t, http.StatusUnauthorized, a.post("/v1/connections", body)).Code)
	isProblem(t, http.StatusNotFound, a.get("/v1/connections/c"))
	require.Equal(t, http.StatusCreated, a.post("/v1/connections?check=false", body).status)
	isProblem(t, http.StatusUnauthorized, a.post("/v1/connections/c:check", ""))
	isProblem(t, http.StatusNotFound, a.post("/v1/connections/nowhere:check", ""))
	assert.JSONEq(t, `{"ok":true}`, string(a.post("/v1/connections/mock:check", "").body))
	namesField(t, isProblem(t, http.StatusUnprocessableEntity, a.post("/v1/connections?check=maybe", body)), "check", "check")
}

func TestDrivers(t *testing.T) {
	a := start(t, enginetest.Options{})
	assert.Equal(t, []string{"mock"}, a.names("/v1/drivers"))
	assert.Equal(t, http.StatusOK, a.get("/v1/drivers/mock").status)
	capabilities := a.get("/v1/drivers/mock/capabilities")
	assert.Equal(t, http.StatusOK, capabilities.status)
	assert.Contains(t, string(capabilities.body), `{"kind":"vm","verb":"create","offered":true,"tested":[{"against":"the Mock cloud","type":"simulator"`)
	isProblem(t, http.StatusNotFound, a.get("/v1/drivers/moon/capabilities"))
	isProblem(t, http.StatusNotFound, a.get("/v1/drivers/moon"))
}

func TestRepositories(t *testing.T) {
	a := start(t, enginetest.Options{})
	key, err := repository.NewKey()
	require.NoError(t, err)
	dir := "file://" + t.TempDir()
	d := &driver.Description{
		About:            driver.About{Name: "pond", Title: "The Pond", Version: "1.0.0", Credential: []driver.Field{{Name: "net", Title: "Net", Type: driver.TypeString}}},
		ProtocolVersions: []int{1},
	}
	repositorytest.Publish(t, dir, d, key, func(io.Writer) {})
	pem, err := json.Marshal(key.Public().PEM())
	require.NoError(t, err)
	isProblem(t, http.StatusUnprocessableEntity, a.post("/v1/repositories", `{"name":"team","url":"`+dir+`"}`))
	require.Equal(t, http.StatusCreated, a.post("/v1/repositories", `{"name":"team","url":"`+dir+`","keys":[{"key":`+string(pem)+`}]}`).status)
	require.Equal(t, http.StatusCreated, a.post("/v1/repositories", `{"name":"gone","url":"file:///does/not/exist","insecure":true}`).status)
	patch := func(name, body string) answer {
		return a.send(a.request(http.MethodPatch, "/v1/repositories/"+name, strings.NewReader(body)))
	}
	require.Equal(t, http.StatusOK, patch("team", `{"priority":5}`).status)
	assert.Equal(t, []string{"team", "gone"}, a.names("/v1/repositories"))
	shown := string(a.get("/v1/repositories/team").body)
	assert.Contains(t, shown, `"priority":5`)
	assert.Contains(t, shown, key.Public().Fingerprint())
	namesField(t, isProblem(t, http.StatusUnprocessableEntity, patch("team", `{"color":"red"}`)), "color", "color")
	isProblem(t, http.StatusNotFound, patch("unknown", `{}`))

	found := string(a.get("/v1/drivers:search?text=pond").body)
	assert.Contains(t, found, `"title":"The Pond"`)
	assert.Contains(t, found, `"problems":[{"repository":"gone","message":"`)
	isProblem(t, http.StatusNotFound, a.get("/v1/drivers:search?repository=gone"))
	assert.Contains(t, string(a.get("/v1/repositories/team/drivers/pond").body), `"credential":[{"name":"net"`)
	isProblem(t, http.StatusNotFound, a.get("/v1/repositories/team/drivers/pond?version=2.0.0"))
	isProblem(t, http.StatusUnprocessableEntity, a.get("/v1/repositories/team/drivers/Pond"))

	trail := string(a.get("/v1/audit?filter=kind=repository&filter=name=team").body)
	assert.Contains(t, trail, `"verb":"update"`)
	assert.Contains(t, trail, key.Public().Fingerprint())
	require.Equal(t, http.StatusNoContent, a.delete("/v1/repositories/team").status)
	isProblem(t, http.StatusNotFound, a.get("/v1/repositories/team"))
}

func TestAClientThatLeavesCancelsNothing(t *testing.T) {
	a := start(t, enginetest.Options{}, "latency", "300ms")
	ctx, leave := context.WithCancel(t.Context())
	r := a.request(http.MethodPost, "/v1/connections/mock/vpcs?wait=30s", strings.NewReader(`{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`)).WithContext(ctx)
	ended := make(chan error, 1)
	go func() {
		response, err := a.client.Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		ended <- err
	}()
	eventually(t, "the operation is recorded", func() bool { return len(a.names("/v1/operations")) == 1 })
	leave()
	require.Error(t, <-ended)
	eventually(t, "the request ends with its client", func() bool { return a.active.Load() == 0 })
	eventually(t, "the VPC is there", func() bool {
		return into[resource.Resource](t, a.get("/v1/connections/mock/vpcs/v")).State == resource.StateAvailable
	})
}

func TestAConnectionsResourcesAreDestroyed(t *testing.T) {
	a := start(t, enginetest.Options{})
	for _, one := range [][2]string{{"vpcs", `{"name":"v","spec":{"cidr":"10.0.0.0/16"}}`}, {"subnets", `{"name":"s","spec":{"vpc":"v","cidr":"10.0.1.0/24"}}`}} {
		require.Equal(t, http.StatusCreated, a.post("/v1/connections/mock/"+one[0]+"?wait=30s", one[1]).status)
	}
	plan := into[api.Destruction](t, a.post("/v1/connections/mock:destroy", `{"dryRun":true}`))
	require.Len(t, plan.Items, 2)
	assert.Equal(t, "s", plan.Items[0].Name, "what uses others comes first")
	assert.Nil(t, plan.Operation)
	assert.Equal(t, []string{"v"}, a.names("/v1/vpcs"), "a dry run deletes nothing")

	done := into[api.Destruction](t, a.post("/v1/connections/mock:destroy?wait=30s", `{"dryRun":false}`))
	require.NotNil(t, done.Operation)
	assert.Equal(t, api.OperationSucceeded, done.Operation.State)
	assert.Empty(t, a.names("/v1/vpcs"))
	isProblem(t, http.StatusNotFound, a.post("/v1/connections/nope:destroy", `{"dryRun":false}`))
}
