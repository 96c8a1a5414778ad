package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/api"
)

// auditChain is the one row that says how far the audit trail is sealed.
type auditChain struct {
	bun.BaseModel `bun:"table:audit_chain,alias:audit_chain"`

	ID          int `bun:",pk"`
	First       int64
	Anchor      string
	Last        int64
	Seal        string
	SealedAt    Micros
	Sent        int64
	Sender      string
	SenderUntil Micros
}

// sealBatch is how many entries are sealed, or looked at, at once.
const sealBatch = 500

// sealed answers the seal of an entry: the SHA-256, in hexadecimal, of the seal before it, a
// newline, and the entry as a JSON array, in which the token is only where one was used.
// docs/security.md says what that is to others.
func (a *Audit) sealed(before string) (string, error) {
	var b bytes.Buffer
	b.WriteString(before + "\n")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	fields := []any{a.Seq, a.ID, a.At, a.Who, a.Address, a.Verb, a.Kind, a.Connection, a.Name, a.UID, a.CloudID, a.Operation, a.Outcome, a.Detail}
	if a.Token != "" || a.TokenName != "" {
		fields = append(fields, a.Token, a.TokenName)
	}
	if err := enc.Encode(fields); err != nil {
		return "", fmt.Errorf("seal an entry of the audit trail: %w", err)
	}
	sum := sha256.Sum256(bytes.TrimRight(b.Bytes(), "\n"))
	return hex.EncodeToString(sum[:]), nil
}

// auditChain reads the row, and locks it in a transaction. With skip it answers nil if
// another server has locked it.
func (q *Queries) auditChain(ctx context.Context, skip bool) (*auditChain, error) {
	row := &auditChain{}
	sel := q.db.NewSelect().Model(row).Where("id = 1")
	switch {
	case q.lock && skip:
		sel = sel.For("UPDATE SKIP LOCKED")
	case q.lock:
		sel = sel.For("UPDATE")
	}
	err := sel.Scan(ctx)
	if skip && errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // another server is at it
	}
	return row, failure(err, "read how far the audit trail is sealed")
}

// SealAudit seals what is in the audit trail, oldest first. Of several servers one does so
// at a time, and nobody waits for it.
func (s *Store) SealAudit(ctx context.Context) error {
	for {
		open, err := s.Read().db.NewSelect().Model((*Audit)(nil)).Where("seq = 0").Exists(ctx)
		if err != nil || !open {
			return failure(err, "look for what is to be sealed")
		}
		sealed := 0
		err = s.Update(ctx, func(ctx context.Context, q *Queries) (err error) {
			sealed, err = q.sealAudit(ctx)
			return err
		})
		if err != nil || sealed == 0 {
			return err
		}
	}
}

func (q *Queries) sealAudit(ctx context.Context) (int, error) {
	chain, err := q.auditChain(ctx, true)
	if err != nil || chain == nil {
		return 0, err
	}
	var rows []Audit
	if err := q.db.NewSelect().Model(&rows).Where("seq = 0").Order("id").Limit(sealBatch).Scan(ctx); err != nil {
		return 0, failure(err, "read what is to be sealed")
	}
	if len(rows) == 0 { // another server was first
		return 0, nil
	}
	for i := range rows {
		row := &rows[i]
		row.Seq = chain.Last + 1
		if row.Seal, err = row.sealed(chain.Seal); err != nil {
			return 0, err
		}
		chain.Last, chain.Seal = row.Seq, row.Seal
	}
	if _, err := q.db.NewUpdate().Model(&rows).Column("seq", "seal").Bulk().Exec(ctx); err != nil {
		return 0, failure(err, "seal entries of the audit trail")
	}
	chain.SealedAt = MicrosOf(time.Now())
	_, err = q.db.NewUpdate().Model(chain).Column("last", "seal", "sealed_at").WherePK().Exec(ctx)
	return len(rows), failure(err, "note how far the audit trail is sealed")
}

// sealedAfter reads sealed entries in their order. SQLite takes the index only where a
// statement has its condition, seq > 0, and begins at the bound that comes first.
func (q *Queries) sealedAfter(ctx context.Context, seq, last int64) (rows []Audit, err error) {
	err = q.db.NewSelect().Model(&rows).Where("seq > ? AND seq <= ?", seq, last).Where("seq > 0").Order("seq").Limit(sealBatch).Scan(ctx)
	return rows, failure(err, "read sealed entries of the audit trail")
}

