package drivertest

import (
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

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
	process := plugin.NewClient(&plugin.ClientConfig{
		Cmd:              cmd,
		HandshakeConfig:  driver.Handshake(),
		VersionedPlugins: driver.Plugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     startTimeout,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(),
		Stderr:           said,
		SyncStdout:       said,
		SyncStderr:       said,
	})
	end = func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill() // it may have ended
		}
		process.Kill()
	}
	rpc, err := process.Client()
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("start the driver %s: %w", t.Command[0], err)
	}
	dispensed, err := rpc.Dispense(driver.PluginName)
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("speak to the driver %s: %w", t.Command[0], err)
	}
	client, ok := dispensed.(driver.Client)
	if !ok {
		end()
		return nil, nil, fmt.Errorf("the program %s serves a %T, not a driver", t.Command[0], dispensed)
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
