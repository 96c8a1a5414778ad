package engine

import (
	"context"
	"errors"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// failTaken ends the operation of a resource for which the driver answers what is recorded
// as another one: no repeat can help. Nothing of what it has answered is taken over, and
// what a creation may have made is looked for by its token when it is deleted.
func (j *job) failTaken(ctx context.Context) error {
	taken := j.elsewhere(ctx, j.Row.CloudID)
	if taken == nil {
		return errors.New("the cloud's id is recorded elsewhere no more")
	}
	now, err := j.load(ctx, j.Row.UID)
	if err != nil || now == nil {
		return err
	}
	now.op.State, now.op.Error, now.Row.Error = api.OperationFailed, taken, taken
	now.Row.State = resource.StateFailed
	now.Row.Uncertain = now.Row.Uncertain || now.Row.CloudID == ""
	j.logger.Error("the driver answers what is recorded as another resource", "operation", now.op.ID, "verb", now.op.Verb, "kind", now.Row.Kind, "name", now.Row.Name, "connection", now.Row.Connection, "error", taken)
	return now.end(ctx)
}

// elsewhere refuses a cloud's id that is recorded as another resource, or answers nil.
func (j *job) elsewhere(ctx context.Context, cloudID string) *resource.Error {
	other, err := j.store.Read().ResourceByCloudID(ctx, j.Row.Connection, j.Row.Kind, cloudID)
	if err != nil || other.UID == j.Row.UID {
		return nil //nolint:nilerr // the index has the last word
	}
	return resource.Errorf(resource.CodeInternal, "the driver answers %q for the %s %s, which is recorded as the %[2]s %[4]s: it repeats ids, or does not tell objects apart; this is a defect of the driver. Nothing of %[4]s has changed. What there may be of %[3]s on the cloud is shown by: mcic connection inventory %[5]s", cloudID, j.Row.Kind, j.Row.Name, other.Name, j.Row.Connection)
}
