package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
)

func TestWhereARequestComesFrom(t *testing.T) {
	for _, tc := range []struct {
		remote    string
		forwarded []string
		proxy     bool
		want      string
	}{
		{"192.0.2.1:55", nil, false, "192.0.2.1"},
		{"[2001:db8::1]:55", nil, true, "2001:db8::1"},
		{"192.0.2.1:55", []string{"203.0.113.9"}, false, "192.0.2.1"},
		{"192.0.2.1:55", []string{"203.0.113.9"}, true, "203.0.113.9"},
		{"192.0.2.1:55", []string{"10.0.0.1, 203.0.113.9"}, true, "203.0.113.9"},
		{"192.0.2.1:55", []string{"10.0.0.1", "10.0.0.2, 203.0.113.9 "}, true, "203.0.113.9"},
		{"192.0.2.1:55", []string{"who knows"}, true, "192.0.2.1"},
	} {
		var got string
		h := auth.Addressed(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = auth.Address(r.Context()) }), tc.proxy)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = tc.remote
		for _, f := range tc.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, tc.want, got, tc)
	}
}
