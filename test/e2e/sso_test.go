package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/test/keycloak/keycloaktest"
)

// ssoWorld is a server whose users come from a real Keycloak: who is in team-a may see the
// connection mock, who is in team-b the connection other.
type ssoWorld struct {
	*world
	keycloak *keycloaktest.Keycloak
}

// TestSingleSignOnByKeycloak walks through what users, programs and operators do with single
// sign-on. Keycloak takes long to start, so it does so once, and ends in the last of the tests.
func TestSingleSignOnByKeycloak(t *testing.T) {
	keycloak, err := keycloaktest.Start(t.Context())
	if err != nil && os.Getenv(keycloaktest.EnvRequire) == "" {
		t.Skipf("SKIPPED, nothing was tested: set up Keycloak: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Keycloak's log ends with:\n%s", keycloak.Output())
		}
		_ = keycloak.Stop() // the last test has done so
	})
	w := ssoWorld{newWorld(t, "--dev", "--sso-issuer", keycloak.Issuer, "--sso-ca", keycloak.CA, "--sso-client", keycloak.Client,
		"--sso-secret-file", keycloak.SecretFile, "--sso-cli-client", keycloak.CommandLine), keycloak}
	require.NoError(t, keycloak.Serve(t.Context(), w.Address))
	require.NoError(t, keycloak.Lifespan(t.Context(), keycloak.Program, "1"))
	w.do("connection create other --cloud mock --region mock-seoul")
	for group, connection := range map[string]string{"team-a": "mock", "team-b": "other"} {
		w.do("group create %s", group)
		w.do("grant create --group %s --role viewer -c %s", group, connection)
	}
	short := w.token(t, "anna")
	require.NoError(t, keycloak.Lifespan(t.Context(), keycloak.Program, "300"))

	t.Run("users see what their groups may see", w.usersSeeWhatTheirGroupsMay)
	t.Run("groups change while a login lasts", w.groupsChange)
	t.Run("programs come with tokens", func(t *testing.T) { w.programs(t, short) })
	t.Run("the command line logs in", w.commandLine)
	t.Run("a logout here ends the login there", w.logoutHere)
	t.Run("a logout there ends the login here", w.logoutThere)
	t.Run("Keycloak is away", w.keycloakIsAway)
	assert.NotContains(t, w.Output(), "eyJ", "no token is in the log")
	entries := w.do("audit list --limit 100 -o json")
	assert.Contains(t, entries, "by single sign-on, client mcic, session ")
	assert.NotContains(t, entries, "eyJ")
}

// logIn has a user log in with a browser.
func (w ssoWorld) logIn(t *testing.T, user string) *keycloaktest.Browser {
	t.Helper()
	b, err := w.keycloak.Browser()
	require.NoError(t, err)
	form, err := b.Open(t.Context(), w.Address+"/v1/session/sso?return=/connections")
	require.NoError(t, err)
	page, err := b.LogIn(t.Context(), form, user, keycloaktest.Password)
	require.NoError(t, err)
	require.Equal(t, w.Address+"/connections", page.URL.String(), "%s", page.Body)
	return b
}

// ask has a browser ask as the console does.
func (w ssoWorld) ask(t *testing.T, b *keycloaktest.Browser, method, path string) *keycloaktest.Page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.Address+path, nil)
	require.NoError(t, err)
	r.Header.Set(auth.SessionHeader, "1")
	page, err := b.Do(r)
	require.NoError(t, err)
	return page
}

// sees answers the connections that a browser sees.
func (w ssoWorld) sees(t *testing.T, b *keycloaktest.Browser) (names []string) {
	t.Helper()
	page := w.ask(t, b, http.MethodGet, "/v1/connections")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	var list struct{ Items []api.Connection }
	require.NoError(t, json.Unmarshal([]byte(page.Body), &list))
	for _, c := range list.Items {
		names = append(names, c.Name)
	}
	return names
}

func (w ssoWorld) token(t *testing.T, user string) string {
	t.Helper()
	token, err := w.keycloak.Token(t.Context(), user)
	require.NoError(t, err)
	return token
}

// as answers the status of who has a token, and what is said.
func (w ssoWorld) as(t *testing.T, token string) (int, string) {
	t.Helper()
	b, err := w.keycloak.Browser()
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Address+"/v1/me", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	page, err := b.Do(r)
	require.NoError(t, err)
	return page.Status, page.Body
}

func (w ssoWorld) usersSeeWhatTheirGroupsMay(t *testing.T) {
	assert.Equal(t, []string{"mock"}, w.sees(t, w.logIn(t, "anna")))
	assert.Equal(t, []string{"other"}, w.sees(t, w.logIn(t, "bert")))
	carl := w.ask(t, w.logIn(t, "carl"), http.MethodGet, "/v1/connections")
	assert.Equal(t, http.StatusForbidden, carl.Status, "who is in no group may do nothing")

	b, err := w.keycloak.Browser()
	require.NoError(t, err)
	form, err := b.Open(t.Context(), w.Address+"/v1/session/sso")
	require.NoError(t, err)
	page, err := b.LogIn(t.Context(), form, "anna", "wrong")
	require.NoError(t, err)
	assert.Contains(t, page.Body, "Invalid username or password")
	assert.Equal(t, http.StatusUnauthorized, w.ask(t, b, http.MethodGet, "/v1/session").Status)
	assert.Contains(t, w.do("user get anna"), w.keycloak.Issuer)

	w.do("user update carl --disable")
	form, err = b.Open(t.Context(), w.Address+"/v1/session/sso")
	require.NoError(t, err)
	page, err = b.LogIn(t.Context(), form, "carl", keycloaktest.Password)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, page.Status)
	assert.Contains(t, page.Body, "the user carl is disabled")
}

