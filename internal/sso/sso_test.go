package sso_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/sso/ssotest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func anna() map[string]any {
	return map[string]any{"sub": "4711", "preferred_username": "anna", "name": "Anna Kim", "groups": []string{"team-a", "/team-b", "other"}}
}

func provider(t *testing.T, change func(*sso.Config)) (*ssotest.Provider, *sso.Provider) {
	t.Helper()
	played := ssotest.New(t, anna())
	c := sso.Config{Issuer: played.URL, Client: ssotest.Client, Secret: ssotest.Secret}
	if change != nil {
		change(&c)
	}
	p, err := sso.New(c)
	require.NoError(t, err)
	return played, p
}

func TestATokenOfTheProviderSaysWhoItIsOf(t *testing.T) {
	played, p := provider(t, nil)
	token := played.Access(map[string]any{"jti": "t1"})
	id, first, err := p.Bearer(t.Context(), token)
	require.NoError(t, err)
	assert.True(t, first)
	assert.Equal(t, "4711 anna Anna Kim [other team-a team-b] tests t1", fmt.Sprint(id.Subject, " ", id.Name, " ", id.Title, " ", id.Groups, " ", id.Client, " ", id.Token))
	again, first, err := p.Bearer(t.Context(), token)
	require.NoError(t, err)
	assert.False(t, first)
	assert.Same(t, id, again)

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	played.Publish(jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "rsa"})
	played.Publish(jose.JSONWebKey{Key: ecKey.Public(), KeyID: "ec"})
	_, p = fresh(t, played)
	for algorithm, key := range map[jose.SignatureAlgorithm]any{jose.RS256: rsaKey, jose.PS256: rsaKey, jose.ES256: ecKey} {
		id := "rsa"
		if algorithm == jose.ES256 {
			id = "ec"
		}
		_, _, err := p.Bearer(t.Context(), played.Signed(map[string]any{"aud": ssotest.Client}, key, id, algorithm))
		assert.NoError(t, err, algorithm)
	}
}

// fresh is another server of the same provider.
func fresh(t *testing.T, played *ssotest.Provider) (*ssotest.Provider, *sso.Provider) {
	t.Helper()
	p, err := sso.New(sso.Config{Issuer: played.URL, Client: ssotest.Client, Secret: ssotest.Secret})
	require.NoError(t, err)
	return played, p
}

func TestATokenThatDoesNotLetIn(t *testing.T) {
	played, p := provider(t, nil)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	played.Publish(jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "rsa"})
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	unsigned := func(header string) string {
		said, err := json.Marshal(map[string]any{"iss": played.URL, "sub": "4711", "aud": ssotest.Client, "preferred_username": "anna", "exp": time.Now().Add(time.Hour).Unix()})
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(said) + "."
	}
	good := played.Access(nil)
	forMe := map[string]any{"aud": ssotest.Client}
	for name, c := range map[string]struct{ token, says string }{
		"another issuer":               {played.Access(map[string]any{"iss": "https://other.example.com"}), "different provider"},
		"for somebody else":            {played.Access(map[string]any{"aud": []string{"account", "shop"}}), "made for account, shop and not for mcic"},
		"for nobody":                   {played.Access(map[string]any{"aud": nil}), "made for nobody"},
		"run out":                      {played.Access(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), "has run out"},
		"without an end":               {played.Access(map[string]any{"exp": nil}), "has run out"},
		"not good yet":                 {played.Access(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}), "not before"},
		"of nobody":                    {played.Access(map[string]any{"sub": nil}), "who it is of"},
		"without a name":               {played.Access(map[string]any{"preferred_username": nil}), "--sso-user-claim"},
		"an ID token":                  {played.Access(map[string]any{"typ": "ID"}), "no access token"},
		"an ID token, of others":       {played.Access(map[string]any{"typ": nil, "nonce": "x"}), "no access token"},
		"a logout token":               {played.Logout(nil), "no access token"},
		"a token to renew":             {played.Access(map[string]any{"typ": "Refresh"}), "no access token"},
		"alg none":                     {unsigned(`{"alg":"none"}`), ""},
		"alg none, with a key":         {unsigned(`{"alg":"none","kid":"first"}`), ""},
		"HS256 with the public key":    {played.Signed(forMe, public, "rsa", jose.HS256), ""},
		"HS256 with the secret":        {played.Signed(forMe, []byte(ssotest.Secret+ssotest.Secret), "first", jose.HS256), ""},
		"RS512":                        {played.Signed(forMe, rsaKey, "rsa", jose.RS512), ""},
		"a stranger's key":             {played.Signed(forMe, stranger, "first", jose.EdDSA), "no key of the provider"},
		"a stranger's key, named so":   {played.Signed(forMe, stranger, "stranger", jose.EdDSA), "no key of the provider"},
		"another payload":              {strings.Replace(good, ".", ".e30", 1), ""},
		"another key's name":           {played.Signed(forMe, rsaKey, "first", jose.RS256), "no key of the provider"},
		"half of one":                  {good[:len(good)-20], ""},
		"signed, with what is no JSON": {"eyJhbGciOiJFZERTQSJ9.e30.e30", ""},
	} {
		_, _, err := p.Bearer(t.Context(), c.token)
		assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%s: %v", name, err)
		if err != nil {
			assert.Contains(t, err.Error(), c.says, name)
			assert.NotContains(t, err.Error(), strings.Split(c.token, ".")[1], name)
		}
	}
	_, _, err = p.Bearer(t.Context(), good)
	require.NoError(t, err)
	_, _, err = p.Bearer(t.Context(), played.Access(map[string]any{"exp": time.Now().Add(-10 * time.Second).Unix()}))
	assert.NoError(t, err, "clocks differ a little")
}

