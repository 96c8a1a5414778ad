package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"
)

// SessionLife is how long a login in a browser lasts.
const SessionLife = 12 * time.Hour

// clockSkew is how much the clocks of servers may differ.
const clockSkew = 5 * time.Minute

// SessionHeader must be on every request that a session's cookie opens and that can
// change something. Pages of other sites cannot set it.
const SessionHeader = "Mcic-Console"

// sessionCookie is the name of the cookie that carries a session.
const sessionCookie = "mcic_session"

// Sessions are logins in browsers. A session is a signed cookie: it is good on every
// server with the same token, outlives a restart, and ends with the token. A logout
// is recorded, so that it holds on every server with the same records.
type Sessions struct {
	token   func() Token
	cross   *http.CrossOriginProtection
	logouts Logouts
}

// Logouts are the records of what was logged out before its time.
type Logouts interface {
	// EndLogin records that a session has ended, which would have lasted until a time.
	EndLogin(ctx context.Context, id string, until time.Time) error
	// LoginEnded reports whether a session was ended.
	LoginEnded(ctx context.Context, id string) (bool, error)
}

// The parts of a cookie's value: end in Unix seconds, id, signature.
const (
	sessionBody = 8 + 16
	sessionSize = sessionBody + sha256.Size
)

// NewSessions returns the sessions that the token of each moment opens.
func NewSessions(token func() Token, logouts Logouts) *Sessions {
	return &Sessions{token: token, cross: http.NewCrossOriginProtection(), logouts: logouts}
}

// Start sets the cookie of a new session if the token that is given is right. It reports
// until when the session lasts.
func (s *Sessions) Start(w http.ResponseWriter, r *http.Request, given string) (until time.Time, ok bool) {
	token := s.token()
	if !token.Matches(given) || !s.Own(r) {
		return time.Time{}, false
	}
	until = time.Now().Add(SessionLife).Truncate(time.Second)
	value := binary.BigEndian.AppendUint64(nil, uint64(until.Unix())) //nolint:gosec // after 1970
	var id [sessionBody - 8]byte
	_, _ = rand.Read(id[:]) // never fails
	value = token.sign(append(value, id[:]...))
	http.SetCookie(w, Cookie(r, sessionCookie, base64.RawURLEncoding.EncodeToString(value), SessionLife))
	return until, true
}

// End logs the request's session out. If that cannot be recorded, it has not ended.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) error {
	if id, until, ok := s.read(r); ok && s.Own(r) {
		if err := s.logouts.EndLogin(r.Context(), id, until); err != nil {
			return err
		}
	}
	http.SetCookie(w, Cookie(r, sessionCookie, "", -time.Second))
	return nil
}

// Until reports until when the request's session lasts, and whether it has one. The
// error is of the records of logouts.
func (s *Sessions) Until(r *http.Request) (time.Time, bool, error) {
	id, until, ok := s.read(r)
	if !ok {
		return until, false, nil
	}
	ended, err := s.logouts.LoginEnded(r.Context(), id)
	return until, err == nil && !ended, err
}

// Allows reports whether a request comes from a page of this server with a session. The
// error is of the records of logouts: without them nobody is let in.
func (s *Sessions) Allows(r *http.Request) (bool, error) {
	if !s.Own(r) {
		return false, nil
	}
	_, ok, err := s.Until(r)
	return ok, err
}

// Own reports whether a request that can change something comes from a page of this
// server, by two signs: what the browser says of its origin, and the header.
func (s *Sessions) Own(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	return s.cross.Check(r) == nil && r.Header.Get(SessionHeader) != ""
}

// read answers what a request's cookie says, if it is signed and not over by itself.
func (s *Sessions) read(r *http.Request) (id string, until time.Time, ok bool) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return id, until, false
	}
	token := s.token()
	value, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(value) != sessionSize || token == (Token{}) || !hmac.Equal(value, token.sign(value[:sessionBody:sessionBody])) {
		return id, until, false
	}
	until = time.Unix(int64(binary.BigEndian.Uint64(value)), 0) //nolint:gosec // signed by us
	left := time.Until(until)                                   // of one that a clock has given which was wrong, more than any has
	return base64.RawURLEncoding.EncodeToString(value[8:sessionBody]), until, left > 0 && left < SessionLife+clockSkew
}

// sign returns body of a session with its signature behind it.
func (t Token) sign(body []byte) []byte {
	key, err := hkdf.Key(sha256.New, t.sum[:], nil, "mcic console session", sha256.Size)
	if err != nil { // the length is one that SHA-256 gives
		panic("derive the key of sessions: " + err.Error())
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return mac.Sum(body)
}

// Cookie is one that scripts cannot read and that requests from other sites do not
// carry. Where the browser speaks TLS, to us or to a proxy, it is kept to TLS.
func Cookie(r *http.Request, name, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure would keep the cookie from servers on the loopback address, which have no TLS
		Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: OverTLS(r),
	}
}

// OverTLS reports whether a client speaks TLS, to us or to a proxy.
func OverTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}
