package openstack_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/driver"
	driverpkg "github.com/m-cmp/mc-infra-connector/drivers/openstack"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const password = "secret-of-the-test"

// fakeCloud answers as OpenStack documents it, where the real one cannot be brought to:
// a Keystone with one project, and what the services say by method and path.
type fakeCloud struct {
	services []string // types of the catalog
	answer   func(*http.Request) (int, string)
	url      string

	mu     sync.Mutex
	asked  []*http.Request
	logins int
	dead   map[string]bool // tokens that have run out
}

func fake(t *testing.T, answer func(*http.Request) (int, string)) *fakeCloud {
	t.Helper()
	f := &fakeCloud{services: []string{"compute", "network", "image"}, answer: answer, dead: map[string]bool{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/v3/auth/tokens" {
		f.login(w, r)
		return
	}
	f.asked = append(f.asked, r)
	token := r.Header.Get("X-Auth-Token")
	if token == "" || f.dead[token] {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}`)
		return
	}
	status, body := http.StatusOK, `{"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": true}, "hosts": null}]}`
	if !strings.HasSuffix(r.URL.Path, "/os-availability-zone") {
		status, body = f.answer(r)
	}
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// login answers a token with a catalog.
// https://docs.openstack.org/api-ref/identity/v3/#password-authentication-with-scoped-authorization
func (f *fakeCloud) login(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Auth struct {
			Identity struct {
				Password struct{ User struct{ Password string } }
			}
		}
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Auth.Identity.Password.User.Password != password {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}`)
		return
	}
	f.logins++
	var entries []string
	for _, typ := range f.services {
		entries = append(entries, fmt.Sprintf(`{"type": %q, "name": %q, "id": "s", "endpoints": [
			{"id": "e", "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": %q},
			{"id": "i", "interface": "internal", "region": "RegionOne", "region_id": "RegionOne", "url": "http://127.0.0.1:1/inside"},
			{"id": "t", "interface": "public", "region": "RegionTwo", "region_id": "RegionTwo", "url": "http://127.0.0.1:1/two"}]}`, typ, typ, f.url+"/"+typ))
	}
	w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", f.logins))
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"token": {"methods": ["password"], "expires_at": "2126-01-01T00:00:00.000000Z", "project": {"id": "p-1", "name": "test", "domain": {"id": "default", "name": "Default"}}, "catalog": [%s]}}`, strings.Join(entries, ","))
}

func (f *fakeCloud) config() driver.Config {
	return driver.Config{
		Credential: driver.Values{"auth_url": f.url, "username": "test", "password": password, "project_name": "test"},
		Region:     "RegionOne", Settings: driver.Values{},
	}
}

// requests are those whose path ends so.
func (f *fakeCloud) requests(path string) []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []*http.Request
	for _, r := range f.asked {
		if strings.HasSuffix(r.URL.Path, path) {
			found = append(found, r)
		}
	}
	return found
}

func nothing(*http.Request) (int, string) { return http.StatusOK, `{}` }

func refuse(t *testing.T, c driver.Config) error {
	t.Helper()
	_, err := driverpkg.New().Connect(t.Context(), c)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), password)
	return err
}

func TestDescriptionOffersEveryKind(t *testing.T) {
	d, err := driverpkg.New().Describe(t.Context())
	require.NoError(t, err)
	assert.Contains(t, d.Texts, "ko")
	lacking, stale := d.Untranslated("ko")
	assert.Empty(t, append(lacking, stale...))
	for _, kind := range resource.Kinds() {
		if d.Missing[kind.Name] != "" { // whole, with the reason
			continue
		}
		for _, verb := range []string{"list", "get", "create", "delete"} {
			assert.True(t, d.Offers(kind.Name, verb), "%s %s", kind.Name, verb)
		}
	}
}

func TestCredentialsInOtherWords(t *testing.T) {
	d, err := driverpkg.New().Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, driver.Values{"auth_url": "https://k:5000/v3", "username": "u", "password": "p", "user_domain_name": "Default", "project_id": "1"},
		d.Named(map[string]string{"IdentityEndpoint": "https://k:5000/v3", "Username": "u", "PASSWORD": "p", "DomainName": "Default", "ProjectID": "1"}))
}

func TestCredentialsThatAreIncomplete(t *testing.T) {
	f := fake(t, nothing)
	for name, test := range map[string]struct {
		values driver.Values
		says   string
	}{
		"no password":         {driver.Values{"auth_url": f.url, "username": "test", "project_name": "test"}, "values.password"},
		"no project":          {driver.Values{"auth_url": f.url, "username": "test", "password": password}, "values.project_name"},
		"half an application": {driver.Values{"auth_url": f.url, "application_credential_id": "a"}, "give both"},
		"both":                {driver.Values{"auth_url": f.url, "application_credential_id": "a", "application_credential_secret": "s", "password": password}, "no password"},
		"no URL":              {driver.Values{"auth_url": "keystone:5000", "username": "test", "password": password, "project_name": "test"}, "values.auth_url"},
	} {
		t.Run(name, func(t *testing.T) {
			err := refuse(t, driver.Config{Credential: test.values, Region: "RegionOne"})
			assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
			assert.ErrorContains(t, err, test.says)
		})
	}
}

func TestConnectionsThatAreWrong(t *testing.T) {
	f := fake(t, nothing)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>Log in</html>")
	}))
	t.Cleanup(page.Close)
	secure := httptest.NewTLSServer(f)
	t.Cleanup(secure.Close)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "no such thing"}`)
	}))
	t.Cleanup(elsewhere.Close)

	for name, test := range map[string]struct {
		change func(*driver.Config)
		code   resource.Code
		says   string
	}{
		"wrong password":     {func(c *driver.Config) { c.Credential["password"] = "wrong" }, resource.CodeUnauthenticated, "check the user, the password and the project"},
		"unknown region":     {func(c *driver.Config) { c.Region = "RegionNine" }, resource.CodeInvalid, "it has: RegionOne, RegionTwo"},
		"unknown zone":       {func(c *driver.Config) { c.Zone = "mars" }, resource.CodeInvalid, "it has: nova"},
		"dead Keystone":      {func(c *driver.Config) { c.Credential["auth_url"] = gone.URL }, resource.CodeUnavailable, "could not reach the cloud"},
		"login page":         {func(c *driver.Config) { c.Credential["auth_url"] = page.URL }, resource.CodeUnavailable, "instead of what the cloud's API answers"},
		"another API":        {func(c *driver.Config) { c.Credential["auth_url"] = elsewhere.URL }, resource.CodeUnavailable, "no Keystone v3"},
		"bad certificate":    {func(c *driver.Config) { c.Credential["auth_url"] = secure.URL }, resource.CodeUnavailable, "caCertificate"},
		"dead endpoint":      {func(c *driver.Config) { c.Settings["endpoints"] = "compute=" + gone.URL }, resource.CodeUnavailable, "could not reach the cloud"},
		"no endpoint":        {func(c *driver.Config) { c.Settings["endpoints"] = "compute" }, resource.CodeInvalid, "settings.endpoints"},
		"endpoint of a page": {func(c *driver.Config) { c.Settings["endpoints"] = "compute=" + page.URL }, resource.CodeUnavailable, "instead of what the cloud's API answers"},
	} {
		t.Run(name, func(t *testing.T) {
			c := f.config()
			test.change(&c)
			err := refuse(t, c)
			assert.Equal(t, test.code, resource.CodeOf(err), "%v", err)
			assert.ErrorContains(t, err, test.says)
		})
	}

	c := f.config()
	c.Credential["auth_url"] = secure.URL
	c.Settings["caCertificate"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	open(t, c)
}

func TestClockThatIsOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error": {"code": 401, "message": "no"}}`)
	}))
	t.Cleanup(server.Close)
	err := refuse(t, driver.Config{Credential: driver.Values{"auth_url": server.URL, "username": "test", "password": password, "project_name": "test"}, Region: "RegionOne"})
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	assert.ErrorContains(t, err, "behind the cloud's; set it")
}

func TestTokenThatRunsOutIsReplacedOnce(t *testing.T) {
	f := fake(t, func(*http.Request) (int, string) { return http.StatusOK, `{"networks": []}` })
	s := open(t, f.config())
	f.mu.Lock()
	f.dead["token-1"] = true
	f.mu.Unlock()
	var work sync.WaitGroup
	for range 5 {
		work.Go(func() { assert.Empty(t, all(t, s, resource.VPC)) })
	}
	work.Wait()
	assert.Empty(t, all(t, s, resource.VPC))
	f.mu.Lock()
	assert.Equal(t, 2, f.logins, "one new login for all")
	f.dead["token-2"], f.dead["token-3"] = true, true
	f.mu.Unlock()
	_, err := s.Get(t.Context(), "vpc", "n")
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "not for ever: %v", err)
}

func TestServicesThatAreLacking(t *testing.T) {
	f := fake(t, nothing)
	s := open(t, f.config())
	place, err := s.Place(t.Context())
	require.NoError(t, err)
	lacks := place.Lacks
	for _, name := range []string{"disk", "snapshot", "disktype", "nlb", "cluster"} {
		assert.Contains(t, lacks, name)
	}
	assert.Contains(t, lacks["nlb"], "load balancing service")
	for _, name := range []string{"vpc", "vm", "image", "customimage"} {
		assert.NotContains(t, lacks, name)
	}
	for _, err := range s.List(t.Context(), "nlb") {
		assert.Equal(t, resource.CodeUnsupported, resource.CodeOf(err), "%v", err)
	}

	c := f.config()
	c.Region = ""
	for _, err := range open(t, c).List(t.Context(), "vpc") {
		assert.ErrorContains(t, err, "names no region")
	}
}

