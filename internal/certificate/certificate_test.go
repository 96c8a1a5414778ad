package certificate_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/certificate"
	"github.com/m-cmp/mc-infra-connector/internal/certificate/certificatetest"
)

func files(dir string) certificate.Files {
	return certificate.Files{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
}

// look lets a keeper look at its files, by the clock of synctest.
func look() {
	<-time.After(6 * time.Second)
	synctest.Wait()
}

// shown is the serial number of the certificate that a server shows now.
func shown(t *testing.T, k *certificate.Keeper) string {
	t.Helper()
	config, err := k.Config().GetConfigForClient(nil)
	require.NoError(t, err)
	return config.Certificates[0].Leaf.SerialNumber.String()
}

func TestWhatChangesInTheFilesIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, dir, said := certificatetest.NewAuthority(t), t.TempDir(), &bytes.Buffer{}
		ca.Write(t, dir, time.Hour)
		k, err := certificate.Open(files(dir), slog.New(slog.NewTextHandler(said, nil)))
		require.NoError(t, err)
		go k.Run(t.Context())
		first := shown(t, k)
		look()
		assert.Equal(t, first, shown(t, k))
		assert.Empty(t, said.String(), "nothing has changed, and nothing is said")

		ca.Write(t, dir, 2*time.Hour)
		look()
		second := shown(t, k)
		assert.NotEqual(t, first, second)
		require.NoError(t, k.Fault())

		_, other := ca.Pair(t, time.Hour)
		key := filepath.Join(dir, "tls.key")
		before, err := os.ReadFile(key)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(key, other, 0o600))
		look()
		look()
		assert.Equal(t, second, shown(t, k), "a pair that does not belong together is not shown")
		require.ErrorContains(t, k.Fault(), "private key does not match public key")
		assert.Equal(t, 1, strings.Count(said.String(), "cannot be used"), "it is said once")
		assert.WithinDuration(t, time.Now().Add(2*time.Hour), k.Until(), time.Minute)

		require.NoError(t, os.WriteFile(key, before, 0o600))
		look()
		require.NoError(t, k.Fault())
		assert.Equal(t, second, shown(t, k))

		require.NoError(t, os.Remove(key))
		look()
		require.ErrorIs(t, k.Fault(), os.ErrNotExist)
		ca.Write(t, dir, -time.Minute)
		look()
		require.ErrorContains(t, k.Fault(), "has ended at")
		assert.Equal(t, second, shown(t, k))
		ca.Write(t, dir, time.Hour)
		look()
		require.NoError(t, k.Fault())
		assert.NotEqual(t, second, shown(t, k))
	})
}

// TestALinkThatLeadsElsewhereIsFollowed changes files as Kubernetes does those of a
// Secret: the folder ..data is a link, which is replaced.
func TestALinkThatLeadsElsewhereIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, dir := certificatetest.NewAuthority(t), t.TempDir()
		mount := func(version string) {
			ca.Write(t, filepath.Join(dir, version), time.Hour)
			next := filepath.Join(dir, "..data_tmp")
			require.NoError(t, os.Symlink(version, next))
			require.NoError(t, os.Rename(next, filepath.Join(dir, "..data")))
		}
		mount("..1")
		for _, name := range []string{"tls.crt", "tls.key"} {
			require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
		}
		k, err := certificate.Open(files(dir), slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		go k.Run(t.Context())
		first := shown(t, k)
		mount("..2")
		look()
		assert.NotEqual(t, first, shown(t, k))
	})
}

func TestFilesOfNoUse(t *testing.T) {
	ca, dir := certificatetest.NewAuthority(t), t.TempDir()
	ca.Write(t, dir, time.Hour)
	open := func(f certificate.Files) error {
		_, err := certificate.Open(f, slog.New(slog.DiscardHandler))
		return err
	}
	with := files(dir)
	with.ClientCA = with.Key
	require.ErrorContains(t, open(with), "no certificate in PEM in "+with.Key)
	with.ClientCA = filepath.Join(dir, "none")
	require.ErrorContains(t, open(with), "none")
	require.NoError(t, os.Chmod(with.Key, 0o640), "its group may read it, as with Kubernetes")
	require.NoError(t, open(files(dir)))
	require.NoError(t, os.Chmod(with.Key, 0o644))
	require.ErrorContains(t, open(files(dir)), "chmod o= "+with.Key)
	ca.Write(t, filepath.Join(dir, "old"), -time.Minute)
	require.ErrorContains(t, open(files(filepath.Join(dir, "old"))), "has ended")

	for _, half := range []certificate.Files{{Certificate: "c"}, {Key: "k"}, {ClientCA: "ca"}} {
		_, err := half.Given()
		require.Error(t, err)
	}
	given, err := certificate.Files{}.Given()
	assert.False(t, given)
	require.NoError(t, err)
}

// serve serves by a keeper's certificate.
func serve(t *testing.T, k *certificate.Keeper) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Listener = tls.NewListener(s.Listener, k.Config())
	s.Start()
	t.Cleanup(s.Close)
	return "https://" + s.Listener.Addr().String()
}

func get(t *testing.T, url string, config *tls.Config) (string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	answer, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return string(raw), err
}

func TestHowTLSIsSpoken(t *testing.T) {
	ca, dir := certificatetest.NewAuthority(t), t.TempDir()
	ca.Write(t, dir, time.Hour)
	k, err := certificate.Open(files(dir), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	url := serve(t, k)
	proto, err := get(t, url, ca.Client(t, false))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", proto)
	old := ca.Client(t, false)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err = get(t, url, old)
	require.ErrorContains(t, err, "protocol version")
	_, err = get(t, url, certificatetest.NewAuthority(t).Client(t, false))
	require.ErrorContains(t, err, "unknown authority")
}

func TestClientsNeedACertificateIfTheyShall(t *testing.T) {
	ca, clients, dir := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t), t.TempDir()
	ca.Write(t, dir, time.Hour)
	f := files(dir)
	f.ClientCA = filepath.Join(dir, "clients.crt")
	require.NoError(t, os.WriteFile(f.ClientCA, clients.PEM, 0o600))
	k, err := certificate.Open(f, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	url := serve(t, k)
	_, err = get(t, url, ca.Client(t, false))
	require.Error(t, err)
	_, err = get(t, url, ca.Client(t, true))
	require.Error(t, err, "it is of another authority")
	config := ca.Client(t, false)
	config.Certificates = clients.Client(t, true).Certificates
	_, err = get(t, url, config)
	require.NoError(t, err)
}
