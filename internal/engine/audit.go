package engine

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// What the entries that are not about resources have as kind.
const (
	auditCredential = "credential"
	auditConnection = "connection"
	auditExtension  = "extension"
	auditNative     = "native"
)

// The verbs of entries beside those of kinds.
const (
	verbUpdate = "update" // of what was changed by hand
	verbCall   = "call"   // of what went to a driver as it was
)

// Audit answers a page of the audit trail, the newest entries first.
func (e *Engine) Audit(ctx context.Context, query store.Query) ([]api.AuditEntry, string, error) {
	rows, next, err := e.store.Read().ListAudit(ctx, query)
	return convert(rows, (*store.Audit).Resource), next, err
}

// audited runs a change and records it in the same transaction, or that it failed.
func (e *Engine) audited(ctx context.Context, verb, kind, name string, change func(context.Context, *store.Queries) error) error {
	return e.store.Audited(ctx, e.logger, store.Audit{Who: auth.Who(ctx), Verb: verb, Kind: kind, Name: name}, change)
}

// noteCall writes that something was called that leaves no other record. What was sent
// and answered may be secret, and an error may repeat it: neither is written.
func (e *Engine) noteCall(ctx context.Context, connection, kind, name, detail string, failure error) {
	e.store.NoteAfter(ctx, e.logger, store.Audit{
		Who: auth.Who(ctx), Verb: verbCall, Kind: kind, Connection: connection, Name: name, Detail: detail, Outcome: string(resource.CodeOf(failure)),
	}, nil)
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
