package keycloaktest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/sso"
	"github.com/m-cmp/mc-infra-connector/test/venv"
)

// EnvRequire makes tests fail rather than be skipped when Keycloak cannot be set up.
const EnvRequire = "MCIC_REQUIRE_KEYCLOAK"

const (
	startTimeout = 10 * time.Minute // the first one takes a minute on a machine that has nothing else to do
	admin        = "operator"
)

// Keycloak is one that runs on this machine, with nothing that lasts. What it says of itself is
// for programs in other languages, too.
type Keycloak struct {
	Issuer      string `json:"issuer"`
	CA          string `json:"ca"` // file with what its certificate is trusted by
	Client      string `json:"client"`
	Secret      string `json:"secret"`
	SecretFile  string `json:"secretFile"`
	CommandLine string `json:"cliClient"`
	Program     string `json:"programClient"`
	Users       []User `json:"users"`

	base, dir, password string
	http                *http.Client
	cmd                 *exec.Cmd
	output              *buffer
	ended               chan struct{}
}

// Start runs one until Stop.
func Start(ctx context.Context) (k *Keycloak, err error) {
	made, err := install(ctx)
	if err != nil {
		return nil, err
	}
	if k, err = launch(ctx, made); err != nil {
		return nil, err
	}
	if err := k.Admin(ctx, http.MethodPost, "", realm(k.Secret, "http://127.0.0.1:1024", 300), nil); err != nil {
		return nil, errors.Join(err, k.Stop())
	}
	return k, nil
}

// launch runs one with a database of its own.
func launch(ctx context.Context, made installed) (k *Keycloak, err error) {
	dir, err := os.MkdirTemp("", "mcic-keycloak-")
	if err != nil {
		return nil, err
	}
	k = &Keycloak{
		Client: Client, CommandLine: CommandLine, Program: Program, Users: Users(), Secret: secret.NewToken(), SecretFile: filepath.Join(dir, "secret"),
		CA: filepath.Join(dir, "tls.crt"), dir: dir, password: made.password, output: &buffer{}, ended: make(chan struct{}),
	}
	if err := k.run(ctx, made); err != nil {
		return nil, errors.Join(fmt.Errorf("start Keycloak: %w\n%s", err, venv.Tail(k.output.bytes())), k.Stop())
	}
	return k, nil
}

