// Package spider serves the REST API of CB-Spider, so that its clients can use this
// server unchanged. It only translates: what it answers comes from engine and
// catalog, and it knows no cloud.
//
// What all types of resources have in common is in kind.go, once. Each type has a
// file with CB-Spider's struct, the translation of a request into a spec, that of a
// resource into the struct, and what is special about it.
package spider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/internal/api/respond"
	"github.com/m-cmp/mc-infra-connector/internal/audit"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/registry"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Prefix is the path below which the API is served.
const Prefix = "/spider"

// Config is what the API needs.
type Config struct {
	Registry  *registry.Registry
	Inventory *inventory.Inventory
	Engine    *engine.Engine
	Catalog   *catalog.Catalog
	People    *people.People
	Terminal  *terminal.Terminals
	Audit     *audit.Trail
	Ready     func(context.Context) (notice string, err error)
	Fresh     time.Duration // how old what is read of a cloud may be; default: 2 s
	Logger    *slog.Logger
	Version   string

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // connects to ports that are to be tried; default: to other machines alone
}

// Limits of a request's body.
const (
	maxBody     = 1 << 20 // bytes
	maxBodyTime = 30 * time.Second
)

const defaultFresh = 2 * time.Second

type server struct {
	Config
	kinds   []*kind
	lists   lists
	codings respond.Codings
}

// New returns the handler of the API, for the paths below Prefix.
func New(c Config) http.Handler {
	c.Fresh = cmp.Or(c.Fresh, defaultFresh)
	if c.Dial == nil {
		c.Dial = dialer().DialContext
	}
	s := &server{Config: c, kinds: kinds(), lists: lists{answers: map[string]*listed{}}}
	router := chi.NewMux()
	router.NotFound(func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "Not Found") })
	router.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	})
	routes := s.routes()
	checkDoors(routes)
	for _, r := range routes {
		var h http.Handler = s.handler(r)
		if !r.public {
			h = s.authenticate(h, r.acts)
		}
		router.Method(r.method, r.path, h)
	}
	return s.codings.Represent(tidyPath(router))
}

// tidyPath routes by the path as it was sent, so that a name can hold an escaped
// slash, and without slashes at its end.
func tidyPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := chi.RouteContext(r.Context())
		if c == nil { // not mounted in another router
			c = chi.NewRouteContext()
			r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, c))
		}
		c.RoutePath = strings.TrimRight(strings.TrimPrefix(r.URL.EscapedPath(), Prefix), "/")
		if c.RoutePath == "" {
			c.RoutePath = "/"
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate lets no one in without the password or the token. A GET that acts needs
// what a method needs that changes something.
func (s *server) authenticate(next http.Handler, acts bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r
		if acts {
			asked = r.WithContext(r.Context())
			asked.Method = http.MethodPost
		}
		who, ok, err := s.People.IdentifySpider(asked)
		switch {
		case err != nil && resource.CodeOf(err) != resource.CodeUnauthenticated:
			s.fail(w, err)
		case foreign(r, acts):
			fail(w, http.StatusForbidden, "the request comes from another web site, or from a browser that does not say from where; send it from a program or from this server's own pages")
		case !ok:
			if r.Header.Get("Authorization") != "" {
				s.Audit.Refused(r.Context(), err)
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="CB-Spider API"`)
			fail(w, http.StatusUnauthorized, "the user name or password is missing or wrong; the server's operator sets them with SPIDER_USERNAME and SPIDER_PASSWORD. A token works too, as: Authorization: Bearer TOKEN, or as the password of its user")
		default:
			next.ServeHTTP(w, r.WithContext(people.As(r.Context(), who)))
		}
	})
}

// handler reads the request, has a route answer it and writes the answer.
func (s *server) handler(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case route.missing != "":
			fail(w, http.StatusNotImplemented, route.missing)
			return
		case route.refused != "":
			fail(w, http.StatusBadRequest, route.refused)
			return
		}
		body, problem, status := readBody(w, r)
		if problem != "" {
			fail(w, status, problem)
			return
		}
		request, err := newRequest(s, r, body)
		if err != nil {
			s.fail(w, err)
			return
		}
		if !route.public {
			err = request.admit(route.needs)
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		value, err := route.handle(request)
		if err != nil {
			s.fail(w, err)
			return
		}
		if shared, ok := value.(*respond.Answer); ok {
			shared.Write(w, r)
			return
		}
		a, ok := value.(answer)
		if !ok {
			a = answer{body: value}
		}
		a.write(w)
	}
}

// answer is an answer that is more than a body.
type answer struct {
	status int // default: 200
	header map[string]string
	body   any // JSON; raw bytes are JSON already, a string is plain text
}

// secret is an answer with a secret, which nobody stores.
func secret(body any) answer {
	return answer{header: map[string]string{"Cache-Control": "no-store"}, body: body}
}

func (a answer) write(w http.ResponseWriter) {
	for key, value := range a.header {
		w.Header().Set(key, value)
	}
	var raw []byte
	switch body := a.body.(type) {
	case string:
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		raw = []byte(body)
	case []byte:
		w.Header().Set("Content-Type", jsonType)
		raw = body
	case nil:
	default:
		var err error
		if raw, err = encode(body); err != nil {
			fail(w, http.StatusInternalServerError, "the answer cannot be written: "+err.Error())
			return
		}
		w.Header().Set("Content-Type", jsonType)
	}
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = w.Write(raw) // the client is gone if this fails
}

const jsonType = "application/json"

// encode writes JSON as CB-Spider does, with a newline at the end.
func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	return append(raw, '\n'), err
}

// readBody reads the body whole. Every method may have one here.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, problem string, status int) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(maxBodyTime)) // a test's recorder knows no deadlines
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	kind, _, typeErr := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case tooLarge:
		return nil, fmt.Sprintf("body: is larger than %d bytes; send less", maxBody), http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Sprintf("body: did not arrive within %s; try again", maxBodyTime), http.StatusRequestTimeout
	case err != nil:
		return nil, "body: cannot be read: " + err.Error(), http.StatusBadRequest
	case len(body) > 0 && (typeErr != nil || kind != jsonType):
		return nil, "body: send JSON with the header Content-Type: application/json", http.StatusUnsupportedMediaType
	}
	return body, "", 0
}

// fail answers an error as CB-Spider does.
func fail(w http.ResponseWriter, status int, message string) {
	answer{status: status, body: map[string]string{"message": message}}.write(w)
}

// fail answers an error of the engine.
func (s *server) fail(w http.ResponseWriter, err error) {
	status, message := statusOf(err)
	if status == http.StatusInternalServerError {
		s.Logger.Warn("a request of the CB-Spider API failed", "error", err)
	}
	fail(w, status, message)
}

// isText reports whether a text has no control characters.
func isText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// param reads a part of the path.
func param(r *http.Request, name string) (string, error) {
	value, err := url.PathUnescape(chi.URLParam(r, name))
	if err != nil || !isText(value) {
		return "", invalid(name, "in the path is not UTF-8 text, or contains a control character")
	}
	return value, nil
}

func invalid(field, format string, args ...any) error {
	return resource.Invalid(resource.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}
