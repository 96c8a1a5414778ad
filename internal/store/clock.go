package store

import (
	"context"

	"github.com/uptrace/bun"
)

// PutBack has work that has not ended begin now, as far as its times are of a clock that was
// wrong: they lie further ahead than the clocks of servers differ. What is counted from them
// would not run out before the clock comes there.
func (q *Queries) PutBack(ctx context.Context, now, tolerated Micros) error {
	latest := now + tolerated
	update := q.db.NewUpdate().Model((*Operation)(nil)).Where("ended_at = 0").Where("uid <> ''").
		WhereGroup(" AND ", func(u *bun.UpdateQuery) *bun.UpdateQuery {
			return u.Where("created_at > ?", latest).WhereOr("asked_at > ?", latest).WhereOr("accepted_at > ?", latest)
		})
	for _, column := range []bun.Ident{"created_at", "asked_at", "accepted_at"} {
		update = update.Set("? = CASE WHEN ? > ? THEN ? ELSE ? END", column, column, latest, now, column)
	}
	_, err := update.Exec(ctx)
	return failure(err, "put times back that lie ahead")
}