func (k *Keycloak) run(ctx context.Context, made installed) error {
	database := filepath.Join(k.dir, "database")
	if _, err := os.Stat(made.database); err == nil {
		if err := os.CopyFS(database, os.DirFS(made.database)); err != nil {
			return err
		}
	}
	certificate, key, err := pair()
	if err != nil {
		return err
	}
	keyFile := filepath.Join(k.dir, "tls.key")
	for path, content := range map[string][]byte{k.CA: certificate, keyFile: key, k.SecretFile: []byte(k.Secret)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	if k.http, err = sso.Client(certificate); err != nil {
		return err
	}
	k.http.Timeout = time.Minute
	port, err := freePort()
	if err != nil {
		return err
	}
	k.base = "https://127.0.0.1:" + port
	k.Issuer = k.base + "/realms/" + Realm
	k.cmd = exec.Command(made.program, "start", "--optimized", "--http-host=127.0.0.1", "--http-enabled=false", "--https-port="+port, "--hostname="+k.base, //nolint:noctx // it is stopped by Stop
		"--https-certificate-file="+k.CA, "--https-certificate-key-file="+keyFile, "--cache=local")
	k.cmd.Env = append(os.Environ(), heap, "KC_BOOTSTRAP_ADMIN_USERNAME="+admin, "KC_BOOTSTRAP_ADMIN_PASSWORD="+k.password,
		"KC_DB_URL=jdbc:h2:file:"+filepath.Join(database, "keycloak")+";NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE")
	k.cmd.Stdout, k.cmd.Stderr = k.output, k.output
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := k.cmd.Start(); err != nil {
		k.cmd = nil
		return err
	}
	go func() {
		_ = k.cmd.Wait()
		close(k.ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		if err = k.ask(ctx, http.MethodGet, "/realms/master", nil, nil); err == nil {
			break
		}
		select {
		case <-k.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-look.C:
		}
	}
	return nil
}

// end ends the process.
func (k *Keycloak) end(signal syscall.Signal) error {
	if k.cmd == nil {
		return nil
	}
	_ = syscall.Kill(-k.cmd.Process.Pid, signal) // it may have ended by itself
	select {
	case <-k.ended:
		k.cmd = nil
		return nil
	case <-time.After(startTimeout):
		return errors.New("Keycloak does not end")
	}
}

// Stop ends it, and removes what it has left.
func (k *Keycloak) Stop() error {
	return errors.Join(k.end(syscall.SIGKILL), os.RemoveAll(k.dir))
}

// Output is what it has said.
func (k *Keycloak) Output() string { return string(venv.Tail(k.output.bytes())) }

// Serve tells it where the server is: where it may send browsers, and what it tells of logouts.
func (k *Keycloak) Serve(ctx context.Context, server string) error {
	return k.change(ctx, Client, func(client map[string]any) {
		now := find(realm(k.Secret, server, 0)["clients"].([]any), Client)
		client["redirectUris"] = now["redirectUris"]
		for name, value := range now["attributes"].(map[string]any) {
			client["attributes"].(map[string]any)[name] = value
		}
	})
}

// Lifespan says for how many seconds access tokens of a client are good.
func (k *Keycloak) Lifespan(ctx context.Context, client, seconds string) error {
	return k.change(ctx, client, func(c map[string]any) { c["attributes"].(map[string]any)["access.token.lifespan"] = seconds })
}

func find(clients []any, id string) map[string]any {
	for _, c := range clients {
		if c := c.(map[string]any); c["clientId"] == id {
			return c
		}
	}
	return nil
}

func (k *Keycloak) change(ctx context.Context, client string, change func(map[string]any)) error {
	var found []map[string]any
	if err := k.Admin(ctx, http.MethodGet, "/"+Realm+"/clients?clientId="+client, nil, &found); err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("there is no client %s", client)
	}
	change(found[0])
	return k.Admin(ctx, http.MethodPut, fmt.Sprintf("/%s/clients/%s", Realm, found[0]["id"]), found[0], nil)
}

// Rotate has it sign with a new key from now on.
func (k *Keycloak) Rotate(ctx context.Context) error {
	var found struct{ ID string }
	if err := k.Admin(ctx, http.MethodGet, "/"+Realm, nil, &found); err != nil {
		return err
	}
	return k.Admin(ctx, http.MethodPost, "/"+Realm+"/components", map[string]any{
		"name": "rotated", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": found.ID,
		"config": map[string]any{"priority": []string{"200"}, "enabled": []string{"true"}, "active": []string{"true"}, "algorithm": []string{"RS256"}, "keySize": []string{"2048"}},
	}, nil)
}

// LogOut ends all sessions of a user.
func (k *Keycloak) LogOut(ctx context.Context, user string) error {
	id, err := k.user(ctx, user)
	if err != nil {
		return err
	}
	return k.Admin(ctx, http.MethodPost, "/"+Realm+"/users/"+id+"/logout", map[string]any{}, nil)
}

func (k *Keycloak) user(ctx context.Context, name string) (string, error) {
	var found []struct{ ID string }
	err := k.Admin(ctx, http.MethodGet, "/"+Realm+"/users?exact=true&username="+name, nil, &found)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("there is no user %s", name)
	}
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}

// Join puts a user into a group.
func (k *Keycloak) Join(ctx context.Context, user, group string) error {
	id, err := k.user(ctx, user)
	if err != nil {
		return err
	}
	var groups []struct{ ID string }
	if err := k.Admin(ctx, http.MethodGet, "/"+Realm+"/groups?exact=true&search="+group, nil, &groups); err != nil {
		return err
	}
	if len(groups) != 1 {
		return fmt.Errorf("there is no group %s", group)
	}
	return k.Admin(ctx, http.MethodPut, "/"+Realm+"/users/"+id+"/groups/"+groups[0].ID, map[string]any{}, nil)
}

// Token gets an access token of a user, as a program does that knows the password.
func (k *Keycloak) Token(ctx context.Context, user string) (string, error) {
	return k.token(ctx, Realm, url.Values{"client_id": {Program}, "client_secret": {k.Secret}, "grant_type": {"password"}, "username": {user}, "password": {Password}, "scope": {"openid"}})
}

func (k *Keycloak) token(ctx context.Context, realm string, form url.Values) (string, error) {
	var got struct {
		Token string `json:"access_token"`
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.base+"/realms/"+realm+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	err = k.exchange(r, &got)
	return got.Token, err
}

// Admin asks Keycloak's API for administrators.
func (k *Keycloak) Admin(ctx context.Context, method, path string, body, out any) error {
	token, err := k.token(ctx, "master", url.Values{"client_id": {"admin-cli"}, "grant_type": {"password"}, "username": {admin}, "password": {k.password}})
	if err != nil {
		return err
	}
	return k.ask(ctx, method, "/admin/realms"+path, body, out, "Authorization", "Bearer "+token)
}

func (k *Keycloak) ask(ctx context.Context, method, path string, body, out any, header ...string) error {
	var raw io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		raw = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, k.base+path, raw)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return k.exchange(r, out)
}

func (k *Keycloak) exchange(r *http.Request, out any) error {
	answer, err := k.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", r.Method, r.URL.Path, answer.Status, raw)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// pair is a certificate for this machine that vouches for itself, and its key.
func pair() (certificate, key []byte, err error) {
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &made.PublicKey, made)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(made)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), nil
}

// buffer keeps what is written while it is read.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text.Bytes())
}
