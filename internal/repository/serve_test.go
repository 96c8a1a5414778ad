package repository_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/repository"
	"github.com/m-cmp/mc-infra-connector/resource"
)

const token = "let-me-in"

// serve serves a folder and answers the host to reach it at.
func serve(t *testing.T, dir string, access repository.Access) string {
	t.Helper()
	handler, err := repository.Serve(dir, access)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestPackagesTravelThroughARegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	dir := t.TempDir()
	host := serve(t, dir, repository.Access{Token: token})
	p := newPublisher(t)
	at := func(password string) *repository.Repository {
		return open(t, repository.Spec{Name: "team", URL: "oci://" + host + "/team/drivers", PlainHTTP: true, Password: password}, p.key)
	}
	p.publish(at(token), "toy", "1.0.0", p.key)
	p.publish(at(token), "toy", "1.1.0", p.key)
	p.publish(at(token), "plain", "1.0.0", nil)
	names, err := at(token).Names(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"plain", "toy"}, names)
	versions, err := at(token).Versions(t.Context(), "toy")
	require.NoError(t, err)
	assert.Equal(t, []string{"1.1.0", "1.0.0"}, versions)
	versions, err = at(token).Versions(t.Context(), "unknown")
	require.NoError(t, err)
	assert.Empty(t, versions)

	shelf, _ := newShelf(t)
	e, err := install(t.Context(), shelf, at(token), "toy", "1.1.0")
	require.NoError(t, err)
	require.NoError(t, shelf.Check(e))
	_, err = install(t.Context(), shelf, at(token), "plain", "1.0.0")
	assert.Equal(t, resource.CodeDenied, resource.CodeOf(err), "%v", err)

	_, err = at("wrong").Release(t.Context(), "toy", "1.1.0")
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%v", err)
	_, err = at("").Names(t.Context())
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%v", err)

	// The same folder, without a server between.
	local := folder(t, filepath.Join(dir, "team", "drivers"), p.key)
	release, err := local.Release(t.Context(), "toy", "1.1.0")
	require.NoError(t, err)
	assert.Equal(t, e.Digest, release.Digest)

	flip(t, filepath.Join(dir, "team", "drivers"), func(raw []byte) bool { return raw[0] == 0x1f })
	other, _ := newShelf(t)
	_, err = install(t.Context(), other, at(token), "toy", "1.1.0")
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "altered or damaged")
}

func TestALoginOfDockersConfigurationIsUsed(t *testing.T) {
	config := t.TempDir()
	t.Setenv("DOCKER_CONFIG", config)
	host := serve(t, t.TempDir(), repository.Access{Token: token})
	p := newPublisher(t)
	repo := open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true}, p.key)
	_, err := repo.Names(t.Context())
	require.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err))
	// echo -n any:let-me-in | base64
	require.NoError(t, os.WriteFile(filepath.Join(config, "config.json"), []byte(`{"auths":{"`+host+`":{"auth":"YW55OmxldC1tZS1pbg=="}}}`), 0o600))
	repo = open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true}, p.key)
	p.publish(repo, "toy", "1.0.0", p.key)
}

func TestPlainHTTPOnlyWhenAskedFor(t *testing.T) {
	host := serve(t, t.TempDir(), repository.Access{Public: true})
	_, err := open(t, repository.Spec{Name: "team", URL: "oci://" + host}).Names(t.Context())
	assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err), "%v", err)
}

func TestAPublicRepositoryIsReadByAllAndWrittenByFew(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := serve(t, t.TempDir(), repository.Access{Token: token, Public: true})
	p := newPublisher(t)
	with := func(password string) *repository.Repository {
		return open(t, repository.Spec{Name: "team", URL: "oci://" + host, PlainHTTP: true, Password: password}, p.key)
	}
	p.publish(with(token), "toy", "1.0.0", p.key)
	_, err := with("").Release(t.Context(), "toy", "1.0.0")
	require.NoError(t, err)
	_, err = with("").Publish(t.Context(), p.dist, "toy", "1.0.0", nil, true)
	assert.NoError(t, err, "what is there already is not written again")
	_, err = p.dist.Pack(t.Context(), describe("other", "1.0.0"), []repository.Build{{Platform: repository.Platform(), Dir: scriptOf(t, "other")}}, "", "")
	require.NoError(t, err)
	_, err = with("").Publish(t.Context(), p.dist, "other", "1.0.0", nil, false)
	assert.Equal(t, resource.CodeUnauthenticated, resource.CodeOf(err), "%v", err)
}

