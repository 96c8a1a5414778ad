package driver_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestFirstMeaningThatMatchesHolds(t *testing.T) {
	meanings := driver.Meanings{
		{Code: resource.CodeConflict, Of: []string{"Incorrect*", "Invalid*State"}},
		{Code: resource.CodeInvalid, Advice: "look again", Of: []string{"Invalid*"}},
	}
	assert.Equal(t, resource.CodeConflict, meanings.Of("InvalidVolumeState").Code)
	assert.Equal(t, "look again", meanings.Of("InvalidVolume").Advice)
	assert.Zero(t, meanings.Of("VolumeInUse"))
}

func TestRefusalIsForPeopleAndKeepsTheCause(t *testing.T) {
	cause := errors.New("api error VolumeInUse: long and technical")
	err := driver.Refuse("detach the disk", driver.Meaning{Code: resource.CodeDependency, Advice: "stop the VM first"},
		resource.CloudError{Code: "VolumeInUse", Message: "It is in use.", RequestID: "req-1"}, cause)
	assert.Equal(t, "detach the disk: It is in use; stop the VM first", err.Message)
	assert.Equal(t, resource.CodeDependency, err.Code)
	assert.Equal(t, "req-1", err.Cloud.RequestID)
	assert.ErrorIs(t, err, cause)
}

func TestExcept(t *testing.T) {
	gone := resource.Errorf(resource.CodeNotFound, "gone")
	assert.NoError(t, driver.Except(gone, resource.CodeConflict, resource.CodeNotFound))
	assert.ErrorIs(t, driver.Except(gone, resource.CodeConflict), gone)
	assert.NoError(t, driver.Except(nil, resource.CodeConflict))
}
