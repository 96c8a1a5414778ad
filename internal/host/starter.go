package host

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// starter starts processes from one thread that lives as long as the server.
// Linux ends a child with the thread that started it (prctl(2), PR_SET_PDEATHSIG),
// not with the process, so that an ordinary thread will not do.
type starter struct{ work chan startRequest }

type startRequest struct {
	cmd  *exec.Cmd
	done chan<- error
}

func newStarter() *starter {
	s := &starter{work: make(chan startRequest)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.work {
			r.done <- r.cmd.Start()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	s.work <- startRequest{cmd, done}
	return <-done
}

// stop ends the thread, and with it what was started and still runs.
func (s *starter) stop() { close(s.work) }

// killGroup kills a process and the processes that it started.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
