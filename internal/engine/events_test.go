package engine

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Servers that start in the same moment do not take each other's events for their own.
func TestIdsOfEventsAreOfOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newEvents(), newEvents()
		for range 3 {
			one.publish(Event{Resource: &resource.Resource{Name: "a"}})
			other.publish(Event{Resource: &resource.Resource{Name: "b"}})
		}
		id := one.recent[0].ID
		_, complete, stop := one.subscribe(id)
		stop()
		assert.True(t, complete)
		_, complete, stop = other.subscribe(id)
		stop()
		assert.False(t, complete, "it has seen other events")
	})
}
