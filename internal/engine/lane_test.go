package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatHasNewsGoesFirst(t *testing.T) {
	l := newLane("c")
	defer l.queue.ShutDown()
	for _, uid := range []string{"a", "b", "c"} {
		l.queue.Add(uid)
	}
	l.addSoon("c") // waits already
	l.addSoon("d")
	l.queue.Add("a") // asking twice is asking once
	assert.Equal(t, 4, l.queue.Len())
	var got []string
	for i := range 4 {
		uid, _ := l.queue.Get()
		got = append(got, uid)
		if i == 0 {
			l.addSoon("c") // while it is worked on: again, and first
		}
		l.queue.Done(uid)
	}
	assert.Equal(t, []string{"c", "d", "c", "a"}, got)
	assert.Equal(t, 1, l.queue.Len())
	assert.Empty(t, l.order.soon)
}
