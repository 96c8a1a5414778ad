package host

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// starter starts processes from threads that live as long as the server. Linux ends
// a child with the thread that started it (prctl(2), PR_SET_PDEATHSIG), not with the
// process, so that an ordinary thread will not do.
type starter struct {
	work    chan startRequest
	stopped chan struct{}
}

type startRequest struct {
	cmd  *exec.Cmd
	done chan<- error
}

func newStarter() *starter {
	s := &starter{work: make(chan startRequest), stopped: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case r := <-s.work:
				r.done <- r.cmd.Start()
			case <-s.stopped:
				return
			}
		}
	}()
	return s
}

// start starts a process; ended is closed when it has ended. One that is confined
// gets a thread of its own, which is confined first: what a thread gave up, its
// children do not have, and it never gets it back.
func (s *starter) start(cmd *exec.Cmd, c *confinement, ended <-chan struct{}) error {
	done := make(chan error, 1)
	if c == nil {
		select {
		case s.work <- startRequest{cmd, done}:
			return <-done
		case <-s.stopped: // nothing is started any more
			return errors.New("the server is stopping")
		}
	}
	go func() {
		runtime.LockOSThread() // never unlocked
		if err := c.apply(); err != nil {
			done <- err
			return
		}
		err := cmd.Start()
		done <- err
		if err != nil {
			return
		}
		select {
		case <-ended:
		case <-s.stopped:
		}
	}()
	return <-done
}

// stop ends the threads, and with them what was started and still runs.
func (s *starter) stop() { close(s.stopped) }

// killGroup kills a process and the processes that it started.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
