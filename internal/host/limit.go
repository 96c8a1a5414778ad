package host

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// limiter keeps the calls of one connection just below the rate at which its cloud
// throttles them. It knows the cloud from its answers alone. There is no limit
// until the first answer with the code throttled; from then on:
//
//	rate ▲
//	     │ ╲                                       ╱ probing: up, ever faster
//	seen │  ╲                                    ╱
//	     │   ╲           _________________---- ´
//	     │    ╲       .´     plateau
//	     │     ╲   ╱ climbing
//	     │      ╲╱
//	     └──────┴───────┴───────────────────────────▶ time in use
//	        throttled                          again
//
// The shape is that of TCP CUBIC (RFC 9438), which the adaptive retry mode of the
// AWS SDKs borrows too. The rate that the cloud grants is found in another way than
// there: whenever a cloud throttles, its bucket is empty. So between two such
// moments it has granted what it answered, whatever burst it allows, and that number
// over that time is its rate. Time without use does not count: a limit that nobody
// has tried is not raised.
type limiter struct {
	logger *slog.Logger

	turn       chan struct{} // of the one background call that may come to the gate
	gate       chan struct{} // of the one call that goes next
	background atomic.Int64  // background calls that wait
	atGate     atomic.Int64  // calls that wait at the gate

	mu      sync.Mutex
	seen    float64       // calls per second that the cloud granted; 0: no limit
	since   time.Time     // start of the measurement: with a limit, when the cloud throttled
	granted float64       // calls since then
	idle    time.Duration // time without use since then
	next    time.Time     // when the next call may go
	probe   time.Duration // time on the plateau until its rate has doubled
}

const (
	lowest  = 0.5             // calls per second; nobody is stopped for good
	drop    = 0.75            // of the rate seen: where the limit falls when the cloud throttles
	plateau = 0.95            // of the rate seen: room for calls that arrive in a bunch
	climb   = 5 * time.Second // from drop to plateau
	fade    = 5 * time.Minute // without throttling: there is no limit any more

	// Whether the cloud allows more by now is tried soon where the rate is new, and
	// less and less often where it has been the same each time.
	probeFirst = 5 * time.Second
	probeLast  = time.Minute
	same       = 0.2

	// The first limit is better too high than too low: a few throttled calls correct
	// the one, half a minute the other. So it is the rate of the last moment, burst
	// included, and not taken from too few calls or too short a time.
	moment   = 200 * time.Millisecond
	fewCalls = 10
	fewTime  = 50 * time.Millisecond

	// slack is how late a call may be without delaying the next ones. Without it
	// late timers would add up.
	slack = 20 * time.Millisecond
)

func newLimiter(logger *slog.Logger) *limiter {
	return &limiter{logger: logger, turn: make(chan struct{}, 1), gate: make(chan struct{}, 1), since: time.Now()}
}

type backgroundKey struct{}

// Background marks calls that nobody waits for at a screen. Where calls are held
// back, only one of these at a time queues with those of people.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// wait returns when a call may go. It fails at once if that would take longer than
// the call has.
func (l *limiter) wait(ctx context.Context, timeout time.Duration) error {
	if l.limit() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if ctx.Value(backgroundKey{}) != nil {
		before := l.background.Add(1) - 1
		defer l.background.Add(-1)
		if err := l.enter(ctx, l.turn, before); err != nil {
			return err
		}
		defer func() { <-l.turn }()
	}
	before := l.atGate.Add(1) - 1
	defer l.atGate.Add(-1)
	if err := l.enter(ctx, l.gate, before); err != nil {
		return err
	}
	defer func() { <-l.gate }()
	for {
		wait := l.take()
		if wait == 0 {
			return nil
		}
		if err := l.fits(ctx, wait); err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C: // and look again: the limit may have fallen
		case <-ctx.Done():
			timer.Stop()
			return l.refuse(ctx, wait)
		}
	}
}

