package v1

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// unrecorded is an answer that nobody may keep.
type unrecorded struct {
	CacheControl string `header:"Cache-Control"`
	Body         json.RawMessage
}

// given is what a request says in its path, its query and its body. The model checks it.
type given struct {
	raw []byte
	ctx huma.Context
}

// Resolve implements huma.Resolver.
func (g *given) Resolve(ctx huma.Context) []error {
	var err error
	g.ctx = ctx
	if g.raw, err = io.ReadAll(ctx.BodyReader()); err != nil {
		return []error{err}
	}
	return nil
}

// values are the parameters of the query, and of the path after the resource.
func (g *given) values(inPath string) url.Values {
	u := g.ctx.URL()
	values := u.Query()
	if inPath != "" {
		values.Set(inPath, g.ctx.Param(inPath))
	}
	return values
}

// dataInput is what routes to data take.
type dataInput struct {
	OneResource
	given
}

// pathOfOne is what the paths of what a resource holds begin with.
func pathOfOne(k *resource.Kind) string {
	return "/v1/connections/{connection}/" + k.Plural() + "/{name}/"
}

// registerData registers the routes to what a kind's resources hold.
func (s *server) registerData(routes *doors, k *resource.Kind) {
	one := pathOfOne(k)
	schemas := routes.OpenAPI().Components.Schemas
	add := func(name, method, path, doc string, answer *huma.Schema, params []*huma.Param, handle func(context.Context, *dataInput) (json.RawMessage, error)) {
		register(routes, ofOne(people.Data, k.Name), problems(schemas, huma.Operation{
			OperationID: name + "-" + k.Name, Method: method, Path: one + path, Tags: []string{k.Title},
			Summary: doc, Description: "Asked of the cloud once, and kept nowhere.",
			Parameters: params, SkipValidateParams: true, // which the model checks
			Responses: map[string]*huma.Response{"200": {Description: "Done.", Content: map[string]*huma.MediaType{"application/json": {Schema: answer}}}},
		}), func(ctx context.Context, in *dataInput) (*unrecorded, error) {
			answer, err := handle(ctx, in)
			if err != nil {
				return nil, problem(err)
			}
			return &unrecorded{noStore, answer}, nil
		})
	}
	for _, c := range k.Data {
		answer := schemas.Schema(c.AnswerType(), true, "")
		var params []*huma.Param
		if c.Method == http.MethodGet {
			params = queryParams(schemas, c.ParamsType())
		}
		add(c.Name, c.Method, c.Path, c.Doc, answer, params, func(ctx context.Context, in *dataInput) (json.RawMessage, error) {
			params, err := c.GivenParams(in.values(""), in.raw)
			if err != nil {
				return nil, err
			}
			return s.data(ctx, in, k, &c, params)
		})
		if c.Method == http.MethodPost {
			takes(routes, one+c.Path, schemas.Schema(c.ParamsType(), true, ""), true)
		}
		if c.Single == nil {
			continue
		}
		_, inPath, _ := strings.Cut(strings.TrimSuffix(c.Single.Path, "}"), "{")
		params = queryParams(schemas, c.Single.ParamsType())
		for _, p := range params {
			if p.Name == inPath {
				p.In, p.Required = "path", true
			}
		}
		add(c.Single.Name, c.Single.Method, c.Single.Path, c.Single.Doc, answer, params, func(ctx context.Context, in *dataInput) (json.RawMessage, error) {
			params, err := c.Single.Params(in.values(inPath))
			if err != nil {
				return nil, err
			}
			answer, err := s.data(ctx, in, k, &c, params)
			if err == nil {
				err = c.Failure(answer)
			}
			return answer, err
		})
	}
	if k.Signing() != nil {
		documentContent(routes, k, one+contentPath)
	}
}

// data does a call whose parameters name no other data than may be reached, too.
func (s *server) data(ctx context.Context, in *dataInput, k *resource.Kind, c *resource.DataCall, params json.RawMessage) (json.RawMessage, error) {
	if checked, err := c.ParseParams(params); err == nil { // else it is said below what is wrong
		if err := eachRef(c.MapRefs, checked, func(ref resource.Ref) error {
			return s.mayReach(ctx, people.Data, people.What{Kind: ref.Kind, Connection: in.Connection}, ref.Name)
		}); err != nil {
			return nil, err
		}
	}
	return s.Inventory.Data(ctx, in.Connection, k.Name, in.Name, c.Name, params)
}

// contentPath is where data is read and written, below a resource.
const contentPath = "object"

// documentContent documents the routes to data, which huma does not serve: it streams.
func documentContent(routes *doors, k *resource.Kind, path string) {
	schemas := routes.OpenAPI().Components.Schemas
	text := &huma.Schema{Type: huma.TypeString}
	least, most := 1, 1024
	key := &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most}
	bytes := map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	params := []*huma.Param{
		{Name: "connection", In: "path", Required: true, Description: "Name of the connection.", Schema: text},
		{Name: "name", In: "path", Required: true, Description: "Name of the resource.", Schema: text},
		{Name: "key", In: "query", Required: true, Description: "Key of the object: 1 to 1,024 bytes of UTF-8.", Schema: key},
	}
	operation := func(method, name, doc string, more ...*huma.Param) *huma.Operation {
		o := problems(schemas, huma.Operation{
			OperationID: name + "-" + k.Name, Method: method, Path: path, Tags: []string{k.Title}, Summary: doc, Parameters: append(params[:len(params):len(params)], more...),
			Responses: map[string]*huma.Response{"200": {Description: "Done."}},
		})
		return &o
	}
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: doc, Schema: text}
	}
	get := operation(http.MethodGet, "getobject", "Read an object, as it comes from the cloud",
		&huma.Param{Name: "version", In: "query", Description: "Version to read. Default: the latest.", Schema: text},
		header("Range", "One range of bytes, such as bytes=0-99. With If-Range all is answered; say If-Match instead."), header("If-Match", "Only if it has this ETag."), header("If-None-Match", "Only if it has another ETag."))
	get.Description = "Its metadata are in headers that begin with " + metadataPrefix + ", its version is in " + versionHeader + ". Browsers save it and show nothing of it."
	get.Responses["200"].Content = bytes
	put := operation(http.MethodPut, "putobject", "Write an object, which goes to the cloud as it comes",
		header("Content-Type", "What is kept as its media type."), header("Content-MD5", "MD5 of it in base64, for the cloud to check."),
		header("If-None-Match", "* writes it only if there is none yet."))
	put.Description = "Headers that begin with " + metadataPrefix + " are kept as its metadata. Its length must be known. Larger ones than a few GiB go as parts: see uploads."
	put.RequestBody = &huma.RequestBody{Required: true, Content: bytes}
	routes.OpenAPI().AddOperation(get)
	routes.OpenAPI().AddOperation(put)
}

