package v1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v1 "github.com/m-cmp/mc-infra-connector/internal/api/v1"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/drivers"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

const (
	token       = "the-token-of-these-tests"
	version     = "1.2.3-test"
	jsonType    = "application/json"
	problemType = "application/problem+json"
)

// api is a served API over an engine with the Mock cloud.
type routes struct {
	*enginetest.Env
	t      *testing.T
	url    string
	client *http.Client
	schema schema
	active *atomic.Int32 // requests that are being answered
}

// start serves the API with the connection mock, whose settings are given as name,
// value, …
func start(t *testing.T, o enginetest.Options, settings ...string) *routes {
	t.Helper()
	e := enginetest.New(t, o, settings...)
	return served(t, e, newHandler(t, e))
}

// served is start for a handler that is there.
func served(t *testing.T, e *enginetest.Env, handler http.Handler) *routes {
	t.Helper()
	var active atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		active.Add(1)
		defer active.Add(-1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &routes{Env: e, t: t, url: server.URL, client: client, schema: newSchema(), active: &active}
}

// consolePage is what stands in for the web console.
const consolePage = "the console"

func newHandler(t testing.TB, e *enginetest.Env) http.Handler {
	t.Helper()
	handler, _ := open(t, e)
	return handler
}

// open is newHandler, with what each route needs.
func open(t testing.TB, e *enginetest.Env) (http.Handler, map[string]string) {
	t.Helper()
	return openWith(t, e, nil)
}

// openWith is open with a provider of single sign-on.
func openWith(t testing.TB, e *enginetest.Env, provider *sso.Provider) (http.Handler, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, auth.TokenFile), []byte(token+"\n"), 0o600))
	admin, created, err := auth.OpenAdminToken(dir)
	require.NoError(t, err)
	require.False(t, created)
	shelf, err := repository.OpenShelf(filepath.Join(dir, "installed"))
	require.NoError(t, err)
	key, err := secret.NewKey()
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	installed, err := drivers.New(t.Context(), drivers.Config{Store: e.Store, Host: e.Host, Sealer: secret.NewSealer(key, nil), Shelf: shelf, Logger: logger})
	require.NoError(t, err)
	who, err := people.New(t.Context(), people.Config{Store: e.Store, Admin: admin, Sessions: auth.NewSessions(admin.Token, e.Store), Sealer: secret.NewSealer(key, nil), SSO: provider})
	require.NoError(t, err)
	e.WatchConnections(who.Heard)
	return v1.Open(v1.Config{
		Audit:  e.Trail,
		Ready:  func(ctx context.Context) (string, error) { return "", e.Healthy(ctx) },
		Engine: e.Engine, Once: e.Once, Registry: e.Registry, Inventory: e.Inventory, Events: e.Bus, Catalog: catalog.New(e.Session), Drivers: installed, People: who,
		Console:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(consolePage)) }),
		Terminal: terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 10, Connect: time.Minute}),
		Metrics:  prometheus.NewRegistry(), Logger: logger, Version: version,
	})
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	about  string // the request, for messages
	at     string // where it came from, after all redirections
}

// request makes one with the token.
func (a *routes) request(method, path string, body io.Reader) *http.Request {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, body)
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", jsonType)
	}
	return r
}

// send sends a request and checks its answer against the OpenAPI document.
func (a *routes) send(r *http.Request) answer {
	a.t.Helper()
	got := a.exchange(r)
	if r.Method != http.MethodHead {
		a.schema.check(a.t, r.Method, r.URL.Path, got)
	}
	return got
}

// exchange sends a request to what the OpenAPI document does not have.
func (a *routes) exchange(r *http.Request) answer {
	a.t.Helper()
	return a.exchangeBy(a.client, r)
}

func (a *routes) exchangeBy(client *http.Client, r *http.Request) answer {
	a.t.Helper()
	response, err := client.Do(r)
	require.NoError(a.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	got := answer{response.StatusCode, response.Header, body, fmt.Sprintf("%s %.200s", r.Method, r.URL.RequestURI()), response.Request.URL.RequestURI()}
	return got
}

func (a *routes) get(path string) answer {
	a.t.Helper()
	return a.send(a.request(http.MethodGet, path, nil))
}

func (a *routes) delete(path string) answer {
	a.t.Helper()
	return a.send(a.request(http.MethodDelete, path, nil))
}

func (a *routes) post(path, body string) answer {
	a.t.Helper()
	return a.send(a.request(http.MethodPost, path, strings.NewReader(body)))
}

// create creates a resource and waits for success.
func (a *routes) create(connection, kind, name, spec string) resource.Resource {
	a.t.Helper()
	got := a.post("/v1/connections/"+connection+"/"+kind+"s?wait=30s", fmt.Sprintf(`{"name":%q,"spec":%s}`, name, spec))
	require.Equal(a.t, http.StatusCreated, got.status, "%s", got.body)
	return into[resource.Resource](a.t, got)
}

// network creates what a VM needs, and a VM: v, s, g, k, vm1.
func (a *routes) network() {
	a.t.Helper()
	a.create("mock", "vpc", "v", `{"cidr":"10.0.0.0/16"}`)
	a.create("mock", "subnet", "s", `{"vpc":"v","cidr":"10.0.1.0/24"}`)
	a.create("mock", "securitygroup", "g", `{"vpc":"v","rules":[{"direction":"in","protocol":"tcp","fromPort":22,"cidr":"0.0.0.0/0"}]}`)
	a.create("mock", "keypair", "k", `{"algorithm":"ed25519"}`)
	a.create("mock", "vm", "vm1", a.vmSpec())
}

func (a *routes) vmSpec() string {
	return fmt.Sprintf(`{"image":%q,"spec":%q,"subnet":"s","securitygroups":["g"],"keypair":"k"}`, a.Image, a.Spec)
}

// into decodes an answer's body.
func into[T any](t testing.TB, got answer) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(got.body, &v), "%s: %s", got.about, got.body)
	return v
}

