package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// over serves a driver and returns it as the other side of the wire sees it, with
// what it logs.
func over(t *testing.T, d *Driver) (Client, *logText) {
	t.Helper()
	log := &logText{}
	s := newServer(d, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return dial(t, s, s.interceptors()...), log
}

func dial(t *testing.T, s driverv1.DriverServiceServer, options ...grpc.ServerOption) Client {
	t.Helper()
	client, end, err := pipe(s, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return client
}

// logText is a log that may be read while it is written.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func connect(t *testing.T, c Client) Session {
	t.Helper()
	s, err := c.Connect(t.Context(), toyConfig())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func listOf(n int, failure error) func(context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
	return func(context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
		return func(yield func(Object[resource.VPCSpec, resource.VPCStatus], error) bool) {
			for i := range n {
				if !yield(toyVPC(i), nil) {
					return
				}
			}
			if failure != nil {
				yield(Object[resource.VPCSpec, resource.VPCStatus]{}, failure)
			}
		}
	}
}

func TestWireCarriesEverything(t *testing.T) {
	var (
		created  Request[resource.VPCSpec]
		deleted  string
		started  string
		filtered Query
		config   Config
	)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	toy := &toy{
		connect: func(_ context.Context, c Config) error { config = c; return nil },
		list:    listOf(2, nil),
		get: func(_ context.Context, id string) (Object[resource.VPCSpec, resource.VPCStatus], error) {
			o := toyVPC(7)
			o.ID, o.CreatedAt = id, &at
			return o, nil
		},
		create: func(_ context.Context, r Request[resource.VPCSpec]) (Object[resource.VPCSpec, resource.VPCStatus], error) {
			created = r
			o := toyVPC(8)
			o.Token, o.Name, o.Spec, o.State = r.Token, r.Name, r.Spec, resource.StateCreating
			return o, nil
		},
		delete: func(_ context.Context, id string) error { deleted = id; return nil },
		start:  func(_ context.Context, id string) error { started = id; return nil },
		images: func(_ context.Context, q Query) iter.Seq2[resource.Image, error] {
			filtered = q
			return func(yield func(resource.Image, error) bool) {
				_ = yield(resource.Image{ID: "img-1", Name: "one"}, nil) && yield(resource.Image{ID: "img-2", Name: "둘"}, nil)
			}
		},
	}
	client, _ := over(t, toy.driver())

	here, _ := toy.driver().Describe(t.Context())
	there, err := client.Describe(t.Context())
	if err != nil || !reflect.DeepEqual(here, there) {
		t.Errorf("got %+v, %v; want %+v", there, err, here)
	}

	s := connect(t, client)
	if config.Region != "here" || config.Credential["password"] != toySecret || config.Settings.Duration("latency") != time.Second {
		t.Errorf("the driver was connected with %+v", config)
	}
	var ids []string
	for item, err := range s.List(t.Context(), "vpc", Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, item.ID)
	}
	if !slices.Equal(ids, []string{"vpc-0", "vpc-1"}) {
		t.Errorf("got %v", ids)
	}

	item, err := s.Get(t.Context(), "vpc", "vpc-9")
	if err != nil {
		t.Fatal(err)
	}
	if item.ID != "vpc-9" || item.Name != "name-7" || item.State != resource.StateAvailable || item.CloudState != "ok" || item.Labels["n"] != "7" ||
		string(item.Spec) != `{"cidr":"10.0.0.0/16"}` || string(item.Status) != `{}` || fmt.Sprint(item.Native) != "map[index:7]" || !item.CreatedAt.Equal(at) {
		t.Errorf("got %+v", item)
	}

	item, _, err = s.Create(t.Context(), "vpc", ItemRequest{Token: "t-1", Name: "vpc1", Labels: map[string]string{"a": "b"}, Spec: json.RawMessage(`{"cidr":"10.9.0.0/16"}`)})
	if err != nil || item.Token != "t-1" || item.State != resource.StateCreating {
		t.Errorf("got %+v, %v", item, err)
	}
	want := Request[resource.VPCSpec]{Token: "t-1", Name: "vpc1", Labels: map[string]string{"a": "b"}, Spec: resource.VPCSpec{CIDR: "10.9.0.0/16"}}
	if !reflect.DeepEqual(created, want) {
		t.Errorf("the driver was asked for %+v", created)
	}

	if _, err := s.Delete(t.Context(), "vpc", "vpc-3"); err != nil || deleted != "vpc-3" {
		t.Errorf("got %v, deleted %s", err, deleted)
	}
	if _, err := s.Act(t.Context(), "vm", "vm-3", "start", nil); err != nil || started != "vm-3" {
		t.Errorf("got %v, started %s", err, started)
	}
	if _, err := s.Get(t.Context(), "vm", "vm-3"); resource.CodeOf(err) != resource.CodeNotFound {
		t.Errorf("got %v, want not_found", err)
	}

	var entries []string
	for entry, err := range s.Catalog(t.Context(), "image", Query{"os": "ubuntu"}) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, string(entry))
	}
	if want := []string{`{"id":"img-1","name":"one"}`, `{"id":"img-2","name":"둘"}`}; !slices.Equal(entries, want) || filtered["os"] != "ubuntu" {
		t.Errorf("got %v with the filter %v", entries, filtered)
	}

	if err := s.Close(); err != nil || toy.closed.Load() != 1 {
		t.Errorf("got %v, closed %d times", err, toy.closed.Load())
	}
	if err := s.Close(); err != nil || toy.closed.Load() != 1 {
		t.Errorf("closing twice: got %v, closed %d times", err, toy.closed.Load())
	}
}

