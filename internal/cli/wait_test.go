package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestWaitShowsLinesWithoutATerminal(t *testing.T) {
	f := newFake(t)
	f.states = []api.OperationState{api.OperationQueued, api.OperationRunning, api.OperationRunning, api.OperationSucceeded}
	s := newShell(t, f)
	out := s.ok("vpc create net --cidr 10.0.0.0/16 --wait")
	assert.Equal(t, "vpc net: create queued\nvpc net: create running\nvpc net: create succeeded\n", s.err.String())
	assert.Contains(t, out, "name:       net\n")
	assert.Contains(t, out, "spec:\n  cidr: 10.0.0.0/16\n")

	s.ok("vpc create net2 --cidr 10.0.0.0/16 --wait -o json")
	assert.Empty(t, s.err.String())
}

func TestWaitDrawsOneLineOnATerminal(t *testing.T) {
	f := newFake(t)
	f.states = []api.OperationState{api.OperationRunning, api.OperationSucceeded}
	s := newShell(t, f)
	ticks := make(chan time.Time)
	now := start2026()
	s.adapt = func(env *Env) {
		env.StderrTerminal = true
		env.Tick = func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
		env.Now = func() time.Time { return now }
	}
	asked := 0
	f.asked = func() {
		if asked++; asked == 1 {
			now = now.Add(12 * time.Second)
			ticks <- now
			ticks <- now // taken only when the first was drawn
		}
	}
	s.ok("vpc create net --cidr 10.0.0.0/16 --wait")
	drawn := s.err.String()
	assert.Contains(t, drawn, "\r\x1b[Kvpc net: create, 12s, ")
	assert.NotContains(t, drawn, "\n")
	assert.True(t, strings.HasSuffix(drawn, "\r\x1b[K"), "the line is cleared for what follows")
}

func TestLongProgressIsCut(t *testing.T) {
	s := newShell(t, nil)
	s.adapt = func(env *Env) { env.StderrTerminal = true }
	a := &app{env: s.world()}
	p := a.newProgress("vm a: create", formatTable)
	p.update(&api.Operation{State: api.OperationRunning, Error: resource.Errorf(resource.CodeThrottled, "%s\x1b", strings.Repeat("slow ", 50))})
	p.end()
	lines := strings.Split(s.err.String(), "\r\x1b[K")
	assert.Len(t, lines[1], progressWidth)
	assert.Contains(t, lines[1], "vm a: create, 0s, running, trying again after: slow ")
}

func TestWhatIsWaitedForIsShown(t *testing.T) {
	s := newShell(t, nil)
	a := &app{env: s.world()}
	p := a.newProgress("cluster k: create", formatTable)
	op := &api.Operation{State: api.OperationRunning, Pending: "the cluster k is CREATING; its node group a follows"}
	p.update(op)
	p.end()
	assert.Equal(t, "cluster k: create running, waiting: the cluster k is CREATING; its node group a follows\n", s.err.String())
	rows := newTable(a.env.Stdout, a.operationColumns())
	require.NoError(t, rows.print(*op))
	assert.Contains(t, s.out.String(), "running  the cluster k is CREATING; its node gro…")
}

