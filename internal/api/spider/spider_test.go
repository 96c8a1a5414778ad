package spider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/api/spider"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/catalog"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/internal/people"
	"github.com/m-cmp/mc-infra-connector/internal/terminal"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }

// facade is a server with CB-Spider's API over the Mock cloud.
type facade struct {
	*enginetest.Env
	url string
	t   testing.TB
}

// The names that the golden requests use.
const (
	connection = "mock-config01"
	user       = "admin"
	password   = "open sesame"
	token      = "a token of sixteen characters or more"
)

func start(t testing.TB, o enginetest.Options, settings ...string) *facade {
	t.Helper()
	return startWith(t, o, func(*spider.Config) {}, settings...)
}

// startWith is start with a configuration of the API that is changed first.
func startWith(t testing.TB, o enginetest.Options, change func(*spider.Config), settings ...string) *facade {
	t.Helper()
	e := enginetest.New(t, o, settings...)
	login, err := auth.NewPassword(user, password)
	require.NoError(t, err)
	config := spider.Config{
		Audit:  e.Trail,
		Ready:  func(ctx context.Context) (string, error) { return "", e.Healthy(ctx) },
		Engine: e.Engine, Registry: e.Registry, Inventory: e.Inventory, Catalog: catalog.New(e.Session), Fresh: time.Millisecond, Logger: slog.New(slog.DiscardHandler), Version: "test",
		Terminal: terminal.New(terminal.Config{Store: e.Store, Sealer: e.Sealer, Most: 10, Connect: time.Minute}),
		People:   users(t, e, login),
	}
	change(&config)
	server := httptest.NewServer(spider.New(config))
	t.Cleanup(server.Close)
	return &facade{Env: e, url: server.URL + "/spider", t: t}
}

// users are those who may use the API: who has its password, and the admin token.
func users(t testing.TB, e *enginetest.Env, login auth.Password) *people.People {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, auth.TokenFile), []byte(token), 0o600))
	admin, _, err := auth.OpenAdminToken(dir)
	require.NoError(t, err)
	who, err := people.New(t.Context(), people.Config{Store: e.Store, Admin: admin, Sessions: auth.NewSessions(admin.Token, e.Store), Spider: login})
	require.NoError(t, err)
	e.WatchConnections(who.Heard)
	return who
}

// registered also has what CB-Spider's clients register at their start.
func registered(t testing.TB, o enginetest.Options) *facade {
	t.Helper()
	return registeredWith(t, o, func(*spider.Config) {})
}

// registeredWith is registered with a configuration of the API that is changed first.
func registeredWith(t testing.TB, o enginetest.Options, change func(*spider.Config)) *facade {
	t.Helper()
	a := startWith(t, o, change)
	for _, other := range []string{"mock", "catalog-only"} {
		require.NoError(t, a.DeleteConnection(t.Context(), other))
	}
	for _, r := range [][2]string{
		{"/driver", `{"DriverName":"mock-driver01","ProviderName":"MOCK","DriverLibFileName":"mock-driver-v1.0.so"}`},
		{"/credential", `{"CredentialName":"mock-credential01","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"MockName","Value":"mock01"}]}`},
	} {
		a.ok(http.MethodPost, r[0], r[1])
	}
	a.connect("mock-seoul")
	return a
}

// connect makes the connection one to a region of the Mock cloud. In "default" it
// offers what CB-Spider's Mock does.
func (a *facade) connect(region string) {
	a.t.Helper()
	a.ok(http.MethodPost, "/region", `{"RegionName":"mock-region01","ProviderName":"MOCK","KeyValueInfoList":[{"Key":"Region","Value":"`+region+`"}],"AvailableZoneList":null}`)
	a.ok(http.MethodPost, "/connectionconfig", `{"ConfigName":"mock-config01","ProviderName":"MOCK","DriverName":"mock-driver01","CredentialName":"mock-credential01","RegionName":"mock-region01"}`)
}

// response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

func (r response) message(t testing.TB) string {
	t.Helper()
	var m struct{ Message string }
	require.NoError(t, json.Unmarshal([]byte(r.body), &m), r.body)
	return m.Message
}

func (a *facade) call(method, path, body string, headers ...string) response {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	require.NoError(a.t, err)
	req.SetBasicAuth(user, password)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	require.NoError(a.t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(a.t, err)
	require.NoError(a.t, res.Body.Close())
	return response{res.StatusCode, res.Header, string(bytes.TrimSpace(raw))}
}

func (a *facade) ok(method, path, body string) response {
	a.t.Helper()
	r := a.call(method, path, body)
	require.Less(a.t, r.status, 300, "%s %s %s: %s", method, path, body, r.body)
	return r
}

// in is a body with ReqInfo.
func in(info string) string {
	return `{"ConnectionName":"` + connection + `","ReqInfo":` + info + `}`
}
