package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// timeoutKey is the metadata with the time, in milliseconds, in which the driver
// must have answered. It is shorter than the call's own deadline, so that a driver
// that does not keep it can be told from a slow cloud.
const timeoutKey = "mcic-timeout"

// MaxMessage is how many bytes a message of a driver can have.
const MaxMessage = 64 << 20

// batch limits one message of a streamed list.
const (
	batchItems = 200
	batchBytes = 1 << 20
)

// ErrUnknownSession is in the chain of an error when the driver process does not
// know the session, because it was started anew: connect again.
var ErrUnknownSession = errors.New("the driver does not know the session")

// WithTimeout tells the driver to answer within d, or sooner if the context says so
// already. The context itself should have more time.
func WithTimeout(ctx context.Context, d time.Duration) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	if said, ok := timeoutIn(md); ok {
		d = min(d, said)
	}
	if md == nil {
		md = metadata.MD{}
	}
	md.Set(timeoutKey, strconv.FormatInt(max(d.Milliseconds(), 1), 10))
	return metadata.NewOutgoingContext(ctx, md)
}

func timeoutIn(md metadata.MD) (time.Duration, bool) {
	values := md.Get(timeoutKey)
	if len(values) == 0 {
		return 0, false
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	return time.Duration(ms) * time.Millisecond, err == nil
}

// remote is a driver in another process.
type remote struct{ rpc driverv1.DriverServiceClient }

func (r *remote) Describe(ctx context.Context) (*Description, error) {
	answer, err := r.rpc.Describe(ctx, &driverv1.DescribeRequest{})
	if err != nil {
		return nil, fromStatus(err)
	}
	d := &Description{}
	return d, decode("description", answer.GetDescription(), d)
}

func (r *remote) Connect(ctx context.Context, c Config) (Session, error) {
	answer, err := r.rpc.Connect(ctx, &driverv1.ConnectRequest{
		Credential: c.Credential, Region: c.Region, Zone: c.Zone, Settings: c.Settings,
	})
	if err != nil {
		return nil, fromStatus(err)
	}
	return &remoteSession{r.rpc, answer.GetSession(), Place{
		storable(answer.GetAccount()), storableTexts(answer.GetLacks()), storableTexts(answer.GetScopes()), reachFrom(answer.GetReach()),
	}}, nil
}

type remoteSession struct {
	rpc   driverv1.DriverServiceClient
	id    string
	place Place
}

func (s *remoteSession) Catalog(ctx context.Context, catalog string, q Query) iter.Seq2[json.RawMessage, error] {
	return receive(ctx, func(ctx context.Context) (func() ([][]byte, error), error) {
		stream, err := s.rpc.Catalog(ctx, &driverv1.CatalogRequest{Session: s.id, Catalog: catalog, Filter: q})
		return func() ([][]byte, error) { m, err := stream.Recv(); return m.GetEntries(), err }, err
	}, func(raw []byte) (json.RawMessage, error) {
		if !json.Valid(raw) {
			return nil, nonsense("entry of the catalog "+catalog, errors.New("not JSON"))
		}
		return raw, nil
	})
}

func (s *remoteSession) List(ctx context.Context, kind string, f Filter) iter.Seq2[Item, error] {
	return filtered(receive(ctx, func(ctx context.Context) (func() ([][]byte, error), error) {
		stream, err := s.rpc.List(ctx, &driverv1.ListRequest{Session: s.id, Kind: kind, Filter: f.toWire()})
		return func() ([][]byte, error) { m, err := stream.Recv(); return m.GetObjects(), err }, err
	}, func(raw []byte) (Item, error) { return decodeItem(kind, raw) }), f)
}

func (s *remoteSession) Get(ctx context.Context, kind, id string) (Item, error) {
	answer, err := s.rpc.Get(ctx, &driverv1.GetRequest{Session: s.id, Kind: kind, Id: id})
	if err != nil {
		return Item{}, fromStatus(err)
	}
	return decodeItem(kind, answer.GetObject())
}

func (s *remoteSession) Create(ctx context.Context, kind string, r ItemRequest) (Item, *Pending, error) {
	request, contents, err := creationOut(ctx, r)
	if err != nil {
		return Item{}, nil, err
	}
	answer, err := s.rpc.Create(ctx, &driverv1.CreateRequest{Session: s.id, Kind: kind, Request: request, Contents: contents})
	if err != nil {
		return Item{ID: failureIn(err).GetLeftId()}, nil, fromStatus(err)
	}
	pass(ctx, answer.GetWarnings())
	pending := pendingFrom(answer.GetPending())
	if pending != nil && len(answer.GetObject()) == 0 {
		return Item{}, pending, nil
	}
	item, err := decodeItem(kind, answer.GetObject())
	switch {
	case err != nil:
		return Item{}, nil, err
	case item.Token != "" && item.Token != r.Token:
		return Item{}, nil, nonsense(kind, fmt.Errorf("%.64q was made with another token", item.ID))
	}
	if item.Secrets, err = secretsIn(kind, answer.GetSecrets()); err != nil {
		return Item{}, nil, err
	}
	return item, pending, nil
}

// creationOut writes the request of a creation and the contents that come with it.
func creationOut(ctx context.Context, r ItemRequest) (request, contents []byte, err error) {
	if request, err = encode(r); err != nil {
		return nil, nil, err
	}
	contents, err = encodeContents(ctx)
	return request, contents, err
}

func (s *remoteSession) Check(ctx context.Context, kind string, r ItemRequest) error {
	request, contents, err := creationOut(ctx, r)
	if err != nil {
		return err
	}
	answer, err := s.rpc.Check(ctx, &driverv1.CheckRequest{Session: s.id, Kind: kind, Request: request, Contents: contents})
	pass(ctx, answer.GetWarnings())
	return fromStatus(err)
}

func (s *remoteSession) Delete(ctx context.Context, kind, id string) (*Pending, error) {
	answer, err := s.rpc.Delete(ctx, &driverv1.DeleteRequest{Session: s.id, Kind: kind, Id: id, Operation: Operation(ctx), Token: tokenIn(ctx)})
	pass(ctx, answer.GetWarnings())
	return pendingFrom(answer.GetPending()), fromStatus(err)
}

func (s *remoteSession) Act(ctx context.Context, kind, id, action string, params json.RawMessage) (*Pending, error) {
	contents, err := encodeContents(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := s.rpc.Act(ctx, &driverv1.ActRequest{
		Session: s.id, Kind: kind, Id: id, Action: action, Params: params, Operation: Operation(ctx), Contents: contents, Token: tokenIn(ctx),
	})
	pass(ctx, answer.GetWarnings())
	return pendingFrom(answer.GetPending()), fromStatus(err)
}

func (s *remoteSession) View(ctx context.Context, kind, id, view string, params json.RawMessage) (json.RawMessage, error) {
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, err
	}
	v, err := k.View(view)
	if err != nil {
		return nil, err
	}
	answer, err := s.rpc.View(ctx, &driverv1.ViewRequest{Session: s.id, Kind: kind, Id: id, View: view, Params: params, Token: tokenIn(ctx)})
	if err != nil {
		return nil, fromStatus(err)
	}
	return reread("view "+view, answer.GetAnswer(), v.Answer)
}

func (s *remoteSession) Extend(ctx context.Context, extension string, input json.RawMessage) (json.RawMessage, error) {
	answer, err := s.rpc.Extend(ctx, &driverv1.ExtendRequest{Session: s.id, Extension: extension, Input: input})
	if err != nil {
		return nil, fromStatus(err)
	}
	return object("answer of the extension "+extension, answer.GetOutput())
}

func (s *remoteSession) Native(ctx context.Context, r NativeRequest) (NativeResponse, error) {
	request, err := encode(r)
	if err != nil {
		return NativeResponse{}, err
	}
	answer, err := s.rpc.Native(ctx, &driverv1.NativeRequest{Session: s.id, Request: request})
	if err != nil {
		return NativeResponse{}, fromStatus(err)
	}
	var response NativeResponse
	return response, decode("native answer", answer.GetResponse(), &response)
}

func (s *remoteSession) Place(context.Context) (Place, error) { return s.place, nil }

// object passes on what must be a JSON object.
func object(what string, raw json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	err := decode(what, raw, &fields)
	if err == nil && fields == nil {
		err = nonsense(what, errors.New("it is null"))
	}
	return raw, err
}

// reread passes on an answer as read reads it.
func reread(what string, raw json.RawMessage, read func(json.RawMessage) (any, error)) (json.RawMessage, error) {
	raw, err := object(what, raw)
	if err != nil {
		return nil, err
	}
	answer, err := read(raw)
	if err != nil {
		return nil, nonsense(what, err)
	}
	return encode(answer)
}

// Close ends the session on the driver's side.
func (s *remoteSession) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := s.rpc.Disconnect(ctx, &driverv1.DisconnectRequest{Session: s.id})
	return fromStatus(err)
}

