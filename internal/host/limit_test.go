package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// bucket is a cloud that throttles with a token bucket, as most do.
type bucket struct {
	latency time.Duration // of a call that it grants

	mu      sync.Mutex
	rate    float64
	burst   float64
	tokens  float64
	at      time.Time // of the last call
	granted int
	refused int
}

func newBucket(rate, burst float64) *bucket {
	return &bucket{rate: rate, burst: burst, tokens: burst, at: time.Now()}
}

// call is one call through the limiter.
func (b *bucket) call(ctx context.Context, l *limiter) error {
	if err := l.wait(ctx, time.Minute); err != nil {
		return err
	}
	started := time.Now()
	pause(time.Millisecond) // the way there
	err := b.take()
	if err == nil && b.latency > 0 {
		pause(b.latency)
	}
	l.answer(started, err)
	return err
}

func (b *bucket) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	if b.tokens < 1 {
		b.refused++
		return resource.Errorf(resource.CodeThrottled, "too many calls")
	}
	b.tokens--
	b.granted++
	return nil
}

// load has 16 workers call for a while, as the engine's do, and answers how many
// calls were granted and refused.
func (b *bucket) load(t *testing.T, l *limiter, d time.Duration) (granted, refused int) {
	t.Helper()
	b.granted, b.refused = 0, 0
	b.keepBusy(t, l, d).Wait()
	return b.granted, b.refused
}

func (b *bucket) keepBusy(t *testing.T, l *limiter, d time.Duration) *sync.WaitGroup {
	t.Helper()
	ctx, cancel := context.WithTimeout(Background(t.Context()), d)
	t.Cleanup(cancel)
	group := &sync.WaitGroup{}
	for range 16 {
		group.Go(func() {
			for ctx.Err() == nil {
				if b.call(ctx, l) != nil {
					pause(500 * time.Millisecond)
				}
			}
		})
	}
	return group
}

// pause lets the bubble's time go on.
func pause(d time.Duration) { <-time.After(d) }

func quiet() *limiter { return newLimiter(slog.New(slog.DiscardHandler)) }

func TestTheLimitSettlesBelowTheClouds(t *testing.T) {
	for _, c := range []struct {
		rate, burst float64
		latency     time.Duration
		use         float64 // of the rate, at least
	}{
		{rate: 1, burst: 1, latency: 20 * time.Millisecond, use: 0.75},
		{rate: 2, burst: 50, latency: 20 * time.Millisecond, use: 0.95},
		{rate: 5, burst: 5, latency: time.Second, use: 0.9},
		{rate: 20, burst: 1, latency: 50 * time.Millisecond, use: 0.75},
		{rate: 20, burst: 20, latency: 300 * time.Millisecond, use: 0.9},
		{rate: 20, burst: 1000, latency: 20 * time.Millisecond, use: 0.95},
		{rate: 100, burst: 100, latency: 10 * time.Millisecond, use: 0.95},
		{rate: 100, burst: 5, latency: 100 * time.Millisecond, use: 0.8},
		{rate: 500, burst: 500, latency: 10 * time.Millisecond, use: 0.95},
	} {
		t.Run(fmt.Sprintf("%v per second in bursts of %v", c.rate, c.burst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, l := newBucket(c.rate, c.burst), quiet()
				b.latency = c.latency
				_, learning := b.load(t, l, time.Minute)
				granted, refused := b.load(t, l, 2*time.Minute)
				use := float64(granted) / (c.rate * 120)
				t.Logf("%d refused while learning, then %d of %d; %.3f of the rate used", learning, refused, granted, use)
				assert.LessOrEqual(t, learning, 16+30)
				assert.LessOrEqual(t, refused, max(granted/100, 6))
				assert.GreaterOrEqual(t, use, c.use)
			})
		})
	}
}

func TestThereIsNoLimitUntilACloudThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(1e9, 1e9), quiet()
		start := time.Now()
		for range 5000 {
			require.NoError(t, b.call(t.Context(), l))
		}
		assert.Equal(t, 5*time.Second, time.Since(start), "the way to the cloud and nothing else")
		assert.Zero(t, l.limit())
	})
}

func TestABurstSettlesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(100, 100), quiet()
		b.latency = time.Millisecond
		start, done := time.Now(), 0
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				for {
					mu.Lock()
					done++
					more := done <= 1000
					mu.Unlock()
					if !more {
						return
					}
					for b.call(Background(t.Context()), l) != nil {
						pause(500 * time.Millisecond)
					}
				}
			})
		}
		group.Wait()
		assert.Less(t, time.Since(start), 10*time.Second, "a perfect client takes 9 s")
		assert.LessOrEqual(t, b.refused, 30)
	})
}

