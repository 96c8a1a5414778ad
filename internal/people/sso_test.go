package people_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/internal/sso/ssotest"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func claims(subject, name string, groups ...string) map[string]any {
	return map[string]any{"sub": subject, "preferred_username": name, "name": strings.ToUpper(name), "groups": groups}
}

// ssoServer makes servers of the same provider on the same database.
func ssoServer(t *testing.T, s *store.Store, played *ssotest.Provider) func() *people.People {
	t.Helper()
	key, err := secret.NewKey()
	require.NoError(t, err)
	return func() *people.People {
		provider, err := sso.New(sso.Config{Issuer: played.URL, Client: ssotest.Client, Secret: ssotest.Secret})
		require.NoError(t, err)
		p, _ := serverWith(t, people.Config{Store: s, Sealer: secret.NewSealer(key, nil), SSO: provider})
		return p
	}
}

// browser is one with its cookies.
type browser struct {
	t       *testing.T
	cookies map[string]string
}

func (b *browser) request(method, at string) *http.Request {
	r := httptest.NewRequestWithContext(b.t.Context(), method, at, nil)
	r.Header.Set(auth.SessionHeader, "1")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

const callback = "http://127.0.0.1/v1/session/sso/callback"

// begin goes to the provider, and answers where that sends back to.
func (b *browser) begin(p *people.People) (back string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	location, err := p.BeginSSO(w, b.request(http.MethodGet, "/v1/session/sso"), callback, "/vms")
	require.NoError(b.t, err)
	b.keep(w)
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, location, nil)
	require.NoError(b.t, err)
	answer, err := client.Do(r)
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	return answer.Header.Get("Location")
}

func (b *browser) finish(p *people.People, back string) error {
	w := httptest.NewRecorder()
	_, err := p.FinishSSO(w, b.request(http.MethodGet, back))
	b.keep(w)
	return err
}

// who answers who the browser is, "" for nobody.
func (b *browser) who(p *people.People) string {
	who, ok, err := p.Identify(b.request(http.MethodGet, "/"))
	require.NoError(b.t, err)
	if !ok {
		return ""
	}
	return who.Name
}

func loggedIn(t *testing.T, p *people.People) *browser {
	t.Helper()
	b := &browser{t, map[string]string{}}
	require.NoError(t, b.finish(p, b.begin(p)))
	return b
}

func TestALoginByTheProviderHoldsOnAllServers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		played := ssotest.New(t, claims("1", "Anna", "team-a", "unknown"))
		another := ssoServer(t, s, played)
		one, two := another(), another()
		_, err := one.CreateUser(admin(t), []byte(`{"name":"anna","password":"correct horse battery"}`))
		require.NoError(t, err)
		for _, group := range []string{"team-a", "team-b"} {
			_, err = one.CreateGroup(admin(t), []byte(`{"name":"`+group+`"}`))
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return len(two.Groups(t.Context())) == 2 }, 10*time.Second, 10*time.Millisecond)

		b := &browser{t, map[string]string{}}
		require.NoError(t, b.finish(two, b.begin(one)), "begun at one server and finished at another one")
		assert.Equal(t, "anna-2", b.who(one), "a local user is nobody else's")
		assert.Equal(t, "anna-2", b.who(two))
		user, err := one.User(t.Context(), "anna-2")
		require.NoError(t, err)
		assert.Equal(t, "ANNA "+played.URL, user.Title+" "+user.SingleSignOn)
		assert.NotNil(t, user.LastLoginAt)
		require.Eventually(t, func() bool { return slices.Equal(groupsOf(t, one, "anna-2"), []string{"team-a"}) }, 10*time.Second, 10*time.Millisecond)

		// The name at the provider comes to be another's: that is another user here.
		played.User(claims("2", "anna", "team-b"))
		other := loggedIn(t, two)
		assert.Equal(t, "anna-3", other.who(two))
		// Who is renamed stays who he is, and the groups are those that he is in now.
		played.User(claims("1", "anne", "team-b"))
		require.NoError(t, b.finish(two, b.begin(two)))
		assert.Equal(t, "anna-2", b.who(two))
		assert.Equal(t, []string{"team-b"}, groupsOf(t, two, "anna-2"))

		for _, change := range []string{`{"password":"correct horse battery"}`, `{"groups":["team-a"]}`} {
			_, err = two.UpdateUser(admin(t), "anna-2", []byte(change))
			assert.Equal(t, resource.CodeConflict, resource.CodeOf(err), change)
		}
		_, err = two.Invite(admin(t), "anna-2")
		assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
		assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(two.CheckLogin(t.Context(), "anna-2", "", "")))

		_, err = two.UpdateUser(admin(t), "anna-2", []byte(`{"disabled":true}`))
		require.NoError(t, err)
		assert.Empty(t, b.who(two))
		assert.Equal(t, resource.CodeDenied, resource.CodeOf(b.finish(two, b.begin(two))))
		entries, _, err := s.Read().ListAudit(t.Context(), store.Query{Limit: 100})
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(entries, func(e store.Audit) bool {
			return e.Who == "anna-2" && e.Verb == "login" && e.Detail == "by single sign-on, client mcic, session session-1"
		}))
	})
}

