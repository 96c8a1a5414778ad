package cli

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
)

// A login goes the way that is given, and is kept with it; a password goes no other way than a
// token does.
func TestALoginTakesTheWayThatIsGiven(t *testing.T) {
	ends := start2026().Add(75 * time.Hour)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked api.LoginRequest
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(api.Me{Name: r.Header.Get("Authorization")})
			return
		}
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
		assert.Equal(t, "a long password", asked.Password)
		_ = json.NewEncoder(w).Encode(api.IssuedToken{APIToken: api.APIToken{User: asked.User, ExpiresAt: &ends}, Token: "mcic_x"})
	}))
	defer server.Close()
	s := newShell(t, nil)
	delete(s.env, "MCIC_TOKEN")
	s.stdin = "a long password\n"
	require.NoError(t, os.WriteFile(s.path("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))

	assert.NotZero(t, s.run("login lab --server "+server.URL+" --user anna"), "nobody vouches for it")
	s.ok("login lab --server " + server.URL + " --user anna --ca " + s.path("ca.pem"))
	assert.Contains(t, s.ok("whoami"), "Bearer mcic_x")
	s.ok("login lab")

	assert.NotZero(t, s.run("login far --server http://192.0.2.1 --user anna"))
	assert.Contains(t, s.err.String(), "would have the password")
	assert.NotContains(t, s.ok("context list"), "192.0.2.1")
}

func TestATimeToComeIsNotPast(t *testing.T) {
	s := newShell(t, nil)
	a := &app{env: s.world()}
	for after, want := range map[time.Duration]string{-2 * time.Hour: "(2h0m ago)", 30 * time.Second: "(0s ago)", 72 * time.Hour: "(in 3d)"} {
		s.out.Reset()
		until := a.env.Now().Add(after)
		require.NoError(t, a.printView(&api.APIToken{ExpiresAt: &until}, nil))
		assert.Contains(t, s.out.String(), want)
	}
}

// A login with a second step asks for the code only when the server wants one, and only once.
func TestALoginAsksForTheCodeOfTheSecondStep(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked api.LoginRequest
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
		w.Header().Set("Content-Type", "application/json")
		switch asked.Code {
		case "123456":
			_ = json.NewEncoder(w).Encode(api.IssuedToken{APIToken: api.APIToken{User: asked.User}, Token: "mcic_x"})
		case "":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":401,"code":"unauthenticated","detail":"code: is required","fields":[{"field":"code","message":"is required"}]}`))
		default:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":401,"code":"unauthenticated","detail":"the code is wrong"}`))
		}
	}))
	defer server.Close()
	s := newShell(t, nil)
	delete(s.env, "MCIC_TOKEN")
	s.stdin = "a long password\n123456\n"
	assert.Contains(t, s.ok("login lab --server "+server.URL+" --user anna"), "logged in")
	s.stdin = "a long password\n654321\n"
	assert.NotZero(t, s.run("login lab"))
	assert.Contains(t, s.err.String(), "the code is wrong")
	s.stdin = "a long password\n"
	assert.NotZero(t, s.run("login lab"))
	assert.Contains(t, s.err.String(), "no line for: Code of the authenticator app")
}