func TestAudiencesGroupsAndWhoIsLetIn(t *testing.T) {
	played, p := provider(t, func(c *sso.Config) {
		c.Audiences, c.UserClaim, c.GroupsClaim = []string{"shop"}, "email", "realm_access.roles"
		c.Groups, c.GroupPrefix, c.Required = map[string]string{"ops": "operators"}, "mcic-", "staff"
	})
	said := func(roles ...string) map[string]any {
		return map[string]any{"aud": "shop", "email": "anna@example.com", "realm_access": map[string]any{"roles": roles}}
	}
	id, _, err := p.Bearer(t.Context(), played.Access(said("ops", "/mcic-team-a", "staff", "admin", "mcic-")))
	require.NoError(t, err)
	assert.Equal(t, "anna@example.com", id.Name)
	assert.Equal(t, []string{"operators", "team-a"}, id.Groups, "nothing else is anything here")
	_, _, err = p.Bearer(t.Context(), played.Access(said("ops")))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	_, _, err = p.Bearer(t.Context(), played.Access(map[string]any{"aud": "shop", "email": "anna@example.com", "realm_access": "staff"}))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "what is no list of groups is none")
}

func TestKeysAreReadAnewForNewOnesOnly(t *testing.T) {
	played, p := provider(t, nil)
	for range 3 {
		_, _, err := p.Bearer(t.Context(), played.Access(map[string]any{"jti": rand.Text()}))
		require.NoError(t, err)
	}
	keys, _, _ := played.Count()
	assert.Equal(t, 1, keys)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for i := range 50 { // made-up keys are no flood
		_, _, err := p.Bearer(t.Context(), played.Signed(map[string]any{"aud": ssotest.Client}, stranger, fmt.Sprint("made-up-", i), jose.EdDSA))
		require.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	}
	keys, _, _ = played.Count()
	assert.LessOrEqual(t, keys, 2)

	played.Rotate("second")
	old := played.Access(nil)
	require.Eventually(t, func() bool { _, _, err := p.Bearer(t.Context(), old); return err == nil }, 20*time.Second, 100*time.Millisecond, "it is looked for soon")

	played.Down(true)
	_, _, err = p.Bearer(t.Context(), played.Access(map[string]any{"jti": "new"}))
	require.NoError(t, err, "keys that are known go on")
	_, unreached := fresh(t, played)
	_, _, err = unreached.Bearer(t.Context(), old)
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	_, _, err = unreached.Begin(t.Context(), "http://127.0.0.1/cb")
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.Contains(t, err.Error(), "try again")
	played.Down(false)
	require.Eventually(t, func() bool { _, _, err := unreached.Bearer(t.Context(), old); return err == nil }, 20*time.Second, 100*time.Millisecond, "and it comes back without a restart")
}

// come has a browser go to the provider and come back with a code.
func come(t *testing.T, p *sso.Provider) (sso.Attempt, string) {
	t.Helper()
	location, a, err := p.Begin(t.Context(), "http://127.0.0.1/cb")
	require.NoError(t, err)
	browser := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, location, nil)
	require.NoError(t, err)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	back, err := url.Parse(answer.Header.Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, a.State, back.Query().Get("state"))
	return a, back.Query().Get("code")
}

