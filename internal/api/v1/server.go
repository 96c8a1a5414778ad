// Package v1 is the native REST API. One generic set of handlers serves all kinds;
// the OpenAPI document is generated from the same registrations.
package v1

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed" // the page of /docs
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"github.com/m-cmp/mc-infra-connector/internal/api/respond"
	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/drivers"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/events"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/once"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Config is what the API needs.
type Config struct {
	Registry  *registry.Registry
	Inventory *inventory.Inventory
	Engine    *engine.Engine
	Once      *once.Requests
	Events    *events.Bus
	Catalog   *catalog.Catalog
	Drivers   *drivers.Manager
	People    *people.People
	Spider    http.Handler // the API of CB-Spider, below SpiderPrefix; it checks its requests itself
	Console   http.Handler // answers what is not the API's
	Terminal  *terminal.Terminals
	Audit     *audit.Trail
	Ready     func(context.Context) (notice string, err error)
	Metrics   *prometheus.Registry
	Logger    *slog.Logger
	Version   string
	PublicURL string // the server's address as browsers have it; "" for what they say themselves
	Dev       bool   // whether the server is one to try things out, which the console says
}

// SpiderPrefix is the path below which the API of CB-Spider is served.
const SpiderPrefix = "/spider"

// Limits of a request's body.
const (
	maxBody     = 1 << 20 // bytes
	maxBodyTime = 30 * time.Second
)

type server struct {
	Config
	requests *prometheus.HistogramVec
	answers  respond.Cache
	codings  respond.Codings
}

// New returns the handler of the whole API.
func New(c Config) http.Handler {
	handler, _ := open(c)
	return handler
}

// open is New, with the doors.
func open(c Config) (http.Handler, *doors) {
	s := &server{Config: c, requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "mcic_http_request_duration_seconds", Help: "Time to answer HTTP requests, by method, route and status.",
		Buckets: []float64{.001, .005, .025, .1, .5, 1, 5, 30},
	}, []string{"method", "route", "status"})}
	c.Metrics.MustRegister(s.requests)

	d := &doors{server: s, needs: map[string]need{}}
	router := chi.NewMux()
	router.Use(s.observe, s.recoverPanics, cleanPath, headAsGet)
	ours := map[string]bool{} // first segments of the API's paths
	router.NotFound(func(w http.ResponseWriter, r *http.Request) {
		if isPage(r) && !ours[firstSegment(r.URL.Path)] {
			c.Console.ServeHTTP(w, r)
			return
		}
		notFound(r).write(w)
	})
	notAllowed := func(w http.ResponseWriter, r *http.Request) {
		for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			there := router.Match(chi.NewRouteContext(), m, r.URL.Path)
			if m == http.MethodHead { // is answered as GET is; a route of its own refuses it
				there = !there && w.Header().Get("Allow") != ""
			}
			if there {
				w.Header().Add("Allow", m)
			}
		}
		methodNotAllowed(r).write(w)
	}
	router.MethodNotAllowed(notAllowed)
	for _, path := range []string{"/", "/assets/*", "/icon.svg"} {
		router.Method(http.MethodGet, path, c.Console)
	}
	if c.Spider != nil {
		router.Mount(SpiderPrefix, c.Spider)
	}
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { ok(w, "") })
	router.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		notice, err := c.Ready(r.Context())
		if err != nil {
			problem(err).write(w)
			return
		}
		ok(w, notice)
	})
	s.sessionRoutes(router)
	s.strangerRoutes(router)
	s.ssoRoutes(router)
	router.Group(func(r chi.Router) {
		r.Use(s.authenticate, bufferBody, s.codings.Represent)
		d.api = humachi.New(named{r}, openAPI(c.Version))
		d.handle(r, http.MethodGet, "/metrics", ofAll(people.Read, people.Server), promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{}))
		d.handle(r, http.MethodGet, "/docs", anybody(), http.RedirectHandler("/docs/", http.StatusMovedPermanently))
		d.handle(r, http.MethodGet, "/docs/*", anybody(), docs())
		s.register(d)
	})
	router.Group(func(r chi.Router) {
		r.Use(s.authenticate)
		s.serveContent(d, named{r}, notAllowed)
	})
	_ = chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		ours[firstSegment(route)] = true
		d.check(method, route)
		return nil
	})
	return router, d
}

// docsPage is the page of /docs. It is ours, as the library's is made by html/template, because of
// which the linker keeps every method of every type.
//
//go:embed docs.html
var docsPage []byte

