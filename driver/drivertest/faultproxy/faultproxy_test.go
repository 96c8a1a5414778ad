package faultproxy

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rig is a cloud that answers long texts, with a proxy before it.
type rig struct {
	proxy  *Proxy
	client *http.Client
	seen   atomic.Int64  // calls that have reached the cloud
	host   atomic.Value  // Host header of the last one
	bodies chan string   // what was sent
	url    string        // where to call
	long   string        // what it answers
	ended  chan struct{} // after each answer of the cloud
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{bodies: make(chan string, 10), ended: make(chan struct{}, 10), long: strings.Repeat("all is well. ", 200)}
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.seen.Add(1)
		r.host.Store(q.Host)
		body, _ := io.ReadAll(q.Body)
		r.bodies <- string(body)
		_, _ = io.WriteString(w, r.long)
		r.ended <- struct{}{}
	}))
	t.Cleanup(cloud.Close)
	var err error
	r.proxy, err = New(cloud.URL)
	require.NoError(t, err)
	t.Cleanup(r.proxy.Close)
	r.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	r.url = r.proxy.URL + "/some/path?q=1"
	return r
}

func (r *rig) post(ctx context.Context, t *testing.T) (status int, header http.Header, body string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader("question"))
	require.NoError(t, err)
	answer, err := r.client.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, string(raw), err
}

func always(f Fault) func(int, *http.Request) Fault {
	return func(int, *http.Request) Fault { return f }
}

func TestCallsPassAndAreCounted(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		status, _, body, err := r.post(t.Context(), t)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, r.long, body)
		assert.Equal(t, "question", <-r.bodies)
		assert.Equal(t, i+1, r.proxy.Calls())
	}
	u, err := url.Parse(r.proxy.URL)
	require.NoError(t, err)
	assert.Equal(t, u.Host, r.host.Load(), "signatures cover the Host header")
}

// What is asked again of what is pending counts once, however often it is asked; the same
// for the second time in one go is work done twice.
func TestWaitingIsOneDistinctCall(t *testing.T) {
	r := newRig(t)
	get := func(path string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.proxy.URL+path, nil)
		require.NoError(t, err)
		answer, err := r.client.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		<-r.bodies
		<-r.ended
	}
	get("/a")
	get("/a")
	get("/b")
	assert.Equal(t, 3, r.proxy.Distinct(), "twice in one go")
	for range 2 {
		r.proxy.Again()
		get("/b")
		get("/a")
	}
	assert.Equal(t, 3, r.proxy.Distinct(), "looked at again")
	get("/c")
	for range 2 {
		_, _, _, err := r.post(t.Context(), t)
		require.NoError(t, err)
		<-r.bodies
	}
	assert.Equal(t, 6, r.proxy.Distinct(), "others count")
	r.proxy.Begin()
	get("/a")
	assert.Equal(t, 7, r.proxy.Distinct(), "something else is counted")
	assert.Equal(t, 11, r.proxy.Calls())
}

func TestForwardProxy(t *testing.T) {
	r := newRig(t)
	forward, err := New("")
	require.NoError(t, err)
	defer forward.Close()
	through, err := url.Parse(forward.URL)
	require.NoError(t, err)
	r.client.Transport.(*http.Transport).Proxy = http.ProxyURL(through)
	_, _, body, err := r.post(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, r.long, body)
	assert.Equal(t, 1, forward.Calls())
	assert.Equal(t, 1, r.proxy.Calls(), "the one behind it")
}

func TestBrokenConnections(t *testing.T) {
	for name, test := range map[string]struct {
		fault Fault
		seen  int64
	}{"before": {Fault{Reset: true}, 0}, "after": {Fault{Lose: true}, 1}, "within": {Fault{Cut: true}, 1}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proxy.Inject(always(test.fault))
			_, _, body, err := r.post(t.Context(), t)
			require.Error(t, err)
			assert.Less(t, len(body), len(r.long))
			assert.Equal(t, test.seen, r.seen.Load())
			r.proxy.Inject(nil)
			_, _, body, err = r.post(t.Context(), t)
			require.NoError(t, err)
			assert.Equal(t, r.long, body)
			assert.Equal(t, 2, r.proxy.Calls())
		})
	}
}

func TestLostAnswerIsFinishedByTheCloud(t *testing.T) {
	r := newRig(t)
	r.proxy.Inject(always(Fault{Lose: true, Delay: 20 * time.Millisecond}))
	_, _, _, err := r.post(t.Context(), t)
	require.Error(t, err)
	<-r.ended
	assert.Equal(t, "question", <-r.bodies)
}

func TestAnswersOfTheProxy(t *testing.T) {
	r := newRig(t)
	r.proxy.Inject(func(call int, q *http.Request) Fault {
		assert.Equal(t, "/some/path", q.URL.Path)
		if call == 2 {
			return Fault{Status: http.StatusTooManyRequests, RetryAfter: "7", Type: "text/html", Body: "<p>busy</p>"}
		}
		return Fault{}
	})
	_, _, _, err := r.post(t.Context(), t)
	require.NoError(t, err)
	status, header, body, err := r.post(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Equal(t, "7", header.Get("Retry-After"))
	assert.Equal(t, "text/html", header.Get("Content-Type"))
	assert.Equal(t, "<p>busy</p>", body)
	assert.EqualValues(t, 1, r.seen.Load())
}

func TestDelaysEndWithTheCaller(t *testing.T) {
	for name, fault := range map[string]Fault{"before": {Delay: time.Hour}, "within": {Trickle: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.proxy.Inject(always(fault))
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, _, err := r.post(ctx, t)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Eventually(t, func() bool { return r.proxy.Open() == 0 }, 10*time.Second, time.Millisecond)
		})
	}
	r := newRig(t)
	r.proxy.Inject(always(Fault{Trickle: time.Millisecond, Delay: time.Millisecond}))
	_, _, body, err := r.post(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, r.long, body)
}

func TestCertificate(t *testing.T) {
	r := newRig(t)
	secure, err := NewTLS(r.proxy.URL)
	require.NoError(t, err)
	defer secure.Close()
	r.url = secure.URL
	_, _, _, err = r.post(t.Context(), t)
	require.ErrorAs(t, err, new(*tls.CertificateVerificationError))
	assert.Zero(t, secure.Calls())
	r.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	_, _, body, err := r.post(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, r.long, body)
	assert.Equal(t, 1, secure.Calls())
}
