package engine

import (
	"context"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/store"
)

// Version is another one whenever something that is recorded has changed. See
// store.Version.
func (e *Engine) Version(ctx context.Context) (string, error) { return e.store.Version(ctx) }

// Operation answers one.
func (e *Engine) Operation(ctx context.Context, id string) (*api.Operation, error) {
	row, err := e.store.Read().Operation(ctx, id)
	if err != nil {
		return nil, err
	}
	return row.Resource(), nil
}

// Operations answers a page of the operations, the newest first.
func (e *Engine) Operations(ctx context.Context, query store.Query) ([]*api.Operation, string, error) {
	rows, next, err := e.store.Read().ListOperations(ctx, query)
	return store.Convert(rows, (*store.Operation).Resource), next, err
}

// pollOther is how often the end of an operation that another server works on is
// looked for.
const pollOther = time.Second

// Wait answers an operation when it has ended, or as it is when the time is over.
func (e *Engine) Wait(ctx context.Context, id string, d time.Duration) (*api.Operation, error) {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	tick := time.NewTicker(pollOther)
	defer tick.Stop()
	end, stop := e.events.Ended(id)
	defer stop()
	for {
		op, err := e.Operation(ctx, id)
		if err != nil || op.State.Ended() {
			if e.store.Shared() { // another server may have ended it, and who waits looks at what came out of it
				e.events.Missed()
			}
			return op, err
		}
		select {
		case <-end:
			end = nil // once; the rows say the rest
		case <-tick.C:
		case <-timeout.C:
			return op, nil
		case <-ctx.Done():
			return op, nil
		}
	}
}
