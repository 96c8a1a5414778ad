package driver

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	driverv1 "github.com/m-cmp/mc-infra-connector/proto/driver/v1"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// signingLiar answers requests and data calls as no driver should.
type signingLiar struct{ liar }

func (l signingLiar) Connect(context.Context, *driverv1.ConnectRequest) (*driverv1.ConnectResponse, error) {
	return &driverv1.ConnectResponse{Session: "s", Reach: &driverv1.Reach{Hosts: []string{"*.cloud.example.com", "cloud.example.com", "127.0.0.1:*", "[::1]:*", "Store.example.com:8443"}}}, nil
}

func (l signingLiar) Sign(context.Context, *driverv1.SignRequest) (*driverv1.SignResponse, error) {
	return &driverv1.SignResponse{Signed: l.answer}, l.err
}

func (l signingLiar) View(context.Context, *driverv1.ViewRequest) (*driverv1.ViewResponse, error) {
	return &driverv1.ViewResponse{Answer: l.answer}, l.err
}

func (l signingLiar) Data(context.Context, *driverv1.DataRequest) (*driverv1.DataResponse, error) {
	return &driverv1.DataResponse{Answer: l.answer}, l.err
}

// TestSignedRequestsGoNowhereElse: a request that a name has led astray, or that would not
// be sent as it is, is not sent.
func TestSignedRequestsGoNowhereElse(t *testing.T) {
	sign := func(link bool, method, url string, headers map[string]string) error {
		raw, err := json.Marshal(resource.SignedRequest{Method: method, URL: url, Headers: headers, ExpiresAt: time.Now().Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = connect(t, dial(t, signingLiar{liar{answer: raw}})).Sign(t.Context(), "bucket", "b", resource.SignRequest{Do: resource.SignGet, Key: "k", Link: link, ExpiresSeconds: 60})
		return err
	}
	for _, url := range []string{
		"https://cloud.example.com/b/k", "https://b.cloud.example.com/../k//x?sig=%2F", "http://127.0.0.1:4711/b/k", "http://127.0.0.1/b",
		"http://[::1]:4711/b/k", "https://cloud.example.com:443/k", "https://Cloud.example.com/k", "https://store.example.com:8443/k",
	} {
		if err := sign(true, "GET", url, map[string]string{"x-more": "1"}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if err := sign(false, "GET", "https://cloud.example.com/", map[string]string{"Authorization": "token"}); err != nil {
		t.Errorf("what the server sends itself may have a token: %v", err)
	}
	for name, err := range map[string]error{
		"another host":            sign(false, "GET", "https://evil.example.com/b/k?sig=very-secret", nil),
		"a bucket that is a host": sign(false, "GET", "https://evil.example.org/.cloud.example.com/k", nil),
		"a suffix":                sign(false, "GET", "https://evilcloud.example.com/k", nil),
		"only the suffix":         sign(false, "GET", "https://.cloud.example.com/k", nil),
		"another port":            sign(false, "GET", "https://cloud.example.com:22/k", nil),
		"the port of another":     sign(false, "GET", "https://store.example.com/k", nil),
		"the port of http":        sign(false, "GET", "https://cloud.example.com:80/k", nil),
		"a user":                  sign(false, "GET", "https://cloud.example.com:x@evil.example.com/k", nil),
		"a user of the host":      sign(false, "GET", "https://key:very-secret@cloud.example.com/k", nil),
		"a fragment":              sign(false, "GET", "https://cloud.example.com/k#x", nil),
		"no scheme":               sign(false, "GET", "cloud.example.com/k", nil),
		"another scheme":          sign(false, "GET", "file://cloud.example.com/k", nil),
		"not as it is sent":       sign(false, "GET", "https://cloud.example.com/a b", nil),
		"another method":          sign(false, "DELETE", "https://cloud.example.com/k", nil),
		"a line break":            sign(false, "GET", "https://cloud.example.com/k", map[string]string{"x": "a\r\nb: very-secret"}),
		"another host's name":     sign(false, "GET", "https://cloud.example.com/k", map[string]string{"host": "evil.example.com"}),
		"another length":          sign(false, "GET", "https://cloud.example.com/k", map[string]string{"Content-Length": "0"}),
		"a link with a token":     sign(true, "GET", "https://cloud.example.com/k", map[string]string{"authorization": "very-secret"}),
		"a link with another one": sign(true, "GET", "https://cloud.example.com/k", map[string]string{"x-auth-token": "very-secret"}),
	} {
		if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "defect of the driver") || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestLinksEndInTime: a link is good for no longer than asked for, and what a user calls
// metadata is no token.
func TestLinksEndInTime(t *testing.T) {
	reach := Reach{Hosts: []string{"cloud.example.com"}}
	r := resource.SignRequest{Do: resource.SignPut, Key: "k", Link: true, ExpiresSeconds: 60}
	link := resource.SignedRequest{
		Method: "PUT", URL: "https://cloud.example.com/k", Headers: map[string]string{"X-Meta-Token": "blue"}, MetadataPrefix: "x-meta-", ExpiresAt: time.Now().Add(time.Minute),
	}
	if err := checkSigned(r, link, reach); err != nil {
		t.Error(err)
	}
	link.ExpiresAt = time.Now().Add(time.Hour)
	if err := checkSigned(r, link, reach); err == nil {
		t.Error("a link that is good for longer than asked for is given away")
	}
	r.Link = false
	if err := checkSigned(r, link, reach); err != nil {
		t.Errorf("nobody sees it: %v", err)
	}
}

// TestHeadersComeBack: what is kept with an object is the same on both sides of HTTP.
func TestHeadersComeBack(t *testing.T) {
	kept := resource.ObjectHeaders{
		ContentType: "text/plain", ContentEncoding: "gzip", ContentLanguage: "ko", ContentDisposition: "inline", CacheControl: "no-store",
		Metadata: map[string]string{"made-by": "us", "empty": ""},
	}
	headers := http.Header{"Etag": {"x"}}
	for name, value := range HTTPHeaders(kept, "x-meta-") {
		headers.Set(name, value)
	}
	if len(headers) != 7 || headers.Get("X-Meta-Made-By") != "us" {
		t.Errorf("they are %v", headers)
	}
	headers.Add("X-Meta-Made-By", "and them")
	kept.Metadata = map[string]string{"made-by": "us, and them"}
	if back := ObjectHeaders(headers, "x-meta-"); !reflect.DeepEqual(back, kept) {
		t.Errorf("%+v comes back as %+v", kept, back)
	}
}

func TestNonsenseOfDataCallsIsRefused(t *testing.T) {
	for _, answer := range []string{``, `null`, `[]`, `{"messages":{}}`, `{"messages":[{"error":{"code":"teapot","message":"short"}}]}`, `{}`, `{"messages":null}`, `{"messages":[]}`, `{"messages":[{"id":"1"},{"id":"2"}]}`} {
		_, err := connect(t, dial(t, signingLiar{liar{answer: []byte(answer)}})).Data(t.Context(), "queue", "q", "send", json.RawMessage(`{"messages":[{"body":"x"}]}`))
		if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "defect of the driver") {
			t.Errorf("%s: got %v", answer, err)
		}
	}
}

// TestEmptyListsAreThere: a driver may leave them out, and users are told that they are there.
func TestEmptyListsAreThere(t *testing.T) {
	for _, answer := range []string{`{}`, `{"messages":null,"more":1}`} {
		raw, err := connect(t, dial(t, signingLiar{liar{answer: []byte(answer)}})).Data(t.Context(), "queue", "q", "receive", json.RawMessage(`{}`))
		if err != nil || string(raw) != `{"messages":[]}` {
			t.Errorf("%s: got %s, %v", answer, raw, err)
		}
	}
	for _, answer := range []string{`{}`, `{"members":null}`} {
		raw, err := connect(t, dial(t, signingLiar{liar{answer: []byte(answer)}})).View(t.Context(), "nlb", "n", "health", nil)
		if err != nil || string(raw) != `{"members":[]}` {
			t.Errorf("%s: got %s, %v", answer, raw, err)
		}
	}
}

func TestNonsenseOfViewsIsRefused(t *testing.T) {
	for _, answer := range []string{``, `null`, `[]`, `{"members":{}}`} {
		_, err := connect(t, dial(t, signingLiar{liar{answer: []byte(answer)}})).View(t.Context(), "nlb", "n", "health", nil)
		if resource.CodeOf(err) != resource.CodeInternal || !strings.Contains(err.Error(), "defect of the driver") {
			t.Errorf("%s: got %v", answer, err)
		}
	}
}

// mailbox is a driver's collection of queues, as far as it is tried here.
type mailbox struct {
	Collection[resource.QueueSpec, resource.QueueStatus]
}

func (mailbox) Send(_ context.Context, _ string, m resource.NewMessages) (sent resource.SentMessages, err error) {
	for _, one := range m.Messages {
		sent.Messages = append(sent.Messages, resource.SentMessage{Error: resource.Errorf(resource.CodeInvalid, "with %s: %s", toySecret, one.Body)})
	}
	return sent, nil
}

// TestErrorsOfMembersTellNoSecret: what fails of a data call loses what is secret, as all
// that a driver says.
func TestErrorsOfMembersTellNoSecret(t *testing.T) {
	secret := []Field{{Name: "secret", Title: "Secret", Doc: "Only they know it.", Type: TypeString, Secret: true}}
	d := New(About{Name: "toy", Credential: secret}, func(context.Context, Config) (struct{}, error) { return struct{}{}, nil },
		Kind(resource.Queue, func(struct{}) interface {
			Collection[resource.QueueSpec, resource.QueueStatus]
			resource.Sender
		} {
			return mailbox{}
		}))
	client, end, err := Pipe(d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	s, err := client.Connect(t.Context(), Config{Credential: Values{"secret": toySecret}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Data(t.Context(), "queue", "q", "send", json.RawMessage(`{"messages":[{"body":"x"}]}`))
	if err != nil || strings.Contains(string(raw), toySecret) || !strings.Contains(string(raw), "with [secret]: x") {
		t.Errorf("got %s, %v", raw, err)
	}
	for call, params := range map[string]string{"send": `{"messages":[]}`, "receive": `{}`} {
		want := map[string]resource.Code{"send": resource.CodeInvalid, "receive": resource.CodeUnsupported}[call]
		if _, err := s.Data(t.Context(), "queue", "q", call, json.RawMessage(params)); resource.CodeOf(err) != want {
			t.Errorf("%s: got %v, want %s", call, err, want)
		}
	}
	if _, err := s.Sign(t.Context(), "queue", "q", resource.SignRequest{Do: resource.SignGet, Key: "k"}); resource.CodeOf(err) != resource.CodeUnsupported {
		t.Errorf("sign: got %v", err)
	}
}

func TestSigningNeedsReach(t *testing.T) {
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "Reach") {
			t.Errorf("it says %q", said)
		}
	}()
	New(About{Name: "toy"}, func(context.Context, Config) (struct{}, error) { return struct{}{}, nil },
		Kind(resource.Bucket, func(struct{}) interface {
			Collection[resource.BucketSpec, resource.BucketStatus]
			resource.ObjectSigner
		} {
			return nil
		}))
}