func TestALoginIsFinishedOnceByWhoBeganIt(t *testing.T) {
	played, p := provider(t, nil)
	a, code := come(t, p)
	_, err := p.Finish(t.Context(), sso.Attempt{State: a.State, Nonce: a.Nonce, Verifier: strings.Repeat("x", 43), Callback: a.Callback}, code)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "without the verifier: %v", err)
	a, code = come(t, p)
	login, err := p.Finish(t.Context(), a, code)
	require.NoError(t, err)
	assert.Equal(t, "anna", login.Name)
	assert.Equal(t, "session-1", login.Session)
	_, err = p.Finish(t.Context(), a, code)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "a code is good once")

	for name, change := range map[string]func(map[string]any){
		"nonce":          func(c map[string]any) { c["nonce"] = "of another login" },
		"no nonce":       func(c map[string]any) { c["nonce"] = nil },
		"audience":       func(c map[string]any) { c["aud"] = "shop" },
		"party":          func(c map[string]any) { c["aud"], c["azp"] = []string{"mcic", "shop"}, "shop" },
		"issuer":         func(c map[string]any) { c["iss"] = "https://other.example.com" },
		"run out":        func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"another token":  func(c map[string]any) { c["typ"] = "Bearer" },
		"a logout token": func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} },
	} {
		played.Changing(change)
		a, code := come(t, p)
		_, err := p.Finish(t.Context(), a, code)
		assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%s: %v", name, err)
	}

	played.Changing(nil)
	renewed, err := p.Renew(t.Context(), "4711", login.Kept)
	require.NoError(t, err)
	assert.NotEqual(t, login.Kept.Refresh, renewed.Kept.Refresh)
	_, err = p.Renew(t.Context(), "another", renewed.Kept)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	played.User(nil)
	_, err = p.Renew(t.Context(), "4711", login.Kept)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	played.Down(true)
	_, err = p.Renew(t.Context(), "4711", login.Kept)
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))

	at, err := p.EndSession(t.Context(), login.Kept, "http://127.0.0.1/")
	require.NoError(t, err)
	assert.Contains(t, at, played.URL+"/end?client_id=mcic&id_token_hint=")
}

func TestAWrongClientIsTheServersFault(t *testing.T) {
	_, p := provider(t, func(c *sso.Config) { c.Secret = "wrong" })
	a, code := come(t, p)
	_, err := p.Finish(t.Context(), a, code)
	require.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
	assert.Contains(t, err.Error(), "--sso-secret-file")
}

func TestALogoutTokenIsLookedAt(t *testing.T) {
	played, p := provider(t, nil)
	told, err := p.LoggedOut(t.Context(), played.Logout(nil))
	require.NoError(t, err)
	assert.Equal(t, "4711 session-1", told.Subject+" "+told.Session)
	for name, otherwise := range map[string]map[string]any{
		"issuer": {"iss": "https://other.example.com"}, "audience": {"aud": "shop"}, "no events": {"events": nil},
		"another event": {"events": map[string]any{"x": map[string]any{}}}, "no object": {"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": 1}},
		"nonce": {"nonce": "x"}, "of nobody": {"sub": nil, "sid": nil}, "no id": {"jti": nil}, "run out": {"exp": time.Now().Add(-time.Hour).Unix()},
		"old": {"iat": time.Now().Add(-time.Hour).Unix(), "exp": nil}, "no time": {"iat": nil}, "of the future": {"iat": time.Now().Add(time.Hour).Unix()},
	} {
		_, err := p.LoggedOut(t.Context(), played.Logout(otherwise))
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%s: %v", name, err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	events := map[string]any{"aud": ssotest.Client, "jti": "x", "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	for _, token := range []string{"", "x", played.Access(nil), played.Signed(events, stranger, "first", jose.EdDSA)} {
		_, err := p.LoggedOut(t.Context(), token)
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	}
}

func TestAWrongIssuerIsRefused(t *testing.T) {
	for _, issuer := range []string{"", "sso.example.com", "ftp://sso.example.com", "https://sso.example.com/?x=1"} {
		_, err := sso.New(sso.Config{Issuer: issuer})
		assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), issuer)
	}
	_, err := sso.New(sso.Config{Issuer: "https://sso.example.com", CA: []byte("no certificate")})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
	assert.True(t, sso.OnThisMachine("https://sso.example.com") && sso.OnThisMachine("http://127.0.0.1:8080/x") && !sso.OnThisMachine("http://sso.example.com"))
}

func BenchmarkBearer(b *testing.B) {
	played := ssotest.New(b, anna())
	p, err := sso.New(sso.Config{Issuer: played.URL, Client: ssotest.Client})
	require.NoError(b, err)
	token := played.Access(nil)
	for b.Loop() {
		if _, _, err := p.Bearer(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
