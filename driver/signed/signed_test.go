package signed_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/signed"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func send(t *testing.T, reach driver.Reach, s resource.SignedRequest, body string) error {
	t.Helper()
	client, err := signed.Client(reach)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	r, err := signed.Request(t.Context(), s, strings.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	response, err := client.Do(r)
	if err != nil {
		return signed.Lost("read it", err)
	}
	require.NoError(t, response.Body.Close())
	return signed.Failure("read it", response)
}

// TestAsItIs: what is signed is not tidied, and nothing is added that was signed otherwise.
func TestAsItIs(t *testing.T) {
	var got *http.Request
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got, sent = r, string(raw)
	}))
	t.Cleanup(server.Close)
	for _, path := range []string{"/b/../../etc/passwd", "/b//a///b", "/b/%2e%2e/%2F%00?", "/b/a%20b+c%2Bd?x=%2F&sig=a+b", "/b/%EA%B0%80;v=1,2"} {
		err := send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodPut, URL: server.URL + path, Headers: map[string]string{"Authorization": "X a/b", "x-ms-blob-type": "BlockBlob"}}, "hello")
		require.NoError(t, err, path)
		assert.Equal(t, strings.TrimSuffix(path, "?"), strings.TrimSuffix(got.RequestURI, "?"))
		assert.Equal(t, "X a/b", got.Header.Get("Authorization"))
		assert.Equal(t, "BlockBlob", got.Header.Get("X-Ms-Blob-Type"))
		assert.Empty(t, got.Header.Get("Accept-Encoding"), "data is not to be packed on the way")
		assert.NotContains(t, got.Header, "User-Agent")
		assert.Equal(t, int64(5), got.ContentLength)
		assert.Equal(t, "hello", sent)
	}
	err := send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodPut, URL: server.URL + "/empty"}, "")
	require.NoError(t, err)
	assert.Equal(t, int64(0), got.ContentLength)
	assert.Empty(t, got.TransferEncoding)
}

func TestNobodySendsItOn(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	err := send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodGet, URL: server.URL}, "")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.False(t, asked)
}

// TestWhereNoDataIs: neither the addresses that tell a machine its credentials nor, by a
// name, this machine's own are reached.
func TestWhereNoDataIs(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]", "[fd20:ce::254]", "0.0.0.0:" + u.Port(), "localhost:" + u.Port()} {
		err := send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodGet, URL: "http://" + host + "/x?sig=very-secret"}, "")
		assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "%s: %v", host, err)
		assert.NotContains(t, err.Error(), "very-secret")
	}
	for _, proxy := range []string{"http://169.254.169.254", "http://[fd00:ec2::23]:3128", "http://0.0.0.0:" + u.Port()} {
		err := send(t, driver.Reach{Proxy: proxy}, resource.SignedRequest{Method: http.MethodGet, URL: "http://cloud.invalid/x"}, "")
		assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "through %s: %v", proxy, err)
	}
	err = send(t, driver.Reach{Proxy: "http://localhost:" + u.Port()}, resource.SignedRequest{Method: http.MethodGet, URL: "http://cloud.invalid/x"}, "")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "a proxy may be on this machine: %v", err)
	err = send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodGet, URL: server.URL}, "")
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(err), "an address that the driver has named is reached")
}

func TestThroughTheProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	t.Cleanup(proxy.Close)
	err := send(t, driver.Reach{Proxy: proxy.URL}, resource.SignedRequest{Method: http.MethodGet, URL: "http://cloud.invalid/b/../k"}, "")
	require.NoError(t, err)
	assert.Equal(t, "http://cloud.invalid/b/../k", asked)
}

func TestLostAnswersKeepTheSignature(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	err := send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodGet, URL: server.URL + "/k?sig=very-secret"}, "")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.NotContains(t, err.Error(), "very-secret")
}

// TestWhatMayHaveBeenDone: only a request that has not got there has done nothing.
func TestWhatMayHaveBeenDone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	put := resource.SignedRequest{Method: http.MethodPut, URL: server.URL + "/k?sig=very-secret"}
	err := send(t, driver.Reach{}, put, "hello")
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.ErrorContains(t, err, "may have done it")
	assert.NotContains(t, err.Error(), "very-secret")
	err = send(t, driver.Reach{}, resource.SignedRequest{Method: http.MethodGet, URL: server.URL}, "")
	assert.ErrorContains(t, err, "could not reach the cloud", "nothing can have been done")
	server.Close()
	err = send(t, driver.Reach{}, put, "hello")
	assert.ErrorContains(t, err, "could not reach the cloud")
}

func TestStatuses(t *testing.T) {
	for status, code := range map[int]resource.Code{
		200: "", 204: "", 206: "", 301: resource.CodeUnavailable, 304: resource.CodeConflict, 400: resource.CodeInvalid, 401: resource.CodeUnauthenticated,
		403: resource.CodeDenied, 404: resource.CodeNotFound, 409: resource.CodeConflict, 412: resource.CodeConflict, 416: resource.CodeInvalid,
		429: resource.CodeThrottled, 500: resource.CodeUnavailable, 503: resource.CodeUnavailable,
	} {
		assert.Equal(t, code, resource.CodeOf(signed.Failure("read it", &http.Response{StatusCode: status})), status)
	}
}
