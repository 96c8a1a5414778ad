package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
)

// records are logouts as servers with the same database share them.
type records struct {
	ended  map[string]time.Time
	broken error
}

func (r *records) EndLogin(_ context.Context, id string, until time.Time) error {
	if r.broken == nil {
		r.ended[id] = until
	}
	return r.broken
}

func (r *records) LoginEnded(_ context.Context, id string) (bool, error) {
	_, ended := r.ended[id]
	return ended, r.broken
}

func sessions(t *testing.T, token string) *auth.Sessions {
	t.Helper()
	return server(t, token, &records{ended: map[string]time.Time{}})
}

func server(t *testing.T, token string, r *records) *auth.Sessions {
	t.Helper()
	opened, _, err := auth.OpenToken(folder(t, token, 0o600))
	require.NoError(t, err)
	return auth.NewSessions(func() auth.Token { return opened }, r)
}

func allows(t *testing.T, s *auth.Sessions, r *http.Request) bool {
	t.Helper()
	ok, err := s.Allows(r)
	require.NoError(t, err)
	return ok
}

// fromPage is a request that a page of the server makes.
func fromPage(t *testing.T, method string, cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, "http://mcic.example/v1/vpcs", http.NoBody)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(auth.SessionHeader, "1")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func login(t *testing.T, s *auth.Sessions, token string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	_, ok := s.Start(w, fromPage(t, http.MethodPost), token)
	require.True(t, ok)
	set := w.Result().Cookies()
	require.Len(t, set, 1)
	return set[0]
}

func TestALoginLastsUntilLogout(t *testing.T) {
	s := sessions(t, known)
	c := login(t, s, known)
	assert.True(t, c.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, c.SameSite)
	assert.False(t, c.Secure, "the request came without TLS")
	assert.NotContains(t, c.Value, known)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		assert.True(t, allows(t, s, fromPage(t, method, c)), method)
	}
	assert.True(t, allows(t, sessions(t, known), fromPage(t, http.MethodGet, c)), "it outlives a restart")
	assert.False(t, allows(t, sessions(t, "fedcba9876543210"), fromPage(t, http.MethodGet, c)), "it ends with the token")

	w := httptest.NewRecorder()
	require.NoError(t, s.End(w, fromPage(t, http.MethodDelete, c)))
	assert.False(t, allows(t, s, fromPage(t, http.MethodGet, c)))
	cleared := w.Result().Cookies()
	require.Len(t, cleared, 1)
	assert.Negative(t, cleared[0].MaxAge)
}

func TestALogoutHoldsOnEveryServer(t *testing.T) {
	shared := &records{ended: map[string]time.Time{}}
	one, two := server(t, known, shared), server(t, known, shared)
	c, other := login(t, one, known), login(t, one, known)
	assert.True(t, allows(t, two, fromPage(t, http.MethodGet, c)))
	foreign := fromPage(t, http.MethodDelete, c)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	require.NoError(t, one.End(httptest.NewRecorder(), foreign))
	assert.True(t, allows(t, two, fromPage(t, http.MethodGet, c)), "another site logs nobody out")

	require.NoError(t, one.End(httptest.NewRecorder(), fromPage(t, http.MethodDelete, c)))
	assert.False(t, allows(t, two, fromPage(t, http.MethodGet, c)))
	assert.False(t, allows(t, server(t, known, shared), fromPage(t, http.MethodGet, c)), "nor after a restart")
	assert.True(t, allows(t, two, fromPage(t, http.MethodGet, other)), "other logins go on")

	shared.broken = errors.New("no database")
	ok, err := two.Allows(fromPage(t, http.MethodGet, other))
	require.ErrorIs(t, err, shared.broken)
	assert.False(t, ok)
	w := httptest.NewRecorder()
	require.ErrorIs(t, two.End(w, fromPage(t, http.MethodDelete, other)), shared.broken)
	assert.Empty(t, w.Result().Cookies(), "a logout that does not hold is not shown as one")
}

func TestALoginNeedsTheTokenAndAPageOfOurs(t *testing.T) {
	s := sessions(t, known)
	w := httptest.NewRecorder()
	_, ok := s.Start(w, fromPage(t, http.MethodPost), known+"x")
	assert.False(t, ok)
	foreign := fromPage(t, http.MethodPost)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	_, ok = s.Start(w, foreign, known)
	assert.False(t, ok)
	assert.Empty(t, w.Result().Cookies())
}

func TestASessionChangesNothingForOtherSites(t *testing.T) {
	s := sessions(t, known)
	c := login(t, s, known)
	for name, spoil := range map[string]func(http.Header){
		"no header":        func(h http.Header) { h.Del(auth.SessionHeader) },
		"another site":     func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"another origin":   func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "http://evil.example") },
		"another sub-site": func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
	} {
		r := fromPage(t, http.MethodPost, c)
		spoil(r.Header)
		assert.False(t, allows(t, s, r), name)
	}
}

func TestASessionIsNotForged(t *testing.T) {
	s := sessions(t, known)
	c := login(t, s, known)
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	require.NoError(t, err)
	for i := range raw {
		changed := append([]byte{}, raw...)
		changed[i] ^= 1
		assert.False(t, allows(t, s, fromPage(t, http.MethodGet, &http.Cookie{Name: c.Name, Value: base64.RawURLEncoding.EncodeToString(changed)})), "byte %d", i)
	}
	for _, value := range []string{"", "x", c.Value + "AA", c.Value[:len(c.Value)-4]} {
		assert.False(t, allows(t, s, fromPage(t, http.MethodGet, &http.Cookie{Name: c.Name, Value: value})), value)
	}
}

func TestASessionRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessions(t, known)
		c := login(t, s, known)
		<-time.After(auth.SessionLife - 2*time.Second)
		until, ok, err := s.Until(fromPage(t, http.MethodGet, c))
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Less(t, time.Until(until), 3*time.Second)
		<-time.After(3 * time.Second)
		assert.False(t, allows(t, s, fromPage(t, http.MethodGet, c)))
	})
}

// A session of a clock that was ahead does not last until the clock comes there.
func TestASessionOfAClockThatWasAheadIsNone(t *testing.T) {
	s := sessions(t, known)
	c := login(t, s, known)
	assert.True(t, allows(t, s, fromPage(t, http.MethodGet, c)))
	synctest.Test(t, func(t *testing.T) { // whose clock is years behind
		assert.False(t, allows(t, s, fromPage(t, http.MethodGet, c)))
		assert.True(t, allows(t, s, fromPage(t, http.MethodGet, login(t, s, known))))
	})
}

func TestTheCookieKeepsToTLS(t *testing.T) {
	s := sessions(t, known)
	r := fromPage(t, http.MethodPost)
	r.Header.Set("X-Forwarded-Proto", "https")
	w := httptest.NewRecorder()
	_, ok := s.Start(w, r, known)
	require.True(t, ok)
	assert.True(t, w.Result().Cookies()[0].Secure)
}