func TestUnknownSessionIsTold(t *testing.T) {
	client, _ := over(t, (&toy{list: listOf(1, nil)}).driver())
	s := connect(t, client)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"get":     second(s.Get(t.Context(), "vpc", "x")),
		"create":  third(s.Create(t.Context(), "vpc", ItemRequest{})),
		"check":   s.Check(t.Context(), "vpc", ItemRequest{}),
		"delete":  second(s.Delete(t.Context(), "vpc", "x")),
		"act":     second(s.Act(t.Context(), "vm", "x", "start", nil)),
		"list":    last(s.List(t.Context(), "vpc", Filter{})),
		"catalog": last(s.Catalog(t.Context(), "image", nil)),
	} {
		if !errors.Is(err, ErrUnknownSession) || resource.CodeOf(err) != resource.CodeUnavailable || !resource.AsError(err).Retryable {
			t.Errorf("%s: got %v, want ErrUnknownSession", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

func TestListIsStreamedInBatches(t *testing.T) {
	toy := &toy{list: listOf(500, nil)}
	sent := 0
	var flushed []int
	err := send(erased(toy.list(t.Context())), func(i Item) ([]byte, error) { sent++; return encode(i) }, func(batch [][]byte) error {
		flushed = append(flushed, len(batch))
		return nil
	})
	if err != nil || sent != 500 || !slices.Equal(flushed, []int{200, 200, 100}) {
		t.Errorf("got %v, %d objects in %v", err, sent, flushed)
	}

	flushed = nil
	big := func(yield func(int, error) bool) {
		for i := range 5 {
			if !yield(i, nil) {
				return
			}
		}
	}
	err = send(big, func(int) ([]byte, error) { return make([]byte, batchBytes/2), nil }, func(batch [][]byte) error {
		flushed = append(flushed, len(batch))
		return nil
	})
	if err != nil || !slices.Equal(flushed, []int{2, 2, 1}) {
		t.Errorf("batches are not limited in bytes: %v, %v", flushed, err)
	}

	client, _ := over(t, toy.driver())
	s := connect(t, client)
	n := 0
	for item, err := range s.List(t.Context(), "vpc", Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("vpc-%d", n); item.ID != want {
			t.Fatalf("got %s, want %s", item.ID, want)
		}
		n++
	}
	if n != 500 {
		t.Errorf("got %d objects", n)
	}

	// An error in the middle comes as one, after what came before it.
	toy.list = listOf(500, resource.Errorf(resource.CodeThrottled, "slow down"))
	n, err = 0, nil
	for _, err = range s.List(t.Context(), "vpc", Filter{}) {
		if err != nil {
			break
		}
		n++
	}
	if resource.CodeOf(err) != resource.CodeThrottled || n > 500 {
		t.Errorf("got %d objects, then %v", n, err)
	}
}

func erased(objects iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error]) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for o, err := range objects {
			item, _ := eraser[resource.VPCSpec, resource.VPCStatus](true)(o)
			if !yield(item, err) {
				return
			}
		}
	}
}

