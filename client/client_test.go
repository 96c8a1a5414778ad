package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func serve(t *testing.T, handler http.HandlerFunc, opts ...client.Option) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	noPause := client.WithPause(func(ctx context.Context, _ int) error { return ctx.Err() })
	c, err := client.New(server.URL, "secret", append([]client.Option{noPause}, opts...)...)
	require.NoError(t, err)
	return c
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func TestNewChecksTheAddress(t *testing.T) {
	for _, bad := range []string{"", "localhost:1024", "127.0.0.1:1024", "ftp://x", "http://", "http://u:p@x", "http://x?y", "http://x#y"} {
		_, err := client.New(bad, "")
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), bad)
		assert.ErrorContains(t, err, "http://127.0.0.1:1024", bad)
	}
	_, err := client.New("http://x", "two\nlines")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	c, err := client.New("https://x/base/", "")
	require.NoError(t, err)
	assert.Equal(t, "https://x/base", c.Server())
}

func TestRequests(t *testing.T) {
	type seen struct{ method, uri, body string }
	var got seen
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, string(body)}
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "credentials") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, http.StatusOK, map[string]any{})
	})
	ctx := t.Context()
	for _, tc := range []struct {
		name string
		call func() error
		want seen
	}{
		{"get", func() error { _, err := c.Get(ctx, "vm", "a b", "x/y"); return err }, seen{"GET", "/v1/connections/a%20b/vms/x%2Fy", ""}},
		{"create", func() error {
			_, err := c.Create(ctx, "vpc", "m", resource.CreateRequest[any]{Name: "n", Spec: resource.VPCSpec{CIDR: "10.0.0.0/16"}})
			return err
		}, seen{"POST", "/v1/connections/m/vpcs", `{"name":"n","spec":{"cidr":"10.0.0.0/16"}}`}},
		{"delete", func() error { _, err := c.Delete(ctx, "vpc", "m", "n"); return err }, seen{"DELETE", "/v1/connections/m/vpcs/n", ""}},
		{"force", func() error { _, err := c.ForceDelete(ctx, "vpc", "m", "n"); return err }, seen{"DELETE", "/v1/connections/m/vpcs/n?force=true", ""}},
		{"audit", func() error {
			_, err := client.Collect(c.Audit(ctx, client.ListOptions{Filter: []string{"verb=delete"}}))
			return err
		}, seen{"GET", "/v1/audit?filter=verb%3Ddelete", ""}},
		{"act", func() error { _, err := c.Act(ctx, "vm", "m", "n", "stop", nil); return err }, seen{"POST", "/v1/connections/m/vms/n:stop", ""}},
		{"list", func() error {
			_, err := client.Collect(c.List(ctx, "vm", "", client.ListOptions{Filter: []string{"state=running", "name~a"}, Sort: "-name", PageSize: 5}))
			return err
		}, seen{"GET", "/v1/vms?filter=state%3Drunning&filter=name~a&pageSize=5&sort=-name", ""}},
		{"search", func() error {
			_, err := client.Collect(c.List(ctx, "vm", "", client.ListOptions{Search: "a b", Fresh: true}))
			return err
		}, seen{"GET", "/v1/vms?fresh=true&q=a+b", ""}},
		{"catalog", func() error {
			_, err := client.Collect(c.Catalog(ctx, "image", "m", client.ListOptions{}))
			return err
		}, seen{"GET", "/v1/catalog/images?connection=m", ""}},
		{"check", func() error { return c.CheckConnection(ctx, "m") }, seen{"POST", "/v1/connections/m:check", ""}},
		{"forget", func() error { return c.DeleteCredential(ctx, "k") }, seen{"DELETE", "/v1/credentials/k", ""}},
		{"operation", func() error { _, err := c.Operation(ctx, "op1", 10*time.Second); return err }, seen{"GET", "/v1/operations/op1?wait=10s", ""}},
	} {
		require.NoError(t, tc.call(), tc.name)
		assert.Equal(t, tc.want, got, tc.name)
	}
}

func TestNamesThatWouldChangeThePathAreRefused(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, name := range []string{"", ".", ".."} {
		_, err := c.Delete(t.Context(), "vm", "mock", name)
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), name)
	}
	_, err := c.Get(t.Context(), "vm", "", "x")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	_, err = client.Collect(c.List(t.Context(), "moon", "mock", client.ListOptions{}))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
	_, err = client.Collect(c.Catalog(t.Context(), "moon", "mock", client.ListOptions{}))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err))
}

