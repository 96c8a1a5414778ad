package client_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestATokenIsNotSentWhereOthersReadAlong(t *testing.T) {
	for server, sent := range map[string]bool{
		"http://127.0.0.1:1024": true, "http://127.1.2.3": true, "http://[::1]:1024": true, "http://localhost:1024": true, "https://mcic.example.com": true,
		"http://mcic.example.com": false, "http://192.0.2.1:1024": false, "http://0.0.0.0:1024": false, "http://localhost.example.com": false,
	} {
		_, err := client.New(server, "secret")
		if sent {
			assert.NoError(t, err, server)
			continue
		}
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), server)
		assert.ErrorContains(t, err, "--insecure-http", server)
		_, err = client.New(server, "secret", client.WithInsecureHTTP())
		assert.NoError(t, err, server)
		_, err = client.New(server, "")
		assert.NoError(t, err, "there is nothing to read")
	}
}

func TestServersOfAnAuthorityOfOnesOwn(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, resource.Resource{Name: "x"})
	}))
	defer server.Close()
	get := func(address string, opts ...client.Option) error {
		c, err := client.New(address, "secret", opts...)
		require.NoError(t, err)
		_, err = c.Get(t.Context(), "vm", "mock", "x")
		return err
	}
	err := get(server.URL)
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	require.ErrorContains(t, err, "--ca")
	config, err := client.TLSConfig(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), tls.Certificate{})
	require.NoError(t, err)
	require.NoError(t, get(server.URL, client.WithTLS(config)))
	require.ErrorContains(t, get(strings.Replace(server.URL, "https", "http", 1)), "write its address with https://")

	plain := httptest.NewServer(nil)
	defer plain.Close()
	require.ErrorContains(t, get(strings.Replace(plain.URL, "http", "https", 1)), "write its address with http://")
	_, err = client.TLSConfig([]byte("no PEM"), tls.Certificate{})
	require.Error(t, err)
}
