package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// server answers the protocol with a driver in this process.
type server struct {
	driverv1.UnimplementedDriverServiceServer
	driver  *Driver
	logger  *slog.Logger // redacts
	secrets *secrets

	mu       sync.Mutex
	sessions map[string]Session
}

func newServer(d *Driver, logger *slog.Logger) *server {
	known := &secrets{}
	return &server{
		driver:   d,
		logger:   slog.New(redactingHandler{logger.Handler(), known}),
		secrets:  known,
		sessions: map[string]Session{},
	}
}

func (s *server) Describe(ctx context.Context, _ *driverv1.DescribeRequest) (*driverv1.DescribeResponse, error) {
	description, err := s.driver.Describe(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := encode(description)
	return &driverv1.DescribeResponse{Description: raw}, err
}

func (s *server) Connect(ctx context.Context, r *driverv1.ConnectRequest) (*driverv1.ConnectResponse, error) {
	s.secrets.add(s.driver.description.Secrets(r.GetCredential()))
	opened, err := s.driver.Connect(ctx, Config{
		Credential: r.GetCredential(), Region: r.GetRegion(), Zone: r.GetZone(), Settings: r.GetSettings(),
		Logger: s.logger,
	})
	if err != nil {
		return nil, err
	}
	place, err := opened.Place(ctx)
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[id] = opened
	return &driverv1.ConnectResponse{Session: id, Lacks: place.Lacks, Account: valid(place.Account), Scopes: place.Scopes, Reach: place.Reach.toWire()}, nil
}

func (s *server) Disconnect(_ context.Context, r *driverv1.DisconnectRequest) (*driverv1.DisconnectResponse, error) {
	s.mu.Lock()
	opened, ok := s.sessions[r.GetSession()]
	delete(s.sessions, r.GetSession())
	s.mu.Unlock()
	if !ok {
		return &driverv1.DisconnectResponse{}, nil
	}
	return &driverv1.DisconnectResponse{}, opened.Close()
}

func (s *server) session(id string) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened, ok := s.sessions[id]
	if !ok {
		return nil, resource.Errorf(resource.CodeUnavailable, "%w", ErrUnknownSession)
	}
	return opened, nil
}

func (s *server) Catalog(r *driverv1.CatalogRequest, stream grpc.ServerStreamingServer[driverv1.CatalogResponse]) error {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return err
	}
	if r.Since != nil {
		return changes(stream.Context(), opened, r, stream.Send)
	}
	return send(opened.Catalog(stream.Context(), r.GetCatalog(), r.GetFilter()),
		func(entry json.RawMessage) ([]byte, error) { return entry, nil },
		func(batch [][]byte) error { return stream.Send(&driverv1.CatalogResponse{Entries: batch}) })
}

func (s *server) Read(r *driverv1.ReadRequest, stream grpc.ServerStreamingServer[driverv1.ReadResponse]) error {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return err
	}
	return send(opened.Read(stream.Context(), r.GetFeed(), spanFrom(r), r.GetFilter()),
		func(entry json.RawMessage) ([]byte, error) { return entry, nil },
		func(batch [][]byte) error { return stream.Send(&driverv1.ReadResponse{Entries: batch}) })
}

func (s *server) List(r *driverv1.ListRequest, stream grpc.ServerStreamingServer[driverv1.ListResponse]) error {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return err
	}
	return send(opened.List(stream.Context(), r.GetKind(), filterFrom(r.GetFilter())),
		func(item Item) ([]byte, error) { return encode(item) },
		func(batch [][]byte) error { return stream.Send(&driverv1.ListResponse{Objects: batch}) })
}

func (s *server) Get(ctx context.Context, r *driverv1.GetRequest) (*driverv1.GetResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	item, err := opened.Get(ctx, r.GetKind(), r.GetId())
	if err != nil {
		return nil, err
	}
	raw, err := encode(item)
	return &driverv1.GetResponse{Object: raw}, err
}

