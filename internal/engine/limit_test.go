package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// calls counts what goes to a cloud.
type calls struct {
	mu        sync.Mutex
	verbs     map[string]int
	throttled []time.Time
}

func newCalls() *calls { return &calls{verbs: map[string]int{}} }

// of is how often a verb was called.
func (c *calls) of(verb string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verbs[verb]
}

// forget begins to count anew.
func (c *calls) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.verbs)
}

// String implements fmt.Stringer.
func (c *calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.verbs)
}

func (c *calls) observe(_, verb string, code resource.Code, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verbs[verb]++
	if code == resource.CodeThrottled {
		c.throttled = append(c.throttled, time.Now())
	}
}

// timeReads reads a resource again and again until ctx ends, and says how long each
// read took.
func timeReads(ctx context.Context, e *enginetest.Env) []time.Duration {
	var took []time.Duration
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		began := time.Now()
		if _, err := e.Get(context.WithoutCancel(ctx), "mock", "vpc", "v"); err == nil {
			took = append(took, time.Since(began))
		}
		select {
		case <-ctx.Done():
			return took
		case <-tick.C:
		}
	}
}

// The cloud allows bursts of a second, so that all calls beyond one have to wait.
func TestManyVMsUnderARateLimit(t *testing.T) {
	const count, rate, latency = 300, 100, time.Second
	c := newCalls()
	e := enginetest.New(t, enginetest.Options{Observe: c.observe, Engine: engine.Config{ // as in a server
		PollFirst: 500 * time.Millisecond, PollMax: 5 * time.Second, RetryFirst: 500 * time.Millisecond, RetryMax: 30 * time.Second,
	}}, "latency", latency.String(), "rateLimit", strconv.Itoa(rate))
	e.Network()
	c.forget()

	started := time.Now()
	reads := make(chan []time.Duration, 1)
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	go func() { reads <- timeReads(reading, e) }()
	var ops []*api.Operation
	for i := range count {
		op, err := e.Ask("mock", "vm", fmt.Sprintf("vm%d", i), e.VMSpec())
		require.NoError(t, err)
		ops = append(ops, op)
	}
	asked := time.Since(started)
	for _, op := range ops {
		e.Succeeds(op)
	}
	took := time.Since(started)
	stopReading()
	read := <-reads
	slices.Sort(read)
	p99 := read[len(read)*99/100]

	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d VMs, asked for in %s, in %s; calls %v, of which throttled %d; limits %v; %d reads meanwhile, p99 %s",
		count, asked, took, c.verbs, len(c.throttled), e.Host.Limits(), len(read), p99)
	assert.Less(t, p99, time.Second, "reads wait for the work") // docs/performance.md has the figures
	assert.LessOrEqual(t, c.verbs["create"], count*11/10)
	assert.LessOrEqual(t, c.verbs["get"]+c.verbs["list"], 4*int(took.Seconds()+1), "polls")
	assert.Less(t, took, (max(count*time.Second/rate, asked)+latency)*13/10) // under the race detector asking takes longer than the cloud
	late := 0
	for _, at := range c.throttled {
		if at.Sub(c.throttled[0]) > time.Second {
			late++
		}
	}
	assert.LessOrEqual(t, late, count/100, "throttled once the limit is learned")
	if len(c.throttled) > 0 {
		assert.InEpsilon(t, rate, e.Host.Limits()["mock"], 0.7)
	}
}
