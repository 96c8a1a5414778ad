package driver_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/m-cmp/mc-infra-connector/driver"
	"github.com/m-cmp/mc-infra-connector/resource"
)

func TestFirstMeaningThatFitsHolds(t *testing.T) {
	meanings := driver.Meanings{
		{Status: 409, Says: []string{"try again", "is busy"}, Wait: time.Second},
		{Code: resource.CodeConflict, Of: []string{"Incorrect*", "Invalid*State"}},
		{Code: resource.CodeDependency, Of: []string{"Invalid*"}, Says: []string{"in use"}},
		{Code: resource.CodeInvalid, Advice: "look again", Of: []string{"Invalid*"}},
		{Code: resource.CodeNotFound, Status: 404},
	}
	assert.Equal(t, resource.CodeConflict, meanings.Of(400, "InvalidVolumeState", "").Code)
	assert.Equal(t, resource.CodeDependency, meanings.Of(400, "InvalidVolume", "The volume is In Use.").Code)
	assert.Equal(t, "look again", meanings.Of(0, "InvalidVolume", "").Advice)
	assert.Equal(t, resource.CodeNotFound, meanings.Of(404, "", "in use").Code)
	assert.Equal(t, time.Second, meanings.Of(409, "Conflict", "The server IS BUSY").Wait)
	assert.Zero(t, meanings.Of(409, "VolumeInUse", "Hm."))
}

func TestRefusalIsForPeopleAndKeepsTheCause(t *testing.T) {
	cause := errors.New("api error VolumeInUse: long and technical")
	table := driver.Meanings{
		{Code: resource.CodeDependency, Advice: "stop the VM first", Of: []string{"VolumeInUse"}},
		{Wait: time.Second, Of: []string{"VolumeBusy"}},
	}
	refused := driver.Refusal{Doing: "detach the disk", Status: 400, Cloud: resource.CloudError{Code: "VolumeInUse", Message: "It is in use.", RequestID: "req-1"}, Err: cause}
	err := resource.AsError(table.Refuse(refused))
	assert.Equal(t, "detach the disk: It is in use; stop the VM first", err.Message)
	assert.Equal(t, resource.CodeDependency, err.Code)
	assert.Equal(t, "req-1", err.Cloud.RequestID)
	assert.ErrorIs(t, err, cause)

	refused.Cloud.Code = "SomethingNew"
	assert.Equal(t, resource.CodeInvalid, resource.CodeOf(table.Refuse(refused)), "as the status says")
	refused.Status = 0
	assert.Equal(t, resource.CodeInternal, resource.CodeOf(table.Refuse(refused)))
	refused.Cloud.Code = "VolumeBusy"
	assert.ErrorContains(t, table.Refuse(refused), "pending: the cloud is at work on it; detach the disk: It is in use")
}

func TestErrorsOfACloudThatACallKnowsBetter(t *testing.T) {
	err := fmt.Errorf("delete: %w", driver.Meanings{}.Refuse(driver.Refusal{Status: 400, Cloud: resource.CloudError{Code: "Invalid.Subnet", Message: "Hm."}}))
	assert.True(t, driver.IsCloud(err, "Unknown", "Invalid.*"))
	assert.False(t, driver.IsCloud(err, "Invalid"))
	assert.False(t, driver.IsCloud(nil, "*"))
	assert.False(t, driver.IsCloud(resource.Errorf(resource.CodeInvalid, "ours"), "*"))
	better := resource.AsError(driver.Recode(err, resource.CodeAlreadyExists, "choose another one"))
	assert.Equal(t, resource.CodeAlreadyExists, better.Code)
	assert.Equal(t, "Invalid.Subnet", better.Cloud.Code)
	assert.Equal(t, "delete: : Hm; choose another one", better.Message, "the cloud's code is not in it twice")
	assert.ErrorIs(t, better, err)
}

func TestCodeOfStatus(t *testing.T) {
	for status, code := range map[int]resource.Code{
		200: "", 302: "", 400: resource.CodeInvalid, 401: resource.CodeUnauthenticated, 403: resource.CodeDenied, 404: resource.CodeInvalid,
		429: resource.CodeThrottled, 500: resource.CodeUnavailable, 501: resource.CodeUnsupported, 503: resource.CodeUnavailable,
	} {
		assert.Equal(t, code, driver.CodeOfStatus(status), status)
	}
}

func TestExcept(t *testing.T) {
	gone := resource.Errorf(resource.CodeNotFound, "gone")
	assert.NoError(t, driver.Except(gone, resource.CodeConflict, resource.CodeNotFound))
	assert.ErrorIs(t, driver.Except(gone, resource.CodeConflict), gone)
	assert.NoError(t, driver.Except(nil, resource.CodeConflict))
}