// receive turns a stream of batches into a sequence. Leaving the sequence early
// ends the stream.
func receive[M, T any](
	ctx context.Context,
	open func(context.Context) (recv func() ([]M, error), err error),
	parse func(M) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var zero T
		recv, err := open(ctx)
		if err != nil {
			yield(zero, fromStatus(err))
			return
		}
		for {
			batch, err := recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if _, ours := errors.AsType[*resource.Error](err); err != nil && !ours {
				err = fromStatus(err)
			}
			if err != nil {
				yield(zero, err)
				return
			}
			for _, raw := range batch {
				value, err := parse(raw)
				if !yield(value, err) || err != nil {
					return
				}
			}
		}
	}
}

// decodeItem reads an object and refuses one that the server could not work with.
func decodeItem(kind string, raw []byte) (Item, error) {
	var item Item
	if err := decode(kind, storableJSON(raw), &item); err != nil {
		return Item{}, err
	}
	if item.ID == "" {
		return Item{}, nonsense(kind, errors.New("it has no id"))
	}
	if !slices.Contains(resource.States(), item.State) {
		return Item{}, nonsense(kind, fmt.Errorf("%.64q is not a state", item.State))
	}
	if item.Code != "" && !slices.Contains(resource.Codes(), item.Code) {
		return Item{}, nonsense(kind, fmt.Errorf("%.64q is not an error code", item.Code))
	}
	k, err := resource.KindNamed(kind)
	if err != nil {
		return Item{}, err
	}
	if err := k.CheckObject(item.Spec, item.Status); err != nil {
		return Item{}, nonsense(kind, err)
	}
	item.Spec, _, err = k.Hide(item.Spec)
	return item, err
}

