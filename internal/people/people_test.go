package people_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/internal/store/storetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const adminToken = "the first admin's token"

// server is one of several servers on the same database.
func server(t *testing.T, s *store.Store) (p *people.People, tokenFile string) {
	t.Helper()
	return serverWith(t, people.Config{Store: s})
}

func serverWith(t *testing.T, c people.Config) (p *people.People, tokenFile string) {
	t.Helper()
	dir := t.TempDir()
	tokenFile = filepath.Join(dir, auth.TokenFile)
	require.NoError(t, os.WriteFile(tokenFile, []byte(adminToken), 0o600))
	admin, _, err := auth.OpenAdminToken(dir)
	require.NoError(t, err)
	c.Admin, c.Sessions, c.Logger = admin, auth.NewSessions(admin.Token, c.Store), slog.New(slog.DiscardHandler)
	p, err = people.New(t.Context(), c)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return p, tokenFile
}

func admin(t *testing.T) context.Context {
	return people.As(t.Context(), people.Who{Name: auth.Admin})
}

// let reports whether a bearer token lets in, and who that is.
func let(t *testing.T, p *people.People, token string) (string, bool) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	who, ok, err := p.Identify(r)
	require.NoError(t, err)
	return who.Name, ok
}

func TestATokenLetsInUntilItIsRevokedOnAllServers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		one, _ := server(t, s)
		two, _ := server(t, s) // which hears of changes, or looks for them
		_, err := one.CreateUser(admin(t), []byte(`{"name":"anna"}`))
		require.NoError(t, err)
		made, err := one.CreateToken(admin(t), []byte(`{"name":"ci","user":"anna","roles":["viewer"]}`))
		require.NoError(t, err)
		name, ok := let(t, one, made.Token)
		assert.True(t, ok, "at once here")
		assert.Equal(t, "anna", name)
		require.Eventually(t, func() bool { _, ok := let(t, two, made.Token); return ok }, 10*time.Second, 10*time.Millisecond)
		_, ok = let(t, one, made.Token+"x")
		assert.False(t, ok)

		rows, err := s.Read().Tokens(t.Context(), "anna")
		require.NoError(t, err)
		assert.NotContains(t, rows[0].Hash, made.Token)

		tokens, err := one.Tokens(admin(t), "anna")
		require.NoError(t, err)
		assert.NotNil(t, tokens[0].LastUsedAt)

		require.NoError(t, one.RevokeToken(admin(t), made.ID))
		_, ok = let(t, one, made.Token)
		assert.False(t, ok, "at once here")
		require.Eventually(t, func() bool { _, ok := let(t, two, made.Token); return !ok }, 10*time.Second, 10*time.Millisecond)
	})
}

func TestATokenHasNoMoreThanItsUser(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, _ := server(t, s)
	_, err = p.CreateUser(admin(t), []byte(`{"name":"anna"}`))
	require.NoError(t, err)
	for _, role := range []string{"viewer", "operator"} {
		_, err = p.CreateGrant(admin(t), []byte(`{"user":"anna","role":"`+role+`"}`))
		require.NoError(t, err)
	}
	as := func(token string) context.Context {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		who, ok, err := p.Identify(r)
		require.NoError(t, err)
		require.True(t, ok)
		return people.As(t.Context(), who)
	}
	issue := func(ctx context.Context, body string) *api.IssuedToken {
		made, err := p.CreateToken(ctx, []byte(body))
		require.NoError(t, err)
		return made
	}
	vm := people.What{Kind: "vm"}
	whole, part := issue(admin(t), `{"name":"all","user":"anna"}`), issue(admin(t), `{"name":"part","user":"anna","roles":["viewer"]}`)
	assert.Equal(t, people.Allowed, p.Decide(as(whole.Token), "start", vm))
	assert.Equal(t, people.Denied, p.Decide(as(part.Token), "start", vm))
	assert.Equal(t, people.Allowed, p.Decide(as(part.Token), people.Read, vm))
	child := issue(as(part.Token), `{"name":"child"}`)
	assert.Equal(t, []string{"viewer"}, child.Roles, "it is made of one that has no more")
	_, err = p.CreateToken(as(part.Token), []byte(`{"name":"more","roles":["operator"]}`))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	_, err = p.CreateToken(as(whole.Token), []byte(`{"name":"other","user":"kim"}`))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))

	// What is no resource has no labels; a rule about labels is not about it, whatever they must not be.
	_, err = p.CreateRole(admin(t), []byte(`{"name":"no-prod","rules":[{"verbs":["*"],"kinds":["*"],"labels":["env!=prod"]}]}`))
	require.NoError(t, err)
	_, err = p.CreateUser(admin(t), []byte(`{"name":"kim"}`))
	require.NoError(t, err)
	_, err = p.CreateGrant(admin(t), []byte(`{"user":"kim","role":"no-prod"}`))
	require.NoError(t, err)
	kim := issue(admin(t), `{"name":"t","user":"kim"}`)
	_, err = p.CreateToken(as(kim.Token), []byte(`{"name":"taken","user":"anna"}`))
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(p.RevokeToken(as(kim.Token), whole.ID)))

	disabled := as(whole.Token)
	_, err = p.UpdateUser(admin(t), "anna", []byte(`{"disabled":true}`))
	require.NoError(t, err)
	_, ok := let(t, p, whole.Token)
	assert.False(t, ok)
	assert.Equal(t, people.Denied, p.Decide(disabled, people.Read, vm), "what was let in before may do nothing any more")
}

