package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func start2026() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// fake is a server of the API, as far as the commands need it.
type fake struct {
	url string

	mu         sync.Mutex
	requests   []string // method, path and body
	resources  []resource.Resource
	operations map[string]*api.Operation
	// states are what the next operations go through, one state for each question.
	states    []api.OperationState
	opError   *resource.Error
	secrets   map[string]string
	problem   map[string]any // answered to every request that changes something
	status    int
	unhealthy bool // answers 401 to all
	asked     func()
	listed    chan struct{}                             // told of each list
	streams   []func(send func(event string, data any)) // one for each connection to /v1/events
	answers   map[string]any                            // by path, before anything else
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{operations: map[string]*api.Operation{}, listed: make(chan struct{}, 100)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/events" {
		f.events(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	line := strings.TrimSpace(r.Method + " " + strings.TrimPrefix(r.RequestURI, "/v1") + " " + string(body))
	f.requests = append(f.requests, line)
	if f.unhealthy || r.Header.Get("Authorization") != "Bearer secret" {
		answer(w, http.StatusUnauthorized, map[string]any{"code": "unauthenticated", "detail": "the token is missing or wrong"})
		return
	}
	if f.problem != nil && r.Method != http.MethodGet {
		answer(w, f.status, f.problem)
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if v, ok := f.answers[strings.Join(parts, "/")]; ok {
		answer(w, http.StatusOK, v)
		return
	}
	switch {
	case parts[0] == "operations" && len(parts) == 2:
		f.operation(w, parts[1])
	case parts[0] == "connections" && len(parts) == 4:
		f.resource(w, r, parts[1], strings.TrimSuffix(parts[2], "s"), parts[3])
	case parts[0] == "connections" && len(parts) == 3 && r.Method == http.MethodPost:
		var request resource.CreateRequest[json.RawMessage]
		_ = json.Unmarshal(body, &request)
		kind := strings.TrimSuffix(parts[2], "s")
		f.resources = append(f.resources, resource.Resource{
			Kind: kind, Connection: parts[1], Name: request.Name, UID: "uid-" + request.Name, State: resource.StateAvailable,
			Labels: request.Labels, Spec: request.Spec, Effective: request.Spec, Status: json.RawMessage(`{}`), CreatedAt: start2026(), UpdatedAt: start2026(),
		})
		op := f.newOperation("create", kind, parts[1], request.Name)
		op.Secrets = f.secrets
		answer(w, http.StatusAccepted, op)
		op.Secrets = nil
	case parts[0] == "connections" && len(parts) == 3:
		f.list(w, r, parts[1], strings.TrimSuffix(parts[2], "s"))
	case parts[0] == "catalog":
		answer(w, http.StatusOK, map[string]any{"items": []any{
			map[string]any{"id": "ami-1", "name": "jammy", "os": "ubuntu", "osVersion": "22.04", "architecture": "x86_64", "description": "long"},
			map[string]any{"name": "small", "vcpus": 2, "memoryMiB": 4096, "architectures": []string{"x86_64", "arm64"}},
		}})
	case len(parts) > 1 && strings.HasSuffix(parts[1], ":check"):
		answer(w, http.StatusOK, map[string]bool{"ok": true})
	case slices.Contains([]string{"credentials", "connections", "drivers", "drivers:search", "repositories", "operations"}, parts[0]):
		f.setup(w, r, parts, body)
	default:
		f.list(w, r, "", strings.TrimSuffix(parts[0], "s"))
	}
}

func (f *fake) newOperation(verb, kind, connection, name string) *api.Operation {
	op := &api.Operation{
		ID: fmt.Sprintf("op%d", len(f.operations)+1), Verb: verb, Kind: kind, Connection: connection, Name: name,
		State: api.OperationQueued, CreatedAt: start2026(),
	}
	f.operations[op.ID] = op
	return op
}

func (f *fake) operation(w http.ResponseWriter, id string) {
	op, ok := f.operations[id]
	if !ok {
		answer(w, http.StatusNotFound, map[string]any{"code": "not_found", "detail": "there is no operation " + id})
		return
	}
	op.State = api.OperationSucceeded
	if len(f.states) > 0 {
		op.State, f.states = f.states[0], f.states[1:]
	}
	if op.State == api.OperationFailed {
		op.Error = f.opError
	}
	if f.asked != nil {
		f.asked()
	}
	answer(w, http.StatusOK, op)
}

func (f *fake) resource(w http.ResponseWriter, r *http.Request, connection, kind, name string) {
	name, action, _ := strings.Cut(name, ":")
	i := slices.IndexFunc(f.resources, func(r resource.Resource) bool {
		return r.Connection == connection && r.Kind == kind && r.Name == name
	})
	switch {
	case i < 0:
		answer(w, http.StatusNotFound, map[string]any{"code": "not_found", "detail": "there is no " + kind + " " + name})
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, f.resources[i])
	case r.Method == http.MethodDelete:
		f.resources = slices.Delete(f.resources, i, i+1)
		answer(w, http.StatusAccepted, f.newOperation("delete", kind, connection, name))
	default:
		answer(w, http.StatusAccepted, f.newOperation(action, kind, connection, name))
	}
}

// list answers pages of two, so that every list has several.
func (f *fake) list(w http.ResponseWriter, r *http.Request, connection, kind string) {
	var items []resource.Resource
	for _, item := range f.resources {
		matches := item.Kind == kind && (connection == "" || item.Connection == connection)
		for _, filter := range r.URL.Query()["filter"] {
			if name, ok := strings.CutPrefix(filter, "name="); ok {
				matches = matches && item.Name == name
			}
			if state, ok := strings.CutPrefix(filter, "state="); ok {
				matches = matches && string(item.State) == state
			}
		}
		if matches {
			items = append(items, item)
		}
	}
	from := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("pageToken"), &from)
	page := map[string]any{"items": items[min(from, len(items)):min(from+2, len(items))]}
	if from+2 < len(items) {
		page["nextPageToken"] = fmt.Sprint(from + 2)
	}
	if r.URL.Query().Get("fresh") == "true" && from == 0 {
		page["stale"] = []api.Stale{{Connection: "far", Error: resource.Errorf(resource.CodeUnavailable, "the cloud sleeps")}}
	}
	answer(w, http.StatusOK, page)
	f.listed <- struct{}{}
}

func (f *fake) setup(w http.ResponseWriter, r *http.Request, parts []string, body []byte) {
	item := map[string]any{"name": "it", "title": "It", "cloud": "mock", "version": "1.0.0", "createdAt": start2026()}
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		request := map[string]any{}
		_ = json.Unmarshal(body, &request)
		delete(request, "values")
		request["createdAt"] = start2026()
		answer(w, http.StatusCreated, request)
	case len(parts) == 1:
		answer(w, http.StatusOK, map[string]any{"items": []any{item}})
	default:
		item["name"] = parts[1]
		answer(w, http.StatusOK, item)
	}
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	var stream func(send func(string, any))
	if len(f.streams) > 0 {
		stream, f.streams = f.streams[0], f.streams[1:]
	}
	f.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "event: ping\ndata: {}\n\n")
	_ = http.NewResponseController(w).Flush()
	if stream == nil {
		<-r.Context().Done()
		return
	}
	stream(func(event string, data any) {
		raw, _ := json.Marshal(data)
		_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, raw)
		_ = http.NewResponseController(w).Flush()
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// seen returns what was asked for, without the questions after operations.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.requests), func(line string) bool { return strings.HasPrefix(line, "GET /operations/") })
}