func TestPages(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		page := map[string]any{"items": []map[string]string{{"name": fmt.Sprintf("a%d", asked)}, {"name": fmt.Sprintf("b%d", asked)}}}
		if asked < 3 {
			page["nextPageToken"] = fmt.Sprintf("t%d", asked)
		}
		if asked > 1 {
			assert.Equal(t, fmt.Sprintf("t%d", asked-1), r.URL.Query().Get("pageToken"))
		}
		answer(w, http.StatusOK, page)
	})
	items, err := client.Collect(c.List(t.Context(), "vm", "mock", client.ListOptions{}))
	require.NoError(t, err)
	assert.Len(t, items, 6)
	assert.Equal(t, "b3", items[5].Name)

	asked = 0
	for r, err := range c.List(t.Context(), "vm", "mock", client.ListOptions{}) {
		require.NoError(t, err)
		if r.Name == "b1" {
			break
		}
	}
	assert.Equal(t, 1, asked, "pages that nobody reads are not fetched")
}

func TestPagesEndWhenTheServerRepeatsItself(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"items": []any{}, "nextPageToken": "same"})
	})
	_, err := client.Collect(c.Operations(t.Context(), client.ListOptions{}))
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
}

func TestProblems(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   resource.Error
	}{
		{
			"problem", 409, `{"title":"Conflict","detail":"it is in use","code":"dependency","retryable":true,"fields":[{"field":"a","message":"b"}],"cloud":{"code":"X","requestId":"r"}}`,
			resource.Error{Code: resource.CodeDependency, Message: "it is in use", Retryable: true, Fields: []resource.Problem{{Field: "a", Message: "b"}}, Cloud: &resource.CloudError{Code: "X", RequestID: "r"}},
		},
		{"only a title", 404, `{"title":"Not Found","code":"not_found"}`, resource.Error{Code: resource.CodeNotFound, Message: "Not Found"}},
		{"without a code", 422, `{"detail":"no"}`, resource.Error{Code: resource.CodeInvalid, Message: "no"}},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		})
		_, err := c.Get(t.Context(), "vm", "mock", "x")
		e, ok := errors.AsType[*resource.Error](err)
		require.True(t, ok, tc.name)
		assert.Equal(t, tc.want, *e, tc.name)
	}
	for status, code := range map[int]resource.Code{
		302: resource.CodeInternal, 400: resource.CodeInvalid, 401: resource.CodeUnauthenticated, 403: resource.CodeDenied, 404: resource.CodeNotFound,
		405: resource.CodeUnsupported, 409: resource.CodeConflict, 429: resource.CodeThrottled, 500: resource.CodeInternal, 502: resource.CodeUnavailable,
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>")
		})
		_, err := c.Get(t.Context(), "vm", "mock", "x")
		assert.Equal(t, code, resource.CodeOf(err), status)
		assert.ErrorContains(t, err, "not as an mcic server does", status)
	}
}

func TestAnswersThatAreNotTheAPIs(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	_, err := c.Get(t.Context(), "vm", "mock", "x")
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
	assert.ErrorContains(t, err, "is it the address of an mcic server?")
}

func TestNoServer(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	c, err := client.New(server.URL, "")
	require.NoError(t, err)
	_, err = c.Get(t.Context(), "vm", "mock", "x")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "is the server running? Start it with: mcic server")
	assert.NotContains(t, err.Error(), "/v1/")
}

func TestTimeout(t *testing.T) {
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, client.WithTimeout(20*time.Millisecond))
	_, err := c.Get(t.Context(), "vm", "mock", "x")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "did not answer in time")
	_, err = client.Collect(c.Events(t.Context()))
	assert.ErrorContains(t, err, "did not answer in time")
}

func TestCancellationIsFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, err := c.Get(ctx, "vm", "mock", "x")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestWaitOperation(t *testing.T) {
	op := func(state api.OperationState, err *resource.Error) api.Operation {
		return api.Operation{ID: "op1", Verb: "stop", Kind: "vm", Name: "a", State: state, Error: err}
	}
	quota := resource.Errorf(resource.CodeQuota, "too many")
	for _, tc := range []struct {
		name    string
		answers []any // an operation, or a status
		want    resource.Code
		states  int
		ended   bool
	}{
		{"done", []any{op(api.OperationQueued, nil), op(api.OperationRunning, nil), op(api.OperationSucceeded, nil)}, "", 3, true},
		{"failed", []any{op(api.OperationRunning, nil), op(api.OperationFailed, quota)}, resource.CodeQuota, 2, true},
		{"failed without a reason", []any{op(api.OperationFailed, nil)}, resource.CodeInternal, 1, true},
		{"server started anew", []any{op(api.OperationRunning, nil), 503, 502, 503, op(api.OperationSucceeded, nil)}, "", 2, true},
		{"unknown", []any{404}, resource.CodeNotFound, 0, false},
		{"refused", []any{401}, resource.CodeUnauthenticated, 0, false},
		{"lost", []any{503}, resource.CodeUnavailable, 0, false},
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			next := tc.answers[min(asked, len(tc.answers)-1)]
			asked++
			if status, ok := next.(int); ok {
				w.WriteHeader(status)
				return
			}
			answer(w, http.StatusOK, next)
		})
		heard := 0
		got, err := c.WaitOperation(t.Context(), "op1", func(*api.Operation) { heard++ })
		assert.Equal(t, tc.want, resource.CodeOf(err), tc.name)
		assert.Equal(t, tc.states, heard, tc.name)
		assert.Equal(t, tc.ended, got != nil, tc.name)
	}
}

func TestWaitOperationEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, api.Operation{State: api.OperationRunning})
	})
	_, err := c.WaitOperation(ctx, "op1", func(*api.Operation) { cancel() })
	assert.ErrorIs(t, err, context.Canceled)
}

func TestEvents(t *testing.T) {
	connections := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		connections++
		if connections == 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		switch connections {
		case 1:
			assert.Empty(t, r.Header.Get("Last-Event-ID"))
			_, _ = io.WriteString(w, ": hello\n\nid: e1\nevent: resource\ndata: {\"name\":\ndata: \"a\"}\n\nid: e2\r\nevent: operation\r\ndata:{\"id\":\"op1\"}\r\n\r\nevent: resource\ndata: {\"cut")
		case 2:
			assert.Equal(t, "e2", r.Header.Get("Last-Event-ID"))
			_, _ = io.WriteString(w, "event: ping\ndata: {}\n\nevent: reset\ndata: {}\n\n")
		case 4:
			assert.Equal(t, "e2", r.Header.Get("Last-Event-ID"))
			_, _ = io.WriteString(w, "event: resource\ndata: {\"name\":\"b\"}\n\n")
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	var got []string
	for e, err := range c.Events(t.Context()) {
		require.NoError(t, err)
		switch e.Type {
		case client.EventResource:
			r, err := e.Resource()
			require.NoError(t, err)
			got = append(got, "resource "+r.Name)
		case client.EventOperation:
			op, err := e.Operation()
			require.NoError(t, err)
			got = append(got, "operation "+op.ID)
		default:
			got = append(got, e.Type)
		}
		if got[len(got)-1] == "resource b" {
			break
		}
	}
	assert.Equal(t, []string{
		"connected", "resource a", "operation op1", "disconnected",
		"connected", "connected", "disconnected",
		"connected", "resource b",
	}, got)
}

func TestEventsEnd(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    resource.Code
	}{
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, resource.CodeUnauthenticated},
		{"unavailable at first", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, resource.CodeUnavailable},
		{"no stream", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }, resource.CodeInternal},
	} {
		_, err := client.Collect(serve(t, tc.handler).Events(t.Context()))
		assert.Equal(t, tc.want, resource.CodeOf(err), tc.name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	_, err := client.Collect(c.Events(ctx))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestBrokenEvent(t *testing.T) {
	_, err := client.Event{ID: "e1", Data: json.RawMessage("{")}.Resource()
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(err))
}

func TestARequestWhoseAnswerIsLostIsSentAgain(t *testing.T) {
	// losing is a server that loses the first answers, with the keys that it was sent.
	losing := func(answers int) (c *client.Client, keys func() []string) {
		var (
			mu   sync.Mutex
			sent []string
		)
		c = serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, r.Header.Get("Idempotency-Key"))
			if len(sent) <= answers {
				panic(http.ErrAbortHandler) // the connection breaks
			}
			answer(w, http.StatusAccepted, api.Operation{ID: "op1"})
		})
		return c, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return sent
		}
	}
	c, keys := losing(2)
	op, err := c.Create(t.Context(), "vpc", "mock", resource.CreateRequest[any]{Name: "v"})
	require.NoError(t, err)
	assert.Equal(t, "op1", op.ID)
	require.Len(t, keys(), 3)
	key := keys()[0]
	assert.NotEmpty(t, key)
	assert.Equal(t, []string{key, key, key}, keys(), "by its key the server knows that it is the same")
	_, err = c.Act(t.Context(), "vm", "mock", "x", "stop", nil)
	require.NoError(t, err)
	require.Len(t, keys(), 4)
	assert.NotEqual(t, key, keys()[3], "another request, another key")

	c, keys = losing(100)
	_, err = c.CreateCredential(t.Context(), api.CredentialRequest{Name: "c"})
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.Equal(t, []string{""}, keys(), "what is no operation is sent once")
	_, err = c.Create(t.Context(), "vpc", "mock", resource.CreateRequest[any]{Name: "v"})
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "it gives up")
	assert.Len(t, keys(), 1+6)
}
