package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// OutcomeOK is the outcome of what succeeded; of the rest it is the error's code.
const OutcomeOK = "ok"

// Audit is a row: who did what. It is never changed.
type Audit struct {
	bun.BaseModel `bun:"table:audit,alias:audit"`

	ID         string `bun:"id,pk"`
	At         Micros
	Who        string
	Verb       string
	Kind       string
	Connection string
	Name       string
	UID        string `bun:"uid"`
	CloudID    string
	Operation  string
	Outcome    string
	Detail     string
}

// Resource converts to what users see.
func (a *Audit) Resource() resource.AuditEntry {
	return resource.AuditEntry{
		ID: a.ID, At: a.At.Time(), Who: a.Who, Verb: a.Verb, Kind: a.Kind, Connection: a.Connection, Name: a.Name,
		UID: a.UID, CloudID: a.CloudID, Operation: a.Operation, Outcome: a.Outcome, Detail: a.Detail,
	}
}

func auditTable() table {
	return table{
		key: "id", order: "-id", times: " at ",
		columns: map[string]string{
			"id": "id", "at": "at", "who": "who", "verb": "verb", "kind": "kind", "connection": "connection", "name": "name",
			"uid": "uid", "cloudId": "cloud_id", "operation": "operation", "outcome": "outcome",
		},
	}
}

// ListAudit reads a page of the audit trail, the newest entries first.
func (q *Queries) ListAudit(ctx context.Context, query Query) (rows []Audit, next string, err error) {
	return page(ctx, q.db.NewSelect().Model(&rows), &rows, auditTable(), query, func(a *Audit) map[string]any {
		return map[string]any{
			"id": a.ID, "at": a.At, "who": a.Who, "verb": a.Verb, "kind": a.Kind, "connection": a.Connection, "name": a.Name,
			"uid": a.UID, "cloud_id": a.CloudID, "operation": a.Operation, "outcome": a.Outcome,
		}
	})
}

// InsertAudit records an entry.
func (q *Queries) InsertAudit(ctx context.Context, row *Audit) error {
	_, err := q.db.NewInsert().Model(row).Exec(ctx)
	return failure(err, "write to the audit trail")
}

// ForgetAudit removes the entries from before a time.
func (q *Queries) ForgetAudit(ctx context.Context, before Micros) error {
	_, err := q.db.NewDelete().Model((*Audit)(nil)).Where("at < ?", before).Exec(ctx)
	return failure(err, "forget old entries of the audit trail")
}
