package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatHasNewsGoesFirst(t *testing.T) {
	l := newLane("c")
	defer l.shutDown()
	for _, uid := range []string{"a", "b", "c"} {
		l.add(uid)
	}
	l.addSoon("c") // waits already
	l.addSoon("d")
	l.add("a") // asking twice is asking once
	assert.Equal(t, 4, l.len())
	var got []string
	for i := range 4 {
		uid, _ := l.get()
		got = append(got, uid)
		if i == 0 {
			l.addSoon("c") // while it is worked on: again, and first
			l.add("c")
		}
		l.done(uid)
	}
	assert.Equal(t, []string{"c", "d", "c", "a"}, got)
	assert.Equal(t, 1, l.len())
}

func TestWhatWaitsCanBeTakenAlong(t *testing.T) {
	l := newLane("c")
	for _, uid := range []string{"a", "b", "c"} {
		l.add(uid)
	}
	first, _ := l.get()
	assert.Equal(t, "a", first)
	assert.False(t, l.take("a"), "somebody works on it")
	assert.False(t, l.take("x"), "it does not wait")
	assert.True(t, l.take("b"))
	l.add("b") // while it is worked on
	next, _ := l.get()
	assert.Equal(t, "c", next)
	assert.Zero(t, l.len())
	l.done("b")
	again, ok := l.get()
	assert.True(t, ok)
	assert.Equal(t, "b", again)
	l.shutDown()
	_, ok = l.get()
	assert.False(t, ok)
}

func TestTheEarliestOfSeveralTimesCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane("c")
		defer l.shutDown()
		for _, d := range []time.Duration{time.Minute, time.Second, time.Hour} {
			l.addAfter("a", d)
		}
		wait := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		wait(999 * time.Millisecond)
		require.Zero(t, l.len())
		wait(time.Millisecond)
		uid, _ := l.get()
		l.done(uid)
		wait(2 * time.Hour)
		assert.Zero(t, l.len(), "it was added once")
	})
}
