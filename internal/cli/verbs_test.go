package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestCatalogs(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	assert.Equal(t, strings.TrimPrefix(`
ID     NAME   OS      OS-VERSION  ARCHITECTURE  DISK-SIZE-GIB  OWNER
ami-1  jammy  ubuntu  22.04       x86_64        -              -
-      small  -       -           -             -              -
`, "\n"), s.ok("image list --filter name~ubuntu"))
	assert.Equal(t, []string{"GET /catalog/images?connection=mock&filter=name~ubuntu&pageSize=1000"}, f.seen())
	assert.Contains(t, s.ok("spec list"), "small  2      4096        -          x86_64, arm64  ")
	assert.Equal(t, "jammy\nsmall\n", s.ok("zones ls -o name"))
}

func TestDeleteAndActions(t *testing.T) {
	f := newFake(t)
	f.resources = []resource.Resource{vm("a"), vm("b"), vm("c")}
	s := newShell(t, f)
	assert.Equal(t, "vm a: stop queued; follow it with: mcic operation wait op1\n", s.ok("vm stop a a"))
	assert.Equal(t, "op2\n", s.ok("vm stop a -o name"))
	out := s.ok("vm reboot a --wait")
	assert.Equal(t, "NAME  STATE    IMAGE  SPEC   SUBNET  ZONE  PRIVATE-ADDRESS  PUBLIC-ADDRESS  AGE\n"+
		"a     running  ami-1  small  net     z1    10.0.0.4         -               3h0m\n", out)
	assert.Equal(t, "vm a: reboot queued\nvm a: reboot succeeded\n", s.err.String())
	assert.Equal(t, "vm a deleted\n", s.ok("vm delete a --wait"))
	assert.Equal(t, 3, s.run("vm delete x --wait"))
	assert.Contains(t, s.err.String(), "Error: there is no vm x\n")
	assert.Equal(t, 3, s.run("vm delete x b --release-only"), "the first failure counts, and does not stop the others")
	assert.Contains(t, s.out.String(), "vm b: release")
	assert.Contains(t, s.err.String(), "Error: vm x: there is no vm x\n")

	assert.Equal(t, "vm c released\n", s.ok("vm release c --wait"), "as what is waited for")

	out = s.ok("vm stop c --wait -o json")
	var r resource.Resource
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	assert.Empty(t, s.err.String(), "no progress beside JSON")

	f.resources = append(f.resources, resource.Resource{Kind: "securitygroup", Name: "sg", Connection: "mock"})
	s.ok("securitygroup addrules sg --rule in:tcp:22:0.0.0.0/0")
	s.stdin = `{"rules":[{"direction":"in","protocol":"all","cidr":"10.0.0.0/8"}]}`
	s.ok("securitygroup removerules sg --file -")
	assert.Equal(t, []string{
		`POST /connections/mock/securitygroups/sg:addrules {"rules":[{"direction":"in","protocol":"tcp","fromPort":22,"toPort":22,"cidr":"0.0.0.0/0"}]}`,
		`POST /connections/mock/securitygroups/sg:removerules {"rules":[{"direction":"in","protocol":"all","cidr":"10.0.0.0/8"}]}`,
	}, f.seen()[len(f.seen())-2:])
}