// enter takes a place that calls get in the order in which they came, unless those
// before take too long. For a background call that counts those of its kind only,
// but it is checked again at the gate.
func (l *limiter) enter(ctx context.Context, place chan<- struct{}, before int64) error {
	wait := time.Duration(float64(before) * float64(time.Second) / max(l.limit(), lowest))
	if err := l.fits(ctx, wait); err != nil {
		return err
	}
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return l.refuse(ctx, wait)
	}
}

// fits fails if a call cannot wait for so long.
func (l *limiter) fits(ctx context.Context, wait time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return l.refuse(ctx, wait)
	}
	return nil
}

// refuse is the answer to a call that does not go to the cloud.
func (l *limiter) refuse(ctx context.Context, wait time.Duration) error {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return resource.Errorf(resource.CodeUnavailable, "the call was given up before it went to the cloud: %w", err)
	}
	return resource.Errorf(resource.CodeThrottled, "the cloud throttles this connection, which therefore makes %.3g calls per second; this call would have to wait for %s, longer than it may, and was not made; try again later", l.limit(), wait.Round(time.Millisecond))
}

// take answers how long to wait, or takes the place of the next call and answers 0.
func (l *limiter) take() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait := l.next.Sub(now); wait > 0 {
		return wait
	}
	if unused := now.Sub(l.next) - slack; unused > 0 {
		l.idle += unused
		l.next = now.Add(-slack)
	}
	if rate := l.rate(now); rate > 0 {
		l.next = l.next.Add(interval(rate))
	}
	return 0
}

func interval(rate float64) time.Duration { return time.Duration(float64(time.Second) / rate) }

// limit is the rate now in calls per second; 0 means that there is no limit.
func (l *limiter) limit() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate(time.Now())
}

func (l *limiter) rate(now time.Time) float64 {
	if l.seen > 0 && now.Sub(l.since) > fade {
		l.seen = 0
	}
	if l.seen == 0 {
		return 0
	}
	rate := plateau * l.seen
	if age := l.age(now); age < climb {
		rate -= (plateau - drop) * l.seen * cube(1-age.Seconds()/climb.Seconds())
	} else {
		rate *= 1 + cube((age-climb).Seconds()/l.probe.Seconds())
	}
	return max(rate, lowest)
}

func cube(x float64) float64 { return x * x * x }

// age is the time in use since the measurement began.
func (l *limiter) age(now time.Time) time.Duration {
	age := now.Sub(l.since) - l.idle
	if unused := now.Sub(l.next) - slack; l.seen > 0 && unused > 0 {
		age -= unused
	}
	return age
}

// answer learns from the answer to a call that went to the cloud at a time.
func (l *limiter) answer(started time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch resource.CodeOf(err) {
	case resource.CodeThrottled:
		// Calls that were under way when the limit fell say nothing about it.
		if l.rate(now) == 0 || started.After(l.since) {
			l.lower(now)
		}
	case resource.CodeUnavailable: // perhaps no answer of the cloud
	default:
		l.count(started, now)
	}
}

func (l *limiter) count(started, now time.Time) {
	if l.rate(now) == 0 && now.Sub(l.since) > moment {
		l.since, l.granted, l.idle = started, 0, 0
	}
	l.granted++
}

// lower sets the limit below the rate at which the cloud has just throttled.
func (l *limiter) lower(now time.Time) {
	calls, over := max(l.granted, fewCalls), l.age(now)
	var seen float64
	if before := l.rate(now); before > 0 {
		seen = min(calls/over.Seconds(), before)
	} else {
		seen = calls / max(over, fewTime).Seconds()
		l.logger.Info("the cloud throttles; from now on the connection makes only as many calls as it allows", "callsPerSecond", seen)
	}
	l.probe *= 2
	if seen < l.seen*(1-same) || seen > l.seen*(1+same) {
		l.probe = probeFirst
	}
	l.probe = min(l.probe, probeLast)
	l.seen, l.since, l.granted, l.idle = seen, now, 0, 0
	l.next = now // nothing is idle, for rate
	l.next = now.Add(interval(l.rate(now)))
}
