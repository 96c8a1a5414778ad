// Package once has requests with a key of their own done once, whatever is sent again: the
// same request is answered what it has led to before.
package once

import (
	"context"
	"errors"
	"time"

	"github.com/m-cmp/mc-infra-connector/api"
	"github.com/m-cmp/mc-infra-connector/internal/secret"
	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// secretsAgainFor is how long the repetition of a creation answers its secrets: a client
// that lost the answer asks again soon.
const secretsAgainFor = 10 * time.Minute

// Requests are those that may be sent again. It is safe for concurrent use.
type Requests struct {
	store  *store.Store
	sealer *secret.Sealer
}

// New returns the requests that a database has the keys of.
func New(s *store.Store, sealer *secret.Sealer) *Requests { return &Requests{s, sealer} }

// Operation does what a request asks for, which records an operation, or answers the
// operation that the same request has led to before. Of two that come at the same time,
// the database lets one be recorded.
func (r *Requests) Operation(ctx context.Context, do func() (*api.Operation, error)) (*api.Operation, error) {
	key := store.KeyOf(ctx)
	if key.Text == "" {
		return do()
	}
	if before, err := r.before(ctx, key); before != nil || err != nil {
		return before, err
	}
	op, err := do()
	if err == nil {
		return op, nil
	}
	if before, lookErr := r.before(ctx, key); before != nil || errors.Is(lookErr, store.ErrOtherRequest) {
		return before, lookErr
	}
	return nil, err
}

// Change does what a request asks for that records no operation, such as a new
// credential, or answers what the same request has made before.
func Change[T any](ctx context.Context, r *Requests, do, made func(context.Context) (T, error)) (T, error) {
	var none T
	q := r.store.Read()
	if carried, err := q.Carried(ctx); err != nil {
		return none, err
	} else if carried {
		return made(ctx)
	}
	answer, err := do(ctx)
	if err == nil {
		return answer, nil
	}
	if carried, lookErr := q.Carried(ctx); carried { // meanwhile
		return made(ctx)
	} else if errors.Is(lookErr, store.ErrOtherRequest) {
		return none, lookErr
	}
	return answer, err
}

// before answers the operation that has the key, or nil.
func (r *Requests) before(ctx context.Context, key store.Key) (*api.Operation, error) {
	row, err := r.store.Read().OperationWithKey(ctx, key.Text)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return nil, nil //nolint:nilnil // none is no error
	case err != nil:
		return nil, err
	case row.Request != key.Request:
		return nil, resource.Errorf(resource.CodeInvalid, "%w: the operation %s came of that; use a new key for each request, and the same one only to send the same again", store.ErrOtherRequest, row.ID)
	}
	op := row.Resource()
	if row.Creates() && row.Total == 0 && r.store.Now().Sub(row.CreatedAt.Time()).Abs() < secretsAgainFor { // not until a clock that was wrong is right
		op.Secrets, err = r.secretsOf(ctx, row.UID)
	}
	return op, err
}

// secretsOf opens the secrets of a resource.
func (r *Requests) secretsOf(ctx context.Context, uid string) (map[string]string, error) {
	rows, err := r.store.Read().Secrets(ctx, uid)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	open := map[string]string{}
	for _, s := range rows {
		value, err := r.sealer.Unseal(ctx, s.Sealed, s.Identity())
		if err != nil {
			return nil, err
		}
		open[s.Name] = string(value)
	}
	return open, nil
}
