package driver

import (
	"context"

	"github.com/m-cmp/mc-infra-connector/resource"
)

// Trait is something that is said of a kind where it is offered: a [Found], [ReusedIDs] or [TellsOnce].
type Trait interface{ of(o *offer) }

func (f Found) of(o *offer) { o.found = f }

type ids bool

func (reused ids) of(o *offer) { o.reused = bool(reused) }

// ReusedIDs is for kinds whose ids are names, or anything else that another object can have
// once the first is gone. A repeated deletion would hit that one. So this package looks first
// whether the object carries the token of the one that is meant, before it is deleted,
// changed or told of.
const ReusedIDs ids = true

type tokenKey struct{}

// WithToken says which object the calls with the context mean by an id: the one that the
// token has made. It is "" for what others have made.
func WithToken(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// Token is what [WithToken] has said of a data call or a request to sign. This package does
// not look first there, since that would cost a call of the cloud for each: a driver whose
// cloud can refuse what is another's with the same call has it do so.
func Token(ctx context.Context) string { return tokenIn(ctx) }

func tokenIn(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}

// meant answers not_found if what has the id by now is another object than the one that is
// meant, or nothing.
func (o *offer) meant(ctx context.Context, c any, id string) error {
	token := tokenIn(ctx)
	if !o.reused || token == "" {
		return nil
	}
	item, err := o.get(ctx, c, id)
	if err == nil && item.Token != token {
		err = resource.Errorf(resource.CodeNotFound, "the %s %s that was meant is gone; what the cloud has under this id does not carry its token, and was not touched", o.kind.Name, id)
		Warn(ctx, resource.WarnLeft, "%s", err) // of a deletion, which counts as done
	}
	return err
}
