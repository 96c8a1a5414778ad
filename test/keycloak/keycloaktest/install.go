// Package keycloaktest runs a real Keycloak for tests: https://www.keycloak.org
package keycloaktest

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/test/venv"
)

// What is installed.
const (
	version  = "26.7.3"
	artifact = "org.keycloak:keycloak-quarkus-dist:" + version + ":zip"
	digest   = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f" // SHA-256
	copier   = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
)

const installTimeout = 20 * time.Minute

// heap keeps Keycloak small.
const heap = "JAVA_OPTS_KC_HEAP=-Xms64m -Xmx512m"

// installed is what each one that runs is made from.
type installed struct {
	program  string
	database string // one that nobody has used yet: to make it takes longer than anything else
	password string // of the administrator
}

// install puts Keycloak into build/keycloak, whoever comes first.
func install(ctx context.Context) (made installed, err error) {
	if _, err := exec.LookPath("java"); err != nil {
		return made, fmt.Errorf("it needs Java 17 or later, Debian's package openjdk-17-jre-headless: %w", err)
	}
	home, unlock, err := venv.Shared("keycloak")
	if err != nil {
		return made, err
	}
	defer unlock()
	dir := filepath.Join(home, version)
	made = installed{program: filepath.Join(dir, "keycloak-"+version, "bin", "kc.sh"), database: filepath.Join(dir, "database")}
	done := filepath.Join(dir, "complete") // has the password
	if raw, err := os.ReadFile(done); err == nil {
		made.password = string(raw)
		return made, nil
	}
	if err := os.RemoveAll(dir); err != nil { // what a crash left
		return made, err
	}
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	err = command(ctx, nil, "mvn", "-q", "-B", copier, "-Dartifact="+artifact, "-DoutputDirectory="+dir, "-Dmaven.repo.local="+filepath.Join(dir, "maven"))
	if err != nil {
		return made, fmt.Errorf("fetch Keycloak: %w", err)
	}
	file := filepath.Join(dir, "keycloak-quarkus-dist-"+version+".zip")
	if err := unpack(file, dir); err != nil {
		return made, fmt.Errorf("unpack Keycloak: %w", err)
	}
	for _, path := range []string{file, filepath.Join(dir, "maven")} {
		if err := os.RemoveAll(path); err != nil {
			return made, err
		}
	}
	if err := command(ctx, []string{heap}, made.program, "build", "--db=dev-file"); err != nil {
		return made, fmt.Errorf("prepare Keycloak: %w", err)
	}
	made.password = secret.NewToken()
	first, err := launch(ctx, made)
	if err != nil {
		return made, err
	}
	err = first.end(syscall.SIGTERM) // it closes its database
	if err == nil {
		err = os.CopyFS(made.database, os.DirFS(filepath.Join(first.dir, "database")))
	}
	if err := errors.Join(err, first.Stop()); err != nil {
		return made, err
	}
	return made, os.WriteFile(done, []byte(made.password), 0o600)
}

func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, venv.Tail(out))
	}
	return nil
}

// unpack unpacks what is the file that is pinned.
func unpack(file, dir string) (err error) {
	raw, err := os.Open(file)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, raw)
	if err := errors.Join(err, raw.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("%s has the SHA-256 %s and not %s", file, got, digest)
	}
	packed, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, packed.Close()) }()
	for _, f := range packed.File {
		if err := extract(f, dir); err != nil {
			return err
		}
	}
	return nil
}

func extract(f *zip.File, dir string) (err error) {
	to := filepath.Join(dir, filepath.FromSlash(f.Name))
	if !strings.HasPrefix(to, dir+string(filepath.Separator)) {
		return fmt.Errorf("%s is outside of the folder", f.Name)
	}
	if f.FileInfo().IsDir() {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	mode := os.FileMode(0o644)
	if strings.HasSuffix(f.Name, ".sh") {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Close())
}