// docs shows the OpenAPI document to people.
func docs() http.Handler {
	files := http.StripPrefix("/docs/", statigz.FileServer(static.FS))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/docs/" {
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(docsPage) // the client is gone if this fails
	})
}

// isPage reports whether a browser opens a page, which the console has for every path
// that is not the API's.
func isPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func firstSegment(path string) string {
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return segment
}

func openAPI(version string) huma.Config {
	config := huma.DefaultConfig("mc-infra-connector", version)
	config.Info.Description = "One API for every cloud. Every call but the health checks needs the admin token: `Authorization: Bearer …`."
	config.DocsPath, config.SchemasPath = "", ""
	config.CreateHooks = nil // no $schema links in bodies
	config.RejectUnknownQueryParameters = true
	config.Transformers = append(config.Transformers, fromHuma)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	return config
}

// Document is the OpenAPI document, without a server behind it.
func Document(version string) *huma.OpenAPI {
	s := &server{}
	d := &doors{api: humachi.New(chi.NewMux(), openAPI(version)), server: s, needs: map[string]need{}}
	s.register(d)
	return d.OpenAPI()
}

func (s *server) register(routes *doors) {
	s.registerDrivers(routes)
	s.registerSetup(routes)
	s.registerCatalogs(routes)
	for _, k := range resource.Kinds() {
		s.registerKind(routes, k)
		s.registerAdoption(routes, k)
		s.registerData(routes, k)
		if k.HasLogin() {
			s.registerTerminal(routes, k)
		}
	}
	s.registerInventory(routes)
	s.registerExtensions(routes)
	s.registerOperations(routes)
	s.registerEvents(routes)
	s.registerKinds(routes)
	s.registerPeople(routes)
	annotateSchemas(routes.OpenAPI().Components.Schemas, "#/components/schemas/")
}

// ok answers that all is well, with what is to be said nevertheless.
func ok(w http.ResponseWriter, notice string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if notice != "" {
		notice += "\n"
	}
	_, _ = io.WriteString(w, "ok\n"+notice) // the client is gone if this fails
}

// authenticate lets no one in without the token or a login.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, allowed, err := s.People.Identify(r)
		why := "the token is missing or wrong, or has ended; send one as: Authorization: Bearer TOKEN. Users make their own with: mcic token create; the admin token lies in the file token of the server's data folder"
		switch {
		case resource.CodeOf(err) == resource.CodeUnauthenticated: // of a token that says so much that more can be said of it
			why = err.Error()
		case err != nil:
			problem(err).write(w)
			return
		case allowed:
			next.ServeHTTP(w, r.WithContext(people.As(r.Context(), who)))
			return
		}
		if r.Header.Get("Authorization") != "" {
			s.Audit.Refused(r.Context(), err)
		}
		w.Header().Add("WWW-Authenticate", `Bearer realm="mcic"`)
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !fromScript(r) { // it would have the browser ask for a password
			w.Header().Add("WWW-Authenticate", `Basic realm="mcic: any user, the token as password"`)
		}
		plain(http.StatusUnauthorized, resource.CodeUnauthenticated, why).write(w)
	})
}

// fromScript reports whether a browser says that a page's script makes the request.
func fromScript(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

// cleanPath routes by the decoded path and refuses what no name, and no database,
// can hold.
func cleanPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, SpiderPrefix+"/") { // where a name can hold an escaped slash
			next.ServeHTTP(w, r)
			return
		}
		r.URL.RawPath = ""
		query, err := url.ParseQuery(r.URL.RawQuery)
		switch {
		case !isText(r.URL.Path):
			badField(http.StatusBadRequest, "path", "is not UTF-8 text, or contains a control character; remove it").write(w)
		case err != nil || !isTexts(query):
			badField(http.StatusBadRequest, "query", "is not well-formed UTF-8 text, or contains a control character; remove it").write(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func isTexts(query url.Values) bool {
	for key, values := range query {
		for _, s := range append(values, key) {
			if !isText(s) {
				return false
			}
		}
	}
	return true
}

// headAsGet has HEAD answered as GET is, where it has no route of its own.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			route := chi.RouteContext(r.Context())
			path := cmp.Or(route.RoutePath, r.URL.RawPath, r.URL.Path)
			if !route.Routes.Match(chi.NewRouteContext(), http.MethodHead, path) {
				route.RouteMethod, route.RoutePath = http.MethodGet, path
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bufferBody reads the body whole, so that nothing behind it has to deal with one
// that is too large, too slow or broken.
func bufferBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead { // they take none, and change nothing
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(maxBodyTime)) // a test's recorder knows no deadlines
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		_ = control.SetReadDeadline(time.Time{})
		_, tooLarge := errors.AsType[*http.MaxBytesError](err)
		kind := r.Header.Get("Content-Type")
		switch {
		case tooLarge:
			badField(http.StatusRequestEntityTooLarge, "body", fmt.Sprintf("is larger than %d bytes; send less", maxBody)).write(w)
		case errors.Is(err, os.ErrDeadlineExceeded):
			badField(http.StatusRequestTimeout, "body", fmt.Sprintf("did not arrive within %s; try again", maxBodyTime)).write(w)
		case err != nil:
			badField(http.StatusBadRequest, "body", "cannot be read: "+err.Error()).write(w)
		case len(body) > 0 && !isJSON(kind):
			badField(http.StatusUnsupportedMediaType, "body", fmt.Sprintf("is sent as %.64q; send JSON with the header Content-Type: application/json", kind)).write(w)
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			if r, err = withKey(r, body); err != nil {
				badField(http.StatusBadRequest, keyHeader, err.Error()).write(w)
				return
			}
			next.ServeHTTP(w, r)
		}
	})
}