// page is a list's answer.
type page[T any] struct {
	Items         []T    `json:"items"`
	NextPageToken string `json:"nextPageToken"`
}

// names are those of a list's items, in order.
func (a *routes) names(path string) []string {
	a.t.Helper()
	got := a.get(path)
	require.Equal(a.t, http.StatusOK, got.status, "%s: %s", got.about, got.body)
	names := []string{}
	for _, item := range into[page[struct {
		Name string `json:"name"`
	}]](a.t, got).Items {
		names = append(names, item.Name)
	}
	return names
}

// isProblem checks that an answer is a problem document and returns it.
func isProblem(t testing.TB, status int, got answer) v1.ProblemDocument {
	t.Helper()
	require.Equal(t, status, got.status, "%s: %s", got.about, got.body)
	require.Equal(t, problemType, got.header.Get("Content-Type"), got.about)
	p := into[v1.ProblemDocument](t, got)
	assert.Equal(t, "about:blank", p.Type, got.about)
	assert.Equal(t, status, p.Status, got.about)
	assert.Equal(t, http.StatusText(status), p.Title, got.about)
	assert.NotEmpty(t, p.Detail, got.about)
	assert.Contains(t, resource.Codes(), p.Code, got.about)
	return p
}

// namesField checks that a problem names a field; several fields are alternatives.
func namesField(t testing.TB, p v1.ProblemDocument, about string, fields ...string) {
	t.Helper()
	var named []string
	for _, f := range p.Fields {
		assert.NotEmpty(t, f.Message, about)
		named = append(named, f.Field)
		for _, field := range fields {
			if f.Field == field {
				return
			}
		}
	}
	assert.Fail(t, "the problem does not name its field", "%s: wanted one of %q, got %q: %s", about, fields, named, p.Detail)
}

// schema checks answers against the OpenAPI document.
type schema struct {
	document *huma.OpenAPI
	routes   []route
}

// route is one operation of the document.
type route struct {
	method, path string
	matches      *regexp.Regexp
	operation    *huma.Operation
}

func newSchema() schema {
	s := schema{document: v1.Document(version)}
	variable := regexp.MustCompile(`\\\{[a-z]+\\\}`)
	for path, item := range s.document.Paths {
		pattern := regexp.MustCompile("^" + variable.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
		for method, o := range map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete} {
			if o != nil {
				s.routes = append(s.routes, route{method, path, pattern, o})
			}
		}
	}
	return s
}

// at is the path with something for every variable.
func (r route) at(values map[string]string) string {
	return regexp.MustCompile(`\{([a-z]+)\}`).ReplaceAllStringFunc(r.path, func(v string) string {
		return url.PathEscape(values[strings.Trim(v, "{}")])
	})
}

// check checks that an answer is one that the document promises. What is found at
// no route must be a problem.
func (s schema) check(t testing.TB, method, path string, got answer) {
	t.Helper()
	kind := got.header.Get("Content-Type")
	if kind != jsonType && kind != problemType {
		return
	}
	promised := &huma.Response{Content: map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/ProblemDocument"}}}}
	for _, r := range s.routes {
		if r.method == method && r.matches.MatchString(path) {
			promised = r.operation.Responses[strconv.Itoa(got.status)]
			if promised == nil && got.status >= http.StatusBadRequest {
				promised = r.operation.Responses["default"]
			}
			require.NotNil(t, promised, "%s answers %d, which is not documented", got.about, got.status)
			break
		}
	}
	media := promised.Content[kind]
	require.NotNil(t, media, "%s answers %s, which is not documented: %s", got.about, kind, got.body)
	s.fits(t, media.Schema, got.body, got.about)
}

// fits checks JSON against a schema of the document.
func (s schema) fits(t testing.TB, wanted *huma.Schema, body []byte, about string) {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(body, &value), "%s: %s", about, body)
	wanted.PrecomputeMessages()
	result := &huma.ValidateResult{}
	huma.Validate(s.document.Components.Schemas, wanted, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, result)
	assert.Empty(t, result.Errors, "%s answers what is not documented: %s", about, body)
}

// patience is how long something that happens by itself is waited for.
const patience = 30 * time.Second

// eventually polls in the test's own goroutine, so that the condition may require.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			require.Fail(t, "it did not happen: "+what)
		case <-tick.C:
		}
	}
}

// within is a context for what must happen soon.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
