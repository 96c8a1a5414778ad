package transport_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/driver/transport"
)

func TestRequestOfANativeCall(t *testing.T) {
	base, err := url.Parse("https://cloud.example.com/api")
	require.NoError(t, err)
	r, err := transport.NewNative(t.Context(), *base, driver.NativeRequest{
		Method: http.MethodPost, Path: "/things/", Query: map[string][]string{"limit": {"2"}}, Headers: map[string]string{"X-Mine": "a"}, Body: "text",
	})
	require.NoError(t, err)
	assert.Equal(t, "POST https://cloud.example.com/api/things/?limit=2", r.Method+" "+r.URL.String())
	assert.Equal(t, "a", r.Header.Get("X-Mine"))
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	assert.Equal(t, "text", string(body))

	r, err = transport.NewNative(t.Context(), url.URL{Scheme: "https", Host: "cloud.example.com"}, driver.NativeRequest{})
	require.NoError(t, err)
	assert.Equal(t, "GET https://cloud.example.com/", r.Method+" "+r.URL.String())
}
