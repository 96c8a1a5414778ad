package registry

import (
	"context"
	"sync"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
)

// keepKnown is how long a connection is known at most. Changes by other servers may be missed.
const keepKnown = time.Second

// known are the connections that are asked for again and again.
type known struct {
	mu          sync.Mutex
	connections map[string]knownConnection
	dropped     int // how often, so that nothing is kept that was read before
}

type knownConnection struct {
	*api.Connection
	readAt time.Time
}

func (k *known) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropped++
	k.connections = map[string]knownConnection{}
}

// KnownConnection answers a connection as it was at most a second ago, for those who
// ask often.
func (r *Registry) KnownConnection(ctx context.Context, name string) (*api.Connection, error) {
	k := &r.known
	k.mu.Lock()
	known, ok := k.connections[name]
	dropped := k.dropped
	k.mu.Unlock()
	if ok && time.Since(known.readAt) < keepKnown {
		return known.Connection, nil
	}
	began := time.Now()
	c, err := r.Connection(ctx, name)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dropped == dropped {
		k.connections[name] = knownConnection{c, began}
	}
	return c, nil
}