func TestQuietTimesDoNotLowerTheFirstLimit(t *testing.T) {
	for _, gap := range []time.Duration{100 * time.Millisecond, 5 * time.Second} {
		t.Run(gap.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, l := newBucket(100, 20), quiet()
				b.latency = time.Millisecond
				for range 100 {
					require.NoError(t, b.call(t.Context(), l))
					pause(gap)
				}
				granted, _ := b.load(t, l, 5*time.Second)
				assert.Greater(t, granted, 400)
			})
		})
	}
}

// limited returns a limiter that has learned a rate.
func limited(t *testing.T, rate float64) (*bucket, *limiter) {
	t.Helper()
	b, l := newBucket(rate, rate), quiet()
	b.load(t, l, time.Minute)
	require.InEpsilon(t, rate, l.limit(), 0.6)
	return b, l
}

func TestTheLimitFollowsTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := limited(t, 100)
		for _, rate := range []float64{10, 80, 3} {
			b.rate, b.burst = rate, rate
			b.load(t, l, 2*time.Minute)
			granted, refused := b.load(t, l, time.Minute)
			assert.InEpsilon(t, rate*60, granted, 0.15)
			assert.LessOrEqual(t, refused, max(granted/100, 4))
		}
	})
}

func TestTheLimitFadesWhenTheCloudNoLongerThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := limited(t, 10)
		pause(fade + time.Second)
		assert.Zero(t, l.limit())
		b := newBucket(1e9, 1e9)
		start := time.Now()
		for range 1000 {
			require.NoError(t, b.call(t.Context(), l))
		}
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestALimitThatNobodyTriesIsNotRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := limited(t, 100)
		before := l.limit()
		for range 240 {
			require.NoError(t, b.call(t.Context(), l))
			pause(time.Second)
		}
		pause(30 * time.Second)
		assert.InEpsilon(t, before, l.limit(), 0.1)
		granted, refused := b.load(t, l, time.Minute)
		assert.InEpsilon(t, 6000, granted, 0.1)
		assert.LessOrEqual(t, refused, 10)
	})
}

func TestCallsUnderWayLowerTheLimitOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := limited(t, 100)
		started := time.Now()
		pause(100 * time.Millisecond)
		throttled := resource.Errorf(resource.CodeThrottled, "too many calls")
		l.answer(started, throttled)
		lowered := l.limit()
		for range 15 {
			l.answer(started, throttled)
		}
		assert.InDelta(t, lowered, l.limit(), 0.001)
	})
}

func TestACloudThatRefusesEverythingIsStillAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := newBucket(0, 0), quiet()
		b.load(t, l, time.Minute)
		_, refused := b.load(t, l, time.Minute)
		assert.InDelta(t, 60*lowest, refused, 2)
	})
}

func TestPeopleComeBetweenBackgroundCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := limited(t, 2)
		busy := b.keepBusy(t, l, time.Minute)
		for range 10 {
			pause(3 * time.Second)
			start := time.Now()
			_ = b.call(t.Context(), l) // throttled or not
			assert.Less(t, time.Since(start), 3*time.Second, "not behind 16 calls at 2 per second")
		}
		busy.Wait()
		assert.Greater(t, b.granted, 80, "background calls go on")
	})
}

func TestAWaitThatIsTooLongFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := limited(t, 1)
		for range 5 {
			go func() { _ = b.call(Background(t.Context()), l) }()
		}
		synctest.Wait()
		for _, ctx := range []context.Context{t.Context(), Background(t.Context())} {
			made, start := b.granted+b.refused, time.Now()
			err := l.wait(ctx, 100*time.Millisecond)
			assert.Zero(t, time.Since(start))
			assert.Equal(t, resource.CodeThrottled, resource.CodeOf(err))
			assert.True(t, resource.AsError(err).Retryable)
			assert.ErrorContains(t, err, "was not made")
			assert.Equal(t, made, b.granted+b.refused)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l := limited(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		for i := range 6 { // at the gate, and before it
			caller := ctx
			if i%2 == 0 {
				caller = Background(ctx)
			}
			go func() { errs <- b.call(caller, l) }()
		}
		synctest.Wait()
		cancel()
		start := time.Now()
		canceled := 0
		for range 6 {
			if err := <-errs; errors.Is(err, context.Canceled) {
				canceled++
				assert.Equal(t, resource.CodeUnavailable, resource.CodeOf(err))
			}
		}
		assert.GreaterOrEqual(t, canceled, 5)
		assert.Less(t, time.Since(start), 10*time.Millisecond)
		pause(5 * time.Second)
		assert.NoError(t, b.call(t.Context(), l), "the places are free again")
	})
}
