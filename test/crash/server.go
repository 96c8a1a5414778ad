package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/m-cmp/mc-infra-connector/test/mcic"
)

// keeper runs the server and starts it anew, like an init system does.
type keeper struct {
	bin, data, logs string
	args            []string

	mu      sync.Mutex
	server  *mcic.Server // the last one that was started
	running bool
	runs    int
	deaths  []string // of servers that ended without being told to
}

func newKeeper(dir string, args ...string) (*keeper, error) {
	k := &keeper{bin: filepath.Join(dir, "bin"), data: filepath.Join(dir, "data"), logs: filepath.Join(dir, "logs"), args: args}
	return k, os.MkdirAll(k.logs, 0o700)
}

// current is the server to send requests to. It may be gone.
func (k *keeper) current() *mcic.Server {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.server
}

func (k *keeper) isRunning() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.running
}

// start starts the server unless it runs, again and again while that fails.
func (k *keeper) start(ctx context.Context) error {
	if k.isRunning() {
		return nil
	}
	const patience = 30 * time.Second
	began := time.Now()
	for {
		err := k.tryStart(ctx)
		if err == nil || ctx.Err() != nil || time.Since(began) > patience {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// tryStart starts the server once. It is killed if it is not ready when ctx ends.
func (k *keeper) tryStart(ctx context.Context) error {
	s, err := mcic.Start(ctx, k.bin, k.data, k.args...)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.runs++
	if err != nil {
		if ctx.Err() == nil {
			k.deaths = append(k.deaths, err.Error())
		}
		return errors.Join(fmt.Errorf("start the server: %w", err), k.keepLog(err.Error()))
	}
	k.server, k.running = s, true
	return nil
}

// kill ends the server as a crash does.
func (k *keeper) kill() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.running {
		return nil
	}
	if !alive(k.server.PID()) {
		k.deaths = append(k.deaths, "the server ended:\n"+k.server.Output())
	}
	k.server.Kill()
	k.running = false
	return k.keepLog(k.server.Output())
}

// killWhileStarting starts the server and kills it a moment later, when it may not
// be ready yet. It reports whether it was killed.
func (k *keeper) killWhileStarting(ctx context.Context, after time.Duration) bool {
	short, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	return k.tryStart(short) != nil && ctx.Err() == nil
}

// stop ends the server as an operator does.
func (k *keeper) stop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.running {
		return nil
	}
	k.running = false
	if err := k.server.Stop(); err != nil {
		k.deaths = append(k.deaths, err.Error())
	}
	return k.keepLog(k.server.Output())
}

// keepLog keeps the output of a run for whoever looks into a failure.
func (k *keeper) keepLog(output string) error {
	return os.WriteFile(filepath.Join(k.logs, fmt.Sprintf("server-%04d.log", k.runs)), []byte(output), 0o600)
}

// killDriver kills one of the server's drivers, and waits a moment for one to be
// there. It reports whether it found one.
func (k *keeper) killDriver(ctx context.Context, r *rand.Rand) (bool, error) {
	short, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for {
		all, err := processes(ctx)
		if err != nil {
			return false, err
		}
		var drivers []int
		for _, p := range all {
			if p.parent == k.current().PID() {
				drivers = append(drivers, p.pid)
			}
		}
		if len(drivers) > 0 {
			err := syscall.Kill(drivers[r.IntN(len(drivers))], syscall.SIGKILL)
			if errors.Is(err, syscall.ESRCH) { // it was faster
				return false, nil
			}
			return err == nil, err
		}
		if pause(short, 20*time.Millisecond) != nil {
			return false, nil // there is none
		}
	}
}

// leftovers waits a moment for this run's programs to end, kills those that still
// run then, and answers what they were.
func (k *keeper) leftovers(ctx context.Context) ([]string, error) {
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		all, err := processes(ctx)
		if err != nil {
			return nil, err
		}
		var left []string
		over := short.Err() != nil
		for _, p := range all {
			if strings.HasPrefix(p.command, k.bin+string(filepath.Separator)) {
				left = append(left, fmt.Sprintf("%d %s", p.pid, p.command))
				if over {
					_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have ended
				}
			}
		}
		if len(left) == 0 || over {
			return left, nil
		}
		_ = pause(short, 20*time.Millisecond) // its end is seen above
	}
}

type process struct {
	pid, parent int
	command     string
}

// processes lists all processes of this machine.
func processes(ctx context.Context) ([]process, error) {
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pid=,ppid=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("ps answered %q: %w", line, err)
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("ps answered %q: %w", line, err)
		}
		all = append(all, process{pid, parent, strings.Join(fields[2:], " ")})
	}
	return all, nil
}

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