func TestLeavingAListEndsIt(t *testing.T) {
	ended := make(chan struct{})
	toy := &toy{list: func(ctx context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
		return func(yield func(Object[resource.VPCSpec, resource.VPCStatus], error) bool) {
			defer close(ended)
			for i := 0; ctx.Err() == nil && yield(toyVPC(i), nil); i++ {
			}
		}
	}}
	client, _ := over(t, toy.driver())
	for _, err := range connect(t, client).List(t.Context(), "vpc", Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the driver goes on listing")
	}
}

func TestErrorsKeepWhatTheySay(t *testing.T) {
	for _, code := range resource.Codes() {
		want := resource.Errorf(code, "%s happened", code)
		want.Cloud = &resource.CloudError{Code: "Toy.Broken", Message: "it is broken", RequestID: "r-1"}
		want.Retryable = !want.Retryable // what the driver says counts, not the code's default
		client, _ := over(t, (&toy{
			start: func(context.Context, string) error { return fmt.Errorf("start: %w", want) },
			list:  listOf(0, want),
		}).driver())
		s := connect(t, client)
		for verb, err := range map[string]error{"start": second(s.Act(t.Context(), "vm", "x", "start", nil)), "list": last(s.List(t.Context(), "vpc", Filter{}))} {
			got := resource.AsError(err)
			message := want.Message
			if verb == "start" {
				message = "start: " + message
			}
			if got.Code != code || got.Retryable != want.Retryable || got.Message != message || !reflect.DeepEqual(got.Cloud, want.Cloud) {
				t.Errorf("%s %s: got %+v with %+v", verb, code, got, got.Cloud)
			}
		}
	}
}

func TestProblemsKeepTheirRules(t *testing.T) {
	problems := []resource.Problem{
		{Field: "spec.cidr", Message: "holds too many addresses", Rule: resource.RulePrefix, Limit: "10.0.0.0/16"},
		{Field: "spec.size", Message: "is not among what " + toySecret + " may have", Rule: resource.RuleEnum, Limit: "1, " + toySecret},
		{Field: "spec.color", Message: "is not to our taste"},
		{Field: "spec.taste", Message: "is sour", Rule: "sweetness", Limit: "sweet"}, // not one of the closed set
	}
	client, _ := over(t, (&toy{delete: func(context.Context, string) error { return resource.Invalid(problems...) }}).driver())
	got := resource.AsError(second(connect(t, client).Delete(t.Context(), "vpc", "x"))).Fields
	want := slices.Clone(problems)
	want[1].Message, want[1].Limit = "is not among what [secret] may have", "1, [secret]"
	want[3].Rule, want[3].Limit = "", ""
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestErrorsOfEverySort(t *testing.T) {
	var failure error
	toy := &toy{delete: func(context.Context, string) error { return failure }}
	client, _ := over(t, toy.driver())
	s := connect(t, client)
	for _, test := range []struct {
		name    string
		failure error
		code    resource.Code
		message string
	}{
		{"without a code", errors.New("boom"), resource.CodeInternal, "boom"},
		{"deadline", fmt.Errorf("ask: %w", context.DeadlineExceeded), resource.CodeUnavailable, "did not answer in time"},
		{"cancelled", context.Canceled, resource.CodeUnavailable, "cancelled"},
		{"not UTF-8", resource.Errorf(resource.CodeDenied, "no\xff\xfe"), resource.CodeDenied, "no�"},
		{"long", resource.Errorf(resource.CodeDenied, "%s", strings.Repeat("x", 100_000)), resource.CodeDenied, "xxx"},
		{"lines", resource.Errorf(resource.CodeDenied, "one\ntwo\x00"), resource.CodeDenied, "one\ntwo�"},
	} {
		failure = test.failure
		_, err := s.Delete(t.Context(), "vpc", "x")
		if resource.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: got %.200v (%s), want %s", test.name, err, resource.CodeOf(err), test.code)
		}
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	boom := func() { panic("boom, the password is " + toySecret) }
	toy := &toy{
		get: func(context.Context, string) (o Object[resource.VPCSpec, resource.VPCStatus], err error) {
			boom()
			return o, nil
		},
		list: func(context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
			return func(yield func(Object[resource.VPCSpec, resource.VPCStatus], error) bool) {
				yield(toyVPC(1), nil)
				boom()
			}
		},
		delete: func(context.Context, string) error { return nil },
	}
	client, log := over(t, toy.driver())
	s := connect(t, client)
	for verb, err := range map[string]error{"get": second(s.Get(t.Context(), "vpc", "x")), "list": last(s.List(t.Context(), "vpc", Filter{}))} {
		if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "panicked") || strings.Contains(err.Error(), toySecret) {
			t.Errorf("%s: got %v", verb, err)
		}
	}
	if _, err := s.Delete(t.Context(), "vpc", "x"); err != nil {
		t.Errorf("the next call: %v", err)
	}
	if text := log.String(); !strings.Contains(text, "boom") || !strings.Contains(text, "wire_test.go") || strings.Contains(text, toySecret) {
		t.Errorf("the log does not tell where, or tells too much: %s", text)
	}

	toy.connect = func(context.Context, Config) error { boom(); return nil }
	if _, err := client.Connect(t.Context(), toyConfig()); resource.CodeOf(err) != resource.CodeInternal {
		t.Errorf("got %v, want internal", err)
	}
}

