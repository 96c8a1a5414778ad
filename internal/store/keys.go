package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Key is what a client gives a request, so that sending the request again is no second
// one. It is good for as long as operations are kept.
type Key struct {
	Text    string
	Request string // hash of the request; the same key with another one is refused
}

// ErrOtherRequest is the error of a key that another request had.
var ErrOtherRequest = errors.New("the idempotency key belongs to another request")

type keyOfContext struct{}

// WithKey returns a context in which the next change that is recorded gets the key.
func WithKey(ctx context.Context, k Key) context.Context {
	return context.WithValue(ctx, keyOfContext{}, k)
}

// KeyOf answers the key of a context, or one without a text.
func KeyOf(ctx context.Context) Key {
	k, _ := ctx.Value(keyOfContext{}).(Key)
	return k
}

// requestKey is a row: a request with a key that has changed something. Those that led to
// an operation are recorded with that.
type requestKey struct {
	bun.BaseModel `bun:"table:request_keys"`

	IdempotencyKey string `bun:",pk"`
	Request        string
	CreatedAt      Micros
}

// Carry records that the request of the context is carried out, in the transaction that
// does so. Of two that come at the same time the second finds it taken.
func (q *Queries) Carry(ctx context.Context) error {
	k := KeyOf(ctx)
	if k.Text == "" {
		return nil
	}
	return q.insert(ctx, &requestKey{IdempotencyKey: k.Text, Request: k.Request, CreatedAt: MicrosOf(time.Now())}, "a request had the idempotency key %s before", k.Text)
}

// Carried reports whether the request of the context was carried out before. It answers
// ErrOtherRequest if its key belongs to another one.
func (q *Queries) Carried(ctx context.Context) (bool, error) {
	k := KeyOf(ctx)
	if k.Text == "" {
		return false, nil
	}
	row := &requestKey{}
	err := q.one(ctx, q.db.NewSelect().Model(row).Where("idempotency_key = ?", k.Text), "no request had the idempotency key %s", k.Text)
	switch {
	case resource.CodeOf(err) == resource.CodeNotFound:
		return false, nil
	case err != nil:
		return false, err
	case row.Request != k.Request:
		return false, resource.Errorf(resource.CodeInvalid, "%w; use a new key for each request, and the same one only to send the same again", ErrOtherRequest)
	}
	return true, nil
}

// ForgetKeys removes the keys of requests from before a time.
func (q *Queries) ForgetKeys(ctx context.Context, before Micros) error {
	_, err := q.db.NewDelete().Model((*requestKey)(nil)).Where("created_at < ?", before).Exec(ctx)
	return failure(err, "forget old idempotency keys")
}

// Keyed gives an operation the key of the request that it comes of.
func Keyed(ctx context.Context, op *Operation) *Operation {
	k := KeyOf(ctx)
	op.IdempotencyKey, op.Request = k.Text, k.Request
	return op
}
