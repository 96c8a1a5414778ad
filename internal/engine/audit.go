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

// failureOf is why an operation has failed, nil if it has not.
func failureOf(op *store.Operation) error {
	if op.Error == nil || op.State == api.OperationSucceeded {
		return nil
	}
	return op.Error
}
