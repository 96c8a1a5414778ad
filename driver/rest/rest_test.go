package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/rest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const secret = "secret-of-the-test"

// cloud serves JSON at an address.
func cloud(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func client(t *testing.T, api rest.API) *rest.Client {
	t.Helper()
	api.Title = "The Cloud"
	c, err := rest.New(api, driver.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

type fields = map[string]any

func TestCallIsSignedAsItIsSent(t *testing.T) {
	base := cloud(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "/v1/things/a b", r.URL.Path)
		assert.Equal(t, "POST x=1 2 "+string(body), r.Header.Get("Signature"))
		assert.Equal(t, "once-1", r.Header.Get("Idempotency-Key"))
		assert.Equal(t, "mc-infra-connector", r.Header.Get("User-Agent"))
		assert.Equal(t, "3", r.Header.Get("X-Version"))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		fmt.Fprintf(w, `{"got": %s}`, body)
	})
	c := client(t, rest.API{Base: "http://elsewhere.invalid", OnceHeader: "Idempotency-Key", Sign: func(r *http.Request, body []byte, _ string) error {
		r.Header.Set("Signature", r.Method+" "+strings.ReplaceAll(r.URL.RawQuery, "+", " ")+" "+string(body))
		return nil
	}}).At(base + "/v1/")
	var out struct{ Got fields }
	call := rest.Call{Method: http.MethodPost, Path: "/things/" + url.PathEscape("a b"), Query: url.Values{"x": {"1 2"}}, Body: fields{"name": "n"}, Once: "once-1", Header: http.Header{"X-Version": {"3"}, "User-Agent": {"me"}}}
	require.NoError(t, c.Do(t.Context(), call, &out))
	assert.Equal(t, fields{"name": "n"}, out.Got)
}

func TestForms(t *testing.T) {
	c := client(t, rest.API{Base: cloud(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "a b", r.PostFormValue("name"))
		w.WriteHeader(http.StatusNoContent)
	})})
	out := fields{"left": "as it is"}
	require.NoError(t, c.Do(t.Context(), rest.Call{Method: http.MethodPost, Path: "things", Body: url.Values{"name": {"a b"}}}, &out))
	assert.Equal(t, fields{"left": "as it is"}, out)
}