// ForgetAudit removes the sealed entries from before a time, and keeps the seal that those
// which stay rest on.
func (q *Queries) ForgetAudit(ctx context.Context, before Micros) error {
	chain, err := q.auditChain(ctx, false)
	if err != nil {
		return err
	}
	kept := chain.Last + 1
	err = q.db.NewSelect().Model((*Audit)(nil)).Column("seq").Where("seq > 0 AND at >= ?", before).Order("seq").Limit(1).Scan(ctx, &kept)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return failure(err, "look for old entries of the audit trail")
	}
	if kept <= chain.First {
		return nil
	}
	err = q.db.NewSelect().Model((*Audit)(nil)).Column("seal").Where("seq > 0").Where("seq = ?", kept-1).Scan(ctx, &chain.Anchor)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // one that is missing is found by VerifyAudit
		return failure(err, "read the seal of an old entry of the audit trail")
	}
	chain.First = kept
	if _, err := q.db.NewDelete().Model((*Audit)(nil)).Where("seq > 0 AND seq < ?", kept).Exec(ctx); err != nil {
		return failure(err, "forget old entries of the audit trail")
	}
	_, err = q.db.NewUpdate().Model(chain).Column("first", "anchor").WherePK().Exec(ctx)
	return failure(err, "note what the audit trail rests on")
}

// VerifyAudit looks whether the sealed entries are what they were when they were sealed.
func (s *Store) VerifyAudit(ctx context.Context) (*api.AuditProof, error) {
	q := s.Read()
	for {
		chain, err := q.auditChain(ctx, false)
		if err != nil {
			return nil, err
		}
		proof := &api.AuditProof{First: chain.First, Last: chain.Last, Seal: chain.Seal, SealedAt: chain.SealedAt.pointer()}
		if err := q.verify(ctx, chain, proof); err != nil {
			return nil, err
		}
		now, err := q.auditChain(ctx, false)
		if err != nil {
			return nil, err
		}
		if now.First != chain.First { // old entries went meanwhile
			continue
		}
		open, err := q.db.NewSelect().Model((*Audit)(nil)).Where("seq = 0").Count(ctx)
		proof.Open = int(open)
		return proof, failure(err, "count what is not sealed")
	}
}

// verify follows the chain, and notes where it breaks.
func (q *Queries) verify(ctx context.Context, chain *auditChain, proof *api.AuditProof) error {
	at, seal := chain.First-1, chain.Anchor
	for at < chain.Last {
		rows, err := q.sealedAfter(ctx, at, chain.Last)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			proof.Broken = fmt.Sprintf("the entries from number %d on are missing", at+1)
			return nil
		}
		for i := range rows {
			row := &rows[i]
			if row.Seq != at+1 {
				proof.Broken = fmt.Sprintf("entry number %d is missing", at+1)
				return nil
			}
			want, err := row.sealed(seal)
			if err != nil {
				return err
			}
			if row.Seal != want {
				proof.Broken = fmt.Sprintf("entry number %d (%s), or the one before it, was changed after it was sealed", row.Seq, row.ID)
				return nil
			}
			at, seal = row.Seq, row.Seal
		}
	}
	if seal != chain.Seal {
		proof.Broken = "the newest sealed entry is not the one that was sealed last"
	}
	proof.Holds = proof.Broken == ""
	return nil
}

// SendAudit hands on what is sealed and was not sent out yet. Of several servers one does so
// at a time; what it could not note may be sent twice.
func (s *Store) SendAudit(ctx context.Context, server string, lease time.Duration, send func(context.Context, []api.AuditEntry) error) error {
	for {
		chain, err := s.Read().auditChain(ctx, false)
		if err != nil || chain.Sent >= chain.Last {
			return err
		}
		now := s.Now()
		claimed, err := s.claimSending(ctx, server, MicrosOf(now), MicrosOf(now.Add(lease)))
		if err != nil || !claimed {
			return err
		}
		rows, err := s.Read().sealedAfter(ctx, chain.Sent, chain.Last)
		if err != nil {
			return err
		}
		sent := chain.Last // of which old entries may be forgotten
		if len(rows) > 0 {
			sent = rows[len(rows)-1].Seq
			if err := send(ctx, Convert(rows, (*Audit).Resource)); err != nil {
				return err
			}
		}
		err = s.Update(ctx, func(ctx context.Context, q *Queries) error {
			_, err := q.db.NewUpdate().Model((*auditChain)(nil)).Set("sent = ?", sent).Where("id = 1 AND sender = ? AND sent < ?", server, sent).Exec(ctx)
			return failure(err, "note which entries of the audit trail were sent")
		})
		if err != nil {
			return err
		}
	}
}

// claimSending makes a server the one that sends, unless another one is. A time that is
// later than a lease can end is of a clock that was wrong.
func (s *Store) claimSending(ctx context.Context, server string, now, until Micros) (claimed bool, err error) {
	err = s.Update(ctx, func(ctx context.Context, q *Queries) error {
		result, err := q.db.NewUpdate().Model((*auditChain)(nil)).Set("sender = ?", server).Set("sender_until = ?", until).
			Where("id = 1").Where("sender = ? OR sender_until < ? OR sender_until > ?", server, now, until+(until-now)).Exec(ctx)
		if err != nil {
			return failure(err, "claim the sending of the audit trail")
		}
		n, err := result.RowsAffected()
		claimed = n > 0
		return err
	})
	return claimed, err
}
