package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is PostgreSQL's channel for what servers tell each other.
const channel = "mcic"

// maxNotice is the longest text that PostgreSQL passes on, in bytes.
// https://www.postgresql.org/docs/current/sql-notify.html
const maxNotice = 7999

// MaxNotice is how long a notice can be.
func (s *Store) MaxNotice() int { return maxNotice }

// Notify tells all servers that share the database something. Nobody has to hear
// it: whoever does not finds out from the rows.
func (s *Store) Notify(ctx context.Context, notice string) error {
	if !s.postgres {
		return nil
	}
	_, err := s.write.ExecContext(ctx, "SELECT pg_notify(?, ?)", channel, notice)
	return failure(err, "tell the other servers")
}

// Listen calls hear for every notice, until ctx ends. It calls missed whenever some
// may have been lost, because the connection was.
func (s *Store) Listen(ctx context.Context, hear func(notice string), missed func()) {
	s.listenTo(ctx, channel, hear, missed)
}

func (s *Store) listenTo(ctx context.Context, channel string, hear func(notice string), missed func()) {
	if !s.postgres {
		return
	}
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			missed()
		}
		_ = s.listen(ctx, channel, hear) // what it was will show in everything else, too
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *Store) listen(ctx context.Context, channel string, hear func(string)) error {
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		hear(n.Payload)
	}
}