func TestExitCodes(t *testing.T) {
	f := newFake(t)
	s := newShell(t, f)
	want := map[resource.Code]int{
		resource.CodeInternal: 1, resource.CodeInvalid: 2, resource.CodeNotFound: 3,
		resource.CodeAlreadyExists: 4, resource.CodeConflict: 4, resource.CodeDependency: 4,
		resource.CodeUnauthenticated: 5, resource.CodeDenied: 5, resource.CodeQuota: 6, resource.CodeCapacity: 6, resource.CodeThrottled: 6,
		resource.CodeUnavailable: 7, resource.CodeUnsupported: 8,
	}
	topic := s.ok("help exit-codes")
	for _, code := range resource.Codes() {
		f.status, f.problem = 400, map[string]any{"code": code, "detail": "it went wrong\x1b[2J"}
		assert.Equal(t, want[code], s.run("vpc create a --cidr 10.0.0.0/16"), code)
		assert.Contains(t, s.err.String(), `Error: it went wrong\x1b[2J`+"\n", code)
		assert.Contains(t, topic, string(code))
		f.problem = nil

		f.states, f.opError = []api.OperationState{api.OperationFailed}, resource.Errorf(code, "the cloud said no")
		exit := want[code]
		if code == resource.CodeInternal {
			exit = exitFailed
		}
		assert.Equal(t, exit, s.run("vpc create a --cidr 10.0.0.0/16 --wait"), code)
		assert.Contains(t, s.err.String(), "Error: create of vpc a failed: the cloud said no\n", code)
	}
	f.states, f.opError = []api.OperationState{api.OperationFailed}, nil
	assert.Equal(t, exitFailed, s.run("vpc create a --cidr 10.0.0.0/16 --wait"))
	assert.Equal(t, exitOther, exitCode(errors.New("x")))
	assert.Equal(t, exitInterrupted, exitCode(fmt.Errorf("x: %w", context.Canceled)))
}

// Several are changed by one request, and what has become of each is shown.
func TestManyAreChangedByOneRequest(t *testing.T) {
	f := newFake(t)
	f.resources = []resource.Resource{vm("a"), vm("b"), vm("c")}
	s := newShell(t, f)
	parent := api.Operation{ID: "all", Verb: "stop", Kind: "vm", Connection: "mock", Name: "a … b", State: api.OperationRunning, Items: &api.Progress{Total: 2}}
	part := func(name string, state api.OperationState, failure *resource.Error) api.Operation {
		return api.Operation{ID: "of-" + name, Verb: "stop", Kind: "vm", Connection: "mock", Name: name, Parent: "all", State: state, Error: failure}
	}
	f.answers = map[string]any{"connections/mock/vms:stop": parent}
	assert.Equal(t, "vm a … b: stop running; follow it with: mcic operation wait all\n", s.ok("vm stop a b a"))
	assert.Equal(t, []string{`POST /connections/mock/vms:stop {"names":["a","b"]}`}, f.seen())

	ended := parent
	ended.State, ended.Items = api.OperationSucceeded, &api.Progress{Total: 2, Ended: 2}
	f.answers["operations/all"] = ended
	f.answers["operations"] = map[string]any{"items": []api.Operation{part("a", api.OperationSucceeded, nil), part("b", api.OperationSucceeded, nil)}}
	assert.Equal(t, "a\nb\n", s.ok("vm stop a b --wait -o name"))

	ended.State, ended.Items.Failed, ended.Error = api.OperationFailed, 1, resource.Errorf(resource.CodeConflict, "1 of 2 failed")
	f.answers["operations/all"] = ended
	f.answers["operations"] = map[string]any{"items": []api.Operation{part("a", api.OperationSucceeded, nil), part("b", api.OperationFailed, resource.Errorf(resource.CodeConflict, "it is busy"))}}
	assert.Equal(t, 4, s.run("vm stop a b --wait -o name"))
	assert.Equal(t, "a\n", s.out.String())
	assert.Contains(t, s.err.String(), "Error: stop of vm b failed: it is busy\n")

	// What matches is shown first, and its number goes with the request.
	assert.Equal(t, 2, s.run("vm stop --filter state=running -o name"))
	assert.Equal(t, "a\nb\nc\n", s.out.String())
	assert.Contains(t, s.err.String(), "these 3 would be changed; say --yes")
	f.answers["operations"] = map[string]any{"items": []api.Operation{}}
	ended.State, ended.Error = api.OperationSucceeded, nil
	f.answers["operations/all"] = ended
	s.ok("vm stop --filter state=running --search x --yes --wait")
	assert.Contains(t, f.seen(), `POST /connections/mock/vms:stop {"matching":{"filter":["state=running"],"q":"x","expected":3}}`)
	assert.Equal(t, 2, s.run("vm stop a --filter state=running"))
	assert.Equal(t, 2, s.run("vm release --filter state=running"))
}