func TestServiceThatIsDownTakesOnlyItsOwnKinds(t *testing.T) {
	f := fake(t, func(r *http.Request) (int, string) {
		if strings.HasPrefix(r.URL.Path, "/compute") {
			return http.StatusServiceUnavailable, `{"computeFault": {"code": 503, "message": "down for an hour"}}`
		}
		return http.StatusOK, `{"networks": []}`
	})
	s := open(t, f.config())
	for _, err := range s.List(t.Context(), "vm") {
		assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
		assert.True(t, resource.AsError(err).Retryable)
	}
	assert.Empty(t, all(t, s, resource.VPC))
}

func TestEndpointsOfTheConnection(t *testing.T) {
	f := fake(t, func(*http.Request) (int, string) { return http.StatusOK, `{"networks": []}` })
	c := f.config()
	c.Settings["interface"] = "internal" // which leads nowhere
	c.Settings["endpoints"] = "compute=" + f.url + "/nova/v2.1, network=" + f.url + "/neutron"
	assert.Empty(t, all(t, open(t, c), resource.VPC))
	assert.Len(t, f.requests("/neutron/v2.0/networks"), 2)
	assert.Len(t, f.requests("/nova/v2.1/os-availability-zone"), 1)
}

// A service answers less than it is asked for, and links that lead past the proxy.
func TestListsAreCompleteWhateverTheServicesLimit(t *testing.T) {
	const total, most = 23, 5
	f := fake(t, nil)
	f.answer = func(r *http.Request) (int, string) {
		if r.URL.Query().Has("shared") {
			return http.StatusOK, `{"networks": []}`
		}
		from := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("marker"), "n-%d", &from)
		var page []string
		for i := from + 1; i <= min(from+most, total); i++ {
			page = append(page, fmt.Sprintf(`{"id": "n-%d", "name": "n", "status": "ACTIVE", "project_id": "p-1"}`, i))
		}
		links := ""
		if from+most < total {
			links = fmt.Sprintf(`, "networks_links": [{"rel": "next", "href": "http://inside.invalid:9696/v2.0/networks?project_id=p-1&marker=n-%d"}]`, from+most)
		}
		return http.StatusOK, `{"networks": [` + strings.Join(page, ",") + `]` + links + `}`
	}
	c := f.config()
	c.Settings["pageSize"] = "10"
	assert.Len(t, all(t, open(t, c), resource.VPC), total)
	asked := f.requests("/networks")
	assert.Len(t, asked, 6, "one for what is shared")
	assert.Equal(t, "10", asked[0].URL.Query().Get("limit"))
	assert.Equal(t, "p-1", asked[0].URL.Query().Get("project_id"), "administrators see those of all projects otherwise")
}

