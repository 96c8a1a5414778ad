package v1_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// object is the path of an object.
func object(key string) string {
	return "/v1/connections/mock/buckets/b/object?key=" + url.QueryEscape(key)
}

// content makes a request for data.
func (a *routes) content(method, path, body string, header ...string) answer {
	a.t.Helper()
	r := a.request(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return a.exchange(r)
}

func (a *routes) listed(query string) []string {
	a.t.Helper()
	got := a.get("/v1/connections/mock/buckets/b/objects" + query)
	require.Equal(a.t, http.StatusOK, got.status, string(got.body))
	assert.Equal(a.t, "no-store", got.header.Get("Cache-Control"))
	keys := []string{}
	for _, o := range into[resource.ObjectPage](a.t, got).Objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func TestObjects(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.MustCreate("mock", "bucket", "b", `{}`)
	odd := []string{"../../etc/passwd", "//", "a b+c&d=e;f%2F", strings.Repeat("k", 1024), "여름/😀"}
	for i, key := range odd {
		got := a.content(http.MethodPut, object(key), fmt.Sprint("data ", i), "Content-Type", "text/html", "Mcic-Meta-Colour", "blue")
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		assert.NotEmpty(t, got.header.Get("ETag"))
	}
	for i, key := range odd {
		got := a.content(http.MethodGet, object(key), "")
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		assert.Equal(t, fmt.Sprint("data ", i), string(got.body))
		for name, want := range map[string]string{
			"Content-Type": "text/html", "Cache-Control": "no-store", "Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox", "Mcic-Meta-Colour": "blue",
		} {
			assert.Equal(t, want, got.header.Get(name), name)
		}
	}
	assert.ElementsMatch(t, odd, a.listed(""))
	assert.Equal(t, odd[:1], a.listed("?prefix=../"))
	assert.Len(t, a.listed("?pageSize=2"), 2)

	got := a.content(http.MethodGet, object("//"), "", "Range", "bytes=1-2")
	assert.Equal(t, http.StatusPartialContent, got.status)
	assert.Equal(t, "at", string(got.body))
	assert.Equal(t, "bytes 1-2/6", got.header.Get("Content-Range"))
	got = a.content(http.MethodGet, object("//"), "", "Range", "bytes=1-2", "If-Range", `"another"`)
	assert.Equal(t, http.StatusOK, got.status)
	assert.Equal(t, "data 1", string(got.body))
	head := a.content(http.MethodHead, object("//"), "")
	assert.Equal(t, http.StatusOK, head.status)
	assert.Equal(t, "6", head.header.Get("Content-Length"))
	assert.Empty(t, head.body)
	assert.Equal(t, http.StatusNotModified, a.content(http.MethodGet, object("//"), "", "If-None-Match", head.header.Get("ETag")).status)
	assert.Equal(t, resource.CodeInvalid, isProblem(t, http.StatusRequestedRangeNotSatisfiable, a.content(http.MethodGet, object("//"), "", "Range", "bytes=9-")).Code)
	assert.Equal(t, resource.CodeConflict, isProblem(t, http.StatusPreconditionFailed, a.content(http.MethodPut, object("//"), "x", "If-None-Match", "*")).Code)
	assert.Equal(t, resource.CodeNotFound, isProblem(t, http.StatusNotFound, a.content(http.MethodGet, object("nothing"), "")).Code)

	r := a.request(http.MethodPut, object("twice"), strings.NewReader("x"))
	r.Header["Mcic-Meta-Colour"] = []string{"blue", "red"}
	require.Equal(t, http.StatusOK, a.exchange(r).status)
	assert.Equal(t, "blue, red", a.content(http.MethodGet, object("twice"), "").header.Get("Mcic-Meta-Colour"))

	got = a.post("/v1/connections/mock/buckets/b/object:copy?key=%2F%2F", `{"toKey":"copy"}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	assert.Equal(t, "data 1", string(a.content(http.MethodGet, object("copy"), "").body))
	assert.Equal(t, "key", isProblem(t, 422, a.post("/v1/connections/mock/buckets/b/object:copy?key=x", `{"key":"y","toKey":"copy"}`)).Fields[0].Field)
	for range 2 { // the second time it is not there
		got = a.content(http.MethodDelete, object("copy"), "")
		require.Equal(t, http.StatusOK, got.status, string(got.body))
	}
	assert.NotContains(t, a.listed(""), "copy")

	for path, field := range map[string]string{
		object(strings.Repeat("k", 1025)): "key", object(""): "key", object("x") + "&version=" + strings.Repeat("v", 1025): "version",
	} {
		assert.Equal(t, field, isProblem(t, 422, a.content(http.MethodGet, path, "")).Fields[0].Field)
	}
	isProblem(t, 400, a.content(http.MethodGet, object("a\x00b"), ""))
	isProblem(t, 404, a.content(http.MethodGet, "/v1/connections/mock/buckets/nothing/object?key=x", ""))
	assert.Equal(t, 401, a.exchange(func() *http.Request {
		r := a.request(http.MethodGet, object("//"), nil)
		r.Header.Del("Authorization")
		return r
	}()).status)

	done, _, err := a.Trail.List(t.Context(), store.Query{Limit: 100})
	require.NoError(t, err)
	var details []string
	for _, entry := range done {
		if entry.Kind == "bucket" && entry.Verb == "call" {
			details = append(details, entry.Detail)
		}
	}
	assert.Contains(t, details, "put ../../etc/passwd")
	assert.Contains(t, details, "copyobject // to copy")
	assert.Contains(t, details, "deleteobjects copy")
	assert.NotContains(t, strings.Join(details, " "), "get")
}

// Data go as they come: they are not compressed, have no other ETag than the cloud's, and no
// second answer comes from memory. Nor do lists of them.
func TestDataAreNotRepresented(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.MustCreate("mock", "bucket", "b", `{}`)
	for _, data := range []string{`"` + strings.Repeat("secret ", 1000) + `"`, `"` + strings.Repeat("other ", 1000) + `"`} {
		put := a.content(http.MethodPut, object("x"), data, "Content-Type", "application/json")
		require.Equal(t, http.StatusOK, put.status, string(put.body))
		got := a.content(http.MethodGet, object("x"), "", "Accept-Encoding", "zstd, gzip")
		assert.Equal(t, data, string(got.body))
		assert.Equal(t, put.header.Get("ETag"), got.header.Get("ETag"))
		assert.Equal(t, "application/json", got.header.Get("Content-Type"))
		assert.Equal(t, strconv.Itoa(len(data)), got.header.Get("Content-Length"))
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		assert.Empty(t, got.header.Get("Content-Encoding")+got.header.Get("Vary"))
	}
	for i := range 2 {
		for j := range 10 {
			require.Equal(t, http.StatusOK, a.content(http.MethodPut, object(fmt.Sprint(i, j, strings.Repeat("k", 200))), "x").status)
		}
		got := a.content(http.MethodGet, "/v1/connections/mock/buckets/b/objects", "", "Accept-Encoding", "zstd, gzip")
		assert.Len(t, into[resource.ObjectPage](t, got).Objects, 1+10*(i+1), "as the cloud has them now")
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		assert.Empty(t, got.header.Get("Content-Encoding")+got.header.Get("ETag"))
	}
}

func TestLinks(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.MustCreate("mock", "bucket", "b", `{}`)
	link := func(body string) resource.SignedRequest {
		got := a.post("/v1/connections/mock/buckets/b/object:sign?key=a%2F..%2Fb", body)
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		return into[resource.SignedRequest](t, got)
	}
	send := func(s resource.SignedRequest, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), s.Method, s.URL, strings.NewReader(body))
		require.NoError(t, err)
		response, err := a.client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		raw, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(raw)
	}
	status, _ := send(link(`{"do":"put"}`), "hello")
	assert.Equal(t, http.StatusOK, status)
	s := link(`{"do":"get","expiresSeconds":60,"link":false}`)
	assert.Empty(t, s.Headers, "a link has what it needs, whatever is asked for")
	status, body := send(s, "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "hello", body)
	s.URL = strings.Replace(s.URL, "/b?", "/c?", 1)
	status, _ = send(s, "")
	assert.Equal(t, http.StatusForbidden, status)
	for body, field := range map[string]string{`{"do":"delete"}`: "do", `{"do":"get","expiresSeconds":604801}`: "expiresSeconds", `{}`: "do"} {
		assert.Equal(t, field, isProblem(t, 422, a.post("/v1/connections/mock/buckets/b/object:sign?key=x", body)).Fields[0].Field)
	}
}

// endless is data of which only the length is known.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	e.left -= n
	return int(n), nil
}

// TestDataIsNotBuffered: what is larger than any other body passes, and what is cut leaves
// nothing.
func TestDataIsNotBuffered(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.MustCreate("mock", "bucket", "b", `{}`)
	const size = 32 << 20
	r := a.request(http.MethodPut, object("large"), &endless{size})
	r.ContentLength = size
	require.Equal(t, http.StatusOK, a.exchange(r).status)
	got := a.content(http.MethodGet, object("large"), "")
	assert.True(t, bytes.Equal(make([]byte, size), got.body))

	cut := a.request(http.MethodPut, object("cut"), io.MultiReader(&endless{1 << 20}, failing{}))
	cut.ContentLength = 2 << 20
	_, err := a.client.Do(cut) //nolint:bodyclose // there is none
	require.Error(t, err)
	assert.Equal(t, []string{"large"}, a.listed(""))
	assert.Equal(t, http.StatusLengthRequired, a.exchange(func() *http.Request {
		r := a.request(http.MethodPut, object("unknown"), &endless{10})
		r.ContentLength = -1
		return r
	}()).status)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMessages(t *testing.T) {
	a := start(t, enginetest.Options{})
	a.MustCreate("mock", "queue", "q", `{"maxMessageBytes":1024}`)
	const messages = "/v1/connections/mock/queues/q/messages"
	got := a.post(messages, `{"messages":[{"body":"one","attributes":{"a":"b"}},{"body":"`+strings.Repeat("x", 1025)+`"},{"body":"two"}]}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	sent := into[resource.SentMessages](t, got)
	assert.NotEmpty(t, sent.Messages[0].ID)
	assert.Equal(t, resource.CodeInvalid, sent.Messages[1].Error.Code)
	assert.NotEmpty(t, sent.Messages[2].ID)

	for _, method := range []string{http.MethodHead, http.MethodPut} {
		got := a.content(method, messages+"?max=10&visibilitySeconds=600", "")
		assert.Equal(t, http.StatusMethodNotAllowed, got.status, "HEAD would hide them")
		assert.Equal(t, []string{http.MethodGet, http.MethodPost}, got.header.Values("Allow"), method)
	}
	got = a.get(messages + "?max=10&visibilitySeconds=600")
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
	received := into[resource.Messages](t, got).Messages
	require.Len(t, received, 2)
	assert.Equal(t, map[string]string{"a": "b"}, received[0].Attributes)
	assert.Empty(t, into[resource.Messages](t, a.get(messages)).Messages, "somebody has them")

	receipts, err := json.Marshal([]resource.Receipt{received[1].Receipt, "no/receipt+="})
	require.NoError(t, err)
	got = a.post(messages+":setvisibility", `{"receipts":`+string(receipts)+`,"visibilitySeconds":0}`)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	handled := into[resource.HandledMessages](t, got).Messages
	assert.Nil(t, handled[0].Error)
	assert.NotNil(t, handled[1].Error)
	again := into[resource.Messages](t, a.get(messages)).Messages
	require.Len(t, again, 1)
	assert.Equal(t, "two", again[0].Body)
	assert.Equal(t, 2, again[0].Receives)

	for _, m := range []resource.Message{received[0], again[0]} {
		text, err := m.Receipt.MarshalText()
		require.NoError(t, err)
		for range 2 {
			got := a.content(http.MethodDelete, messages+"/"+string(text), "")
			require.Equal(t, http.StatusOK, got.status, string(got.body))
		}
	}
	require.NoError(t, a.Refresh(t.Context(), "mock", "queue", 0))
	queue, err := a.Get(t.Context(), "mock", "queue", "q")
	require.NoError(t, err)
	assert.Contains(t, string(queue.Status), `"messages":0`)
	assert.Equal(t, "receipt", isProblem(t, 422, a.content(http.MethodDelete, messages+"/not+base64", "")).Fields[0].Field)
	for query, field := range map[string]string{"?max=101": "max", "?max=x": "max", "?wait=1": "wait"} {
		assert.Equal(t, field, isProblem(t, 422, a.get(messages+query)).Fields[0].Field)
	}
	done, _, err := a.Trail.List(t.Context(), store.Query{Limit: 100})
	require.NoError(t, err)
	raw, err := json.Marshal(done)
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"send"`)
	assert.NotContains(t, string(raw), `"one"`, "what was sent is recorded nowhere")
}