// keyHeader holds the key of a request that may come more than once.
// https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
const (
	keyHeader = "Idempotency-Key"
	maxKey    = 255 // characters
)

// withKey notes the key of a request. The draft has it as a quoted string; most clients
// leave the quotes out.
func withKey(r *http.Request, body []byte) (*http.Request, error) {
	values := r.Header.Values(keyHeader)
	if len(values) == 0 {
		return r, nil
	}
	key := values[0]
	if inner, ok := strings.CutPrefix(key, `"`); ok && strings.HasSuffix(inner, `"`) {
		key = strings.TrimSuffix(inner, `"`)
	}
	visible := func(c rune) bool { return c > ' ' && c < unicode.MaxASCII && c != '"' && c != '\\' }
	if len(values) > 1 || key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return !visible(c) }) {
		return nil, fmt.Errorf("is not a key; send it once, as 1 to %d letters, digits and marks without spaces, such as a new UUID", maxKey)
	}
	query := r.URL.Query()
	query.Del("wait") // how long a client waits makes no other request
	hash := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, query.Encode(), string(body)} {
		_, _ = fmt.Fprintf(hash, "%d:%s", len(part), part) // a hash never fails
	}
	if who, _ := people.From(r.Context()); who.User != "" { // each has keys of his own
		key = who.User + "/" + key
	}
	return r.WithContext(store.WithKey(r.Context(), store.Key{Text: key, Request: hex.EncodeToString(hash.Sum(nil))})), nil
}

// isJSON reports whether a content type is one of JSON. None counts as JSON.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// recoverPanics keeps the server up when a handler has a defect.
func (s *server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler { //nolint:errorlint // a panic's value is compared as net/http does
					panic(cause)
				}
				s.Logger.Error("a request failed by a defect", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				plain(http.StatusInternalServerError, resource.CodeInternal, "the server has a defect; its log has the details").write(w)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// observe counts and times requests by route, which has few values, not by path.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		route := "unknown"
		if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
			route = documentedPath(c.RoutePattern())
		}
		took := time.Since(started)
		s.requests.WithLabelValues(method(r.Method), route, strconv.Itoa(recorder.status)).Observe(took.Seconds())
		s.Logger.Debug("request", "method", r.Method, "path", r.URL.Path, "status", recorder.status, "took", took)
	})
}

// method keeps made-up methods out of the metrics.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// notFound says which paths there are near the one asked for.
func notFound(r *http.Request) *ProblemDocument {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	hint := "see the paths at /docs or in /openapi.json"
	if _, action, isAction := strings.Cut(parts[len(parts)-1], ":"); isAction {
		hint = fmt.Sprintf("no action is called %.64q; see the kind's actions at /docs or with: mcic driver get", action)
	} else if len(parts) >= 4 && parts[0] == "v1" && parts[1] == "connections" || len(parts) == 2 && parts[0] == "v1" {
		hint = "the kinds are: " + strings.Join(plurals(), ", ")
	}
	return plain(http.StatusNotFound, resource.CodeNotFound, fmt.Sprintf("there is nothing at %.200q; %s", r.URL.Path, hint))
}

func methodNotAllowed(r *http.Request) *ProblemDocument {
	return plain(http.StatusMethodNotAllowed, resource.CodeUnsupported,
		fmt.Sprintf("%s is not possible at %.200q; see the paths at /docs or in /openapi.json", method(r.Method), r.URL.Path))
}

func plurals() []string {
	var names []string
	for _, k := range resource.Kinds() {
		names = append(names, k.Plural())
	}
	return names
}