// Neutron does not know where to go on if what a page ended with is deleted meanwhile.
func TestListThatBeginsAnewHasNothingTwice(t *testing.T) {
	lost := false
	f := fake(t, func(r *http.Request) (int, string) {
		const shown = `{"networks": [{"id": "n-%d", "name": "n"}], "networks_links": [{"rel": "next", "href": "?marker=n-%d"}]}`
		if r.URL.Query().Has("shared") {
			return http.StatusOK, `{"networks": []}`
		}
		switch r.URL.Query().Get("marker") {
		case "n-1":
			if !lost { // and begins anew
				lost = true
				return http.StatusOK, fmt.Sprintf(shown, 1, 1)
			}
			return http.StatusOK, fmt.Sprintf(shown, 2, 2)
		case "n-2":
			return http.StatusOK, `{"networks": []}`
		}
		return http.StatusOK, fmt.Sprintf(shown, 1, 1)
	})
	assert.Len(t, all(t, open(t, f.config()), resource.VPC), 2)
	assert.Len(t, f.requests("/networks"), 5, "one for what is shared")
}

// The other services refuse to go on after what a page ended with if that is deleted
// meanwhile.
func TestListWhoseMarkerIsGoneIsReadAnew(t *testing.T) {
	for name, test := range map[string]struct {
		refusals int
		code     resource.Code
		calls    int
	}{
		"once":     {1, "", 5},
		"for ever": {1 << 20, resource.CodeUnavailable, 42},
	} {
		t.Run(name, func(t *testing.T) {
			refusals := test.refusals
			f := fake(t, func(r *http.Request) (int, string) {
				const shown = `{"keypairs": [{"keypair": {"name": "k-%d"}}], "keypairs_links": [{"rel": "next", "href": "?marker=k-%d"}]}`
				switch r.URL.Query().Get("marker") {
				case "k-1":
					if refusals--; refusals >= 0 {
						return http.StatusBadRequest, `{"badRequest": {"code": 400, "message": "Marker k-1 could not be found."}}`
					}
					return http.StatusOK, fmt.Sprintf(shown, 2, 2)
				case "k-2":
					return http.StatusOK, `{"keypairs": []}`
				}
				return http.StatusOK, fmt.Sprintf(shown, 1, 1)
			})
			var found []string
			var last error
			for item, err := range open(t, f.config()).List(t.Context(), "keypair") {
				if last = err; err == nil {
					found = append(found, item.ID)
				}
			}
			if test.code == "" {
				require.NoError(t, last)
				assert.Equal(t, []string{"k-1", "k-2"}, found)
			}
			assert.Equal(t, test.code, resource.CodeOf(last), "%v", last)
			assert.Len(t, f.requests("/os-keypairs"), test.calls)
		})
	}
}

func TestPageThatFailsFailsTheList(t *testing.T) {
	f := fake(t, func(r *http.Request) (int, string) {
		if r.URL.Query().Get("marker") == "" {
			return http.StatusOK, `{"networks": [{"id": "n-1"}], "networks_links": [{"rel": "next", "href": "?marker=n-1"}]}`
		}
		return http.StatusInternalServerError, `{"NeutronError": {"type": "HTTPInternalServerError", "message": "Request Failed: internal server error while processing your request.", "detail": ""}}`
	})
	var last error
	for _, err := range open(t, f.config()).List(t.Context(), "vpc") {
		last = err
	}
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(last), "%v", last)
}

