package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/client"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// wait waits for the end of an operation and shows how far it is. The error says how
// to go on when the end was not reached.
func (a *app) wait(ctx context.Context, c *client.Client, op *api.Operation, out format) (*api.Operation, error) {
	what := fmt.Sprintf("%s of %s %s", op.Verb, op.Kind, op.Name)
	progress := a.newProgress(fmt.Sprintf("%s %s: %s", op.Kind, op.Name, op.Verb), out)
	progress.update(op)
	done, err := c.WaitOperation(ctx, op.ID, progress.update)
	progress.end()
	if done != nil {
		a.warn(done.Warnings)
	}
	goesOn := fmt.Sprintf("the operation goes on: %s. Follow it with: mcic operation wait %s", what, op.ID)
	switch {
	case err == nil:
		return done, nil
	case done != nil: // it failed
		code := resource.CodeOf(err)
		err = fmt.Errorf("%s failed: %w", what, err)
		if code == resource.CodeInternal || code == "" {
			err = &exitError{exitFailed, err}
		}
		return done, err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, &exitError{exitTimedOut, fmt.Errorf("stopped waiting because --timeout is over; %s", goesOn)}
	case ctx.Err() != nil:
		return nil, &exitError{exitInterrupted, fmt.Errorf("interrupted; %s", goesOn)}
	default:
		return nil, fmt.Errorf("%w. Perhaps %s", err, goesOn)
	}
}

// warn shows what is to be known about something although it is done.
func (a *app) warn(warnings []resource.Warning) {
	for _, w := range warnings {
		fmt.Fprintf(a.env.Stderr, "Warning: %s\n", clean(w.Message))
	}
}

// progress shows how far an operation is: on a terminal on one line that is drawn
// again, elsewhere with a line for each new state, and not at all beside JSON or YAML.
type progress struct {
	a     *app
	what  string
	start time.Time
	quiet bool

	mu    sync.Mutex
	state string
	stop  chan struct{}
	drawn sync.WaitGroup
}

// progressWidth keeps the line from being broken, which could not be drawn again.
const progressWidth = 79

func (a *app) newProgress(what string, out format) *progress {
	p := &progress{a: a, what: what, start: a.env.Now(), quiet: out == formatJSON || out == formatYAML, stop: make(chan struct{})}
	if p.quiet || !a.env.StderrTerminal {
		return p
	}
	ticks, stopTicks := a.env.Tick(time.Second)
	p.drawn.Go(func() {
		defer stopTicks()
		for {
			select {
			case <-p.stop:
				return
			case <-ticks:
				p.mu.Lock()
				p.draw()
				p.mu.Unlock()
			}
		}
	})
	return p
}

func (p *progress) update(op *api.Operation) {
	if p.quiet {
		return
	}
	state := string(op.State)
	if op.Items != nil {
		state += fmt.Sprintf(", %d of %d", op.Items.Ended, op.Items.Total)
		if op.Items.Failed > 0 {
			state += fmt.Sprintf(", %d failed", op.Items.Failed)
		}
	}
	if op.Pending != "" {
		state += ", waiting: " + op.Pending
	}
	if op.Error != nil && !op.State.Ended() {
		state += ", trying again after: " + op.Error.Message
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := state != p.state
	p.state = state
	switch {
	case p.a.env.StderrTerminal:
		p.draw()
	case changed:
		fmt.Fprintf(p.a.env.Stderr, "%s %s\n", clean(p.what), clean(state))
	}
}

func (p *progress) draw() {
	elapsed := p.a.env.Now().Sub(p.start).Round(time.Second)
	line := []rune(clean(fmt.Sprintf("%s, %s, %s", p.what, elapsed, p.state)))
	fmt.Fprintf(p.a.env.Stderr, "\r\x1b[K%s", string(line[:min(len(line), progressWidth)]))
}

// end clears the line for what comes next.
func (p *progress) end() {
	close(p.stop)
	p.drawn.Wait()
	if !p.quiet && p.a.env.StderrTerminal {
		fmt.Fprint(p.a.env.Stderr, "\r\x1b[K")
	}
}