func TestWaitIsInterrupted(t *testing.T) {
	f := newFake(t)
	f.states = make([]api.OperationState, 1000)
	for i := range f.states {
		f.states[i] = api.OperationRunning
	}
	s := newShell(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	f.asked = cancel
	assert.Equal(t, exitInterrupted, s.run("vpc create net --cidr 10.0.0.0/16 --wait"))
	assert.Contains(t, s.err.String(), "Error: interrupted; the operation goes on: create of vpc net. Follow it with: mcic operation wait op1\n")
	assert.NotContains(t, s.err.String(), "Hint")
}

func TestWaitTimesOut(t *testing.T) {
	f := newFake(t)
	f.states = make([]api.OperationState, 100000)
	for i := range f.states {
		f.states[i] = api.OperationRunning
	}
	s := newShell(t, f)
	assert.Equal(t, exitTimedOut, s.run("vpc create net --cidr 10.0.0.0/16 --wait --timeout 30ms"))
	assert.Contains(t, s.err.String(), "--timeout is over; the operation goes on: create of vpc net. Follow it with: mcic operation wait op1")
}

func TestOperations(t *testing.T) {
	f := newFake(t)
	f.resources = []resource.Resource{vm("a")}
	s := newShell(t, f)
	s.ok("vm stop a")
	out := s.ok("operation wait op1")
	assert.Equal(t, "ID   VERB  KIND  NAME  CONNECTION  STATE      REASON  AGE\nop1  stop  vm    a     mock        succeeded  -       3h0m\n", out)
	assert.Contains(t, s.ok("operation get op1"), "verb:       stop\n")
	assert.Equal(t, "op1\n", s.ok("operation wait op1 -o name"))
	assert.Equal(t, 3, s.run("operation wait none"))
	assert.Contains(t, s.err.String(), "Error: there is no operation none")

	s.ok("vm stop a")
	f.states, f.opError = []api.OperationState{api.OperationRunning, api.OperationFailed}, resource.Errorf(resource.CodeQuota, "too many")
	assert.Equal(t, 6, s.run("operation wait op2 -o json"))
	assert.Contains(t, s.out.String(), `"state": "failed"`)
	s.ok("operation list --filter state=running --limit 5")
	assert.Contains(t, f.seen(), "GET /operations?filter=state%3Drunning&pageSize=5")
}

func TestWatchShowsChangesAndConnectsAgain(t *testing.T) {
	f := newFake(t)
	a, b := vm("a"), vm("b")
	f.resources = []resource.Resource{a, b}
	s := newShell(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	later := func(r resource.Resource, state resource.State, after time.Duration) resource.Resource {
		r.State, r.UpdatedAt = state, r.UpdatedAt.Add(after)
		return r
	}
	f.streams = []func(func(string, any)){
		func(send func(string, any)) {
			<-f.listed
			stopped := later(a, resource.StateStopped, time.Second)
			send("resource", later(a, resource.StateStarting, -time.Second)) // older than the list
			send("resource", stopped)
			send("resource", stopped) // the same again
			other := vm("other")
			other.Connection = "elsewhere"
			send("resource", other)
			send("resource", resource.Resource{Kind: "vpc", Name: "net", Connection: "mock", UID: "v"})
			send("operation", api.Operation{ID: "op1"})
			f.mu.Lock()
			f.resources = []resource.Resource{stopped, vm("c")} // b goes and c comes while the stream is broken
			f.mu.Unlock()
		},
		func(send func(string, any)) {
			<-f.listed
			send("resource", later(vm("c"), resource.StateDeleted, time.Second))
			send("resource", vm("last"))
			<-ctx.Done()
		},
	}
	done := make(chan int, 1)
	go func() { done <- s.run("vm list --watch") }()
	require.Eventually(t, func() bool { return strings.Contains(s.out.String(), "last") }, 10*time.Second, time.Millisecond)
	cancel()
	assert.Zero(t, <-done)
	var got []string
	for line := range strings.Lines(s.out.String()) {
		fields := strings.Fields(line)
		got = append(got, fields[0]+" "+fields[1])
	}
	assert.Equal(t, []string{"NAME STATE", "a running", "b running", "a stopped", "c running", "b deleted", "c deleted", "last running"}, got)
	assert.Contains(t, s.err.String(), "The server is lost; connecting again.")
}

func TestWatchWithAFilterAsksTheServer(t *testing.T) {
	f := newFake(t)
	a, b := vm("a"), vm("b")
	b.State = resource.StateStopped
	f.resources = []resource.Resource{a, b}
	s := newShell(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	f.streams = []func(func(string, any)){func(send func(string, any)) {
		<-f.listed
		send("resource", b) // does not match
		gone := a
		gone.State, gone.UpdatedAt = resource.StateDeleted, a.UpdatedAt.Add(time.Second)
		send("resource", gone)
		f.mu.Lock()
		f.resources = append(f.resources, vm("new"))
		f.mu.Unlock()
		send("resource", vm("new"))
		<-ctx.Done()
	}}
	done := make(chan int, 1)
	go func() { done <- s.run("vm list --watch --filter state=running -o json") }()
	require.Eventually(t, func() bool { return strings.Contains(s.out.String(), `"new"`) }, 10*time.Second, time.Millisecond)
	cancel()
	assert.Zero(t, <-done)
	lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines[0], `"name":"a"`)
	assert.Contains(t, lines[1], `"state":"deleted"`)
	assert.Contains(t, f.seen(), "GET /connections/mock/vms?filter=state%3Drunning&filter=name%3Db&pageSize=1000")
}

func TestEventWatch(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"event watch --kind vm", "WHAT      KIND  NAME  CONNECTION  STATE\n" + "resource  vm    a     mock        running\n" + "stop  vm    a     mock        running\n"},
		{"event watch --kind vm -o name", "vm/a\n"},
		{"event watch -c none -o name", ""},
		{"event watch --kind vm -o json", `{"type":"operation","data":{"id":"op1"`},
	} {
		t.Run(tc.line, func(t *testing.T) {
			f := newFake(t)
			s := newShell(t, f)
			ctx, cancel := context.WithCancel(t.Context())
			s.ctx = ctx
			read := make(chan struct{})
			f.streams = []func(func(string, any)){func(send func(string, any)) {
				send("resource", vm("a"))
				send("resource", resource.Resource{Kind: "vpc", Name: "net", Connection: "mock"})
				send("operation", api.Operation{ID: "op1", Verb: "stop", Kind: "vm", Name: "a", Connection: "mock", State: api.OperationRunning})
			}, func(func(string, any)) { close(read); <-ctx.Done() }}
			done := make(chan int, 1)
			go func() { done <- s.run(tc.line) }()
			<-read // the first stream was read to its end
			cancel()
			assert.Zero(t, <-done, tc.line)
			out := s.out.String()
			for want := range strings.Lines(tc.want) {
				assert.Contains(t, strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " "), tc.line)
			}
			if tc.want == "" {
				assert.Empty(t, out)
			}
		})
	}
	s := newShell(t, newFake(t))
	s.env["MCIC_SERVER"] = "http://127.0.0.1:1"
	assert.Equal(t, 7, s.run("event watch"))
	assert.Equal(t, 7, s.run("vm list --watch"))
}
