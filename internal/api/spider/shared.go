package spider

import (
	"context"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/api/respond"
	"github.com/m-cmp/mc-infra-connector/internal/engine"
)

// lists are the answers to what is asked again and again. One is given once more as
// long as all that it was made from is the same.
type lists struct {
	mu   sync.Mutex
	kept map[string]*listed
}

type listed struct {
	answer  *respond.Answer
	looked  map[string]bool             // kinds of which the cloud is asked
	parts   map[string]*engine.Snapshot // by kind
	changed time.Time                   // when the connection last changed
	used    time.Time
}

// keepLists is how long an answer is kept that nobody asks for.
const keepLists = time.Minute

func (l *lists) get(key string) *listed {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.kept[key]
	if kept != nil {
		kept.used = time.Now()
	}
	return kept
}

func (l *lists) keep(key string, one *listed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other, kept := range l.kept {
		if time.Since(kept.used) > keepLists {
			delete(l.kept, other)
		}
	}
	one.used = time.Now()
	l.kept[key] = one
}

// shared answers what build makes, or the same once more.
func (s *server) shared(r *request, connection, what string, build func(*view) (any, error)) (any, error) {
	key := connection + "/" + what
	if kept := s.lists.get(key); kept != nil {
		same, err := s.current(r.Context(), connection, kept)
		if err != nil {
			return nil, err
		}
		if same {
			return kept.answer, nil
		}
	}
	v := r.view(connection)
	value, err := build(v)
	if err == nil {
		err = v.err
	}
	if err != nil {
		return nil, err
	}
	raw, err := encode(value)
	if err != nil {
		return nil, err
	}
	made := respond.New(raw, jsonType)
	s.lists.keep(key, &listed{answer: made, looked: v.looked, parts: v.parts, changed: v.place().UpdatedAt})
	return made, v.err
}

// current reports whether an answer is made from what is there now.
func (s *server) current(ctx context.Context, connection string, kept *listed) (bool, error) {
	for kind := range kept.looked {
		if err := s.Engine.Refresh(ctx, connection, kind, s.Fresh); err != nil {
			return false, err
		}
	}
	for kind, part := range kept.parts {
		now, err := s.Engine.Snapshot(ctx, connection, kind)
		if err != nil || now != part {
			return false, err
		}
	}
	c, err := s.Engine.KnownConnection(ctx, connection)
	return err == nil && c.UpdatedAt.Equal(kept.changed), err
}