func decode(what string, raw []byte, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return nonsense(what, err)
	}
	return nil
}

func nonsense(what string, err error) error {
	return resource.Errorf(resource.CodeInternal, "the driver answered something that is not a valid %s; this is a defect of the driver: %w", what, err)
}

// left is an error of a creation that has made something and could not remove it.
type left struct {
	error
	id string
}

func (l left) Unwrap() error { return l.error }

// toStatus carries an error over the wire, with the id of what a creation has left.
func toStatus(err error, leftID string) error {
	if err == nil {
		return nil
	}
	e := classified(err)
	f := failureOf(e, errors.Is(err, ErrUnknownSession), leftID)
	s, detailErr := status.New(codes.Unknown, f.GetMessage()).WithDetails(f)
	if detailErr != nil { // only for what cannot be marshalled
		return status.Error(codes.Unknown, f.GetMessage())
	}
	return s.Err()
}

// classified is an error with its code. A driver need not classify its contexts.
func classified(err error) *resource.Error {
	e := resource.AsError(err)
	if e.Code != resource.CodeInternal {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return resource.Errorf(resource.CodeUnavailable, "the cloud did not answer in time: %w", err)
	case errors.Is(err, context.Canceled):
		return resource.Errorf(resource.CodeUnavailable, "the call was cancelled: %w", err)
	}
	return e
}