func groupsOf(t *testing.T, p *people.People, user string) []string {
	t.Helper()
	u, err := p.User(t.Context(), user)
	require.NoError(t, err)
	return u.Groups
}

func sqlite(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestALoginIsFinishedInTheBrowserThatBeganIt(t *testing.T) {
	s := sqlite(t)
	played := ssotest.New(t, claims("1", "anna"))
	p := ssoServer(t, s, played)()
	b := &browser{t, map[string]string{}}
	back := b.begin(p)
	refused := func(b *browser, back string) {
		t.Helper()
		err := b.finish(p, back)
		assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%v", err)
		assert.Empty(t, b.who(p))
	}
	refused(&browser{t, map[string]string{}}, back)                         // another browser
	refused(&browser{t, map[string]string{"mcic_sso": "bm90aGluZw"}}, back) // one with a cookie that we did not make
	at, err := url.Parse(back)
	require.NoError(t, err)
	query := at.Query()
	query.Set("state", "another")
	refused(&browser{t, map[string]string{"mcic_sso": b.cookies["mcic_sso"]}}, callback+"?"+query.Encode())
	refused(&browser{t, map[string]string{"mcic_sso": b.cookies["mcic_sso"]}}, callback+"?error=access_denied&state="+at.Query().Get("state"))
	again := &browser{t, map[string]string{"mcic_sso": b.cookies["mcic_sso"]}}
	require.NoError(t, b.finish(p, back))
	assert.Equal(t, "anna", b.who(p))
	refused(again, back) // a code is good once
}

func TestALoginIsAskedForAgain(t *testing.T) {
	s := sqlite(t)
	played := ssotest.New(t, claims("1", "anna", "team-a"))
	played.Lasts(time.Second)
	another := ssoServer(t, s, played)
	p := another()
	for _, group := range []string{"team-a", "team-b"} {
		_, err := p.CreateGroup(admin(t), []byte(`{"name":"`+group+`"}`))
		require.NoError(t, err)
	}
	b := loggedIn(t, p)
	groups := func() string { return fmt.Sprint(groupsOf(t, p, "anna")) }
	assert.Equal(t, "[team-a]", groups())
	played.User(claims("1", "anna", "team-b"))
	require.Eventually(t, func() bool { assert.Equal(t, "anna", b.who(p)); return groups() == "[team-b]" }, 10*time.Second, 50*time.Millisecond)
	_, refreshes, _ := played.Count()
	assert.GreaterOrEqual(t, refreshes, 1)

	// While the provider is away the login goes on, for an hour.
	played.Down(true)
	age := func(fresh, kept time.Duration) {
		require.NoError(t, s.Update(t.Context(), func(ctx context.Context, q *store.Queries) error {
			rows, err := q.SubjectLogins(ctx, played.URL, "1", "")
			require.NoError(t, err)
			require.Len(t, rows, 1)
			rows[0].FreshUntil, rows[0].KeptUntil = store.MicrosOf(time.Now().Add(fresh)), store.MicrosOf(time.Now().Add(kept))
			return q.RenewLogin(ctx, &rows[0])
		}))
	}
	age(-time.Minute, time.Minute)
	assert.Equal(t, "anna", b.who(p))
	for _, fresh := range []time.Duration{-time.Minute, time.Minute} { // also while another request asks
		age(fresh, -time.Second)
		_, _, err := p.Identify(b.request(http.MethodGet, "/"))
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
	}
	played.Down(false)
	age(-time.Minute, -time.Second)
	assert.Equal(t, "anna", b.who(p), "it is there again, and so is the login")

	// Many at once ask once, on whichever server.
	two := another()
	age(-time.Minute, -time.Second)
	_, before, _ := played.Count()
	done := make(chan string)
	for i := range 8 {
		go func() {
			q := p
			if i%2 == 0 {
				q = two
			}
			who, _, err := q.Identify(b.request(http.MethodGet, "/"))
			done <- fmt.Sprint(who.Name, err)
		}()
	}
	for range 8 {
		assert.Equal(t, "anna<nil>", <-done)
	}
	_, after, _ := played.Count()
	assert.Equal(t, 1, after-before)

	age(365*24*time.Hour, 366*24*time.Hour)
	_, before, _ = played.Count()
	assert.Equal(t, "anna", b.who(p))
	_, after, _ = played.Count()
	assert.Equal(t, 1, after-before, "a clock that was ahead by a year does not have it last for one")

	played.User(nil)
	age(-time.Minute, time.Minute)
	assert.Empty(t, b.who(p), "the provider does not know the login any more")
	assert.Empty(t, b.who(two))
}

func TestTheProviderEndsLogins(t *testing.T) {
	s := sqlite(t)
	played := ssotest.New(t, claims("1", "anna"))
	another := ssoServer(t, s, played)
	one, two := another(), another()
	anna := loggedIn(t, one)
	played.User(map[string]any{"sub": "1", "preferred_username": "anna", "sid": "session-2"})
	elsewhere := loggedIn(t, two)
	played.User(map[string]any{"sub": "2", "preferred_username": "bert", "sid": "session-3"})
	bert := loggedIn(t, one)
	played.User(claims("1", "anna"))

	token := played.Logout(map[string]any{"sub": nil}) // of the session
	require.NoError(t, two.EndSSO(t.Context(), token))
	assert.Empty(t, anna.who(one))
	assert.Equal(t, "anna", elsewhere.who(one))
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(one.EndSSO(t.Context(), token)), "it is told once")
	require.NoError(t, one.EndSSO(t.Context(), played.Logout(map[string]any{"sid": nil}))) // all of the user
	assert.Empty(t, elsewhere.who(two))
	assert.Equal(t, "bert", bert.who(two))
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(one.EndSSO(t.Context(), played.Logout(map[string]any{"aud": "shop"}))))

	w := httptest.NewRecorder()
	at, err := two.EndLogin(w, bert.request(http.MethodDelete, "/v1/session"), "http://127.0.0.1/")
	require.NoError(t, err)
	assert.Contains(t, at, played.URL+"/end?")
	assert.Empty(t, bert.who(one))
}