const (
	noStore        = "no-store"
	metadataPrefix = "Mcic-Meta-"
	versionHeader  = "Mcic-Version"
)

// serveContent serves the routes to data that huma does not: it is not buffered, and takes as
// long as it takes. Nor is what is taken by GET taken by HEAD, which would show nothing of it.
func (s *server) serveContent(d *doors, router chi.Router, notAllowed http.HandlerFunc) {
	for _, k := range resource.Kinds() {
		for _, c := range k.Data {
			if c.Takes {
				d.handle(router, http.MethodHead, pathOfOne(k)+c.Path, anybody(), notAllowed)
			}
		}
		if k.Signing() == nil {
			continue
		}
		path := pathOfOne(k) + contentPath
		needs := ofOne(people.Data, k.Name)
		d.handle(router, http.MethodGet, path, needs, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.getContent(w, r, k.Name) }))
		d.handle(router, http.MethodPut, path, needs, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.putContent(w, r, k.Name) }))
	}
}

// content asks for data, and answers what was wrong.
func (s *server) content(w http.ResponseWriter, r *http.Request, kind string, request resource.SignRequest, body io.Reader) *inventory.Content {
	w.Header().Set("Cache-Control", noStore)
	c, err := s.Inventory.Content(r.Context(), chi.URLParam(r, "connection"), kind, chi.URLParam(r, "name"), request, body)
	switch {
	case err == nil:
		return c
	case c != nil && c.Response != nil && c.StatusCode == http.StatusNotModified:
		w.Header().Set("ETag", c.Header.Get("ETag"))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	p := problem(err)
	if c != nil && c.Response != nil && (c.StatusCode == http.StatusPreconditionFailed || c.StatusCode == http.StatusRequestedRangeNotSatisfiable) {
		p.Status, p.Title = c.StatusCode, http.StatusText(c.StatusCode)
	}
	p.write(w)
	return nil
}

func (s *server) getContent(w http.ResponseWriter, r *http.Request, kind string) {
	moment := func(header string) *time.Time {
		if at, err := http.ParseTime(r.Header.Get(header)); err == nil {
			return &at
		}
		return nil
	}
	query, part := r.URL.Query(), r.Header.Get("Range")
	if r.Header.Get("If-Range") != "" { // a piece of another object would be taken for the rest of the first
		part = ""
	}
	c := s.content(w, r, kind, resource.SignRequest{
		Do: resource.SignGet, Key: query.Get("key"), Version: query.Get("version"),
		Range: part, IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"),
		IfModifiedSince: moment("If-Modified-Since"), IfUnmodifiedSince: moment("If-Unmodified-Since"),
	}, nil)
	if c == nil {
		return
	}
	defer c.Body.Close()
	h := w.Header()
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Range", "Content-Encoding", "Content-Language", "Accept-Ranges", "ETag", "Last-Modified"} {
		if value := c.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	// It is somebody's data, at the address of a console that people are logged in to.
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	for name, values := range c.Header {
		prefix := http.CanonicalHeaderKey(c.Signed.MetadataPrefix)
		if short, ok := strings.CutPrefix(name, prefix); ok && prefix != "" {
			h.Set(metadataPrefix+short, values[0])
		}
	}
	s.version(w, c)
	w.WriteHeader(c.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, c.Body); err != nil { // the client has seen a length, or else no end
		s.Logger.Debug("an object was not sent whole", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (s *server) version(w http.ResponseWriter, c *inventory.Content) {
	if value := c.Header.Get(c.Signed.VersionHeader); c.Signed.VersionHeader != "" && value != "" {
		w.Header().Set(versionHeader, value)
	}
}

func (s *server) putContent(w http.ResponseWriter, r *http.Request, kind string) {
	if r.ContentLength < 0 {
		badField(http.StatusLengthRequired, "body", "has no length; send it with the header Content-Length, or as parts of an upload").write(w)
		return
	}
	request := resource.SignRequest{
		Do: resource.SignPut, Key: r.URL.Query().Get("key"), Size: &r.ContentLength, MD5: r.Header.Get("Content-MD5"),
		IfMatch: r.Header.Get("If-Match"), IfNoneMatch: r.Header.Get("If-None-Match"),
		Headers: driver.ObjectHeaders(r.Header, metadataPrefix),
	}
	c := s.content(w, r, kind, request, r.Body)
	if c == nil {
		return
	}
	defer c.Body.Close()
	if etag := c.Header.Get("ETag"); etag != "" {
		w.Header().Set("ETag", etag)
	}
	s.version(w, c)
	w.WriteHeader(http.StatusOK)
}