func (s *server) Create(ctx context.Context, r *driverv1.CreateRequest) (*driverv1.CreateResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	ctx, request, err := s.creationIn(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, warned := collect(ctx)
	item, pending, err := opened.Create(ctx, r.GetKind(), request)
	if err != nil {
		return nil, left{err, item.ID}
	}
	s.secrets.pass(slices.Collect(maps.Values(item.Secrets)))
	answer := &driverv1.CreateResponse{Secrets: item.Secrets, Pending: s.pending(pending), Warnings: s.warnings(warned.all())}
	if item.ID != "" {
		answer.Object, err = encode(item)
	}
	return answer, err
}

func (s *server) Check(ctx context.Context, r *driverv1.CheckRequest) (*driverv1.CheckResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	ctx, request, err := s.creationIn(ctx, r)
	if err != nil {
		return nil, err
	}
	ctx, warned := collect(ctx)
	err = opened.Check(ctx, r.GetKind(), request)
	return &driverv1.CheckResponse{Warnings: s.warnings(warned.all())}, err
}

// creationRequest is what Create and Check are sent.
type creationRequest interface {
	GetKind() string
	GetRequest() []byte
	GetContents() []byte
}

// creationIn reads the request of a creation, whose contents go on with the context. What of
// it is only written leaves the process in no error and no log line.
func (s *server) creationIn(ctx context.Context, sent creationRequest) (with context.Context, r ItemRequest, err error) {
	if err := json.Unmarshal(sent.GetRequest(), &r); err != nil {
		return ctx, r, resource.Errorf(resource.CodeInvalid, "decode the create request: %w", err)
	}
	if k, err := resource.KindNamed(sent.GetKind()); err == nil { // else nothing will be done
		_, hidden, _ := k.Hide(r.Spec) // what is no object is refused with its reason
		s.secrets.pass(slices.Collect(maps.Values(hidden)))
	}
	with, err = decodeContents(ctx, sent.GetContents())
	return with, r, err
}

func (s *server) Delete(ctx context.Context, r *driverv1.DeleteRequest) (*driverv1.DeleteResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	ctx, warned := collect(ctx)
	pending, err := opened.Delete(WithToken(WithOperation(ctx, r.GetOperation()), r.GetToken()), r.GetKind(), r.GetId())
	return &driverv1.DeleteResponse{Pending: s.pending(pending), Warnings: s.warnings(warned.all())}, err
}

func (s *server) Act(ctx context.Context, r *driverv1.ActRequest) (*driverv1.ActResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	if ctx, err = decodeContents(ctx, r.GetContents()); err != nil {
		return nil, err
	}
	s.hear(r.GetKind(), r.GetAction(), r.GetParams())
	ctx, warned := collect(ctx)
	pending, err := opened.Act(WithToken(WithOperation(ctx, r.GetOperation()), r.GetToken()), r.GetKind(), r.GetId(), r.GetAction(), r.GetParams())
	return &driverv1.ActResponse{Pending: s.pending(pending), Warnings: s.warnings(warned.all())}, err
}

func (s *server) View(ctx context.Context, r *driverv1.ViewRequest) (*driverv1.ViewResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	answer, err := opened.View(WithToken(ctx, r.GetToken()), r.GetKind(), r.GetId(), r.GetView(), r.GetParams())
	return &driverv1.ViewResponse{Answer: answer}, err
}

func (s *server) Extend(ctx context.Context, r *driverv1.ExtendRequest) (*driverv1.ExtendResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	output, err := opened.Extend(ctx, r.GetExtension(), r.GetInput())
	return &driverv1.ExtendResponse{Output: output}, err
}

func (s *server) Native(ctx context.Context, r *driverv1.NativeRequest) (*driverv1.NativeResponse, error) {
	opened, err := s.session(r.GetSession())
	if err != nil {
		return nil, err
	}
	var request NativeRequest
	if err := json.Unmarshal(r.GetRequest(), &request); err != nil {
		return nil, resource.Errorf(resource.CodeInvalid, "decode the native request: %w", err)
	}
	response, err := opened.Native(ctx, request)
	if err != nil {
		return nil, err
	}
	raw, err := encode(response)
	return &driverv1.NativeResponse{Response: raw}, err
}

// hear makes known what of an action's parameters is only written.
func (s *server) hear(kind, action string, params json.RawMessage) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return
	}
	if a, err := k.Action(action); err == nil {
		_, hidden, _ := a.Hide(params) // what is no object is refused with its reason
		s.secrets.pass(slices.Collect(maps.Values(hidden)))
	}
}

// pending is what of a Pending may leave the process.
func (s *server) pending(p *Pending) *driverv1.Pending {
	if p == nil {
		return nil
	}
	w := &driverv1.Pending{Reason: valid(s.secrets.redact(p.Reason)), AfterMs: p.After.Milliseconds()}
	if p.Failed != nil {
		w.Failure = failureOf(resource.AsError(redacted(p.Failed, s.secrets)), false, "")
	}
	return w
}

