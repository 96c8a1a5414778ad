package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Keep is how long what is over is kept.
type Keep struct {
	Ended time.Duration // operations, tombstones, keys of requests
	Audit time.Duration // entries of the audit trail
}

// What is removed for its age is gone for good, so a clock is not believed at once that says
// that much time has passed since records were last looked through. Either no server ran for
// so long, or it is wrong.
const (
	clockJump = 24 * time.Hour     // more than this is much
	clockHold = 7 * 24 * time.Hour // nothing is removed for so long then, so that somebody can set it
)

// retention is the one row that says until when by the clock of a server records were looked
// through.
type retention struct {
	bun.BaseModel `bun:"table:retention"`

	ID     int `bun:",pk"`
	SeenAt Micros
	Hold   Micros // how much longer nothing is removed
}

// Forget removes what is older than it is kept, by a server's clock. If that has jumped ahead
// it removes nothing, and answers for how much longer.
func (s *Store) Forget(ctx context.Context, keep Keep, now time.Time) (held time.Duration, err error) {
	if err := s.SealAudit(ctx); err != nil { // only what is sealed is forgotten
		return 0, err
	}
	err = s.Update(ctx, func(ctx context.Context, q *Queries) error {
		if held, err = q.hold(ctx, MicrosOf(now)); err != nil || held > 0 {
			return err
		}
		if err := q.ForgetAudit(ctx, MicrosOf(now.Add(-keep.Audit))); err != nil {
			return err
		}
		for _, model := range []any{(*logout)(nil), (*UserLogin)(nil)} {
			if _, err := q.db.NewDelete().Model(model).Where("until < ?", MicrosOf(now)).Exec(ctx); err != nil {
				return failure(err, "forget logins that are over")
			}
		}
		before := MicrosOf(now.Add(-keep.Ended))
		if err := q.ForgetKeys(ctx, before); err != nil {
			return err
		}
		return q.ForgetEnded(ctx, before)
	})
	return held, err
}

// hold notes that records are looked through now, and answers for how much longer nothing is
// removed. A clock that was set back removes less than before.
func (q *Queries) hold(ctx context.Context, now Micros) (time.Duration, error) {
	row := &retention{}
	if err := q.one(ctx, q.db.NewSelect().Model(row).Where("id = 1"), "it is not recorded when records were looked through"); err != nil {
		return 0, err
	}
	passed := now - row.SeenAt
	switch {
	case row.SeenAt == 0 || passed < 0:
	case passed > Micros(clockJump.Microseconds()):
		row.Hold = Micros(clockHold.Microseconds())
	default:
		row.Hold = max(0, row.Hold-passed)
	}
	row.SeenAt = now
	_, err := q.db.NewUpdate().Model(row).WherePK().Exec(ctx)
	return time.Duration(row.Hold) * time.Microsecond, failure(err, "record that records were looked through")
}
