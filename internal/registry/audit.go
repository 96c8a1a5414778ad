package registry

import (
	"context"

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

// audited runs a change and records it in the same transaction, or that it failed.
func (r *Registry) audited(ctx context.Context, verb, kind, name string, change func(context.Context, *store.Queries) error) error {
	return r.store.Audited(ctx, r.logger, store.Audit{Who: auth.Who(ctx), Verb: verb, Kind: kind, Name: name}, change)
}

// NoteCall writes that something was called that leaves no other record. What was sent
// and answered may be secret, and an error may repeat it: neither is written.
func (r *Registry) NoteCall(ctx context.Context, connection, kind, name, detail string, failure error) {
	r.store.NoteAfter(ctx, r.logger, store.Audit{
		Who: auth.Who(ctx), Verb: verbCall, Kind: kind, Connection: connection, Name: name, Detail: detail, Outcome: string(resource.CodeOf(failure)),
	}, nil)
}
