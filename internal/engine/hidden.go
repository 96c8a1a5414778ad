package engine

import (
	"context"
	"encoding/json"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What a request gives that is never shown, such as the first password of a VM, is in no
// record of the resource: the operation has it, sealed, for as long as its driver may have
// to be asked again, and nobody has it afterwards.

// hide takes out of what an operation on a kind is asked with what is never shown. Of a
// creation that is in the specification, which is hidden elsewhere.
func hide(kind string, change store.Change) (shown store.Change, hidden map[string]string, err error) {
	action, is := change.(store.Action)
	if !is {
		return change, nil, nil
	}
	k, err := resource.KindNamed(kind)
	if err != nil {
		return nil, nil, err
	}
	a, err := k.Action(action.Name)
	if err != nil {
		return nil, nil, err
	}
	action.Params, hidden, err = a.Hide(action.Params)
	return action, hidden, err
}

// seal has an operation keep what is never shown.
func (e *Engine) seal(op *store.Operation, hidden map[string]string) error {
	if len(hidden) == 0 {
		return nil
	}
	raw, err := json.Marshal(hidden)
	if err != nil {
		return resource.Errorf(resource.CodeInternal, "encode what is hidden: %w", err)
	}
	op.Hidden, err = e.sealer.Seal(raw, op.Identity())
	return err
}

// reveal puts what the operation was given and is never shown back into what its driver is
// asked with.
func (j *job) reveal(ctx context.Context, shown json.RawMessage) (json.RawMessage, error) {
	if len(j.op.Hidden) == 0 {
		return shown, nil
	}
	raw, err := j.sealer.Unseal(ctx, j.op.Hidden, j.op.Identity())
	if err != nil {
		return nil, err
	}
	var hidden map[string]string
	if err := json.Unmarshal(raw, &hidden); err != nil {
		return nil, resource.Errorf(resource.CodeInternal, "decode what is hidden: %w", err)
	}
	return resource.Reveal(shown, hidden)
}

// wipe ends it.
func wipe(op *store.Operation) { op.Hidden = []byte(store.Wiped) }

// told seals the secrets that the cloud has told in the answer to a creation. They are
// recorded with the id that came with them: a driver takes whoever knows the id to have them.
func (j *job) told(secrets map[string]string) error {
	for name, value := range secrets {
		row, err := j.sealed(j.Row.UID, name, value)
		if err != nil {
			return err
		}
		j.secrets = append(j.secrets, row)
	}
	return nil
}

// sealed is the row of a resource's secret.
func (e *Engine) sealed(uid, name, value string) (row store.Secret, err error) {
	row = store.Secret{UID: uid, Name: name}
	row.Sealed, err = e.sealer.Seal([]byte(value), row.Identity())
	return row, err
}