func TestARegistryKeepsToItsFolder(t *testing.T) {
	outside := t.TempDir()
	p := newPublisher(t)
	p.publish(folder(t, outside), "toy", "1.0.0", nil)
	dir := filepath.Join(outside, "served")
	host := serve(t, dir, repository.Access{Public: true, Token: token})
	blobs, err := filepath.Glob(filepath.Join(outside, "toy", "blobs", "sha256", "*"))
	require.NoError(t, err)
	digest := "sha256:" + filepath.Base(blobs[0])
	for _, r := range []struct{ method, path string }{
		{http.MethodGet, "/v2/../toy/blobs/" + digest},
		{http.MethodGet, "/v2/%2e%2e/toy/blobs/" + digest},
		{http.MethodGet, "/v2/..%2ftoy/tags/list"},
		{http.MethodPut, "/v2/..%2fevil/manifests/1.0.0"},
		{http.MethodPost, "/v2/mine/blobs/uploads/?mount=" + digest + "&from=../toy"},
		{http.MethodPatch, "/v2/mine/blobs/uploads/..%2f..%2fevil"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+host+r.path, strings.NewReader("evil"))
		require.NoError(t, err)
		request.SetBasicAuth("any", token)
		answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.NotContains(t, []int{http.StatusOK, http.StatusCreated}, answer.StatusCode, "%s %s", r.method, r.path)
	}
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Len(t, left, 2, "%v", left)
}

func TestOnlyTheLayerOfThisPlatformIsPulled(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	handler, err := repository.Serve(t.TempDir(), repository.Access{Public: true, Token: token})
	require.NoError(t, err)
	var (
		mu    sync.Mutex
		blobs []string
	)
	asked := func() []string { // since the last time
		mu.Lock()
		defer mu.Unlock()
		was := blobs
		blobs = nil
		return was
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			mu.Lock()
			blobs = append(blobs, r.URL.Path)
			mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p := newPublisher(t)
	repo := open(t, repository.Spec{Name: "team", URL: "oci://" + strings.TrimPrefix(server.URL, "http://"), PlainHTTP: true, Password: token}, p.key)
	_, err = p.dist.Pack(t.Context(), describe("toy", "1.0.0"), []repository.Build{
		{Platform: repository.Platform(), Dir: scriptOf(t, "toy")}, {Platform: "plan9/arm", Dir: scriptOf(t, "toy")}, {Platform: "aix/ppc64", Dir: scriptOf(t, "toy")},
	}, "", "")
	require.NoError(t, err)
	_, err = repo.Publish(t.Context(), p.dist, "toy", "1.0.0", p.key, false)
	require.NoError(t, err)
	asked()
	_, err = repo.Release(t.Context(), "toy", "1.0.0")
	require.NoError(t, err)
	assert.Len(t, asked(), 1, "the description alone")
	shelf, _ := newShelf(t)
	_, err = install(t.Context(), shelf, repo, "toy", "1.0.0")
	require.NoError(t, err)
	assert.Len(t, asked(), 3, "the description, the signature, and one archive")
}

// The conformance suite of the OCI distribution specification, which others wrote,
// runs as a program of its own.
func TestConformsToTheOCIDistributionSpecification(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	host := serve(t, t.TempDir(), repository.Access{Token: token})
	results := t.TempDir()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "conformance")
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"OCI_REGISTRY="+host, "OCI_TLS=disabled", "OCI_USERNAME=any", "OCI_PASSWORD="+token, "OCI_RESULTS_DIR="+results, "OCI_VERSION=1.1", "OCI_API_BLOBS_UPLOAD_CANCEL=true",
	)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "OCI Conformance Result: Pass")
	assert.NotRegexp(t, `: FAIL\n`, string(out))
	assert.Regexp(t, `blob-post-cancel: Pass`, string(out))
	count := regexp.MustCompile(`Pass\.+: +(\d+)`).FindSubmatch(out)
	require.NotNil(t, count, "%s", out)
	passed, err := strconv.Atoi(string(count[1]))
	require.NoError(t, err)
	assert.Greater(t, passed, 800, "the suite left out most of its tests:\n%s", out)
}