type hidden struct{ Password string }

type lazy struct{}

func (lazy) LogValue() slog.Value {
	return slog.GroupValue(slog.String("password", toySecret), slog.Int("n", 5))
}

func TestNoSecretIsTold(t *testing.T) {
	const multiline = "-----BEGIN KEY-----\n\"quoted\" & more\n"
	config := toyConfig()
	config.Credential["password"] = multiline
	const told = "the password " + toySecret + " is wrong"
	var logger *slog.Logger
	toy := &toy{
		connect: func(_ context.Context, c Config) error {
			logger = c.Logger
			if c.Credential["password"] == strings.TrimSpace(multiline) {
				return resource.Errorf(resource.CodeUnauthenticated, "wrong: %s; %q", multiline, multiline)
			}
			return nil
		},
		delete: func(context.Context, string) error {
			e := resource.Errorf(resource.CodeDenied, "%w", errors.New(told))
			e.Cloud = &resource.CloudError{Code: toySecret, Message: told, RequestID: "r-1"}
			return fmt.Errorf("around: %w", e)
		},
		list:  listOf(1, errors.New(told)),
		close: func() error { return errors.New(told) },
	}
	client, log := over(t, toy.driver())
	s := connect(t, client)
	check := func(what, text string) {
		t.Helper()
		if strings.Contains(text, "hunter2") || strings.Contains(text, "and-more") || strings.Contains(text, "quoted") {
			t.Errorf("%s tells a secret: %s", what, text)
		}
		if !strings.Contains(text, "[secret]") {
			t.Errorf("%s does not say that something is left out: %s", what, text)
		}
	}
	_, err := s.Delete(t.Context(), "vpc", "x")
	raw, _ := json.Marshal(resource.AsError(err))
	check("delete", string(raw))
	check("list", last(s.List(t.Context(), "vpc", Filter{})).Error())

	logger.With("with", told).WithGroup("group").Warn(told,
		"error", errors.New(told), "struct", hidden{toySecret}, "pointer", &hidden{toySecret}, "lazy", lazy{},
		slog.Group("inner", "deep", told), "bytes", []byte(toySecret), "map", map[string]string{"k": toySecret})
	logger.Info("short hunter2") // a secret that another begins with
	check("the log", log.String())

	logger.Info("types stay", "n", 42, "yes", true, "took", time.Second)
	if text := log.String(); !strings.Contains(text, `"n":42,"yes":true,"took":1000000000`) || !strings.Contains(text, `"lazy":{"password":"[secret]","n":5}`) {
		t.Errorf("the log loses types: %s", text)
	}

	check("close", s.Close().Error())
	_, err = client.Connect(t.Context(), config)
	check("connect", err.Error())
}