// shell runs commands against a fake.
type shell struct {
	t     *testing.T
	dir   string
	env   map[string]string
	stdin string
	extra []*cobra.Command
	ctx   context.Context
	adapt func(*Env)

	out, err *lockedBuffer
}

func newShell(t *testing.T, f *fake) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), ctx: t.Context(), out: &lockedBuffer{}, err: &lockedBuffer{}}
	s.env = map[string]string{"HOME": s.dir, "MCIC_TOKEN": "secret", "MCIC_CONNECTION": "mock"}
	if f != nil {
		s.env["MCIC_SERVER"] = f.url
	}
	return s
}

func (s *shell) world() Env {
	env := Env{
		Stdin: strings.NewReader(s.stdin), Stdout: s.out, Stderr: s.err,
		Getenv: func(key string) string { return s.env[key] },
		Now:    func() time.Time { return start2026().Add(3 * time.Hour) },
		Tick:   func(time.Duration) (<-chan time.Time, func()) { return nil, func() {} },
		ClientOptions: []client.Option{
			client.WithPause(func(ctx context.Context, _ int) error { return ctx.Err() }),
		},
	}
	if s.adapt != nil {
		s.adapt(&env)
	}
	return env
}

// run runs a command line whose words have no spaces.
func (s *shell) run(line string) int { return s.args(strings.Fields(line)...) }

func (s *shell) args(args ...string) int {
	s.out.Reset()
	s.err.Reset()
	return Run(s.ctx, args, Build{Version: "1.2.3"}, s.world(), s.extra...)
}

// ok runs a command that must succeed and returns what it wrote.
func (s *shell) ok(line string) string {
	s.t.Helper()
	require.Zero(s.t, s.run(line), "%s\n%s", line, s.err)
	return s.out.String()
}

func (s *shell) path(name string) string { return filepath.Join(s.dir, name) }

// lockedBuffer is written by a command and read by a test at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func vm(name string) resource.Resource {
	spec := json.RawMessage(`{"image":"ami-1","spec":"small","subnet":"net","securitygroups":["a","b"]}`)
	return resource.Resource{
		Kind: "vm", Name: name, Connection: "mock", UID: "uid-" + name, CloudID: "i-" + name, State: resource.StateRunning,
		Spec: spec, Effective: spec,
		Status: json.RawMessage(`{"zone":"z1","privateAddress":"10.0.0.4"}`),
		Native: json.RawMessage(`{"InstanceId":"i-1"}`), CreatedAt: start2026(), UpdatedAt: start2026(),
	}
}
