// Package mcic builds and runs the real programs, for tests and benchmarks from end
// to end.
package mcic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build builds commands of this module into a folder, like make build does.
func Build(ctx context.Context, dir string, packages ...string) error {
	args := []string{"build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w -funcalign=16 -X main.version=test", "-o", dir + string(filepath.Separator)}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", strings.Join(packages, " "), err, out)
	}
	return nil
}

// Server is a running server.
type Server struct {
	Address string // http://127.0.0.1:… or https://…
	Token   string
	Data    string
	Started time.Duration // from the start of the process until it was ready

	cmd    *exec.Cmd
	output *output
	ended  chan struct{}
}

// readyLine is what the server prints when it can be used.
var readyLine = regexp.MustCompile(`is ready at (https?://\S+)`)

// Start runs the server of a folder of programs on a free port, and waits until it
// is ready.
func Start(ctx context.Context, bin, data string, args ...string) (*Server, error) {
	s := &Server{Data: data, output: &output{}, ended: make(chan struct{})}
	s.cmd = exec.Command(filepath.Join(bin, "mcic"), append([]string{"server", "--data", data, "--listen", "127.0.0.1:0"}, args...)...) //nolint:noctx // it is stopped by Stop or Kill
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	deadline, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := readyLine.FindStringSubmatch(s.output.String()); m != nil {
			s.Address, s.Started = m[1], time.Since(began)
			break
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("the server ended:\n%s", s.output)
		case <-deadline.Done():
			s.Kill()
			return nil, fmt.Errorf("the server did not become ready:\n%s", s.output)
		case <-tick.C:
		}
	}
	raw, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		s.Kill()
		return nil, err
	}
	s.Token = strings.TrimSpace(string(raw))
	return s, nil
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Output is what the server has printed and logged.
func (s *Server) Output() string { return s.output.String() }

// Ended reports whether the server has ended.
func (s *Server) Ended() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Stop tells the server to stop and waits until it has.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("the server ended with %d:\n%s", code, s.output)
		}
		return nil
	case <-time.After(20 * time.Second):
		s.Kill()
		return fmt.Errorf("the server did not stop:\n%s", s.output)
	}
}

// Kill ends the server as kill -9 does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Do sends a request and answers its status and body.
func (s *Server) Do(ctx context.Context, client *http.Client, method, path, body string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.Address+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	var raw bytes.Buffer
	raw.Grow(int(max(answer.ContentLength, 0)) + bytes.MinRead) // of what says how long it is
	_, err = raw.ReadFrom(answer.Body)
	return answer.StatusCode, raw.Bytes(), err
}

// JSON sends a request, expects success, and reads the answer into value unless
// that is nil.
func (s *Server) JSON(ctx context.Context, client *http.Client, method, path, body string, value any) error {
	status, raw, err := s.Do(ctx, client, method, path, body)
	switch {
	case err != nil:
		return err
	case status >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %d %s", method, path, status, raw)
	case value == nil:
		return nil
	}
	return json.Unmarshal(raw, value)
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
