package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// logout is a row: a login in a browser that was ended before its time.
type logout struct {
	bun.BaseModel `bun:"table:logouts"`

	ID    string `bun:"id,pk"`
	Until Micros
}

// EndLogin records that a login has ended, which would have lasted until a time.
func (s *Store) EndLogin(ctx context.Context, id string, until time.Time) error {
	return s.Update(ctx, func(ctx context.Context, q *Queries) error {
		_, err := q.db.NewInsert().Model(&logout{ID: id, Until: MicrosOf(until)}).On("CONFLICT (id) DO NOTHING").Exec(ctx)
		return failure(err, "record the logout")
	})
}

// LoginEnded reports whether a login was ended, on whichever server.
func (s *Store) LoginEnded(ctx context.Context, id string) (bool, error) {
	ended, err := s.Read().db.NewSelect().Model((*logout)(nil)).Where("id = ?", id).Exists(ctx)
	return ended, failure(err, "look whether the login has ended")
}