// What the cloud refuses has the code that its table says, and no secret in it.
func TestRefusals(t *testing.T) {
	api := rest.API{
		Sign: func(r *http.Request, _ []byte, _ string) error {
			r.URL.RawQuery = "signature=" + secret
			r.Header.Set("Authorization", secret)
			return nil
		},
		Fault: func(_ int, header http.Header, body []byte) resource.CloudError {
			var said struct{ Code, Message string }
			_ = json.Unmarshal(body, &said) // some say nothing
			return resource.CloudError{Code: said.Code, Message: said.Message, RequestID: header.Get("X-Request-Id")}
		},
		Meanings: driver.Meanings{
			{Code: resource.CodeNotFound, Status: 404},
			{Code: resource.CodeDependency, Of: []string{"InUse"}, Advice: "delete first what uses it"},
			{Wait: time.Second, Status: 409, Says: []string{"still"}},
		},
	}
	for name, test := range map[string]struct {
		status    int
		media     string
		body      string
		code      resource.Code
		says      string
		retryable bool
	}{
		"the table":         {404, "application/json", `{"code": "NoSuchThing", "message": "No thing."}`, resource.CodeNotFound, "The Cloud: GET /things: No thing", false},
		"with advice":       {409, "application/json", `{"code": "InUse", "message": "In use."}`, resource.CodeDependency, "; delete first what uses it", false},
		"the status":        {403, "application/json", `{}`, resource.CodeDenied, "Forbidden", false},
		"throttled":         {429, "application/json", `{}`, resource.CodeThrottled, "Too Many Requests", true},
		"down":              {503, "application/json", ``, resource.CodeUnavailable, "Service Unavailable", true},
		"a portal":          {200, "text/html", `<html>please log in</html>`, resource.CodeUnavailable, `"text/html"`, true},
		"a portal says 404": {404, "text/html", `<html>`, resource.CodeUnavailable, `"text/html"`, true},
		"a redirect":        {302, "application/json", `{}`, resource.CodeUnavailable, "HTTP status 302", true},
		"no JSON":           {200, "application/json", `<html>`, resource.CodeUnavailable, "check the connection's endpoint", true},
		"another shape":     {200, "application/json", `[]`, resource.CodeUnavailable, "check the connection's endpoint", true},
		"half of it":        {-1, "application/json", `{"name": `, resource.CodeUnavailable, "in the middle of the answer", true},
		"too much":          {200, "application/json", `"` + strings.Repeat("x", 2000) + `"`, resource.CodeUnavailable, "more than 1000 bytes", false},
	} {
		t.Run(name, func(t *testing.T) {
			api := api
			api.MaxAnswer = 1000
			api.Base = cloud(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.media)
				w.Header().Set("X-Request-Id", "req-1")
				if test.status < 0 {
					w.Header().Set("Content-Length", "100")
					fmt.Fprint(w, test.body)
					return
				}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			var out struct{ Name string }
			err := resource.AsError(client(t, api).Do(t.Context(), rest.Call{Path: "/things"}, &out))
			require.Error(t, err)
			assert.Equal(t, test.code, err.Code, err.Message)
			assert.Contains(t, err.Message, test.says)
			assert.Equal(t, test.retryable, err.Retryable)
			assert.NotContains(t, err.Error(), secret)
			if test.status == 404 && test.code == resource.CodeNotFound {
				assert.Equal(t, &resource.CloudError{Code: "NoSuchThing", Message: "No thing.", RequestID: "req-1"}, err.Cloud)
			}
		})
	}
	api.Base = cloud(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"message": "It is still being made."}`)
	})
	assert.ErrorContains(t, client(t, api).Do(t.Context(), rest.Call{Path: "/things"}, nil), "pending: ")
	api.Base = "http://127.0.0.1:1"
	err := resource.AsError(client(t, api).Do(t.Context(), rest.Call{Path: "/things"}, nil))
	assert.Equal(t, resource.CodeUnavailable, err.Code)
	assert.NotContains(t, err.Error(), secret)
}

func TestCallsEndWithTheirContext(t *testing.T) {
	arrived := make(chan struct{})
	base := cloud(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	err := client(t, rest.API{Base: base}).Do(ctx, rest.Call{}, nil)
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorIs(t, err, context.Canceled)
}

// tokens is a cloud whose calls need the newest token of many.
func tokens(t *testing.T, until time.Time) (api rest.API, logins, served *atomic.Int64) {
	t.Helper()
	logins, served = &atomic.Int64{}, &atomic.Int64{}
	api = rest.API{
		Base: cloud(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				assert.Empty(t, r.Header.Get("X-Auth-Token"))
				fmt.Fprintf(w, `{"token": "token-%d"}`, logins.Add(1))
				return
			}
			if r.Header.Get("X-Auth-Token") != fmt.Sprintf("token-%d", logins.Load()) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			served.Add(1)
		}),
		Sign: func(r *http.Request, _ []byte, token string) error {
			r.Header.Set("X-Auth-Token", token)
			return nil
		},
		Login: func(ctx context.Context, unsigned *rest.Client) (rest.Token, error) {
			var out struct{ Token string }
			err := unsigned.Do(ctx, rest.Call{Method: http.MethodPost, Path: "/token"}, &out)
			return rest.Token{Value: out.Token, Until: until}, err
		},
	}
	return api, logins, served
}

func TestTokenIsUsedForAsLongAsItIsGood(t *testing.T) {
	api, logins, served := tokens(t, time.Time{})
	c := client(t, api)
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() { assert.NoError(t, c.Do(t.Context(), rest.Call{Path: "/things"}, nil)) })
	}
	work.Wait()
	assert.EqualValues(t, 1, logins.Load())
	assert.EqualValues(t, 20, served.Load())

	logins.Add(1) // now the cloud wants another one
	require.NoError(t, c.At(api.Base+"/elsewhere").Do(t.Context(), rest.Call{Path: "/things"}, nil))
	assert.EqualValues(t, 3, logins.Load())

	api, logins, _ = tokens(t, time.Now().Add(time.Second)) // less than a call may take
	c = client(t, api)
	require.NoError(t, c.Do(t.Context(), rest.Call{}, nil))
	require.NoError(t, c.Do(t.Context(), rest.Call{}, nil))
	assert.EqualValues(t, 2, logins.Load())
}

func TestCredentialThatIsWrongIsSaidOnce(t *testing.T) {
	calls := 0
	c := client(t, rest.API{
		Base: cloud(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(http.StatusUnauthorized)
		}),
		Login: func(ctx context.Context, unsigned *rest.Client) (rest.Token, error) {
			return rest.Token{}, unsigned.Do(ctx, rest.Call{Path: "/token"}, nil)
		},
	})
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(c.Do(t.Context(), rest.Call{}, nil)))
	assert.Equal(t, 1, calls)
}

func TestListsByTheWayTheyArePaged(t *testing.T) {
	type page struct {
		Things []int
		Next   string
	}
	things := func(p page) []int { return p.Things }
	for name, test := range map[string]struct {
		next   rest.Next[page]
		answer func(q url.Values) string
		want   []int
		fails  string
	}{
		"link": {
			rest.ByLink(func(p page) string { return p.Next }),
			func(q url.Values) string {
				return map[string]string{"": `{"things": [1, 2], "next": "http://127.0.0.1:1/past/the/proxy?from=2"}`, "2": `{"things": [3]}`}[q.Get("from")]
			},
			[]int{1, 2, 3},
			"",
		},
		"a link without a query": {
			rest.ByLink(func(p page) string { return p.Next }),
			func(url.Values) string { return `{"things": [1], "next": "/things/2"}` },
			[]int{1},
			"cannot be asked for",
		},
		"marker": {
			rest.ByMarker("marker", func(p page) string { return p.Next }),
			func(q url.Values) string {
				assert.Equal(t, "2", q.Get("limit"))
				return map[string]string{"": `{"things": [1, 2], "next": "b"}`, "b": `{"things": []  , "next": "c"}`, "c": `{"things": [3]}`}[q.Get("marker")]
			},
			[]int{1, 2, 3},
			"",
		},
		"a marker that stays": {
			rest.ByMarker("marker", func(page) string { return "b" }),
			func(url.Values) string { return `{"things": [1]}` },
			[]int{1, 1},
			"the same one",
		},
		"offset": {
			rest.ByOffset("offset", func(p page) int { return len(p.Things) }),
			func(q url.Values) string {
				return map[string]string{"": `{"things": [1, 2]}`, "2": `{"things": [3]}`, "3": `{"things": []}`}[q.Get("offset")]
			},
			[]int{1, 2, 3},
			"",
		},
		"whole": {nil, func(url.Values) string { return `{"things": [1]}` }, []int{1}, ""},
		"a page that fails": {
			rest.ByMarker("marker", func(p page) string { return p.Next }),
			func(q url.Values) string {
				if q.Has("marker") {
					return `<html>`
				}
				return `{"things": [1], "next": "b"}`
			},
			[]int{1},
			"check the connection's endpoint",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := client(t, rest.API{Base: cloud(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, test.answer(r.URL.Query())) })})
			var got []int
			var failed error
			for thing, err := range driver.Items(rest.Pages(t.Context(), c, rest.Call{Path: "/things", Query: url.Values{"limit": {"2"}}}, things, test.next), func(n int) int { return n }) {
				if failed = err; err == nil {
					got = append(got, thing)
				}
			}
			assert.Equal(t, test.want, got)
			if test.fails == "" {
				assert.NoError(t, failed)
			} else {
				assert.ErrorContains(t, failed, test.fails)
				assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(failed))
			}
		})
	}
}

func TestNativeCalls(t *testing.T) {
	c := client(t, rest.API{
		Base: cloud(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "ours", r.Header.Get("Authorization"))
			assert.Equal(t, "/v1/pages?x=1", r.URL.RequestURI())
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusTeapot)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(append(body, 0xff))
		}) + "/v1",
		Sign: func(r *http.Request, _ []byte, _ string) error {
			r.Header.Set("Authorization", "ours")
			return nil
		},
	})
	answer, err := c.Native(t.Context(), driver.NativeRequest{Method: "PUT", Path: "/pages", Query: url.Values{"x": {"1"}}, Headers: map[string]string{"Authorization": "theirs"}, Body: "{}"})
	require.NoError(t, err)
	assert.Equal(t, http.StatusTeapot, answer.Status)
	assert.True(t, answer.Base64)
	assert.Equal(t, "e33/", answer.Body)
	for _, path := range []string{"http://elsewhere.example.com", "/../v2", "/pages?x=1"} {
		_, err := c.Native(t.Context(), driver.NativeRequest{Path: path})
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), path)
	}
}
