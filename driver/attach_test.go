package driver_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestAttached(t *testing.T) {
	for has, want := range map[string]bool{"": false, "vm-1": true} {
		done, err := driver.Attached("disk", "d-1", has, "vm-1")
		assert.NoError(t, err)
		assert.Equal(t, want, done)
	}
	_, err := driver.Attached("disk", "d-1", "vm-2", "vm-1")
	assert.Equal(t, resource.CodeConflict, resource.CodeOf(err))
	assert.ErrorContains(t, err, "the disk d-1 is attached to the VM vm-2; detach it first")
}