func TestATokenOfTheProviderLetsIn(t *testing.T) {
	s := sqlite(t)
	played := ssotest.New(t, claims("1", "anna", "team-a"))
	p := ssoServer(t, s, played)()
	for _, body := range []string{"team-a", "team-b"} {
		_, err := p.CreateGroup(admin(t), []byte(`{"name":"`+body+`"}`))
		require.NoError(t, err)
	}
	for group, connection := range map[string]string{"team-a": "a", "team-b": "b"} {
		_, err := p.CreateGrant(admin(t), []byte(`{"group":"`+group+`","role":"viewer","connections":["`+connection+`"]}`))
		require.NoError(t, err)
	}
	may := func(token, connection string) bool {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		who, ok, err := p.Identify(r)
		require.NoError(t, err)
		return ok && p.Decide(people.As(t.Context(), who), people.Read, people.What{Kind: "vm", Connection: connection}) == people.Allowed
	}
	token := played.Access(map[string]any{"jti": "t1"})
	assert.True(t, may(token, "a"))
	assert.False(t, may(token, "b"))
	assert.True(t, may(played.Access(map[string]any{"groups": []string{"team-b", "nobody-here"}}), "b"), "what a token says counts for that token")
	assert.True(t, may(token, "a"))
	name, ok := let(t, p, token)
	assert.True(t, ok)
	assert.Equal(t, "anna", name)

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	who, ok, err := p.IdentifySpider(r)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = p.CreateToken(people.As(t.Context(), who), []byte(`{"name":"longer"}`))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "it makes nothing that lasts longer")
	r.Header.Set("Authorization", "Bearer "+played.Access(map[string]any{"aud": "shop"}))
	_, ok, err = p.Identify(r)
	assert.False(t, ok)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))

	_, err = p.UpdateUser(admin(t), "anna", []byte(`{"disabled":true}`))
	require.NoError(t, err)
	assert.False(t, may(token, "a"))
	assert.Equal(t, people.Denied, p.Decide(people.As(t.Context(), who), people.Read, people.What{Kind: "vm", Connection: "a"}), "what was let in before may do nothing any more")

	entries, _, err := s.Read().ListAudit(t.Context(), store.Query{Limit: 100})
	require.NoError(t, err)
	logins := 0
	for _, e := range entries {
		assert.NotContains(t, e.Detail, token)
		if e.Detail == "by single sign-on, client tests, session session-1, token t1" {
			logins++
		}
	}
	assert.Equal(t, 1, logins, "each token is noted once")
	for _, reserved := range []string{"admin", "system", "nobody", "Öä!", ""} {
		played.User(claims("of "+reserved, reserved))
		name, ok := let(t, p, played.Access(map[string]any{"preferred_username": reserved + " "}))
		assert.True(t, ok)
		assert.NotEqual(t, reserved, name)
	}
}
