// Package ssotest plays a small provider of single sign-on, for tests.
package ssotest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// The provider's clients.
const (
	Client      = "mcic"
	Secret      = "the-secret-of-the-client"
	CommandLine = "mcic-cli"
)

// Provider is a provider of single sign-on. Who comes to its page is logged in at once.
type Provider struct {
	*httptest.Server
	t testing.TB

	mu        sync.Mutex
	user      map[string]any // who is logged in: claims
	key       jose.JSONWebKey
	keys      []jose.JSONWebKey
	codes     map[string]url.Values // what was asked for by which code
	refresh   map[string]string     // clients by the tokens that are good
	lasts     time.Duration
	changing  func(claims map[string]any)
	down      bool
	approved  bool
	noDevices bool
	keyReads  int
	refreshes int
	revoked   int
}

// New starts one, at which a user is logged in.
func New(t testing.TB, user map[string]any) *Provider {
	t.Helper()
	p := &Provider{t: t, user: user, codes: map[string]url.Values{}, refresh: map[string]string{}, lasts: 5 * time.Minute}
	p.Rotate("first")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.keyReads++
		answer(w, jose.JSONWebKeySet{Keys: p.keys})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("POST /revoke", func(_ http.ResponseWriter, r *http.Request) {
		delete(p.refresh, r.PostFormValue("token"))
		p.revoked++
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		p.codes["device"] = r.Form
		answer(w, map[string]any{"device_code": "device", "user_code": "ABCD-EFGH", "verification_uri": p.URL + "/device", "interval": 1, "expires_in": 60})
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = r.ParseForm()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// Rotate has it sign with another key from now on.
func (p *Provider) Rotate(id string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(p.t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = jose.JSONWebKey{Key: private, KeyID: id, Algorithm: "EdDSA", Use: "sig"}
	p.keys = append(p.keys, jose.JSONWebKey{Key: public, KeyID: id, Algorithm: "EdDSA", Use: "sig"})
}

// Publish has it show a key.
func (p *Provider) Publish(key jose.JSONWebKey) { p.set(func() { p.keys = append(p.keys, key) }) }

// Down has it answer nothing of use, or be there again.
func (p *Provider) Down(down bool) { p.set(func() { p.down = down }) }

// User has somebody else be logged in; nil logs out, so that nothing is renewed.
func (p *Provider) User(user map[string]any) { p.set(func() { p.user = user }) }

// Lasts says how long access tokens are good.
func (p *Provider) Lasts(d time.Duration) { p.set(func() { p.lasts = d }) }

// Approve has the login on another device be approved.
func (p *Provider) Approve() { p.set(func() { p.approved = true }) }

// NoDevices has it know no logins on other devices.
func (p *Provider) NoDevices() { p.set(func() { p.noDevices = true }) }

// Changing has what ID tokens say be changed.
func (p *Provider) Changing(change func(claims map[string]any)) {
	p.set(func() { p.changing = change })
}

func (p *Provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Count answers how often its keys were read, logins were renewed, and tokens revoked.
func (p *Provider) Count() (keys, refreshes, revoked int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keyReads, p.refreshes, p.revoked
}

func (p *Provider) describe(w http.ResponseWriter, _ *http.Request) {
	said := map[string]any{
		"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"device_authorization_endpoint": p.URL + "/device", "end_session_endpoint": p.URL + "/end", "revocation_endpoint": p.URL + "/revoke",
	}
	if p.noDevices {
		delete(said, "device_authorization_endpoint")
	}
	answer(w, said)
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	code := rand.Text()
	p.codes[code] = r.URL.Query()
	back := r.URL.Query().Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "as the test has it"})
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id = r.Form.Get("client_id")
	}
	if id == Client && secret != Secret {
		fail("invalid_client")
		return
	}
	nonce := ""
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		asked, there := p.codes[r.Form.Get("code")]
		delete(p.codes, r.Form.Get("code"))
		if !there || asked.Get("redirect_uri") != r.Form.Get("redirect_uri") || asked.Get("code_challenge") != oauth2.S256ChallengeFromVerifier(r.Form.Get("code_verifier")) {
			fail("invalid_grant")
			return
		}
		nonce = asked.Get("nonce")
	case "refresh_token":
		p.refreshes++
		if p.refresh[r.Form.Get("refresh_token")] != id || p.user == nil {
			fail("invalid_grant")
			return
		}
		delete(p.refresh, r.Form.Get("refresh_token")) // each is good once
	default:
		if !p.approved {
			fail("authorization_pending")
			return
		}
	}
	next := rand.Text()
	p.refresh[next] = id
	access := p.claims(map[string]any{"aud": Client, "azp": id, "typ": "Bearer", "jti": rand.Text()})
	access["exp"] = time.Now().Add(p.lasts).Unix()
	said := p.claims(map[string]any{"aud": id, "typ": "ID"})
	if nonce != "" {
		said["nonce"] = nonce
	}
	if p.changing != nil {
		p.changing(said)
	}
	answer(w, map[string]any{
		"access_token": p.sign(access, p.key, jose.EdDSA, "JWT"), "id_token": p.sign(said, p.key, jose.EdDSA, "JWT"), "refresh_token": next,
		"token_type": "Bearer", "expires_in": int(p.lasts.Seconds()),
	})
}

func (p *Provider) claims(more map[string]any) map[string]any {
	all := map[string]any{"iss": p.URL, "sid": "session-1", "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}
	maps.Copy(all, p.user)
	maps.Copy(all, more)
	return all
}

// Access is an access token of who is logged in, in which something is otherwise; nil leaves out.
func (p *Provider) Access(otherwise map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(p.claims(mergedInto(map[string]any{"aud": Client, "azp": "tests", "typ": "Bearer"}, otherwise)), p.key, jose.EdDSA, "JWT")
}

// Logout is a logout token of who is logged in, in which something is otherwise; nil leaves out.
func (p *Provider) Logout(otherwise map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	return p.sign(p.claims(mergedInto(map[string]any{"aud": Client, "typ": "Logout", "jti": rand.Text(), "events": events}, otherwise)), p.key, jose.EdDSA, "logout+jwt")
}

func mergedInto(all, otherwise map[string]any) map[string]any {
	maps.Copy(all, otherwise)
	return all
}

// Signed is a token that says something, signed with a key.
func (p *Provider) Signed(claims map[string]any, key any, id string, algorithm jose.SignatureAlgorithm) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(p.claims(claims), jose.JSONWebKey{Key: key, KeyID: id}, algorithm, "JWT")
}

func (p *Provider) sign(claims map[string]any, key jose.JSONWebKey, algorithm jose.SignatureAlgorithm, kind jose.ContentType) string {
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType(kind))
	require.NoError(p.t, err)
	raw, err := json.Marshal(claims)
	require.NoError(p.t, err)
	signed, err := signer.Sign(raw)
	require.NoError(p.t, err)
	text, err := signed.CompactSerialize()
	require.NoError(p.t, err)
	return text
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
