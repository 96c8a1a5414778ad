package store

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// OutcomeOK is the outcome of what succeeded; of the rest it is the error's code.
const OutcomeOK = "ok"

// Audit is a row: who did what. It is never changed, but for its seal.
type Audit struct {
	bun.BaseModel `bun:"table:audit,alias:audit"`

	ID         string `bun:"id,pk"`
	At         Micros
	Who        string
	Address    string
	Token      string // id of the token that was used, or ''
	TokenName  string
	Verb       string
	Kind       string
	Connection string
	Name       string
	UID        string `bun:"uid"`
	CloudID    string
	Operation  string
	Outcome    string
	Detail     string
	Seq        int64  // its number; 0 until it is sealed
	Seal       string // what is made of it and of all before it
}

// Resource converts to what users see.
func (a *Audit) Resource() api.AuditEntry {
	return api.AuditEntry{
		ID: a.ID, At: a.At.Time(), Who: a.Who, Address: a.Address, TokenID: a.Token, TokenName: a.TokenName, Verb: a.Verb, Kind: a.Kind, Connection: a.Connection, Name: a.Name,
		UID: a.UID, CloudID: a.CloudID, Operation: a.Operation, Outcome: a.Outcome, Detail: a.Detail,
		Seq: a.Seq, Seal: a.Seal,
	}
}

func auditTable() table {
	return table{
		key: "id", order: "-id", times: " at ",
		columns: map[string]string{
			"id": "id", "at": "at", "who": "who", "address": "address", "tokenId": "token", "tokenName": "token_name", "seq": "seq", "verb": "verb", "kind": "kind", "connection": "connection", "name": "name",
			"uid": "uid", "cloudId": "cloud_id", "operation": "operation", "outcome": "outcome",
		},
	}
}

// ListAudit reads a page of the audit trail, the newest entries first.
func (q *Queries) ListAudit(ctx context.Context, query Query) (rows []Audit, next string, err error) {
	return page(ctx, q.db.NewSelect().Model(&rows), &rows, auditTable(), query, func(a *Audit) map[string]any {
		return map[string]any{
			"id": a.ID, "at": a.At, "who": a.Who, "address": a.Address, "token": a.Token, "token_name": a.TokenName, "seq": a.Seq, "verb": a.Verb, "kind": a.Kind, "connection": a.Connection, "name": a.Name,
			"uid": a.UID, "cloud_id": a.CloudID, "operation": a.Operation, "outcome": a.Outcome,
		}
	})
}

// Note writes that something is done, in the transaction that does it, or why it failed.
func (q *Queries) Note(ctx context.Context, entry Audit, cause error) error {
	entry.ID, entry.At, entry.Outcome = uuid.Must(uuid.NewV7()).String(), MicrosOf(time.Now()), cmp.Or(entry.Outcome, OutcomeOK)
	if asker := auth.AskerOf(ctx); entry.Address == "" && entry.Token == "" {
		entry.Address, entry.Token, entry.TokenName = asker.From, asker.Token, asker.TokenName
	}
	if cause != nil {
		entry.Outcome, entry.Detail = string(resource.CodeOf(cause)), cause.Error()
	}
	_, err := q.db.NewInsert().Model(&entry).Exec(ctx)
	return failure(err, "write to the audit trail")
}

// Audited runs a change and records it in the same transaction, with the key of its
// request if that has one, or that it failed.
func (s *Store) Audited(ctx context.Context, logger *slog.Logger, entry Audit, change func(context.Context, *Queries) error) error {
	err := s.Update(ctx, func(ctx context.Context, q *Queries) error {
		if err := change(ctx, q); err != nil {
			return err
		}
		if err := q.Carry(ctx); err != nil {
			return err
		}
		return q.Note(ctx, entry, nil)
	})
	if err != nil { // it has changed nothing
		s.NoteAfter(ctx, logger, entry, err)
	}
	return err
}

// NoteAfter writes an entry about what has ended, whether somebody still waits or not.
// It may be missing when the database is.
func (s *Store) NoteAfter(ctx context.Context, logger *slog.Logger, entry Audit, cause error) {
	err := s.Update(context.WithoutCancel(ctx), func(ctx context.Context, q *Queries) error { return q.Note(ctx, entry, cause) })
	if err != nil {
		logger.Error("something is not in the audit trail", "who", entry.Who, "verb", entry.Verb, "kind", entry.Kind, "connection", entry.Connection, "name", entry.Name, "outcome", entry.Outcome, "error", err)
	}
}

// Entry is what the audit trail says of an operation on a resource, with what may be left on
// the cloud.
func (o *Operation) Entry(row *Resource) Audit {
	var left []string
	for _, w := range o.Warnings {
		if w.Rule == resource.WarnLeft {
			left = append(left, w.Message)
		}
	}
	return Audit{
		Who: o.Asked.By, Address: o.Asked.From, Token: o.Asked.Token, TokenName: o.Asked.TokenName, Verb: o.Verb, Kind: o.Kind, Connection: o.Connection, Name: o.Name, UID: o.UID,
		CloudID: row.CloudID, Operation: o.ID, Detail: strings.Join(left, "; "),
	}
}
