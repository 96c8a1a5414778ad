package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// batches are how SQLite is written to. Its one writer waits for the disk once for each
// transaction; changes that are asked for meanwhile share the next one, each in a
// savepoint of its own. Nobody is told that a change is made before it is on the disk.
type batches struct {
	db      *bun.DB
	commits atomic.Int64 // beginnings and ends of commits: odd during one

	mu      sync.Mutex
	waiting []*pending
	running bool
}

// pending is a change that waits for its turn.
type pending struct {
	turn     chan *Queries // its transaction, once
	finished chan error    // how the change ended, before it is committed
	ended    chan error    // how its transaction ended

	mu    sync.Mutex
	state pendingState
}

type pendingState int

const (
	stateQueued pendingState = iota
	stateBegun
	stateLeft // by a caller who waits no more
)

// move takes a change out of the queue, unless that has happened already.
func (p *pending) move(to pendingState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != stateQueued {
		return false
	}
	p.state = to
	return true
}

// maxBatch bounds how many changes share a transaction, and how long the first of them
// waits.
const maxBatch = 64

// do runs a change in the caller's goroutine, when it has its turn, and returns when it
// is on the disk or undone.
func (b *batches) do(ctx context.Context, change func(context.Context, *Queries) error) error {
	p := &pending{turn: make(chan *Queries, 1), finished: make(chan error, 1), ended: make(chan error, 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, p)
	if !b.running {
		b.running = true
		go b.run()
	}
	b.mu.Unlock()

	var q *Queries
	select {
	case q = <-p.turn:
	case <-ctx.Done():
		if p.move(stateLeft) {
			return resource.Errorf(resource.CodeUnavailable, "wait for the database: %w", context.Cause(ctx))
		}
		q = <-p.turn
	}
	if q == nil { // the transaction ended before its turn
		return <-p.ended
	}
	err := b.change(ctx, p, q, change)
	if outcome := <-p.ended; outcome != nil {
		return outcome
	}
	return err
}

// change makes one change. A statement that is interrupted could undo the whole
// transaction, so that a caller who goes away does not end what has begun.
func (b *batches) change(ctx context.Context, p *pending, q *Queries, change func(context.Context, *Queries) error) error {
	err := errors.New("the change did not end") // it panics
	defer func() { p.finished <- err }()
	err = change(context.WithoutCancel(ctx), q)
	return err
}

// run writes batches until nothing waits.
func (b *batches) run() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), maxBatch)
		batch := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		if n == 0 {
			b.running = false
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		b.write(batch)
	}
}

// write makes the changes of a batch in one transaction. One that fails is undone by
// itself. An error that undoes the transaction, or keeps it from being committed, is
// that of all: one of them may have built on another.
func (b *batches) write(batch []*pending) {
	begun := slices.DeleteFunc(batch, func(p *pending) bool { return !p.move(stateBegun) })
	if len(begun) == 0 {
		return
	}
	err := b.inTransaction(begun)
	for _, p := range begun {
		p.ended <- err
		close(p.turn) // of those that did not get theirs
	}
}

func (b *batches) inTransaction(changes []*pending) error {
	ctx := context.Background()
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for _, p := range changes {
		if _, err := tx.ExecContext(ctx, "SAVEPOINT change"); err != nil {
			return err
		}
		p.turn <- &Queries{db: tx}
		if failed := <-p.finished; failed != nil {
			if _, err := tx.ExecContext(ctx, "ROLLBACK TO change"); err != nil {
				return failed // it has undone the whole transaction
			}
		}
		if _, err := tx.ExecContext(ctx, "RELEASE change"); err != nil {
			return err
		}
	}
	b.commits.Add(1)
	err = tx.Commit()
	b.commits.Add(1) // also after an error, which need not mean that nothing was committed
	return err
}
