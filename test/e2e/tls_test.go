package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/certificate/certificatetest"
	"github.com/m-cmp/mc-infra-connector/resource"
	"github.com/m-cmp/mc-infra-connector/test/sshd"
)

// TestTLS has clients speak TLS with the real server: the command line with a terminal and
// events, and the certificate changes meanwhile.
func TestTLS(t *testing.T) {
	ssh := sshd.Start(t, "ed25519")
	ca, clients, dir := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t), t.TempDir()
	ca.Write(t, dir, time.Hour)
	clients.Write(t, filepath.Join(dir, "client"), time.Hour)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, authority := range map[string]*certificatetest.Authority{"ca.crt": ca, "clients.crt": clients} {
		require.NoError(t, os.WriteFile(at(name), authority.PEM, 0o600))
	}
	w := newWorld(t, "--dev", "--tls-cert", at("tls.crt"), "--tls-key", at("tls.key"), "--tls-client-ca", at("clients.crt"))
	require.True(t, strings.HasPrefix(w.Address, "https://"))

	assert.Contains(t, w.fails(7, "connection list"), "--ca")
	assert.Contains(t, w.fails(7, "connection list --ca %s", at("ca.crt")), "--client-cert")
	w.do("context set secure --server %s --ca %s --client-cert %s --client-key %s --token-file %s", w.Address, at("ca.crt"), at("client/tls.crt"), at("client/tls.key"), filepath.Join(w.data, "token"))
	address := w.Address
	w.Address = "" // the context has it
	assert.Contains(t, w.do("connection list"), "mock")

	config := ca.Client(t, false)
	config.Certificates = clients.Client(t, true).Certificates
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: time.Minute}
	ask := func(path string) (body io.Reader, version int) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.Token)
		answer, err := web.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = answer.Body.Close() })
		assert.Equal(t, http.StatusOK, answer.StatusCode)
		return answer.Body, answer.ProtoMajor
	}
	events, version := ask("/v1/events")
	assert.Equal(t, 2, version)
	w.do("vpc create net -c mock --cidr 10.0.0.0/16 --wait")
	lines := bufio.NewScanner(events)
	for lines.Scan() && !strings.Contains(lines.Text(), `"net"`) {
	}
	require.NoError(t, lines.Err())

	w.do("connection create ssh --cloud mock --region mock-seoul --setting ssh=%s@%s", ssh.User, ssh.Address)
	w.do("vpc create net -c ssh --cidr 10.0.0.0/16 --wait")
	w.do("subnet create sub -c ssh --vpc net --cidr 10.0.1.0/24 --wait")
	images := read[[]resource.Image](w, "image list -c ssh --filter os=ubuntu --filter architecture=x86_64 --limit 1")
	specs := read[[]resource.Spec](w, "spec list -c ssh --filter architectures~x86_64 --limit 1")
	w.do("vm create web -c ssh --image %s --spec %s --subnet sub --wait", images[0].ID, specs[0].Name)
	_, public := ssh.Key("own", "ed25519")
	ssh.Authorize(public)
	out, errs, code := w.run("vm", "ssh", "web", "-c", "ssh", "--identity", filepath.Join(ssh.Dir, "own"), "--", "echo here")
	require.Zero(t, code, errs)
	assert.Equal(t, "here\n", out)

	ready := func(also string) {
		t.Helper()
		require.Eventually(t, func() bool {
			body, _ := ask("/readyz")
			raw, err := io.ReadAll(body)
			first, rest, _ := strings.Cut(string(raw), "\n")
			return err == nil && first == "ok" && (also == "") == (rest == "") && strings.Contains(rest, also)
		}, time.Minute, 100*time.Millisecond)
	}
	ready("")
	good, err := os.ReadFile(at("tls.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at("tls.key"), []byte("not a key"), 0o600))
	ready("the new TLS certificate cannot be used")
	assert.Contains(t, w.Output(), "that of before is shown further on")
	require.NoError(t, os.WriteFile(at("tls.key"), good, 0o600))
	ready("")
}
