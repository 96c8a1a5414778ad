package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// clock is what the time was by the database when it was read here.
type clock struct{ read, shown time.Time }

// Now is the time by which work goes on. Servers that share a database go by its clock: by
// their own they would take each other's leases for over, and what has just begun for late.
// Between two looks at it time goes on here, whatever becomes of the clock of this server.
func (s *Store) Now() time.Time {
	if c := s.clock.Load(); c != nil {
		return c.shown.Add(time.Since(c.read))
	}
	return time.Now()
}

// ReadClock looks at the clock of a database that servers share.
func (s *Store) ReadClock(ctx context.Context) error {
	if !s.postgres {
		return nil
	}
	var shown Micros
	read := time.Now()
	if err := s.read.NewRaw("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(ctx, &shown); err != nil {
		return failure(err, "read the database's clock")
	}
	s.clock.Store(&clock{read, shown.Time()})
	return nil
}

// Ahead is by how much the clock of this server is ahead of the one by which work goes on.
func (s *Store) Ahead() time.Duration { return time.Now().Round(0).Sub(s.Now()) }

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