// send writes a sequence as batches, each limited in items and bytes.
func send[T any](items iter.Seq2[T, error], encode func(T) ([]byte, error), flush func([][]byte) error) error {
	var (
		batch [][]byte
		size  int
	)
	for item, err := range items {
		if err != nil {
			return err
		}
		raw, err := encode(item)
		if err != nil {
			return err
		}
		if len(batch) == batchItems || (len(batch) > 0 && size+len(raw) > batchBytes) {
			if err := flush(batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		batch = append(batch, raw)
		size += len(raw)
	}
	if len(batch) == 0 {
		return nil
	}
	return flush(batch)
}

// interceptors keep every call within its deadline and the process alive: errors
// get their code and lose what is secret, a panic becomes an error.
func (s *server) interceptors() []grpc.ServerOption {
	outcome := func(method string, panicked any, err error) error {
		var there left
		errors.As(err, &there)
		return toStatus(redacted(recovered(s.logger, method, panicked, err), s.secrets), there.id)
	}
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
			ctx, cancel := deadline(ctx)
			defer cancel()
			defer func() { err = outcome(info.FullMethod, recover(), err) }()
			return next(ctx, r)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
			ctx, cancel := deadline(stream.Context())
			defer cancel()
			defer func() { err = outcome(info.FullMethod, recover(), err) }()
			return next(srv, &streamWithContext{stream, ctx})
		}),
	}
}

func recovered(logger *slog.Logger, method string, panicked any, err error) error {
	if panicked == nil {
		return err
	}
	logger.Error("the driver panicked", "method", method, "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	return resource.Errorf(resource.CodeInternal, "the driver panicked in %s; this is a defect of the driver, its log has the details", method)
}

func deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	md, _ := metadata.FromIncomingContext(ctx)
	if d, ok := timeoutIn(md); ok {
		return context.WithTimeout(ctx, d)
	}
	return context.WithCancel(ctx)
}

type streamWithContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *streamWithContext) Context() context.Context { return s.ctx }

// secrets are what this process was given and must not tell. They are kept for its
// life, across sessions: an error or a panic may come late.
type secrets struct {
	mu       sync.Mutex
	known    []string // of credentials
	passing  []string // of requests, the last ones
	replacer atomic.Pointer[strings.Replacer]
}

// mostPassing is how many secrets of requests are known at once.
const mostPassing = 256

// add makes values of a credential known.
func (s *secrets) add(values []string) { s.know(&s.known, values) }

// pass makes values known that belong to a single object.
func (s *secrets) pass(values []string) {
	if len(values) > 0 {
		s.know(&s.passing, values)
	}
}

// know makes values known. Those too short to be secrets would garble texts.
func (s *secrets) know(list *[]string, values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range values {
		if len(value) >= 6 && !slices.Contains(*list, value) {
			*list = append(*list, value)
		}
	}
	s.passing = s.passing[max(0, len(s.passing)-mostPassing):]
	all := slices.Concat(s.known, s.passing)
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // one may be the beginning of another
	var pairs []string
	for _, secret := range all {
		for _, written := range []string{secret, quoted(secret), url.QueryEscape(secret), url.PathEscape(secret)} {
			pairs = append(pairs, written, "[secret]")
		}
	}
	s.replacer.Store(strings.NewReplacer(pairs...))
}

// redact takes the secrets out of a text.
func (s *secrets) redact(text string) string {
	if r := s.replacer.Load(); r != nil {
		return r.Replace(text)
	}
	return text
}

// quoted is a text as %q and JSON write it, without the quotes.
func quoted(text string) string {
	q := strconv.Quote(text)
	return q[1 : len(q)-1]
}

func redacted(err error, s *secrets) error {
	if err == nil {
		return nil
	}
	e := *resource.AsError(err)
	e.Message = s.redact(e.Message)
	e.Fields = slices.Clone(e.Fields)
	for i := range e.Fields {
		e.Fields[i].Message, e.Fields[i].Limit = s.redact(e.Fields[i].Message), s.redact(e.Fields[i].Limit)
	}
	if e.Cloud != nil {
		cloud := *e.Cloud
		cloud.Code, cloud.Message = s.redact(cloud.Code), s.redact(cloud.Message)
		e.Cloud = &cloud
	}
	return &e
}

// redactingHandler takes the secrets out of the log.
type redactingHandler struct {
	slog.Handler
	secrets *secrets
}

func (h redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.secrets.redact(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return redactingHandler{h.Handler.WithAttrs(clean), h.secrets}
}

func (h redactingHandler) WithGroup(name string) slog.Handler {
	return redactingHandler{h.Handler.WithGroup(name), h.secrets}
}

func (h redactingHandler) attr(a slog.Attr) slog.Attr {
	switch value := a.Value.Resolve(); value.Kind() {
	case slog.KindBool, slog.KindDuration, slog.KindFloat64, slog.KindInt64, slog.KindTime, slog.KindUint64:
		return slog.Attr{Key: a.Key, Value: value}
	case slog.KindGroup:
		members := make([]slog.Attr, len(value.Group()))
		for i, member := range value.Group() {
			members[i] = h.attr(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(members...)}
	default: // errors and structs as texts, so that nothing inside them escapes
		return slog.String(a.Key, h.secrets.redact(value.String()))
	}
}
