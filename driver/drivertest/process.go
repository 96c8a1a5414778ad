package drivertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
)

// startTimeout is how long an executable has until it serves.
const startTimeout = 30 * time.Second

// start starts the target's driver. What it logs and prints goes to said; end ends
// it as a crash would, without a farewell.
func (t *Target) start(dir string, said io.Writer) (client driver.Client, end func(), err error) {
	if t.Driver != nil {
		return driver.Pipe(t.Driver(), slog.New(slog.NewJSONHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}
	cmd := exec.Command(t.Command[0], t.Command[1:]...) //nolint:gosec,noctx // the driver that was named; end ends it
	cmd.Dir = dir
	cmd.Env = []string{driver.EnvLogLevel + "=debug"}
	meeting := driver.Prepare(cmd, "", said, driver.Spoken())
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the driver %s: %w", t.Command[0], err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), startTimeout, fmt.Errorf("timeout after %s", startTimeout))
	defer cancel()
	running, ended := context.WithCancelCause(ctx)
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		_ = cmd.Wait() // its end is that of a crash
		ended(errors.New("it has ended"))
	}()
	client, hangUp, err := meeting.Meet(running)
	end = func() {
		_ = cmd.Process.Kill() // it may have ended
		<-waited
		if hangUp != nil {
			hangUp()
		}
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("start the driver %s: %w", t.Command[0], err)
	}
	return client, end, nil
}

// ear hears what a driver logs and prints.
type ear struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.text = append(e.text, p...)
	return len(p), nil
}

func (e *ear) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.text)
}