// failureOf is an error as it travels.
func failureOf(e *resource.Error, unknownSession bool, leftID string) *driverv1.Failure {
	f := &driverv1.Failure{
		Code: string(e.Code), Message: valid(e.Message), Retryable: e.Retryable, UnknownSession: unknownSession, LeftId: valid(leftID),
	}
	if e.Cloud != nil {
		f.CloudCode, f.CloudMessage, f.CloudRequestId = valid(e.Cloud.Code), valid(e.Cloud.Message), valid(e.Cloud.RequestID)
	}
	for _, p := range e.Fields {
		f.Fields = append(f.Fields, &driverv1.FieldProblem{
			Field: valid(p.Field), Message: valid(p.Message), Rule: valid(string(p.Rule)), Limit: valid(p.Limit),
		})
	}
	return f
}

// valid makes a text fit for a protobuf string: a cloud may answer in any encoding.
func valid(text string) string { return strings.ToValidUTF8(text, string(utf8.RuneError)) }

// storable is a text that databases take: PostgreSQL has no character 0.
// https://www.postgresql.org/docs/current/datatype-character.html
func storable(text string) string { return strings.ReplaceAll(text, "\x00", string(utf8.RuneError)) }

// storableTexts does the same for texts with names.
func storableTexts(named map[string]string) map[string]string {
	for name, text := range named {
		named[name] = storable(text)
	}
	return named
}

// storableJSON does the same for JSON, where the character is written as an escape.
func storableJSON(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`\u0000`)) {
		return raw
	}
	clean := bytes.Clone(raw)
	for i := 0; i < len(clean); i++ {
		if clean[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(clean[i:], []byte(`\u0000`)) {
			copy(clean[i:], `\ufffd`)
		}
		i++ // what is escaped begins nothing
	}
	return clean
}

// failureIn is the detail of an error status, nil if it has none.
func failureIn(err error) *driverv1.Failure {
	for _, detail := range status.Convert(err).Details() {
		if f, ok := detail.(*driverv1.Failure); ok {
			return f
		}
	}
	return nil
}

// fromStatus is the way back. What has no detail comes from gRPC itself: the
// process is gone, hangs, or is no driver.
func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	if f := failureIn(err); f != nil {
		return fromFailure(f)
	}
	switch s.Code() {
	case codes.DeadlineExceeded:
		return resource.Errorf(resource.CodeUnavailable, "the driver did not answer in time: %w", context.DeadlineExceeded)
	case codes.Canceled:
		return resource.Errorf(resource.CodeUnavailable, "the call to the driver was cancelled: %w", context.Canceled)
	case codes.Unimplemented:
		return resource.Errorf(resource.CodeUnsupported, "the driver does not have this call: %s", s.Message())
	case codes.Unavailable:
		return resource.Errorf(resource.CodeUnavailable, "%w", fmt.Errorf("%w: %s", ErrGone, s.Message()))
	default:
		return resource.Errorf(resource.CodeInternal, "the driver failed: %s", s.Message())
	}
}

// fromFailure is an error that a driver has answered.
func fromFailure(f *driverv1.Failure) error {
	code := resource.Code(f.GetCode())
	if !slices.Contains(resource.Codes(), code) {
		return nonsense("error", fmt.Errorf("%.64q is not an error code; it says: %s", code, f.GetMessage()))
	}
	e := resource.Errorf(code, "%s", storable(f.GetMessage()))
	if f.GetUnknownSession() {
		e = resource.Errorf(code, "%w", ErrUnknownSession)
	}
	e.Retryable = f.GetRetryable()
	for _, p := range f.GetFields() {
		problem := resource.Problem{Field: storable(p.GetField()), Message: storable(p.GetMessage())}
		if rule := resource.ProblemRule(p.GetRule()); slices.Contains(resource.ProblemRules(), rule) { // else the message says it
			problem.Rule, problem.Limit = rule, storable(p.GetLimit())
		}
		e.Fields = append(e.Fields, problem)
	}
	if f.GetCloudCode() != "" || f.GetCloudMessage() != "" || f.GetCloudRequestId() != "" {
		e.Cloud = &resource.CloudError{Code: storable(f.GetCloudCode()), Message: storable(f.GetCloudMessage()), RequestID: storable(f.GetCloudRequestId())}
	}
	return e
}

// ErrGone is in the chain of an error when the driver process ended or cannot be
// reached.
var ErrGone = errors.New("the driver process is gone")
