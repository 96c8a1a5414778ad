package engine

import (
	"context"
	"errors"
	"time"

	"github.com/m-cmp/mc-infra-connector/internal/store"
	"github.com/m-cmp/mc-infra-connector/resource"
)

// Key is what a client gives a request, so that sending the request again is no second
// one. It is good for as long as the operation is kept.
type Key struct {
	Text    string
	Request string // hash of the request; the same key with another one is refused
}

type keyOfContext struct{}

// WithKey returns a context in which the next operation that is recorded gets the key.
func WithKey(ctx context.Context, k Key) context.Context {
	return context.WithValue(ctx, keyOfContext{}, k)
}

func keyOf(ctx context.Context) Key {
	k, _ := ctx.Value(keyOfContext{}).(Key)
	return k
}

// ErrOtherRequest is the error of a key that another request had.
var ErrOtherRequest = errors.New("the idempotency key belongs to another request")

// secretsAgainFor is how long the repetition of a creation answers its secrets: a client
// that lost the answer asks again soon.
const secretsAgainFor = 10 * time.Minute

// Once does what a request asks for, which records an operation, or answers the
// operation that the same request has led to before. Of two that come at the same time,
// the database lets one be recorded.
func (e *Engine) Once(ctx context.Context, do func() (*resource.Operation, error)) (*resource.Operation, error) {
	key := keyOf(ctx)
	if key.Text == "" {
		return do()
	}
	if before, err := e.before(ctx, key); before != nil || err != nil {
		return before, err
	}
	op, err := do()
	if err == nil {
		return op, nil
	}
	if before, lookErr := e.before(ctx, key); before != nil || errors.Is(lookErr, ErrOtherRequest) {
		return before, lookErr
	}
	return nil, err
}

// before answers the operation that has the key, or nil.
func (e *Engine) before(ctx context.Context, key Key) (*resource.Operation, error) {
	row, err := e.store.Read().OperationWithKey(ctx, key.Text)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return nil, nil //nolint:nilnil // none is no error
	case err != nil:
		return nil, err
	case row.Request != key.Request:
		return nil, resource.Errorf(resource.CodeInvalid, "%w: the operation %s came of that; use a new key for each request, and the same one only to send the same again", ErrOtherRequest, row.ID)
	}
	op := row.Resource()
	if row.Verb == VerbCreate && row.Total == 0 && time.Since(row.CreatedAt.Time()) < secretsAgainFor {
		op.Secrets, err = e.secretsOf(ctx, row.UID)
	}
	return op, err
}

// secretsOf opens the secrets of a resource.
func (e *Engine) secretsOf(ctx context.Context, uid string) (map[string]string, error) {
	rows, err := e.store.Read().Secrets(ctx, uid)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	open := map[string]string{}
	for _, s := range rows {
		value, err := e.sealer.Unseal(s.Sealed, secretIdentity(uid, s.Name))
		if err != nil {
			return nil, err
		}
		open[s.Name] = string(value)
	}
	return open, nil
}

// keyed gives an operation the key of the request that it comes of.
func keyed(ctx context.Context, op *store.Operation) *store.Operation {
	k := keyOf(ctx)
	op.IdempotencyKey, op.Request = k.Text, k.Request
	return op
}
