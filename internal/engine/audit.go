package engine

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Audit answers a page of the audit trail, the newest entries first.
func (e *Engine) Audit(ctx context.Context, query store.Query) ([]api.AuditEntry, string, error) {
	rows, next, err := e.store.Read().ListAudit(ctx, query)
	return store.Convert(rows, (*store.Audit).Resource), next, err
}

// entryOf is what the audit trail says of an operation on a resource.
func entryOf(op *store.Operation, row *store.Resource) store.Audit {
	return store.Audit{
		Who: op.AskedBy, Verb: op.Verb, Kind: op.Kind, Connection: op.Connection, Name: op.Name, UID: op.UID,
		CloudID: row.CloudID, Operation: op.ID, Detail: op.Left(),
	}
}

// failureOf is why an operation has failed, nil if it has not.
func failureOf(op *store.Operation) error {
	if op.Error == nil || op.State == api.OperationSucceeded {
		return nil
	}
	return op.Error
}
