package events

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Servers that start in the same moment do not take each other's events for their own.
func TestIdsOfEventsAreOfOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := New(nil, nil), New(nil, nil)
		for range 3 {
			one.publish(Event{Resource: &resource.Resource{Name: "a"}})
			other.publish(Event{Resource: &resource.Resource{Name: "b"}})
		}
		id := one.recent[0].ID
		s, complete := one.Subscribe(id)
		s.Stop()
		assert.True(t, complete)
		s, complete = other.Subscribe(id)
		s.Stop()
		assert.False(t, complete, "it has seen other events")
	})
}

// However many subscribers there are, an event is encoded once, and who is slower gets
// several at a time.
func TestAnEventIsEncodedOnceForAll(t *testing.T) {
	const subscribers, many = 50, 3000
	b := New(nil, nil)
	var encoded, turns atomic.Int32
	var group sync.WaitGroup
	for range subscribers {
		s, complete := b.Subscribe(0)
		require.True(t, complete)
		group.Go(func() {
			defer s.Stop()
			for came := 0; came < many; {
				batch := s.Next(t.Context())
				if !assert.NotNil(t, batch) || !assert.False(t, batch.Lost) {
					return
				}
				turns.Add(1)
				for _, e := range batch.Events {
					assert.Equal(t, strconv.Itoa(came), e.Resource.Name, "in order")
					came++
					e.Text(func() []byte {
						encoded.Add(1)
						return nil
					})
				}
			}
		})
	}
	for i := range many {
		b.publish(Event{Resource: &resource.Resource{Name: strconv.Itoa(i)}})
	}
	group.Wait()
	assert.Equal(t, int32(many), encoded.Load())
	assert.Less(t, turns.Load(), int32(subscribers*many/10), "many come together")
}

// A subscriber that does not ask for more holds nobody up, and finds what is kept when
// it asks again; what is not kept any more it is told of, with where to go on.
func TestASlowSubscriberGoesOnWhereItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil, nil)
		slow, _ := b.Subscribe(0)
		quick, _ := b.Subscribe(0)
		defer slow.Stop()
		defer quick.Stop()
		publish := func(n int) {
			for range n {
				b.publish(Event{Resource: &resource.Resource{}})
			}
		}
		publish(1)
		require.Len(t, slow.Next(t.Context()).Events, 1)
		for range 3 * recentEvents {
			publish(1)
			require.NotEmpty(t, quick.Next(t.Context()).Events)
		}
		batch := slow.Next(t.Context())
		assert.True(t, batch.Lost)
		assert.Equal(t, b.next-1, batch.Last)
		assert.Empty(t, batch.Events)
		publish(2 * batchEvents)
		assert.Len(t, slow.Next(t.Context()).Events, batchEvents)
		assert.Len(t, slow.Next(t.Context()).Events, batchEvents)
		again, complete := b.Subscribe(batch.Last)
		defer again.Stop()
		assert.True(t, complete, "it is where to go on")
		b.lost()
		assert.True(t, slow.Next(t.Context()).Lost)
	})
}

// Who watches something on a silent server is told at once, and does not keep the
// process awake.
func TestTheLastSubscriberEndsTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil, nil)
		for range 3 {
			s, _ := b.Subscribe(0)
			b.publish(Event{Driver: &api.DriverProgress{}})
			began := time.Now()
			require.Len(t, s.Next(t.Context()).Events, 1)
			assert.Equal(t, began, time.Now())
			s.Stop()
			synctest.Wait()
			assert.False(t, b.delivering)
		}
	})
}

// What comes in the moment in which a wait ends is what the next one answers. Nothing waits
// for who then goes away.
func TestWhatComesAsAWaitEndsIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(nil, nil)
		gone, leave := context.WithCancel(t.Context())
		leave()
		for i := range 20 {
			s, _ := b.Subscribe(0)
			require.Nil(t, s.Next(gone))
			b.publish(Event{Driver: &api.DriverProgress{Name: strconv.Itoa(i)}})
			synctest.Wait()
			batch := s.Next(gone)
			require.NotNil(t, batch)
			assert.Equal(t, strconv.Itoa(i), batch.Events[0].Driver.Name)
			s.Stop()
		}
	})
}

// While much happens, many who take their time delay nobody for more than a turn each.
func TestSlowSubscribersDelayOthersLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = 200
		b := New(nil, nil)
		ctx, end := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range slow {
			s, _ := b.Subscribe(0)
			group.Go(func() {
				defer s.Stop()
				for s.Next(ctx) != nil {
					<-time.After(5 * turnTime)
				}
			})
		}
		quick, _ := b.Subscribe(0)
		defer quick.Stop()
		group.Go(func() {
			for ctx.Err() == nil {
				b.publish(Event{Driver: &api.DriverProgress{}})
				<-time.After(time.Millisecond)
			}
		})
		for range 10 {
			began := time.Now()
			require.NotNil(t, quick.Next(t.Context()))
			assert.LessOrEqual(t, time.Since(began), 2*(slow+1)*turnTime)
		}
		end()
		group.Wait()
	})
}

func TestEventsAreKeptForAWhile(t *testing.T) {
	b := New(nil, nil)
	for range 3 * recentEvents {
		b.publish(Event{Driver: &api.DriverProgress{}})
		require.LessOrEqual(t, len(b.recent), recentEvents*5/4)
	}
	assert.GreaterOrEqual(t, len(b.recent), recentEvents)
	assert.Equal(t, b.next-1, b.recent[len(b.recent)-1].ID)
}