func (w ssoWorld) groupsChange(t *testing.T) {
	require.NoError(t, w.keycloak.Lifespan(t.Context(), w.keycloak.Client, "1"))
	b := w.logIn(t, "anna")
	require.NoError(t, w.keycloak.Lifespan(t.Context(), w.keycloak.Client, "300"))
	require.NoError(t, w.keycloak.Join(t.Context(), "anna", "team-b"))
	require.Eventually(t, func() bool { return len(w.sees(t, b)) == 2 }, time.Minute, 200*time.Millisecond)
}

func (w ssoWorld) programs(t *testing.T, short string) {
	first := w.token(t, "anna")
	status, said := w.as(t, first)
	assert.Equal(t, http.StatusOK, status, said)
	assert.Contains(t, said, `"user":"anna"`)

	require.NoError(t, w.keycloak.Rotate(t.Context()))
	second := w.token(t, "anna")
	require.Eventually(t, func() bool { status, said = w.as(t, second); return status == http.StatusOK }, time.Minute, 200*time.Millisecond, "a new key is looked for")
	status, _ = w.as(t, first)
	assert.Equal(t, http.StatusOK, status, "what the key before has signed is good")

	require.Eventually(t, func() bool { status, said = w.as(t, short); return status == http.StatusUnauthorized }, time.Minute, 200*time.Millisecond)
	assert.Contains(t, said, "it has run out at")
	status, said = w.as(t, second[:len(second)-8])
	assert.Equal(t, http.StatusUnauthorized, status, said)
}

func (w ssoWorld) commandLine(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "mcic"), "login", "lab", "--sso", "--server", w.Address, "--ca", w.keycloak.CA)
	cmd.Env, cmd.Dir = []string{"HOME=" + w.home}, w.home
	errs, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(errs)
	require.True(t, lines.Scan(), "it says where to log in")
	address := regexp.MustCompile(`https://\S+`).FindString(lines.Text())
	b, err := w.keycloak.Browser()
	require.NoError(t, err)
	form, err := b.Open(t.Context(), address)
	require.NoError(t, err, lines.Text())
	asked, err := b.LogIn(t.Context(), form, "bert", keycloaktest.Password)
	require.NoError(t, err)
	_, err = b.Accept(t.Context(), asked)
	require.NoError(t, err)
	for lines.Scan() {
		t.Log(lines.Text())
	}
	require.NoError(t, cmd.Wait())
	address = w.Address
	w.Address = "" // the context has it
	assert.Contains(t, w.do("whoami -o name"), "bert")
	assert.NotContains(t, w.do("connection list -o name"), "mock")
	w.do("logout lab")
	w.Address = address
}

func (w ssoWorld) logoutHere(t *testing.T) {
	b := w.logIn(t, "bert")
	page := w.ask(t, b, http.MethodDelete, "/v1/session")
	require.Equal(t, http.StatusOK, page.Status)
	var out struct{ LogoutAt string }
	require.NoError(t, json.Unmarshal([]byte(page.Body), &out))
	page, err := b.Open(t.Context(), out.LogoutAt)
	require.NoError(t, err)
	assert.Equal(t, w.Address+"/", page.URL.String(), "it comes back, and nobody is asked anything")
	form, err := b.Open(t.Context(), w.Address+"/v1/session/sso")
	require.NoError(t, err)
	_, err = b.LogIn(t.Context(), form, "bert", keycloaktest.Password)
	require.NoError(t, err, "the provider asks for the password again")
}

func (w ssoWorld) logoutThere(t *testing.T) {
	b, other := w.logIn(t, "bert"), w.logIn(t, "anna")
	require.Equal(t, http.StatusOK, w.ask(t, b, http.MethodGet, "/v1/session").Status)
	require.NoError(t, w.keycloak.LogOut(t.Context(), "bert"))
	require.Eventually(t, func() bool { return w.ask(t, b, http.MethodGet, "/v1/session").Status == http.StatusUnauthorized }, 30*time.Second, 100*time.Millisecond)
	assert.Equal(t, http.StatusOK, w.ask(t, other, http.MethodGet, "/v1/session").Status)
	assert.Contains(t, w.do("audit list --filter verb=logout -o json"), "logged out at the provider")
}

func (w ssoWorld) keycloakIsAway(t *testing.T) {
	b, token := w.logIn(t, "anna"), w.token(t, "anna")
	require.NoError(t, w.keycloak.Stop())
	assert.Len(t, w.sees(t, b), 2, "a login goes on")
	status, said := w.as(t, token)
	assert.Equal(t, http.StatusOK, status, "keys that are known go on: %s", said)
	fresh, err := w.keycloak.Browser()
	require.NoError(t, err)
	var page *keycloaktest.Page
	require.Eventually(t, func() bool {
		page, err = fresh.Open(t.Context(), w.Address+"/v1/session/sso")
		return err == nil && page.Status == http.StatusServiceUnavailable
	}, 30*time.Second, 200*time.Millisecond)
	assert.Contains(t, page.Body, "cannot be used at the moment")
	assert.Contains(t, page.Body, "--sso-issuer")
}
