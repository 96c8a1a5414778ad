// Package moto runs moto, an emulator of AWS, for tests, behind a stage that checks what it
// is asked and answers as AWS documents it where moto does not.
// https://docs.getmoto.org/en/latest/docs/server_mode.html
package moto

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/venv"
)

// EnvRequire makes a test fail rather than be skipped when moto cannot be set up.
const EnvRequire = "MCIC_REQUIRE_MOTO"

const startTimeout = time.Minute

//go:embed requirements.txt
var requirements []byte

//go:embed serve.py
var serve string

// Start runs a fresh emulator until the test ends, with a stage before it. Moto takes
// every key, and images must be known to it. Without Python or a package index the test is
// skipped.
func Start(t testing.TB, lenient ...Leniency) *Stage {
	t.Helper()
	upstream, botocore := bare(t)
	s, err := newStage(t, upstream, botocore, lenient)
	if err != nil {
		t.Fatalf("set the stage before moto: %v", err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Bare runs an emulator with nothing before it, for measurements.
func Bare(t testing.TB) string {
	t.Helper()
	upstream, _ := bare(t)
	return upstream
}

// bare answers the URL of an emulator, and the folder with the data of botocore.
func bare(t testing.TB) (endpoint, botocore string) {
	t.Helper()
	python, botocore := python(t)
	endpoint, err := start(t, python)
	if err != nil {
		t.Fatalf("start moto: %v", err)
	}
	return endpoint, botocore
}

// python answers an interpreter that has moto, and the folder with the data of botocore.
func python(t testing.TB) (python, botocore string) {
	t.Helper()
	python, err := venv.Python(t.Context(), "moto", requirements)
	if err != nil {
		unavailable(t, fmt.Errorf("set up moto: %w", err))
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(python), "..", "lib", "python*", "site-packages", "botocore", "data"))
	if err != nil || len(found) != 1 {
		t.Fatalf("moto's environment has %d folders with botocore's data (%v); remove build/moto-venv", len(found), err)
	}
	return python, found[0]
}

func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(EnvRequire) != "" {
		t.Fatalf("%v (%s is set)", err, EnvRequire)
	}
	t.Skipf("SKIPPED, nothing was tested: %v", err)
}

func start(t testing.TB, python string) (string, error) {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, "-c", serve) // ended below
	cmd.Env = append(os.Environ(),
		"PYTHONUNBUFFERED=1",
		"MOTO_ENABLE_AMI_VALIDATION=true",
		"MOTO_ENABLE_KEYPAIR_VALIDATION=true",
		"MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION=true",
	)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe() // never written; it ends with this process
	if err != nil {
		return "", err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	output := &log{address: make(chan string, 1), ended: make(chan struct{})}
	go output.read(stderr)
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		<-output.ended
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("moto's log ends with:\n%s", venv.Tail(output.text))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	select {
	case endpoint := <-output.address:
		return endpoint, answers(ctx, endpoint)
	case <-output.ended:
		return "", fmt.Errorf("it ended: %s", venv.Tail(output.text))
	case <-ctx.Done():
		return "", fmt.Errorf("it does not say its address: %w", ctx.Err())
	}
}

// answers waits for the first answer; the socket is open before the address is
// printed, so that one request is enough.
func answers(ctx context.Context, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/moto-api/", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: startTimeout}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// log is what the server prints, with the address taken out.
type log struct {
	text    []byte // to be read after ended
	address chan string
	ended   chan struct{}
}

func (l *log) read(from io.Reader) {
	defer close(l.ended)
	address, found := regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`), false
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		l.text = append(l.text, line...)
		if match := address.FindSubmatch(line); match != nil && !found {
			found = true
			l.address <- string(match[1])
		}
		if err != nil {
			return
		}
	}
}
