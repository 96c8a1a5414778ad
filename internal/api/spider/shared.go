package spider

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/api/respond"
	"github.com/m-cmp/mc-infra-connector/internal/auth"
	"github.com/m-cmp/mc-infra-connector/internal/inventory"
)

// lists are the answers to what is asked again and again, a list of each kind on each
// connection. One is given once more as long as all that it was made from is the same. That
// outlives changes of all else, with which respond.Cache lets go of what it has, and a list
// may be older than the records: the cloud is looked at first.
type lists struct {
	mu      sync.Mutex
	answers map[string]*listed
}

type listed struct {
	answer  *respond.Answer
	looked  map[string]bool                // kinds of which the cloud is asked
	parts   map[string]*inventory.Snapshot // by kind
	changed time.Time                      // when the connection last changed
	used    time.Time
}

// listsIdle is how long an answer stays that nobody asks for.
const listsIdle = time.Minute

func (l *lists) get(key string) *listed {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.answers[key]
	if one != nil {
		one.used = time.Now()
	}
	return one
}

func (l *lists) add(key string, one *listed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.answers, func(_ string, other *listed) bool { return time.Since(other.used) > listsIdle })
	one.used = time.Now()
	l.answers[key] = one
}

// shared answers what build makes, or the same to the same principal once more.
func (s *server) shared(r *request, connection, what string, build func(*view) (any, error)) (any, error) {
	key := auth.Who(r.Context()) + "/" + connection + "/" + what
	if cached := s.lists.get(key); cached != nil {
		same, err := s.current(r.Context(), connection, cached)
		if err != nil {
			return nil, err
		}
		if same {
			return cached.answer, nil
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
	made := s.codings.New(raw, jsonType)
	s.lists.add(key, &listed{answer: made, looked: v.looked, parts: v.parts, changed: v.place().UpdatedAt})
	return made, v.err
}

// current reports whether an answer is made from what is there now.
func (s *server) current(ctx context.Context, connection string, cached *listed) (bool, error) {
	for kind := range cached.looked {
		if err := s.Inventory.Refresh(ctx, connection, kind, s.Fresh); err != nil {
			return false, err
		}
	}
	for kind, part := range cached.parts {
		now, err := s.Inventory.Snapshot(ctx, connection, kind)
		if err != nil || now != part {
			return false, err
		}
	}
	c, err := s.Registry.KnownConnection(ctx, connection)
	return err == nil && c.UpdatedAt.Equal(cached.changed), err
}