// What was made with a token is looked for by its mark, and nothing is made beside it.
func TestWhatATokenHasMadeIsFound(t *testing.T) {
	const shown = `{"id": "n-1", "name": "x", "status": "ACTIVE", "project_id": "p-1", "description": "[mcic-uid=t-1]", "tags": ["mcic-cidr=10.0.0.0/16"]}`
	f := fake(t, nil)
	f.answer = func(r *http.Request) (int, string) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/networks/n-1"):
			return http.StatusOK, `{"network": ` + shown + `}`
		case r.URL.Query().Get("description") == "[mcic-uid=t-1]":
			return http.StatusOK, `{"networks": [` + shown + `], "routers": [{"id": "r-1", "description": "[mcic-uid=t-1]"}]}`
		}
		return http.StatusOK, `{"networks": [], "routers": [], "subnets": [], "security_groups": []}`
	}
	item, err := tryCreate(t, open(t, f.config()), resource.VPC, "t-1", "x", nil, resource.VPCSpec{CIDR: "10.0.0.0/16"})
	require.NoError(t, err)
	assert.Len(t, f.requests("/networks"), 1, "one narrow look, and not at what is shared")
	assert.Equal(t, "n-1", item.ID)
	for _, path := range []string{"/networks", "/routers"} {
		require.NotEmpty(t, f.requests(path))
		for _, r := range f.requests(path) {
			assert.Equal(t, http.MethodGet, r.Method, "%s", r.URL)
		}
	}
}

// Cinder calls a volume that is being deleted one that is in use.
func TestDiskIsDeletedTwice(t *testing.T) {
	for status, code := range map[string]resource.Code{"deleting": "", "in-use": resource.CodeDependency} {
		f := fake(t, func(r *http.Request) (int, string) {
			if r.Method == http.MethodDelete {
				return http.StatusBadRequest, `{"badRequest": {"code": 400, "message": "Invalid volume: Volume status must be available or error and must not be migrating, attached, belong to a group."}}`
			}
			return http.StatusOK, `{"volume": {"id": "v-1", "status": "` + status + `"}}`
		})
		f.services = append(f.services, "volumev3")
		assert.Equal(t, code, resource.CodeOf(open(t, f.config()).Delete(t.Context(), "disk", "v-1")), status)
	}
}

// Nova lets go of the port of a server that it could not boot.
func TestVMThatCouldNotBeBootedLeavesNoPort(t *testing.T) {
	f := fake(t, func(r *http.Request) (int, string) {
		switch {
		case r.Method == http.MethodDelete:
			return http.StatusNoContent, ""
		case strings.HasSuffix(r.URL.Path, "/servers/s-1"):
			return http.StatusOK, `{"server": {"id": "s-1", "status": "ERROR", "tags": ["mcic-uid=t-1", "mcic-port=p-1"]}}`
		}
		return http.StatusOK, `{"ports": []}`
	})
	require.NoError(t, open(t, f.config()).Delete(t.Context(), "vm", "s-1"))
	require.Len(t, f.requests("/ports/p-1"), 1)
	assert.Equal(t, http.MethodDelete, f.requests("/ports/p-1")[0].Method)
}

func TestNativeCalls(t *testing.T) {
	f := fake(t, func(r *http.Request) (int, string) {
		assert.Equal(t, "token-1", r.Header.Get("X-Auth-Token"))
		return http.StatusTeapot, `{"asked": "` + r.URL.RawQuery + `"}`
	})
	s := open(t, f.config())
	answer, err := s.Native(t.Context(), driver.NativeRequest{
		Service: "network", Method: http.MethodPost, Path: "/v2.0/things", Query: url.Values{"a": {"b"}},
		Headers: map[string]string{"X-Auth-Token": "another", "X-Thing": "1"}, Body: `{}`,
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusTeapot, answer.Status)
	assert.Equal(t, `{"asked": "a=b"}`, answer.Body)
	last := f.requests("/network/v2.0/things")[0]
	assert.Equal(t, "1", last.Header.Get("X-Thing"))
	assert.Equal(t, "application/json", last.Header.Get("Content-Type"))

	_, err = s.Native(t.Context(), driver.NativeRequest{Service: "dns"})
	assert.ErrorContains(t, err, "compute, image, network")
	_, err = s.Native(t.Context(), driver.NativeRequest{Service: "network", Path: "/../../etc"})
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err))
}
