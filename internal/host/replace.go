package host

import (
	"context"
	"time"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Package is an installed driver.
type Package struct {
	Path    string       // of the executable
	Version string       // what the driver must say that it is
	Digest  string       // tells packages apart
	Check   func() error // asked before each start: whether the files are as they were installed
}

func (p Package) command() command {
	return command{path: p.Path, stamp: p.Digest, check: p.Check}
}

// SetPackage makes a cloud's driver be started from a package from now on, without
// trying it. It is for the start of the server.
func (h *Host) SetPackage(cloud string, p Package) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packages[cloud] = p
}

// DropPackage forgets a cloud's package. The driver is then started from where it is
// found otherwise; if there is nothing, calls that run end and new ones are refused.
func (h *Host) DropPackage(ctx context.Context, cloud string) error {
	h.mu.Lock()
	p, ok := h.packages[cloud]
	delete(h.packages, cloud)
	h.mu.Unlock()
	if !ok {
		return nil
	}
	for _, s := range h.slotsOf(cloud) {
		if err := s.take(ctx); err != nil {
			return err
		}
		if s.process != nil && s.stamp == p.Digest {
			h.retire(s, false)
		}
		s.release()
	}
	return nil
}

// Uses answers the digest of a cloud's package, "" if it has none.
func (h *Host) Uses(cloud string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.packages[cloud].Digest
}

// FoundElsewhere reports whether there is a driver for a cloud without its package.
func (h *Host) FoundElsewhere(cloud string) bool {
	found := h.overrides()
	findIn(h.config.Dirs, found)
	_, builtIn := h.config.BuiltIn[cloud]
	_, ok := found[cloud]
	return ok || builtIn
}

// UsePackage moves a cloud to a package while the server runs. The package's process
// is started beside the one that runs, and must answer what it is; then new calls go
// to it, and the old one ends when its calls have. If anything fails, everything
// stays as it was. Where a folder of Override has the driver, that one stays in use.
func (h *Host) UsePackage(ctx context.Context, cloud string, p Package) (*driver.Description, error) {
	s, err := h.place(cloud)
	if err != nil {
		return nil, err
	}
	if _, hidden := h.overrides()[cloud]; hidden {
		h.SetPackage(cloud, p)
		return h.Describe(ctx, cloud)
	}
	next, d, err := h.startChecked(ctx, cloud, p.command())
	if err != nil {
		return nil, err
	}
	if d.Version != p.Version {
		next.kill()
		return nil, resource.Errorf(resource.CodeInvalid, "the program in the package of the driver %s %s says that it is version %s; it is not used", cloud, p.Version, d.Version)
	}
	if err := s.take(ctx); err != nil {
		next.kill()
		return nil, err
	}
	defer s.release()
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		next.kill()
		return nil, resource.Errorf(resource.CodeUnavailable, "the server is stopping")
	}
	h.packages[cloud] = p
	h.mu.Unlock()
	h.replace(s, p.command(), next, d)
	return d, nil
}

// startChecked starts a process that is not used yet, and has it say what it is.
func (h *Host) startChecked(ctx context.Context, cloud string, c command) (*process, *driver.Description, error) {
	p, err := h.startProcess(cloud, c)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.StartTimeout)
	defer cancel()
	d, err := describe(ctx, p, cloud, c)
	if err != nil {
		p.kill()
		return nil, nil, err
	}
	return p, d, nil
}

// renew replaces a process whose executable has changed on the disk. If the new one
// does not work the old one stays, and it is tried again later. The slot is held.
func (h *Host) renew(s *slot, c command) *process {
	if time.Now().Before(s.retryAt) {
		return s.process
	}
	next, d, err := h.startChecked(context.Background(), s.cloud, c)
	if err != nil {
		s.failed(false)
		s.retryAt = time.Now().Add(max(time.Until(s.retryAt), time.Second))
		s.process.logger.Warn("the driver's executable has changed, and the new one does not work; the old one goes on", "path", c.path, "error", err)
		return s.process
	}
	s.process.logger.Info("the driver's executable has changed; the new one is used")
	h.replace(s, c, next, d)
	return next
}

// replace puts a process in the place of another. The slot is held.
func (h *Host) replace(s *slot, c command, next *process, d *driver.Description) {
	if s.process != nil {
		h.retire(s, d.LocalState || s.description != nil && s.description.LocalState)
	}
	s.process, s.stamp, s.startedAt, s.failures, s.retryAt = next, c.stamp, time.Now(), 0, time.Time{}
	s.description, s.described = d, c.stamp
}

// retire takes the slot's process out of use. It ends when the calls that it is
// working on have ended, or have had the time that any call has. New calls do not
// wait for that, unless the driver keeps state in its folder that two processes must
// not write at once. The slot is held.
func (h *Host) retire(s *slot, alone bool) {
	p := s.process
	s.process = nil
	if alone {
		p.drain(h.config.CallTimeout + h.config.Grace)
		p.kill()
		<-p.runner.done
		return
	}
	h.mu.Lock()
	h.retiring[p] = true
	h.mu.Unlock()
	go func() {
		p.drain(h.config.ListTimeout + h.config.Grace)
		p.kill()
		p.logger.Info("the replaced driver has ended its last calls and is stopped", "pid", p.runner.id())
		h.mu.Lock()
		delete(h.retiring, p)
		h.mu.Unlock()
	}()
}

// drain waits until a process that gets no new calls has none left, or has ended.
func (p *process) drain(limit time.Duration) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for p.calls.Load() > 0 {
		select {
		case <-tick.C:
		case <-p.runner.done:
			return
		case <-deadline.C:
			p.logger.Warn("the replaced driver did not end its calls in time and is ended", "calls", p.calls.Load())
			return
		}
	}
}