func TestTimeoutIsTheDrivers(t *testing.T) {
	released := make(chan struct{})
	defer close(released)
	toy := &toy{
		get: func(ctx context.Context, id string) (o Object[resource.VPCSpec, resource.VPCStatus], err error) {
			if id == "stuck" {
				<-released
			}
			<-ctx.Done()
			return o, ctx.Err()
		},
		list: func(ctx context.Context) iter.Seq2[Object[resource.VPCSpec, resource.VPCStatus], error] {
			return func(yield func(Object[resource.VPCSpec, resource.VPCStatus], error) bool) {
				<-ctx.Done()
				yield(Object[resource.VPCSpec, resource.VPCStatus]{}, ctx.Err())
			}
		},
	}
	client, _ := over(t, toy.driver())
	s := connect(t, client)
	ctx := WithTimeout(t.Context(), 20*time.Millisecond)
	for verb, err := range map[string]error{"get": second(s.Get(ctx, "vpc", "x")), "list": last(s.List(ctx, "vpc", Filter{}))} {
		if resource.CodeOf(err) != resource.CodeUnavailable || !strings.Contains(err.Error(), "the cloud did not answer in time") || !resource.AsError(err).Retryable {
			t.Errorf("%s: got %v, want unavailable from the driver", verb, err)
		}
	}

	// The caller's own deadline tells a driver that does not keep the other one.
	stuck, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Get(stuck, "vpc", "stuck")
	if resource.CodeOf(err) != resource.CodeUnavailable || !strings.Contains(err.Error(), "the driver did not answer in time") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want unavailable from the caller's side", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(gone, "vpc", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want cancelled", err)
	}
}

func TestServeForPeople(t *testing.T) {
	d := (&toy{}).driver()
	run := func(args ...string) (string, error) {
		var out, log bytes.Buffer
		err := serve(d, args, strings.NewReader(""), &out, &log)
		return out.String() + log.String(), err
	}
	out, err := run("describe")
	var described Description
	if err != nil || json.Unmarshal([]byte(out), &described) != nil || described.Name != "toy" || !described.Offers("vpc", "create") {
		t.Errorf("describe: got %s, %v", out, err)
	}
	if out, err := run("doc"); err != nil || !strings.HasPrefix(out, "# Toy (`toy`)") {
		t.Errorf("doc: got %s, %v", out, err)
	}
	if out, err := run("conformance"); err != nil || !strings.Contains(out, "carries no report") {
		t.Errorf("conformance: got %s, %v", out, err)
	}
	d.description.Tested = ReadReports([]byte(`{"cloud":"toy","against":"a box","type":"simulator","checks":{"vpc/create/life":"passed"}}`))
	if out, err := run("conformance"); err != nil || !strings.Contains(out, "Against a box (simulator)") || !strings.Contains(out, "| `vpc` | create | 1 |") {
		t.Errorf("conformance: got %s, %v", out, err)
	}
	for _, args := range [][]string{{}, {"help"}, {"describe", "x"}} {
		if out, err := run(args...); err == nil || out != "" || !strings.Contains(err.Error(), "toy 1.2.3") || !strings.Contains(err.Error(), "describe, doc") {
			t.Errorf("%q: got %s, %v; want an error that says how it is meant", args, out, err)
		}
	}
}

func TestTheShorterTimeoutCounts(t *testing.T) {
	for _, test := range []struct{ first, second, want time.Duration }{
		{time.Minute, time.Second, time.Second}, {time.Second, time.Minute, time.Second}, {time.Second, 0, time.Millisecond},
	} {
		md, _ := metadata.FromOutgoingContext(WithTimeout(WithTimeout(t.Context(), test.first), test.second))
		if got, ok := timeoutIn(md); !ok || got != test.want {
			t.Errorf("%s, then %s: got %s, want %s", test.first, test.second, got, test.want)
		}
		if n := len(md.Get(timeoutKey)); n != 1 {
			t.Errorf("%d timeouts are sent", n)
		}
	}
}