func TestTheAdminTokenIsChangedAndSwitchedOffWhileServing(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, file := server(t, s)
	write := func(text string) {
		next := file + ".new"
		require.NoError(t, os.WriteFile(next, []byte(text), 0o600))
		require.NoError(t, os.Rename(next, file))
	}
	_, ok := let(t, p, adminToken)
	assert.True(t, ok)
	write("another token of the admin\n")
	_, ok = let(t, p, adminToken)
	assert.False(t, ok)
	_, ok = let(t, p, "another token of the admin")
	assert.True(t, ok)
	write(auth.TokenOff)
	for _, token := range []string{"another token of the admin", auth.TokenOff, ""} {
		_, ok = let(t, p, token)
		assert.False(t, ok, token)
	}
}

func TestWrongPasswordsLockOnAllServers(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	one, _ := server(t, s)
	two, _ := server(t, s)
	const password = "correct horse battery"
	_, err = one.CreateUser(admin(t), []byte(`{"name":"anna","password":"`+password+`"}`))
	require.NoError(t, err)
	require.NoError(t, two.CheckLogin(t.Context(), "anna", password, ""))
	unknown := one.CheckLogin(t.Context(), "nobody", password, "")
	for range 5 {
		err = one.CheckLogin(t.Context(), "anna", "wrong", "")
		assert.Equal(t, unknown.Error(), err.Error(), "nobody learns who there is")
	}
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(two.CheckLogin(t.Context(), "anna", password, "")), "it is locked, also for who knows it")
	user, err := two.User(t.Context(), "anna")
	require.NoError(t, err)
	assert.NotNil(t, user.LockedUntil)
	_, err = two.UpdateUser(admin(t), "anna", []byte(`{"unlock":true}`))
	require.NoError(t, err)
	require.NoError(t, one.CheckLogin(t.Context(), "anna", password, ""))
}

func TestAnInvitationIsGoodOnce(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, _ := server(t, s)
	_, err = p.CreateUser(admin(t), []byte(`{"name":"anna"}`))
	require.NoError(t, err)
	before, err := p.Invite(admin(t), "anna")
	require.NoError(t, err)
	invited, err := p.Invite(admin(t), "anna")
	require.NoError(t, err)
	accept := func(code, password string) error {
		_, err := p.Accept(t.Context(), []byte(`{"code":"`+code+`","password":"`+password+`"}`))
		return err
	}
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(accept(before.Code, "correct horse battery")), "another one took its place")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(accept(invited.Code, "password1234")))
	require.NoError(t, accept(invited.Code, "correct horse battery"))
	assert.Equal(t, resource.CodeNotFound, resource.CodeOf(accept(invited.Code, "correct horse battery")))
	made, err := p.LogIn(t.Context(), []byte(`{"user":"anna","password":"correct horse battery","name":"cli"}`))
	require.NoError(t, err)
	name, ok := let(t, p, made.Token)
	assert.True(t, ok)
	assert.Equal(t, "anna", name)
}

func TestWhatIsNoUsersTokenIsNamedInTheAuditTrail(t *testing.T) {
	s, err := store.OpenSQLite(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p, _ := server(t, s)
	p.Spider, err = auth.NewPassword("tumblebug", "secret of tumblebug")
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.SetBasicAuth("tumblebug", "secret of tumblebug")
	who, ok, err := p.IdentifySpider(r)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, auth.UsedToken{ID: auth.Spider, Name: "SPIDER_PASSWORD"}, auth.Used(people.As(t.Context(), who)))
	r.Header.Set("Authorization", "Bearer "+adminToken)
	who, ok, err = p.Identify(r)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, auth.UsedToken{ID: auth.Admin, Name: "admin token"}, auth.Used(people.As(t.Context(), who)))
}
